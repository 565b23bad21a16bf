//! Writing what changes into the journal, in records of blocks.

use super::super::compare::read_data;
use super::super::outline::Phase;
use super::{BLOCK, Change, Draft, Kind, step};
use crate::error::{EditRefusal, Result};
use crate::units::{Bytes, ImagePos};
use std::ops::Range;

impl Draft<'_> {
    /// Compares what is pending with what is there.
    pub(super) fn flush(&mut self) -> Result<()> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let at = self.cursor;
        let length = Bytes::of_len(self.pending.len());
        if length.to_sectors_exact().is_none() {
            return Err(EditRefusal::Unaligned { at, length }.into());
        }
        let after = std::mem::take(&mut self.pending);
        let mut before = std::mem::take(&mut self.found);
        before.resize(after.len(), 0);
        read_data(self.target(), at, &mut before)?;
        self.cursor = step(at, after.len());
        self.emit_changed(at, &before, &after)?;
        // The memory is for the next piece.
        self.found = before;
        self.pending = after;
        self.pending.clear();
        Ok(())
    }

    /// Writes down what changes, in blocks; those in a row whose contents are alike in kind are one record.
    pub(super) fn emit_changed(&mut self, at: ImagePos, before: &[u8], after: &[u8]) -> Result<()> {
        let found = self.retired.overlay(self.on, at, before);
        let mut unchanged: Option<usize> = None;
        self.retired.cover(self.on, at, after);
        let mut run: Option<(usize, Kind)> = None;
        let blocks = found
            .chunks(BLOCK)
            .zip(after.chunks(BLOCK))
            .zip(before.chunks(BLOCK));
        let mut offset = 0_usize;
        for ((found, after_block), before_block) in blocks {
            let kind = (found != after_block).then(|| Kind::of(before_block, after_block));
            if kind.is_none() {
                unchanged = unchanged.or(Some(offset));
            } else if let Some(start) = unchanged.take() {
                self.stays_as(
                    step(at, start),
                    before.get(start..offset).unwrap_or_default(),
                )?;
            }
            if let Some((start, _)) = run.take_if(|(_, running)| Some(*running) != kind) {
                self.emit_part(at, before, after, start..offset)?;
            }
            if let (None, Some(kind)) = (run, kind) {
                run = Some((offset, kind));
            }
            offset = offset.saturating_add(after_block.len());
        }
        if let Some(start) = unchanged {
            self.stays_as(
                step(at, start),
                before.get(start..offset).unwrap_or_default(),
            )?;
        }
        match run {
            Some((start, _)) => self.emit_part(at, before, after, start..offset),
            None => Ok(()),
        }
    }

    pub(super) fn emit_part(
        &mut self,
        at: ImagePos,
        before: &[u8],
        after: &[u8],
        part: Range<usize>,
    ) -> Result<()> {
        let start = step(at, part.start);
        let whole = self.outline.regions().last().map(|region| region.phase);
        let given_back = whole == Some(Phase::Commit) && self.retired.at(self.on, at).is_some();
        // A superblock given back as it was is no change by itself: `finish` sees whether all were.
        self.changes |= !given_back;
        match (before.get(part.clone()), after.get(part)) {
            (Some(before), Some(after)) => self.emit(start, before, after),
            _ => Ok(()),
        }
    }

    /// Writes one record down.
    pub(super) fn emit(&mut self, at: ImagePos, before: &[u8], after: &[u8]) -> Result<()> {
        self.outline.count(before, after);
        self.journal.record(at, before, after)?;
        if let (Some(show), Some(region)) = (&mut self.show, self.outline.regions().last()) {
            show(&Change {
                target: region.target,
                phase: region.phase,
                label: &region.label,
                at,
                before,
                after,
            });
        }
        Ok(())
    }
}
