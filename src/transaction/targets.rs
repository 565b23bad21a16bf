//! The targets of a change while they are written: which were written to since their last sync, and what is better not written again.

use std::cell::Cell;
use std::ops::Range;

use super::check::expect_same;
use super::compare::{Comparison, read_data};
use super::format::SameHead;
use crate::error::{Result, StoppedAt};
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::image::{ReadAt, RoomNeeded, WriteAt, is_zeros};
use crate::units::{Bytes, ImagePos};

/// What is compared as one where a part may be left alone.
const BLOCK: usize = SUPERBLOCK_LEN;

/// What is left alone because it is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Nothing: all of it is known to differ.
    Nothing,
    /// Blocks that read as they should.
    Same,
    /// Holes that are to read as zeros. What reads as it should need not be on the disk after a failed sync; a hole has nothing there.
    Holes,
}

/// The targets of a change, to be written.
pub(super) struct Targets<'a, 't> {
    all: &'a mut [&'t mut dyn WriteAt],
    /// Written to since its last sync.
    dirty: Vec<bool>,
    /// What the system has in memory may differ from what is on a disk.
    sync_failed: bool,
    /// Anything was written with success, or given another length.
    written: bool,
    /// The one whose reading, writing or comparing failed last.
    failed: Cell<Option<usize>>,
}

impl<'a, 't> Targets<'a, 't> {
    pub(super) fn new(targets: &'a mut [&'t mut dyn WriteAt]) -> Self {
        Self {
            dirty: vec![false; targets.len()],
            all: targets,
            sync_failed: false,
            written: false,
            failed: Cell::new(None),
        }
    }

    /// What the last failure was of.
    pub(super) fn failed(&self) -> Option<StoppedAt> {
        self.failed.get().map(StoppedAt::Target)
    }

    /// Notes whose failure it is.
    fn noted<T>(&self, target: usize, answer: Result<T>) -> Result<T> {
        if answer.is_err() {
            self.failed.set(Some(target));
        }
        answer
    }

    /// The one of this number; the undo file has no other.
    pub(super) fn get(&self, target: usize) -> &dyn ReadAt {
        // OK to expect: whoever made this compared the number of targets with the undo file's.
        let one = self.all.get(target);
        &**one.expect("an undo file names its targets by number, and has as many")
    }

    /// All of them, to be read.
    pub(super) fn readers(&self) -> Vec<&dyn ReadAt> {
        self.all
            .iter()
            .map(|one| -> &dyn ReadAt { &**one })
            .collect()
    }

    /// What may be left alone when a change is put back.
    pub(super) const fn leave(&self) -> Leave {
        if self.sync_failed {
            Leave::Holes
        } else {
            Leave::Same
        }
    }

    /// Whether every target read as `expected` says.
    pub(super) fn expect(
        &self,
        comparison: &mut Comparison,
        target: usize,
        at: ImagePos,
        expected: &[u8],
    ) -> Result<()> {
        self.noted(target, comparison.expect(self.get(target), at, expected))
    }

    /// Whether a stretch that is to stay as it was is so.
    pub(super) fn expect_same(&self, target: usize, same: &SameHead) -> Result<()> {
        self.noted(target, expect_same(self.get(target), same))
    }

    /// Puts `bytes` at `at`, but what is to be left alone.
    pub(super) fn put(
        &mut self,
        target: usize,
        at: ImagePos,
        bytes: &[u8],
        leave: Leave,
    ) -> Result<()> {
        if leave == Leave::Nothing {
            return self.write(target, at, bytes);
        }
        let needed = match leave {
            Leave::Nothing | Leave::Same => self.differing(target, at, bytes)?,
            Leave::Holes => self.not_in_holes(target, at, bytes)?,
        };
        for run in runs(&needed, bytes.len()) {
            let from = step(at, run.start);
            self.write(target, from, bytes.get(run).unwrap_or_default())?;
        }
        Ok(())
    }

    /// Nothing yet, for each of them.
    pub(super) fn sums(&self) -> Sums {
        Sums(vec![None; self.all.len()])
    }

    /// Lets go of the room that was made sure of.
    pub(super) fn give_back(&mut self) {
        for one in self.all.iter_mut() {
            one.give_back();
        }
    }

    /// Makes sure of room for all of `range`.
    pub(super) fn reserve(&mut self, target: usize, range: Range<ImagePos>) -> Result<()> {
        match self.all.get_mut(target) {
            Some(one) => {
                let reserved = one.reserve(range);
                self.noted(target, reserved)
            }
            None => Ok(()),
        }
    }

    /// The same, for those blocks of `bytes` that are not there yet.
    pub(super) fn reserve_for(&mut self, target: usize, at: ImagePos, bytes: &[u8]) -> Result<()> {
        let needed = self.differing(target, at, bytes)?;
        for run in runs(&needed, bytes.len()) {
            self.reserve(target, step(at, run.start)..step(at, run.end))?;
        }
        Ok(())
    }

    /// Whether a part of `range` is a hole, or lies behind the end.
    pub(super) fn has_hole(&self, target: usize, range: &Range<ImagePos>) -> Result<bool> {
        let data = self.noted(target, self.get(target).next_data(range.start))?;
        Ok(data.is_none_or(|data| data.start > range.start || data.end < range.end))
    }

    /// Which blocks of `bytes` are not there.
    fn differing(&self, target: usize, at: ImagePos, bytes: &[u8]) -> Result<Vec<bool>> {
        let mut found = vec![0; bytes.len()];
        self.noted(target, read_data(self.get(target), at, &mut found))?;
        let blocks = bytes.chunks(BLOCK).zip(found.chunks(BLOCK));
        Ok(blocks.map(|(bytes, found)| bytes != found).collect())
    }

    /// Which blocks of `bytes` are not zeros in a hole.
    fn not_in_holes(&self, target: usize, at: ImagePos, bytes: &[u8]) -> Result<Vec<bool>> {
        let image = self.get(target);
        let mut start = at;
        let mut needed = Vec::new();
        for block in bytes.chunks(BLOCK) {
            let end = step(start, block.len());
            let zeros = is_zeros(block);
            let hole = zeros && image.next_data(start)?.is_none_or(|data| data.start >= end);
            needed.push(!hole);
            start = end;
        }
        Ok(needed)
    }

    fn write(&mut self, target: usize, at: ImagePos, bytes: &[u8]) -> Result<()> {
        self.note(target);
        let written = match self.all.get_mut(target) {
            Some(one) => one.write_all_at(at, bytes),
            None => return Ok(()),
        };
        self.noted(target, written)?;
        self.written = true;
        Ok(())
    }

    /// Gives a target another length, but where it has it and that is to be left alone.
    pub(super) fn resize(&mut self, target: usize, size: Bytes, leave: Leave) -> Result<()> {
        // After a failed sync the length in memory need not be the one on the disk.
        if leave == Leave::Same && self.get(target).size() == size {
            return Ok(());
        }
        if let Some(one) = self.all.get_mut(target) {
            // Where it is refused, the length is as before.
            let resized = one.resize(size);
            self.noted(target, resized)?;
            self.written = true;
        }
        self.note(target);
        Ok(())
    }

    fn note(&mut self, target: usize) {
        if let Some(dirty) = self.dirty.get_mut(target) {
            *dirty = true;
        }
    }

    /// Whether anything was written with success.
    pub(super) const fn is_written(&self) -> bool {
        self.written
    }

    /// Makes durable what was written.
    pub(super) fn sync(&mut self) -> Result<()> {
        let all = self.all.iter_mut().zip(&mut self.dirty);
        for (number, (one, dirty)) in all.enumerate() {
            if *dirty {
                // A failed sync is over, too: what it lost is not tried again.
                *dirty = false;
                let synced = one.sync();
                if synced.is_err() {
                    self.sync_failed = true;
                    self.failed.set(Some(number));
                }
                synced?;
            }
        }
        Ok(())
    }
}

/// How much room each target needs, and for what from where on.
pub(super) struct Sums(Vec<Option<(ImagePos, RoomNeeded)>>);

impl Sums {
    /// `range` of a target is to be written, `times` times.
    pub(super) fn add(
        &mut self,
        targets: &Targets<'_, '_>,
        target: usize,
        range: &Range<ImagePos>,
        times: u32,
    ) -> Result<()> {
        let Some(one) = targets.all.get(target) else {
            return Ok(());
        };
        let room = targets.noted(target, one.room_for(range))?;
        self.sum(target, range.start, room, times);
        Ok(())
    }

    /// The same as if all of `range` were a hole.
    pub(super) fn add_all(&mut self, target: usize, range: &Range<ImagePos>, times: u32) {
        let len = range.end.saturating_since(range.start);
        let room = RoomNeeded {
            holes: len,
            written: len,
        };
        self.sum(target, range.start, room, times);
    }

    fn sum(&mut self, target: usize, start: ImagePos, room: RoomNeeded, times: u32) {
        let Some(sum) = self.0.get_mut(target) else {
            return;
        };
        let written = room.written.checked_mul(u64::from(times));
        let room = RoomNeeded {
            written: written.unwrap_or(room.written),
            ..room
        };
        let (first, before) = sum.unwrap_or((start, RoomNeeded::default()));
        *sum = Some((first.min(start), before.and(room)));
    }

    /// The same without what is a hole.
    pub(super) fn but_holes(mut self) -> Self {
        for (_, room) in self.0.iter_mut().flatten() {
            room.holes = Bytes::ZERO;
        }
        self
    }

    /// Refuses where a target has less room than that.
    pub(super) fn check(&self, targets: &Targets<'_, '_>) -> Result<()> {
        for (target, sum) in self.0.iter().enumerate() {
            if let Some(((first, room), one)) = sum.zip(targets.all.get(target)) {
                targets.noted(target, one.check_room(first, room))?;
            }
        }
        Ok(())
    }
}

/// The stretches of consecutive blocks that are needed, of `len` bytes.
fn runs(needed: &[bool], len: usize) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let mut start = None;
    let blocks = needed.iter().copied().chain(std::iter::once(false));
    for (number, needed) in blocks.enumerate() {
        let offset = number.saturating_mul(BLOCK).min(len);
        if needed {
            start = start.or(Some(offset));
        } else if let Some(from) = start.take() {
            runs.push(from..offset);
        }
    }
    runs
}

/// The position `len` after `at`, within a target.
fn step(at: ImagePos, len: usize) -> ImagePos {
    // Within the target, whose end is a position.
    at.checked_add(Bytes::of_len(len)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_of_blocks_in_a_row_and_end_where_the_bytes_do() {
        assert!(runs(&[], 0).is_empty());
        assert_eq!(runs(&[true, false], BLOCK + 9).first(), Some(&(0..BLOCK)));
        let needed = [true, true, false, true];
        assert_eq!(
            runs(&needed, 3 * BLOCK + 5),
            [0..2 * BLOCK, 3 * BLOCK..3 * BLOCK + 5]
        );
    }
}
