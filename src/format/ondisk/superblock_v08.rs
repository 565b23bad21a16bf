//! The superblock of DRBD 8.

use binrw::binrw;

/// Mirror of `struct md_on_disk_08` (`drbdmeta.c`), `struct meta_data_on_disk_84` (`drbd_legacy_84.c`).
///
/// DRBD 8.3 wrote its first 512 bytes only, and no `al_stripes` or `al_stripe_size_4k`.
#[binrw]
#[brw(big)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuperblockV08 {
    /// Byte 0: last agreed size of the DRBD device, in sectors.
    pub(crate) la_size_sect: u64,
    /// Byte 8: current, bitmap, history 0, history 1.
    pub(crate) uuid: [u64; 4],
    /// Byte 40.
    pub(crate) device_uuid: u64,
    /// Byte 48.
    pub(crate) reserved_u64_1: u64,
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
    /// Byte 88.
    pub(crate) al_stripes: u32,
    /// Byte 92: one stripe's size in blocks of 4 KiB.
    pub(crate) al_stripe_size_4k: u32,
    /// Bytes 96 to 4095, carried.
    pub(crate) tail: [u8; 4000],
}

super::fixed_size_codec!(SuperblockV08, 4096);
