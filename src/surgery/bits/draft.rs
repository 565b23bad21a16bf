//! Putting the bits on disk, by the one way in which anything is written.

use std::ops::Range;

use super::rounded::{Direction, Rounded};
use crate::error::Result;
use crate::format::activity_log::initialised_block;
use crate::format::bitmap::{WORD_BITS, low_bits};
use crate::format::superblock::Superblock;
use crate::image::Window;
use crate::surgery::apply_al::{Marking, can_be_clean};
use crate::surgery::place::keep_log;
use crate::survey::locate::Level;
use crate::transaction::{Area, Draft};
use crate::units::{BitmapIndex, Bytes, DevPos, ImagePos, MD_BLOCK, Sectors, range_len};

/// Bytes of a word.
const WORD: u64 = 4;
/// Words of a slot in one block of each slot.
const BLOCK_WORDS: u64 = 1024;
/// Bytes of the bitmap that are read and written at once, about.
const STEP: Bytes = Bytes::new(256 << 10);

/// What is done to which bits.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BitEdit {
    /// Bits are set, which rounds outward; else they are cleared, which rounds inward.
    pub set: bool,
    /// The slots.
    pub slots: Vec<BitmapIndex>,
    /// The activity log's bits, which every slot gets before; the log is emptied then.
    pub log: Option<Marking>,
    /// The superblock afterwards.
    pub superblock: Superblock,
}

impl BitEdit {
    /// Which way ranges are rounded.
    #[must_use]
    pub const fn direction(&self) -> Direction {
        if self.set {
            Direction::Outward
        } else {
            Direction::Inward
        }
    }
}

/// How many bits of a slot changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Changed {
    /// Bits that are set now and were not.
    pub set: u64,
    /// Bits that were set and are not now.
    pub cleared: u64,
}

/// Drafts the change of a level's bits; answers how many change in each slot.
///
/// `device` is the level's device within what the draft is for.
///
/// # Errors
///
/// What reading the bitmap or writing the undo file reported.
pub fn draft(
    draft: &mut Draft<'_>,
    device: Window<'_>,
    level: &Level,
    edit: &BitEdit,
    runs: Rounded,
) -> Result<Vec<Changed>> {
    let layout = &level.layout;
    // OK to fall back: the level was found in this device.
    let pos = |at: DevPos| device.image_pos(at).unwrap_or(ImagePos::new(u64::MAX));
    let label = |part: &str| format!("{part} of the {} resource", level.role);
    draft.retire(&label("superblock"), pos(layout.md))?;
    let mut area = draft.body(&label("bitmap"), pos(layout.bm.start)..pos(layout.bm.end))?;
    let changed = Changing::new(device, level, edit).run(&mut area, runs)?;
    if edit.log.is_some() && can_be_clean(level.superblock.format()) {
        let range = pos(layout.al.start)..pos(layout.al.end);
        let mut area = draft.body(&label("activity log"), range)?;
        for _ in 0..range_len(&layout.al).whole_units(MD_BLOCK) {
            area.put(&initialised_block())?;
        }
    } else {
        keep_log(draft, device, layout)?;
    }
    draft.commit(
        &label("superblock"),
        pos(layout.md),
        &edit.superblock.to_bytes(),
    )?;
    Ok(changed)
}

/// The bitmap while it is gone through.
struct Changing<'e> {
    device: Window<'e>,
    level: &'e Level,
    edit: &'e BitEdit,
    max_peers: u64,
    /// Bits of a slot that count.
    bits: u64,
    /// Words of each slot in a chunk.
    words: u64,
    changed: Vec<Changed>,
}

impl<'e> Changing<'e> {
    fn new(device: Window<'e>, level: &'e Level, edit: &'e BitEdit) -> Self {
        let geometry = &level.layout.geometry;
        let max_peers = u64::from(geometry.max_peers.max(1));
        let la_size = level.superblock.la_size().min(level.layout.usable);
        let bits = geometry.bits(la_size).filter(|_| la_size > Sectors::ZERO);
        let blocks = STEP.whole_units(MD_BLOCK).checked_div(max_peers);
        Self {
            device,
            level,
            edit,
            max_peers,
            bits: bits.unwrap_or(0),
            words: blocks.unwrap_or(1).max(1).saturating_mul(BLOCK_WORDS),
            changed: vec![Changed::default(); usize::try_from(max_peers).unwrap_or(0)],
        }
    }

    /// Goes through the chunks that anything of is named, in order.
    fn run(mut self, area: &mut Area<'_, '_>, mut runs: Rounded) -> Result<Vec<Changed>> {
        let size = self.level.bitmap(self.device).size();
        let chunk = Bytes::new(WORD).checked_mul(self.max_peers.saturating_mul(self.words));
        let chunk = chunk.unwrap_or(size);
        let mut next = next_of(&mut runs)?;
        let (mut done, mut number) = (Bytes::ZERO, 0_u64);
        loop {
            let of_run = next.as_ref().map(|run| self.chunk_of_bit(run.start));
            let of_log = self.log_from(number);
            let named = [of_run, of_log].into_iter().flatten().min();
            let Some(start) = named.and_then(|number| chunk.checked_mul(number)) else {
                break;
            };
            number = named.unwrap_or(number);
            if start >= size {
                break;
            }
            let len = size.saturating_sub(start).min(chunk);
            area.skip(start.saturating_sub(done))?;
            let mut bytes = vec![0; len.to_usize().unwrap_or(0)];
            if let Some(from) = self.level.layout.bm.start.checked_add(start) {
                self.device.read_exact_at(from, &mut bytes)?;
            }
            let before = bytes.clone();
            let first = number.saturating_mul(self.words);
            self.mark(&mut bytes, first);
            next = self.change(&mut bytes, first, next, &mut runs)?;
            self.count(&before, &bytes, first);
            area.put(&bytes)?;
            done = start.checked_add(len).unwrap_or(size);
            number = number.saturating_add(1);
        }
        Ok(self.changed)
    }

    fn chunk_of_bit(&self, bit: u64) -> u64 {
        (bit / WORD_BITS).checked_div(self.words).unwrap_or(0)
    }

    /// The first chunk from this one on that the log marks.
    fn log_from(&self, number: u64) -> Option<u64> {
        let first = number.saturating_mul(self.words);
        let marks = self.edit.log.as_ref()?.marks();
        let mark = marks.get(marks.partition_point(|mark| mark.words.end <= first)..)?;
        let word = mark.first()?.words.start.max(first);
        word.checked_div(self.words)
    }

    /// Sets what the log names, in every slot, in a chunk whose slots begin with word `first`.
    fn mark(&self, bytes: &mut [u8], first: u64) {
        let Some(log) = &self.edit.log else {
            return;
        };
        let end = first.saturating_add(self.words);
        let marks = log.marks();
        let reaching = marks.get(marks.partition_point(|mark| mark.words.end <= first)..);
        let reaching = reaching.unwrap_or_default().iter();
        for mark in reaching.take_while(|mark| mark.words.start < end) {
            for word in mark.words.start.max(first)..mark.words.end.min(end) {
                for slot in 0..self.max_peers {
                    let at = word.saturating_sub(first);
                    self.with_word(bytes, slot, at, |word| word | mark.mask);
                }
            }
        }
    }

    /// Sets or clears the runs that begin in the chunk; returns the first that goes on behind it.
    fn change(
        &self,
        bytes: &mut [u8],
        first: u64,
        mut next: Option<Range<u64>>,
        runs: &mut Rounded,
    ) -> Result<Option<Range<u64>>> {
        let start = first.saturating_mul(WORD_BITS);
        let end = start.saturating_add(self.words.saturating_mul(WORD_BITS));
        while let Some(run) = next.take_if(|run| run.start < end) {
            let part = run.start.saturating_sub(start)..run.end.min(end).saturating_sub(start);
            for slot in &self.edit.slots {
                self.change_slot(bytes, u64::from(slot.get()), &part);
            }
            next = if run.end > end {
                Some(end..run.end)
            } else {
                next_of(runs)?
            };
        }
        Ok(next)
    }

    /// Sets or clears bits of a slot, counted from the chunk's start.
    fn change_slot(&self, bytes: &mut [u8], slot: u64, bits: &Range<u64>) {
        let mut bit = bits.start;
        while bit < bits.end {
            let word = bit / WORD_BITS;
            let base = word.saturating_mul(WORD_BITS);
            let end = base.saturating_add(WORD_BITS).min(bits.end);
            let below = |at: u64| low_bits(u32::MAX, at.saturating_sub(base));
            let mask = below(end) & !below(bit);
            let set = self.edit.set;
            self.with_word(bytes, slot, word, |old| {
                if set { old | mask } else { old & !mask }
            });
            bit = end;
        }
    }

    /// Changes a slot's word, counted from the chunk's start.
    fn with_word(&self, bytes: &mut [u8], slot: u64, word: u64, change: impl FnOnce(u32) -> u32) {
        let on_disk = word.saturating_mul(self.max_peers).saturating_add(slot);
        let words = bytes.as_chunks_mut::<4>().0;
        let found = usize::try_from(on_disk).ok();
        if let Some(word) = found.and_then(|at| words.get_mut(at)) {
            *word = change(u32::from_le_bytes(*word)).to_le_bytes();
        }
    }

    /// Counts what changed among the bits that count.
    fn count(&mut self, before: &[u8], after: &[u8], first: u64) {
        let words = before.as_chunks::<4>().0.iter().zip(after.as_chunks().0);
        let (mut slot, mut word) = (0_usize, first);
        for (old, new) in words {
            if old != new {
                let counted = self.bits.saturating_sub(word.saturating_mul(WORD_BITS));
                let counted = |word: u32| u64::from(low_bits(word, counted).count_ones());
                let (old, new) = (u32::from_le_bytes(*old), u32::from_le_bytes(*new));
                if let Some(changed) = self.changed.get_mut(slot) {
                    changed.set = changed.set.saturating_add(counted(new & !old));
                    changed.cleared = changed.cleared.saturating_add(counted(old & !new));
                }
            }
            slot = slot.saturating_add(1);
            if slot >= self.changed.len() {
                (slot, word) = (0, word.saturating_add(1));
            }
        }
    }
}

/// The next run, as numbers.
fn next_of(runs: &mut Rounded) -> Result<Option<Range<u64>>> {
    let run = runs.next_run()?;
    Ok(run.map(|run| run.start.get()..run.end.get()))
}
