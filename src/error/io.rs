//! What the operating system refused.

use std::{fmt, io};

use crate::units::{Bytes, ImagePos};

/// What was asked of the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum IoOp {
    /// Opening a file or device.
    Open,
    /// Making a file that was not there.
    Create,
    /// Removing a file of our own making.
    Remove,
    /// Keeping other writers out.
    Lock,
    /// Asking for its size.
    Size,
    /// Reading from it.
    Read,
    /// Writing to it.
    Write,
    /// Making sure that there is room for what will be written.
    Reserve,
    /// Reading a dump.
    ReadDump,
    /// Writing what a command prints.
    WriteOutput,
    /// Writing down what a change would overwrite.
    WriteUndo,
    /// Putting aside what memory is not to hold.
    WriteScratch,
    /// Reading that again.
    ReadScratch,
    /// Mapping it into memory.
    Map,
    /// Asking where its data and holes are.
    SeekData,
    /// Making writes durable.
    Sync,
    /// Giving a file another size.
    Resize,
    /// Asking for random numbers.
    Random,
}

impl fmt::Display for IoOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Create => "create",
            Self::Remove => "remove",
            Self::Lock => "lock",
            Self::Size => "find the size",
            Self::Read => "read",
            Self::Write => "write",
            Self::Reserve => "reserve room for",
            Self::ReadDump => "read the dump",
            Self::WriteOutput => "write the output",
            Self::WriteUndo => "write the undo file",
            Self::WriteScratch => "write a temporary file",
            Self::ReadScratch => "read the temporary file",
            Self::Map => "map",
            Self::SeekData => "look for data in",
            Self::Sync => "sync",
            Self::Resize => "change the size",
            Self::Random => "get random numbers",
        })
    }
}

/// The system refused: what was asked, where, and its answer as the source.
#[derive(Debug, thiserror::Error)]
#[error("cannot {op}{}", Place(*at, *length))]
#[non_exhaustive]
pub struct IoError {
    /// What was asked.
    pub op: IoOp,
    /// Where, if it has a place.
    pub at: Option<ImagePos>,
    /// How much, if it has a size.
    pub length: Option<Bytes>,
    /// The system's answer.
    pub source: io::Error,
}

impl IoError {
    /// An answer that concerns the whole file.
    #[must_use]
    pub fn whole(op: IoOp, source: io::Error) -> Self {
        Self {
            op,
            at: None,
            length: None,
            source,
        }
    }

    /// An answer that concerns `length` bytes at `at`.
    #[must_use]
    pub fn at(op: IoOp, at: ImagePos, length: Bytes, source: io::Error) -> Self {
        Self {
            op,
            at: Some(at),
            length: Some(length),
            source,
        }
    }
}

/// ` 4096 bytes at byte 67063808`, or nothing.
struct Place(Option<ImagePos>, Option<Bytes>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(length) = self.1 {
            write!(f, " {length}")?;
        }
        self.0.map_or(Ok(()), |at| write!(f, " at {at}"))
    }
}
