//! Where metadata lies: every offset formula of DRBD's, in one place.
//!
//! Internal metadata of v08 and v09 (*flex-internal*) ends the device, the superblock last:
//!
//! ```text
//! |<----------------- data ----------------->|  bitmap  | activity log |  sb  | 0 to 7 sectors |
//! 0                                          bm         al             md     end of the device
//! ```
//!
//! External metadata, and v07's fixed 128 MiB at the end of the device, begin with the superblock:
//!
//! ```text
//! |  sb  | activity log |  bitmap  |
//! md     al             bm
//! ```
//!
//! A layout is made two ways and no third: [`MdLayout::planned`] from the formulas, [`MdLayout::of`] from a superblock, which must say
//! what the formulas say. No I/O here. DRBD reckons some of this in 32 bits; here everything is 64 bits and checked.

mod geometry;

use std::ops::Range;

use crate::error::{Expected, Field, Misfit};
use crate::format::superblock::{Format, Superblock};
pub use crate::terms::{AlStriping, MdGeometry, MdIndex};
use crate::units::{Bytes, DevPos, MD_BLOCK, SECTOR_SIZE, SectorDelta, Sectors, range_len};

/// Bytes of an indexed slot and of v07's internal metadata: `MD_RESERVED_SECT_07` (`drbdmeta.c`).
pub const MD_RESERVED: Bytes = Bytes::new(128 << 20);
/// The largest device that DRBD addresses: `DRBD_MAX_SECTORS` (`drbd.h`), 1 PiB.
pub const MAX_DEVICE: Sectors = Sectors::new(1 << 41);
/// The most bitmap slots that drbdmeta makes or accepts; a kernel takes 32, but shifts a 32-bit one by it.
pub const MAX_PEERS: u32 = 31;
/// The granularities that DRBD 9.3 knows; before, only the smallest.
pub const BYTES_PER_BIT: Range<u32> = 4096..1_048_577;
/// Fewest and most 4 KiB blocks in an activity log: `check_activity_log_stripe_size` (`drbd_nl.c`).
pub const AL_BLOCKS: Range<u64> = 8..4_194_305;

impl MdIndex {
    /// Whether the metadata lies on the device that holds the data.
    #[must_use]
    pub const fn is_internal(self) -> bool {
        matches!(self, Self::Internal | Self::FlexInternal)
    }

    /// Where the superblock lies on a device of `device` bytes; `None` where the device is too small to have one.
    ///
    /// Source: `drbd_md_ss` (`drbd_int.h`), `v07_style_md_get_byte_offset` (`drbdmeta.c`).
    #[must_use]
    pub fn superblock_pos(self, device: Bytes) -> Option<DevPos> {
        let pos = match self {
            Self::Internal => device.align_down(MD_BLOCK).checked_sub(MD_RESERVED)?,
            Self::FlexInternal => device.align_down(MD_BLOCK).checked_sub(MD_BLOCK)?,
            Self::FlexExternal => Bytes::ZERO,
            Self::Indexed(slot) => MD_RESERVED.checked_mul(u64::from(slot))?,
        };
        (pos.checked_add(MD_BLOCK)? <= device).then_some(DevPos::at(pos))
    }
}

/// Where one resource's metadata lies on its device, and what that leaves for data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MdLayout {
    /// The rule that placed it.
    pub index: MdIndex,
    /// What the formulas were given.
    pub geometry: MdGeometry,
    /// The superblock.
    pub md: DevPos,
    /// The activity log.
    pub al: Range<DevPos>,
    /// The bitmap area.
    pub bm: Range<DevPos>,
    /// Everything, from the first byte to the last.
    pub whole: Range<DevPos>,
    /// What `md_size_sect` says.
    pub md_size: Sectors,
    /// The largest DRBD device that this metadata and, where internal, this backing device allow: `max_usable_sectors` (`drbdmeta.c`).
    pub usable: Sectors,
}

impl MdLayout {
    /// The layout that the formulas give on a device of `device` bytes: the backing device, or the meta device where external.
    ///
    /// # Errors
    ///
    /// [`Field::DeviceSize`] where the device is too small or larger than DRBD can address; a geometry's field where a rule does not
    /// allow it.
    pub fn planned(index: MdIndex, geometry: MdGeometry, device: Bytes) -> Result<Self, Misfit> {
        let too_small = |least: Option<Bytes>| Misfit {
            field: Field::DeviceSize,
            found: i128::from(device.get()),
            expected: Expected::AtLeast(i128::from(least.map_or(u64::MAX, Bytes::get))),
        };
        let capacity = device.to_sectors_floor();
        if index.is_internal() && capacity > MAX_DEVICE {
            let most = MAX_DEVICE
                .to_bytes()
                .map_or(i128::MAX, |bytes| i128::from(bytes.get()));
            return Err(Misfit {
                expected: Expected::AtMost(most),
                ..too_small(None)
            });
        }
        let md = index
            .superblock_pos(device)
            .ok_or_else(|| too_small(index.least_device()))?;
        match index {
            MdIndex::FlexInternal => Self::before(md, geometry, capacity)
                .ok_or_else(|| too_small(geometry.internal_size(capacity))),
            MdIndex::Internal | MdIndex::Indexed(_) => {
                geometry.check_fixed()?;
                Self::after(index, md, geometry, MD_RESERVED, device)
                    .ok_or_else(|| too_small(index.least_device()))
            }
            MdIndex::FlexExternal => {
                // One block of bitmap at least.
                Self::after(index, md, geometry, device.align_down(SECTOR_SIZE), device)
                    .ok_or_else(|| too_small(geometry.internal_size(Sectors::new(1))))
            }
        }
    }

    /// Bitmap, log and superblock, one before the other.
    fn before(md: DevPos, geometry: MdGeometry, capacity: Sectors) -> Option<Self> {
        let end = md.checked_add(MD_BLOCK)?;
        let al = md.checked_sub(geometry.al.size()?)?;
        let bm = al.checked_sub(geometry.bitmap_size(capacity)?)?;
        let whole = bm..end;
        Some(Self {
            index: MdIndex::FlexInternal,
            geometry,
            md,
            al: al..md,
            bm: bm..al,
            md_size: range_len(&whole).to_sectors_floor(),
            whole,
            usable: bm.from_start().to_sectors_floor(),
        })
    }

    /// Superblock, log and bitmap, one after the other, in `area` bytes of the device.
    fn after(
        index: MdIndex,
        md: DevPos,
        geometry: MdGeometry,
        area: Bytes,
        device: Bytes,
    ) -> Option<Self> {
        let al = md.checked_add(MD_BLOCK)?;
        let bm = al.checked_add(geometry.al.size()?)?;
        let end = md.checked_add(area)?;
        let bitmap = end.bytes_since(bm)?;
        let limit = geometry.bitmap_capacity(bitmap)?.min(MAX_DEVICE);
        let data_end = if index.is_internal() {
            md.from_start().to_sectors_floor()
        } else {
            limit
        };
        (end.from_start() <= device && bitmap > Bytes::ZERO).then_some(Self {
            index,
            geometry,
            md,
            al: al..bm,
            bm: bm..end,
            whole: md..end,
            md_size: area.to_sectors_floor(),
            usable: limit.min(data_end),
        })
    }

    /// The layout that a superblock describes on a device of `device` bytes.
    ///
    /// # Errors
    ///
    /// The first field that contradicts the formulas. `md_size_sect` is not held against external metadata, where kernels rewrite it, nor
    /// against v07, where drbdmeta warns only. `la_size_sect` is not judged: it is clipped where it is used.
    pub fn of(superblock: &Superblock, index: MdIndex, device: Bytes) -> Result<Self, Misfit> {
        let geometry = superblock.geometry();
        geometry.check(superblock.format())?;
        if let Some(node_id) = superblock.node_id()
            && !(-1..=31).contains(&node_id)
        {
            return Err(misfit(Field::NodeId, node_id, Expected::Between(-1, 31)));
        }
        let layout = Self::planned(index, geometry, device)?;
        layout.agrees(Field::AlOffset, superblock.al_offset(), layout.al.start)?;
        layout.agrees(Field::BmOffset, superblock.bm_offset(), layout.bm.start)?;
        let said = superblock.md_size();
        let judged = superblock.format() != Format::V07 && index != MdIndex::FlexExternal;
        if judged && said != layout.md_size {
            return Err(misfit(
                Field::MdSizeSect,
                said.get(),
                Expected::Exactly(i128::from(layout.md_size.get())),
            ));
        }
        Ok(Self {
            md_size: said,
            ..layout
        })
    }

    /// Whether an offset on disk leads to where the formulas say.
    fn agrees(&self, field: Field, said: SectorDelta, start: DevPos) -> Result<(), Misfit> {
        if self.md.checked_offset(said) == Some(start) {
            return Ok(());
        }
        Err(misfit(
            field,
            said.get(),
            Expected::Exactly(i128::from(start.delta_since(self.md).get())),
        ))
    }

    /// The size of the DRBD device: what was last agreed, clipped to what fits, or all that fits where nothing was.
    #[must_use]
    pub fn device_size(&self, la_size: Sectors) -> Sectors {
        if la_size == Sectors::ZERO {
            self.usable
        } else {
            la_size.min(self.usable)
        }
    }
}

impl MdIndex {
    /// The fewest bytes that a device must have for this rule to have a place on it.
    fn least_device(self) -> Option<Bytes> {
        match self {
            Self::Internal => Some(MD_RESERVED),
            Self::FlexInternal => Some(MD_BLOCK),
            Self::FlexExternal => MdGeometry::DEFAULT.internal_size(Sectors::new(1)),
            Self::Indexed(slot) => MD_RESERVED.checked_mul(u64::from(slot).checked_add(1)?),
        }
    }
}

/// A field that says something else than it should.
fn misfit(field: Field, found: impl Into<i128>, expected: Expected) -> Misfit {
    Misfit {
        field,
        found: found.into(),
        expected,
    }
}

#[cfg(test)]
mod tests;
