//! A new generation of data, as `new-current-uuid` makes one.

use super::{ChangeRefusal, Edited, LostBits, Needs, Note, Recipe, random_uuid};
use crate::error::Result;
use crate::format::bitmap::{bits_to_bytes, count_set};
use crate::format::metadata::{Generation, GenerationV08, GenerationV09, Header};
use crate::format::superblock::{AlState, DeviceFlags, Uuid, node_id};

impl Edited {
    /// What `drbdadm new-current-uuid` of 9.2.18 and newer does to a resource that nobody is connected to.
    ///
    /// Source: `drbd_adm_new_c_uuid` (`drbd_nl.c`), `drbd_uuid_new_current_by_user` (`drbd_main.c`); 8.4's `drbd_adm_new_c_uuid`.
    pub(super) fn new_generation(
        &mut self,
        clear_bitmap: bool,
        needs: &mut Needs<'_>,
    ) -> Result<()> {
        if self.header.al_state == AlState::Unclean {
            return Err(ChangeRefusal::Unclean.into());
        }
        let flags = match &self.header.generation {
            Generation::V07(_) => return Err(ChangeRefusal::V07.into()),
            Generation::V08(generation) => generation.flags,
            Generation::V09(generation) => generation.flags,
        };
        if !flags.contains(DeviceFlags::CONSISTENT) {
            return Err(ChangeRefusal::Inconsistent.into());
        }
        let fresh = random_uuid(needs.random)?;
        let first = random_uuid(needs.random)?;
        begin_generation(&mut self.header, fresh, first);
        if clear_bitmap {
            self.clear_bitmap(needs)?;
        }
        Ok(())
    }

    /// Clears every slot, and declares the disk up to date where the kernel does.
    fn clear_bitmap(&mut self, needs: &mut Needs<'_>) -> Result<()> {
        self.refuse_lost_bits(false, needs)?;
        for recipe in &mut self.recipes {
            *recipe = Recipe::clear();
        }
        if let Generation::V09(generation) = &mut self.header.generation {
            generation.flags.0 |= DeviceFlags::CONSISTENT.0 | DeviceFlags::WAS_UP_TO_DATE.0;
        }
        Ok(())
    }

    /// Refuses to forget bits, naming every slot that has any; notes them where that is forced.
    pub(super) fn refuse_lost_bits(&mut self, size: bool, needs: &Needs<'_>) -> Result<()> {
        let geometry = self.before.geometry;
        let all = geometry.bits(self.before.la_size).unwrap_or(0);
        let mut lost = Vec::new();
        for slot in geometry.slots() {
            let bits = count_set(&mut *needs.slots.open(slot)?, all)?;
            if bits > 0 {
                let bytes = bits_to_bytes(bits, geometry.bytes_per_bit);
                lost.push(LostBits { slot, bits, bytes });
            }
        }
        if !needs.force && !lost.is_empty() {
            return Err(ChangeRefusal::BitsLost { lost, size }.into());
        }
        for lost in lost {
            self.note(Note::Forgotten(lost));
        }
        Ok(())
    }
}

/// Rotates the UUIDs as for a new generation, `fresh`; `first` is the one before it where there was none yet. v07 stays as it is.
pub fn begin_generation(header: &mut Header, fresh: Uuid, first: Uuid) {
    match &mut header.generation {
        Generation::V07(_) => {}
        Generation::V08(generation) => rotate_v08(generation, fresh),
        Generation::V09(generation) => rotate_v09(generation, fresh, first),
    }
}

/// v08: history1 := history0 := bitmap where there is one; bitmap := current; current is new.
fn rotate_v08(generation: &mut GenerationV08, fresh: Uuid) {
    let [current, bitmap, history0, history1] = generation.uuids;
    let history = if bitmap == Uuid::NONE {
        [history0, history1]
    } else {
        [bitmap, history0]
    };
    generation.uuids = [fresh, current, history[0], history[1]];
}

/// v09: bitmap UUIDs go to the history; every other node then counts from what was current.
fn rotate_v09(generation: &mut GenerationV09, fresh: Uuid, first: Uuid) {
    let own = node_id(generation.node_id).map(|own| usize::from(own.get()));
    let others = |node: usize| Some(node) != own;
    for node in (0..generation.peers.len()).filter(|node| others(*node)) {
        let Some(peer) = generation.peers.get_mut(node) else {
            continue;
        };
        let uuid = std::mem::replace(&mut peer.bitmap_uuid, Uuid::NONE);
        push_history(generation, uuid);
    }
    let current = generation.current_uuid;
    // A bitmap UUID for the initial sync, where there was no generation yet.
    let previous = if current.names_a_generation() {
        current
    } else {
        first
    };
    for (node, peer) in generation.peers.iter_mut().enumerate() {
        if others(node) {
            peer.bitmap_uuid = previous;
        }
    }
    generation.current_uuid = fresh;
}

/// Puts a generation before all others of the history, where it is one that the history lacks.
///
/// Source: `_drbd_uuid_push_history` (`drbd_main.c`).
pub fn push_history(generation: &mut GenerationV09, uuid: Uuid) {
    let known = |other: &Uuid| other.same_generation(uuid);
    if !uuid.names_a_generation() || known(&generation.current_uuid) {
        return;
    }
    let uuid = Uuid(uuid.0 & !1);
    if generation.history_uuids[0] == Uuid::NONE {
        generation.history_uuids[0] = uuid;
        return;
    }
    let slots = generation.peers.iter().map(|peer| peer.bitmap_uuid);
    if slots.into_iter().any(|other| known(&other)) || generation.history_uuids.iter().any(known) {
        return;
    }
    generation.history_uuids.rotate_right(1);
    generation.history_uuids[0] = uuid;
}
