//! Verifying an undo file from end to end.

use super::super::format::{
    Doing, FIRST_VERSION, REGION_LEN, RegionHead, SameHead, TRAILER_LEN, Trailer, out_of_bounds,
};
use super::super::outline::{Outline, Phase, Region};
use super::super::reader::{Reader, Record};
use super::super::superblock::{Retired, is_attachable, retired, unattachable};
use super::Filed;
use crate::error::{EditRefusal, Result, UndoFault, UndoFileError};
use crate::units::{Bytes, ImagePos};

/// What is known of an undo file up to the frame that is read.
pub(super) struct Scan {
    pub(super) version: u32,
    pub(super) doing: Doing,
    /// Of each target.
    pub(super) sizes: Vec<Bytes>,
    pub(super) outline: Outline,
    pub(super) filed: Vec<Filed>,
    pub(super) retired: Retired,
    /// Where the last record ended: the next may not begin before.
    pub(super) cursor: ImagePos,
    pub(super) number: u64,
}

impl Scan {
    /// Takes a region's frame.
    pub(super) fn region(&mut self, reader: &mut Reader<'_>) -> Result<()> {
        let at = reader.position();
        let fault = |fault| UndoFileError { at, fault };
        let fixed: [u8; REGION_LEN] = reader.peek_array()?;
        let head = RegionHead::decode(&fixed).map_err(fault)?;
        let [label] = reader.texts(REGION_LEN, [head.label_len])?;
        let range = ImagePos::new(head.start)..ImagePos::new(head.end);
        self.cursor = range.start;
        let target = usize::from(head.target);
        let Some(size) = self.sizes.get(target) else {
            let count = self.sizes.len();
            let refusal = EditRefusal::NoSuchTarget { target, count };
            return Err(fault(UndoFault::Plan(refusal)).into());
        };
        let added = self.outline.add(target, head.phase, &label, range, *size);
        added.map_err(|refusal| fault(UndoFault::Plan(refusal)))?;
        if let Some(region) = self.outline.regions().last() {
            self.filed.push(Filed {
                region: region.clone(),
                first: reader.position(),
                number: self.number,
                records: 0,
                frames: 0,
            });
        }
        Ok(())
    }

    /// Judges a record.
    pub(super) fn record(&mut self, record: &Record) -> Result<(), UndoFault> {
        let at = record.at;
        let out_of_place = out_of_bounds("position", at.get(), "one within a region");
        let (Some(region), Some(filed)) = (self.outline.regions().last(), self.filed.last_mut())
        else {
            return Err(out_of_place);
        };
        within(region, record)?;
        if at < self.cursor {
            return Err(UndoFault::Plan(EditRefusal::Overlap { at }));
        }
        let target = region.target;
        if !self.retired.agree(target, at, &record.before) {
            return Err(UndoFault::Plan(EditRefusal::Overlap { at }));
        }
        let block = record.before.first_chunk().zip(record.after.first_chunk());
        match (region.phase, block) {
            (Phase::Retire, Some((before, after))) => {
                let expected = match (self.version, self.doing) {
                    (FIRST_VERSION, _) => unattachable(before),
                    (_, Doing::Change) => retired(before),
                    // Whatever was there: see `check_retired`.
                    (_, Doing::Undoing | Doing::Redoing) => *after,
                };
                if !is_attachable(before) || expected != *after {
                    return Err(UndoFault::Plan(EditRefusal::NotRetired { at }));
                }
                let added = self.retired.add(target, at, before, after);
                added.map_err(UndoFault::Plan)?;
            }
            (Phase::Commit, Some((before, _)))
                if is_attachable(before) && self.retired.at(target, at).is_none() =>
            {
                return Err(UndoFault::Plan(EditRefusal::NotRetired { at }));
            }
            (Phase::Cut, _) if record.after.iter().any(|byte| *byte != 0) => {
                return Err(out_of_bounds("byte that is cut off", 1_u8, "0 afterwards"));
            }
            _ => self.retired.cover(target, at, &record.after),
        }
        self.outline.count(&record.before, &record.after);
        self.cursor = at
            .checked_add(Bytes::of_len(record.after.len()))
            .unwrap_or(at);
        self.number = self.number.saturating_add(1);
        filed.records = filed.records.saturating_add(1);
        filed.frames = filed.frames.saturating_add(1);
        Ok(())
    }

    /// Judges a stretch that stays.
    pub(super) fn same(&mut self, same: &SameHead) -> Result<(), UndoFault> {
        let at = ImagePos::new(same.at);
        let length = Bytes::new(same.len);
        let (Some(region), Some(filed)) = (self.outline.regions().last(), self.filed.last_mut())
        else {
            return Err(out_of_bounds("position", same.at, "one within a region"));
        };
        let end = region.range.end;
        let outside = UndoFault::Plan(EditRefusal::Outside { at, length, end });
        let stop = at.checked_add(length).filter(|stop| *stop <= end);
        let (Phase::Body, Some(stop)) = (region.phase, stop) else {
            return Err(outside);
        };
        if at < self.cursor {
            return Err(UndoFault::Plan(EditRefusal::Overlap { at }));
        }
        self.cursor = stop;
        filed.frames = filed.frames.saturating_add(1);
        Ok(())
    }

    /// Whether every superblock that would stand in the place of a retired one is put there as such.
    pub(super) fn check_retired(&self) -> Result<()> {
        for (_, at, block) in self.retired.iter() {
            if is_attachable(&block.last) && !block.is_covered(0) {
                let fault = UndoFault::Plan(EditRefusal::NotRetired { at });
                return Err(UndoFileError { at, fault }.into());
            }
        }
        Ok(())
    }

    /// Takes the trailer and compares it with what was read.
    pub(super) fn trailer(&self, reader: &mut Reader<'_>) -> Result<()> {
        let at = reader.position();
        let fault = |fault| UndoFileError { at, fault };
        let found = reader.crc();
        let bytes: [u8; TRAILER_LEN] = reader.peek_array()?;
        let trailer = Trailer::decode(&bytes).map_err(fault)?;
        reader.take(TRAILER_LEN)?;
        let expected = trailer.total_crc;
        if found != expected {
            return Err(fault(UndoFault::Checksum { found, expected }).into());
        }
        let regions = Bytes::of_len(self.filed.len()).get();
        if (trailer.regions, trailer.records) != (regions, self.number) {
            let field = out_of_bounds("number of records", trailer.records, "as many as there are");
            return Err(fault(field).into());
        }
        let found = reader.rest();
        if found > Bytes::ZERO {
            let at = reader.position();
            let fault = UndoFault::Trailing { found };
            return Err(UndoFileError { at, fault }.into());
        }
        Ok(())
    }
}

/// Whether a record lies in its region, on whole sectors, and where the region is a superblock, is all of it.
pub(super) fn within(region: &Region, record: &Record) -> Result<(), UndoFault> {
    let at = record.at;
    let length = Bytes::of_len(record.after.len());
    let end = at.checked_add(length);
    // As `Outline::add` has it: a file may end within a sector.
    let rest = region.phase >= Phase::Cleanup && end == Some(region.range.end);
    let whole = at.from_start().to_sectors_exact().is_some()
        && (rest || length.to_sectors_exact().is_some());
    let fits = at >= region.range.start && end.is_some_and(|end| end <= region.range.end);
    let superblock = matches!(region.phase, Phase::Retire | Phase::Commit);
    let all = at == region.range.start && end == Some(region.range.end);
    if whole && fits && (all || !superblock) {
        return Ok(());
    }
    let end = region.range.end;
    Err(UndoFault::Plan(EditRefusal::Outside { at, length, end }))
}
