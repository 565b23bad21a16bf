//! The arithmetic of each way.

use super::{Obstacle, Site, data};
use crate::format::layout::{MdGeometry, MdIndex, MdLayout};
use crate::format::superblock::{Format, Uuid};
use crate::survey::locate::{FoundBy, Level, Located};
use crate::units::{Bytes, DevPos, MD_BLOCK, SECTOR_SIZE, Sectors, range_len};
use crate::verdict::fit::Shape;

/// The smallest meta device that a kernel takes: 2048 sectors (`drbd_adm_attach`).
const LEAST_META_DEVICE: Bytes = Bytes::new(1 << 20);

/// New metadata at the end of the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Relocation {
    /// Where it goes.
    pub layout: MdLayout,
    /// The DRBD device's size: what must stay as it is.
    pub data: Bytes,
    /// What lies between the data's end and the new metadata.
    pub slack: Bytes,
    /// Whether it covers a part of where the metadata is now.
    pub overlaps: bool,
}

/// Where the metadata goes on a disk of `size`.
///
/// # Errors
///
/// [`Obstacle`].
pub fn relocate(level: &Level, size: Bytes) -> Result<Relocation, Obstacle> {
    if !level.layout.index.is_internal() {
        return Err(Obstacle::OtherDevice);
    }
    let data = data(level);
    let layout = MdLayout::planned(level.layout.index, level.layout.geometry, size)
        .map_err(|misfit| no_place(level, size, data).unwrap_or(Obstacle::Layout(misfit)))?;
    // Where a disk grew by less than a block, the superblock's place is the same, and the bitmap may begin elsewhere.
    if layout.whole == level.layout.whole {
        return Err(Obstacle::AlreadyThere { at: layout.md });
    }
    let (old, new) = (&level.layout.whole, &layout.whole);
    let slack = new.start.bytes_since(DevPos::at(data));
    let slack = slack.ok_or_else(|| Obstacle::NoRoom {
        data,
        metadata: range_len(new),
        size,
        missing: missing(level, size, data).unwrap_or(data.saturating_sub(new.start.from_start())),
    })?;
    Ok(Relocation {
        overlaps: old.start < new.end && new.start < old.end,
        data,
        slack,
        layout,
    })
}

/// The answer where even the metadata alone does not fit.
fn no_place(level: &Level, size: Bytes, data: Bytes) -> Option<Obstacle> {
    let metadata = level
        .layout
        .geometry
        .internal_size(size.to_sectors_floor())?;
    let needed = data.checked_add(metadata)?;
    (size < needed).then_some(Obstacle::NoRoom {
        data,
        metadata,
        size,
        missing: missing(level, size, data).unwrap_or(needed.saturating_sub(size)),
    })
}

/// How much a disk of `size` lacks for the level's data and its metadata: what it is to grow by at least. `None` for v07's fixed place, and where no
/// disk is large enough.
pub(crate) fn missing(level: &Level, size: Bytes, data: Bytes) -> Option<Bytes> {
    if level.layout.index != MdIndex::FlexInternal {
        return None;
    }
    let shape = Shape {
        format: level.superblock.format(),
        geometry: level.layout.geometry,
        external: false,
    };
    let needed = shape.needs(data.to_sectors_exact()?, SECTOR_SIZE)?;
    needed.checked_sub(size)
}

/// The disk cut to what the metadata was laid out for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Truncation {
    /// The size to cut it to: the backing device that the metadata was made for.
    pub size: Bytes,
    /// Where the metadata ends.
    pub end: DevPos,
    /// How much is cut off.
    pub cut: Bytes,
    /// What that means for a logical volume.
    pub extents: Option<Extents>,
}

/// How a size fits a logical volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Extents {
    /// The extent's size.
    pub extent: Bytes,
    /// How far behind an extent's boundary the metadata ends; nothing where it ends with an extent.
    pub beyond: Bytes,
}

/// What cutting the disk comes to.
///
/// # Errors
///
/// [`Obstacle`].
pub fn truncate(level: &Level, site: Site) -> Result<Truncation, Obstacle> {
    let needed = level.backing().ok_or(Obstacle::OtherDevice)?;
    let disk = site.size;
    let cut = disk
        .checked_sub(needed)
        .ok_or(Obstacle::TooSmall { needed, size: disk })?;
    let end = level.layout.whole.end;
    if MdIndex::superblock_pos(level.layout.index, disk) == Some(level.layout.md) {
        return Err(Obstacle::AlreadyThere {
            at: level.layout.md,
        });
    }
    let extents = site.extent.filter(|extent| *extent > Bytes::ZERO);
    Ok(Truncation {
        size: needed,
        end,
        cut,
        extents: extents.map(|extent| Extents {
            extent,
            beyond: end
                .from_start()
                .saturating_sub(end.from_start().align_down(extent)),
        }),
    })
}

/// Metadata on a device of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct External {
    /// What its bitmap needs for the DRBD device as it is.
    pub least: Bytes,
    /// What it needs for the whole disk, so that it is never what limits the device.
    pub whole: Bytes,
}

/// How large a meta device must be.
///
/// # Errors
///
/// [`Obstacle`].
pub fn external(level: &Level, size: Bytes) -> Result<External, Obstacle> {
    if !level.layout.index.is_internal() {
        return Err(Obstacle::OtherDevice);
    }
    let needed = data(level);
    if size < needed {
        return Err(Obstacle::TooSmall { needed, size });
    }
    let geometry = level.layout.geometry;
    let least = meta_device(geometry, level.drbd_device());
    let whole = meta_device(geometry, size.to_sectors_floor());
    match (least, whole) {
        (Some(least), Some(whole)) => Ok(External { least, whole }),
        _ => Err(Obstacle::TooSmall { needed, size }),
    }
}

/// The smallest meta device for a DRBD device of `capacity`: superblock, log, and the bitmap in whole blocks.
#[must_use]
pub fn meta_device(geometry: MdGeometry, capacity: Sectors) -> Option<Bytes> {
    // Flexible metadata takes the same room on either kind of device.
    let size = geometry.internal_size(capacity)?.max(LEAST_META_DEVICE);
    // A slot's share is rounded down to whole words: with several slots the formulas may differ by a block.
    (0..2).find_map(|more| {
        let size = MD_BLOCK.checked_mul(more)?.checked_add(size)?;
        let layout = MdLayout::planned(MdIndex::FlexExternal, geometry, size).ok()?;
        (layout.usable >= capacity).then_some(size)
    })
}

/// drbdmeta's own move of the metadata after a disk grew.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckResize {
    /// The size that its record must give: that of the device for which the metadata was laid out.
    pub old_size: Bytes,
    /// The identifier its record must give, where the metadata has one.
    pub device_uuid: Option<Uuid>,
    /// Whether drbd-utils up to 9.34.0 shift the bitmap: its size changes.
    pub shifts: bool,
}

/// Whether `check-resize` would find the metadata by its record, and move it.
pub(super) fn check_resize(
    level: &Level,
    located: &Located,
    size: Bytes,
    relocation: Result<&Relocation, &Obstacle>,
) -> Result<CheckResize, Obstacle> {
    let relocation = relocation.map_err(|obstacle| *obstacle)?;
    if level.superblock.format() == Format::V07 {
        return Err(Obstacle::NotKept);
    }
    let expected = MdIndex::FlexInternal.superblock_pos(size);
    let hides = |other: &&Level| {
        other.found_by == FoundBy::ExpectedPosition && Some(other.layout.md) == expected
    };
    if let Some(other) = located.levels.iter().find(hides) {
        return Err(Obstacle::Hidden {
            by: other.layout.md,
        });
    }
    Ok(record(level, relocation))
}

/// What drbdmeta's record must say to find the metadata where it is, and what its move to there comes to.
#[must_use]
pub fn record(level: &Level, relocation: &Relocation) -> CheckResize {
    CheckResize {
        old_size: level.device,
        device_uuid: level
            .superblock
            .device_uuid()
            .filter(|uuid| *uuid != Uuid::NONE),
        shifts: range_len(&level.layout.bm) != range_len(&relocation.layout.bm),
    }
}
