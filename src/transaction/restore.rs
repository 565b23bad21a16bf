//! Putting back what was there before: [`super::apply`] backwards, step by step.

use std::collections::BTreeSet;

use super::apply::first_sector;
use super::compare::{Comparison, SECTOR, read_data};
use super::outline::{Phase, Region};
use super::reader::Record;
use super::superblock::{Block, is_attachable, under_way};
use super::targets::{Leave, Targets};
use super::undo_file::{UndoFile, block_of};
use crate::error::Result;
use crate::format::superblock::{Mark, mark_of};
use crate::image::ReadAt;
use crate::units::{ImagePos, SECTOR_SIZE};

/// What a change that stopped may have written.
#[derive(Clone, Debug, Default)]
pub(super) struct Touched {
    /// The records of superblocks.
    blocks: BTreeSet<u64>,
    /// As many of the other records, from the first.
    records: u64,
    /// How often anything was written.
    attempts: u64,
    /// Whether a target may have been cut off.
    pub(super) cut: bool,
}

impl Touched {
    pub(super) fn note(&mut self, phase: Phase, number: u64) {
        self.attempts = self.attempts.saturating_add(1);
        if matches!(phase, Phase::Retire | Phase::Commit) {
            self.blocks.insert(number);
        } else {
            self.records = self.records.max(number.saturating_add(1));
        }
    }

    /// Whether nothing was written at all.
    pub(super) const fn is_nothing(&self) -> bool {
        self.attempts == 0 && !self.cut
    }

    /// Whether one write was tried, and no more.
    pub(super) const fn is_one(&self) -> bool {
        self.attempts == 1 && !self.cut
    }

    /// Whether the record of this number may have been written.
    pub(super) fn includes(&self, phase: Phase, number: u64) -> bool {
        match phase {
            Phase::Retire | Phase::Commit => self.blocks.contains(&number),
            Phase::Body | Phase::Cleanup => number < self.records,
            Phase::Cut => self.cut,
        }
    }
}

/// How much of a change is put back.
#[derive(Clone, Debug)]
pub(super) enum Reach {
    /// What a change that stopped may have written.
    Touched(Touched),
    /// All of it, and the length.
    All,
}

impl Reach {
    fn includes(&self, phase: Phase, number: u64) -> bool {
        match self {
            Self::All => true,
            Self::Touched(touched) => touched.includes(phase, number),
        }
    }

    const fn cut(&self) -> bool {
        match self {
            Self::All => true,
            Self::Touched(touched) => touched.cut,
        }
    }
}

/// Writes what was there before, durable step by durable step, and reads it back.
pub(super) fn restore<R: ReadAt>(
    undo: &UndoFile<R>,
    targets: &mut Targets<'_, '_>,
    reach: &Reach,
    leave: Leave,
) -> Result<()> {
    let mut restoring = Restoring {
        undo,
        targets,
        reach,
        leave,
    };
    // After each step the targets are as a change leaves them that was stopped there: its own steps, the last first.
    restoring.mark_old(false)?;
    restoring.mark_new()?;
    restoring.lengthen()?;
    // The new superblocks before the old ones' places: one of those may be part of the new bitmap by now.
    restoring.mark_old(true)?;
    restoring.step(&[Phase::Body, Phase::Cleanup, Phase::Cut])?;
    restoring.places()?;
    // Before anything can be attached: a disk that lost a write stays marked.
    restoring.read_back()?;
    // The one that DRBD would attach comes back last.
    restoring.superblocks(false)?;
    restoring.superblocks(true)
}

/// Gives the new superblocks their magic again, where a target could not be given its length: then all is as the change left it.
pub(super) fn stop<R: ReadAt>(undo: &UndoFile<R>, targets: &mut Targets<'_, '_>) -> Result<()> {
    undo.walk(Phase::Commit, &mut |_, region, record| {
        let first = first_sector(&record.after);
        targets.put(region.target, record.at, &first, Leave::Same)?;
        targets.sync()
    })
}

struct Restoring<'u, 'x, 'a, 't, R> {
    undo: &'u UndoFile<R>,
    targets: &'x mut Targets<'a, 't>,
    reach: &'u Reach,
    leave: Leave,
}

impl<R: ReadAt> Restoring<'_, '_, '_, '_, R> {
    /// What is in the place of a superblock.
    fn there(&self, region: &Region, record: &Record) -> Result<Block> {
        let mut found = vec![0; record.before.len()];
        read_data(self.targets.get(region.target), record.at, &mut found)?;
        Ok(block_of(&found))
    }

    /// Whether the place holds what it did before: a write that failed there changed nothing, and the next one might fail as well.
    fn is_back(&self, there: &Block, record: &Record) -> bool {
        let before = block_of(&record.before);
        // What DRBD would attach gets its mark until all else is back.
        self.leave == Leave::Same && !is_attachable(&before) && *there == before
    }

    /// Takes the magic from the new superblocks.
    fn mark_new(&mut self) -> Result<()> {
        let undo = self.undo;
        undo.walk(Phase::Commit, &mut |number, region, record| {
            if !self.reach.includes(Phase::Commit, number) {
                return Ok(());
            }
            let there = self.there(region, record)?;
            if self.is_back(&there, record) {
                return Ok(());
            }
            // What was written since keeps all but its magic: the undo file of that knows it so, wherever this stops.
            let shows = mark_of(&there).is_some_and(|marked| marked.mark == Mark::UnderWay);
            let marked = if shows || is_attachable(&there) {
                under_way(&there)
            } else {
                under_way(&block_of(&record.after))
            };
            self.put(region, record.at, &first_sector(&marked))
        })?;
        self.targets.sync()
    }

    /// Gives back the length that a cut took, as a hole.
    fn lengthen(&mut self) -> Result<()> {
        if !self.reach.cut() {
            return Ok(());
        }
        for region in self.undo.regions().filter(|one| one.phase == Phase::Cut) {
            let size = region.range.end.from_start();
            self.targets.resize(region.target, size, self.leave)?;
        }
        self.targets.sync()?;
        let undo = self.undo;
        let reserved = undo.walk(Phase::Cut, &mut |_, region, record| {
            self.targets
                .reserve_for(region.target, record.at, &record.before)
        });
        if reserved.is_err() {
            // There is no room for what was cut off: it stays so.
            for region in undo.regions().filter(|one| one.phase == Phase::Cut) {
                let size = region.range.start.from_start();
                self.targets.resize(region.target, size, self.leave)?;
            }
            self.targets.sync()?;
        }
        reserved
    }

    /// Says of the old superblocks that the change is under way again: on targets that got new ones or were cut off, or on the others.
    fn mark_old(&mut self, got_new: bool) -> Result<()> {
        let undo = self.undo;
        undo.walk(Phase::Retire, &mut |number, region, record| {
            let new = |one: &Region| matches!(one.phase, Phase::Commit | Phase::Cut);
            let mut new = undo.regions().filter(|one| new(one));
            let of_these = new.any(|one| one.target == region.target) == got_new;
            if !of_these || !self.reach.includes(Phase::Retire, number) {
                return Ok(());
            }
            let marked = under_way(&block_of(&record.before));
            self.put(region, record.at, &first_sector(&marked))
        })?;
        self.targets.sync()
    }

    /// Writes what was there when the superblocks were retired, and syncs it.
    fn step(&mut self, phases: &[Phase]) -> Result<()> {
        let undo = self.undo;
        for phase in phases {
            undo.walk(*phase, &mut |number, region, record| {
                if !self.reach.includes(*phase, number) {
                    return Ok(());
                }
                let retired = undo.retired();
                let bytes = retired.overlay(region.target, record.at, &record.before);
                self.put(region, record.at, &bytes)
            })?;
        }
        self.targets.sync()
    }

    /// Writes what was in the places of new superblocks, the sector that has the mark last.
    fn places(&mut self) -> Result<()> {
        let undo = self.undo;
        for first in [false, true] {
            undo.walk(Phase::Commit, &mut |number, region, record| {
                if !self.reach.includes(Phase::Commit, number) {
                    return Ok(());
                }
                let retired = undo.retired();
                let bytes = retired.overlay(region.target, record.at, &record.before);
                if first {
                    return self.put(region, record.at, &bytes);
                }
                let rest = bytes.get(SECTOR..).unwrap_or_default();
                let at = record.at.checked_add(SECTOR_SIZE).unwrap_or(record.at);
                self.put(region, at, rest)
            })?;
            self.targets.sync()?;
        }
        Ok(())
    }

    /// Gives the old superblocks their magic back: the foremost of each target, or the others.
    fn superblocks(&mut self, foremost: bool) -> Result<()> {
        let undo = self.undo;
        undo.walk(Phase::Retire, &mut |number, region, record| {
            if undo.is_foremost(number, region) != foremost
                || !self.reach.includes(Phase::Retire, number)
            {
                return Ok(());
            }
            // More than the first sector is back already, but where nothing else was written to it.
            let bare = under_way(&block_of(&record.before));
            self.put(region, record.at, &bare)
        })?;
        self.targets.sync()?;
        undo.walk(Phase::Retire, &mut |number, region, record| {
            if undo.is_foremost(number, region) != foremost
                || !self.reach.includes(Phase::Retire, number)
            {
                return Ok(());
            }
            self.put(region, record.at, &first_sector(&record.before))
        })?;
        self.targets.sync()?;
        let mut written = Comparison::with_what_was_written();
        undo.walk(Phase::Retire, &mut |number, region, record| {
            if undo.is_foremost(number, region) != foremost
                || !self.reach.includes(Phase::Retire, number)
            {
                return Ok(());
            }
            self.targets
                .expect(&mut written, region.target, record.at, &record.before)
        })
    }

    /// Compares all that is put back before the old superblocks, which still have their marks.
    fn read_back(&self) -> Result<()> {
        let mut written = Comparison::with_what_was_written();
        let undo = self.undo;
        for phase in [Phase::Body, Phase::Commit, Phase::Cleanup, Phase::Cut] {
            undo.walk(phase, &mut |number, region, record| {
                if !self.reach.includes(phase, number) {
                    return Ok(());
                }
                let (target, at, before) = (region.target, record.at, &record.before);
                let marked = undo.retired().overlay(target, at, before);
                self.targets.expect(&mut written, target, at, &marked)
            })?;
        }
        Ok(())
    }

    fn put(&mut self, region: &Region, at: ImagePos, bytes: &[u8]) -> Result<()> {
        self.targets.put(region.target, at, bytes, self.leave)
    }
}
