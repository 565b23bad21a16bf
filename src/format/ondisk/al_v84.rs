//! One transaction of the activity log of DRBD 8.4 and 9.

use binrw::binrw;

/// Mirror of `struct al_transaction_on_disk` (`drbd_meta_data.h`), 4096 bytes.
#[binrw]
#[brw(big)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlTransactionV84 {
    /// Byte 0: `DRBD_AL_MAGIC`.
    pub(crate) magic: u32,
    /// Byte 4.
    pub(crate) tr_number: u32,
    /// Byte 8: over the whole block with this field zero.
    pub(crate) crc32c: u32,
    /// Byte 12: 0 for an update, 0xffff for a block no transaction was written to yet.
    pub(crate) transaction_type: u16,
    /// Byte 14.
    pub(crate) n_updates: u16,
    /// Byte 16: size of the table of active extents.
    pub(crate) context_size: u16,
    /// Byte 18: the slot that `context[0]` is.
    pub(crate) context_start_slot_nr: u16,
    /// Bytes 20 to 35, carried.
    pub(crate) reserved: [u32; 4],
    /// Byte 36.
    pub(crate) update_slot_nr: [u16; 64],
    /// Byte 164.
    pub(crate) update_extent_nr: [u32; 64],
    /// Byte 420: what consecutive slots held before the updates.
    pub(crate) context: [u32; 919],
}

super::fixed_size_codec!(AlTransactionV84, 4096);
