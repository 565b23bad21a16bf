//! A superblock's fields as they are on disk, by the names and in the form of drbdmeta's `dump-superblock`.

use serde_json::{Map, Value, json};

use crate::format::ondisk::{PeerV09, SuperblockV07, SuperblockV08, SuperblockV09};
use crate::format::superblock::Superblock;

/// Bytes of a superblock.
const LEN: usize = 4096;

/// The magic in hex.
pub(crate) fn magic(superblock: &Superblock) -> String {
    hex32(match superblock {
        Superblock::V07(sb) => sb.magic,
        Superblock::V08(sb) => sb.magic,
        Superblock::V09(sb) => sb.magic,
    })
}

/// Every field.
pub(crate) fn superblock(superblock: &Superblock) -> Value {
    match superblock {
        Superblock::V07(sb) => v07(sb),
        Superblock::V08(sb) => v08(sb),
        Superblock::V09(sb) => v09(sb),
    }
}

/// `struct md_on_disk_07`, which drbdmeta does not print so: the names are the structure's.
fn v07(sb: &SuperblockV07) -> Value {
    json!({
        "la_kb": sb.la_kb,
        "gc": sb.gc,
        "magic": hex32(sb.magic),
        "md_size_kb": sb.md_size_kb,
        "al_offset": sb.al_offset,
        "al_nr_extents": sb.al_nr_extents,
        "bm_offset": sb.bm_offset,
        "padding": padding(&sb.tail),
    })
}

fn v08(sb: &SuperblockV08) -> Value {
    let [current, bitmap, history @ ..] = sb.uuid;
    json!({
        "effective_size": sb.la_size_sect,
        "current_uuid": hex64(current),
        "device_uuid": hex64(sb.device_uuid),
        "flags": hex32(sb.flags),
        "magic": hex32(sb.magic),
        "md_size_sect": sb.md_size_sect,
        "al_offset": sb.al_offset,
        "al_nr_extents": sb.al_nr_extents,
        "bm_offset": sb.bm_offset,
        "bm_bytes_per_bit": sb.bm_bytes_per_bit,
        "la_peer_max_bio_size": sb.la_peer_max_bio_size,
        "al_stripes": sb.al_stripes,
        "al_stripe_size_4k": sb.al_stripe_size_4k,
        "peers": [{ "bitmap_uuid": hex64(bitmap) }],
        "history_uuids": history.map(hex64),
        "reserved_u64": [hex64(sb.reserved_u64_1)],
        "padding": padding(&sb.tail),
    })
}

fn v09(sb: &SuperblockV09) -> Value {
    json!({
        "effective_size": sb.effective_size,
        "current_uuid": hex64(sb.current_uuid),
        "device_uuid": hex64(sb.device_uuid),
        "flags": hex32(sb.flags),
        "magic": hex32(sb.magic),
        "md_size_sect": sb.md_size_sect,
        "al_offset": sb.al_offset,
        "al_nr_extents": sb.al_nr_extents,
        "bm_offset": sb.bm_offset,
        "bm_bytes_per_bit": sb.bm_bytes_per_bit,
        "la_peer_max_bio_size": sb.la_peer_max_bio_size,
        "al_stripes": sb.al_stripes,
        "al_stripe_size_4k": sb.al_stripe_size_4k,
        "peers": sb.peers.iter().map(peer).collect::<Vec<_>>(),
        "bm_max_peers": sb.bm_max_peers,
        "node_id": sb.node_id,
        "members": hex64(sb.members),
        "reserved_u64": sb.reserved_u64_1.map(hex64),
        "reserved_u32": sb.reserved_u32_1.map(hex32),
        "history_uuids": sb.history_uuids.map(hex64),
        "padding": padding(&sb.tail),
    })
}

fn peer(peer: &PeerV09) -> Value {
    json!({
        "bitmap_uuid": hex64(peer.bitmap_uuid),
        "bitmap_dagtag": peer.bitmap_dagtag,
        "flags": hex32(peer.flags),
        "bitmap_index": peer.bitmap_index,
        "reserved_u32": peer.reserved_u32.map(hex32),
    })
}

/// What lies behind the last field: the 64-bit words that are not 0, by their byte in the superblock.
fn padding(tail: &[u8]) -> Value {
    let start = LEN.saturating_sub(tail.len());
    let (words, _) = tail.as_chunks::<8>();
    let set: Map<String, Value> = (start..)
        .step_by(8)
        .zip(words)
        .map(|(at, word)| (at, u64::from_be_bytes(*word)))
        .filter(|(_, word)| *word != 0)
        .map(|(at, word)| (at.to_string(), hex64(word).into()))
        .collect();
    json!({ "start": start, "end": LEN, "non-zero": set })
}

fn hex32(value: u32) -> String {
    format!("0x{value:08X}")
}

fn hex64(value: u64) -> String {
    format!("0x{value:016X}")
}
