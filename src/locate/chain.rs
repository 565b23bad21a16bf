//! Following the chain of levels, and mending it by what a search found.

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::scan::{self, Hit, block_at};
use super::{
    FoundBy, IndexChoice, Level, LocateOptions, Located, Rejected, Role, ScanMode, Searched, Why,
};
use crate::error::{Corrupt, Error, Misfit, Result};
use crate::image::Window;
use crate::layout::{AlStriping, MAX_PEERS, MD_RESERVED, MdGeometry, MdIndex, MdLayout};
use crate::ondisk::SUPERBLOCK_LEN;
use crate::superblock::{Format, Superblock, Uuid, magic};
use crate::units::{Bytes, DevPos, ImagePos, MD_BLOCK, SECTOR_SIZE, Sectors};

/// How much of a device's tail is searched where one level was found and no stack is expected.
const QUICK_TAIL: Bytes = Bytes::new(64 << 20);
/// The largest activity log that drbdmeta makes.
const LARGEST_AL: Bytes = Bytes::new(32 << 20);
/// How many rejected ones are kept, and how many candidates.
const KEPT: usize = 256;
/// `md_size_sect` of an indexed slot.
const INDEXED_MD_SIZE: Sectors = Sectors::new(262_144);

/// A superblock that a search found and that fits its position.
struct Candidate {
    superblock: Superblock,
    layout: MdLayout,
    device: Bytes,
}

/// One look at one device.
pub(super) struct Finder<'a> {
    device: Window<'a>,
    options: LocateOptions,
    found: Located,
    candidates: VecDeque<Candidate>,
}

impl<'a> Finder<'a> {
    pub(super) fn new(device: Window<'a>, options: LocateOptions) -> Self {
        Self {
            device,
            options,
            found: Located::default(),
            candidates: VecDeque::new(),
        }
    }

    pub(super) fn locate(mut self) -> Result<Located> {
        if let Some(level) = self.outermost()? {
            self.found.levels.push(level);
        }
        self.follow()?;
        self.search()?;
        self.sort_out();
        name_roles(&mut self.found, self.options.stacked);
        Ok(self.found)
    }

    /// The level that DRBD would find on a device of this size.
    fn outermost(&mut self) -> Result<Option<Level>> {
        let indices: &[MdIndex] = match self.options.index {
            IndexChoice::Auto => &[
                MdIndex::FlexInternal,
                MdIndex::Internal,
                MdIndex::FlexExternal,
                MdIndex::Indexed(0),
            ],
            IndexChoice::Internal => &[MdIndex::FlexInternal, MdIndex::Internal],
            IndexChoice::FlexExternal => &[MdIndex::FlexExternal],
            IndexChoice::Indexed(slot) => &[MdIndex::Indexed(slot)],
        };
        self.expected(indices, self.device.size(), FoundBy::ExpectedPosition)
    }

    /// The first of some placements that holds on a device of `size`.
    fn expected(
        &mut self,
        indices: &[MdIndex],
        size: Bytes,
        found_by: FoundBy,
    ) -> Result<Option<Level>> {
        for index in indices {
            let Some(at) = index.superblock_pos(size) else {
                continue;
            };
            if self.found.levels.iter().any(|level| level.layout.md == at) {
                continue;
            }
            let Some(superblock) = block_at(self.device, at)? else {
                continue;
            };
            if !may_lie(&superblock, *index, size) {
                continue;
            }
            match MdLayout::of(&superblock, *index, size) {
                Ok(layout) => {
                    return Ok(Some(Level {
                        role: Role::Single,
                        superblock,
                        layout,
                        device: size,
                        found_by,
                    }));
                }
                Err(misfit) => self.reject(at, superblock.format(), Why::Misfit(misfit)),
            }
        }
        Ok(None)
    }

    /// Goes inwards from the last level, as long as there is a superblock where DRBD would look.
    fn follow(&mut self) -> Result<()> {
        while let Some(level) = self.found.levels.last() {
            if !level.layout.index.is_internal() {
                // The data is on another device.
                return Ok(());
            }
            let (agreed, most) = (level.drbd_device(), level.layout.usable);
            let mut inner = None;
            for size in if agreed == most {
                vec![agreed]
            } else {
                vec![agreed, most]
            } {
                let Some(size) = size.to_bytes() else {
                    continue;
                };
                inner = self.expected(
                    &[MdIndex::FlexInternal, MdIndex::Internal],
                    size,
                    FoundBy::OuterSize,
                )?;
                if inner.is_some() {
                    break;
                }
            }
            match inner {
                Some(inner) => self.found.levels.push(inner),
                None => return Ok(()),
            }
        }
        Ok(())
    }

    /// Where the chain broke, searches for more and mends it.
    fn search(&mut self) -> Result<()> {
        if matches!(
            self.options.index,
            IndexChoice::FlexExternal | IndexChoice::Indexed(_)
        ) {
            // The caller named one place of a meta device; whatever lies elsewhere is not what was asked for.
            return Ok(());
        }
        let broken =
            self.found.levels.is_empty() || self.found.levels.len() == 1 && self.room().is_some();
        match self.options.scan {
            ScanMode::Never => return Ok(()),
            ScanMode::Auto if !broken => return Ok(()),
            ScanMode::Auto => {
                let thorough = self.found.levels.is_empty() || self.options.stacked;
                let levels = self.found.levels.len();
                self.search_tail(thorough)?;
                if self.found.levels.len() > levels || !thorough {
                    return Ok(());
                }
            }
            ScanMode::Full => {}
        }
        self.search_everything()
    }

    /// The size of the device in which a further level could lie: the last level's, or the whole where there is none yet.
    fn room(&self) -> Option<Bytes> {
        match self.found.levels.last() {
            Some(level) if level.layout.index.is_internal() => level.drbd_device().to_bytes(),
            Some(_) => None,
            None => Some(self.device.size()),
        }
    }

    /// Searches the tail backwards, until something there continues the chain.
    fn search_tail(&mut self, thorough: bool) -> Result<()> {
        let Some(room) = self.room() else {
            return Ok(());
        };
        let reach = if thorough {
            furthest_reach(room)
        } else {
            QUICK_TAIL.min(room)
        };
        let end = DevPos::at(room.align_down(MD_BLOCK));
        let start = DevPos::at(room.saturating_sub(reach).align_down(MD_BLOCK));
        let device = self.device;
        let mut mended = Ok(());
        scan::backward(device, start..end, &mut |hit| {
            let levels = self.found.levels.len();
            self.consider(hit);
            mended = self.mend();
            if mended.is_err() || self.found.levels.len() > levels {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        })?;
        self.found.searched = Searched::Tail(reach);
        mended
    }

    /// Searches everything that holds data, then mends the chain by the highest position that does.
    fn search_everything(&mut self) -> Result<()> {
        let end = DevPos::at(self.device.size().align_down(MD_BLOCK));
        let device = self.device;
        scan::forward(device, DevPos::START..end, &mut |hit| {
            self.consider(hit);
            ControlFlow::Continue(())
        })?;
        self.found.searched = Searched::Everything;
        self.mend()
    }

    /// Judges a block with a magic by what its position implies.
    fn consider(&mut self, hit: Hit) {
        let Hit { at, superblock } = hit;
        let known = self.found.levels.iter().any(|level| level.layout.md == at)
            || self
                .candidates
                .iter()
                .any(|candidate| candidate.layout.md == at);
        if known {
            return;
        }
        match fitting(&superblock, at, self.device.size()) {
            Ok((layout, device)) => {
                if self.candidates.len() >= KEPT {
                    // Forwards, the lowest go first; what is kept of an absurd number are the highest.
                    if let Some(dropped) = self.candidates.pop_front() {
                        self.reject(
                            dropped.layout.md,
                            dropped.superblock.format(),
                            Why::Outside {
                                device: dropped.device,
                            },
                        );
                    }
                }
                self.candidates.push_back(Candidate {
                    superblock,
                    layout,
                    device,
                });
            }
            Err(why) => self.reject(at, superblock.format(), why),
        }
    }

    /// Continues the chain by candidates, the highest position first, as long as one does.
    fn mend(&mut self) -> Result<()> {
        // A chain of two is not broken: a further candidate is rather a leftover than a third level.
        while self.found.levels.len() < 2
            && let Some(room) = self.room()
        {
            let continues = |candidate: &Candidate| {
                let inside = candidate.layout.whole.end.from_start() <= room;
                let internal = candidate.layout.index.is_internal() || self.found.levels.is_empty();
                inside && internal && self.stale_copy_of(&candidate.superblock).is_none()
            };
            let best = self
                .candidates
                .iter()
                .enumerate()
                .filter(|(_, candidate)| continues(candidate));
            let Some((i, _)) = best.max_by_key(|(_, candidate)| candidate.layout.md) else {
                return Ok(());
            };
            let Some(Candidate {
                superblock,
                layout,
                device,
            }) = self.candidates.remove(i)
            else {
                return Ok(());
            };
            let found_by = FoundBy::Scan;
            self.found.levels.push(Level {
                role: Role::Single,
                superblock,
                layout,
                device,
                found_by,
            });
            self.follow()?;
        }
        Ok(())
    }

    /// The level that a superblock is an older copy of.
    fn stale_copy_of(&self, superblock: &Superblock) -> Option<usize> {
        self.found
            .levels
            .iter()
            .position(|level| same_resource(&level.superblock, superblock))
    }

    /// Says of each candidate that did not continue the chain why not.
    fn sort_out(&mut self) {
        let levels: Vec<DevPos> = self
            .found
            .levels
            .iter()
            .map(|level| level.layout.md)
            .collect();
        for candidate in std::mem::take(&mut self.candidates) {
            let at = candidate.layout.md;
            if levels.contains(&at) {
                continue;
            }
            let why = match self.stale_copy_of(&candidate.superblock) {
                Some(level) => Why::Stale {
                    level,
                    device: candidate.device,
                },
                None if !candidate.layout.index.is_internal() => match candidate.layout.index {
                    MdIndex::Indexed(slot) => Why::OtherSlot { slot },
                    _ => Why::External,
                },
                None => self.outside_or_leftover(&candidate),
            };
            self.reject(at, candidate.superblock.format(), why);
        }
        self.found
            .rejected
            .retain(|rejected| !levels.contains(&rejected.at));
        self.found.rejected.sort_by_key(|rejected| rejected.at);
    }

    /// Why a candidate that belongs to no level's resource is not one itself.
    fn outside_or_leftover(&self, candidate: &Candidate) -> Why {
        let room = self.room().unwrap_or(Bytes::ZERO);
        if candidate.layout.whole.end.from_start() <= room {
            Why::Leftover {
                level: self.found.levels.len().saturating_sub(1),
            }
        } else {
            Why::Outside { device: room }
        }
    }

    fn reject(&mut self, at: DevPos, format: Format, why: Why) {
        if self.found.rejected.iter().any(|rejected| rejected.at == at) {
            return;
        }
        if self.found.rejected.len() < KEPT {
            self.found.rejected.push(Rejected { at, format, why });
        } else {
            self.found.rejected_more = self.found.rejected_more.saturating_add(1);
        }
    }
}

/// Gives each level its role.
fn name_roles(found: &mut Located, stacked: bool) {
    let last = found.levels.len().saturating_sub(1);
    for (i, level) in found.levels.iter_mut().enumerate() {
        level.role = match i {
            _ if last == 0 && stacked && level.found_by == FoundBy::Scan => Role::Inner,
            _ if last == 0 => Role::Single,
            0 => Role::Outer,
            _ if i == last => Role::Inner,
            _ => Role::Middle,
        };
    }
}

/// Whether a format can lie by a rule at all: only v07 knows the fixed 128 MiB, and only an indexed slot says that it has 128 MiB of a
/// larger device.
fn may_lie(superblock: &Superblock, index: MdIndex, device: Bytes) -> bool {
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
fn fitting(
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

/// Whether two superblocks belong to one resource's one replica: a device UUID, or a generation, that both know.
fn same_resource(one: &Superblock, other: &Superblock) -> bool {
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
fn furthest_reach(device: Bytes) -> Bytes {
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
pub(super) fn given(
    device: Window<'_>,
    at: DevPos,
    index: IndexChoice,
) -> Result<std::result::Result<Level, Error>> {
    let mut block = [0; SUPERBLOCK_LEN];
    device.read_exact_at(at, &mut block)?;
    let place = device.image_pos(at).unwrap_or(ImagePos::START);
    let Some(superblock) = Superblock::decode(&block) else {
        return Ok(Err(Corrupt::Magic {
            at: place,
            found: magic(&block),
        }
        .into()));
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
    Ok(match fits {
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
    })
}
