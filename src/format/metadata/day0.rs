//! The slot that DRBD 9 keeps for peers it does not know yet.

use super::{GenerationV09, NODE_IDS};
use crate::format::superblock::Uuid;
use crate::units::BitmapIndex;

/// What a node that joins later can be synced from: everything written since the first data.
///
/// Source: `day0_peer_md`, `drbd_unallocated_index`, `drbd_uuid_is_day0` (`drbd_main.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Day0 {
    /// The generation that the free slots count from, by the first free entry; `None` where none was ever set.
    pub uuid: Option<Uuid>,
    /// The lowest slot that no peer has; `None` where all are taken.
    pub slot: Option<BitmapIndex>,
    /// No generation was ever left behind: the current UUID is the one it was created with.
    pub never_rotated: bool,
}

impl GenerationV09 {
    /// The day-0 slot and generation, with `max_peers` slots.
    #[must_use]
    pub fn day0(&self, max_peers: u32) -> Day0 {
        let entry = (0..NODE_IDS).find(|node| self.is_day0_entry(*node));
        let uuid = entry
            .and_then(|node| self.peers.get(node))
            .map(|peer| peer.bitmap_uuid)
            .filter(|uuid| *uuid != Uuid::NONE);
        let taken = |slot: &u8| {
            self.peers
                .iter()
                .any(|peer| peer.bitmap_index == i32::from(*slot))
        };
        let slots = u8::try_from(max_peers).unwrap_or(u8::MAX);
        let unset = |uuid: Uuid| uuid == Uuid::NONE;
        Day0 {
            uuid,
            slot: (0..slots).find(|slot| !taken(slot)).map(BitmapIndex::new),
            never_rotated: self.current_uuid.names_a_generation()
                && self.history_uuids.into_iter().all(unset)
                && self.peers.iter().all(|peer| unset(peer.bitmap_uuid)),
        }
    }

    /// Whether the entry of a node id stands for peers that are not known: not the own, without a slot and without flags.
    #[must_use]
    pub fn is_day0_entry(&self, node: usize) -> bool {
        let own = usize::try_from(self.node_id).is_ok_and(|own| own == node);
        !own && self
            .peers
            .get(node)
            .is_some_and(|peer| peer.bitmap_index == -1 && peer.flags.0 == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HISTORY_UUIDS, PeerV09};
    use super::*;
    use crate::format::superblock::{DeviceFlags, PeerFlags};

    fn generation() -> GenerationV09 {
        let free = PeerV09 {
            bitmap_index: -1,
            bitmap_uuid: Uuid(0xDA0),
            bitmap_dagtag: 0,
            flags: PeerFlags(0),
        };
        GenerationV09 {
            node_id: 0,
            current_uuid: Uuid(0xC),
            flags: DeviceFlags(0),
            members: 0,
            peers: [free; NODE_IDS],
            history_uuids: [Uuid::NONE; HISTORY_UUIDS],
            device_uuid: Uuid::NONE,
            la_peer_max_bio_size: 0,
        }
    }

    #[test]
    fn the_first_free_entry_and_the_lowest_free_slot_count() {
        let mut generation = generation();
        generation.peers[0].bitmap_uuid = Uuid(0x0E);
        generation.peers[1].bitmap_uuid = Uuid(0xB1);
        generation.peers[1].bitmap_index = 0;
        generation.peers[2].flags = PeerFlags(1);
        generation.peers[2].bitmap_uuid = Uuid(0xF1);
        let day0 = generation.day0(3);
        assert_eq!(
            (
                day0.uuid,
                day0.slot.map(BitmapIndex::get),
                day0.never_rotated
            ),
            (Some(Uuid(0xDA0)), Some(1), false)
        );
        assert_eq!(generation.day0(1).slot, None);
        generation.node_id = -1;
        assert_eq!(generation.day0(3).uuid, Some(Uuid(0x0E)));
    }

    #[test]
    fn a_generation_that_was_seeded_and_never_used_says_so() {
        let mut generation = generation();
        for peer in &mut generation.peers {
            peer.bitmap_uuid = Uuid::NONE;
        }
        assert!(generation.day0(3).never_rotated);
        assert_eq!(generation.day0(3).uuid, None);
        let mut used = generation;
        used.history_uuids[3] = Uuid(6);
        assert!(!used.day0(3).never_rotated);
        generation.current_uuid = Uuid::JUST_CREATED;
        assert!(!generation.day0(3).never_rotated);
    }
}
