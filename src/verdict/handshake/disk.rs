//! Disk states at attach.

use std::fmt;

use super::Family;
use super::node::flags;
use crate::format::metadata::{Generation, GenerationV09, Header};
use crate::format::superblock::{DeviceFlags, PeerFlags};
use crate::terms::Format;

/// The disk state that a kernel gives at attach; the better one is the greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Disk {
    /// A resync was not finished, or there never was one.
    Inconsistent,
    /// Known to be older than a peer's.
    Outdated,
    /// Fencing: not known to be the newest.
    Consistent,
    /// Usable.
    UpToDate,
}

impl fmt::Display for Disk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inconsistent => "Inconsistent",
            Self::Outdated => "Outdated",
            Self::Consistent => "Consistent",
            Self::UpToDate => "UpToDate",
        })
    }
}

impl Disk {
    /// What a kernel of this family makes of the flags on disk.
    #[must_use]
    pub fn at_attach(header: &Header, family: Family) -> Self {
        let flags = flags(header);
        if !flags.contains(DeviceFlags::CONSISTENT) {
            return Self::Inconsistent;
        }
        match &header.generation {
            Generation::V07(_) => Self::Consistent,
            _ if !flags.contains(DeviceFlags::WAS_UP_TO_DATE) => Self::Outdated,
            // Of the policies only fencing that is noted in the metadata keeps a disk from being UpToDate.
            Generation::V09(generation) if family == Family::V9 && waits(generation) => {
                Self::Consistent
            }
            _ => Self::UpToDate,
        }
    }

    /// What that means, for people.
    #[must_use]
    pub fn meaning(self, header: &Header) -> &'static str {
        let v08 = header.format() == Format::V08;
        match self {
            Self::Inconsistent => {
                "its data cannot be used until it was synced from a peer that is UpToDate"
            }
            Self::Outdated => "a peer has newer data",
            Self::Consistent => {
                "UpToDate where nothing is to be fenced, or every peer is known to be outdated"
            }
            Self::UpToDate if v08 && !flags(header).contains(DeviceFlags::PEER_OUT_DATED) => {
                "its data can be used at once, unless a fencing policy is configured"
            }
            Self::UpToDate => "its data can be used at once",
        }
    }
}

/// Whether a peer was to be fenced and is not known to be outdated.
fn waits(generation: &GenerationV09) -> bool {
    let own = usize::try_from(generation.node_id).ok();
    let mut peers = generation.peers.iter().enumerate();
    peers.any(|(node, peer)| {
        let has = |flag: PeerFlags| peer.flags.0 & flag.0 != 0;
        Some(node) != own && has(PeerFlags::FENCING) && !has(PeerFlags::OUTDATED)
    })
}
