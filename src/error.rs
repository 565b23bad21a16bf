//! What can go wrong, by whose fault it is.
//!
//! | kind | whose fault |
//! |---|---|
//! | [`Error::Io`] | the system refused |
//! | [`Error::Corrupt`] | the bytes break DRBD's rules |
//! | [`Error::Unsupported`] | valid, but not ours to handle |
//! | [`Error::Syntax`] | a dump does not parse |
//! | [`Error::Refused`] | we could, but it would break a promise |
//! | [`Error::UndoFile`] | the bytes are no undo file, or a damaged one |
//! | [`Error::Edit`] | any of these, while a target was to be changed: says how that left it |
//!
//! Messages read `PLACE: FIELD is FOUND, expected EXPECTED`, and carry no advice: the command line adds a `hint:` from the variant.
//! *Absent is not an error*: looking for metadata where there is none gives an empty answer.

mod edit;
mod io;
mod misfit;
mod syntax;

use std::fmt;

pub use edit::{EditError, EditRefusal, Places, StoppedAt, TargetState, UndoFault, UndoFileError};
pub use io::{IoError, IoOp};
pub use misfit::{Expected, Field, Misfit};
pub use syntax::{Cause, Found, Syntax, Wanted};

use crate::terms::{AlPlace, FileForm, Format, MdIndex};
use crate::units::{BitmapIndex, DevPos, ImagePos};

/// The library's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an operation could not go on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The system refused.
    #[error(transparent)]
    Io(#[from] IoError),
    /// The bytes break DRBD's rules.
    #[error(transparent)]
    Corrupt(#[from] Corrupt),
    /// Valid, but not ours to handle.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A dump does not parse.
    #[error(transparent)]
    Syntax(#[from] Box<Syntax>),
    /// We could, but it would break a promise.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The same, by a rule of an upper room, which owns the words: see [`Error::refusal`].
    #[error(transparent)]
    Refusal(Box<dyn std::error::Error + Send + Sync>),
    /// The bytes are no undo file, or a damaged one.
    #[error(transparent)]
    UndoFile(#[from] UndoFileError),
    /// A target was to be changed, and this is how it was left.
    #[error(transparent)]
    Edit(#[from] EditError),
}

/// A reason to refuse that an upper room owns.
pub trait Refusal: std::error::Error + Send + Sync + 'static {}

impl Error {
    /// The refusal of that kind, where this is one.
    #[must_use]
    pub fn refusal<R: Refusal>(&self) -> Option<&R> {
        let Self::Refusal(refusal) = self else {
            return None;
        };
        let refusal: &(dyn std::error::Error + 'static) = &**refusal;
        refusal.downcast_ref()
    }
}

impl<R: Refusal> From<R> for Error {
    fn from(refusal: R) -> Self {
        Self::Refusal(Box::new(refusal))
    }
}

/// The bytes break DRBD's rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Corrupt {
    /// No format's magic is where it should be.
    #[error(
        "superblock at {at}: magic is 0x{found:08X}, expected 0x8374026A (v07), 0x8374026B or 0x8374026C (v08), or 0x8374026D (v09)"
    )]
    Magic {
        /// The block's position.
        at: ImagePos,
        /// The word where v08 and v09 have their magic.
        found: u32,
    },
    /// A superblock's field contradicts the others or the device.
    #[error("superblock at {at} ({format}): {misfit}")]
    Superblock {
        /// The superblock's position.
        at: ImagePos,
        /// Its format, by its magic.
        format: Format,
        /// What contradicts what.
        misfit: Misfit,
    },
    /// A superblock is not where the placement asked for has one.
    #[error(
        "superblock at {at} ({format}): {index} metadata begins elsewhere, expected at {expected} of the device"
    )]
    Elsewhere {
        /// The superblock's position.
        at: ImagePos,
        /// Its format.
        format: Format,
        /// The placement asked for.
        index: MdIndex,
        /// Where that has its superblock.
        expected: DevPos,
    },
    /// External metadata in the midst of a device.
    #[error(
        "superblock at {at} ({format}): offsets are of external metadata, expected internal ones at this position"
    )]
    External {
        /// The superblock's position.
        at: ImagePos,
        /// Its format.
        format: Format,
    },
}

/// Valid, but not ours to handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// A dump for a drbd-utils that does not know the format.
    #[error(
        "drbd-utils {version} does not read {format} metadata dumps, expected {since} or newer"
    )]
    CompatFormat {
        /// The version asked for.
        version: UtilsVersion,
        /// The metadata's format.
        format: Format,
        /// The first version that reads it as we write it.
        since: UtilsVersion,
    },
    /// A dump for a drbd-utils that cannot express a field's value.
    #[error(
        "drbd-utils {version} knows only {field} {expected}, and this metadata has {found}; {since} or newer can"
    )]
    CompatField {
        /// The version asked for.
        version: UtilsVersion,
        /// The field.
        field: Field,
        /// Its value here.
        found: u32,
        /// The one value that version implies.
        expected: u32,
        /// The first version that can express it.
        since: UtilsVersion,
    },
    /// The file holds an image, or a dump, in another form.
    #[error("is {0}, expected a raw image")]
    FileForm(FileForm),
    /// An activity log of a size that DRBD does not have.
    #[error(
        "activity log: al_stripes is {stripes} and al_stripe_size_4k {stripe_size_4k}, expected 1 to 4194304 blocks in all"
    )]
    ActivityLogSize {
        /// `al_stripes`.
        stripes: u32,
        /// `al_stripe_size_4k`.
        stripe_size_4k: u32,
    },
    /// Reading a dump's bitmaps in another order than they stand there.
    #[error("bitmap[{}] is not ahead in the dump, expected bitmap[{next}] or a later one of {slots}", asked.get())]
    SlotOrder {
        /// The slot asked for.
        asked: BitmapIndex,
        /// The first that was not read yet.
        next: u32,
        /// How many there are.
        slots: u32,
    },
}

/// A version of drbd-utils (before 8.9.0, of DRBD itself).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct UtilsVersion {
    /// 8 or 9.
    pub major: u16,
    /// The second number.
    pub minor: u16,
    /// The third number; 0 where none is said.
    pub patch: u16,
}

impl fmt::Display for UtilsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// We could, but it would break a promise.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The activity log was not applied: the bitmap alone does not show what is out of sync.
    #[error(
        "superblock at {at} ({format}): metadata is unclean, expected the activity log to be applied"
    )]
    Unclean {
        /// The superblock's position.
        at: ImagePos,
        /// Its format.
        format: Format,
    },
    /// The activity log of a Primary does not show all that was being written to.
    #[error(
        "superblock at {at}: the activity log is incomplete, expected one that shows every extent that was being written to"
    )]
    LogIncomplete {
        /// The superblock's position.
        at: ImagePos,
    },
    /// Something has this name already.
    #[error("exists already, expected a new name")]
    Exists,
    /// A new file in the directory of the devices, which is in memory: nothing of it would be there after the next boot.
    #[error("there is no such device")]
    NoDevice,
    /// The activity log changed between two reads.
    #[error(
        "activity log: {place} changed while it was read, expected an image that nothing writes to"
    )]
    ActivityLogChanged {
        /// Which part of the log.
        place: AlPlace,
    },
    /// A dump that says of itself that it was made before the activity log was applied.
    #[error(
        "line {line}: the dump is unclean, expected one made after the activity log was applied"
    )]
    UncleanDump {
        /// The line that says so.
        line: u64,
    },
    /// Something that has no bytes at positions.
    #[error("is {found}, expected a regular file or a block device")]
    FileKind {
        /// What the path leads to.
        found: FileKind,
    },
    /// Something else than a file, where one is to be made that will be read again.
    #[error("is {found}, expected the name of a new file")]
    NotNew {
        /// What the path leads to.
        found: FileKind,
    },
    /// Metadata to be made, by a specification that contradicts itself or the device.
    #[error("level {level} of the image to build: {misfit}")]
    Spec {
        /// The level, 0 being the outermost.
        level: u8,
        /// What contradicts what.
        misfit: Misfit,
    },
    /// A change of a target, or its undoing.
    #[error(transparent)]
    Edit(#[from] EditRefusal),
}

/// What a path leads to that cannot be an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// A directory.
    Directory,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character device: a terminal, a tape, `/dev/zero`.
    CharacterDevice,
    /// Something that this program has no name for.
    Unknown,
}

impl fmt::Display for FileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Directory => "a directory",
            Self::Fifo => "a named pipe",
            Self::Socket => "a socket",
            Self::CharacterDevice => "a character device",
            Self::Unknown => "a file of unknown kind",
        })
    }
}
