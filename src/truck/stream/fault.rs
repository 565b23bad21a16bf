//! What is wrong with a stream, and where.

use crate::error::Refusal;
use crate::units::{Bytes, DevPos};

/// A stream that is not believed, or not to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("stream, byte {at}: {problem}")]
#[non_exhaustive]
pub struct StreamFault {
    /// How much of the stream was read before.
    pub at: u64,
    /// What is wrong there.
    pub problem: StreamProblem,
}

impl Refusal for StreamFault {}

/// What is wrong with a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamProblem {
    /// Something else than a stream.
    #[error("this is no stream of `mdtool copy`")]
    Magic,
    /// A stream of a later program.
    #[error("the stream has version {0}, expected 1: it comes from a newer mdtool")]
    Version(u32),
    /// A header whose checksum fits, and whose fields do not.
    #[error("the header says {0}")]
    Header(&'static str),
    /// A header that was changed.
    #[error("the header's checksum does not fit")]
    HeaderCheck,
    /// The end came too early.
    #[error(
        "the stream ends here, before its end record; what arrived reaches to {arrived} of the copy"
    )]
    Cut {
        /// How far whole records reached.
        arrived: DevPos,
    },
    /// A record that was damaged, or belongs elsewhere.
    #[error("the checksum of the record for {start} of the copy does not fit")]
    Check {
        /// Where the record says it belongs.
        start: DevPos,
    },
    /// A record that is none.
    #[error("a record of kind {0}, expected 1 (data), 2 (zeros) or 3 (end)")]
    Kind(u64),
    /// A record that is not where it must be.
    #[error("a record for {length} at {start} of the copy, expected one from {expected} on")]
    Place {
        /// Where it says it belongs.
        start: DevPos,
        /// How long it says it is.
        length: Bytes,
        /// Where the next one has to begin.
        expected: DevPos,
    },
    /// A record that reaches beyond the copy.
    #[error("a record for {length} at {start} of the copy, which has {size}")]
    Outside {
        /// Where it says it belongs.
        start: DevPos,
        /// How long it says it is.
        length: Bytes,
        /// The size of the copy.
        size: Bytes,
    },
    /// A record with no data, or more than one may have.
    #[error("a record with {0} of data, expected 1 byte to 1 MiB")]
    Length(Bytes),
    /// An end record that counts something else.
    #[error("the end record counts {said}, and {found} arrived")]
    Totals {
        /// What it says.
        said: Bytes,
        /// What there was.
        found: Bytes,
    },
    /// An end record before the end.
    #[error("the end record comes at {arrived} of the copy, which has {size}")]
    Short {
        /// How far records reached.
        arrived: DevPos,
        /// The size of the copy.
        size: Bytes,
    },
    /// Bytes behind the end record.
    #[error("something follows the end record")]
    Trailing,
}
