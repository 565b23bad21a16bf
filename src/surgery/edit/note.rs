//! What is worth knowing of an edit.

use std::fmt;

use super::LostBits;
use crate::format::superblock::DeviceFlags;
use crate::units::{BitmapIndex, NodeId, Sectors};

/// Something to know of a change that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The entries of two nodes were exchanged.
    Exchanged {
        /// One.
        from: NodeId,
        /// The other.
        to: NodeId,
    },
    /// A peer's entry lacks `MDF_PEER_DEVICE_SEEN`.
    NotSeen {
        /// Whose.
        node: NodeId,
    },
    /// A slot has everything out of sync.
    AllSet {
        /// Which.
        slot: BitmapIndex,
    },
    /// The device is larger: what is added is out of sync in every slot.
    Grown {
        /// By how much.
        by: Sectors,
    },
    /// The device is smaller: what lies behind its new end is no part of it, and neither are the bits of that.
    Shrunk {
        /// By how much.
        by: Sectors,
    },
    /// Bits are forgotten, as that is forced.
    Forgotten(LostBits),
    /// Only DRBD 9.3 and newer take this granularity.
    Only93,
    /// Something that the other format has no room for is gone.
    Dropped {
        /// What.
        what: Dropped,
    },
}

/// What a format has no room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// Generations of the history.
    History {
        /// How many.
        count: usize,
    },
    /// Flags of the device.
    Flags(DeviceFlags),
    /// Entries of other peers.
    Peers {
        /// How many.
        count: usize,
    },
    /// The mask of nodes in the partition.
    Members,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exchanged { from, to } => write!(
                f,
                "the peer entries of nodes {} and {} are exchanged",
                from.get(),
                to.get()
            ),
            Self::NotSeen { node } => write!(
                f,
                "peers[{}]: MDF_PEER_DEVICE_SEEN is not set: on a larger disk DRBD 9 takes all of it before that node connects, and is then too large for it",
                node.get()
            ),
            Self::AllSet { slot } => write!(
                f,
                "slot {} has everything out of sync: the peer that gets it is synced in full",
                slot.get()
            ),
            Self::Grown { by } => write!(
                f,
                "the device is {by} larger: what is added is out of sync in every slot"
            ),
            Self::Shrunk { by } => write!(
                f,
                "the device is {by} smaller: what lies behind its new end is no part of it any more, and the bits of that are gone"
            ),
            Self::Forgotten(lost) => {
                write!(f, "{lost}, which is forgotten: the peer is never sent it")
            }
            Self::Only93 => {
                f.write_str("only DRBD 9.3 and newer attach metadata of this granularity")
            }
            Self::Dropped { what } => write!(f, "{what}"),
        }
    }
}

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::History { count } => write!(
                f,
                "{count} older history UUIDs are dropped: the format has no room for them"
            ),
            Self::Flags(flags) => write!(f, "flags {flags} are dropped: the format lacks them"),
            Self::Peers { count } => write!(
                f,
                "the entries of {count} other peers are dropped: the format has one peer"
            ),
            Self::Members => f.write_str("members is dropped: the format lacks it"),
        }
    }
}
