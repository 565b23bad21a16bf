//! What a superblock means.

use std::fmt;

/// DRBD's on-disk metadata formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// DRBD 0.7.
    V07,
    /// DRBD 8.0 to 8.4, whatever its magic.
    V08,
    /// DRBD 9.
    V09,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V07 => "v07",
            Self::V08 => "v08",
            Self::V09 => "v09",
        })
    }
}
