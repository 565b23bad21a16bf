//! Moving metadata to another node: whose id is whose.

use super::place::PlaceRefusal;
use crate::error::Result;
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::{DeviceFlags, PeerFlags, node_id};
use crate::units::NodeId;

impl Header {
    /// The node whose metadata it is, where it is v09 and says so.
    #[must_use]
    pub fn node_id(&self) -> Option<NodeId> {
        match &self.generation {
            Generation::V09(generation) => node_id(generation.node_id),
            Generation::V07(_) | Generation::V08(_) => None,
        }
    }

    /// Makes this the metadata of node `target`, where it was another's: the own id changes, and the entries of the two are exchanged.
    ///
    /// What tracked the target on the source tracks the source on the target. Bitmaps stay: entries name their slots. Returns the node that
    /// it came from, where it is another and the metadata says so.
    ///
    /// # Errors
    ///
    /// [`PlaceRefusal::NoNodeIds`] before v09; [`PlaceRefusal::OwnSlot`] where the target's entry would have a bitmap slot, with which DRBD
    /// does not attach.
    pub fn move_to_node(&mut self, target: NodeId) -> Result<Option<NodeId>> {
        let format = self.format();
        let Generation::V09(generation) = &mut self.generation else {
            return Err(PlaceRefusal::NoNodeIds { format }.into());
        };
        let source = node_id(generation.node_id).filter(|source| *source != target);
        if let Some(source) = source {
            let (one, other) = (usize::from(source.get()), usize::from(target.get()));
            if one.max(other) < generation.peers.len() {
                generation.peers.swap(one, other);
            }
        }
        let own = generation.peers.get(usize::from(target.get()));
        if let Some(own) = own
            && own.bitmap_index != -1
        {
            return Err(PlaceRefusal::OwnSlot {
                node: target,
                found: own.bitmap_index,
            }
            .into());
        }
        generation.node_id = i32::from(target.get());
        Ok(source)
    }

    /// Notes that node `peer` had a disk once (`MDF_PEER_DEVICE_SEEN`), so that la-size holds until it is heard of.
    ///
    /// Without that DRBD 9 takes all of a larger disk, and the peer then refuses to connect: its own is too small.
    pub fn note_disk_seen(&mut self, peer: NodeId) {
        if let Generation::V09(generation) = &mut self.generation
            && let Some(entry) = generation.peers.get_mut(usize::from(peer.get()))
        {
            entry.flags = PeerFlags(entry.flags.0 | PeerFlags::DEVICE_SEEN.0);
        }
    }

    /// Replaces the device's flags.
    ///
    /// # Errors
    ///
    /// [`PlaceRefusal::NoFlags`] for v07, which has five counters in their place.
    pub fn replace_flags(&mut self, flags: DeviceFlags) -> Result<()> {
        let format = self.format();
        match &mut self.generation {
            Generation::V07(_) => return Err(PlaceRefusal::NoFlags { format }.into()),
            Generation::V08(generation) => generation.flags = flags,
            Generation::V09(generation) => generation.flags = flags,
        }
        Ok(())
    }
}
