//! What happens at attaching and connecting, as far as one disk's metadata shows: [`crate::verdict::handshake`] asked of one side.

use std::fmt;

use crate::error::Result;
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::AlState;
use crate::image::Window;
use crate::survey::locate::Level;
use crate::units::{Bytes, Sectors};
use crate::verdict::handshake::{AtAttach, Disk, Family, at_attach, is_fresh, may_grow};

/// How much of a bitmap is read to count what is out of sync.
const COUNTING_BUDGET: Bytes = Bytes::new(256 << 20);

/// Something that attaching or connecting will meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Forecast {
    /// The activity log was not applied.
    Unclean,
    /// v09: the node id in it is the source's, or none.
    NodeId {
        /// What it says.
        own: i32,
    },
    /// v09: no peer was seen with a disk, so that the kernel takes the whole disk.
    MayGrow,
    /// The current UUID says that there never was any data.
    JustCreated,
    /// The data is not consistent.
    Inconsistent,
    /// Consistent, and known to be older than a peer's.
    Outdated,
    /// Attaching marks everything out of sync, whatever the bitmap says.
    Whole {
        /// Why.
        why: AtAttach,
        /// The DRBD device; nothing where its size is not known.
        bytes: Option<Bytes>,
    },
    /// What the bitmap marks for the peer that lags most.
    OutOfSync {
        /// How much.
        bytes: Bytes,
    },
    /// The bitmap was not counted: no peer has a slot, or the device never had a size, or it is too large.
    NotCounted,
}

impl Forecast {
    /// Whether the peer has a say in it: once that is known, [`crate::verdict::handshake`] answers what comes of it.
    #[must_use]
    pub const fn is_of_connecting(&self) -> bool {
        match self {
            Self::Unclean | Self::NodeId { .. } | Self::Outdated => false,
            Self::MayGrow
            | Self::JustCreated
            | Self::Inconsistent
            | Self::Whole { .. }
            | Self::OutOfSync { .. }
            | Self::NotCounted => true,
        }
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unclean => f.write_str(
                "unclean: a kernel wrote it last, and DRBD attaches it only after its activity log was applied; what the log names is marked out of sync then, and is not counted here",
            ),
            Self::NodeId { own: -1 } => f.write_str(
                "v09 without a node id: --node-id N, the id that the target's drbd.conf gives this host",
            ),
            Self::NodeId { own } => write!(
                f,
                "v09 with node id {own}, the source's: a host with another node id does not attach it; --node-id N exchanges the two"
            ),
            Self::MayGrow => f.write_str(
                "no peer is marked as seen with a disk: where this disk is larger, DRBD 9 grows the device and the peer refuses it as too small; mdtool adopt sets that mark for the source",
            ),
            Self::JustCreated => {
                f.write_str("the current UUID is 4, JUST_CREATED: connecting means a full sync")
            }
            Self::Inconsistent => f.write_str(
                "MDF_CONSISTENT is not set: it attaches as Inconsistent, and serves only as a sync target",
            ),
            Self::Outdated => {
                f.write_str("MDF_WAS_UP_TO_DATE is not set: it attaches as Outdated")
            }
            Self::Whole { why, .. } => why.fmt(f),
            Self::OutOfSync { bytes } => write!(
                f,
                "{bytes} are marked out of sync here; what the peer has marked is added to that"
            ),
            Self::NotCounted => f.write_str(
                "how much is out of sync is not known here: no peer has a bitmap slot, or the device never had a size",
            ),
        }
    }
}

/// What this level's metadata says about attaching and connecting.
///
/// # Errors
///
/// Errors of reading the bitmap.
pub fn forecast(level: &Level, device: Window<'_>) -> Result<Vec<Forecast>> {
    let header = Header::of(&level.superblock);
    let mut found = Vec::new();
    if header.al_state == AlState::Unclean {
        found.push(Forecast::Unclean);
    }
    if let Generation::V09(generation) = &header.generation {
        let own = generation.node_id;
        found.push(Forecast::NodeId { own });
    }
    if may_grow(&header) {
        found.push(Forecast::MayGrow);
    }
    if is_fresh(&header) {
        found.push(Forecast::JustCreated);
    }
    match Disk::at_attach(&header, Family::of(header.format())) {
        Disk::Inconsistent => found.push(Forecast::Inconsistent),
        Disk::Outdated => found.push(Forecast::Outdated),
        Disk::Consistent | Disk::UpToDate => {}
    }
    let marks_all =
        |one: &AtAttach| matches!(one, AtAttach::FullSync | AtAttach::CrashedWithoutLog);
    if let Some(why) = at_attach(&header).into_iter().find(marks_all) {
        let bytes = level.known_drbd_device().and_then(Sectors::to_bytes);
        found.push(Forecast::Whole { why, bytes });
        return Ok(found);
    }
    let counted = level.out_of_sync(device, COUNTING_BUDGET)?;
    found.push(match counted.and_then(Sectors::to_bytes) {
        Some(bytes) => Forecast::OutOfSync { bytes },
        None => Forecast::NotCounted,
    });
    Ok(found)
}
