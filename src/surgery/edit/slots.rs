//! Changes of bitmap slots: how many, whose, and what a freed one becomes.

use super::{ChangeRefusal, Edited, Needs, NewSlots, Note, Rebrand, Recipe, random_uuid};
use crate::error::Result;
use crate::format::metadata::{Generation, HISTORY_UUIDS, NODE_IDS, PeerV09};
use crate::format::superblock::{PeerFlags, Uuid, node_id};
use crate::units::{BitmapIndex, NodeId};

impl Edited {
    /// The slots that no peer has, lowest first.
    pub(super) fn free_slots(&mut self) -> Result<Vec<BitmapIndex>> {
        let slots = self.header.geometry.slots();
        let peers = &self.v09()?.peers;
        let taken = |slot: &BitmapIndex| {
            peers
                .iter()
                .any(|peer| peer.bitmap_index == i32::from(slot.get()))
        };
        Ok(slots.filter(|slot| !taken(slot)).collect())
    }

    /// Who has a slot.
    fn owner(&mut self, slot: BitmapIndex) -> Result<Option<NodeId>> {
        let peers = &self.v09()?.peers;
        let owner = peers
            .iter()
            .position(|peer| peer.bitmap_index == i32::from(slot.get()));
        Ok(owner.and_then(|node| u8::try_from(node).ok().map(NodeId::new)))
    }

    pub(super) fn max_peers(&mut self, slots: u32, new: NewSlots) -> Result<()> {
        let before = self.header.geometry.max_peers;
        for dropped in slots..before {
            let Ok(slot) = u8::try_from(dropped).map(BitmapIndex::new) else {
                break;
            };
            if let Some(node) = self.owner(slot)? {
                return Err(ChangeRefusal::SlotInUse { slot, node, slots }.into());
            }
        }
        let free = self.free_slots()?.first().copied();
        let copied = match (new, free) {
            (NewSlots::All, _) | (NewSlots::Auto, None) => None,
            (NewSlots::Auto | NewSlots::Free, Some(slot)) => self.recipe(slot),
            (NewSlots::Free, None) => {
                return Err(ChangeRefusal::NoFreeSlot { slots: before }.into());
            }
        };
        let count = usize::try_from(slots).unwrap_or(usize::MAX).min(NODE_IDS);
        for slot in before..slots {
            if let (None, Ok(slot)) = (&copied, u8::try_from(slot)) {
                let slot = BitmapIndex::new(slot);
                self.note(Note::AllSet { slot });
            }
        }
        self.recipes.resize(count, copied.unwrap_or(Recipe::all()));
        self.header.geometry.max_peers = slots;
        Ok(())
    }

    fn recipe(&self, slot: BitmapIndex) -> Option<Recipe> {
        self.recipes.get(usize::from(slot.get())).cloned()
    }

    pub(super) fn assign(&mut self, node: NodeId, slot: Option<BitmapIndex>) -> Result<()> {
        self.refuse_own(node)?;
        let slots = self.header.geometry.max_peers;
        let held = self.peer(node).map_or(-1, |peer| peer.bitmap_index);
        if held != -1 {
            return Err(ChangeRefusal::HasSlot { node, slot: held }.into());
        }
        let free = self.free_slots()?;
        let none_free = ChangeRefusal::NoFreeSlot { slots };
        let slot = match slot {
            None => *free.first().ok_or(none_free)?,
            Some(slot) if free.contains(&slot) => slot,
            Some(slot) => {
                let owner = self.owner(slot)?;
                return Err(match owner {
                    Some(node) => ChangeRefusal::SlotTaken { slot, node },
                    None => ChangeRefusal::NoSuchSlot { slot, slots },
                }
                .into());
            }
        };
        self.peer_mut(node)?.bitmap_index = i32::from(slot.get());
        Ok(())
    }

    /// Frees a peer's slot as the kernel does: it becomes a copy of a free one, or, where there is none or they differ, all set.
    ///
    /// Source: `clear_peer_slot` (`drbd_nl.c`).
    pub(super) fn forget(&mut self, node: NodeId, needs: &mut Needs<'_>) -> Result<()> {
        let held = self.peer(node).map_or(-1, |peer| peer.bitmap_index);
        // The own entry has no slot; where it has one, DRBD does not attach, and this is the way out.
        if held == -1 {
            self.refuse_own(node)?;
        }
        let flags = self.peer(node).map_or(0, |peer| peer.flags.0);
        if held == -1 && flags == 0 {
            return Err(ChangeRefusal::HasNoSlot { node }.into());
        }
        let free = self.free_slots()?;
        let fresh = self.fresh_recipe(&free, needs)?;
        let empty = self.free_entry()?;
        *self.peer_mut(node)? = empty;
        let Ok(slot) = u8::try_from(held) else {
            return Ok(());
        };
        let slot = BitmapIndex::new(slot);
        if fresh == Recipe::all() {
            // What differs among the free slots would be missed by the next peer, whichever it gets.
            for slot in free.into_iter().chain([slot]) {
                self.set_recipe(slot, Recipe::all());
                self.note(Note::AllSet { slot });
            }
        } else {
            self.set_recipe(slot, fresh);
        }
        Ok(())
    }

    fn set_recipe(&mut self, slot: BitmapIndex, recipe: Recipe) {
        if let Some(place) = self.recipes.get_mut(usize::from(slot.get())) {
            *place = recipe;
        }
    }

    /// What a freed slot becomes.
    fn fresh_recipe(&self, free: &[BitmapIndex], needs: &Needs<'_>) -> Result<Recipe> {
        let recipes: Vec<Recipe> = free.iter().filter_map(|slot| self.recipe(*slot)).collect();
        let Some((first, others)) = recipes.split_first() else {
            return Ok(Recipe::all());
        };
        for other in others {
            if !super::bitmap::agree(&self.before, first, other, needs.slots)? {
                return Ok(Recipe::all());
            }
        }
        Ok(first.clone())
    }

    /// An entry of a peer that is not known: what those that are free have.
    fn free_entry(&mut self) -> Result<PeerV09> {
        let generation = self.v09()?;
        let free = (0..NODE_IDS).find(|node| generation.is_day0_entry(*node));
        let like = free.and_then(|node| generation.peers.get(node).copied());
        Ok(PeerV09 {
            bitmap_index: -1,
            bitmap_uuid: like.map_or(Uuid::NONE, |peer| peer.bitmap_uuid),
            bitmap_dagtag: like.map_or(0, |peer| peer.bitmap_dagtag),
            flags: PeerFlags(0),
        })
    }

    /// Gives a clone an identity of its own.
    pub(super) fn rebrand(
        &mut self,
        generation: Rebrand,
        node: Option<NodeId>,
        needs: &mut Needs<'_>,
    ) -> Result<()> {
        let device = random_uuid(needs.random)?;
        match &mut self.header.generation {
            Generation::V07(_) => return Err(ChangeRefusal::V07.into()),
            Generation::V08(_) if node.is_some() => {
                let format = self.header.format();
                return Err(ChangeRefusal::OnlyV09 { format }.into());
            }
            Generation::V08(v08) => {
                v08.device_uuid = device;
                // Whom the one slot tracked is not this clone's peer.
                v08.uuids[1] = Uuid::NONE;
            }
            Generation::V09(v09) => v09.device_uuid = device,
        }
        if matches!(self.header.generation, Generation::V08(_)) {
            let slot = BitmapIndex::new(0);
            self.set_recipe(slot, Recipe::all());
            self.note(Note::AllSet { slot });
        } else {
            self.forget_all(needs)?;
            self.become_node(node)?;
        }
        if generation == Rebrand::Fresh {
            self.unrelated(needs)?;
        }
        Ok(())
    }

    /// Frees the slots of all peers.
    fn forget_all(&mut self, needs: &mut Needs<'_>) -> Result<()> {
        let own = node_id(self.v09()?.node_id);
        for node in 0..u8::try_from(NODE_IDS).unwrap_or(u8::MAX) {
            let node = NodeId::new(node);
            let known = self
                .peer(node)
                .is_some_and(|peer| peer.bitmap_index != -1 || peer.flags.0 != 0);
            if known && own != Some(node) {
                self.forget(node, needs)?;
            }
        }
        Ok(())
    }

    /// Makes the node id that of `node`, or nobody's, with an own entry like every other.
    fn become_node(&mut self, node: Option<NodeId>) -> Result<()> {
        let empty = self.free_entry()?;
        let generation = self.v09()?;
        let own = node_id(generation.node_id).map(|own| usize::from(own.get()));
        if let Some(entry) = own.and_then(|own| generation.peers.get_mut(own)) {
            *entry = empty;
        }
        generation.node_id = node.map_or(-1, |node| i32::from(node.get()));
        generation.members = 0;
        Ok(())
    }

    /// Another generation, without a history: what meets its source is unrelated.
    fn unrelated(&mut self, needs: &mut Needs<'_>) -> Result<()> {
        let current = random_uuid(needs.random)?;
        match &mut self.header.generation {
            Generation::V07(_) => {}
            Generation::V08(generation) => {
                generation.uuids = [current, Uuid::NONE, Uuid::NONE, Uuid::NONE];
            }
            Generation::V09(generation) => {
                generation.current_uuid = current;
                generation.history_uuids = [Uuid::NONE; HISTORY_UUIDS];
                for peer in &mut generation.peers {
                    peer.bitmap_uuid = Uuid::NONE;
                    peer.bitmap_dagtag = 0;
                }
            }
        }
        Ok(())
    }
}
