//! A superblock's fields as they are on disk, by the names and in the form of drbdmeta's `dump-superblock`.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::format::ondisk::{PeerV09, SuperblockV07, SuperblockV08, SuperblockV09};
use crate::format::superblock::Superblock;

/// Bytes of a superblock.
const LEN: usize = 4096;

/// Every field.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum SuperblockView {
    V07(V07),
    V08(Box<V08>),
    V09(Box<V09>),
}

/// `struct md_on_disk_07`, which drbdmeta does not print so: the names are the structure's.
#[derive(Serialize)]
pub(crate) struct V07 {
    la_kb: u64,
    gc: [u32; 5],
    magic: String,
    md_size_kb: u32,
    al_offset: i32,
    al_nr_extents: u32,
    bm_offset: i32,
    padding: Padding,
}

/// What v08 and v09 begin with.
#[derive(Serialize)]
pub(crate) struct Common {
    effective_size: u64,
    current_uuid: String,
    device_uuid: String,
    flags: String,
    pub(crate) magic: String,
    md_size_sect: u32,
    al_offset: i32,
    al_nr_extents: u32,
    bm_offset: i32,
    bm_bytes_per_bit: u32,
    pub(crate) la_peer_max_bio_size: u32,
    al_stripes: u32,
    al_stripe_size_4k: u32,
}

#[derive(Serialize)]
pub(crate) struct V08 {
    #[serde(flatten)]
    pub(crate) common: Common,
    peers: [Bitmap; 1],
    history_uuids: Vec<String>,
    reserved_u64: [String; 1],
    padding: Padding,
}

#[derive(Serialize)]
pub(crate) struct V09 {
    #[serde(flatten)]
    pub(crate) common: Common,
    pub(crate) peers: Vec<Peer>,
    bm_max_peers: u32,
    node_id: i32,
    pub(crate) members: String,
    reserved_u64: Vec<String>,
    reserved_u32: Vec<String>,
    history_uuids: Vec<String>,
    padding: Padding,
}

/// v08's only peer.
#[derive(Serialize)]
struct Bitmap {
    bitmap_uuid: String,
}

#[derive(Serialize)]
pub(crate) struct Peer {
    bitmap_uuid: String,
    bitmap_dagtag: u64,
    flags: String,
    bitmap_index: i32,
    reserved_u32: Vec<String>,
}

/// What lies behind the last field.
#[derive(Serialize)]
struct Padding {
    start: usize,
    end: usize,
    /// The 64-bit words that are not 0, by their byte in the superblock.
    #[serde(rename = "non-zero")]
    non_zero: BTreeMap<usize, String>,
}

impl SuperblockView {
    pub(crate) fn of(superblock: &Superblock) -> Self {
        match superblock {
            Superblock::V07(sb) => Self::V07(V07::of(sb)),
            Superblock::V08(sb) => Self::V08(Box::new(V08::of(sb))),
            Superblock::V09(sb) => Self::V09(Box::new(V09::of(sb))),
        }
    }

    /// What v08 and v09 have alike.
    pub(crate) fn common(&self) -> Option<&Common> {
        match self {
            Self::V07(_) => None,
            Self::V08(sb) => Some(&sb.common),
            Self::V09(sb) => Some(&sb.common),
        }
    }

    /// The magic in hex.
    pub(crate) fn magic(&self) -> &str {
        match self {
            Self::V07(sb) => &sb.magic,
            Self::V08(sb) => &sb.common.magic,
            Self::V09(sb) => &sb.common.magic,
        }
    }
}

impl V07 {
    fn of(sb: &SuperblockV07) -> Self {
        Self {
            la_kb: sb.la_kb,
            gc: sb.gc,
            magic: hex32(sb.magic),
            md_size_kb: sb.md_size_kb,
            al_offset: sb.al_offset,
            al_nr_extents: sb.al_nr_extents,
            bm_offset: sb.bm_offset,
            padding: Padding::of(&sb.tail),
        }
    }
}

impl V08 {
    fn of(sb: &SuperblockV08) -> Self {
        let [current, bitmap, history @ ..] = sb.uuid;
        Self {
            common: Common {
                effective_size: sb.la_size_sect,
                current_uuid: hex64(current),
                device_uuid: hex64(sb.device_uuid),
                flags: hex32(sb.flags),
                magic: hex32(sb.magic),
                md_size_sect: sb.md_size_sect,
                al_offset: sb.al_offset,
                al_nr_extents: sb.al_nr_extents,
                bm_offset: sb.bm_offset,
                bm_bytes_per_bit: sb.bm_bytes_per_bit,
                la_peer_max_bio_size: sb.la_peer_max_bio_size,
                al_stripes: sb.al_stripes,
                al_stripe_size_4k: sb.al_stripe_size_4k,
            },
            peers: [Bitmap {
                bitmap_uuid: hex64(bitmap),
            }],
            history_uuids: history.map(hex64).to_vec(),
            reserved_u64: [hex64(sb.reserved_u64_1)],
            padding: Padding::of(&sb.tail),
        }
    }
}

impl V09 {
    fn of(sb: &SuperblockV09) -> Self {
        Self {
            common: Common {
                effective_size: sb.effective_size,
                current_uuid: hex64(sb.current_uuid),
                device_uuid: hex64(sb.device_uuid),
                flags: hex32(sb.flags),
                magic: hex32(sb.magic),
                md_size_sect: sb.md_size_sect,
                al_offset: sb.al_offset,
                al_nr_extents: sb.al_nr_extents,
                bm_offset: sb.bm_offset,
                bm_bytes_per_bit: sb.bm_bytes_per_bit,
                la_peer_max_bio_size: sb.la_peer_max_bio_size,
                al_stripes: sb.al_stripes,
                al_stripe_size_4k: sb.al_stripe_size_4k,
            },
            peers: sb.peers.iter().map(Peer::of).collect(),
            bm_max_peers: sb.bm_max_peers,
            node_id: sb.node_id,
            members: hex64(sb.members),
            reserved_u64: sb.reserved_u64_1.map(hex64).to_vec(),
            reserved_u32: sb.reserved_u32_1.map(hex32).to_vec(),
            history_uuids: sb.history_uuids.map(hex64).to_vec(),
            padding: Padding::of(&sb.tail),
        }
    }
}

impl Peer {
    fn of(peer: &PeerV09) -> Self {
        Self {
            bitmap_uuid: hex64(peer.bitmap_uuid),
            bitmap_dagtag: peer.bitmap_dagtag,
            flags: hex32(peer.flags),
            bitmap_index: peer.bitmap_index,
            reserved_u32: peer.reserved_u32.map(hex32).to_vec(),
        }
    }
}

impl Padding {
    fn of(tail: &[u8]) -> Self {
        let start = LEN.saturating_sub(tail.len());
        let (words, _) = tail.as_chunks::<8>();
        let words = words.iter().map(|word| u64::from_be_bytes(*word));
        let set = (start..).step_by(8).zip(words).filter(|(_, word)| *word != 0);
        Self {
            start,
            end: LEN,
            non_zero: set.map(|(at, word)| (at, hex64(word))).collect(),
        }
    }
}

pub(crate) fn hex32(value: u32) -> String {
    format!("0x{value:08X}")
}

fn hex64(value: u64) -> String {
    format!("0x{value:016X}")
}
