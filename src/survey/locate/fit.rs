//! Whether a superblock fits the place where it lies, and whose it is.

use super::{FoundBy, IndexChoice, Level, Role, Why};
use crate::error::{Corrupt, Misfit, Result};
use crate::format::layout::{AlStriping, MAX_PEERS, MD_RESERVED, MdGeometry, MdIndex, MdLayout};
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{Format, Superblock, Uuid, magic};
use crate::image::Window;
use crate::units::{Bytes, DevPos, ImagePos, MD_BLOCK, SECTOR_SIZE, Sectors};

/// The largest activity log that drbdmeta makes.
const LARGEST_AL: Bytes = Bytes::new(32 << 20);
/// `md_size_sect` of an indexed slot.
const INDEXED_MD_SIZE: Sectors = Sectors::new(262_144);

/// Whether a format can lie by a rule at all: only v07 knows the fixed 128 MiB, and only an indexed slot says that it has 128 MiB of a
/// larger device.
pub(super) fn may_lie(superblock: &Superblock, index: MdIndex, device: Bytes) -> bool {
    let indexed = superblock.md_size() == INDEXED_MD_SIZE;
    let external = superblock.al_offset().get() > 0;
    match index {
        MdIndex::Internal => superblock.format() == Format::V07 && external,
        MdIndex::FlexInternal => !external,
        MdIndex::FlexExternal => external && (!indexed || device == MD_RESERVED),
        MdIndex::Indexed(_) => external && indexed,
    }
}

/// The layout and device size that a position implies, if the superblock agrees with them.
pub(in crate::survey) fn fitting(
    superblock: &Superblock,
    at: DevPos,
    most: Bytes,
) -> std::result::Result<(MdLayout, Bytes), Why> {
    if superblock.al_offset().get() > 0 {
        return fitting_external(superblock, at, most);
    }
    let mut first_misfit = None;
    for tail in 0..MD_BLOCK.whole_units(SECTOR_SIZE) {
        let device = at
            .checked_add(MD_BLOCK)
            .and_then(|end| {
                SECTOR_SIZE
                    .checked_mul(tail)
                    .and_then(|tail| end.checked_add(tail))
            })
            .map(DevPos::from_start);
        let Some(device) = device.filter(|device| *device <= most) else {
            break;
        };
        match MdLayout::of(superblock, MdIndex::FlexInternal, device) {
            Ok(layout) => return Ok((layout, device)),
            Err(misfit) => first_misfit = first_misfit.or(Some(misfit)),
        }
    }
    Err(first_misfit.map_or(Why::Outside { device: most }, Why::Misfit))
}

/// The same for metadata that begins with its superblock: v07's fixed 128 MiB, or a slot of a meta device.
fn fitting_external(
    superblock: &Superblock,
    at: DevPos,
    most: Bytes,
) -> std::result::Result<(MdLayout, Bytes), Why> {
    let misfit = |misfit: Misfit| Why::Misfit(misfit);
    let slot = u8::try_from(at.from_start().whole_units(MD_RESERVED)).ok();
    let aligned = at.from_start().align_down(MD_RESERVED) == at.from_start();
    // v07 looks the same in both places; behind data it is rather internal.
    let indexed = aligned && (superblock.format() != Format::V07 || at == DevPos::START);
    if let Some(slot) = slot.filter(|_| indexed && superblock.md_size() == INDEXED_MD_SIZE) {
        let layout = MdLayout::of(superblock, MdIndex::Indexed(slot), most).map_err(misfit)?;
        return Ok((layout, most));
    }
    let end = at
        .checked_add(MD_RESERVED)
        .map(DevPos::from_start)
        .filter(|end| *end <= most);
    match end {
        Some(device)
            if superblock.format() == Format::V07 && superblock.md_size() == INDEXED_MD_SIZE =>
        {
            let layout = MdLayout::of(superblock, MdIndex::Internal, device).map_err(misfit)?;
            Ok((layout, device))
        }
        _ => Err(Why::External),
    }
}

/// The largest device that internal metadata at `at` can be of, where that is smaller than all up to there: it ends here, and begins behind
/// this device's start, as a partition or a logical volume does.
pub(crate) fn smaller_device(superblock: &Superblock, at: DevPos) -> Option<Bytes> {
    let (al, bm) = (superblock.al_offset().get(), superblock.bm_offset().get());
    let area = Sectors::new(u64::try_from(al.checked_sub(bm)?).ok()?).to_bytes()?;
    let device = superblock.geometry().bitmap_capacity(area)?.to_bytes()?;
    let layout = MdLayout::of(superblock, MdIndex::FlexInternal, device).ok()?;
    let end = at.checked_add(MD_BLOCK)?.from_start();
    (device < end && superblock.la_size() <= layout.usable).then_some(device)
}

/// Whose a superblock is that contradicts its place: perhaps a smaller device's.
pub(super) fn or_smaller(why: Why, superblock: &Superblock, at: DevPos) -> Why {
    let smaller = match why {
        Why::Misfit(_) => smaller_device(superblock, at),
        _ => None,
    };
    smaller.map_or(why, |most| Why::Smaller { most })
}

/// Whether two superblocks belong to one resource's one replica: a device UUID, or a generation, that both know.
pub(super) fn same_resource(one: &Superblock, other: &Superblock) -> bool {
    let device =
        |superblock: &Superblock| superblock.device_uuid().filter(|uuid| *uuid != Uuid::NONE);
    if let (Some(a), Some(b)) = (device(one), device(other)) {
        return a == b;
    }
    let theirs = other.generations();
    one.generations()
        .iter()
        .any(|a| theirs.iter().any(|b| a.same_generation(*b)))
}

/// How far from a device's end its superblock's bitmap can begin: what an upper device's end can be away from it.
pub(super) fn furthest_reach(device: Bytes) -> Bytes {
    let largest = MdGeometry {
        max_peers: MAX_PEERS,
        bytes_per_bit: 4096,
        al: AlStriping::DEFAULT,
    };
    let metadata = largest
        .internal_size(device.to_sectors_floor())
        .and_then(|size| size.checked_add(LARGEST_AL));
    metadata.map_or(device, |size| size.min(device))
}

/// The level whose superblock the caller says is at `at`.
pub(super) fn given(device: Window<'_>, at: DevPos, index: IndexChoice) -> Result<Level> {
    let mut block = [0; SUPERBLOCK_LEN];
    device.read_exact_at(at, &mut block)?;
    let place = device.image_pos(at).unwrap_or(ImagePos::START);
    let Some(superblock) = Superblock::decode(&block) else {
        return Err(Corrupt::Magic {
            at: place,
            found: magic(&block),
        }
        .into());
    };
    let format = superblock.format();
    let fits = match index {
        IndexChoice::FlexExternal => Some(MdIndex::FlexExternal),
        IndexChoice::Indexed(slot) => Some(MdIndex::Indexed(slot)),
        IndexChoice::Auto if at == DevPos::START && superblock.md_size() != INDEXED_MD_SIZE => {
            Some(MdIndex::FlexExternal)
        }
        IndexChoice::Auto | IndexChoice::Internal => None,
    };
    let fits = match fits {
        Some(index) => MdLayout::of(&superblock, index, device.size())
            .map(|layout| (layout, device.size()))
            .map_err(Why::Misfit),
        None => fitting(&superblock, at, device.size()),
    };
    match fits {
        Ok((layout, size)) if layout.md == at => Ok(Level {
            role: Role::Single,
            superblock,
            layout,
            device: size,
            found_by: FoundBy::Given,
        }),
        Ok((layout, _)) => Err(Corrupt::Elsewhere {
            at: place,
            format,
            index: layout.index,
            expected: layout.md,
        }
        .into()),
        Err(Why::Misfit(misfit)) => Err(Corrupt::Superblock {
            at: place,
            format,
            misfit,
        }
        .into()),
        Err(_) => Err(Corrupt::External { at: place, format }.into()),
    }
}
