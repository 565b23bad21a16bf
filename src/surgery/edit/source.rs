//! Making this replica the source toward a peer whose generation is the same: what a slot marks is then sent.

use super::generation::push_history;
use super::{ChangeRefusal, Random, random_uuid};
use crate::error::Result;
use crate::format::metadata::{Generation, GenerationV09, Header};
use crate::format::superblock::{DeviceFlags, Uuid, node_id};
use crate::units::NodeId;

/// The generation that each slot counts from becomes the current one, and the current one new, as when this side alone went on writing.
///
/// DRBD drops the bits of a slot where both sides have the same generation; now the peer has the one that the slot counts from. Toward
/// `node` that is what its slot counts from in any case; other peers get it where they had nothing, as when DRBD starts a generation,
/// or they would be found unrelated. Before v09 there is one peer.
///
/// Source: `__new_current_uuid_prepare`, `rotate_current_into_bitmap` (`drbd_main.c`); 8.4's `drbd_uuid_new_current`.
///
/// # Errors
///
/// [`ChangeRefusal`] where this replica has no generation to start from, or its data is none.
pub fn make_source(header: &mut Header, node: Option<NodeId>, random: Random<'_>) -> Result<()> {
    let (flags, current) = match &header.generation {
        Generation::V07(_) => return Err(ChangeRefusal::V07.into()),
        Generation::V08(generation) => (generation.flags, generation.uuids[0]),
        Generation::V09(generation) => (generation.flags, generation.current_uuid),
    };
    if !flags.contains(DeviceFlags::CONSISTENT) {
        return Err(ChangeRefusal::Inconsistent.into());
    }
    if !current.names_a_generation() {
        return Err(ChangeRefusal::NoGeneration { current }.into());
    }
    let fresh = random_uuid(random)?;
    match &mut header.generation {
        Generation::V07(_) => {}
        Generation::V08(generation) => {
            let [current, bitmap, first, second] = generation.uuids;
            let kept = bitmap != Uuid::NONE && !bitmap.same_generation(current);
            let history = if kept {
                [bitmap, first]
            } else {
                [first, second]
            };
            generation.uuids = [fresh, current, history[0], history[1]];
        }
        Generation::V09(generation) => v09(generation, node, fresh)?,
    }
    Ok(())
}

fn v09(generation: &mut GenerationV09, node: Option<NodeId>, fresh: Uuid) -> Result<()> {
    let node = node.ok_or(ChangeRefusal::WhichPeer)?;
    let current = generation.current_uuid;
    let own = node_id(generation.node_id);
    if Some(node) == own {
        return Err(ChangeRefusal::OwnNode { node }.into());
    }
    let entry = generation.peers.get_mut(usize::from(node.get()));
    let entry = entry.ok_or(ChangeRefusal::HasNoSlot { node })?;
    let before = std::mem::replace(&mut entry.bitmap_uuid, current);
    push_history(generation, before);
    let own = own.map(|own| usize::from(own.get()));
    for (number, peer) in generation.peers.iter_mut().enumerate() {
        if Some(number) != own && peer.bitmap_uuid == Uuid::NONE {
            peer.bitmap_uuid = current;
        }
    }
    generation.current_uuid = fresh;
    Ok(())
}
