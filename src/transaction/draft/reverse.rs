//! Drafting the undo file of an undoing: the regions of the file that is undone, with what is there now.

use std::ops::Range;

use super::super::compare::read;
use super::super::format::Doing;
use super::super::outline::Phase;
use super::super::superblock::{Block, is_attachable};
use super::super::undo_file::{Frame, UndoFile, block_of};
use super::{Draft, block_at, step};
use crate::error::Result;
use crate::image::ReadAt;
use crate::units::ImagePos;

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
        self.repeat(undo, Phase::Body)?;
        // What a body lies over comes back with it.
        let within_body = |draft: &Self, place: &Place| {
            let range = place.range()?;
            Ok::<_, crate::error::Error>(draft.outline.covers(place.target, &range))
        };
        let mut rest = Vec::new();
        for place in places {
            let covered = within_body(self, &place)?;
            if is_attachable(&place.after) && !covered {
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
            self.turn_to(place.target)?;
            self.announce(Phase::Cleanup, &place.label, place.range()?)?;
            self.emit_changed(place.at, &place.before, &place.after)?;
        }
        self.repeat(undo, Phase::Cleanup)?;
        self.lengths(undo)
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

    /// Drafts the regions of a phase anew.
    fn repeat<R: ReadAt>(&mut self, undo: &UndoFile<R>, phase: Phase) -> Result<()> {
        let mut current = None;
        undo.frames(phase, &mut |_, region, frame| {
            if self.is_behind(region.target, region.range.start) {
                return Ok(());
            }
            if current.as_ref() != Some(region) {
                current = Some(region.clone());
                self.turn_to(region.target)?;
                self.announce(phase, &region.label, region.range.clone())?;
            }
            let Frame::Record(record) = frame else {
                // It is noted with what lies between records.
                return Ok(());
            };
            let (target, at) = (region.target, record.at);
            let (before, after) = self.pair(undo, target, at, &record.before, &record.after)?;
            self.stays(self.cursor..at)?;
            self.emit_changed(at, &before, &after)?;
            self.cursor = step(at, before.len());
            Ok(())
        })
    }

    /// Drafts what becomes of targets that the change cut off.
    fn lengths<R: ReadAt>(&mut self, undo: &UndoFile<R>) -> Result<()> {
        let cuts: Vec<_> = undo
            .regions()
            .filter(|one| one.phase == Phase::Cut)
            .collect();
        // Those that are written as they are come before those that are cut off.
        for region in &cuts {
            self.turn_to(region.target)?;
            let is_cut = self.target().size() == region.range.start.from_start();
            if undo.doing() != Doing::Undoing && !is_cut {
                self.announce(Phase::Cleanup, &region.label, region.range.clone())?;
                self.rest(undo, region.target)?;
            }
        }
        for region in &cuts {
            self.turn_to(region.target)?;
            let is_cut = self.target().size() == region.range.start.from_start();
            match undo.doing() {
                Doing::Undoing if !is_cut => self.cut(&region.label, region.range.start)?,
                Doing::Change | Doing::Redoing if is_cut => {
                    self.announce(Phase::Cut, &region.label, region.range.clone())?;
                    self.changes = true;
                    self.rest(undo, region.target)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Drafts what was cut off.
    fn rest<R: ReadAt>(&mut self, undo: &UndoFile<R>, of: usize) -> Result<()> {
        undo.walk(Phase::Cut, &mut |_, region, record| {
            let (target, at) = (region.target, record.at);
            if target != of {
                return Ok(());
            }
            let (before, after) = self.pair(undo, target, at, &record.before, &record.after)?;
            self.emit_changed(at, &before, &after)?;
            self.cursor = step(at, before.len());
            Ok(())
        })
    }
}
