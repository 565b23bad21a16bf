//! Putting back what was there before: [`super::apply`] backwards, step by step.

use super::apply::{expect_written, first_sector};
use super::outline::Phase;
use super::undo_file::UndoFile;
use crate::error::Result;
use crate::image::{ReadAt, WriteAt};
use crate::units::ImagePos;

/// How much of a change is put back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reach {
    /// All of it.
    All,
    /// As many records, from the first: what a change that stopped may have written.
    Records(u64),
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
    restoring.step(&[Phase::Cleanup], <[u8]>::to_vec)?;
    // The new superblocks before the old ones' places: one of those may be part of the new bitmap by now.
    restoring.step(&[Phase::Commit], first_sector)?;
    restoring.step(&[Phase::Retire], first_sector)?;
    restoring.step(&[Phase::Body, Phase::Commit], <[u8]>::to_vec)?;
    restoring.superblocks()?;
    restoring.read_back()
}

struct Restoring<'a, R> {
    undo: &'a UndoFile<R>,
    target: &'a mut dyn WriteAt,
    reach: Reach,
}

impl<R: ReadAt> Restoring<'_, R> {
    /// Writes a part of what was there when the superblocks were retired, and syncs it.
    fn step(&mut self, phases: &[Phase], part: impl Fn(&[u8]) -> Vec<u8>) -> Result<()> {
        let undo = self.undo;
        let mut written = false;
        for phase in phases {
            undo.walk(*phase, &mut |number, _, record| {
                if !self.reach.includes(number) {
                    return Ok(());
                }
                let mut bytes = record.before.clone();
                undo.retired().overlay(record.at, &mut bytes);
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
        let mut buffer = Vec::new();
        for phase in Phase::ALL {
            self.undo.walk(phase, &mut |number, _, record| {
                if !self.reach.includes(number) {
                    return Ok(());
                }
                let at: ImagePos = record.at;
                expect_written(&*self.target, at, &record.before, &mut buffer)
            })?;
        }
        Ok(())
    }
}
