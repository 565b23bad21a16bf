//! What is to be built: one resource of a stack.

use std::collections::BTreeMap;
use std::ops::Range;

use super::plan::Plan;
use super::superblock::{MAGIC_84_UNCLEAN, MAGIC_V07, MAGIC_V08, MAGIC_V09};
use crate::error::{Expected, Field, Misfit};
use crate::units::{BitmapIndex, BmBit, Bytes, DevPos, NodeId, Sectors};

/// `MDF_CONSISTENT | MDF_WAS_UP_TO_DATE`: a disk that took part.
const FLAGS_USED: u32 = 0x11;
/// `MDF_AL_CLEAN`: the activity log was applied.
const AL_CLEAN: u32 = 0x80;
/// `MDF_PEER_DEVICE_SEEN | MDF_NODE_EXISTS`: a peer that was connected.
const PEER_FLAGS_USED: u32 = 0x1_0010;

/// The size a superblock gives its DRBD device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaSize {
    /// As large as fits.
    #[default]
    Full,
    /// 0: it was never attached.
    Zero,
    /// Just this, though it be more than fits; v07 has only whole KiB of it.
    Exactly(Sectors),
}

/// A peer's entry in a v09 superblock. The default is an entry never used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `bitmap_uuid`.
    pub bitmap_uuid: u64,
    /// `bitmap_dagtag`.
    pub bitmap_dagtag: u64,
    /// `flags`.
    pub flags: u32,
    /// `bitmap_index`; -1 for none. Any number is written, one that is no slot as well.
    pub bitmap_index: i32,
}

impl Default for Peer {
    fn default() -> Self {
        Self {
            bitmap_uuid: 0,
            bitmap_dagtag: 0,
            flags: 0,
            bitmap_index: -1,
        }
    }
}

impl Peer {
    /// A peer that was connected, with that bitmap slot.
    #[must_use]
    pub fn in_slot(slot: BitmapIndex) -> Self {
        Self {
            flags: PEER_FLAGS_USED,
            bitmap_index: slot.get().into(),
            ..Self::default()
        }
    }
}

/// Which rules a resource's metadata follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rules {
    /// v07, 128 MiB at the device's end.
    V07Fixed,
    /// v07, as much as needed at the device's end.
    V07Flex,
    V08,
    V09,
}

/// One resource: what its superblock says, and what is out of sync.
///
/// Start from [`Self::v07`], [`Self::v07_flex`], [`Self::v08`] or [`Self::v09`], which describe a resource in good order as large as fits,
/// and change what matters.
#[derive(Clone, Debug)]
pub struct Level {
    pub(super) rules: Rules,
    pub(super) magic: u32,
    pub(super) max_peers: u8,
    pub(super) bytes_per_bit: Bytes,
    pub(super) al_stripes: u32,
    pub(super) al_stripe_size_4k: u32,
    pub(super) la_size: LaSize,
    pub(super) device_uuid: Option<u64>,
    pub(super) current_uuid: Option<u64>,
    pub(super) bitmap_uuid: u64,
    pub(super) history_uuids: Option<Vec<u64>>,
    pub(super) generation_counters: [u32; 5],
    pub(super) flags: u32,
    pub(super) members: u64,
    pub(super) node_id: Option<NodeId>,
    pub(super) peers: Option<BTreeMap<NodeId, Peer>>,
    pub(super) al_nr_extents: u32,
    pub(super) la_peer_max_bio_size: u32,
    pub(super) log: Option<Vec<u8>>,
    pub(super) dirty: Vec<(BitmapIndex, Range<DevPos>)>,
    pub(super) words: Vec<(BitmapIndex, BmBit, Vec<u32>)>,
}

impl Level {
    /// v07 with its fixed 128 MiB.
    #[must_use]
    pub fn v07() -> Self {
        Self {
            flags: 0,
            ..Self::new(Rules::V07Fixed, MAGIC_V07)
        }
    }

    /// v07 with as much metadata as needed.
    #[must_use]
    pub fn v07_flex() -> Self {
        Self {
            rules: Rules::V07Flex,
            ..Self::v07()
        }
    }

    /// v08, its activity log applied.
    #[must_use]
    pub fn v08() -> Self {
        Self::new(Rules::V08, MAGIC_V08)
    }

    /// v09 with so many bitmap slots. It is node 0, and the nodes from 1 on have the slots.
    #[must_use]
    pub fn v09(max_peers: u8) -> Self {
        Self {
            max_peers,
            node_id: Some(NodeId::new(0)),
            ..Self::new(Rules::V09, MAGIC_V09)
        }
    }

    fn new(rules: Rules, magic: u32) -> Self {
        Self {
            rules,
            magic,
            max_peers: 1,
            bytes_per_bit: Bytes::new(4096),
            al_stripes: 1,
            al_stripe_size_4k: 8,
            la_size: LaSize::Full,
            device_uuid: None,
            current_uuid: None,
            bitmap_uuid: 0,
            history_uuids: None,
            generation_counters: [1; 5],
            flags: FLAGS_USED | AL_CLEAN,
            members: 0,
            node_id: None,
            peers: None,
            al_nr_extents: 1237,
            la_peer_max_bio_size: 0x10_0000,
            log: None,
            dirty: Vec::new(),
            words: Vec::new(),
        }
    }

    /// As `drbdmeta create-md` leaves it: no size agreed, a generation just created, no node id and no peers.
    #[must_use]
    pub fn just_created(self) -> Self {
        Self {
            la_size: LaSize::Zero,
            device_uuid: Some(0),
            current_uuid: Some(4),
            bitmap_uuid: 0,
            history_uuids: Some(Vec::new()),
            generation_counters: [0, 1, 1, 1, 1],
            flags: AL_CLEAN,
            members: 0,
            node_id: None,
            peers: Some(BTreeMap::new()),
            al_nr_extents: 257,
            la_peer_max_bio_size: 0,
            ..self
        }
    }

    /// As a kernel leaves it, even when it is stopped in good order: the activity log is still to be applied.
    ///
    /// v08 gets the magic of 8.4 for that, v08 and v09 lose `MDF_AL_CLEAN`, v07 has neither.
    #[must_use]
    pub fn unclean(mut self) -> Self {
        self.flags &= !AL_CLEAN;
        if self.rules == Rules::V08 {
            self.magic = MAGIC_84_UNCLEAN;
        }
        self
    }

    /// Another magic, whatever it is.
    #[must_use]
    pub fn magic(self, magic: u32) -> Self {
        Self { magic, ..self }
    }

    /// Another granularity of the bitmap; only v09 has one.
    #[must_use]
    pub fn bytes_per_bit(self, bytes_per_bit: Bytes) -> Self {
        Self {
            bytes_per_bit,
            ..self
        }
    }

    /// Another shape of the activity log. 0 and 0, as 8.3 leaves them, are written so and mean 1 and 8.
    #[must_use]
    pub fn striping(self, al_stripes: u32, al_stripe_size_4k: u32) -> Self {
        Self {
            al_stripes,
            al_stripe_size_4k,
            ..self
        }
    }

    /// Another agreed size.
    #[must_use]
    pub fn la_size(self, la_size: LaSize) -> Self {
        Self { la_size, ..self }
    }

    /// `device_uuid`; otherwise one that tells the levels of a stack apart.
    #[must_use]
    pub fn device_uuid(mut self, uuid: u64) -> Self {
        self.device_uuid = Some(uuid);
        self
    }

    /// The current UUID; otherwise one that tells the levels of a stack apart.
    #[must_use]
    pub fn current_uuid(mut self, uuid: u64) -> Self {
        self.current_uuid = Some(uuid);
        self
    }

    /// v08's bitmap UUID; v09 has one in each [`Peer`].
    #[must_use]
    pub fn bitmap_uuid(self, bitmap_uuid: u64) -> Self {
        Self {
            bitmap_uuid,
            ..self
        }
    }

    /// The history, the youngest first: v08 has room for 2, v09 for 32, and more are not written.
    #[must_use]
    pub fn history_uuids(mut self, uuids: &[u64]) -> Self {
        self.history_uuids = Some(uuids.to_vec());
        self
    }

    /// v07's `gc`: flags, human, timeout, connected and arbitrary count.
    #[must_use]
    pub fn generation_counters(self, generation_counters: [u32; 5]) -> Self {
        Self {
            generation_counters,
            ..self
        }
    }

    /// The flags, `MDF_AL_CLEAN` (0x80) among them; v07's are the first of [`Self::generation_counters`].
    #[must_use]
    pub fn flags(self, flags: u32) -> Self {
        Self { flags, ..self }
    }

    /// v09's `members`.
    #[must_use]
    pub fn members(self, members: u64) -> Self {
        Self { members, ..self }
    }

    /// v09's own node id; any number is written.
    #[must_use]
    pub fn node_id(mut self, node_id: NodeId) -> Self {
        self.node_id = Some(node_id);
        self
    }

    /// An entry for that node in v09; from the first call on only nodes that were given have one.
    #[must_use]
    pub fn peer(mut self, node_id: NodeId, peer: Peer) -> Self {
        self.peers
            .get_or_insert_with(BTreeMap::new)
            .insert(node_id, peer);
        self
    }

    /// `al_nr_extents`.
    #[must_use]
    pub fn al_nr_extents(self, al_nr_extents: u32) -> Self {
        Self {
            al_nr_extents,
            ..self
        }
    }

    /// `la_peer_max_bio_size`.
    #[must_use]
    pub fn la_peer_max_bio_size(self, la_peer_max_bio_size: u32) -> Self {
        Self {
            la_peer_max_bio_size,
            ..self
        }
    }

    /// The activity log's bytes from its start, in place of an initialised log.
    #[must_use]
    pub fn activity_log(mut self, bytes: &[u8]) -> Self {
        self.log = Some(bytes.to_vec());
        self
    }

    /// Marks what bytes of the DRBD device are out of sync for the peer of that slot; what lies beyond its end has no bit.
    #[must_use]
    pub fn dirty(mut self, slot: BitmapIndex, bytes: Range<DevPos>) -> Self {
        self.dirty.push((slot, bytes));
        self
    }

    /// Adds 32-bit words to a slot's bitmap, the first one that which holds bit `from`. Unlike [`Self::dirty`] this may set bits beyond the
    /// device's end, where kernels leave them.
    #[must_use]
    pub fn words(mut self, slot: BitmapIndex, from: BmBit, words: &[u32]) -> Self {
        self.words.push((slot, from, words.to_vec()));
        self
    }

    pub(super) fn is_v07(&self) -> bool {
        matches!(self.rules, Rules::V07Fixed | Rules::V07Flex)
    }

    /// The activity log, where it is not the initialised one.
    pub(super) fn log_bytes(&self, plan: &Plan) -> Result<Option<&[u8]>, Misfit> {
        let Some(bytes) = self.log.as_deref() else {
            return Ok(None);
        };
        let (found, room) = (Bytes::of_len(bytes.len()), plan.al_size);
        if found > room {
            let blocks = |size: Bytes| i128::from(size.get().div_ceil(4096));
            return Err(Misfit {
                field: Field::AlBlocks,
                found: blocks(found),
                expected: Expected::AtMost(blocks(room)),
            });
        }
        Ok(Some(bytes))
    }
}
