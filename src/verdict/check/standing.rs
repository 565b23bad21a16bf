//! Superblocks that stand where DRBD looks and contradict their place.

use super::subject::Subject;
use crate::error::Result;
use crate::format::layout::{MD_RESERVED, MdIndex};
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{Format, Superblock};
use crate::image::Window;
use crate::survey::locate::{FoundBy, IndexChoice, Located};
use crate::units::{Bytes, DevPos, MD_BLOCK, Sectors};

/// `md_size_sect` of an indexed slot.
const INDEXED_MD_SIZE: u64 = 262_144;

/// A superblock that is no level, but stands where DRBD looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it says.
    pub superblock: Superblock,
    /// Where it begins.
    pub at: DevPos,
    /// The rule by which DRBD looks there.
    pub index: MdIndex,
    /// The size of the device on which DRBD looks there.
    pub device: Bytes,
    /// The number of the level around it: `None` where it is the image's own.
    pub inside: Option<usize>,
}

impl Standing {
    /// The same, to be judged.
    #[must_use]
    pub const fn subject(&self) -> Subject<'_> {
        Subject {
            superblock: &self.superblock,
            at: self.at,
            index: self.index,
            device: self.device,
        }
    }
}

/// The superblocks that stand where DRBD looks, and that `located` does not list as levels: at most one where the outermost level's would be,
/// and one where a further level's would be.
///
/// # Errors
///
/// What reading met: a few blocks.
pub fn standing(
    device: Window<'_>,
    located: &Located,
    index: IndexChoice,
) -> Result<Vec<Standing>> {
    let mut found = Vec::new();
    let first = located.levels.first().map(|level| level.found_by);
    if matches!(first, None | Some(FoundBy::Scan)) {
        let places = outermost_places(index);
        found.extend(first_of(device, located, &places, device.size(), None)?);
    }
    let last = located.levels.len().checked_sub(1);
    if let Some(last) = last
        && let Some(level) = located.levels.get(last)
        && level.layout.index.is_internal()
    {
        let sizes = [level.drbd_device(), level.layout.usable];
        for size in sizes.into_iter().filter_map(Sectors::to_bytes) {
            let places = &[MdIndex::FlexInternal, MdIndex::Internal];
            let inner = first_of(device, located, places, size, Some(last))?;
            if inner.is_some() {
                found.extend(inner);
                break;
            }
        }
    }
    Ok(found)
}

/// Where DRBD looks for the outermost level.
fn outermost_places(index: IndexChoice) -> Vec<MdIndex> {
    match index {
        IndexChoice::Auto => vec![
            MdIndex::FlexInternal,
            MdIndex::Internal,
            MdIndex::FlexExternal,
        ],
        IndexChoice::Internal => vec![MdIndex::FlexInternal, MdIndex::Internal],
        IndexChoice::FlexExternal => vec![MdIndex::FlexExternal],
        IndexChoice::Indexed(slot) => vec![MdIndex::Indexed(slot)],
    }
}

/// The first of some places that has a superblock which is no level's.
fn first_of(
    device: Window<'_>,
    located: &Located,
    places: &[MdIndex],
    size: Bytes,
    inside: Option<usize>,
) -> Result<Option<Standing>> {
    for index in places {
        let Some(at) = index.superblock_pos(size) else {
            continue;
        };
        let known = located.levels.iter().any(|level| level.layout.md == at);
        let Some(superblock) = block(device, at)?.filter(|_| !known) else {
            continue;
        };
        let v07 = superblock.format() == Format::V07;
        if *index == MdIndex::Internal && !v07 {
            continue;
        }
        return Ok(Some(Standing {
            index: as_said(&superblock, *index),
            superblock,
            at,
            device: size,
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
/// What reading met.
pub fn standing_at(device: Window<'_>, at: DevPos, index: IndexChoice) -> Result<Option<Standing>> {
    let Some(superblock) = block(device, at)? else {
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
    Ok(Some(Standing {
        superblock,
        at,
        index,
        device: size,
        inside: None,
    }))
}

/// The block at a position, if it is inside and carries a magic.
fn block(device: Window<'_>, at: DevPos) -> Result<Option<Superblock>> {
    let end = at.checked_add(MD_BLOCK);
    if end.is_none_or(|end| end.from_start() > device.size()) {
        return Ok(None);
    }
    let mut block = [0; SUPERBLOCK_LEN];
    device.read_exact_at(at, &mut block)?;
    Ok(Superblock::decode(&block))
}
