//! The generations that a replica remembers, and what it sends to its peer of them.

use crate::format::metadata::{
    Generation, GenerationV08, GenerationV09, Header, NODE_IDS, PeerV09,
};
use crate::format::superblock::PeerFlags;
use crate::verdict::handshake::Family;

/// The generations of a replica, as a family of kernels sees them.
pub(super) struct Uuids {
    pub(super) current: u64,
    pub(super) history: Vec<u64>,
    pub(super) bitmaps: Vec<u64>,
    pub(super) told: Vec<Option<u64>>,
    pub(super) slot: Option<u8>,
}

impl Uuids {
    pub(super) fn of(header: &Header, id: usize, peer: usize, family: Family) -> Self {
        match &header.generation {
            Generation::V07(_) => Self::nothing(),
            Generation::V08(generation) => Self::v08(generation, peer, family),
            Generation::V09(generation) => {
                Self::v09(generation, id, peer, header.geometry.max_peers)
            }
        }
    }

    const fn nothing() -> Self {
        Self {
            current: 0,
            history: Vec::new(),
            bitmaps: Vec::new(),
            told: Vec::new(),
            slot: None,
        }
    }

    fn v08(generation: &GenerationV08, peer: usize, family: Family) -> Self {
        let [current, bitmap, history @ ..] = generation.uuids.map(|uuid| uuid.0);
        // DRBD 9 reads the first one only: `drbd_md_decode_84`.
        let remembered = if family == Family::V9 {
            1
        } else {
            history.len()
        };
        let mut bitmaps = vec![0; NODE_IDS];
        let mut told = vec![None; NODE_IDS];
        for (node, (own, tell)) in bitmaps.iter_mut().zip(&mut told).enumerate() {
            if node == peer {
                *own = bitmap;
                *tell = Some(bitmap);
            }
        }
        Self {
            current,
            history: history.into_iter().take(remembered).collect(),
            bitmaps,
            told,
            slot: Some(0),
        }
    }

    fn v09(generation: &GenerationV09, id: usize, peer: usize, slots: u32) -> Self {
        let peers = &generation.peers;
        let assigned = peers.get(peer).map(|entry| entry.bitmap_index);
        let slot = match assigned.map(u8::try_from) {
            Some(Ok(slot)) => Some(slot),
            // Attach gives a configured peer the lowest free one.
            _ => unallocated(peers, None, slots),
        };
        Self {
            current: generation.current_uuid.0,
            history: generation.history_uuids.iter().map(|uuid| uuid.0).collect(),
            bitmaps: peers.iter().map(|entry| entry.bitmap_uuid.0).collect(),
            told: told(peers, id, peer, slot, slots),
            slot,
        }
    }
}

/// What a node of DRBD 9 sends of its slots: those of known nodes, and one that counts since day 0 for all others.
fn told(
    peers: &[PeerV09],
    id: usize,
    peer: usize,
    slot: Option<u8>,
    slots: u32,
) -> Vec<Option<u64>> {
    let known = |node: usize, entry: &PeerV09| {
        entry.bitmap_index >= 0
            || entry.flags.0 & PeerFlags::NODE_EXISTS.0 != 0
            || node == peer && slot.is_some()
    };
    let mut told: Vec<Option<u64>> = peers
        .iter()
        .enumerate()
        .map(|(node, entry)| known(node, entry).then_some(entry.bitmap_uuid.0))
        .collect();
    let day0 = peers.iter().enumerate().find(|(node, entry)| {
        *node != id && *node != peer && !known(*node, entry) && entry.bitmap_uuid.0 != 0
    });
    if let Some((node, entry)) = day0
        && unallocated(peers, slot.map(|slot| (peer, slot)), slots).is_some()
        && let Some(tell) = told.get_mut(node)
    {
        *tell = Some(entry.bitmap_uuid.0);
    }
    told
}

/// The lowest slot that no node has: `drbd_unallocated_index`.
pub(super) fn unallocated(peers: &[PeerV09], taken: Option<(usize, u8)>, slots: u32) -> Option<u8> {
    let slots = u8::try_from(slots).unwrap_or(u8::MAX);
    (0..slots).find(|slot| {
        let has = |entry: &PeerV09| entry.bitmap_index == i32::from(*slot);
        !peers.iter().any(has) && taken.is_none_or(|(_, taken)| taken != *slot)
    })
}
