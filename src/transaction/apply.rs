//! Writing a plan to its target, in the order that leaves no mixture behind.

use std::borrow::Cow;

use super::compare::{Comparison, SECTOR};
use super::outline::Phase;
use super::restore::{Reach, restore};
use super::superblock::unattachable;
use super::undo_file::{UndoFile, block_of};
use crate::error::{EditError, EditRefusal, Error, Result, TargetState};
use crate::image::{ReadAt, WriteAt};
use crate::units::ImagePos;

/// Writes what `undo` holds to the target that was found to be as it says, or puts everything back.
pub(super) fn apply<R: ReadAt>(undo: &UndoFile<R>, target: &mut dyn WriteAt) -> Result<()> {
    let mut writer = Applying {
        undo,
        target,
        touched: None,
    };
    let Err(cause) = writer.run() else {
        return Ok(());
    };
    let Some(touched) = writer.touched else {
        return Err(EditError::untouched(cause).into());
    };
    let rollback = restore(undo, target, touched).err();
    let state = if rollback.is_some() {
        TargetState::NeedsUndo
    } else {
        TargetState::Undone
    };
    Err(Error::Edit(EditError {
        state,
        cause: Box::new(cause),
        rollback: rollback.map(Box::new),
    }))
}

struct Applying<'a, R> {
    undo: &'a UndoFile<R>,
    target: &'a mut dyn WriteAt,
    /// What may have been changed, or changed in part.
    touched: Option<Reach>,
}

impl<R: ReadAt> Applying<'_, R> {
    fn run(&mut self) -> Result<()> {
        self.phase(Phase::Retire, first_sector)?;
        self.phase(Phase::Body, whole)?;
        // Without the magic; and when that is durable, the one sector that has it.
        self.phase(Phase::Commit, bare)?;
        self.commit()?;
        self.phase(Phase::Cleanup, whole)?;
        self.cut()?;
        self.read_back()
    }

    /// Writes the part of what is to be there that `part` takes, for every record of a phase, and syncs it.
    fn phase(&mut self, phase: Phase, part: fn(&[u8]) -> Cow<'_, [u8]>) -> Result<()> {
        if !self.undo.has(phase) {
            return Ok(());
        }
        let mut planned = Comparison::with_plan();
        let undo = self.undo;
        undo.walk(phase, &mut |number, _, record| {
            let expected = if phase > Phase::Retire {
                undo.retired().overlay(record.at, &record.before)
            } else {
                Cow::Borrowed(&*record.before)
            };
            planned.expect(&*self.target, record.at, &expected)?;
            self.put(number, record.at, &part(&record.after))
        })?;
        self.target.sync()
    }

    /// Gives the new superblocks their magic.
    fn commit(&mut self) -> Result<()> {
        if !self.undo.has(Phase::Commit) {
            return Ok(());
        }
        let mut written = Comparison::with_what_was_written();
        let undo = self.undo;
        undo.walk(Phase::Commit, &mut |number, _, record| {
            written.expect(&*self.target, record.at, &bare(&record.after))?;
            self.put(number, record.at, &first_sector(&record.after))
        })?;
        self.target.sync()
    }

    /// Cuts the target off.
    fn cut(&mut self) -> Result<()> {
        let undo = self.undo;
        let Some(end) = undo.cut() else {
            return Ok(());
        };
        let mut planned = Comparison::with_plan();
        undo.walk(Phase::Cut, &mut |_, _, record| {
            let expected = undo.retired().overlay(record.at, &record.before);
            planned.expect(&*self.target, record.at, &expected)
        })?;
        self.touched = Some(Reach::All);
        self.target.resize(end.from_start())?;
        self.target.sync()
    }

    /// Compares all of it with what was to be written.
    fn read_back(&self) -> Result<()> {
        let found = self.target.size();
        if let Some(end) = self.undo.cut()
            && end.from_start() != found
        {
            let expected = end.from_start();
            return Err(EditRefusal::TargetSize { found, expected }.into());
        }
        let mut written = Comparison::with_what_was_written();
        for (at, block) in self.undo.retired().iter() {
            written.expect(&*self.target, at, &block.last)?;
        }
        for phase in [Phase::Body, Phase::Commit, Phase::Cleanup] {
            self.undo.walk(phase, &mut |_, _, record| {
                written.expect(&*self.target, record.at, &record.after)
            })?;
        }
        Ok(())
    }

    fn put(&mut self, number: u64, at: ImagePos, bytes: &[u8]) -> Result<()> {
        // Before the attempt: a write that fails may have written a part.
        let more = Reach::Records(number.saturating_add(1));
        self.touched = self.touched.max(Some(more));
        self.target.write_all_at(at, bytes)
    }
}

/// All of a content.
pub(super) const fn whole(content: &[u8]) -> Cow<'_, [u8]> {
    Cow::Borrowed(content)
}

/// The sector that has the magic.
pub(super) fn first_sector(block: &[u8]) -> Cow<'_, [u8]> {
    Cow::Borrowed(block.get(..SECTOR).unwrap_or(block))
}

/// A superblock without its magic.
fn bare(block: &[u8]) -> Cow<'_, [u8]> {
    Cow::Owned(unattachable(&block_of(block)).to_vec())
}
