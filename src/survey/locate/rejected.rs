//! Superblocks that do not count, and why.

use crate::error::Misfit;
use crate::format::layout::MdIndex;
use crate::format::superblock::Format;
use crate::units::{Bytes, DevPos};
use std::fmt;

/// Something that carries a magic and does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejected {
    /// Where it is.
    pub at: DevPos,
    /// What its magic says.
    pub format: Format,
    /// Why it does not count.
    pub why: Why,
}

/// Why something that carries a magic does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Why {
    /// A field contradicts the others or the position.
    Misfit(Misfit),
    /// A copy that a level left behind when its device had another size.
    Stale {
        /// Which level.
        level: usize,
        /// The size of the device then.
        device: Bytes,
    },
    /// It does not lie inside the DRBD device of the level around it.
    Outside {
        /// That device's size.
        device: Bytes,
    },
    /// It lies inside the innermost level's device, but not where that level would have one.
    Leftover {
        /// The innermost level.
        level: usize,
    },
    /// Another resource's, in an indexed slot of this meta device.
    OtherSlot {
        /// Which slot.
        slot: u8,
    },
    /// It is where DRBD looks by another rule than the one that the caller named.
    OtherIndex {
        /// Which rule.
        index: MdIndex,
    },
    /// Metadata for another device, in the midst of this one's data.
    External,
    /// Metadata of a smaller device that ends here and begins behind this one's start: a partition or a logical volume.
    Smaller {
        /// The largest size that it can have.
        most: Bytes,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misfit(misfit) => write!(f, "{misfit} for metadata at this position"),
            Self::Stale { level, device } => {
                write!(
                    f,
                    "stale copy of level {level}, from when its device had {device}"
                )
            }
            Self::Outside { device } => {
                write!(f, "not inside the DRBD device of {device} around it")
            }
            Self::Leftover { level } => {
                write!(
                    f,
                    "not where level {level} would have an inner resource: of another resource that was here, or of an older size"
                )
            }
            Self::OtherSlot { slot } => {
                write!(
                    f,
                    "another resource's, in a slot of this meta device: --index indexed:{slot}"
                )
            }
            Self::OtherIndex { index } => write!(f, "where DRBD looks with --index {index}"),
            Self::External => f.write_str(
                "external metadata of another device, not at the start of a meta device",
            ),
            Self::Smaller { most } => write!(
                f,
                "of a device of at most {most} that ends there and begins further inside, as a partition or a logical volume does"
            ),
        }
    }
}
