//! The one way in which anything of ours writes to a target: drafted first, written down, then done in an order that survives a power cut.
//!
//! ```text
//! draft     what is there is read, what is to be there is put beside it     nothing of the targets changes
//! seal      the journal gets its trailer, is synced, and gets its name      it is the undo file from now on
//! Retire    superblocks get a mark for their magic where DRBD looks for     sync after the one that DRBD would attach, and after the
//!           one; a marked one is put where there is to be one               others, and after the new ones
//! Body      bitmap, activity log                                            sync
//! Commit    new superblocks, still marked                                   sync
//! Cleanup   old copies elsewhere lose their magic                           sync
//! Cut       a file loses its end                                            sync
//! Finish    what stays retired beside a new superblock is marked as such    sync
//! Commit    the sectors that have the new superblocks' magic                sync after each
//! Finish    what stays retired on the other targets is marked as such       sync
//!           all of it is read back
//! ```
//!
//! A change may be of several targets: each step is done on all of them before the next. So a resource whose metadata moves from a disk to
//! a meta device has its new superblock there when the old one is out of use, and both have one undo file.
//!
//! Wherever that is cut off, the targets hold what they held before, or all that was drafted, or no superblock that DRBD would attach, a
//! [mark](crate::format::superblock::Mark) that says so, and an undo file that puts back what was there: never a mixture that DRBD attaches.
//! Undoing goes the same way backwards, and may be cut off and begun again as often as one likes.
//!
//! Because all that is to be written is in the journal before the first write, what a draft reads and what it writes may overlap: metadata
//! can be moved by less than its own length within one disk.
//!
//! # What is taken for granted
//!
//! - A sector of 512 bytes is written as a whole or not at all. DRBD's superblock has no checksum, and its magic lies in its first sector:
//!   so a superblock is written without it first, and that one sector last.
//! - What was synced stays. What was not may be lost, may be half there, and may have got there in any order.
//! - Nobody else writes: [`crate::image::WritableFile`] keeps other writers of ours out, and DRBD from a block device. Each stretch is
//!   compared with what the draft found before it is overwritten.
//!
//! # Example
//!
//! ```
//! use mdtool::transaction::{self, Identity, TargetIdentity};
//! use mdtool::image::MemImage;
//! use mdtool::units::{Bytes, ImagePos};
//!
//! let size = Bytes::new(1 << 20);
//! let mut target = MemImage::new(size);
//! let of = TargetIdentity { path: "disk".into(), block_device: false, size };
//! // Instead of a vector: `NewFile::create(path)`.
//! let prepared = transaction::prepare(&target, &Identity::one(of, "example"), Vec::new(), |draft| {
//!     let mut bitmap = draft.body("bitmap", ImagePos::new(8192)..ImagePos::new(65536))?;
//!     bitmap.fill(0xFF, Bytes::new(8192))
//! })?;
//! assert_eq!(prepared.summary().written(), Bytes::new(8192));
//! let undo = prepared.apply(&mut target)?.expect("something changed");
//! undo.undo(&mut target, false)?;
//! # Ok::<(), mdtool::error::Error>(())
//! ```

mod apply;
mod check;
mod checksum;
mod compare;
mod draft;
mod format;
mod journal;
mod outline;
mod reader;
mod restore;
mod superblock;
mod targets;
mod undo_file;
mod undoing;

pub use check::{UndoCheck, UndoState};
pub use draft::{Area, Change, Draft, Summary};
pub use format::Doing;
pub use journal::{Identity, Store, TargetIdentity};
pub use outline::{Phase, Region};
pub use superblock::{Block, is_attachable, unattachable};
pub use undo_file::UndoFile;
pub use undoing::{PreparedUndo, Undone};

use std::path::PathBuf;

use crate::error::{EditError, EditRefusal, Result, StoppedAt};
use crate::image::{ReadAt, WriteAt};
use crate::units::Bytes;
use compare::Comparison;
use targets::Targets;
use undo_file::Frame;

/// What a draft comes to, without an undo file and without changing anything: each change is shown as it is drafted.
///
/// # Errors
///
/// What the draft answers.
pub fn preview(
    target: &dyn ReadAt,
    show: &mut dyn FnMut(&Change<'_>),
    draft: impl FnOnce(&mut Draft<'_>) -> Result<()>,
) -> Result<Summary> {
    preview_all(&[target], show, draft)
}

/// [`preview`] of a change of several targets.
///
/// # Errors
///
/// What the draft answers.
pub fn preview_all(
    targets: &[&dyn ReadAt],
    show: &mut dyn FnMut(&Change<'_>),
    draft: impl FnOnce(&mut Draft<'_>) -> Result<()>,
) -> Result<Summary> {
    let nameless = |target: &&dyn ReadAt| TargetIdentity {
        path: PathBuf::new(),
        block_device: false,
        size: target.size(),
    };
    let nowhere = Identity {
        command: String::new(),
        targets: targets.iter().map(nameless).collect(),
    };
    let mut sink = std::io::sink();
    let mut drafting = Draft::begin(targets, &nowhere, &mut sink, Some(show))?;
    draft(&mut drafting)?;
    drafting.finish()
}

/// Drafts a change and writes it down in `store`; the target stays as it is, and the undo file gets its name in [`Prepared::apply`].
///
/// # Errors
///
/// [`EditError`], untouched, with what the draft or the store answers.
pub fn prepare<S: Store>(
    target: &dyn ReadAt,
    identity: &Identity,
    store: S,
    draft: impl FnOnce(&mut Draft<'_>) -> Result<()>,
) -> Result<Prepared<S>> {
    prepare_all(&[target], identity, store, draft)
}

/// [`prepare`] for a change of several targets, as many and in the order that `identity` has.
///
/// # Errors
///
/// As [`prepare`].
pub fn prepare_all<S: Store>(
    targets: &[&dyn ReadAt],
    identity: &Identity,
    store: S,
    draft: impl FnOnce(&mut Draft<'_>) -> Result<()>,
) -> Result<Prepared<S>> {
    prepare_all_showing(targets, identity, store, &mut |_| {}, draft)
}

/// [`prepare_all`], and each change is shown as it is drafted.
///
/// # Errors
///
/// As [`prepare`].
pub fn prepare_all_showing<S: Store>(
    targets: &[&dyn ReadAt],
    identity: &Identity,
    mut store: S,
    show: &mut dyn FnMut(&Change<'_>),
    draft: impl FnOnce(&mut Draft<'_>) -> Result<()>,
) -> Result<Prepared<S>> {
    let begun = Draft::begin(targets, identity, &mut store, Some(show));
    let drafted = begun.and_then(|mut drafting| {
        draft(&mut drafting)?;
        drafting.finish()
    });
    let summary = drafted.map_err(EditError::untouched)?;
    Ok(Prepared {
        store,
        summary,
        sizes: identity.sizes(),
    })
}

/// A change that is drafted and written down, and not begun. Dropped, it leaves nothing behind.
#[derive(Debug)]
pub struct Prepared<S> {
    store: S,
    summary: Summary,
    /// The targets', when it was drafted.
    sizes: Vec<Bytes>,
}

impl<S: Store> Prepared<S> {
    /// What it comes to.
    pub const fn summary(&self) -> &Summary {
        &self.summary
    }

    /// Makes the undo file, then writes the change to `target`, syncs it and reads it back.
    ///
    /// `None` where [`Summary::is_nothing`]: then nothing is written, and there is no undo file.
    ///
    /// # Errors
    ///
    /// [`EditError`]: its [`TargetState`](crate::error::TargetState) says how the target was left.
    pub fn apply(self, target: &mut dyn WriteAt) -> Result<Option<UndoFile<S::Sealed>>> {
        self.apply_all(&mut [target])
    }

    /// [`Self::apply`] for several targets, in the order in which they were drafted.
    ///
    /// # Errors
    ///
    /// As [`Self::apply`].
    pub fn apply_all(
        self,
        targets: &mut [&mut dyn WriteAt],
    ) -> Result<Option<UndoFile<S::Sealed>>> {
        if self.summary.is_nothing() {
            return Ok(None);
        }
        self.check_sizes(targets).map_err(EditError::untouched)?;
        let mut targets = Targets::new(targets);
        // All that is to change, and all that stays beside it, is still as it was drafted, or nothing is written at all.
        let mut planned = Comparison::with_plan();
        let in_undo_file = |error| EditError::untouched(error).at(Some(StoppedAt::UndoFile));
        let file = self.store.seal().map_err(in_undo_file)?;
        let undo = UndoFile::open_showing(file, &mut |region, frame| match frame {
            Frame::Record(record) => {
                targets.expect(&mut planned, region.target, record.at, &record.before)
            }
            Frame::Same(same) => targets.expect_same(region.target, &same),
        });
        let undo = undo.map_err(|error| EditError::untouched(error).at(targets.failed()))?;
        apply::apply(&undo, &mut targets)?;
        Ok(Some(undo))
    }

    fn check_sizes(&self, targets: &[&mut dyn WriteAt]) -> Result<()> {
        let (found, expected) = (targets.len(), self.sizes.len());
        if found != expected {
            return Err(EditRefusal::Targets { found, expected }.into());
        }
        for (target, expected) in targets.iter().zip(&self.sizes) {
            let (found, expected) = (target.size(), *expected);
            if found != expected {
                return Err(EditRefusal::TargetSize { found, expected }.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
