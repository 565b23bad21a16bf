//! One transaction of the activity log of DRBD 0.7 to 8.3.

use binrw::binrw;

/// Mirror of `struct al_sector_on_disk` (`drbdmeta.c`), `struct al_transaction` (`drbd_actlog.c` of 8.3), 512 bytes.
#[binrw]
#[brw(big)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlSectorV07 {
    /// Byte 0: `DRBD_MAGIC`.
    pub(crate) magic: u32,
    /// Byte 4.
    pub(crate) tr_number: u32,
    /// Byte 8: the one update, then 61 slots as they were before it.
    pub(crate) updates: [AlUpdateV07; 62],
    /// Byte 504: the exclusive or of the 62 extents.
    pub(crate) xor_sum: u32,
    /// Byte 508, carried.
    pub(crate) pad: u32,
}

super::fixed_size_codec!(AlSectorV07, 512);

/// One slot of the table and the extent in it; both all ones where unused.
#[binrw]
#[brw(big)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlUpdateV07 {
    /// The slot.
    pub(crate) pos: u32,
    /// The extent.
    pub(crate) extent: u32,
}
