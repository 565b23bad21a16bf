//! The superblock of DRBD 9.

use binrw::binrw;

/// Mirror of `struct meta_data_on_disk_9` (`drbd_meta_data.h`).
///
/// That header declares `al_offset` and `bm_offset` unsigned; they are negative where metadata is internal.
#[binrw]
#[brw(big)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuperblockV09 {
    /// Byte 0: last agreed size of the DRBD device, in sectors.
    pub(crate) effective_size: u64,
    /// Byte 8.
    pub(crate) current_uuid: u64,
    /// Byte 16: mask of node ids; reserved before DRBD 9.1.18 and 9.2.7.
    pub(crate) members: u64,
    /// Byte 24.
    pub(crate) reserved_u64_1: [u64; 3],
    /// Byte 48.
    pub(crate) device_uuid: u64,
    /// Byte 56.
    pub(crate) flags: u32,
    /// Byte 60.
    pub(crate) magic: u32,
    /// Byte 64: size of all metadata, in sectors.
    pub(crate) md_size_sect: u32,
    /// Byte 68: sectors from the superblock to the activity log.
    pub(crate) al_offset: i32,
    /// Byte 72: size of the table of active extents.
    pub(crate) al_nr_extents: u32,
    /// Byte 76: sectors from the superblock to the bitmap.
    pub(crate) bm_offset: i32,
    /// Byte 80.
    pub(crate) bm_bytes_per_bit: u32,
    /// Byte 84.
    pub(crate) la_peer_max_bio_size: u32,
    /// Byte 88: number of bitmap slots.
    pub(crate) bm_max_peers: u32,
    /// Byte 92: own node id, −1 where unset.
    pub(crate) node_id: i32,
    /// Byte 96.
    pub(crate) al_stripes: u32,
    /// Byte 100: one stripe's size in blocks of 4 KiB.
    pub(crate) al_stripe_size_4k: u32,
    /// Byte 104.
    pub(crate) reserved_u32_1: [u32; 2],
    /// Byte 112: indexed by node id.
    pub(crate) peers: [PeerV09; 32],
    /// Byte 1136.
    pub(crate) history_uuids: [u64; 32],
    /// Bytes 1392 to 4095, carried.
    pub(crate) tail: [u8; 2704],
}

/// Mirror of `struct peer_dev_md_on_disk_9` (`drbd_meta_data.h`), 32 bytes.
#[binrw]
#[brw(big)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PeerV09 {
    /// Byte 0.
    pub(crate) bitmap_uuid: u64,
    /// Byte 8.
    pub(crate) bitmap_dagtag: u64,
    /// Byte 16.
    pub(crate) flags: u32,
    /// Byte 20: this peer's bitmap slot, −1 where it has none.
    pub(crate) bitmap_index: i32,
    /// Byte 24.
    pub(crate) reserved_u32: [u32; 2],
}

super::fixed_size_codec!(SuperblockV09, 4096);
