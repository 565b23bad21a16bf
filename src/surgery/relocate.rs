//! Relocating a node's own metadata: the place changes, and nothing that it says.
//!
//! What is drafted is [`Adoption`]'s, of the same node. Here is what must hold before: whether the place is there, and whether anything would
//! be lost on the way.

use crate::error::{Refusal, Result};
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::metadata::Header;
use crate::format::superblock::Format;
use crate::image::Window;
use crate::surgery::adopt::{AdoptOptions, AdoptRefusal, Adoption, Obstacle, data, missing};
use crate::surgery::place::PlaceRefusal;
use crate::surgery::risks::{AtRisk, at_risk, first_data, foreign};
use crate::survey::locate::{Level, Located};
use crate::units::{Bytes, DevPos, SECTOR_SIZE, Sectors, range_len};

/// Metadata that is not relocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RelocateRefusal {
    /// The size of the DRBD device is not known, and so is not where its data ends.
    #[error(
        "la-size-sect is 0: no size was ever agreed on, and nothing says how much of the disk is data"
    )]
    NoSize,
    /// Bits of which nothing says what they stand for.
    #[error("la-size-sect is 0, and bits are set from {at} on, expected none without a size")]
    BitsWithoutSize {
        /// The first byte of the bitmap area that is not zero.
        at: DevPos,
    },
    /// A size that no disk has.
    #[error("{size} are no whole sectors, expected a multiple of {SECTOR_SIZE}")]
    Unaligned {
        /// The size that was given.
        size: Bytes,
    },
    /// The disk is to be made larger: there is no place yet.
    #[error("the disk has {disk}, and is to be of {size}: expected a smaller size")]
    Larger {
        /// What was given.
        size: Bytes,
        /// What the disk has.
        disk: Bytes,
    },
    /// Metadata on a meta device, which no disk's size moves.
    #[error("the metadata is {index}, on a meta device: the size of the disk does not move it")]
    NotInternal {
        /// Where it is.
        index: MdIndex,
    },
    /// v07 metadata stays of its kind.
    #[error("metadata is v07, expected v08 or v09: v07 is moved to the end of its disk only")]
    V07,
    /// A meta device that others use as well.
    #[error(
        "another resource's metadata has its superblock at {at}: flexible metadata takes all of a meta device"
    )]
    Shared {
        /// Where that is.
        at: DevPos,
    },
    /// A device larger than what is left of the disk.
    #[error("la-size-sect is {la_size}, expected at most {usable}: no more fit here")]
    LaSize {
        /// The size that the metadata is of.
        la_size: Sectors,
        /// What fits.
        usable: Sectors,
    },
    /// A disk with metadata that this one does not come from.
    #[error(
        "another resource's metadata has its superblock at {at}, expected none, or an older state of the metadata that is relocated"
    )]
    ForeignDisk {
        /// Where that is.
        at: DevPos,
    },
}

impl Refusal for RelocateRefusal {}

/// The metadata of a level, ready to be put elsewhere as it is; `device` is what DRBD looks at for it.
///
/// # Errors
///
/// [`RelocateRefusal::BitsWithoutSize`]; what [`Adoption::new`] and reading the device answer.
pub fn relocating<'a>(
    device: Window<'a>,
    located: &Located,
    level: &'a Level,
) -> Result<Adoption<'a>> {
    let sized = level.superblock.la_size() > Sectors::ZERO;
    if !sized && let Some(at) = first_data(device, &level.layout.bm)? {
        // Only as many bits are carried over as the size has.
        return Err(RelocateRefusal::BitsWithoutSize { at }.into());
    }
    let options = AdoptOptions {
        same_node: true,
        ..AdoptOptions::default()
    };
    Adoption::new(device, located, level, options)
}

/// Where DRBD will look for a level's metadata on the disk when it has `size`.
///
/// # Errors
///
/// [`RelocateRefusal`]; [`Obstacle::NoRoom`], [`Obstacle::Layout`] where the DRBD device and its metadata do not fit.
pub fn for_size(level: &Level, disk: Bytes, size: Bytes) -> Result<MdLayout> {
    let index = level.layout.index;
    if !index.is_internal() {
        return Err(RelocateRefusal::NotInternal { index }.into());
    }
    if size.to_sectors_exact().is_none() {
        return Err(RelocateRefusal::Unaligned { size }.into());
    }
    if size > disk {
        return Err(RelocateRefusal::Larger { size, disk }.into());
    }
    if level.superblock.la_size() == Sectors::ZERO {
        return Err(RelocateRefusal::NoSize.into());
    }
    let data = data(level);
    let geometry = level.layout.geometry;
    let room = |metadata: Bytes, missing: Bytes| Obstacle::NoRoom {
        data,
        metadata,
        size,
        missing,
    };
    let layout = MdLayout::planned(index, geometry, size).map_err(|misfit| {
        let metadata = geometry.internal_size(size.to_sectors_floor());
        let needed = metadata.and_then(|metadata| data.checked_add(metadata));
        AdoptRefusal::Obstacle(match (metadata, needed) {
            (Some(metadata), Some(needed)) => {
                let lacks = missing(level, size, data);
                room(metadata, lacks.unwrap_or(needed.saturating_sub(size)))
            }
            _ => Obstacle::Layout(misfit),
        })
    })?;
    let over = data.saturating_sub(layout.whole.start.from_start());
    if over > Bytes::ZERO {
        let lacks = missing(level, size, data).unwrap_or(over);
        let obstacle = room(range_len(&layout.whole), lacks);
        return Err(AdoptRefusal::Obstacle(obstacle).into());
    }
    Ok(layout)
}

/// Where internal metadata goes on the disk that has the data of external metadata.
///
/// # Errors
///
/// [`RelocateRefusal`]; [`PlaceRefusal`] where the DRBD device and its metadata do not fit; errors of reading the disk.
pub fn inside(level: &Level, header: &Header, disk: Window<'_>) -> Result<MdLayout> {
    if let Some(at) = foreign(disk, header)? {
        return Err(RelocateRefusal::ForeignDisk { at }.into());
    }
    let size = disk.size();
    if header.format() == Format::V07 {
        return Err(RelocateRefusal::V07.into());
    }
    if header.la_size == Sectors::ZERO {
        return Err(RelocateRefusal::NoSize.into());
    }
    let geometry = level.layout.geometry;
    let layout = MdLayout::planned(MdIndex::FlexInternal, geometry, size);
    let layout = layout.map_err(PlaceRefusal::Layout)?;
    if header.la_size > layout.usable {
        return Err(RelocateRefusal::LaSize {
            la_size: header.la_size,
            usable: layout.usable,
        }
        .into());
    }
    Ok(layout)
}

/// Where flexible metadata goes on the meta device that has it in a slot: it takes all of it.
///
/// # Errors
///
/// [`RelocateRefusal::Shared`]; [`PlaceRefusal::Layout`].
pub fn flexible(device: Window<'_>, level: &Level) -> Result<MdLayout> {
    if level.superblock.format() == Format::V07 {
        return Err(RelocateRefusal::V07.into());
    }
    let layout = MdLayout::planned(MdIndex::FlexExternal, level.layout.geometry, device.size());
    let layout = layout.map_err(PlaceRefusal::Layout)?;
    let others = at_risk(device, &layout)?.into_iter();
    let mut others = others.filter_map(|threat| match threat {
        AtRisk::Metadata { at, .. } if at != level.layout.md => Some(at),
        _ => None,
    });
    match others.next() {
        Some(at) => Err(RelocateRefusal::Shared { at }.into()),
        None => Ok(layout),
    }
}

#[cfg(test)]
mod tests;
