//! Where the device begins that a superblock belongs to: with the disk, or inside something else on it.
//!
//! ```text
//! LVM on DRBD:   | label | … LVs …                    | bitmap | log | sb |     the PV ends before the metadata: the disk's own
//! DRBD on an LV: | label | … | LV: data | bitmap | log | sb | …           |     the PV reaches behind it: the logical volume's
//! ```
//!
//! A label at the disk's first bytes says nothing by itself, and neither does the distance from the first bitmap byte back by la-size, which
//! is that of any slack. The records of the physical volume, of the array's member and of the partition table decide: whoever has the
//! superblock among his own bytes holds the device that it belongs to, whatever size was agreed on: what has no room there was not the disk's
//! for that. What they leave open is said to be so.

mod holders;
mod lvm;

use std::cell::OnceCell;
use std::fmt;

use crate::error::Result;
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::superblock::Superblock;
use crate::image::Window;
use crate::units::{Bytes, DevPos, MD_BLOCK, Sectors};

use holders::{Region, regions};

/// How deep holders are looked for in each other: a partition with a physical volume on an array.
const DEEPEST: u32 = 4;

/// What may hold the device that a superblock belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Holder {
    /// A partition, by its number.
    Partition(u32),
    /// A physical volume of LVM.
    Lvm,
    /// A member of an md RAID.
    Md,
    /// A backing device of bcache.
    Bcache,
}

impl Holder {
    /// One word, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Partition(_) => "partition",
            Self::Lvm => "lvm",
            Self::Md => "md",
            Self::Bcache => "bcache",
        }
    }

    /// What a person would give instead of the image.
    #[must_use]
    pub const fn device(self) -> &'static str {
        match self {
            Self::Partition(_) => "the partition's own device",
            Self::Lvm => "the logical volume's own device (/dev/VG/LV)",
            Self::Md => "the array's own device (/dev/mdN)",
            Self::Bcache => "the bcache device (/dev/bcacheN)",
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition(number) => write!(f, "partition {number}"),
            Self::Lvm => f.write_str("an LVM physical volume"),
            Self::Md => f.write_str("an md RAID member"),
            Self::Bcache => f.write_str("a bcache backing device"),
        }
    }
}

/// A superblock of a device that begins further on than the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inside {
    /// The superblock.
    pub md: DevPos,
    /// What holds its device.
    pub holder: Holder,
    /// Where its device begins, and its size; `None` where the holder's records leave that open.
    pub place: Option<(DevPos, Bytes)>,
}

/// What is known of the superblock.
#[derive(Clone, Copy)]
struct Facts<'s> {
    superblock: &'s Superblock,
    md: DevPos,
    /// The first byte of its bitmap.
    first: DevPos,
    /// The size of its DRBD device, where one was agreed on.
    la: Option<Bytes>,
}

impl Facts<'_> {
    /// Whether all that the superblock says fits a device of `size` at whose end it is.
    fn fit(&self, size: Bytes) -> bool {
        MdLayout::of(self.superblock, MdIndex::FlexInternal, size).is_ok()
            && self.fit_behind(DevPos::START)
    }

    /// Whether a device that begins at `start` has room for the DRBD device before the bitmap.
    fn fit_behind(&self, start: DevPos) -> bool {
        let room = self.first.bytes_since(start);
        room.is_some_and(|room| self.la.is_none_or(|la| la <= room))
    }

    /// Whether DRBD looks there on a device of `size` from `start` on.
    fn end(&self, start: DevPos, size: Bytes) -> bool {
        let at = MdIndex::FlexInternal.superblock_pos(size);
        at.and_then(|at| start.checked_add(at.from_start())) == Some(self.md)
    }
}

/// Who holds parts of a disk, by his own records, which are read once and only when they are asked for.
pub struct Holders<'a> {
    device: Window<'a>,
    regions: OnceCell<Vec<Region>>,
}

impl<'a> Holders<'a> {
    /// Those of a disk. Nothing is read yet.
    #[must_use]
    pub const fn of(device: Window<'a>) -> Self {
        Self {
            device,
            regions: OnceCell::new(),
        }
    }

    /// What holds the device that the superblock at `md` belongs to; `None` where that is the disk itself.
    ///
    /// External metadata, and what has no place among a holder's own bytes, is the disk's.
    ///
    /// # Errors
    ///
    /// Errors of reading the records: the partition table, the labels of LVM, md and bcache, and the text of a volume group.
    pub fn inside(&self, md: DevPos, superblock: &Superblock) -> Result<Option<Inside>> {
        let first = md.checked_offset(superblock.bm_offset());
        let Some(first) = first.filter(|first| *first < md) else {
            return Ok(None);
        };
        let la = Some(superblock.la_size()).filter(|la| *la != Sectors::ZERO);
        let facts = Facts {
            superblock,
            md,
            first,
            la: la.and_then(Sectors::to_bytes),
        };
        look(self.device, self.regions()?, facts, DEEPEST)
    }

    fn regions(&self) -> Result<&[Region]> {
        if let Some(known) = self.regions.get() {
            return Ok(known);
        }
        let found = regions(self.device)?;
        Ok(self.regions.get_or_init(|| found))
    }
}

fn look(
    device: Window<'_>,
    regions: &[Region],
    facts: Facts<'_>,
    depth: u32,
) -> Result<Option<Inside>> {
    let Some(depth) = depth.checked_sub(1) else {
        return Ok(None);
    };
    let in_place = facts.end(DevPos::START, device.size());
    let fits = in_place && facts.fit(device.size());
    let held = regions.iter().filter(|region| region.has(facts.md));
    // What ends just there is it, whatever lies around.
    for region in held.clone() {
        let exact = region.devices.iter().find(|(start, size)| {
            // A disk that ends there, too, is told from it by the size of the DRBD device.
            let known = !fits || facts.la.is_some() && facts.fit_behind(*start);
            known && facts.end(*start, *size)
        });
        if let Some(place) = exact {
            return Ok(Some(facts.inside(region, Some(*place))));
        }
    }
    if in_place {
        return Ok(None);
    }
    for region in held {
        if let Some(found) = look_into(device, region, facts, depth)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// What a region holds that does not end with the metadata.
fn look_into(
    device: Window<'_>,
    region: &Region,
    facts: Facts<'_>,
    depth: u32,
) -> Result<Option<Inside>> {
    let around = region
        .devices
        .iter()
        .find(|(start, size)| holders::holds(*start, *size, facts.md));
    if let Some((start, size)) = around {
        let back = |at: DevPos| at.bytes_since(*start).map(DevPos::at);
        if let Some(part) = device.part(*start, *size)
            && let Some((md, first)) = back(facts.md).zip(back(facts.first))
            && let Some(found) = look(part, &regions(part)?, Facts { md, first, ..facts }, depth)?
        {
            return Ok(Some(found.moved(*start)));
        }
        // A stack's inner one, or one from when the device was smaller: of this device all the same.
        return Ok(Some(facts.inside(region, Some((*start, *size)))));
    }
    // Of a device between these bounds that ends with the metadata; where none has room for what was agreed on, nobody knows where it begins.
    let latest = facts.la.and_then(|la| facts.first.checked_sub(la));
    let end = facts.md.checked_add(MD_BLOCK);
    Ok(Some(match latest {
        Some(latest) if latest == region.start => {
            let size = end.and_then(|end| end.bytes_since(latest));
            facts.inside(region, size.map(|size| (latest, size)))
        }
        _ => facts.inside(region, None),
    }))
}

impl Facts<'_> {
    const fn inside(&self, region: &Region, place: Option<(DevPos, Bytes)>) -> Inside {
        Inside {
            md: self.md,
            holder: region.holder,
            place,
        }
    }
}

impl Inside {
    /// The same, seen from a device in which this one begins at `start`.
    fn moved(self, start: DevPos) -> Self {
        let on = |at: DevPos| at.saturating_add(start.from_start());
        Self {
            md: on(self.md),
            place: self.place.map(|(at, size)| (on(at), size)),
            ..self
        }
    }
}

#[cfg(test)]
mod tests;
