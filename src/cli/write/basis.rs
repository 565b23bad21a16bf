//! What a decision rests on, compared again before the first write: DRBD, drbdmeta and whoever else takes no lock may have written meanwhile.

use std::ops::Range;
use std::path::Path;

use crate::cli::write::blame::blame;
use crate::cli::write::look::Look;
use crate::cli::write::plan::{Part, Placed};
use crate::cli::write::target::Target;
use crate::error::{EditError, EditRefusal, Error, Result};
use crate::image::{ReadAt, is_zeros};
use crate::units::{Bytes, DevPos, ImagePos};

/// What is compared as one.
const PIECE: Bytes = Bytes::new(1 << 20);

/// Superblock, log and bitmap of the resource that a decision is about, as they were before it was made.
pub(crate) struct Basis {
    pieces: Vec<Piece>,
    /// Those of the meta device.
    of_meta: Vec<Piece>,
}

/// A stretch, and what it holds.
pub(super) struct Piece {
    range: Range<ImagePos>,
    /// The checksum of its content; `None` where that is zeros.
    sum: Option<u32>,
}

impl Basis {
    /// Reads what a decision about the resource that is meant will rest on.
    pub(crate) fn of(look: &Look) -> Result<Self> {
        let Some(level) = look.chosen() else {
            return Ok(Self {
                pieces: Vec::new(),
                of_meta: Vec::new(),
            });
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
            let on = |at| look.opened.image_pos(at);
            pieces_of(
                look.opened.image(),
                on(part.start),
                on(part.end),
                &mut pieces,
            )?;
        }
        Ok(Self {
            pieces,
            of_meta: Vec::new(),
        })
    }

    /// Reads what stands where new metadata will lie and nothing was read yet: what a draft finds as it is to be, it leaves out, and so
    /// nobody else would notice that it changed.
    pub(crate) fn add_places(&mut self, look: &Look, placed: &[Placed<'_>]) -> Result<()> {
        for place in placed {
            let (image, pieces) = match place.part {
                Part::Target if look.chosen().is_none() => (look.opened.image(), &mut self.pieces),
                Part::Target => continue,
                Part::Meta { .. } => match look.meta.as_deref() {
                    Some(meta) => (meta, &mut self.of_meta),
                    None => continue,
                },
            };
            let whole = &place.layout.whole;
            let on = |at: DevPos| place.base.checked_add(at.from_start());
            if let Some((start, end)) = on(whole.start).zip(on(whole.end)) {
                let end = end.min(ImagePos::at(image.size()));
                pieces_of(image, start, end, pieces)?;
            }
        }
        Ok(())
    }

    /// Refuses where any of it is something else by now, or where a name leads elsewhere.
    pub(crate) fn compare<'a>(
        &self,
        look: &Look,
        held: impl Iterator<Item = (&'a Path, &'a Target)>,
    ) -> anyhow::Result<()> {
        let of_target = (&self.pieces, Some(look.opened.image()));
        let of_meta = (&self.of_meta, look.meta.as_deref());
        for ((path, target), (pieces, image)) in held.zip([of_target, of_meta]) {
            check_held(path, target)?;
            if let Some(image) = image {
                compare(pieces, image).map_err(|error| blame(error, path, None, Vec::new()))?;
            }
        }
        Ok(())
    }
}

/// Refuses a target whose name leads elsewhere by now, or that became longer or shorter.
pub(super) fn check_held(path: &Path, target: &Target) -> anyhow::Result<()> {
    let still = target.check_still(path);
    still.map_err(|error| blame(error, path, None, Vec::new()))
}

/// Refuses where a stretch is not what it was.
pub(super) fn compare(pieces: &[Piece], target: &dyn ReadAt) -> Result<()> {
    let mut buffer = Vec::new();
    for piece in pieces {
        if sum(target, &piece.range, &mut buffer)? != piece.sum {
            let length = piece.range.end.bytes_since(piece.range.start);
            return Err(changed(piece.range.start, length.unwrap_or(Bytes::ZERO)));
        }
    }
    Ok(())
}

/// The refusal where something was written meanwhile.
fn changed(at: ImagePos, length: Bytes) -> Error {
    EditError::untouched(EditRefusal::Changed { at, length }.into()).into()
}

/// Reads a stretch, piece by piece.
pub(super) fn pieces_of(
    image: &dyn ReadAt,
    start: ImagePos,
    end: ImagePos,
    pieces: &mut Vec<Piece>,
) -> Result<()> {
    let mut at = start;
    let mut buffer = Vec::new();
    while let Some(rest) = end.bytes_since(at).filter(|rest| *rest > Bytes::ZERO) {
        let next = at.checked_add(rest.min(PIECE)).unwrap_or(end);
        let range = at..next;
        let sum = sum(image, &range, &mut buffer)?;
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
    let zeros = is_zeros(buffer);
    Ok((!zeros).then(|| crc32fast::hash(buffer)))
}
