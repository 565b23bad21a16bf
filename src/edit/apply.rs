//! Writing a plan to its target, in the order that leaves no mixture behind.

use super::outline::Phase;
use super::restore::{Reach, restore};
use super::superblock::unattachable;
use super::undo_file::{UndoFile, block_of};
use crate::error::{EditError, EditRefusal, Error, Result, TargetState};
use crate::image::{ReadAt, WriteAt};
use crate::units::{Bytes, ImagePos, SECTOR_SIZE};

/// Bytes that a power failure leaves old or new, never half.
pub(super) const SECTOR: usize = 512;

/// Writes what `undo` holds, or puts everything back.
pub(super) fn apply<R: ReadAt>(undo: &UndoFile<R>, target: &mut dyn WriteAt) -> Result<()> {
    check_size(undo, target)
        .and_then(|()| verify_untouched(undo, target))
        .map_err(EditError::untouched)?;
    let mut writer = Applying {
        undo,
        target,
        touched: 0,
    };
    let Err(cause) = writer.run() else {
        return Ok(());
    };
    if writer.touched == 0 {
        return Err(EditError::untouched(cause).into());
    }
    let reach = Reach::Records(writer.touched);
    let rollback = restore(undo, target, reach).err();
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

/// Whether the target has the size that the undo file was made for.
pub(super) fn check_size<R: ReadAt>(undo: &UndoFile<R>, target: &dyn ReadAt) -> Result<()> {
    let (found, expected) = (target.size(), undo.identity().size);
    if found == expected {
        return Ok(());
    }
    Err(EditRefusal::TargetSize { found, expected }.into())
}

/// Whether everything that is to change is as it was when the plan was made.
fn verify_untouched<R: ReadAt>(undo: &UndoFile<R>, target: &dyn ReadAt) -> Result<()> {
    let mut buffer = Vec::new();
    for phase in Phase::ALL {
        undo.walk(phase, &mut |_, _, record| {
            expect_changed(target, record.at, &record.before, &mut buffer)
        })?;
    }
    Ok(())
}

struct Applying<'a, R> {
    undo: &'a UndoFile<R>,
    target: &'a mut dyn WriteAt,
    /// How many records, from the first, may have been written in part.
    touched: u64,
}

impl<R: ReadAt> Applying<'_, R> {
    fn run(&mut self) -> Result<()> {
        self.phase(Phase::Retire, first_sector)?;
        self.phase(Phase::Body, <[u8]>::to_vec)?;
        // Without the magic; and when that is durable, the one sector that has it.
        self.phase(Phase::Commit, bare)?;
        self.commit()?;
        self.phase(Phase::Cleanup, <[u8]>::to_vec)?;
        self.read_back()
    }

    /// Writes the part of what is to be there that `part` takes, for every record of a phase, and syncs it.
    fn phase(&mut self, phase: Phase, part: impl Fn(&[u8]) -> Vec<u8>) -> Result<()> {
        if !self.undo.has(phase) {
            return Ok(());
        }
        let mut buffer = Vec::new();
        let undo = self.undo;
        undo.walk(phase, &mut |number, _, record| {
            let mut expected = record.before.clone();
            if phase > Phase::Retire {
                undo.retired().overlay(record.at, &mut expected);
            }
            expect_changed(&*self.target, record.at, &expected, &mut buffer)?;
            self.put(number, record.at, &part(&record.after))
        })?;
        self.target.sync()
    }

    /// Gives the new superblocks their magic.
    fn commit(&mut self) -> Result<()> {
        if !self.undo.has(Phase::Commit) {
            return Ok(());
        }
        let mut buffer = Vec::new();
        let undo = self.undo;
        undo.walk(Phase::Commit, &mut |number, _, record| {
            expect_written(&*self.target, record.at, &bare(&record.after), &mut buffer)?;
            self.put(number, record.at, &first_sector(&record.after))
        })?;
        self.target.sync()
    }

    /// Compares all of it with what was to be written.
    fn read_back(&self) -> Result<()> {
        let mut buffer = Vec::new();
        for (at, block) in self.undo.retired().iter() {
            expect_written(&*self.target, at, &block.last, &mut buffer)?;
        }
        for phase in [Phase::Body, Phase::Commit, Phase::Cleanup] {
            self.undo.walk(phase, &mut |_, _, record| {
                expect_written(&*self.target, record.at, &record.after, &mut buffer)
            })?;
        }
        Ok(())
    }

    fn put(&mut self, number: u64, at: ImagePos, bytes: &[u8]) -> Result<()> {
        // Before the attempt: a write that fails may have written a part.
        self.touched = self.touched.max(number.saturating_add(1));
        self.target.write_all_at(at, bytes)
    }
}

/// The sector that has the magic.
pub(super) fn first_sector(block: &[u8]) -> Vec<u8> {
    block.get(..SECTOR).unwrap_or(block).to_vec()
}

/// A superblock without its magic.
fn bare(block: &[u8]) -> Vec<u8> {
    unattachable(&block_of(block)).to_vec()
}

/// The answer where something else is there than when the plan was made.
fn expect_changed(
    target: &dyn ReadAt,
    at: ImagePos,
    expected: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<()> {
    match differs(target, at, expected, buffer)? {
        None => Ok(()),
        Some((at, length)) => Err(EditRefusal::Changed { at, length }.into()),
    }
}

/// The answer where something else is there than was written.
pub(super) fn expect_written(
    target: &dyn ReadAt,
    at: ImagePos,
    expected: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<()> {
    match differs(target, at, expected, buffer)? {
        None => Ok(()),
        Some((at, length)) => Err(EditRefusal::ReadBack { at, length }.into()),
    }
}

/// The first sector of `target` from `at` on that is not as in `expected`.
fn differs(
    target: &dyn ReadAt,
    at: ImagePos,
    expected: &[u8],
    buffer: &mut Vec<u8>,
) -> Result<Option<(ImagePos, Bytes)>> {
    buffer.resize(expected.len(), 0);
    target.read_exact_at(at, buffer)?;
    if buffer == expected {
        return Ok(None);
    }
    let sectors = buffer.chunks(SECTOR).zip(expected.chunks(SECTOR));
    let mut first = at;
    for (_, _) in sectors.take_while(|(found, expected)| found == expected) {
        first = first.checked_add(SECTOR_SIZE).unwrap_or(first);
    }
    Ok(Some((first, SECTOR_SIZE)))
}
