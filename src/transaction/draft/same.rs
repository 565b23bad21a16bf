//! What an area leaves as it is: written down by its checksum, so that undoing sees whether it is so still.

use std::ops::Range;

use super::super::format::LONGEST_RECORD;
use super::{Draft, next_data, step};
use crate::error::Result;
use crate::image::is_zeros;
use crate::transaction::outline::Phase;
use crate::units::{Bytes, ImagePos, MD_BLOCK};

impl Draft<'_> {
    /// Writes down what is pending, and that the rest of the area that was announced last stays as it is.
    pub(super) fn leave_area(&mut self) -> Result<()> {
        self.flush()?;
        let end = self.outline.regions().last().map(|one| one.range.end);
        let from = self.cursor;
        match end {
            Some(end) if end > from => {
                self.cursor = end;
                self.stays(from..end)
            }
            _ => Ok(()),
        }
    }

    /// Whether what stays is written down: of bitmaps and logs, where a stretch belongs to them.
    fn notes_what_stays(&self) -> bool {
        let last = self.outline.regions().last();
        last.is_some_and(|region| region.phase == Phase::Body && region.target == self.on)
    }

    /// Writes down that a part of the target stays as it is, but for superblocks that were retired there.
    pub(super) fn stays(&mut self, range: Range<ImagePos>) -> Result<()> {
        if !self.notes_what_stays() {
            return Ok(());
        }
        let mut at = range.start;
        for block in self.retired.within(self.on, &range) {
            let end = block.clamp(at, range.end);
            self.stretch(at..end)?;
            let behind = block.checked_add(MD_BLOCK).unwrap_or(range.end);
            at = behind.clamp(at, range.end);
        }
        self.stretch(at..range.end)
    }

    /// The same, where no superblock was retired.
    fn stretch(&mut self, range: Range<ImagePos>) -> Result<()> {
        let target = self.target();
        let mut at = range.start;
        while at < range.end {
            let data = next_data(target, at, range.end)?;
            let hole = data.start.bytes_since(at).unwrap_or(Bytes::ZERO);
            if hole > Bytes::ZERO {
                self.journal.same(at, hole, None)?;
            }
            at = data.start;
            while at < data.end {
                let rest = data.end.bytes_since(at).and_then(Bytes::to_usize);
                let length = rest.unwrap_or(LONGEST_RECORD).min(LONGEST_RECORD);
                let mut content = vec![0; length];
                target.read_exact_at(at, &mut content)?;
                self.stays_as(at, &content)?;
                at = step(at, length);
            }
        }
        Ok(())
    }

    /// Writes down that `content` stays at `at`.
    pub(super) fn stays_as(&mut self, at: ImagePos, content: &[u8]) -> Result<()> {
        if content.is_empty() || !self.notes_what_stays() {
            return Ok(());
        }
        let zeros = is_zeros(content);
        let crc = (!zeros).then(|| crc32fast::hash(content));
        self.journal.same(at, Bytes::of_len(content.len()), crc)
    }
}
