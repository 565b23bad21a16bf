//! Why an edit is refused.

use std::fmt;

use crate::error::{Misfit, Refusal};
use crate::format::superblock::{DeviceFlags, Format, Uuid};
use crate::units::{BitmapIndex, Bytes, NodeId, Sectors};

/// A change that would break an invariant, or that this metadata has no place for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeRefusal {
    /// Something that only v09 has.
    #[error(
        "metadata is {format}, expected v09: no other format has peers with entries of their own"
    )]
    OnlyV09 {
        /// What it is.
        format: Format,
    },
    /// v07 is read, not edited.
    #[error("metadata is v07, expected v08 or v09: v07 is exported and imported, not edited")]
    V07,
    /// Numbers that DRBD does not allow.
    #[error("edited metadata: {0}")]
    Geometry(Misfit),
    /// The edited metadata would take what belongs to the DRBD device.
    #[error(
        "the DRBD device has {needed}, and metadata of {metadata} leaves {usable}: {missing} are missing"
    )]
    NoRoom {
        /// The size of the DRBD device.
        needed: Sectors,
        /// What is left for it.
        usable: Sectors,
        /// What the metadata takes.
        metadata: Bytes,
        /// By how much the disk would have to be larger.
        missing: Bytes,
    },
    /// Bits are made anew while the log is not applied.
    #[error("unclean: the activity log is not applied yet, and this edit rewrites the bitmap")]
    Unclean,
    /// A generation of data that is not consistent.
    #[error("the disk is Inconsistent: its data is no generation of its own")]
    Inconsistent,
    /// No generation to start from.
    #[error(
        "the current UUID is {current}: there is no generation of data yet, and the first connection decides"
    )]
    NoGeneration {
        /// The current UUID.
        current: Uuid,
    },
    /// A slot that a peer has would be dropped.
    #[error("slot {} belongs to node {}: {slots} slots have no room for it", slot.get(), node.get())]
    SlotInUse {
        /// Which slot.
        slot: BitmapIndex,
        /// Whose.
        node: NodeId,
        /// How many slots were asked for.
        slots: u32,
    },
    /// No free slot.
    #[error("no bitmap slot is free: all {slots} belong to peers")]
    NoFreeSlot {
        /// How many there are.
        slots: u32,
    },
    /// A slot that is not free.
    #[error("slot {} is not free: node {} has it", slot.get(), node.get())]
    SlotTaken {
        /// Which.
        slot: BitmapIndex,
        /// Whose.
        node: NodeId,
    },
    /// A slot that is not there.
    #[error("slot {} does not exist: there are slots 0 to {}", slot.get(), slots.saturating_sub(1))]
    NoSuchSlot {
        /// Which.
        slot: BitmapIndex,
        /// How many there are.
        slots: u32,
    },
    /// A peer that has a slot already.
    #[error("node {} has slot {slot} already", node.get())]
    HasSlot {
        /// Which peer.
        node: NodeId,
        /// Its slot.
        slot: i32,
    },
    /// A peer without a slot.
    #[error("node {} has no bitmap slot", node.get())]
    HasNoSlot {
        /// Which peer.
        node: NodeId,
    },
    /// The own node where a peer is meant.
    #[error("node {} is this metadata's own node, expected a peer", node.get())]
    OwnNode {
        /// The own node.
        node: NodeId,
    },
    /// Bits that would be cleared.
    #[error("{}, which would be forgotten", listed(lost))]
    BitsLost {
        /// Of each slot that has any.
        lost: Vec<LostBits>,
        /// Whether the size goes, and the bitmap with it; else the slots are cleared.
        size: bool,
    },
    /// Bits of other slots that the one slot of v08 lacks.
    #[error("slot {} has bits set that the slot of node {} lacks, and v08 has one slot", slot.get(), peer.get())]
    OtherSlots {
        /// The slot that has them.
        slot: BitmapIndex,
        /// The peer whose slot is kept.
        peer: NodeId,
    },
    /// A flag of the device that this format lacks.
    #[error("metadata is {format}, whose device has no flag {}", flag.name())]
    NoSuchFlag {
        /// Which.
        flag: DeviceFlags,
        /// What the metadata is.
        format: Format,
    },
    /// More history than the format has.
    #[error("{found} history UUIDs, expected at most {most}")]
    History {
        /// How many were given.
        found: usize,
        /// How many there can be.
        most: usize,
    },
    /// v09 has a bitmap UUID for each peer.
    #[error(
        "v09 has a bitmap UUID for each peer: expected the node's id and a colon before the UUID"
    )]
    WhichPeer,
    /// The metadata is in that format already.
    #[error("metadata is {format} already")]
    SameFormat {
        /// What it is.
        format: Format,
    },
    /// The entry that is to be the own one has a slot.
    #[error("peers[{}].bitmap_index is {slot}, expected -1: that node is to be this one", node.get())]
    OwnSlot {
        /// Whose entry.
        node: NodeId,
        /// Its slot.
        slot: i32,
    },
}

impl Refusal for ChangeRefusal {}

/// Bits of one slot that an edit forgets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LostBits {
    /// Which slot.
    pub slot: BitmapIndex,
    /// How many.
    pub bits: u64,
    /// What they stand for.
    pub bytes: Bytes,
}

impl fmt::Display for LostBits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { slot, bits, bytes } = self;
        write!(
            f,
            "slot {} has {bits} bits set, {bytes} out of sync",
            slot.get()
        )
    }
}

fn listed(lost: &[LostBits]) -> String {
    let each: Vec<String> = lost.iter().map(ToString::to_string).collect();
    each.join("; ")
}
