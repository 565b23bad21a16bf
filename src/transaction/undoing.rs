//! Undoing a change, which is a change like any other: drafted, written down in an undo file of its own, and done in the safe order.

use super::apply::Forward;
use super::check::expect_same;
use super::compare::Comparison;
use super::draft::{Change, Draft, Summary};
use super::format::Doing;
use super::journal::{Identity, Store};
use super::outline::{Phase, Region};
use super::restore::{Reach, Touched, restore, stop};
use super::targets::{Leave, Targets};
use super::undo_file::{Frame, UndoFile};
use super::{UndoCheck, UndoState, check};
use crate::error::{EditError, EditRefusal, Result, StoppedAt, TargetState};
use crate::image::{ReadAt, WriteAt};
use crate::units::Bytes;

/// The phases whose room is made sure of before anything is written.
pub(super) const WRITTEN: [Phase; 4] = [Phase::Retire, Phase::Body, Phase::Commit, Phase::Cleanup];

/// What undoing did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undone {
    /// All was as before already.
    Nothing,
    /// All that the change wrote is as before again.
    Restored {
        /// How many bytes that are.
        bytes: Bytes,
    },
}

impl<R: ReadAt> UndoFile<R> {
    /// Compares `target` with what the change left there; nothing is written.
    ///
    /// # Errors
    ///
    /// [`crate::error::EditRefusal::TargetSize`], [`crate::error::IoError`].
    pub fn check(&self, target: &dyn ReadAt) -> Result<UndoCheck> {
        self.check_all(&[target])
    }

    /// [`Self::check`] for several targets, in the order that the file has.
    ///
    /// # Errors
    ///
    /// As [`Self::check`]; [`EditRefusal::Targets`] where they are not as many.
    pub fn check_all(&self, targets: &[&dyn ReadAt]) -> Result<UndoCheck> {
        check::check(self, targets)
    }

    /// Puts back what was there before the change, syncs it and reads it back.
    ///
    /// With `force` what was written since is overwritten, and what is as before already is written again; a target that holds nothing of
    /// what this file describes is refused all the same. What is overwritten is gone: [`Self::prepare_undo`] keeps it.
    ///
    /// # Errors
    ///
    /// [`EditError`]: untouched with the reason for refusing, or half changed, and to be called again.
    pub fn undo(&self, target: &mut dyn WriteAt, force: bool) -> Result<Undone> {
        self.undo_all(&mut [target], force)
    }

    /// [`Self::undo`] for several targets: all of them are looked at before any is written to.
    ///
    /// # Errors
    ///
    /// As [`Self::undo`].
    pub fn undo_all(&self, targets: &mut [&mut dyn WriteAt], force: bool) -> Result<Undone> {
        let check = self.allowed(targets, force).map_err(EditError::untouched)?;
        if check.state == UndoState::NothingToDo && !force {
            return Ok(Undone::Nothing);
        }
        self.put_back(targets, &check, force)
    }

    /// Looks at the targets, and whether they may be written to.
    fn allowed(&self, targets: &[&mut dyn WriteAt], force: bool) -> Result<UndoCheck> {
        let readers: Vec<&dyn ReadAt> = targets
            .iter()
            .map(|one| -> &dyn ReadAt { &**one })
            .collect();
        let check = self.check_all(&readers)?;
        check.allow(force)?;
        Ok(check)
    }

    /// Makes sure of room for all that is to be written: what was before, or what is after. What is cut off comes when there is a place for it.
    fn reserve(&self, targets: &mut Targets<'_, '_>, before: bool) -> Result<()> {
        let mut sums = targets.sums();
        let mut holes = false;
        for phase in WRITTEN {
            self.places(phase, &mut |region, place| {
                let reaches = place.end.from_start() <= targets.get(region.target).size();
                if reaches {
                    holes = holes || targets.has_hole(region.target, &place)?;
                    sums.add(targets, region.target, &place, 1)?;
                }
                Ok(())
            })?;
        }
        // Of what is a hole, much is to stay one.
        sums.but_holes().check(targets)?;
        // What has data has room: its contents need not be read.
        if !holes {
            return Ok(());
        }
        let reserved = self.reserve_for(targets, before);
        if reserved.is_err() {
            targets.give_back();
        }
        reserved
    }

    /// Makes sure of room for what is not there yet.
    fn reserve_for(&self, targets: &mut Targets<'_, '_>, before: bool) -> Result<()> {
        for phase in WRITTEN {
            self.walk(phase, &mut |_, region, record| {
                let content = if before {
                    &record.before
                } else {
                    &record.after
                };
                let size = targets.get(region.target).size();
                let end = record.at.checked_add(Bytes::of_len(content.len()));
                if end.is_none_or(|end| end.from_start() > size) {
                    return Ok(());
                }
                targets.reserve_for(region.target, record.at, content)
            })?;
        }
        Ok(())
    }

    fn put_back(
        &self,
        targets: &mut [&mut dyn WriteAt],
        check: &UndoCheck,
        force: bool,
    ) -> Result<Undone> {
        let leave = if force { Leave::Holes } else { Leave::Same };
        let mut targets = Targets::new(targets);
        let back = self.doing() != Doing::Undoing;
        self.reserve(&mut targets, back)
            .map_err(|error| EditError::untouched(error).at(targets.failed()))?;
        let done = match self.doing() {
            Doing::Change | Doing::Redoing => restore(self, &mut targets, &Reach::All, leave),
            Doing::Undoing => Forward {
                undo: self,
                targets: &mut targets,
                leave,
                touched: Touched::default(),
            }
            .run(),
        };
        if let Err(cause) = done {
            let (written, at) = (targets.is_written(), targets.failed());
            // A file that cannot be made longer again stays as the change left it.
            if back && check.state == UndoState::Applied && self.is_still_cut(&targets) {
                let _ = stop(self, &mut targets);
            }
            let readers = targets.readers();
            let as_before = self.check_all(&readers).is_ok_and(|now| now == *check);
            let whole = check.state != UndoState::Interrupted && !written;
            let state = if as_before && (whole || check.state == UndoState::Applied) {
                TargetState::Untouched
            } else {
                TargetState::NeedsUndo
            };
            return Err(EditError {
                state,
                at,
                cause: Box::new(cause),
                rollback: None,
            }
            .into());
        }
        let sum = |sum: Bytes, one: &Region| sum.checked_add(one.written).unwrap_or(sum);
        let bytes = self.regions().fold(Bytes::ZERO, sum);
        Ok(Undone::Restored { bytes })
    }

    /// Whether every target that the change cut off is as short as that left it.
    fn is_still_cut(&self, targets: &Targets<'_, '_>) -> bool {
        let mut cuts = self
            .regions()
            .filter(|one| one.phase == Phase::Cut)
            .peekable();
        let some = cuts.peek().is_some();
        some && cuts.all(|one| targets.get(one.target).size() == one.range.start.from_start())
    }

    /// What undoing comes to, without changing anything: each stretch that would be written is shown.
    ///
    /// # Errors
    ///
    /// What reading the targets answers; as [`Self::check_all`].
    pub fn preview_undo(
        &self,
        targets: &[&dyn ReadAt],
        show: &mut dyn FnMut(&Change<'_>),
    ) -> Result<Summary> {
        check::lengths(self, targets)?;
        let identity = self.identity_of_undoing(targets, self.identity().clone());
        let mut sink = std::io::sink();
        let doing = self.doing().undone();
        let mut draft = Draft::begin_as(doing, targets, &identity, &mut sink, Some(show))?;
        draft.reverse(self)?;
        draft.finish()
    }

    /// Writes down in `store` what undoing overwrites; the targets stay as they are, and the undo file gets its name in
    /// [`PreparedUndo::apply_all`]. What `identity` says of sizes does not count.
    ///
    /// # Errors
    ///
    /// [`EditError`], untouched, with what reading the targets or the store answers; as [`Self::check_all`].
    pub fn prepare_undo<S: Store>(
        &self,
        targets: &[&dyn ReadAt],
        identity: Identity,
        mut store: S,
    ) -> Result<PreparedUndo<'_, R, S>> {
        let drafted = check::lengths(self, targets).and_then(|_| {
            let identity = self.identity_of_undoing(targets, identity);
            let doing = self.doing().undone();
            let mut draft = Draft::begin_as(doing, targets, &identity, &mut store, None)?;
            draft.reverse(self)?;
            draft.finish()
        });
        Ok(PreparedUndo {
            undo: self,
            summary: drafted.map_err(EditError::untouched)?,
            store,
        })
    }

    /// `identity` with the sizes that the targets have before what is undone is taken for done.
    fn identity_of_undoing(&self, targets: &[&dyn ReadAt], mut identity: Identity) -> Identity {
        let known = &self.identity().targets;
        let sizes = known
            .iter()
            .zip(targets)
            .map(|(known, target)| match self.doing() {
                Doing::Change | Doing::Redoing => known.size,
                Doing::Undoing => target.size(),
            });
        for (target, size) in identity.targets.iter_mut().zip(sizes) {
            target.size = size;
        }
        identity
    }
}

/// An undoing that is drafted and written down, and not begun. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct PreparedUndo<'u, R, S> {
    undo: &'u UndoFile<R>,
    store: S,
    summary: Summary,
}

impl<R: ReadAt, S: Store> PreparedUndo<'_, R, S> {
    /// What it comes to.
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Makes the undo file, then puts back what was there before the change, syncs it and reads it back: [`UndoFile::undo_all`], which the
    /// undo file that is given back takes back.
    ///
    /// # Errors
    ///
    /// As [`UndoFile::undo_all`]; [`EditRefusal::Changed`] where a target changed since this was prepared. Where the targets are left half
    /// changed, the same is to be undone again.
    pub fn apply_all(
        self,
        targets: &mut [&mut dyn WriteAt],
        force: bool,
    ) -> Result<(Undone, Option<UndoFile<S::Sealed>>)> {
        let undo = self.undo;
        let check = undo.allowed(targets, force).map_err(EditError::untouched)?;
        if self.summary.is_nothing() || check.state == UndoState::NothingToDo && !force {
            return Ok((Undone::Nothing, None));
        }
        let mut planned = Comparison::with_plan_beyond_the_end();
        let in_undo_file = |error| EditError::untouched(error).at(Some(StoppedAt::UndoFile));
        let file = self.store.seal().map_err(in_undo_file)?;
        let now_is_before = undo.doing() == Doing::Undoing;
        let mut stopped = None;
        let kept = UndoFile::open_showing(file, &mut |region, frame| {
            let (number, count) = (region.target, targets.len());
            let target = number;
            let missing = EditRefusal::NoSuchTarget { target, count };
            let target = &**targets.get(number).ok_or(missing)?;
            let answer = match frame {
                Frame::Record(record) if now_is_before => {
                    planned.expect(target, record.at, &record.before)
                }
                Frame::Record(record) => planned.expect(target, record.at, &record.after),
                Frame::Same(same) => expect_same(target, &same),
            };
            stopped = answer.is_err().then_some(StoppedAt::Target(number));
            answer
        });
        let kept = kept.map_err(|error| EditError::untouched(error).at(stopped))?;
        let undone = undo.put_back(targets, &check, force)?;
        Ok((undone, Some(kept)))
    }
}
