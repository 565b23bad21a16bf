//! Why a resource is not adopted.

use super::Obstacle;
use crate::error::Refusal;
use crate::units::Bytes;

/// A resource that cannot be adopted in the way asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AdoptRefusal {
    /// The disk does not allow it.
    #[error("{0}")]
    Obstacle(Obstacle),
    /// v09 metadata, without being told to which node it goes.
    #[error(
        "metadata is v09 and says node id {own}, which is the source's: the target's own node id is needed"
    )]
    NodeId {
        /// What it says.
        own: i32,
    },
    /// Something that cannot be made shorter.
    #[error("is a block device, expected a regular file to cut off")]
    BlockDevice,
    /// The device of the resource ends before the file does.
    #[error(
        "{behind} of the file lie behind the part that was looked at, expected none to cut off"
    )]
    NotTheEnd {
        /// How much.
        behind: Bytes,
    },
    /// A meta device that is too small.
    #[error("meta device has {found}, expected at least {least}: {} are missing", least.saturating_sub(*found))]
    MetaSize {
        /// What it has.
        found: Bytes,
        /// What it needs.
        least: Bytes,
    },
}

impl Refusal for AdoptRefusal {}
