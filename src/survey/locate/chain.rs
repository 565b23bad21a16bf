//! Following the chain of levels, and mending it by what a search found.

mod hidden;
mod search;

use std::collections::VecDeque;

use super::fit::{may_lie, same_resource};
use super::{FoundBy, Level, LocateOptions, Located, Rejected, Role, ScanMode, Why, partitions};
use crate::error::Result;
use crate::format::layout::MdLayout;
use crate::format::superblock::{Format, Superblock};
use crate::image::Window;
use crate::survey::base::{Holder, Holders, Inside};
use crate::survey::occupants::Partition;
use crate::survey::places::{self, Place};
use crate::survey::plausibility::is_plausible;
use crate::survey::traces::{self, Block, Trace, block_at};
use crate::units::{Bytes, DevPos};

/// How much of a device's tail is searched where one level was found and no stack is expected.
const QUICK_TAIL: Bytes = Bytes::new(64 << 20);
/// Up to which size a device is searched all over where metadata that was just created may hide older metadata.
const QUICK_ALL: Bytes = Bytes::new(4 << 30);
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
        if self.found.levels.is_empty() {
            self.by_another_rule()?;
        }
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

    /// Keeps a trace, once: as where DRBD looks, where a search came upon it before that was known.
    fn trace(&mut self, trace: Trace) {
        let traces = &mut self.found.traces;
        if let Some(known) = traces.iter_mut().find(|one| one.at == trace.at) {
            if trace.in_place && !known.in_place {
                *known = trace;
            }
        } else if traces.len() < KEPT {
            traces.push(trace);
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

    /// The size of the device in which a further level could lie: the last level's, or the whole where there is none yet.
    fn room(&self) -> Option<Bytes> {
        match self.found.levels.last() {
            Some(level) if level.layout.index.is_internal() => level.drbd_device().to_bytes(),
            Some(_) => None,
            None => Some(self.device.size()),
        }
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
            let plausible = superblock
                .as_ref()
                .is_some_and(|superblock| is_plausible(superblock, one.at));
            let held = superblock.map(|superblock| holders.inside(one.at, &superblock));
            match held.transpose()?.flatten() {
                Some(held)
                    if held.place.is_some()
                        || plausible
                        || matches!(one.why, Why::Smaller { .. }) =>
                {
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
            // On a meta device there is no device to lie inside.
            _ if last == 0
                && stacked
                && level.found_by == FoundBy::Scan
                && level.layout.index.is_internal() =>
            {
                Role::Inner
            }
            _ if last == 0 => Role::Single,
            0 => Role::Outer,
            _ if i == last => Role::Inner,
            _ => Role::Middle,
        };
    }
}
