//! Bitmaps: the words of all slots, interleaved, in only those 4 KiB blocks that have bits set.
//!
//! Word `k` of slot `s` is word `k * peers + s` of the bitmap, little-endian. Numbers of bits and words are plain here; positions are not.

use std::collections::BTreeMap;
use std::ops::Range;

use super::level::Level;
use super::plan::Plan;
use crate::error::{Expected, Field, Misfit, Result};
use crate::units::{BitmapIndex, Bytes, DevPos};

/// Bits in a word.
const BITS: u64 = 32;
/// Bytes in a word.
const WORD: usize = 4;
/// Words in a block.
const BLOCK_WORDS: u64 = 1024;
/// Most blocks written at once.
const BLOCKS_AT_ONCE: u64 = 64;

/// What is set in every slot.
pub(super) struct Slots {
    peers: u64,
    /// Disjoint runs of bits within each slot, in order.
    runs: Vec<Vec<Range<u64>>>,
    /// Further words by their number in the bitmap.
    words: BTreeMap<u64, u32>,
}

impl Slots {
    /// What a level asks for.
    pub(super) fn of(level: &Level, plan: &Plan) -> Result<Self, Misfit> {
        let mut slots = Self {
            peers: level.max_peers.into(),
            runs: vec![Vec::new(); level.max_peers.into()],
            words: BTreeMap::new(),
        };
        for (slot, bytes) in &level.dirty {
            let device_end = plan.device.get();
            // The shape was found to have a power of two.
            let bit = |at: u64| at.checked_div(level.bytes_per_bit.get()).unwrap_or(0);
            let start = bit(bytes.start.get());
            let end = bytes.end.get().min(device_end);
            let end = end.div_ceil(level.bytes_per_bit.get());
            let runs = slots.runs.get_mut(usize::from(slot.get()));
            let runs = runs.ok_or_else(|| no_such_slot(*slot, level.max_peers))?;
            if bytes.start < bytes.end && start < end {
                runs.push(start..end);
            }
        }
        for runs in &mut slots.runs {
            merge(runs);
        }
        let room = plan.bm_size.get() / 4;
        for (slot, from, words) in &level.words {
            if u64::from(slot.get()) >= slots.peers {
                return Err(no_such_slot(*slot, level.max_peers));
            }
            for (number, word) in (from.get() / BITS..).zip(words) {
                slots.add_word(*slot, number, *word, room)?;
            }
        }
        Ok(slots)
    }

    /// Sets a word's bits, where the bitmap has room for it.
    fn add_word(
        &mut self,
        slot: BitmapIndex,
        number: u64,
        word: u32,
        room: u64,
    ) -> Result<(), Misfit> {
        let at = self.word_in_bitmap(number, slot.get().into());
        if at >= room {
            return Err(Misfit {
                field: Field::BitmapWords,
                found: i128::from(at).saturating_add(1),
                expected: Expected::AtMost(room.into()),
            });
        }
        let set = self.words.entry(at).or_insert(0);
        *set |= word;
        Ok(())
    }

    /// The number in the bitmap of a slot's word.
    fn word_in_bitmap(&self, number: u64, slot: u64) -> u64 {
        number.saturating_mul(self.peers).saturating_add(slot)
    }

    /// Writes every block that has a bit set, by `put`, of a bitmap that begins at `bm`.
    pub(super) fn write(
        &self,
        put: &mut dyn FnMut(DevPos, &[u8]) -> Result<()>,
        bm: DevPos,
    ) -> Result<()> {
        for blocks in self.touched() {
            let mut block = blocks.start;
            while block < blocks.end {
                let stop = block.saturating_add(BLOCKS_AT_ONCE).min(blocks.end);
                let words = block.saturating_mul(BLOCK_WORDS)..stop.saturating_mul(BLOCK_WORDS);
                let from_start = Bytes::new(words.start.saturating_mul(4));
                // OK to expect: the bitmap lies in a device whose size has 64 bits.
                let at = bm.checked_add(from_start).expect("a block of the bitmap");
                put(at, &self.filled(words))?;
                block = stop;
            }
        }
        Ok(())
    }

    /// The runs of blocks that have a bit set, in order.
    fn touched(&self) -> Vec<Range<u64>> {
        let block = |word: u64| word / BLOCK_WORDS;
        let mut blocks: Vec<_> = self
            .words
            .keys()
            .map(|word| block(*word)..block(*word).saturating_add(1))
            .collect();
        for (slot, runs) in (0..).zip(&self.runs) {
            blocks.extend(runs.iter().map(|run| {
                let first = self.word_in_bitmap(run.start / BITS, slot);
                let last = self.word_in_bitmap(run.end.saturating_sub(1) / BITS, slot);
                block(first)..block(last).saturating_add(1)
            }));
        }
        merge(&mut blocks);
        blocks
    }

    /// The bytes of those words of the bitmap, whole blocks of them.
    fn filled(&self, words: Range<u64>) -> Vec<u8> {
        let count = words.end.saturating_sub(words.start);
        let mut filled = vec![0; usize::try_from(count).unwrap_or(0)];
        let mut set = |at: u64, bits: u32| {
            let index = at.checked_sub(words.start);
            let index = index.and_then(|index| usize::try_from(index).ok());
            if let Some(word) = index.and_then(|index| filled.get_mut(index)) {
                *word |= bits;
            }
        };
        for (at, bits) in self.words.range(words.clone()) {
            set(*at, *bits);
        }
        for (slot, runs) in (0..).zip(&self.runs) {
            // The slot's words that may be among these, perhaps one more on either side, which `set` ignores.
            let within = |word: u64| word.checked_div(self.peers).unwrap_or(0);
            let numbers = within(words.start)..within(words.end).saturating_add(1);
            let first_bit = numbers.start.saturating_mul(BITS);
            let first = runs.partition_point(|run| run.end <= first_bit);
            for run in runs.iter().skip(first) {
                let start = (run.start / BITS).max(numbers.start);
                let end = run.end.div_ceil(BITS).min(numbers.end);
                if start >= numbers.end {
                    break;
                }
                for number in start..end {
                    set(self.word_in_bitmap(number, slot), bits_of(run, number));
                }
            }
        }
        let mut bytes = Vec::with_capacity(filled.len().saturating_mul(WORD));
        bytes.extend(filled.into_iter().flat_map(u32::to_le_bytes));
        bytes
    }
}

/// Which bits of a slot's word a run covers.
fn bits_of(run: &Range<u64>, number: u64) -> u32 {
    let first = number.saturating_mul(BITS);
    let below = |bit: u64| {
        // 0 to 32 lowest bits set.
        let count = bit.saturating_sub(first).min(BITS);
        let unset = u32::try_from(BITS.saturating_sub(count)).unwrap_or(0);
        u32::MAX.checked_shr(unset).unwrap_or(0)
    };
    below(run.end) & !below(run.start)
}

/// Sorts ranges and joins those that meet.
fn merge(ranges: &mut Vec<Range<u64>>) {
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges.drain(..) {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    *ranges = merged;
}

fn no_such_slot(slot: BitmapIndex, max_peers: u8) -> Misfit {
    Misfit {
        field: Field::BitmapSlot,
        found: slot.get().into(),
        expected: Expected::AtMost(i128::from(max_peers).saturating_sub(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slots(runs: Vec<Vec<Range<u64>>>) -> Slots {
        Slots {
            peers: Bytes::of_len(runs.len()).get(),
            runs,
            words: BTreeMap::new(),
        }
    }

    #[test]
    fn a_run_sets_just_its_bits() {
        assert_eq!(bits_of(&(0..32), 0), u32::MAX);
        assert_eq!(bits_of(&(0..31), 0), 0x7fff_ffff);
        assert_eq!(bits_of(&(31..33), 0), 0x8000_0000);
        assert_eq!(bits_of(&(31..33), 1), 1);
        assert_eq!(bits_of(&(31..33), 2), 0);
        assert_eq!(bits_of(&(64..65), 1), 0);
    }

    #[test]
    fn only_touched_blocks_are_written_and_each_has_all_slots() {
        // Word 512 of either slot begins the second block; bit 40 is word 1.
        let slots = slots(vec![vec![0..1, 16_384..16_385], vec![40..41]]);
        let mut written = Vec::new();
        let mut put = |at: DevPos, bytes: &[u8]| {
            written.push((at.get(), bytes.to_vec()));
            Ok(())
        };
        slots.write(&mut put, DevPos::new(8192)).unwrap();
        assert_eq!(written.len(), 1);
        let (at, bytes) = &written[0];
        assert_eq!((*at, bytes.len()), (8192, 8192));
        let set: Vec<_> = (0..).zip(bytes).filter(|(_, byte)| **byte != 0).collect();
        assert_eq!(set, [(0, &1), (13, &1), (4096, &1)]);
    }

    proptest! {
        /// The other way round: bit by bit, from the formula.
        #[test]
        fn every_bit_is_where_the_formula_has_it(
            peers in 1_usize..=31,
            runs in prop::collection::vec((0_usize..31, 0_u64..200_000, 0_u64..9000), 0..20),
        ) {
            let mut asked = vec![Vec::new(); peers];
            for (slot, start, len) in runs {
                asked[slot % peers].push(start..start + len);
            }
            let mut merged = asked.clone();
            for runs in &mut merged {
                runs.retain(|run| !run.is_empty());
                merge(runs);
            }
            let mut bitmap = vec![0_u8; 1 << 20];
            let mut put = |at: DevPos, bytes: &[u8]| {
                let at = usize::try_from(at.get()).unwrap();
                bitmap[at..at + bytes.len()].copy_from_slice(bytes);
                Ok(())
            };
            slots(merged).write(&mut put, DevPos::START).unwrap();
            let mut expected = vec![0_u8; bitmap.len()];
            for (slot, runs) in asked.iter().enumerate() {
                for bit in runs.iter().cloned().flatten() {
                    let bit = usize::try_from(bit).unwrap();
                    let word = (bit >> 5) * peers + slot;
                    expected[4 * word + (bit & 31) / 8] |= 1 << (bit % 8);
                }
            }
            prop_assert!(bitmap == expected);
        }
    }
}
