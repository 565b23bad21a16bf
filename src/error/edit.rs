//! What can go wrong while a target is changed, or its change undone.

use std::fmt;

use super::Error;
use crate::units::{Bytes, ImagePos};

/// How a target was left by a change that did not come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetState {
    /// Not a byte was written.
    Untouched,
    /// What was written is put back, synced, and was read back.
    Undone,
    /// Part of it is written: undoing by the undo file puts everything back.
    NeedsUndo,
}

/// What a change stopped at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoppedAt {
    /// The target of this number.
    Target(usize),
    /// The undo file, before anything was written.
    UndoFile,
}

/// A change of a target, or its undoing, that did not come to its end: how that left the target, and why as the source.
#[derive(Debug)]
#[non_exhaustive]
pub struct EditError {
    /// How the target was left.
    pub state: TargetState,
    /// What it stopped at, where that is known.
    pub at: Option<StoppedAt>,
    /// Why.
    pub cause: Box<Error>,
    /// Why what was written could not be put back at once, where that was tried.
    pub rollback: Option<Box<Error>>,
}

impl EditError {
    /// Nothing was written when `cause` came.
    #[must_use]
    pub fn untouched(cause: Error) -> Self {
        Self {
            state: TargetState::Untouched,
            at: None,
            cause: Box::new(cause),
            rollback: None,
        }
    }

    /// The same, with what it stopped at.
    #[must_use]
    pub fn at(mut self, at: Option<StoppedAt>) -> Self {
        self.at = at;
        self
    }
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            TargetState::Untouched => "nothing was changed",
            TargetState::Undone => "what was changed is put back",
            TargetState::NeedsUndo => "half changed, expected to be undone by the undo file",
        })?;
        let Some(rollback) = &self.rollback else {
            return Ok(());
        };
        write!(f, " (putting it back at once: {rollback}")?;
        let mut source = std::error::Error::source(&**rollback);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        f.write_str(")")
    }
}

impl std::error::Error for EditError {
    // Not derived: the cause is to be found as an `Error`, not as a box of one.
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&*self.cause)
    }
}

/// A change that would break a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EditRefusal {
    /// A change that does not begin and end with a sector, of which alone a power failure leaves the old or the new.
    #[error("change of {length} at {at}: expected whole sectors of 512 bytes")]
    Unaligned {
        /// Where it begins.
        at: ImagePos,
        /// How long it is.
        length: Bytes,
    },
    /// A change that leaves the target, or the part of it announced.
    #[error("change of {length} at {at}: expected to end by {end}")]
    Outside {
        /// Where it begins.
        at: ImagePos,
        /// How long it is.
        length: Bytes,
        /// Where it may end.
        end: ImagePos,
    },
    /// Two changes of the same bytes.
    #[error("change at {at}: is announced twice, expected once")]
    Overlap {
        /// Where the second begins.
        at: ImagePos,
    },
    /// A change announced after those of a later phase.
    #[error("change at {at}: belongs to a phase that is over, expected the phases in their order")]
    PhaseOver {
        /// Where it begins.
        at: ImagePos,
    },
    /// More places than any resource has.
    #[error("change at {at}: is the {limit}th, expected fewer")]
    TooMany {
        /// Where it begins.
        at: ImagePos,
        /// How many there may be.
        limit: usize,
    },
    /// A draft that turns to a target that it has not got.
    #[error("target {target} of the change: expected one of {count}")]
    NoSuchTarget {
        /// Its number.
        target: usize,
        /// How many there are.
        count: usize,
    },
    /// Another number of targets than the change or its undo file has.
    #[error("{found} targets, expected {expected}")]
    Targets {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// A superblock to be written over one that DRBD would attach while its bitmap is written.
    #[error(
        "superblock at {at}: is attachable, expected to be retired before another takes its place"
    )]
    NotRetired {
        /// Where.
        at: ImagePos,
    },
    /// The target was written to since the change was planned.
    #[error(
        "{length} at {at}: are not what they were when the change was planned, expected no other writer"
    )]
    Changed {
        /// The first sector that differs.
        at: ImagePos,
        /// How much was compared from there.
        length: Bytes,
    },
    /// The target became longer or shorter since the change was planned.
    #[error(
        "the size is {found} by now, and was {expected} when the change was planned, expected no other writer"
    )]
    Resized {
        /// Its size now.
        found: Bytes,
        /// Its size then.
        expected: Bytes,
    },
    /// The target's name leads elsewhere than when the change was planned.
    #[error(
        "the name does not lead to what was looked at any more: that was replaced, moved away or removed since the change was planned"
    )]
    Replaced,
    /// What was written reads back as something else.
    #[error("{length} at {at}: read back differently than written")]
    ReadBack {
        /// The first sector that differs.
        at: ImagePos,
        /// How much was compared from there.
        length: Bytes,
    },
    /// The target has another size than the one the undo file is for.
    #[error("target: size is {found}, expected {expected}")]
    TargetSize {
        /// Its size.
        found: Bytes,
        /// What the undo file says.
        expected: Bytes,
    },
    /// The target is a block device where the undo file is for a file, or the other way round.
    #[error("target: is {}, expected {}", kind(*found), kind(!*found))]
    TargetKind {
        /// Whether it is a block device.
        found: bool,
    },
    /// Nothing that the undo file describes is there.
    #[error(
        "target: holds nothing of what the undo file describes, expected the disk it was made for"
    )]
    OtherTarget,
    /// The target went on after the change.
    #[error(
        "{places} were written since, the first at {first}: expected what the change left there"
    )]
    ChangedSince {
        /// The first such place.
        first: ImagePos,
        /// How many there are.
        places: Places,
    },
}

/// `a regular file`, or `a block device`.
const fn kind(block_device: bool) -> &'static str {
    if block_device {
        "a block device"
    } else {
        "a regular file"
    }
}

/// A number of places, for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places(pub u64);

impl fmt::Display for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            1 => f.write_str("1 place"),
            count => write!(f, "{count} places"),
        }
    }
}

/// Not an undo file, or a damaged one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("undo file at {at}: {fault}")]
#[non_exhaustive]
pub struct UndoFileError {
    /// Where in the undo file.
    pub at: ImagePos,
    /// What is wrong there.
    pub fault: UndoFault,
}

/// What is wrong with an undo file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UndoFault {
    /// It does not begin as one.
    #[error("magic is something else, expected \"mdtool undo file\"")]
    Magic,
    /// Of another version.
    #[error("version is {found}, expected 1 or 2")]
    Version {
        /// What it says.
        found: u32,
    },
    /// It ends too early.
    #[error("ends here, expected {missing} more")]
    Truncated {
        /// How much is missing at least.
        missing: Bytes,
    },
    /// It goes on after its end.
    #[error("goes on for {found}, expected to end here")]
    Trailing {
        /// How much follows.
        found: Bytes,
    },
    /// A checksum that does not hold.
    #[error("checksum is 0x{found:08X}, expected 0x{expected:08X}")]
    Checksum {
        /// What the bytes have.
        found: u32,
        /// What the file says.
        expected: u32,
    },
    /// A frame of no kind that belongs there.
    #[error("tag is 0x{found:08X}, expected that of a region, a record or the trailer")]
    Tag {
        /// What is there.
        found: u32,
    },
    /// A field outside what it may be.
    #[error("{field} is {found}, expected {expected}")]
    Field {
        /// Which.
        field: &'static str,
        /// What it says.
        found: u64,
        /// What it may be.
        expected: &'static str,
    },
    /// A text that is not UTF-8.
    #[error("text is not UTF-8")]
    Text,
    /// Changes that no plan has.
    #[error("{0}")]
    Plan(EditRefusal),
}

impl From<EditRefusal> for Error {
    fn from(refusal: EditRefusal) -> Self {
        super::Refused::Edit(refusal).into()
    }
}
