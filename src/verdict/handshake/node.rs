//! What attaching makes of a replica, as far as a handshake looks at it.

mod uuids;

use super::Family;
use super::disk::Disk;
use super::options::Options;
use super::replica::{Log, Replica};
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::{DeviceFlags, PeerFlags, Uuid};
use crate::units::{BitmapIndex, Sectors};
use crate::verdict::check::Kernel;
use uuids::{Uuids, unallocated};

/// How many past generations 8.4 keeps, and sends.
const HISTORY_8: usize = 2;

/// Whether two identifiers name the same generation: bit 0 says only who was Primary.
pub(super) const fn same(one: u64, other: u64) -> bool {
    one | 1 == other | 1
}

/// The flags of the device.
pub(super) fn flags(header: &Header) -> DeviceFlags {
    match &header.generation {
        Generation::V07(counters) => DeviceFlags(counters.0[0]),
        Generation::V08(generation) => generation.flags,
        Generation::V09(generation) => generation.flags,
    }
}

/// A replica, attached, and what it knows of its peer.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a flag of its own in DRBD, too"
)]
pub(super) struct Node<'a> {
    pub(super) replica: &'a Replica,
    /// The kernels that attached it.
    pub(super) family: Family,
    /// Its node id, and its place in the peer's table.
    pub(super) id: usize,
    pub(super) disk: Disk,
    /// Its role at connect.
    pub(super) primary: bool,
    /// It was to be promoted, and its disk does not allow it.
    pub(super) not_promoted: bool,
    pub(super) crashed: bool,
    pub(super) lost_quorum: bool,
    /// Whether it has quorum, where a policy is configured.
    pub(super) quorum: Option<bool>,
    pub(super) current: u64,
    /// Toward the peer.
    pub(super) bitmap: u64,
    pub(super) history: Vec<u64>,
    /// The slot toward the peer; nothing where none is free.
    pub(super) slot: Option<u8>,
    /// Everything is marked at attach, and why.
    pub(super) all_set: Option<Whole>,
    /// What attach makes of its bitmap where it never had a size.
    pub(super) never_sized: Option<NeverSized>,
    /// Bits toward the peer that the kernel counts at connect.
    pub(super) bits: u64,
    /// Bits toward the peer that are on disk, and that attach does not read.
    pub(super) unread: u64,
    /// By node id, what this node sends to its peer.
    told: Vec<Option<u64>>,
    /// By node id, own bitmap UUIDs.
    bitmaps: Vec<u64>,
}

/// Why attach marks everything out of sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Whole {
    /// A flag asks for it.
    Flag,
    /// It crashed while it was Primary, and no log was kept.
    CrashedWithoutLog,
    /// It never had a size.
    NeverSized,
}

/// What attach makes of a bitmap whose size was never agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeverSized {
    /// 8.4 marks everything.
    AllSet8,
    /// 9.2.18, 9.3.2 and later mark everything.
    AllSet9,
    /// 9.2.18, 9.3.2 and later do not read it, and begin with no bit set.
    Dropped,
    /// Older kernels of 9 read it all the same.
    Read,
}

impl NeverSized {
    /// What these kernels make of it; of 9.2 and 9.3 the newest are meant.
    fn of(header: &Header, family: Family, kernel: Option<Kernel>) -> Option<Self> {
        if header.la_size != Sectors::ZERO {
            return None;
        }
        let current = match &header.generation {
            Generation::V07(_) => return None,
            Generation::V08(generation) => generation.uuids[0],
            Generation::V09(generation) => generation.current_uuid,
        };
        let trusted =
            current.names_a_generation() && flags(header).contains(DeviceFlags::WAS_UP_TO_DATE);
        Some(match (family, kernel) {
            (Family::V8, _) => Self::AllSet8,
            (Family::V9, Some(Kernel::V9_0)) => Self::Read,
            (Family::V9, _) if trusted => Self::Dropped,
            (Family::V9, _) => Self::AllSet9,
        })
    }
}

/// How the last 64 bits are lost: 8.4 drops them where a slot's bits fill whole 64-bit words.
pub(super) fn loses_last_bits(replica: &Replica, family: Family) -> bool {
    family == Family::V8
        && replica.header.la_size != Sectors::ZERO
        && replica.header.la_size.get().is_multiple_of(512)
}

impl<'a> Node<'a> {
    /// What attaching, and promoting, makes of it.
    pub(super) fn attached(
        replica: &'a Replica,
        id: usize,
        peer: usize,
        options: &Options,
        family: Family,
        primary: bool,
    ) -> Self {
        let header = &replica.header;
        let flags = flags(header);
        let has = |flag| flags.contains(flag);
        let disk = Disk::at_attach(header, family);
        let crashed = has_crashed(header, family);
        let lost = has(DeviceFlags::PRIMARY_LOST_QUORUM) && !has(DeviceFlags::HAVE_QUORUM);
        let quorum = match options.quorum {
            Some(false) => None,
            Some(true) => Some(has(DeviceFlags::HAVE_QUORUM)),
            None => lost.then_some(false),
        };
        let uuids = Uuids::of(header, id, peer, family);
        let never_sized = NeverSized::of(header, family, options.kernel);
        let mut node = Self {
            replica,
            family,
            id,
            disk,
            primary: primary && disk == Disk::UpToDate,
            not_promoted: primary && disk != Disk::UpToDate,
            crashed,
            lost_quorum: lost && options.quorum != Some(false),
            quorum,
            current: uuids.current,
            bitmap: uuids.bitmaps.get(peer).copied().unwrap_or_default(),
            history: uuids.history,
            slot: uuids.slot,
            all_set: marked_whole(header, peer, crashed, never_sized),
            never_sized,
            bits: 0,
            unread: 0,
            told: uuids.told,
            bitmaps: uuids.bitmaps,
        };
        (node.bits, node.unread) = node.counted(family);
        node
    }

    /// Bits toward the peer that the kernel finds after attach, and those that it does not read.
    fn counted(&self, family: Family) -> (u64, u64) {
        if self.all_set.is_some() {
            let geometry = &self.replica.header.geometry;
            let all = geometry.bits(self.replica.covered());
            return (all.unwrap_or_default(), 0);
        }
        let slot = self.slot.map(usize::from);
        let found = slot.and_then(|slot| self.replica.slots.get(slot));
        let found = found.copied().unwrap_or_default();
        if self.never_sized == Some(NeverSized::Dropped) {
            return (0, found);
        }
        if loses_last_bits(self.replica, family) {
            return (found.saturating_sub(self.replica.last_bits), 0);
        }
        (found, 0)
    }

    /// Whether attach reads its bitmap.
    pub(super) const fn reads_bitmap(&self) -> bool {
        self.all_set.is_none() && !matches!(self.never_sized, Some(NeverSized::Dropped))
    }

    /// 8.4 starts a new generation where it is promoted while it has no bitmap UUID.
    pub(super) fn promoted_8(&mut self, fresh: u64) {
        if self.family == Family::V8 && self.primary && self.bitmap == 0 {
            self.bitmap = self.current;
            self.current = fresh;
        }
    }

    pub(super) const fn is_fresh(&self) -> bool {
        same(self.current, Uuid::JUST_CREATED.0)
    }

    pub(super) const fn is_none(&self) -> bool {
        same(self.current, 0)
    }

    /// DRBD 9 takes none for a fresh one.
    pub(super) const fn is_fresh_9(&self) -> bool {
        self.is_fresh() || self.is_none()
    }

    /// An entry of the history, 0 where there is none.
    pub(super) fn past(&self, number: usize) -> u64 {
        self.history.get(number).copied().unwrap_or_default()
    }

    /// Whether its current generation is in the other's history.
    pub(super) fn is_past_of(&self, other: &Self) -> bool {
        other.history.iter().any(|past| same(*past, self.current))
    }

    /// What it sends to its peer of the generation that its slot for a node counts from.
    pub(super) fn told(&self, node: usize) -> Option<u64> {
        self.told.get(node).copied().flatten()
    }

    /// All that it sends.
    pub(super) fn told_any(&self) -> impl Iterator<Item = u64> {
        self.told.iter().copied().flatten()
    }

    /// The node whose slot counts from a generation.
    pub(super) fn other_slot_of(&self, uuid: u64) -> Option<usize> {
        let mut nodes = self.bitmaps.iter().enumerate();
        nodes
            .find(|(node, bitmap)| *node != self.id && same(**bitmap, uuid))
            .map(|(node, _)| node)
    }

    /// Whether a node has a slot of its own here.
    pub(super) fn has_slot(&self, node: usize) -> bool {
        match &self.replica.header.generation {
            Generation::V09(generation) => generation
                .peers
                .get(node)
                .is_some_and(|entry| entry.bitmap_index >= 0),
            _ => true,
        }
    }

    /// What a peer is told by the protocol of 8.4, which has room for two past generations.
    pub(super) fn as_8_is_told(&self) -> Self {
        let mut told = self.clone();
        told.history.truncate(HISTORY_8);
        told
    }

    /// The slot that is copied for the peer where another node's counts from its generation; nothing where there is none.
    pub(super) fn copied_slot(&self, uuid: u64, peer: usize) -> Option<u8> {
        let node = self.other_slot_of(uuid)?;
        let Generation::V09(generation) = &self.replica.header.generation else {
            return self.slot;
        };
        let own = generation.peers.get(node)?.bitmap_index;
        let slots = self.replica.header.geometry.max_peers;
        match u8::try_from(own) {
            Ok(slot) => Some(slot),
            Err(_) => unallocated(&generation.peers, self.slot.map(|slot| (peer, slot)), slots),
        }
    }

    /// Whether its log was not seen, so that it may have more bits.
    pub(super) fn may_have_more(&self) -> bool {
        let unseen = self.replica.log == Log::Missing || !self.replica.has_bitmap();
        unseen && self.reads_bitmap()
    }

    /// The slot as a number of its own.
    pub(super) fn slot_index(&self) -> Option<BitmapIndex> {
        self.slot.map(BitmapIndex::new)
    }
}

/// Whether attach marks everything out of sync, and why.
fn marked_whole(
    header: &Header,
    peer: usize,
    crashed: bool,
    never_sized: Option<NeverSized>,
) -> Option<Whole> {
    let told = match &header.generation {
        Generation::V09(generation) => {
            let entry = generation.peers.get(peer);
            entry.is_some_and(|entry| entry.flags.0 & PeerFlags::FULL_SYNC.0 != 0)
        }
        _ => flags(header).contains(DeviceFlags::FULL_SYNC),
    };
    let all = matches!(never_sized, Some(NeverSized::AllSet8 | NeverSized::AllSet9));
    [
        (told, Whole::Flag),
        (
            crashed_without_log(header, crashed),
            Whole::CrashedWithoutLog,
        ),
        (all, Whole::NeverSized),
    ]
    .into_iter()
    .find_map(|(holds, why)| holds.then_some(why))
}

/// Whether it crashed while it was Primary.
pub(super) fn has_crashed(header: &Header, family: Family) -> bool {
    let flags = flags(header);
    flags.contains(DeviceFlags::CRASHED_PRIMARY)
        || family == Family::V8 && flags.contains(DeviceFlags::PRIMARY_IND)
}

/// Whether nothing noted what it wrote when it crashed.
pub(super) fn crashed_without_log(header: &Header, crashed: bool) -> bool {
    crashed && flags(header).contains(DeviceFlags::AL_DISABLED)
}
