//! The superblock of DRBD 0.7.

use binrw::binrw;

/// Mirror of `struct md_on_disk_07` (`drbdmeta.c`), padded to the 4096 bytes that are read.
///
/// Sizes are in KiB here, offsets in sectors; the magic lies elsewhere than in v08 and v09.
#[binrw]
#[brw(big)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuperblockV07 {
    /// Byte 0: last agreed size of the DRBD device, in KiB.
    pub(crate) la_kb: u64,
    /// Byte 8: generation counters: Flags, Human, Timeout, Connected, Arbitrary.
    pub(crate) gc: [u32; 5],
    /// Byte 28.
    pub(crate) magic: u32,
    /// Byte 32: size of all metadata, in KiB.
    pub(crate) md_size_kb: u32,
    /// Byte 36: sectors from the superblock to the activity log.
    pub(crate) al_offset: i32,
    /// Byte 40: size of the table of active extents.
    pub(crate) al_nr_extents: u32,
    /// Byte 44: sectors from the superblock to the bitmap.
    pub(crate) bm_offset: i32,
    /// Bytes 48 to 4095, carried.
    pub(crate) tail: [u8; 4048],
}

super::fixed_size_codec!(SuperblockV07, 4096);
