//! Superblocks where DRBD looks whose fields contradict their place.

use super::locate::{FoundBy, IndexChoice, Level, Located, Why, locate_at};
use super::places::{self, Place};
use super::traces::superblock_at;
use crate::error::Result;
use crate::format::layout::{MD_RESERVED, MdIndex};
use crate::format::superblock::{Format, Superblock};
use crate::image::Window;
use crate::units::{Bytes, DevPos, MD_BLOCK};

/// `md_size_sect` of an indexed slot.
const INDEXED_MD_SIZE: u64 = 262_144;

/// A superblock that is no level, but stands where DRBD looks.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InPlace {
    /// What it says.
    pub superblock: Superblock,
    /// Where it begins.
    pub at: DevPos,
    /// The rule by which DRBD looks there.
    pub index: MdIndex,
    /// The size of the device on which DRBD looks there.
    pub device: Bytes,
    /// The resource, where it is another one in a slot of the same meta device.
    pub level: Option<Level>,
    /// The number of the level around it: `None` where it is the image's own.
    pub inside: Option<usize>,
}

/// The superblocks that stand where DRBD looks, and that `located` does not list as levels: at most one where the outermost level's would be,
/// and one inside each level where the next one's would be.
///
/// # Errors
///
/// Errors of reading a few blocks.
pub fn in_place(device: Window<'_>, located: &Located, index: IndexChoice) -> Result<Vec<InPlace>> {
    let mut found = Vec::new();
    let first = located.levels.first().map(|level| level.found_by);
    if matches!(first, None | Some(FoundBy::Scan)) {
        let places = places::outermost(index, device.size());
        found.extend(first_of(device, located, &places, None)?);
    }
    let further = located.levels.iter().skip(1).map(|level| level.found_by);
    let further = further.map(Some).chain(std::iter::once(None));
    for ((number, level), next) in located.levels.iter().enumerate().zip(further) {
        // What a search found further inside stands in for what belongs here.
        if matches!(next, None | Some(FoundBy::Scan)) {
            let inside = first_of(device, located, &places::inside(level), Some(number))?;
            let new = |one: &InPlace| found.iter().all(|known: &InPlace| known.at != one.at);
            found.extend(inside.filter(new));
        }
    }
    let slots = damaged_slots(device, located)?.into_iter();
    let known: Vec<DevPos> = found.iter().map(|one| one.at).collect();
    found.extend(slots.filter(|one| !known.contains(&one.at)));
    for rejected in &located.rejected {
        if let Why::OtherSlot { slot } = rejected.why
            && let Ok(level) = locate_at(device, rejected.at, IndexChoice::Indexed(slot))
        {
            found.push(InPlace {
                superblock: level.superblock.clone(),
                at: rejected.at,
                index: level.layout.index,
                device: device.size(),
                level: Some(level),
                inside: None,
            });
        }
    }
    Ok(found)
}

/// The superblocks of a meta device's slots that contradict their place: whose they are is in a configuration only, so that each counts.
fn damaged_slots(device: Window<'_>, located: &Located) -> Result<Vec<InPlace>> {
    let first = located.levels.first().map(|level| level.layout.index);
    if !matches!(first, None | Some(MdIndex::Indexed(_))) {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let misfits = located.rejected.iter();
    for rejected in misfits.filter(|one| matches!(one.why, Why::Misfit(_))) {
        let one = in_place_at(device, rejected.at, IndexChoice::Auto)?;
        let slot = |one: &InPlace| {
            let of_slot = matches!(one.index, MdIndex::Indexed(slot) if slot > 0);
            of_slot && (first.is_some() || one.superblock.md_size().get() == INDEXED_MD_SIZE)
        };
        found.extend(one.filter(slot));
    }
    Ok(found)
}

/// The first of some places that has a superblock which is no level's.
fn first_of(
    device: Window<'_>,
    located: &Located,
    places: &[Place],
    inside: Option<usize>,
) -> Result<Option<InPlace>> {
    for place in places {
        let Place {
            index,
            at,
            device: size,
        } = *place;
        let known = located.levels.iter().any(|level| level.layout.md == at)
            // It stands in its place on the device that it belongs to.
            || located.inside.iter().any(|inside| inside.md == at);
        let Some(superblock) = superblock_at(device, at)?.filter(|_| !known) else {
            continue;
        };
        let v07 = superblock.format() == Format::V07;
        if index == MdIndex::Internal && !v07 {
            continue;
        }
        return Ok(Some(InPlace {
            index: as_said(&superblock, index),
            superblock,
            at,
            device: size,
            level: None,
            inside,
        }));
    }
    Ok(None)
}

/// The start of a meta device belongs to a slot where the superblock says that it is one.
fn as_said(superblock: &Superblock, index: MdIndex) -> MdIndex {
    let slot = index == MdIndex::FlexExternal && superblock.md_size().get() == INDEXED_MD_SIZE;
    if slot { MdIndex::Indexed(0) } else { index }
}

/// The superblock at a position, by the rule asked for or else by what it says of itself; `None` where there is none.
///
/// # Errors
///
/// Read errors.
pub fn in_place_at(device: Window<'_>, at: DevPos, index: IndexChoice) -> Result<Option<InPlace>> {
    let Some(superblock) = superblock_at(device, at)? else {
        return Ok(None);
    };
    let behind = at.from_start().checked_add(MD_BLOCK);
    let ends_with_it = behind.unwrap_or_else(|| device.size());
    let slot = u8::try_from(at.from_start().whole_units(MD_RESERVED)).unwrap_or(0);
    let external = superblock.al_offset().get() > 0;
    let (index, size) = match index {
        IndexChoice::FlexExternal => (MdIndex::FlexExternal, device.size()),
        IndexChoice::Indexed(slot) => (MdIndex::Indexed(slot), device.size()),
        IndexChoice::Auto if external && at == DevPos::START => {
            (as_said(&superblock, MdIndex::FlexExternal), device.size())
        }
        IndexChoice::Auto
            if external && at.from_start().align_down(MD_RESERVED) == at.from_start() =>
        {
            (MdIndex::Indexed(slot), device.size())
        }
        IndexChoice::Auto | IndexChoice::Internal => {
            let rest = device.size().saturating_sub(ends_with_it);
            let size = if rest < MD_BLOCK {
                device.size()
            } else {
                ends_with_it
            };
            (MdIndex::FlexInternal, size)
        }
    };
    Ok(Some(InPlace {
        superblock,
        at,
        index,
        device: size,
        level: None,
        inside: None,
    }))
}
