//! Why metadata is not placed on a target.

use crate::error::{Misfit, Refusal};
use crate::format::superblock::Format;
use crate::survey::occupants::OccupantKind;
use crate::units::{DevPos, NodeId, Sectors};

/// Metadata that cannot be placed there, or that would destroy something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceRefusal {
    /// Numbers that the target or the format has no room for.
    #[error("metadata to be placed: {0}")]
    Layout(Misfit),
    /// A device larger than what is left of the target.
    #[error("la-size-sect is {la_size}, expected at most {usable}: no more fit here")]
    LaSize {
        /// The size that the metadata is of.
        la_size: Sectors,
        /// What fits.
        usable: Sectors,
    },
    /// Somebody else's end is where metadata would be.
    #[error("{kind}: ends at {end}, expected to end by {first}, where metadata would begin")]
    Occupied {
        /// Who lives there.
        kind: OccupantKind,
        /// Where that says to end.
        end: DevPos,
        /// The first byte that would be overwritten.
        first: DevPos,
    },
    /// Another resource's data is where external metadata would be.
    #[error(
        "DRBD device of the {format} metadata with its superblock at {at}: ends at {end}, expected to end by {first}, where metadata would begin"
    )]
    Disk {
        /// What that metadata is.
        format: Format,
        /// Where its superblock is.
        at: DevPos,
        /// Where its data ends.
        end: DevPos,
        /// The first byte that would be overwritten.
        first: DevPos,
    },
    /// A meta device that others use as well.
    #[error(
        "another resource's metadata has its superblock at {at}: flexible metadata takes all of a meta device"
    )]
    Shared {
        /// Where that is.
        at: DevPos,
    },
    /// A node id for metadata that has none.
    #[error("metadata is {format}, expected v09: no other has node ids")]
    NoNodeIds {
        /// What it is.
        format: Format,
    },
    /// A node whose own entry has a bitmap slot, which DRBD refuses to attach.
    #[error("peers[{}].bitmap_index is {found}, expected -1: that node is to be this one", node.get())]
    OwnSlot {
        /// The node that is to be the own one.
        node: NodeId,
        /// The slot that its entry has.
        found: i32,
    },
    /// Flags for metadata that keeps them elsewhere.
    #[error("metadata is {format}, expected v08 or v09: no other has such flags")]
    NoFlags {
        /// What it is.
        format: Format,
    },
    /// A layout for something else than the header.
    #[error("metadata to be placed: geometry is another than the layout's, expected the same")]
    Geometry,
}

impl Refusal for PlaceRefusal {}
