//! Putting back what was there before: [`super::apply`] backwards, step by step.

use std::borrow::Cow;

use super::apply::{first_sector, whole};
use super::compare::Comparison;
use super::outline::Phase;
use super::undo_file::UndoFile;
use crate::error::Result;
use crate::image::{ReadAt, WriteAt};

/// How much of a change is put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    /// As many records, from the first: what a change that stopped may have written.
    Records(u64),
    /// All of it, and the length.
    All,
}

impl Reach {
    fn includes(self, number: u64) -> bool {
        match self {
            Self::All => true,
            Self::Records(count) => number < count,
        }
    }
}

/// Writes what was there before, durable step by durable step, and reads it back.
///
/// Nothing is left out because it looks as it should already: what a failed sync left in memory need not be on the disk.
pub(super) fn restore<R: ReadAt>(
    undo: &UndoFile<R>,
    target: &mut dyn WriteAt,
    reach: Reach,
) -> Result<()> {
    let mut restoring = Restoring {
        undo,
        target,
        reach,
    };
    // After each step the target is as a change leaves it that was stopped there: its own steps, the last first.
    restoring.lengthen()?;
    restoring.step(&[Phase::Cleanup, Phase::Cut], whole)?;
    // The new superblocks before the old ones' places: one of those may be part of the new bitmap by now.
    restoring.step(&[Phase::Commit], first_sector)?;
    restoring.step(&[Phase::Retire], first_sector)?;
    restoring.step(&[Phase::Body, Phase::Commit], whole)?;
    restoring.superblocks()?;
    restoring.read_back()
}

struct Restoring<'a, R> {
    undo: &'a UndoFile<R>,
    target: &'a mut dyn WriteAt,
    reach: Reach,
}

impl<R: ReadAt> Restoring<'_, R> {
    /// Gives back the length that a cut took, as a hole.
    fn lengthen(&mut self) -> Result<()> {
        if self.undo.cut().is_none() || self.reach != Reach::All {
            return Ok(());
        }
        self.target.resize(self.undo.identity().size)?;
        self.target.sync()
    }

    /// Writes a part of what was there when the superblocks were retired, and syncs it.
    fn step(&mut self, phases: &[Phase], part: fn(&[u8]) -> Cow<'_, [u8]>) -> Result<()> {
        let undo = self.undo;
        let mut written = false;
        for phase in phases {
            undo.walk(*phase, &mut |number, _, record| {
                if !self.reach.includes(number) {
                    return Ok(());
                }
                let bytes = undo.retired().overlay(record.at, &record.before);
                written = true;
                self.target.write_all_at(record.at, &part(&bytes))
            })?;
        }
        if written { self.target.sync() } else { Ok(()) }
    }

    /// Gives the old superblocks their magic back.
    fn superblocks(&mut self) -> Result<()> {
        let mut written = false;
        self.undo.walk(Phase::Retire, &mut |number, _, record| {
            if !self.reach.includes(number) {
                return Ok(());
            }
            written = true;
            self.target
                .write_all_at(record.at, &first_sector(&record.before))
        })?;
        if written { self.target.sync() } else { Ok(()) }
    }

    fn read_back(&self) -> Result<()> {
        let mut written = Comparison::with_what_was_written();
        for phase in Phase::ALL {
            self.undo.walk(phase, &mut |number, _, record| {
                if !self.reach.includes(number) {
                    return Ok(());
                }
                written.expect(&*self.target, record.at, &record.before)
            })?;
        }
        Ok(())
    }
}
