//! Writing a plan to its targets, in the order that leaves no mixture behind.

use std::borrow::Cow;
use std::ops::Range;

use super::check::written_behind;
use super::compare::{Comparison, SECTOR};
use super::outline::{Phase, Region};
use super::restore::{Reach, Touched, restore};
use super::superblock::{RetiredBlock, under_way};
use super::targets::{Leave, Targets};
use super::undo_file::{Frame, UndoFile, block_of};
use super::undoing::WRITTEN;
use crate::error::{EditError, EditRefusal, Error, Result, TargetState};
use crate::image::ReadAt;
use crate::units::{ImagePos, SECTOR_SIZE};

/// Writes what `undo` holds to the targets that were found to be as it says, or puts everything back.
pub(super) fn apply<R: ReadAt>(undo: &UndoFile<R>, targets: &mut Targets<'_, '_>) -> Result<()> {
    reserve(undo, targets).map_err(|error| EditError::untouched(error).at(targets.failed()))?;
    let mut writer = Forward {
        undo,
        targets,
        leave: Leave::Nothing,
        touched: Touched::default(),
    };
    let Err(cause) = writer.run() else {
        return Ok(());
    };
    let touched = writer.touched;
    let at = targets.failed();
    if touched.is_nothing() || touched.is_one() && is_as_before(undo, targets, &touched) {
        return Err(EditError::untouched(cause).at(at).into());
    }
    let leave = targets.leave();
    let rollback = restore(undo, targets, &Reach::Touched(touched), leave).err();
    let state = if rollback.is_some() {
        TargetState::NeedsUndo
    } else {
        TargetState::Undone
    };
    Err(Error::Edit(EditError {
        state,
        at,
        cause: Box::new(cause),
        rollback: rollback.map(Box::new),
    }))
}

/// Makes sure of room for all that a change is to write, or leaves none taken. What is cut off comes when there is a place for it.
fn reserve<R: ReadAt>(undo: &UndoFile<R>, targets: &mut Targets<'_, '_>) -> Result<()> {
    // The sum first, before anything is allocated: written, and written back where it comes to nothing.
    let mut most = targets.sums();
    stretches(undo, &mut |target, range| {
        most.add_all(target, &range, 2);
        Ok(())
    })?;
    // Where there is room for all of it as if it were holes, nobody has to find out which of it is.
    if most.check(targets).is_err() {
        let mut sums = targets.sums();
        stretches(undo, &mut |target, range| {
            sums.add(targets, target, &range, 2)
        })?;
        sums.check(targets)?;
    }
    let reserved = stretches(undo, &mut |target, range| targets.reserve(target, range));
    if reserved.is_err() {
        targets.give_back();
    }
    reserved
}

/// Shows each stretch that is written to, as records that follow each other make it: the file system is asked for them at once.
fn stretches<R: ReadAt>(
    undo: &UndoFile<R>,
    visit: &mut dyn FnMut(usize, Range<ImagePos>) -> Result<()>,
) -> Result<()> {
    for phase in WRITTEN {
        let mut pending: Option<(usize, Range<ImagePos>)> = None;
        undo.places(phase, &mut |region, place| {
            match &mut pending {
                Some((target, range)) if *target == region.target && range.end == place.start => {
                    range.end = place.end;
                }
                _ => {
                    let new = Some((region.target, place));
                    if let Some((target, range)) = std::mem::replace(&mut pending, new) {
                        visit(target, range)?;
                    }
                }
            }
            Ok(())
        })?;
        if let Some((target, range)) = pending {
            visit(target, range)?;
        }
    }
    Ok(())
}

/// Whether the one write that was tried, and failed, changed nothing.
fn is_as_before<R: ReadAt>(
    undo: &UndoFile<R>,
    targets: &Targets<'_, '_>,
    touched: &Touched,
) -> bool {
    let mut comparison = Comparison::with_plan();
    let mut as_before = || {
        for phase in Phase::ALL {
            undo.walk(phase, &mut |number, region, record| {
                if !touched.includes(phase, number) {
                    return Ok(());
                }
                targets.expect(&mut comparison, region.target, record.at, &record.before)
            })?;
        }
        Ok::<(), Error>(())
    };
    as_before().is_ok()
}

/// A change while it is written.
pub(super) struct Forward<'u, 'x, 'a, 't, R> {
    pub(super) undo: &'u UndoFile<R>,
    pub(super) targets: &'x mut Targets<'a, 't>,
    /// What need not be written; where all is, it is compared with the plan before that.
    pub(super) leave: Leave,
    /// What may have been changed, or changed in part.
    pub(super) touched: Touched,
}

impl<R: ReadAt> Forward<'_, '_, '_, '_, R> {
    pub(super) fn run(&mut self) -> Result<()> {
        // The one that DRBD would attach goes first.
        self.retire(true)?;
        self.retire(false)?;
        self.announce()?;
        self.phase(Phase::Body)?;
        // With a mark for the magic; and when that is durable, the one sector that has it.
        self.bare()?;
        self.phase(Phase::Cleanup)?;
        self.cut()?;
        // While a new superblock has its mark, the change is seen to be under way: what is cut off after it is not.
        self.finish(true)?;
        // Before anything can be attached: a disk that lost a write stays marked.
        self.read_back(&[Phase::Body, Phase::Cleanup])?;
        self.commit()?;
        self.finish(false)?;
        self.read_back_ends()
    }

    /// Marks the superblocks that are retired: the foremost of each target, or the others.
    fn retire(&mut self, foremost: bool) -> Result<()> {
        let mut planned = Comparison::with_plan();
        let undo = self.undo;
        undo.walk(Phase::Retire, &mut |number, region, record| {
            if undo.is_foremost(number, region) != foremost {
                return Ok(());
            }
            self.compare(&mut planned, region, record.at, &record.before)?;
            let marked = under_way(&block_of(&record.before));
            self.put(number, region, record.at, &first_sector(&marked))
        })?;
        self.targets.sync()
    }

    /// Puts a marked superblock where there is to be one and none was: a change that is cut off is seen where DRBD looks.
    fn announce(&mut self) -> Result<()> {
        let mut planned = Comparison::with_plan();
        let undo = self.undo;
        // The sector that has the mark before the rest of it.
        for first in [true, false] {
            undo.walk(Phase::Commit, &mut |number, region, record| {
                if undo.retired().at(region.target, record.at).is_some() {
                    return Ok(());
                }
                let marked = under_way(&block_of(&record.after));
                if first {
                    self.compare(&mut planned, region, record.at, &record.before)?;
                    self.put(number, region, record.at, &first_sector(&marked))
                } else {
                    self.put(number, region, record.at, &marked)
                }
            })?;
            self.targets.sync()?;
        }
        Ok(())
    }

    /// Writes what is to be there, for every record of a phase, and syncs it.
    fn phase(&mut self, phase: Phase) -> Result<()> {
        let mut planned = Comparison::with_plan_where_written_next();
        let undo = self.undo;
        undo.walk(phase, &mut |number, region, record| {
            let retired = undo.retired();
            let expected = retired.overlay(region.target, record.at, &record.before);
            self.compare(&mut planned, region, record.at, &expected)?;
            self.put(number, region, record.at, &record.after)
        })?;
        self.targets.sync()
    }

    /// Writes the new superblocks, marked, over those that were retired.
    fn bare(&mut self) -> Result<()> {
        let mut planned = Comparison::with_plan();
        let undo = self.undo;
        undo.walk(Phase::Commit, &mut |number, region, record| {
            let Some(retired) = undo.retired().at(region.target, record.at) else {
                return Ok(());
            };
            self.compare(&mut planned, region, record.at, &retired.under_way)?;
            let marked = under_way(&block_of(&record.after));
            self.put(number, region, record.at, &marked)
        })?;
        self.targets.sync()
    }

    /// Gives the new superblocks their magic, one after the other.
    fn commit(&mut self) -> Result<()> {
        let mut written = Comparison::with_what_was_written();
        let undo = self.undo;
        undo.walk(Phase::Commit, &mut |number, region, record| {
            let marked = under_way(&block_of(&record.after));
            self.targets
                .expect(&mut written, region.target, record.at, &marked)?;
            self.put(number, region, record.at, &first_sector(&record.after))?;
            self.targets.sync()
        })
    }

    /// Cuts targets off.
    fn cut(&mut self) -> Result<()> {
        let mut planned = Comparison::with_plan();
        let undo = self.undo;
        undo.walk(Phase::Cut, &mut |_, region, record| {
            let retired = undo.retired();
            let expected = retired.overlay(region.target, record.at, &record.before);
            self.compare(&mut planned, region, record.at, &expected)
        })?;
        // What was a hole when this was drafted is in no undo file.
        if self.leave == Leave::Nothing
            && let Some((_, at)) = written_behind(undo, &self.targets.readers())?
        {
            let length = SECTOR_SIZE;
            return Err(EditRefusal::Changed { at, length }.into());
        }
        for region in undo.regions().filter(|one| one.phase == Phase::Cut) {
            self.touched.cut = true;
            let end = region.range.start.from_start();
            self.targets.resize(region.target, end, self.leave)?;
        }
        self.targets.sync()
    }

    /// Says of the superblocks that stay retired that the change which did that came to its end: on targets that get new ones, or on the
    /// others.
    fn finish(&mut self, gets_new: bool) -> Result<()> {
        let undo = self.undo;
        for (target, at, block) in undo.retired().iter() {
            let mut new = undo.regions().filter(|one| one.phase == Phase::Commit);
            let of_these = new.any(|one| one.target == target) == gets_new;
            if of_these && !block.is_covered(0) && !self.is_cut_off(target, at) {
                // The records of the first phase are all touched by now.
                self.targets.put(target, at, finished(block), self.leave)?;
            }
        }
        self.targets.sync()
    }

    /// Compares lengths and superblocks with what was to be written.
    fn read_back_ends(&self) -> Result<()> {
        let undo = self.undo;
        for region in undo.regions().filter(|one| one.phase == Phase::Cut) {
            let found = self.targets.get(region.target).size();
            let expected = region.range.start.from_start();
            if expected != found {
                return Err(EditRefusal::TargetSize { found, expected }.into());
            }
        }
        let mut written = Comparison::with_what_was_written();
        for (target, at, block) in undo.retired().iter() {
            let image = self.targets.get(target);
            written.expect(image, at, &block.last)?;
        }
        self.read_back(&[Phase::Commit])
    }

    /// Compares what some phases wrote with what was to be written.
    fn read_back(&self, phases: &[Phase]) -> Result<()> {
        let mut written = Comparison::with_what_was_written();
        for phase in phases {
            self.undo
                .frames(*phase, &mut |_, region, frame| match frame {
                    Frame::Record(record) => {
                        let (target, at) = (region.target, record.at);
                        self.targets.expect(&mut written, target, at, &record.after)
                    }
                    // What was overwritten by force is judged already.
                    Frame::Same(_) if self.leave != Leave::Nothing => Ok(()),
                    Frame::Same(same) => self.targets.expect_same(region.target, &same),
                })?;
        }
        Ok(())
    }

    /// The answer where something else is there than was planned.
    fn compare(
        &self,
        planned: &mut Comparison,
        region: &Region,
        at: ImagePos,
        expected: &[u8],
    ) -> Result<()> {
        if self.leave != Leave::Nothing {
            // What is there was judged as a whole, and may be of many kinds.
            return Ok(());
        }
        self.targets.expect(planned, region.target, at, expected)
    }

    /// Whether a place lies behind a target that is as short as this leaves it: the undoing that is taken back stopped before it gave the
    /// length back, and never wrote there.
    fn is_cut_off(&self, target: usize, at: ImagePos) -> bool {
        let end = ImagePos::at(self.targets.get(target).size());
        self.leave != Leave::Nothing && self.undo.cut(target) == Some(end) && at >= end
    }

    fn put(&mut self, number: u64, region: &Region, at: ImagePos, bytes: &[u8]) -> Result<()> {
        if self.is_cut_off(region.target, at) {
            return Ok(());
        }
        // Before the attempt: a write that fails may have written a part.
        self.touched.note(region.phase, number);
        self.targets.put(region.target, at, bytes, self.leave)
    }
}

/// What a retired superblock's place gets in the end: the sector that has the mark, or all of it where more is to be there.
fn finished(block: &RetiredBlock) -> &[u8] {
    let (first, rest) = block.last.split_at(SECTOR);
    let (_, as_before) = block.under_way.split_at(SECTOR);
    if rest == as_before {
        first
    } else {
        &block.last
    }
}

/// The sector that has the magic.
pub(super) fn first_sector(block: &[u8]) -> Cow<'_, [u8]> {
    Cow::Borrowed(block.get(..SECTOR).unwrap_or(block))
}
