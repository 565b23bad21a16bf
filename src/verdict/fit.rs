//! What DRBD needs and leaves: from a disk's size the DRBD device's, and the other way round.
//!
//! The formulas are [`crate::format::layout`]'s. A larger disk may leave less: where the bitmap grows by a page, it takes eight sectors more.

use crate::error::Misfit;
use crate::format::layout::{MAX_DEVICE, MdGeometry, MdIndex, MdLayout};
use crate::terms::Format;
use crate::units::{Bytes, MD_BLOCK, SECTOR_SIZE, Sectors};

/// The smallest device with metadata on it that a kernel attaches, 2048 sectors: less is `ERR_MD_DISK_TOO_SMALL`, 112.
///
/// `drbdmeta create-md` takes 68 KiB, its `SO_MUCH`; what it makes there cannot be used.
pub const LEAST_DISK: Bytes = Bytes::new(1 << 20);

/// The shape of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Which format.
    pub format: Format,
    /// Slots, granularity and log.
    pub geometry: MdGeometry,
    /// Whether it lies on a device of its own.
    pub external: bool,
}

/// What a disk has room for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Room {
    /// The largest DRBD device.
    pub usable: Sectors,
    /// Where internal metadata would lie.
    pub layout: Option<MdLayout>,
    /// The meta device that such a DRBD device needs, where the metadata is external.
    pub meta: Option<Bytes>,
}

impl Shape {
    /// What a disk of `disk` bytes leaves.
    ///
    /// # Errors
    ///
    /// The shape's field that DRBD does not allow, or the disk's size where it is too small or too large.
    pub fn leaves(&self, disk: Bytes) -> Result<Room, Misfit> {
        self.geometry.check(self.format)?;
        if self.external {
            let usable = disk.to_sectors_floor().min(MAX_DEVICE);
            return Ok(Room {
                usable,
                layout: None,
                meta: self.meta(usable),
            });
        }
        let layout = MdLayout::planned(MdIndex::FlexInternal, self.geometry, disk)?;
        Ok(Room {
            usable: layout.usable,
            layout: Some(layout),
            meta: None,
        })
    }

    /// The smallest disk, in whole units, that a kernel attaches and that leaves a DRBD device of `net`; nothing where DRBD addresses none
    /// so large.
    #[must_use]
    pub fn needs(&self, net: Sectors, unit: Bytes) -> Option<Bytes> {
        let data = net.to_bytes()?;
        if self.external {
            return (net <= MAX_DEVICE).then(|| data.align_up(unit.max(SECTOR_SIZE)))?;
        }
        let least = data.align_up(MD_BLOCK)?.max(LEAST_DISK);
        let mut disk = least.align_up(unit.max(MD_BLOCK))?;
        // Every round adds the metadata that the last one's size needs: the first that is enough is the smallest.
        loop {
            let metadata = self.geometry.internal_size(disk.to_sectors_floor())?;
            let needed = data.align_up(MD_BLOCK)?.checked_add(metadata)?;
            let needed = needed.align_up(unit.max(SECTOR_SIZE))?;
            if disk.to_sectors_floor() > MAX_DEVICE {
                return None;
            }
            let enough = self.leaves(disk).is_ok_and(|room| room.usable >= net);
            if enough {
                return Some(disk);
            }
            disk = needed.max(disk.checked_add(unit.max(SECTOR_SIZE))?);
        }
    }

    /// The meta device that a DRBD device of `net` needs.
    #[must_use]
    pub fn meta(&self, net: Sectors) -> Option<Bytes> {
        let size = self.geometry.internal_size(net)?;
        Some(size.max(LEAST_DISK))
    }
}

#[cfg(test)]
mod tests;
