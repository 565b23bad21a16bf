//! Importing metadata that came as a dump: where it will lie on a target, what that changes in it, and what it would destroy.
//!
//! [`plan`] looks and judges; [`crate::surgery::place`] drafts what it found good. Geometry (slots, granularity, the log's shape) is the dump's.

use std::fmt;

use crate::error::Result;
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::metadata::Header;
use crate::format::superblock::{DeviceFlags, Format};
use crate::image::Window;
use crate::surgery::place::PlaceRefusal;
pub use crate::surgery::risks::{AtRisk, at_risk, unknown_ends};
use crate::survey::locate::IndexChoice;
use crate::survey::occupants::OccupantKind;
use crate::units::{DevPos, NodeId, Sectors};

/// What is to be different from the dump.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportOptions {
    /// The placement; automatic is internal.
    pub index: IndexChoice,
    /// The node that the target belongs to.
    pub node_id: Option<NodeId>,
    /// Whether a device that is too large is made as large as fits.
    pub clip: bool,
    /// Flags instead of the dump's.
    pub flags: Option<DeviceFlags>,
}

/// What is to be imported, and what is worth knowing of it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Import {
    /// What the new superblock will say.
    pub header: Header,
    /// Where things will lie.
    pub layout: MdLayout,
    /// What differs from the dump, and what could not be judged.
    pub notes: Vec<Note>,
    /// What is overwritten: nobody should go on without having been asked.
    pub at_risk: Vec<AtRisk>,
}

/// Something worth knowing of an import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The device is made smaller.
    Clipped {
        /// What the dump says.
        from: Sectors,
        /// What fits.
        to: Sectors,
    },
    /// The entries of two nodes were exchanged.
    Moved {
        /// Whose metadata it was.
        from: NodeId,
        /// Whose it is.
        to: NodeId,
    },
    /// v09: the node id is the dump's.
    NodeKept {
        /// Whose metadata it stays.
        node: NodeId,
    },
    /// A peer was noted to have had a disk.
    DiskSeen {
        /// Which.
        peer: NodeId,
        /// What the target has room for.
        usable: Sectors,
    },
    /// Somebody lives there who does not say up to where.
    UnknownEnd {
        /// Who.
        kind: OccupantKind,
    },
    /// Somebody's own block at the device's end is overwritten.
    Tail {
        /// Whose.
        kind: OccupantKind,
        /// Where that block begins.
        at: DevPos,
    },
}

impl Note {
    /// Whether it may mean a loss.
    #[must_use]
    pub const fn is_warning(self) -> bool {
        matches!(
            self,
            Self::Clipped { .. } | Self::UnknownEnd { .. } | Self::Tail { .. }
        )
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clipped { from, to } => write!(
                f,
                "la-size-sect is {}, clipped to the {} that fit",
                from.get(),
                to.get()
            ),
            Self::Moved { from, to } => write!(
                f,
                "node {} becomes node {}, and their peer entries are exchanged",
                from.get(),
                to.get()
            ),
            Self::NodeKept { node } => write!(
                f,
                "node id {} is kept, that of the node that was dumped: a host with another node id does not attach it",
                node.get()
            ),
            Self::DiskSeen { peer, usable } => write!(
                f,
                "peers[{}]: MDF_PEER_DEVICE_SEEN is set, or DRBD would take all {usable} before that node is heard of, and then be too large for it",
                peer.get()
            ),
            Self::UnknownEnd { kind } => write!(
                f,
                "{kind}: does not say where it ends; whether that is overwritten is unknown"
            ),
            Self::Tail { kind, at } => write!(f, "{kind}: its block at {at} is overwritten"),
        }
    }
}

/// Finds where `header`'s metadata goes on `device`, and who would mind.
///
/// # Errors
///
/// [`PlaceRefusal`] where it does not fit, or somebody else's end is there; errors of reading the device.
pub fn plan(device: Window<'_>, mut header: Header, options: &ImportOptions) -> Result<Import> {
    if let Some(flags) = options.flags {
        header.replace_flags(flags)?;
    }
    header
        .geometry
        .check(header.format())
        .map_err(PlaceRefusal::Layout)?;
    let index = placement(options.index, header.format());
    let layout =
        MdLayout::planned(index, header.geometry, device.size()).map_err(PlaceRefusal::Layout)?;
    let mut notes = Vec::new();
    if header.la_size > layout.usable {
        let (from, to) = (header.la_size, layout.usable);
        if !options.clip {
            let refusal = PlaceRefusal::LaSize {
                la_size: from,
                usable: to,
            };
            return Err(refusal.into());
        }
        header.la_size = to;
        notes.push(Note::Clipped { from, to });
    }
    if options.node_id.is_none() {
        let node = header.node_id();
        notes.extend(node.map(|node| Note::NodeKept { node }));
    }
    if let Some(to) = options.node_id
        && let Some(from) = header.move_to_node(to)?
    {
        notes.push(Note::Moved { from, to });
        if header.la_size != Sectors::ZERO && layout.usable > header.la_size {
            header.note_disk_seen(from);
            let usable = layout.usable;
            notes.push(Note::DiskSeen { peer: from, usable });
        }
    }
    notes.extend(unknown_ends(device, &layout)?);
    let at_risk = at_risk(device, &layout)?;
    Ok(Import {
        header,
        layout,
        notes,
        at_risk,
    })
}

/// The rule for what was asked for, as drbdmeta takes its words.
const fn placement(index: IndexChoice, format: Format) -> MdIndex {
    match (index, format) {
        (IndexChoice::Auto | IndexChoice::Internal, Format::V07) => MdIndex::Internal,
        (IndexChoice::Auto | IndexChoice::Internal, _) => MdIndex::FlexInternal,
        (IndexChoice::FlexExternal, _) => MdIndex::FlexExternal,
        (IndexChoice::Indexed(slot), _) => MdIndex::Indexed(slot),
    }
}
