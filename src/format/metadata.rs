//! A resource's metadata, free of its format and its place: the currency between disk, text and surgery.
//!
//! [`Header`] holds what a superblock says of the resource; a [`Bitmap`] gives each slot as a stream of 32-bit words that is never held
//! whole. Export prints it, import writes it, and whatever edits, converts or compares metadata works on it. Where things lie is not
//! here: that is [`crate::format::layout`]'s, made anew for each target.

mod compose;
mod day0;
mod rewrite;

pub use day0::Day0;

use crate::error::Result;
use crate::format::layout::MdGeometry;
use crate::format::superblock::{AlState, DeviceFlags, Format, PeerFlags, Superblock, Uuid};
use crate::units::{BitmapIndex, Sectors};

/// Entries in a v09 superblock's table of peers, one for each node id.
pub const NODE_IDS: usize = 32;
/// `HISTORY_UUIDS` (`drbd_meta_data.h`).
pub const HISTORY_UUIDS: usize = 32;

/// What a superblock says of its resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Slots, granularity and the activity log's shape.
    pub geometry: MdGeometry,
    /// Last agreed size of the DRBD device; nothing where it never had one.
    pub la_size: Sectors,
    /// Size of the activity log's table of active extents; the text format carries it as a comment only.
    pub al_nr_extents: u32,
    /// Whether the bitmap alone shows what is out of sync.
    pub al_state: AlState,
    /// What differs between formats.
    pub generation: Generation,
}

/// How each format tells one generation of the data from another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Generation {
    /// DRBD 0.7.
    V07(CountersV07),
    /// DRBD 8.
    V08(GenerationV08),
    /// DRBD 9.
    V09(Box<GenerationV09>),
}

/// v07's generation counters: flags, human, timeout, connected, arbitrary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CountersV07(pub [u32; 5]);

/// v08's generation identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerationV08 {
    /// Current, bitmap, history 0, history 1.
    pub uuids: [Uuid; 4],
    /// `MDF_*`.
    pub flags: DeviceFlags,
    /// Identifier of this device's metadata.
    pub device_uuid: Uuid,
    /// `la_peer_max_bio_size`, in bytes.
    pub la_peer_max_bio_size: u32,
}

/// v09's generation identifiers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenerationV09 {
    /// Own node id, −1 where unset.
    pub node_id: i32,
    /// The data's current generation.
    pub current_uuid: Uuid,
    /// `MDF_*`.
    pub flags: DeviceFlags,
    /// Mask of the node ids in the partition at the last write.
    pub members: u64,
    /// By node id.
    pub peers: [PeerV09; NODE_IDS],
    /// Newest first.
    pub history_uuids: [Uuid; HISTORY_UUIDS],
    /// Identifier of this device's metadata.
    pub device_uuid: Uuid,
    /// `la_peer_max_bio_size`, in bytes.
    pub la_peer_max_bio_size: u32,
}

/// What v09 keeps of each peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerV09 {
    /// Its bitmap slot as on disk: −1 where it has none; other values may be nonsense.
    pub bitmap_index: i32,
    /// The generation its slot counts from.
    pub bitmap_uuid: Uuid,
    /// `bitmap_dagtag`, in sectors written.
    pub bitmap_dagtag: u64,
    /// `MDF_PEER_*`.
    pub flags: PeerFlags,
}

impl Header {
    /// What a superblock says, nothing judged and nothing clipped.
    #[must_use]
    pub fn of(superblock: &Superblock) -> Self {
        let generation = match superblock {
            Superblock::V07(sb) => Generation::V07(CountersV07(sb.gc)),
            Superblock::V08(sb) => Generation::V08(GenerationV08 {
                uuids: sb.uuid.map(Uuid),
                flags: DeviceFlags(sb.flags),
                device_uuid: Uuid(sb.device_uuid),
                la_peer_max_bio_size: sb.la_peer_max_bio_size,
            }),
            Superblock::V09(sb) => Generation::V09(Box::new(GenerationV09 {
                node_id: sb.node_id,
                current_uuid: Uuid(sb.current_uuid),
                flags: DeviceFlags(sb.flags),
                members: sb.members,
                peers: sb.peers.map(|peer| PeerV09 {
                    bitmap_index: peer.bitmap_index,
                    bitmap_uuid: Uuid(peer.bitmap_uuid),
                    bitmap_dagtag: peer.bitmap_dagtag,
                    flags: PeerFlags(peer.flags),
                }),
                history_uuids: sb.history_uuids.map(Uuid),
                device_uuid: Uuid(sb.device_uuid),
                la_peer_max_bio_size: sb.la_peer_max_bio_size,
            })),
        };
        Self {
            geometry: superblock.geometry(),
            la_size: superblock.la_size(),
            al_nr_extents: superblock.al_nr_extents(),
            al_state: superblock.al_state(),
            generation,
        }
    }

    /// The same, where the activity log is applied to the bitmap.
    #[must_use]
    pub fn with_log_applied(mut self) -> Self {
        self.al_state = AlState::Clean;
        match &mut self.generation {
            // It has no place to say so.
            Generation::V07(_) => {}
            Generation::V08(generation) => generation.flags.0 |= DeviceFlags::AL_CLEAN.0,
            Generation::V09(generation) => generation.flags.0 |= DeviceFlags::AL_CLEAN.0,
        }
        self
    }

    /// The format this generation belongs to.
    #[must_use]
    pub const fn format(&self) -> Format {
        match self.generation {
            Generation::V07(_) => Format::V07,
            Generation::V08(_) => Format::V08,
            Generation::V09(_) => Format::V09,
        }
    }

    /// The slots that peers are assigned to, each once, lowest first; before v09 the only one.
    #[must_use]
    pub fn assigned_slots(&self) -> Vec<BitmapIndex> {
        let Generation::V09(generation) = &self.generation else {
            return vec![BitmapIndex::new(0)];
        };
        let assigned = |slot: &BitmapIndex| {
            generation
                .peers
                .iter()
                .any(|peer| peer.bitmap_index == i32::from(slot.get()))
        };
        self.geometry.slots().filter(assigned).collect()
    }
}

/// Some consecutive words of one slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Run<'a> {
    /// These words.
    Words(&'a [u32]),
    /// One word, `count` times; `count` is not 0.
    Repeat {
        /// How many times.
        count: u64,
        /// Which word.
        word: u32,
    },
}

/// One slot's 32-bit words, from the device's start on; the lowest bit of each stands for the lowest sectors.
pub trait SlotWords {
    /// The next words, or `None` after the last.
    ///
    /// # Errors
    ///
    /// Errors of reading them.
    fn next_run(&mut self) -> Result<Option<Run<'_>>>;
}

/// All slots of one resource's bitmap.
pub trait Bitmap {
    /// The words of one slot, of which only those that la-size needs (all slots' together rounded up to 4 KiB).
    ///
    /// Slots are asked for in order, each at most once; a bitmap on disk gives any slot at any time.
    ///
    /// # Errors
    ///
    /// Errors of reading them.
    fn slot(&mut self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>>;
}
