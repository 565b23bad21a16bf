//! What a decision rests on, compared again before the first write: DRBD, drbdmeta and whoever else takes no lock may have written meanwhile.

use std::ops::Range;

use crate::cli::write::look::Look;
use crate::error::{EditError, EditRefusal, Error, Result};
use crate::image::ReadAt;
use crate::units::{Bytes, DevPos, ImagePos};

/// What is compared as one.
const PIECE: Bytes = Bytes::new(1 << 20);

/// Superblock, log and bitmap of the resource that a decision is about, as they were before it was made.
pub(crate) struct Basis {
    pieces: Vec<Piece>,
}

struct Piece {
    range: Range<ImagePos>,
    /// The checksum of its content; `None` where that is zeros.
    sum: Option<u32>,
}

impl Basis {
    /// Reads what a decision about the resource that is meant will rest on.
    pub(crate) fn of(look: &Look) -> Result<Self> {
        let Some(level) = look.chosen() else {
            return Ok(Self { pieces: Vec::new() });
        };
        let window = look.opened.window();
        let mut block = [0; 4096];
        window.read_exact_at(level.layout.md, &mut block)?;
        let at = look.opened.image_pos(level.layout.md);
        if block != level.superblock.to_bytes() {
            return Err(changed(at, Bytes::of_len(block.len())));
        }
        let end = level.layout.md.checked_add(Bytes::of_len(block.len()));
        let superblock = level.layout.md..end.unwrap_or(level.layout.md);
        let bm = &level.layout.bm;
        let used = bm.start.checked_add(level.bitmap(window).size());
        let bitmap = bm.start..used.unwrap_or(bm.end).min(bm.end);
        let mut pieces = Vec::new();
        for part in [superblock, level.layout.al.clone(), bitmap] {
            pieces_of(look, &part, &mut pieces)?;
        }
        Ok(Self { pieces })
    }

    /// Refuses where any of it is something else by now.
    pub(crate) fn compare(&self, target: &dyn ReadAt) -> Result<()> {
        let mut buffer = Vec::new();
        for piece in &self.pieces {
            if sum(target, &piece.range, &mut buffer)? != piece.sum {
                let length = piece.range.end.bytes_since(piece.range.start);
                return Err(changed(piece.range.start, length.unwrap_or(Bytes::ZERO)));
            }
        }
        Ok(())
    }
}

/// The refusal where something was written meanwhile.
fn changed(at: ImagePos, length: Bytes) -> Error {
    EditError::untouched(EditRefusal::Changed { at, length }.into()).into()
}

/// Reads a part of the device, piece by piece.
fn pieces_of(look: &Look, part: &Range<DevPos>, pieces: &mut Vec<Piece>) -> Result<()> {
    let mut at = look.opened.image_pos(part.start);
    let end = look.opened.image_pos(part.end);
    let mut buffer = Vec::new();
    while let Some(rest) = end.bytes_since(at).filter(|rest| *rest > Bytes::ZERO) {
        let next = at.checked_add(rest.min(PIECE)).unwrap_or(end);
        let range = at..next;
        let sum = sum(look.opened.image(), &range, &mut buffer)?;
        pieces.push(Piece { range, sum });
        at = next;
    }
    Ok(())
}

/// The checksum of a stretch; holes are not read.
fn sum(target: &dyn ReadAt, range: &Range<ImagePos>, buffer: &mut Vec<u8>) -> Result<Option<u32>> {
    if target
        .next_data(range.start)?
        .is_none_or(|data| data.start >= range.end)
    {
        return Ok(None);
    }
    let length = range.end.bytes_since(range.start).and_then(Bytes::to_usize);
    buffer.resize(length.unwrap_or(0), 0);
    target.read_exact_at(range.start, buffer)?;
    let zeros = buffer.iter().all(|byte| *byte == 0);
    Ok((!zeros).then(|| crc32fast::hash(buffer)))
}
