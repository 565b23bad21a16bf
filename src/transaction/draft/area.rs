//! The areas of a draft that are written front to back.

use super::super::format::LONGEST_RECORD;
use super::{Draft, step};
use crate::error::{EditRefusal, Result};
use crate::units::{Bytes, ImagePos};

/// An area of a draft, written front to back; what is not put is left as it is.
pub struct Area<'d, 'a> {
    draft: &'d mut Draft<'a>,
}

impl<'d, 'a> Area<'d, 'a> {
    /// The area that `draft` announced last.
    pub(super) fn of(draft: &'d mut Draft<'a>) -> Self {
        Self { draft }
    }

    /// Puts `bytes` after what was put before, from the area's start.
    ///
    /// # Errors
    ///
    /// [`EditRefusal::Outside`] beyond the area; what reading the target or writing the undo file refuses.
    pub fn put(&mut self, mut bytes: &[u8]) -> Result<()> {
        self.check_room(Bytes::of_len(bytes.len()))?;
        while !bytes.is_empty() {
            let room = LONGEST_RECORD.saturating_sub(self.draft.pending.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.draft.pending.extend(now);
            bytes = later;
            if self.draft.pending.len() == LONGEST_RECORD {
                self.draft.flush()?;
            }
        }
        Ok(())
    }

    /// Puts `byte` for `length`.
    ///
    /// # Errors
    ///
    /// As [`Self::put`].
    pub fn fill(&mut self, byte: u8, length: Bytes) -> Result<()> {
        self.check_room(length)?;
        let piece = vec![byte; 64 * 1024];
        let mut rest = length;
        while rest > Bytes::ZERO {
            let now = rest.min(Bytes::of_len(piece.len()));
            let count = now.to_usize().unwrap_or(piece.len());
            self.put(piece.get(..count).unwrap_or(&piece))?;
            rest = rest.saturating_sub(now);
        }
        Ok(())
    }

    /// Leaves `length` as it is.
    ///
    /// # Errors
    ///
    /// [`EditRefusal::Unaligned`] where that begins or ends within a sector; as [`Self::put`].
    pub fn skip(&mut self, length: Bytes) -> Result<()> {
        self.check_room(length)?;
        let at = self.position();
        if length.to_sectors_exact().is_none() {
            return Err(EditRefusal::Unaligned { at, length }.into());
        }
        self.draft.flush()?;
        let end = at.checked_add(length).unwrap_or(at);
        self.draft.stays(at..end)?;
        self.draft.cursor = end;
        Ok(())
    }

    /// Where what is put next will be.
    #[must_use]
    pub fn position(&self) -> ImagePos {
        step(self.draft.cursor, self.draft.pending.len())
    }

    fn check_room(&self, length: Bytes) -> Result<()> {
        let at = self.position();
        let end = self.draft.outline.regions().last();
        let end = end.map_or(ImagePos::START, |region| region.range.end);
        match at.checked_add(length) {
            Some(stop) if stop <= end => Ok(()),
            _ => Err(EditRefusal::Outside { at, length, end }.into()),
        }
    }
}
