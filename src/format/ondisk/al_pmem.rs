//! The activity log of DRBD 9 on persistent memory.

use binrw::binrw;

/// Mirror of one 4096-byte block of `struct al_on_pmem` (`drbd_meta_data.h`), which fills the whole log area.
///
/// In the first block of the area, word 0 is `DRBD_AL_PMEM_MAGIC`; every other word is a slot.
#[binrw]
#[brw(big)]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlPmemBlock {
    /// The extent in each slot, all ones where it is free.
    pub(crate) words: [u32; 1024],
}

super::fixed_size_codec!(AlPmemBlock, 4096);
