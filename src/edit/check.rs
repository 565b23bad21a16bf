//! What of a change is there now: whether undoing it puts back what was, or overwrites what came since.

use std::collections::BTreeSet;

use super::apply::{SECTOR, check_size};
use super::outline::{Phase, Region};
use super::reader::Record;
use super::superblock::{is_attachable, unattachable};
use super::undo_file::{UndoFile, block_of};
use crate::error::{EditRefusal, Places, Result};
use crate::image::ReadAt;
use crate::units::{ImagePos, MD_BLOCK, SECTOR_SIZE};

/// How many places are named.
const MOST_NAMED: usize = 16;

/// What a target holds of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndoState {
    /// All of it is as before: never written, or undone already.
    NothingToDo,
    /// All of it is as the change left it.
    Applied,
    /// Some of it is as before and some as after, as where the change or its undoing was cut off.
    Interrupted,
    /// Something was written since.
    ChangedSince,
}

/// What a target holds of a change, and where it holds something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoCheck {
    /// All in all.
    pub state: UndoState,
    /// How many records there are.
    pub records: u64,
    /// How many of them are as before.
    pub before: u64,
    /// How many are as the change left them.
    pub after: u64,
    /// The first places that were written since, at most 16, by position.
    pub changed: Vec<ImagePos>,
    /// How many such places there are.
    pub changed_count: u64,
}

impl UndoCheck {
    /// The answer to who would undo this without force.
    ///
    /// # Errors
    ///
    /// [`EditRefusal::ChangedSince`] where something was written since.
    pub fn allow(&self) -> Result<(), EditRefusal> {
        if self.state != UndoState::ChangedSince {
            return Ok(());
        }
        let first = self.changed.first().copied();
        Err(EditRefusal::ChangedSince {
            first: first.unwrap_or(ImagePos::START),
            places: Places(self.changed_count),
        })
    }
}

/// Compares a target with what an undo file tells of it.
pub(super) fn check<R: ReadAt>(undo: &UndoFile<R>, target: &dyn ReadAt) -> Result<UndoCheck> {
    check_size(undo, target)?;
    let mut tally = Tally::default();
    let mut present = Vec::new();
    for phase in Phase::ALL {
        undo.walk(phase, &mut |_, region, record| {
            present.resize(record.after.len(), 0);
            target.read_exact_at(record.at, &mut present)?;
            let last = undo.retired().at(record.at);
            let after = match last {
                Some(block) if phase == Phase::Retire => block.last.to_vec(),
                _ => record.after.clone(),
            };
            let mut retired = record.before.clone();
            undo.retired().overlay(record.at, &mut retired);
            let one = Compared {
                present: &present,
                before: &record.before,
                retired: &retired,
                after: &after,
            };
            tally.count(region, record, &one);
            Ok(())
        })?;
    }
    Ok(tally.verdict())
}

/// What is there, and what it may be.
struct Compared<'a> {
    present: &'a [u8],
    before: &'a [u8],
    /// `before`, but that superblocks are retired.
    retired: &'a [u8],
    after: &'a [u8],
}

impl Compared<'_> {
    /// The sectors that are none of what they may be.
    fn strangers(&self, superblock: bool) -> impl Iterator<Item = usize> {
        let mut also = Vec::new();
        if superblock {
            also = unattachable(&block_of(self.after)).to_vec();
        }
        let sector = |content: &[u8], at: usize| {
            let start = at.saturating_mul(SECTOR);
            let end = start.saturating_add(SECTOR);
            content.get(start..end).unwrap_or_default().to_vec()
        };
        let known = [self.before, self.retired, self.after, &also].map(<[u8]>::to_vec);
        let present = self.present.to_vec();
        let count = present.len().div_euclid(SECTOR);
        (0..count).filter(move |at| {
            let found = sector(&present, *at);
            known.iter().all(|one| sector(one, *at) != found)
        })
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Tally {
    records: u64,
    before: u64,
    after: u64,
    changed: BTreeSet<ImagePos>,
    changed_count: u64,
    /// A new superblock stands: what it describes was durable before it did.
    new_stands: bool,
    /// An old superblock stands: what it describes was back before it did, or was never touched.
    old_stands: bool,
    /// Parts of bitmaps and logs that are not as before, and not as after.
    body_not_before: Odd,
    body_not_after: Odd,
}

/// Places that are odd if a superblock stands.
#[derive(Clone, Debug, Default)]
struct Odd {
    first: BTreeSet<ImagePos>,
    count: u64,
}

impl Odd {
    fn note(&mut self, at: ImagePos) {
        self.count = self.count.saturating_add(1);
        if self.first.len() < MOST_NAMED {
            self.first.insert(at);
        }
    }
}

impl Tally {
    fn count(&mut self, region: &Region, record: &Record, one: &Compared<'_>) {
        let add = |count: &mut u64, truth: bool| *count = count.saturating_add(u64::from(truth));
        let is_before = one.present == one.before;
        let is_after = one.present == one.after;
        add(&mut self.records, true);
        add(&mut self.before, is_before);
        add(&mut self.after, is_after);
        let differ = one.before != one.after;
        match region.phase {
            Phase::Retire => self.old_stands |= is_before && differ,
            Phase::Commit => {
                let attachable = is_attachable(&block_of(one.after));
                self.new_stands |= is_after && differ && attachable;
            }
            Phase::Body => {
                if !is_before {
                    self.body_not_before.note(record.at);
                }
                if !is_after {
                    self.body_not_after.note(record.at);
                }
            }
            Phase::Cleanup => {}
        }
        if is_before || is_after {
            return;
        }
        let superblock = matches!(region.phase, Phase::Retire | Phase::Commit);
        debug_assert!(!superblock || MD_BLOCK.to_usize() == Some(one.after.len()));
        for sector in one.strangers(superblock) {
            add(&mut self.changed_count, true);
            let offset = u64::try_from(sector).ok();
            let offset = offset.and_then(|count| SECTOR_SIZE.checked_mul(count));
            let at = offset.and_then(|offset| record.at.checked_add(offset));
            if self.changed.len() < MOST_NAMED {
                self.changed.insert(at.unwrap_or(record.at));
            }
        }
    }

    fn verdict(mut self) -> UndoCheck {
        let all_before = self.before == self.records;
        let all_after = self.after == self.records;
        if !all_before && !all_after && self.changed_count == 0 {
            // Neither a change nor its undoing leaves such a mixture, wherever it is cut off.
            let odd = match (self.new_stands, self.old_stands) {
                (true, _) => self.body_not_after.clone(),
                (false, true) => self.body_not_before.clone(),
                (false, false) => Odd::default(),
            };
            self.changed_count = odd.count;
            self.changed = odd.first;
        }
        let state = if all_before {
            UndoState::NothingToDo
        } else if all_after {
            UndoState::Applied
        } else if self.changed_count > 0 {
            UndoState::ChangedSince
        } else {
            UndoState::Interrupted
        };
        UndoCheck {
            state,
            records: self.records,
            before: self.before,
            after: self.after,
            changed: self.changed.into_iter().collect(),
            changed_count: self.changed_count,
        }
    }
}
