//! What of a change is there now: whether undoing it puts back what was, or overwrites what came since.

mod allow;
mod behind;
mod ends;
mod found;
mod identity;
mod stays;

use super::compare::{SECTOR, read};
use super::format::Doing;
use super::outline::Phase;
use super::superblock::{Block, RetiredBlock, is_attachable, unattachable, under_way};
use super::undo_file::{Frame, UndoFile, block_of};
use crate::error::{EditRefusal, Result};
use crate::image::ReadAt;
use crate::units::{Bytes, ImagePos};
pub(super) use behind::written_behind;
use ends::ends;
use found::{Found, Place};
use identity::{is_peculiar, is_same_device, superblock_in};
pub(super) use stays::expect_same;
use stays::stays;

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
#[non_exhaustive]
pub struct UndoCheck {
    /// All in all.
    pub state: UndoState,
    /// How many records there are.
    pub records: u64,
    /// How many of them are as before.
    pub before: u64,
    /// How many are as the change left them.
    pub after: u64,
    /// The first places that were written since, at most 16, by target and position.
    pub changed: Vec<ImagePos>,
    /// The target of the first of them.
    pub changed_target: Option<usize>,
    /// How many such places there are.
    pub changed_count: u64,
    /// The first of the stretches that the change left as they were and that are not so any more: of them the undo file has no more than
    /// their checksums.
    pub moved: Option<ImagePos>,
    /// The target of the first of them.
    pub moved_target: Option<usize>,
    /// How many they are.
    pub moved_count: u64,
    /// The first place behind a cut that has data where a hole was: the undo file has nothing of it, and undoing leaves it there.
    pub behind: Option<ImagePos>,
    /// The target of that.
    pub behind_target: Option<usize>,
    /// The target that has a superblock of another device, where that shows that it is another disk.
    pub stranger: Option<usize>,
    /// Whether nothing there shows that it is another disk than the one that was changed.
    pub recognised: bool,
    /// Whether anything there shows that it is that disk: a superblock of its device, or content that others have not as well.
    pub shown: bool,
}

/// Whether each target has its length of before, and of after.
pub(super) struct Lengths {
    before: bool,
    after: bool,
}

/// Compares the targets' lengths with what an undo file says about them.
pub(super) fn lengths<R: ReadAt>(undo: &UndoFile<R>, targets: &[&dyn ReadAt]) -> Result<Lengths> {
    let identities = &undo.identity().targets;
    let (found, expected) = (targets.len(), identities.len());
    if found != expected {
        return Err(EditRefusal::Targets { found, expected }.into());
    }
    let mut all = Lengths {
        before: true,
        after: true,
    };
    for (number, (target, identity)) in targets.iter().zip(identities).enumerate() {
        let (found, expected) = (target.size(), identity.size);
        let cut = undo.cut(number);
        let is_cut = cut == Some(ImagePos::at(found));
        if found != expected && !is_cut {
            return Err(EditRefusal::TargetSize { found, expected }.into());
        }
        all.before &= found == expected;
        all.after &= is_cut || cut.is_none();
    }
    Ok(all)
}

/// Compares targets with what an undo file says about them.
pub(super) fn check<R: ReadAt>(undo: &UndoFile<R>, targets: &[&dyn ReadAt]) -> Result<UndoCheck> {
    let lengths = lengths(undo, targets)?;
    let mut tally = Tally {
        undoing: undo.doing() == Doing::Undoing,
        ..Tally::default()
    };
    let mut present = Vec::new();
    for phase in Phase::ALL {
        undo.frames(phase, &mut |record_number, region, frame| {
            let number = region.target;
            let Some(target) = targets.get(number) else {
                return Ok(());
            };
            let record = match frame {
                Frame::Record(record) => record,
                Frame::Same(same) => {
                    if !stays(*target, &same)? {
                        tally.moved.note(Place(number, ImagePos::new(same.at)));
                    }
                    return Ok(());
                }
            };
            present.resize(record.after.len(), 0);
            read(*target, record.at, &mut present)?;
            let retired = undo.retired().overlay(number, record.at, &record.before);
            let blank = undo.is_without_marks().then(|| {
                let retired = undo.retired();
                retired.overlay_blank(number, record.at, &record.before)
            });
            let last = undo.retired().at(number, record.at);
            let last = last.filter(|_| phase == Phase::Retire);
            let one = Compared {
                present: &present,
                before: &record.before,
                retired: &retired,
                blank: blank.as_deref(),
                after: last.map_or(&record.after, |block| &block.last),
                last,
                ends: last.is_some_and(|block| ends(undo, number, block)),
                decides: undo.decides(record_number, region),
            };
            tally.count(phase, Place(number, record.at), &one);
            Ok(())
        })?;
    }
    tally.behind = written_behind(undo, targets)?.map(|(target, at)| Place(target, at));
    Ok(tally.verdict(&lengths))
}

/// What is there, and what it may be.
struct Compared<'a> {
    present: &'a [u8],
    before: &'a [u8],
    /// `before`, but that superblocks are retired.
    retired: &'a [u8],
    /// The same as version 1 has it, where the file is of that.
    blank: Option<&'a [u8]>,
    after: &'a [u8],
    /// The superblock whose retiring this is.
    last: Option<&'a RetiredBlock>,
    /// Whether what it becomes says that the change came to its end, on the other targets as well.
    ends: bool,
    /// Whether a superblock of another device here shows that this is another disk.
    decides: bool,
}

impl Compared<'_> {
    /// The superblocks that a record of one may find: what is there first.
    fn blocks(&self) -> [Block; 3] {
        [self.present, self.before, self.after].map(block_of)
    }

    /// Whether what is there is a superblock of the same device as one that was; `None` where nothing says so.
    fn same_device(&self) -> Option<bool> {
        let [present, before, after] = self.blocks().map(|block| superblock_in(&block));
        let present = present?;
        let known = [before, after].into_iter().flatten();
        let answers = known.filter_map(|one| is_same_device(&present, &one));
        answers.reduce(|one, other| one || other)
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Tally {
    /// Whether what is undone is an undoing.
    undoing: bool,
    records: u64,
    before: u64,
    after: u64,
    strange: Found,
    /// Sectors that are what they may be, and that hardly any other disk has there.
    telling: u64,
    /// Such sectors, there or not.
    could_tell: u64,
    devices: Devices,
    /// What was to stay and did not.
    moved: Found,
    /// Data in what was a hole behind a cut.
    behind: Option<Place>,
    /// A new superblock stands: what it describes was durable before it did.
    new_stands: bool,
    /// An old superblock stands: what it describes was back before it did, or was never touched.
    old_stands: bool,
    /// Marks that say that the change came to its end: then all the new superblocks stood.
    ended: u64,
    /// New superblocks that do not stand.
    commit_not_after: Found,
    /// Parts of bitmaps and logs that are not as before, and not as after.
    body_not_before: Found,
    body_not_after: Found,
}

/// Whose superblocks were found.
#[derive(Debug, Default)]
struct Devices {
    /// One of the same device.
    same: bool,
    /// The target that has one of another, where that decides.
    other: Option<usize>,
}

impl Tally {
    fn count(&mut self, phase: Phase, at: Place, one: &Compared<'_>) {
        let is_before = one.present == one.before;
        let is_after = one.present == one.after;
        let differ = one.before != one.after;
        count_if(&mut self.records, true);
        count_if(&mut self.before, is_before);
        count_if(&mut self.after, is_after);
        match phase {
            Phase::Retire => {
                self.old_stands |= is_before && differ;
                count_if(&mut self.ended, is_after && differ && one.ends);
            }
            Phase::Commit => {
                if !is_after {
                    self.commit_not_after.note(at);
                }
                let attachable = is_attachable(&block_of(one.after));
                self.new_stands |= is_after && differ && attachable;
            }
            Phase::Body | Phase::Cleanup | Phase::Cut => {}
        }
        let superblock = matches!(phase, Phase::Retire | Phase::Commit);
        if superblock {
            let same = one.same_device();
            self.devices.same |= same == Some(true);
            let other = one.decides && same == Some(false);
            self.devices.other = self.devices.other.or(other.then_some(at.0));
        }
        self.sectors(phase, at, one);
    }

    /// Compares sector by sector: a power cut leaves each old or new.
    fn sectors(&mut self, phase: Phase, at: Place, one: &Compared<'_>) {
        // A new superblock that has not got its magic yet, and the same as version 1 has it.
        let superblock = matches!(phase, Phase::Retire | Phase::Commit);
        let bare = superblock.then(|| under_way(&block_of(one.after)));
        let bare = bare.as_ref().map_or(one.after, |block| block);
        let retired_blank = one.blank.unwrap_or(one.before);
        let blank = superblock.then(|| unattachable(&block_of(one.after)));
        let blank = blank.filter(|_| one.blank.is_some());
        let blank = blank.as_ref().map_or(one.after, |block| block);
        let known = [
            one.before,
            one.retired,
            retired_blank,
            one.after,
            bare,
            blank,
        ];
        for (index, found) in one.present.chunks(SECTOR).enumerate() {
            let start = index.saturating_mul(SECTOR);
            let position = at.1.checked_add(Bytes::of_len(start));
            let place = Place(at.0, position.unwrap_or(at.1));
            let same = |content: &&[u8]| content.get(start..).is_some_and(|c| c.starts_with(found));
            let is_known = known.iter().any(same);
            let tells = |content: &[u8]| {
                let sector = content.get(start..).and_then(|rest| rest.get(..SECTOR));
                sector.is_some_and(is_peculiar)
            };
            // One of each will do.
            let could = self.could_tell == 0 && (tells(one.before) || tells(one.after));
            count_if(&mut self.could_tell, could);
            let told = self.telling == 0 && is_known && tells(one.present);
            count_if(&mut self.telling, told);
            // What is written over a retired superblock has a record of its own.
            if !is_known && !one.last.is_some_and(|last| last.is_covered(index)) {
                self.strange.note(place);
            }
            if phase == Phase::Body {
                // Part of it may be an old superblock, of which only the magic is gone.
                if ![one.before, one.retired, retired_blank].iter().any(same) {
                    self.body_not_before.note(place);
                }
                if !same(&one.after) {
                    self.body_not_after.note(place);
                }
            }
        }
    }

    /// All in all.
    fn verdict(mut self, lengths: &Lengths) -> UndoCheck {
        let all_before = self.before == self.records && lengths.before;
        let all_after = self.after == self.records && lengths.after;
        let nothing_known = self.before == 0 && self.after == 0;
        let (all_undone, all_applied) = if self.undoing {
            (all_after, all_before)
        } else {
            (all_before, all_after)
        };
        if !all_before && !all_after && self.strange.count == 0 {
            // Neither a change nor its undoing leaves such a mixture, wherever it is cut off.
            self.strange = match (self.new_stands, self.old_stands) {
                (true, _) => self.body_not_after,
                (false, true) => self.body_not_before,
                (false, false) => Found::default(),
            };
        }
        if self.ended > 0 && self.strange.count == 0 {
            self.strange = self.commit_not_after;
        }
        let moved = self.moved.first.first().copied();
        let moved_count = self.moved.count;
        self.strange.join(self.moved);
        if let Some(behind) = self.behind {
            self.strange.note(behind);
        }
        let shown = self.devices.other.is_none() && (self.devices.same || self.telling > 0);
        let state = if all_undone {
            UndoState::NothingToDo
        } else if all_applied && self.strange.count == 0 {
            UndoState::Applied
        } else if self.strange.count > 0 {
            UndoState::ChangedSince
        } else {
            UndoState::Interrupted
        };
        UndoCheck {
            state,
            records: self.records,
            before: self.before,
            after: self.after,
            changed_target: self.strange.first.first().map(|place| place.0),
            changed: self.strange.first.iter().map(|place| place.1).collect(),
            changed_count: self.strange.count,
            moved: moved.map(|place| place.1),
            moved_target: moved.map(|place| place.0),
            moved_count,
            behind: self.behind.map(|place| place.1),
            behind_target: self.behind.map(|place| place.0),
            stranger: self.devices.other,
            shown,
            recognised: self.devices.other.is_none()
                && (shown
                    || (self.could_tell == 0 && !nothing_known)
                    || state != UndoState::ChangedSince),
        }
    }
}

fn count_if(count: &mut u64, truth: bool) {
    *count = count.saturating_add(u64::from(truth));
}
