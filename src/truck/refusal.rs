//! Why nothing is copied.

use crate::error::Refusal;
use crate::format::superblock::Uuid;
use crate::units::{Bytes, DevPos, NodeId};

/// A copy that is not made, or not gone on with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TruckRefusal {
    /// Metadata without the data that it is about.
    #[error(
        "has external metadata, and the data is on another disk: expected internal metadata, which ends its backing device"
    )]
    External,
    /// Source and target are one.
    #[error("is the source and the target, expected two different ones")]
    SameFile,
    /// A target with less room than the copy needs.
    #[error("has {found}, expected at least {least}")]
    TooSmall {
        /// What it has.
        found: Bytes,
        /// What it needs.
        least: Bytes,
    },
    /// A target with metadata where DRBD looks, behind what would be copied.
    #[error(
        "has DRBD metadata at {at}, behind what is copied: a copy that is cut off would be attached as that resource"
    )]
    MetadataBehind {
        /// Where its superblock is.
        at: DevPos,
    },
    /// A part of a copy, and no copy that it is a part of.
    #[error("does not exist, expected the copy that these parts belong to")]
    NoCopy,
    /// A state file that does not say what one says.
    #[error("line {line}: expected {expected}")]
    State {
        /// Which line.
        line: usize,
        /// What it should be.
        expected: &'static str,
    },
    /// A state file that was changed or cut off.
    #[error("the checksum of the state file does not fit what it says")]
    StateChecksum,
    /// A file that is something else, where the state would be noted.
    #[error("exists, and is not the state of a copy")]
    NotState,
    /// A state that is not that of this copy.
    #[error("the state is of another copy: {field} is {found}, expected {expected}")]
    OtherCopy {
        /// What differs.
        field: &'static str,
        /// What the state says.
        found: String,
        /// What this copy has.
        expected: String,
    },
    /// A target that has not what the copy has put on it.
    #[error(
        "is not the disk that the copy began on: the {len} at {at} differ from what had arrived"
    )]
    OtherDisk {
        /// Where it differs.
        at: DevPos,
        /// Of how much that was noted.
        len: Bytes,
    },
    /// A stream that goes on behind the place up to which the target has all.
    #[error(
        "the stream begins at {first} of the copy, but the target has it only up to {verified}"
    )]
    Gap {
        /// Where the stream begins.
        first: DevPos,
        /// Where what arrived ends.
        verified: DevPos,
    },
    /// A range that is not within the copy.
    #[error("a range of {length} at {start} leaves the copy, which has {size}")]
    RangeOutside {
        /// Where it begins.
        start: DevPos,
        /// How long it is.
        length: Bytes,
        /// The size of the copy.
        size: Bytes,
    },
    /// More ranges than are held.
    #[error("more than {most} ranges apart from each other")]
    ManyRanges {
        /// As many are.
        most: usize,
    },
    /// A list of checksums that is not one to its end.
    #[error("the list of checksums cannot be read on")]
    List,
    /// A delta for a copy of another generation.
    #[error(
        "the target's current UUID is {found}, expected {expected}, the bitmap UUID of the source"
    )]
    Generation {
        /// What the target has.
        found: Uuid,
        /// What the delta is for.
        expected: Uuid,
    },
    /// A delta for a copy whose metadata was moved.
    #[error(
        "this copy was adopted: its metadata is at the end of the disk by now, and a delta comes before adopt"
    )]
    Adopted,
    /// Parts of a source that is of another generation than the copy that they are for.
    #[error(
        "the source's current UUID is {of_source}, and the target's is {found}: parts of two generations make no copy"
    )]
    MixedGenerations {
        /// What the target has.
        found: Uuid,
        /// What the source has by now.
        of_source: Uuid,
    },
    /// A source whose log was not kept.
    #[error(
        "the activity log was disabled (AL_DISABLED): the bitmap does not show all that was written"
    )]
    LogDisabled,
    /// A peer that has no bitmap.
    #[error("--peer: no slot is assigned to node {}", peer.get())]
    NoSlot {
        /// Its node id.
        peer: NodeId,
    },
    /// No peer, or several, whose bitmap could be meant.
    #[error("expected the node id of a peer that has a bitmap slot")]
    Peer,
    /// A source without a bitmap UUID, so that its bitmap counts from nowhere.
    #[error("has no bitmap UUID: its bitmap does not say since when it counts")]
    NoGeneration,
    /// A source that changes while it is read.
    #[error("is in use: its bitmap and activity log would not be of one moment")]
    Live,
    /// A receiver that went away.
    #[error("the receiver closed the stream after {sent}")]
    ReceiverGone {
        /// How much went into the pipe.
        sent: Bytes,
    },
}

impl Refusal for TruckRefusal {}
