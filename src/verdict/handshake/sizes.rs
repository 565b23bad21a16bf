//! What two replicas agree on as the device's size, and who is too small: `drbd_new_dev_size`, `receive_sizes` (`drbd_receiver.c`).

use super::Family;
use super::disk::Disk;
use super::node::Node;
use super::options::Options;
use super::replica::Replica;
use crate::format::metadata::{Generation, Header, PeerV09};
use crate::format::superblock::PeerFlags;
use crate::units::Sectors;

/// A side that would have to shrink, and does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TooSmall {
    /// What would be agreed on.
    pub agreed: Sectors,
    /// What this side has now.
    pub current: Sectors,
}

/// The sizes of a pair.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sizes {
    /// Each side's device after attach; nothing where it is not known.
    pub current: [Option<Sectors>; 2],
    /// Each side's refusal.
    pub too_small: [Option<TooSmall>; 2],
    /// What they agree on; nothing where it is not known.
    pub agreed: Option<Sectors>,
}

/// What is smaller, a size of nothing aside.
fn least(one: Sectors, other: Sectors) -> Sectors {
    match (one, other) {
        (Sectors::ZERO, size) | (size, Sectors::ZERO) => size,
        (one, other) => one.min(other),
    }
}

/// Whether a node other than these two was seen with a disk.
fn others_seen(header: &Header, own: Option<usize>, but: Option<usize>) -> bool {
    let Generation::V09(generation) = &header.generation else {
        return false;
    };
    let seen =
        |entry: &PeerV09| entry.bitmap_index >= 0 && entry.flags.0 & PeerFlags::DEVICE_SEEN.0 != 0;
    let mut peers = generation.peers.iter().enumerate();
    peers.any(|(node, entry)| Some(node) != own && Some(node) != but && seen(entry))
}

/// Whether DRBD 9 takes all of the disk at attach, because no peer was seen with a disk.
#[must_use]
pub fn may_grow(header: &Header) -> bool {
    let own = match &header.generation {
        Generation::V09(generation) => usize::try_from(generation.node_id).ok(),
        _ => return false,
    };
    !others_seen(header, own, None)
}

impl Replica {
    /// The largest device it allows: what is known, or at least what it was.
    fn largest(&self) -> Option<Sectors> {
        let was = Some(self.header.la_size).filter(|size| *size != Sectors::ZERO);
        self.capacity.or(was)
    }

    /// Whether a node other than `but` was seen with a disk and may be away.
    fn others_seen(&self, own: usize, but: Option<usize>) -> bool {
        others_seen(&self.header, Some(own), but)
    }

    /// The device's size after attach.
    fn attached_size(&self, own: usize, options: &Options, family: Family) -> Option<Sectors> {
        let was = self.header.la_size;
        let largest = self.largest()?;
        let free = match family {
            Family::V8 => was == Sectors::ZERO,
            Family::V9 => !self.others_seen(own, None),
        };
        let size = if free { largest } else { least(was, largest) };
        // What has grown beyond the configured size was not configured with it.
        let asked = options.configured_size().map(|size| size.max(was));
        Some(asked.filter(|asked| *asked <= size).unwrap_or(size))
    }

    /// The device's size once the peer's is known.
    fn connected_size(
        &self,
        own: usize,
        peer: usize,
        peers: Sectors,
        options: &Options,
        family: Family,
    ) -> Option<Sectors> {
        let largest = self.largest()?;
        let both = least(peers, largest);
        let size = match family {
            Family::V9 if self.others_seen(own, Some(peer)) => least(both, self.header.la_size),
            _ => both,
        };
        let asked = options.configured_size();
        Some(asked.filter(|asked| *asked <= size).unwrap_or(size))
    }
}

impl Sizes {
    /// What two attached nodes agree on.
    pub(super) fn of(nodes: [&Node<'_>; 2], options: &Options) -> Self {
        let [a, b] = nodes;
        let current = nodes.map(|node| node.replica.attached_size(node.id, options, node.family));
        let meet = |me: &Node<'_>, peer: &Node<'_>| {
            let peers = peer.replica.largest()?;
            me.replica
                .connected_size(me.id, peer.id, peers, options, me.family)
        };
        let new = [meet(a, b), meet(b, a)];
        let judge = |node: &Node<'_>, current: Option<Sectors>, new: Option<Sectors>| {
            let (current, agreed) = (current?, new?);
            let kept = node.disk >= Disk::Outdated;
            (agreed < current && kept).then_some(TooSmall { agreed, current })
        };
        let too_small = [judge(a, current[0], new[0]), judge(b, current[1], new[1])];
        let agreed = match new {
            [Some(a), Some(b)] => Some(a.min(b)),
            [one, other] => one.or(other),
        };
        Self {
            current,
            too_small,
            agreed,
        }
    }
}
