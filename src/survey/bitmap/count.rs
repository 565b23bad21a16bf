//! Counting the set bits of every slot in one pass.

use std::ops::ControlFlow;

use super::{OnDiskBitmap, WORD};
use crate::error::Result;
use crate::format::bitmap::{WORD_BITS, low_bits};
use crate::units::DevPos;

impl OnDiskBitmap<'_> {
    /// How many of the lowest `bits` bits are set in each slot; holes are skipped, and nothing is kept.
    ///
    /// # Errors
    ///
    /// Errors of reading the bitmap.
    pub fn count_slots(&self, bits: u64) -> Result<Vec<u64>> {
        let slots = usize::try_from(self.max_peers).unwrap_or(0);
        let mut tally = Tally {
            slots: vec![0; slots],
            max_peers: self.max_peers,
            bits,
        };
        let end = self.start.saturating_add(self.size());
        let mut at = self.start;
        while at < end {
            let Some(data) = self.device.next_data(at)? else {
                break;
            };
            // The area begins at a whole word; a hole may end in the midst of one.
            let into = data.start.saturating_since(self.start);
            let first = self.start.checked_add(into.align_down(WORD));
            let stretch = first.unwrap_or(end).max(at)..data.end.min(end);
            if stretch.is_empty() {
                break;
            }
            self.device.visit(stretch.clone(), &mut |from, piece| {
                tally.add(self.word_at(from), piece);
                ControlFlow::Continue(())
            })?;
            at = stretch.end;
        }
        Ok(tally.slots)
    }

    /// The number of the word at a position of the area.
    fn word_at(&self, at: DevPos) -> u64 {
        let into = at.saturating_since(self.start);
        into.whole_units(WORD)
    }
}

/// What was counted so far.
struct Tally {
    slots: Vec<u64>,
    max_peers: u64,
    /// Bits of each slot that count.
    bits: u64,
}

impl Tally {
    /// Counts words as they lie on disk, the first of which has this number.
    fn add(&mut self, first: u64, bytes: &[u8]) {
        // Words of each slot that count whole; then may come a word of each that counts in part.
        let whole = (self.bits / WORD_BITS).saturating_mul(self.max_peers);
        let split = usize::try_from(whole.saturating_sub(first)).unwrap_or(usize::MAX);
        let (words, _) = bytes.as_chunks::<4>();
        let (body, rest) = words.split_at(split.min(words.len()));
        self.add_whole(first, body);
        let rest_first = first.max(whole);
        let partial = rest_first.saturating_sub(whole).min(self.max_peers);
        let left = usize::try_from(self.max_peers.saturating_sub(partial)).unwrap_or(0);
        for (word, number) in rest.iter().take(left).zip(rest_first..) {
            let counted = low_bits(u32::from_le_bytes(*word), self.bits % WORD_BITS).count_ones();
            self.credit(number, u64::from(counted));
        }
    }

    fn add_whole(&mut self, first: u64, words: &[[u8; 4]]) {
        let set = |word: &[u8; 4]| u64::from(u32::from_le_bytes(*word).count_ones());
        if let [only] = self.slots.as_mut_slice() {
            *only = only.saturating_add(words.iter().map(set).sum());
            return;
        }
        let Some(turn) = first.checked_rem(self.max_peers) else {
            return;
        };
        let mut slot = usize::try_from(turn).unwrap_or(0);
        for word in words {
            if let Some(sum) = self.slots.get_mut(slot) {
                *sum = sum.saturating_add(set(word));
            }
            slot = slot.saturating_add(1);
            if slot >= self.slots.len() {
                slot = 0;
            }
        }
    }

    /// Adds to the slot that a word belongs to.
    fn credit(&mut self, word: u64, counted: u64) {
        let slot = word.checked_rem(self.max_peers).unwrap_or(0);
        let sum = usize::try_from(slot)
            .ok()
            .and_then(|slot| self.slots.get_mut(slot));
        if let Some(sum) = sum {
            *sum = sum.saturating_add(counted);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::bitmap::count_set;
    use crate::format::layout::{MdGeometry, MdIndex, MdLayout};
    use crate::image::{MemImage, Window, WriteAt};
    use crate::units::{BitmapIndex, Bytes, ImagePos, Sectors};

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(64)))]

        #[test]
        fn one_pass_counts_what_each_slot_alone_counts(
            max_peers in 1_u32..32,
            sectors in 1_u64..131_072,
            pieces in proptest::collection::vec((0_u64..200_000, proptest::collection::vec(any::<u8>(), 1..5000)), 0..5),
        ) {
            let size = Bytes::new(64 << 20);
            let geometry = MdGeometry { max_peers, ..MdGeometry::DEFAULT };
            let layout = MdLayout::planned(MdIndex::FlexInternal, geometry, size).unwrap();
            let mut image = MemImage::new(size);
            for (at, bytes) in &pieces {
                let at = ImagePos::at(layout.bm.start.from_start()).checked_add(Bytes::new(*at)).unwrap();
                let room = size.saturating_sub(at.from_start()).to_usize().unwrap();
                if room > 0 {
                    image.write_all_at(at, &bytes[..bytes.len().min(room)]).unwrap();
                }
            }
            let la_size = Sectors::new(sectors).min(layout.usable);
            let bits = geometry.bits(la_size).unwrap();
            let bitmap = OnDiskBitmap::new(Window::whole(&image), &layout, la_size);
            let alone: Vec<u64> = (0..max_peers)
                .map(|slot| BitmapIndex::new(u8::try_from(slot).unwrap()))
                .map(|slot| count_set(&mut bitmap.slot_words(slot), bits).unwrap())
                .collect();
            prop_assert_eq!(bitmap.count_slots(bits).unwrap(), alone);
        }
    }
}
