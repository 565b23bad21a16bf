//! Following the chain of levels, and mending it by what a search found.

mod hidden;

use std::collections::VecDeque;
use std::ops::ControlFlow;

use super::fit::{fitting, furthest_reach, may_lie, or_smaller, same_resource};
use super::scan::{self, Hit};
use super::{
    FoundBy, IndexChoice, Level, LocateOptions, Located, Rejected, Role, ScanMode, Searched, Why,
    partitions,
};
use crate::error::Result;
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::superblock::{Format, Superblock};
use crate::image::Window;
use crate::survey::base::{Holder, Holders, Inside};
use crate::survey::occupants::Partition;
use crate::survey::places::{self, Place};
use crate::survey::traces::{self, Block, Trace, block_at};
use crate::units::{Bytes, DevPos, MD_BLOCK};

/// How much of a device's tail is searched where one level was found and no stack is expected.
const QUICK_TAIL: Bytes = Bytes::new(64 << 20);
/// How many rejected ones are kept, and how many candidates.
const KEPT: usize = 256;

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
        self.look()?;
        self.look_into_partitions()?;
        self.other_slots()?;
        self.sort_out();
        self.leave_to_holders()?;
        name_roles(&mut self.found, self.options.stacked);
        Ok(self.found)
    }

    /// Whether there is any level.
    pub(super) fn finds_any(mut self) -> Result<bool> {
        self.look()?;
        Ok(!self.found.levels.is_empty())
    }

    fn look(&mut self) -> Result<()> {
        if let Some(level) = self.outermost()? {
            self.found.levels.push(level);
        }
        self.follow()?;
        self.search()
    }

    /// Where nothing is where DRBD would look on the whole device, it may look at a part of it.
    fn look_into_partitions(&mut self) -> Result<()> {
        let in_place = self.found.levels.first();
        if self.options.scan != ScanMode::Never
            && in_place.is_none_or(|level| level.found_by == FoundBy::Scan)
        {
            self.found.partitions = partitions::with_metadata(self.device)?;
        }
        Ok(())
    }

    /// The level that DRBD would find on a device of this size.
    fn outermost(&mut self) -> Result<Option<Level>> {
        let places = places::outermost(self.options.index, self.device.size());
        let found = self.expected(&places, FoundBy::ExpectedPosition)?;
        let nothing = self.found.traces.is_empty() && self.found.rejected.is_empty();
        if found.is_none() && nothing {
            let log = traces::log_alone(self.device, &places)?;
            self.found.traces.extend(log);
        }
        Ok(found)
    }

    /// The first of some places that has a superblock which fits there.
    fn expected(&mut self, places: &[Place], found_by: FoundBy) -> Result<Option<Level>> {
        for place in places {
            let Place { index, at, device } = *place;
            if self.found.levels.iter().any(|level| level.layout.md == at) {
                continue;
            }
            let superblock = match block_at(self.device, at)? {
                Some(Block::Superblock(superblock)) => superblock,
                Some(Block::Other(block)) => {
                    if let Some(trace) = traces::in_place(&block, *place) {
                        self.trace(trace);
                    }
                    continue;
                }
                None => continue,
            };
            if !may_lie(&superblock, index, device) {
                continue;
            }
            match MdLayout::of(&superblock, index, device) {
                Ok(layout) => {
                    return Ok(Some(Level {
                        role: Role::Single,
                        superblock,
                        layout,
                        device,
                        found_by,
                    }));
                }
                Err(misfit) => self.reject(at, superblock.format(), Why::Misfit(misfit)),
            }
        }
        Ok(None)
    }

    /// Keeps a trace, once.
    fn trace(&mut self, trace: Trace) {
        let known = self.found.traces.iter().any(|one| one.at == trace.at);
        if !known && self.found.traces.len() < KEPT {
            self.found.traces.push(trace);
        }
    }

    /// Goes inwards from the last level, as long as there is a superblock where DRBD would look.
    fn follow(&mut self) -> Result<()> {
        while let Some(level) = self.found.levels.last() {
            let places = places::inside(level);
            match self.expected(&places, FoundBy::OuterSize)? {
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
                self.search_behind_occupants()?;
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
        let Hit { at, block } = hit;
        let superblock = match block {
            Block::Superblock(superblock) => superblock,
            Block::Other(block) => {
                if let Some(trace) = traces::by_position(&block, at, self.device.size()) {
                    self.trace(trace);
                }
                return;
            }
        };
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
            Err(why) => self.reject(at, superblock.format(), or_smaller(why, &superblock, at)),
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
                let stale = self.stale_copy_of(&candidate.superblock).is_some();
                inside && internal && !stale && !self.hides()
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

    /// Takes out what belongs to a device that something on this one holds: a partition, a logical volume, an array.
    fn leave_to_holders(&mut self) -> Result<()> {
        let holders = Holders::of(self.device);
        let mut own = Vec::new();
        for level in std::mem::take(&mut self.found.levels) {
            let (md, superblock) = (level.layout.md, &level.superblock);
            match holders.inside(md, superblock)? {
                Some(held) => self.hold(held),
                None => own.push(level),
            }
        }
        self.found.levels = own;
        let mut rejected = Vec::new();
        for one in std::mem::take(&mut self.found.rejected) {
            let superblock = match one.why {
                // A copy that somebody left behind is that, wherever it is.
                Why::Misfit(_) | Why::Smaller { .. } if self.found.levels.is_empty() => {
                    traces::superblock_at(self.device, one.at)?
                }
                _ => None,
            };
            let held = superblock.map(|superblock| holders.inside(one.at, &superblock));
            match held.transpose()?.flatten() {
                Some(held) if held.place.is_some() || matches!(one.why, Why::Smaller { .. }) => {
                    self.hold(held);
                }
                _ => rejected.push(one),
            }
        }
        self.found.rejected = rejected;
        // The log before such a superblock is not alone.
        let inside = &self.found.inside;
        let is_held = |at: DevPos| inside.iter().any(|held| held.md == at);
        self.found.traces.retain(|trace| !is_held(trace.at));
        Ok(())
    }

    /// Notes a device that something holds, once.
    fn hold(&mut self, held: Inside) {
        if let (Holder::Partition(number), Some((start, size))) = (held.holder, held.place) {
            let partition = Partition {
                number,
                start,
                size,
            };
            if !self.found.partitions.contains(&partition) {
                self.found.partitions.push(partition);
            }
            return;
        }
        let same = |one: &Inside| one.holder == held.holder && one.place == held.place;
        if !self.found.inside.iter().any(same) {
            self.found.inside.push(held);
        }
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
        self.found.traces.sort_by_key(|trace| trace.at);
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
