//! Metadata that newer, empty metadata hides: a disk was made larger, and create-md was run on it.

use std::ops::ControlFlow;

use super::super::fit::may_lie;
use super::{Finder, QUICK_TAIL};
use crate::error::Result;
use crate::format::layout::{MdIndex, MdLayout};
use crate::survey::locate::{IndexChoice, Why, scan};
use crate::survey::occupants::occupants;
use crate::survey::places::{self, Place};
use crate::survey::traces::{self, Block, block_at, superblock_at};
use crate::units::{DevPos, MD_BLOCK};

impl Finder<'_> {
    /// Lists the other resources of a meta device whose slots have one each.
    pub(super) fn other_slots(&mut self) -> Result<()> {
        let first = self.found.levels.first().map(|level| level.layout.index);
        let Some(MdIndex::Indexed(own)) = first else {
            return Ok(());
        };
        for slot in (0..=u8::MAX).filter(|slot| *slot != own) {
            let index = MdIndex::Indexed(slot);
            let Some(at) = index.superblock_pos(self.device.size()) else {
                break;
            };
            let device = self.device.size();
            match block_at(self.device, at)? {
                Some(Block::Superblock(superblock)) => {
                    let why = match MdLayout::of(&superblock, index, device) {
                        Ok(_) => Why::OtherSlot { slot },
                        // It stands in its place all the same, and its resource does not attach.
                        Err(misfit) => Why::Misfit(misfit),
                    };
                    self.reject(at, superblock.format(), why);
                }
                Some(Block::Other(block)) => {
                    let place = Place { index, at, device };
                    if let Some(trace) = traces::in_place(&block, place) {
                        self.trace(trace);
                    }
                }
                None => {}
            }
        }
        Ok(())
    }

    /// Where nothing is where the caller said, what DRBD would find by another rule is named: it is not nothing.
    pub(super) fn by_another_rule(&mut self) -> Result<()> {
        let device = self.device.size();
        let asked = places::outermost(self.options.index, device);
        for place in places::outermost(IndexChoice::Auto, device) {
            let Some(superblock) = superblock_at(self.device, place.at)? else {
                continue;
            };
            let index = place.index;
            if !asked.contains(&place)
                && may_lie(&superblock, index, device)
                && MdLayout::of(&superblock, index, place.device).is_ok()
            {
                let why = match index {
                    MdIndex::Indexed(slot) => Why::OtherSlot { slot },
                    index => Why::OtherIndex { index },
                };
                self.reject(place.at, superblock.format(), why);
            }
        }
        Ok(())
    }

    /// Whether the only level is in place and was just created: nothing that lies inside its device is of a stack with it.
    pub(super) fn hides(&self) -> bool {
        self.found.levels.len() == 1 && self.found.is_just_created(0)
    }

    /// Where the level in place was just created and somebody lives on its device already, looks for the metadata that was there before:
    /// behind that, since a disk that grew has its old metadata where it ended.
    pub(super) fn search_behind_occupants(&mut self) -> Result<()> {
        let Some(room) = self.room().filter(|_| self.hides()) else {
            return Ok(());
        };
        let Some(device) = self.device.shortened(room) else {
            return Ok(());
        };
        for occupant in occupants(device)? {
            let Some(end) = occupant.end.filter(|_| occupant.is_believable()) else {
                continue;
            };
            let start = DevPos::at(end.from_start().align_down(MD_BLOCK));
            let last = DevPos::at(room.align_down(MD_BLOCK));
            let until = start.saturating_add(QUICK_TAIL).min(last);
            scan::forward(device, start..until, &mut |hit| {
                self.consider(hit);
                ControlFlow::Continue(())
            })?;
        }
        Ok(())
    }
}
