//! From v08 to v09 and back: what both can say is kept, what the other has no room for is named.
//!
//! | v08 | v09 |
//! |---|---|
//! | current, history 0 and 1 | current, history 0 and 1 |
//! | bitmap UUID, the one slot | bitmap UUID and slot of the peer that is named |
//! | FULL_SYNC, PEER_OUT_DATED, CONNECTED_IND | PEER_FULL_SYNC, PEER_OUTDATED, PEER_CONNECTED of that peer |
//! | CONSISTENT, PRIMARY_IND, WAS_UP_TO_DATE, CRASHED_PRIMARY, AL_CLEAN, AL_DISABLED | the same |
//! | device UUID, la-size, `la_peer_max_bio_size`, the log's shape | the same |

use super::{ChangeRefusal, Dropped, Edited, Needs, Note, Recipe};
use crate::error::Result;
use crate::format::layout::MdGeometry;
use crate::format::metadata::{
    Generation, GenerationV08, GenerationV09, HISTORY_UUIDS, NODE_IDS, PeerV09,
};
use crate::format::superblock::{DeviceFlags, Format, PeerFlags, Uuid};
use crate::units::{BitmapIndex, NodeId};

/// Flags that mean the same in both formats.
const COMMON: u32 = DeviceFlags::CONSISTENT.0
    | DeviceFlags::PRIMARY_IND.0
    | DeviceFlags::WAS_UP_TO_DATE.0
    | DeviceFlags::CRASHED_PRIMARY.0
    | DeviceFlags::AL_CLEAN.0
    | DeviceFlags::AL_DISABLED.0;
/// `MDF_CONNECTED_IND` (v08).
const CONNECTED_IND: u32 = 1 << 2;
/// v08's flag of the device, and v09's of the peer.
const OF_THE_PEER: [(u32, u32); 3] = [
    (CONNECTED_IND, 1),
    (DeviceFlags::PEER_OUT_DATED.0, 1 << 1),
    (DeviceFlags::FULL_SYNC.0, PeerFlags::FULL_SYNC.0),
];
/// `MDF_NODE_EXISTS` (v09): the peer is configured.
const NODE_EXISTS: u32 = 1 << 16;

impl Edited {
    pub(super) fn convert_to_v08(
        &mut self,
        peer: NodeId,
        merge_slots: bool,
        needs: &mut Needs<'_>,
    ) -> Result<()> {
        if self.header.format() == Format::V08 {
            let format = Format::V08;
            return Err(ChangeRefusal::SameFormat { format }.into());
        }
        self.refuse_own(peer)?;
        let entry = *self.peer_mut(peer)?;
        let slot = u8::try_from(entry.bitmap_index).map(BitmapIndex::new);
        let slot = slot.map_err(|_| ChangeRefusal::HasNoSlot { node: peer })?;
        let recipe = self.one_slot(slot, peer, merge_slots, needs)?;
        let v09 = *self.v09()?;
        for what in dropped(&v09, peer) {
            self.note(Note::Dropped { what });
        }
        let flags = OF_THE_PEER
            .into_iter()
            .filter(|(_, of_peer)| entry.flags.0 & of_peer != 0)
            .fold(v09.flags.0 & COMMON, |flags, (of_device, _)| {
                flags | of_device
            });
        self.header.generation = Generation::V08(GenerationV08 {
            uuids: [
                v09.current_uuid,
                entry.bitmap_uuid,
                v09.history_uuids[0],
                v09.history_uuids[1],
            ],
            flags: DeviceFlags(flags),
            device_uuid: v09.device_uuid,
            la_peer_max_bio_size: v09.la_peer_max_bio_size,
        });
        self.header.geometry.max_peers = 1;
        self.recipes = vec![recipe];
        Ok(())
    }

    /// The one slot that v08 has: the peer's, with the others' bits where that is asked for, else only where they have none that it lacks.
    fn one_slot(
        &self,
        slot: BitmapIndex,
        peer: NodeId,
        merge_slots: bool,
        needs: &Needs<'_>,
    ) -> Result<Recipe> {
        let own = self.recipes.get(usize::from(slot.get())).cloned();
        let mut recipe = own.ok_or(ChangeRefusal::HasNoSlot { node: peer })?;
        for (number, other) in (0..=u8::MAX).zip(&self.recipes) {
            if merge_slots {
                recipe.add(other);
                continue;
            }
            let mut both = recipe.clone();
            both.add(other);
            if !super::bitmap::agree(&self.before, &recipe, &both, needs.slots)? {
                let slot = BitmapIndex::new(number);
                return Err(ChangeRefusal::OtherSlots { slot, peer }.into());
            }
        }
        Ok(recipe)
    }

    pub(super) fn convert_to_v09(
        &mut self,
        own: NodeId,
        peer: NodeId,
        max_peers: u32,
    ) -> Result<()> {
        let format = self.header.format();
        let Generation::V08(v08) = self.header.generation else {
            return Err(match format {
                Format::V07 => ChangeRefusal::V07,
                Format::V08 | Format::V09 => ChangeRefusal::SameFormat { format },
            }
            .into());
        };
        if own == peer {
            return Err(ChangeRefusal::OwnNode { node: own }.into());
        }
        let of_peer = OF_THE_PEER
            .into_iter()
            .filter(|(of_device, _)| v08.flags.0 & of_device != 0)
            .fold(NODE_EXISTS, |flags, (_, of_peer)| flags | of_peer);
        let [current, bitmap, history0, history1] = v08.uuids;
        let mut peers = [PeerV09 {
            bitmap_index: -1,
            bitmap_uuid: Uuid::NONE,
            bitmap_dagtag: 0,
            flags: PeerFlags(0),
        }; NODE_IDS];
        if let Some(entry) = peers.get_mut(usize::from(peer.get())) {
            entry.bitmap_index = 0;
            entry.bitmap_uuid = bitmap;
            entry.flags = PeerFlags(of_peer);
        }
        let mut history_uuids = [Uuid::NONE; HISTORY_UUIDS];
        history_uuids[0] = history0;
        history_uuids[1] = history1;
        self.header.generation = Generation::V09(Box::new(GenerationV09 {
            node_id: i32::from(own.get()),
            current_uuid: current,
            flags: DeviceFlags(v08.flags.0 & COMMON),
            members: 0,
            peers,
            history_uuids,
            device_uuid: v08.device_uuid,
            la_peer_max_bio_size: v08.la_peer_max_bio_size,
        }));
        self.header.geometry = MdGeometry {
            max_peers,
            ..self.header.geometry
        };
        // Nothing is known of what peers to come lack: all of it.
        let slots = usize::try_from(max_peers).unwrap_or(usize::MAX);
        self.recipes.resize(slots.min(NODE_IDS), Recipe::all());
        // v08 does not say whether its peer had a disk.
        self.note(Note::NotSeen { node: peer });
        Ok(())
    }
}

/// What v08 has no room for.
fn dropped(v09: &GenerationV09, peer: NodeId) -> Vec<Dropped> {
    let mut found = Vec::new();
    let count = v09
        .history_uuids
        .iter()
        .skip(2)
        .filter(|uuid| **uuid != Uuid::NONE)
        .count();
    if count > 0 {
        found.push(Dropped::History { count });
    }
    let flags = v09.flags.0 & !COMMON;
    if flags != 0 {
        found.push(Dropped::Flags(DeviceFlags(flags)));
    }
    let others = v09.peers.iter().enumerate();
    let count = others
        .filter(|(node, entry)| *node != usize::from(peer.get()) && entry.bitmap_index != -1)
        .count();
    if count > 0 {
        found.push(Dropped::Peers { count });
    }
    if v09.members != 0 {
        found.push(Dropped::Members);
    }
    found
}
