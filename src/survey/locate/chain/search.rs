//! Where the chain broke: what a search finds, and which of it continues the chain.

use std::ops::ControlFlow;

use super::super::fit::{fitting, furthest_reach, or_smaller};
use super::super::scan::{self, Hit};
use super::super::{FoundBy, IndexChoice, Level, Role, ScanMode, Searched, Why};
use super::{Candidate, Finder, KEPT, QUICK_ALL, QUICK_TAIL};
use crate::error::Result;
use crate::format::layout::MdIndex;
use crate::survey::traces::{self, Block};
use crate::units::{Bytes, DevPos, MD_BLOCK};

impl Finder<'_> {
    /// Where the chain broke, searches for more and mends it.
    pub(super) fn search(&mut self) -> Result<()> {
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
                // Nobody knows where the disk ended before it grew.
                let hidden = self.hides() && self.room().is_some_and(|room| room <= QUICK_ALL);
                if !hidden && (self.found.levels.len() > levels || !thorough) {
                    return Ok(());
                }
            }
            ScanMode::Full => {}
        }
        self.search_everything()
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
    pub(super) fn consider(&mut self, hit: Hit) {
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
    pub(super) fn mend(&mut self) -> Result<()> {
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

    /// Says of each candidate that did not continue the chain why not.
    pub(super) fn sort_out(&mut self) {
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
}
