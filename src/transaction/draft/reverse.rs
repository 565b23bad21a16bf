//! Drafting the undo file of an undoing: the regions of the file that is undone, with what is there now.

use std::ops::Range;

use super::super::compare::read;
use super::super::format::Doing;
use super::super::outline::{Phase, Region};
use super::super::reader::Record;
use super::super::superblock::{Block, is_attachable};
use super::super::undo_file::{Frame, UndoFile, block_of};
use super::{Draft, block_at, step};
use crate::error::Result;
use crate::image::ReadAt;
use crate::units::{Bytes, ImagePos};

/// A place where the change had a superblock before or after.
struct Place {
    target: usize,
    at: ImagePos,
    label: String,
    before: Block,
    after: Block,
}

impl Place {
    fn range(&self) -> Result<Range<ImagePos>> {
        block_at(self.at)
    }
}

/// A place that has a region of its own, and its target.
type Apart = (usize, Range<ImagePos>);

impl Draft<'_> {
    /// Drafts the undoing of `undo`.
    pub(in super::super) fn reverse<R: ReadAt>(&mut self, undo: &UndoFile<R>) -> Result<()> {
        let places = self.places(undo)?;
        for place in places.iter().filter(|one| is_attachable(&one.before)) {
            self.turn_to(place.target)?;
            self.announce(Phase::Retire, &place.label, place.range()?)?;
            self.retired
                .add(place.target, place.at, &place.before, &place.after)?;
            self.emit(place.at, &place.before, &place.after)?;
        }
        self.repeat(undo, Phase::Body, &[])?;
        // What a body lies over comes back with it.
        let within_body = |draft: &Self, place: &Place| {
            let range = place.range()?;
            Ok::<_, crate::error::Error>(draft.outline.covers(place.target, &range))
        };
        let mut rest = Vec::new();
        let mut apart = Vec::new();
        for place in places {
            let covered = within_body(self, &place)?;
            if is_attachable(&place.after) && !covered {
                apart.push((place.target, place.range()?));
                self.turn_to(place.target)?;
                self.announce(Phase::Commit, &place.label, place.range()?)?;
                self.emit_changed(place.at, &place.before, &place.after)?;
            } else if !is_attachable(&place.before) && !covered && place.before != place.after {
                rest.push(place);
            }
        }
        for place in rest {
            if undo.cut(place.target).is_some_and(|cut| place.at >= cut) {
                continue;
            }
            apart.push((place.target, place.range()?));
            self.turn_to(place.target)?;
            self.announce(Phase::Cleanup, &place.label, place.range()?)?;
            self.emit_changed(place.at, &place.before, &place.after)?;
        }
        self.repeat(undo, Phase::Cleanup, &apart)?;
        self.lengths(undo, &apart)
    }

    /// Every place of a superblock, those that are retired first.
    fn places<R: ReadAt>(&self, undo: &UndoFile<R>) -> Result<Vec<Place>> {
        let mut places: Vec<Place> = Vec::new();
        for phase in [Phase::Retire, Phase::Commit] {
            undo.walk(phase, &mut |_, region, record| {
                let (target, at) = (region.target, record.at);
                let known = |one: &Place| (one.target, one.at) == (target, at);
                if places.iter().any(known) || self.is_behind(target, at) {
                    return Ok(());
                }
                let last = undo.retired().at(target, at).map(|block| block.last);
                let last = last.unwrap_or(block_of(&record.after));
                let (before, after) = self.pair(undo, target, at, &record.before, &last)?;
                places.push(Place {
                    target,
                    at,
                    label: region.label.clone(),
                    before: block_of(&before),
                    after: block_of(&after),
                });
                Ok(())
            })?;
        }
        Ok(places)
    }

    /// Whether a position lies behind what the target has, and had when this undo file is made.
    fn is_behind(&self, target: usize, at: ImagePos) -> bool {
        let size = self.sizes.get(target);
        size.is_none_or(|size| at.from_start() >= *size)
    }

    /// What is before and after in the undo file of the undoing: what is there now takes the place of what the undoing overwrites.
    fn pair<R: ReadAt>(
        &self,
        undo: &UndoFile<R>,
        target: usize,
        at: ImagePos,
        before: &[u8],
        after: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>)> {
        let mut now = vec![0; before.len()];
        if let Some(image) = self.targets.get(target) {
            read(*image, at, &mut now)?;
        }
        Ok(match undo.doing() {
            Doing::Change | Doing::Redoing => (before.to_vec(), now),
            Doing::Undoing => (now, after.to_vec()),
        })
    }

    /// Drafts the regions of a phase anew, but what of them is announced apart.
    fn repeat<R: ReadAt>(
        &mut self,
        undo: &UndoFile<R>,
        phase: Phase,
        apart: &[Apart],
    ) -> Result<()> {
        let mut current = None;
        let mut parts = Vec::new();
        undo.frames(phase, &mut |_, region, frame| {
            if self.is_behind(region.target, region.range.start) {
                return Ok(());
            }
            if current.as_ref() != Some(region) {
                current = Some(region.clone());
                parts = parts_of(region, apart);
                self.next_part(phase, region, &parts)?;
            }
            let Frame::Record(record) = frame else {
                // It is noted with what lies between records.
                return Ok(());
            };
            self.again(undo, (phase, region), record, &mut parts)
        })
    }

    /// Announces the first of what is left of a region.
    fn next_part(
        &mut self,
        phase: Phase,
        region: &Region,
        parts: &[Range<ImagePos>],
    ) -> Result<()> {
        self.turn_to(region.target)?;
        match parts.first() {
            Some(part) => self.announce(phase, &region.label, part.clone()),
            None => Ok(()),
        }
    }

    /// Drafts a record anew, but what of it is announced apart.
    fn again<R: ReadAt>(
        &mut self,
        undo: &UndoFile<R>,
        (phase, region): (Phase, &Region),
        record: &Record,
        parts: &mut Vec<Range<ImagePos>>,
    ) -> Result<()> {
        let (target, at) = (region.target, record.at);
        let (before, after) = self.pair(undo, target, at, &record.before, &record.after)?;
        let end = step(at, before.len());
        while let Some(part) = parts.first().cloned() {
            let (from, to) = (at.max(part.start), end.min(part.end));
            if from < to {
                let within = slice(at, from, to);
                let now = before.get(within.clone()).zip(after.get(within));
                let (before, after) = now.unwrap_or_default();
                self.stays(self.cursor..from)?;
                self.emit_changed(from, before, after)?;
                self.cursor = to;
            }
            if part.end >= end {
                break;
            }
            parts.remove(0);
            self.next_part(phase, region, parts)?;
        }
        Ok(())
    }

    /// Drafts what becomes of targets that the change cut off.
    fn lengths<R: ReadAt>(&mut self, undo: &UndoFile<R>, apart: &[Apart]) -> Result<()> {
        let cuts: Vec<_> = undo
            .regions()
            .filter(|one| one.phase == Phase::Cut)
            .collect();
        // Those that are written as they are come before those that are cut off.
        for region in &cuts {
            self.turn_to(region.target)?;
            let is_cut = self.target().size() == region.range.start.from_start();
            if undo.doing() != Doing::Undoing && !is_cut {
                let parts = parts_of(region, apart);
                self.rest(undo, (Phase::Cleanup, region), parts)?;
            }
        }
        for region in &cuts {
            self.turn_to(region.target)?;
            let is_cut = self.target().size() == region.range.start.from_start();
            match undo.doing() {
                Doing::Undoing if !is_cut => self.cut(&region.label, region.range.start)?,
                Doing::Change | Doing::Redoing if is_cut => {
                    self.changes = true;
                    self.rest(undo, (Phase::Cut, region), vec![region.range.clone()])?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Drafts what was cut off.
    fn rest<R: ReadAt>(
        &mut self,
        undo: &UndoFile<R>,
        (phase, cut): (Phase, &Region),
        mut parts: Vec<Range<ImagePos>>,
    ) -> Result<()> {
        self.next_part(phase, cut, &parts)?;
        undo.walk(Phase::Cut, &mut |_, region, record| {
            if region.target == cut.target {
                self.again(undo, (phase, cut), record, &mut parts)
            } else {
                Ok(())
            }
        })
    }
}

/// What of a region is not announced apart.
fn parts_of(region: &Region, apart: &[Apart]) -> Vec<Range<ImagePos>> {
    let mut within: Vec<_> = apart
        .iter()
        .filter(|(target, _)| *target == region.target)
        .map(|(_, range)| range)
        .collect();
    within.sort_by_key(|range| range.start);
    let (mut from, mut parts) = (region.range.start, Vec::new());
    for range in within {
        if range.end <= from || range.start >= region.range.end {
            continue;
        }
        if from < range.start {
            parts.push(from..range.start);
        }
        from = range.end;
    }
    if from < region.range.end {
        parts.push(from..region.range.end);
    }
    parts
}

/// Which bytes of a content that begins at `at` these are.
fn slice(at: ImagePos, from: ImagePos, to: ImagePos) -> Range<usize> {
    let offset = |position: ImagePos| position.bytes_since(at).and_then(Bytes::to_usize);
    // Within a record, which is short.
    offset(from).unwrap_or(0)..offset(to).unwrap_or(0)
}
