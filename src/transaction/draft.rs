//! Drafting a change: what is there is read, what is to be there is written down beside it, and nothing of the target changes.

mod area;
mod emit;
mod reverse;
mod same;
mod summary;

use std::io::Write;
use std::ops::Range;

use super::compare::is_worth_asking;
use super::format::{Doing, LONGEST_RECORD, MOST_TARGETS, WORD_LEN, repeated_word};
use super::journal::{Identity, JournalWriter};
use super::outline::{Outline, Phase};
use super::superblock::{Block, Retired, is_attachable, retired};
use crate::error::{EditRefusal, Result};
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{Mark, mark_of, unmarked};
use crate::image::ReadAt;
use crate::units::{Bytes, ImagePos, MD_BLOCK};
pub use area::Area;
pub use summary::{Change, Summary};

/// Bytes in the blocks that are written or left as a whole.
const BLOCK: usize = SUPERBLOCK_LEN;

/// What shows each change while it is drafted.
pub(super) type Show<'a> = &'a mut dyn FnMut(&Change<'_>);

/// A change while it is drafted: phases in their order, the areas of [`Draft::body`] and [`Draft::wipe`] front to back.
pub struct Draft<'a> {
    targets: Vec<&'a dyn ReadAt>,
    /// Their sizes before.
    sizes: Vec<Bytes>,
    /// The target that is drafted for.
    on: usize,
    journal: JournalWriter<'a>,
    show: Option<Show<'a>>,
    outline: Outline,
    retired: Retired,
    /// Whether anything changes but superblocks that are retired and given back as they were.
    changes: bool,
    /// What is to be at the cursor of the area announced last.
    pending: Vec<u8>,
    /// What was there before the last piece of it: memory to read to.
    found: Vec<u8>,
    cursor: ImagePos,
}

impl<'a> Draft<'a> {
    pub(super) fn begin(
        targets: &[&'a dyn ReadAt],
        identity: &Identity,
        out: &'a mut dyn Write,
        show: Option<Show<'a>>,
    ) -> Result<Self> {
        Self::begin_as(Doing::Change, targets, identity, out, show)
    }

    /// The same, for a change or an undoing.
    pub(super) fn begin_as(
        doing: Doing,
        targets: &[&'a dyn ReadAt],
        identity: &Identity,
        out: &'a mut dyn Write,
        show: Option<Show<'a>>,
    ) -> Result<Self> {
        let (found, expected) = (targets.len(), identity.targets.len());
        if found != expected || found == 0 || found > MOST_TARGETS {
            return Err(EditRefusal::Targets { found, expected }.into());
        }
        Ok(Self {
            targets: targets.to_vec(),
            sizes: identity.sizes(),
            on: 0,
            journal: JournalWriter::begin(out, identity, doing)?,
            show,
            outline: Outline::default(),
            retired: Retired::default(),
            changes: false,
            pending: Vec::new(),
            found: Vec::new(),
            cursor: ImagePos::START,
        })
    }

    /// What is to be changed, as it is now and stays while drafting: the first target, or the one that was turned to.
    ///
    /// # Panics
    ///
    /// Never: [`Self::turn_to`] takes no other than those that there are.
    #[must_use]
    pub fn target(&self) -> &'a dyn ReadAt {
        // OK to expect: see above, and nothing is prepared without a target.
        *self.targets.get(self.on).expect("a target of the draft")
    }

    /// Drafts for the target of this number from here on; phases go on over all targets.
    ///
    /// # Errors
    ///
    /// [`EditRefusal::NoSuchTarget`].
    pub fn turn_to(&mut self, target: usize) -> Result<()> {
        self.leave_area()?;
        let count = self.targets.len();
        if target >= count {
            return Err(EditRefusal::NoSuchTarget { target, count }.into());
        }
        self.on = target;
        Ok(())
    }

    /// Takes the magic from the superblock at `at` before anything else changes; a block that carries none is left alone.
    ///
    /// The one that DRBD would attach comes first: it is retired, and durably so, before the others, and comes back after them.
    ///
    /// Every place where DRBD could look for a superblock whose bitmap, activity log or own block this draft changes is to be retired, also
    /// the one whose new superblock takes its place.
    ///
    /// # Errors
    ///
    /// [`EditRefusal`], [`crate::error::IoError`].
    pub fn retire(&mut self, label: &str, at: ImagePos) -> Result<()> {
        if self.retired.at(self.on, at).is_some() {
            return Ok(());
        }
        let before = self.block(at)?;
        if !is_attachable(&before) {
            return Ok(());
        }
        self.announce(Phase::Retire, label, block_at(at)?)?;
        let last = retired(&before);
        self.retired.add(self.on, at, &before, &last)?;
        self.emit(at, &before, &last)
    }

    /// Announces an area that is written while no superblock is attachable: a bitmap, an activity log.
    ///
    /// # Errors
    ///
    /// [`EditRefusal`] where it overlaps another, leaves the target, or does not begin and end with a sector.
    pub fn body(&mut self, label: &str, range: Range<ImagePos>) -> Result<Area<'_, 'a>> {
        self.announce(Phase::Body, label, range)?;
        Ok(Area::of(self))
    }

    /// Puts a superblock at `at` once everything before is durable: the magic last of all.
    ///
    /// # Errors
    ///
    /// [`EditRefusal::NotRetired`] where there is an attachable one that was not retired; as [`Self::body`].
    pub fn commit(&mut self, label: &str, at: ImagePos, superblock: &Block) -> Result<()> {
        let before = self.block(at)?;
        if is_attachable(&before) && self.retired.at(self.on, at).is_none() {
            return Err(EditRefusal::NotRetired { at }.into());
        }
        self.announce(Phase::Commit, label, block_at(at)?)?;
        self.emit_changed(at, &before, superblock)
    }

    /// Takes the magic from an old copy of a superblock when the new one stands; a block that carries none is left alone.
    ///
    /// Only for copies whose bitmap and activity log this draft leaves alone: others are to be retired.
    ///
    /// # Errors
    ///
    /// As [`Self::body`].
    pub fn clean_up(&mut self, label: &str, at: ImagePos) -> Result<()> {
        let before = self.block(at)?;
        if !is_attachable(&before) {
            return Ok(());
        }
        self.announce(Phase::Cleanup, label, block_at(at)?)?;
        self.emit_changed(at, &before, &retired(&before))
    }

    /// Says of a superblock with the mark of an interrupted change that nobody goes back to that: it is retired. Any other block is left alone.
    ///
    /// # Errors
    ///
    /// As [`Self::body`].
    pub fn give_up(&mut self, label: &str, at: ImagePos) -> Result<()> {
        let before = self.block(at)?;
        let shows = mark_of(&before).is_some_and(|marked| marked.mark == Mark::UnderWay);
        let was = unmarked(&before).filter(|_| shows);
        let covered = self.covers(&block_at(at)?) || self.cut_off().is_some();
        match was.filter(|_| !covered) {
            Some(was) => {
                self.announce(Phase::Cleanup, label, block_at(at)?)?;
                self.emit_changed(at, &before, &retired(&was))
            }
            None => Ok(()),
        }
    }

    /// Where a target is cut off, where that was drafted: nothing comes after it.
    fn cut_off(&self) -> Option<ImagePos> {
        let mut regions = self.outline.regions().iter();
        let cut = regions.find(|region| region.phase == Phase::Cut);
        cut.map(|region| region.range.start)
    }

    /// Announces an area that is written when the new superblocks stand.
    ///
    /// # Errors
    ///
    /// As [`Self::body`].
    pub fn wipe(&mut self, label: &str, range: Range<ImagePos>) -> Result<Area<'_, 'a>> {
        self.announce(Phase::Cleanup, label, range)?;
        Ok(Area::of(self))
    }

    /// Cuts the target off at `from`, when all else is done: what lies behind is in the undo file, and reads as zeros afterwards.
    ///
    /// # Errors
    ///
    /// As [`Self::body`]; applying it fails where the target is a block device.
    pub fn cut(&mut self, label: &str, from: ImagePos) -> Result<()> {
        let target = self.target();
        let end = ImagePos::at(target.size());
        self.announce(Phase::Cut, label, from..end)?;
        self.changes = true;
        let mut at = from;
        while at < end {
            let data = next_data(target, at, end)?;
            at = data.start;
            while at < data.end {
                let rest = data.end.bytes_since(at).and_then(Bytes::to_usize);
                let length = rest.unwrap_or(LONGEST_RECORD).min(LONGEST_RECORD);
                let mut before = vec![0; length];
                target.read_exact_at(at, &mut before)?;
                self.emit_changed(at, &before, &vec![0; length])?;
                at = step(at, length);
            }
        }
        Ok(())
    }

    /// Whether an area or superblock announced so far, retired ones aside, shares bytes with `range`.
    #[must_use]
    pub fn covers(&self, range: &Range<ImagePos>) -> bool {
        self.outline.covers(self.on, range)
    }

    /// Writes the end of the undo file, and returns what it comes to.
    pub(super) fn finish(mut self) -> Result<Summary> {
        self.leave_area()?;
        Ok(Summary {
            undo_file: self.journal.finish()?,
            nothing: !self.changes && self.retired.all_restored(),
            regions: self.outline.into_regions(),
        })
    }

    fn announce(&mut self, phase: Phase, label: &str, range: Range<ImagePos>) -> Result<()> {
        self.leave_area()?;
        self.cursor = range.start;
        let size = self.sizes.get(self.on).copied();
        let size = size.unwrap_or(self.target().size());
        self.outline.add(self.on, phase, label, range, size)?;
        match self.outline.regions().last() {
            Some(region) => self.journal.region(region),
            None => Ok(()),
        }
    }

    /// Reads the block at `at`.
    fn block(&self, at: ImagePos) -> Result<Block> {
        let mut block = [0; BLOCK];
        self.target().read_exact_at(at, &mut block)?;
        Ok(block)
    }
}

/// How the two contents of a record are kept: blocks of one kind are one record.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Kind {
    before: Option<[u8; WORD_LEN]>,
    after: Option<[u8; WORD_LEN]>,
}

impl Kind {
    fn of(before: &[u8], after: &[u8]) -> Self {
        Self {
            before: repeated_word(before),
            after: repeated_word(after),
        }
    }
}

/// The range of the block at `at`.
fn block_at(at: ImagePos) -> Result<Range<ImagePos>> {
    let length = MD_BLOCK;
    let end = at.checked_add(length);
    let outside = EditRefusal::Outside {
        at,
        length,
        end: at,
    };
    Ok(at..end.ok_or(outside)?)
}

/// The position `len` after `at`, within the target.
fn step(at: ImagePos, len: usize) -> ImagePos {
    // Within the target, whose end is a position.
    at.checked_add(Bytes::of_len(len)).unwrap_or(at)
}

/// The next stretch of whole blocks with data, or an empty one at the end; all of what is short is taken for data.
fn next_data(target: &dyn ReadAt, at: ImagePos, end: ImagePos) -> Result<Range<ImagePos>> {
    if !is_worth_asking(end.saturating_since(at)) {
        return Ok(at..end);
    }
    let Some(data) = target.next_data(at)? else {
        return Ok(end..end);
    };
    let down = |at: ImagePos| ImagePos::at(at.from_start().align_down(MD_BLOCK));
    let up = |at: ImagePos| at.from_start().align_up(MD_BLOCK).map_or(end, ImagePos::at);
    Ok(down(data.start).clamp(at, end)..up(data.end).min(end))
}
