//! Changes of single fields.

use super::{Change, ChangeRefusal, Edited, Needs, NewUuid, Note};
use crate::error::Result;
use crate::format::metadata::{Generation, HISTORY_UUIDS, PeerV09};
use crate::format::superblock::{DeviceFlags, Format, PeerFlags, Uuid, node_id};
use crate::surgery::place::PlaceRefusal;
use crate::units::{NodeId, Sectors};

impl Edited {
    /// Exchanges the own entry and that of `target`, as `sed` on a dump does; what is missing is noted, not set.
    pub(super) fn node_id(&mut self, target: NodeId) -> Result<()> {
        let before = self.header.node_id();
        self.v09()?;
        let moved = self.header.move_to_node(target).map_err(|error| {
            let Some(PlaceRefusal::OwnSlot { node, found }) = error.refusal() else {
                return error;
            };
            // Whose entry it is as long as nothing is exchanged.
            let (node, slot) = (before.unwrap_or(*node), *found);
            ChangeRefusal::OwnSlot { node, slot }.into()
        })?;
        if let Some(from) = moved.or(before) {
            if moved.is_some() {
                self.note(Note::Exchanged { from, to: target });
            }
            let seen = self.peer(from).is_some_and(|peer| {
                PeerFlags(peer.flags.0 & PeerFlags::DEVICE_SEEN.0) == PeerFlags::DEVICE_SEEN
            });
            if moved.is_some() && !seen {
                self.note(Note::NotSeen { node: from });
            }
        }
        Ok(())
    }

    pub(super) fn swap_nodes(&mut self, one: NodeId, other: NodeId) -> Result<()> {
        for node in [one, other] {
            self.refuse_own(node)?;
        }
        let (first, second) = (usize::from(one.get()), usize::from(other.get()));
        let peers = &mut self.v09()?.peers;
        if first.max(second) < peers.len() {
            peers.swap(first, second);
        }
        self.note(Note::Exchanged {
            from: one,
            to: other,
        });
        Ok(())
    }

    pub(super) fn bytes_per_bit(&mut self, bytes: u32) {
        self.header.geometry.bytes_per_bit = bytes;
        if bytes != 4096 {
            self.note(Note::Only93);
        }
    }

    pub(super) fn la_size(&mut self, size: Sectors, needs: &Needs<'_>) -> Result<()> {
        let before = self.before.la_size;
        if size == Sectors::ZERO {
            // Without a size there is no bitmap.
            self.refuse_lost_bits(true, needs)?;
        }
        if let Some(by) = size.checked_sub(before).filter(|by| *by > Sectors::ZERO)
            && before > Sectors::ZERO
        {
            self.note(Note::Grown { by });
        }
        if let Some(by) = before.checked_sub(size).filter(|by| *by > Sectors::ZERO) {
            self.note(Note::Shrunk { by });
        }
        self.header.la_size = size;
        Ok(())
    }

    pub(super) fn flag(&mut self, flag: DeviceFlags, set: bool) -> Result<()> {
        let format = self.header.format();
        if flag.named(format).unknown != 0 {
            return Err(ChangeRefusal::NoSuchFlag { flag, format }.into());
        }
        let flags = match &mut self.header.generation {
            Generation::V07(_) => return Err(ChangeRefusal::V07.into()),
            Generation::V08(generation) => &mut generation.flags,
            Generation::V09(generation) => &mut generation.flags,
        };
        flags.0 = if set {
            flags.0 | flag.0
        } else {
            flags.0 & !flag.0
        };
        Ok(())
    }

    pub(super) fn peer_flag(&mut self, node: NodeId, flag: PeerFlags, set: bool) -> Result<()> {
        let flags = &mut self.peer_mut(node)?.flags;
        flags.0 = if set {
            flags.0 | flag.0
        } else {
            flags.0 & !flag.0
        };
        Ok(())
    }

    pub(super) fn current_uuid(&mut self, uuid: NewUuid, needs: &mut Needs<'_>) -> Result<()> {
        let uuid = uuid.make(needs.random)?;
        match &mut self.header.generation {
            Generation::V07(_) => return Err(ChangeRefusal::V07.into()),
            Generation::V08(generation) => generation.uuids[0] = uuid,
            Generation::V09(generation) => generation.current_uuid = uuid,
        }
        Ok(())
    }

    pub(super) fn bitmap_uuid(
        &mut self,
        node: Option<NodeId>,
        uuid: NewUuid,
        needs: &mut Needs<'_>,
    ) -> Result<()> {
        let uuid = uuid.make(needs.random)?;
        match (&mut self.header.generation, node) {
            (Generation::V08(generation), None) => generation.uuids[1] = uuid,
            (Generation::V09(_), Some(node)) => self.peer_mut(node)?.bitmap_uuid = uuid,
            (Generation::V09(_), None) => return Err(ChangeRefusal::WhichPeer.into()),
            (Generation::V08(_), Some(_)) => {
                let format = Format::V08;
                return Err(ChangeRefusal::OnlyV09 { format }.into());
            }
            (Generation::V07(_), _) => return Err(ChangeRefusal::V07.into()),
        }
        Ok(())
    }

    pub(super) fn history(&mut self, uuids: &[Uuid]) -> Result<()> {
        let places: &mut [Uuid] = match &mut self.header.generation {
            Generation::V07(_) => return Err(ChangeRefusal::V07.into()),
            Generation::V08(generation) => &mut generation.uuids[2..],
            Generation::V09(generation) => &mut generation.history_uuids[..HISTORY_UUIDS],
        };
        if uuids.len() > places.len() {
            return Err(ChangeRefusal::History {
                found: uuids.len(),
                most: places.len(),
            }
            .into());
        }
        let given = uuids.iter().copied().chain(std::iter::repeat(Uuid::NONE));
        for (place, uuid) in places.iter_mut().zip(given) {
            *place = uuid;
        }
        Ok(())
    }

    pub(super) fn device_uuid(&mut self, uuid: NewUuid, needs: &mut Needs<'_>) -> Result<()> {
        let uuid = uuid.make(needs.random)?;
        match &mut self.header.generation {
            Generation::V07(_) => return Err(ChangeRefusal::V07.into()),
            Generation::V08(generation) => generation.device_uuid = uuid,
            Generation::V09(generation) => generation.device_uuid = uuid,
        }
        Ok(())
    }

    pub(super) fn peer(&self, node: NodeId) -> Option<&PeerV09> {
        match &self.header.generation {
            Generation::V09(generation) => generation.peers.get(usize::from(node.get())),
            Generation::V07(_) | Generation::V08(_) => None,
        }
    }

    pub(super) fn peer_mut(&mut self, node: NodeId) -> Result<&mut PeerV09> {
        let peers = &mut self.v09()?.peers;
        let missing = ChangeRefusal::HasNoSlot { node };
        Ok(peers.get_mut(usize::from(node.get())).ok_or(missing)?)
    }

    /// Refuses the own node where a peer is meant.
    pub(super) fn refuse_own(&mut self, node: NodeId) -> Result<()> {
        if node_id(self.v09()?.node_id) == Some(node) {
            return Err(ChangeRefusal::OwnNode { node }.into());
        }
        Ok(())
    }
}

impl Change {
    /// Whether it needs a disk that is up to date with its log.
    #[must_use]
    pub const fn needs_clean(&self) -> bool {
        matches!(self, Self::NewGeneration { .. })
    }
}
