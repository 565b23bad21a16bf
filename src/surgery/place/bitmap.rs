//! Drafting a bitmap area, front to back, whatever order its words come in.

use super::image_range;
use super::merge::Merge;
use super::spool::Spool;
use crate::error::Result;
use crate::format::bitmap::slot_len;
use crate::format::layout::MdLayout;
use crate::format::metadata::{Bitmap, Header, Run, SlotWords};
use crate::image::{ReadAt, Window};
use crate::transaction::{Area, Draft};
use crate::units::{BitmapIndex, Bytes, ImagePos, range_len};

/// Bytes of a word.
const WORD: Bytes = Bytes::new(4);
/// Words that are turned to bytes at once.
const PIECE: usize = 16 << 10;

/// Drafts all of the bitmap area: what la-size needs from `bitmap`, zeros after it.
pub(super) fn draft(
    draft: &mut Draft<'_>,
    window: Window<'_>,
    layout: &MdLayout,
    header: &Header,
    bitmap: &mut dyn Bitmap,
) -> Result<()> {
    let needed = header.geometry.bitmap_size(header.la_size);
    let area_len = range_len(&layout.bm);
    let words = needed.unwrap_or(area_len).min(area_len).whole_units(WORD);
    let range = image_range(window, &layout.bm)?;
    let target = draft.target();
    let mut writer = Writer {
        target,
        end: range.end,
        area: draft.body("bitmap", range)?,
        words_left: words,
        bytes: Vec::new(),
    };
    let slots = u64::from(header.geometry.max_peers);
    if slots == 1 {
        let mut slot = bitmap.slot(BitmapIndex::new(0))?;
        while let Some(run) = slot.next_run()? {
            writer.run(run)?;
        }
    } else {
        let mut spools = Vec::new();
        for slot in 0..u8::try_from(slots).unwrap_or(u8::MAX) {
            let slot = BitmapIndex::new(slot);
            let len = carried(slot_len(words, u64::from(slot.get()), slots));
            spools.push(Spool::of(&mut *bitmap.slot(slot)?, len)?);
        }
        let mut merge = Merge::new(&spools);
        while let Some(run) = merge.next_run()? {
            writer.run(run)?;
        }
    }
    writer.finish()
}

/// How many of a slot's words a dump carries: it is of 64-bit values, and a last word without a partner, where the rounding of the area
/// has room for one, stands for nothing. Placed, it would be lost at the next export.
const fn carried(words: u64) -> u64 {
    words & !1
}

/// Puts words into an area, as many as la-size needs.
struct Writer<'t, 'd, 'a> {
    target: &'t dyn ReadAt,
    end: ImagePos,
    area: Area<'d, 'a>,
    words_left: u64,
    bytes: Vec<u8>,
}

impl Writer<'_, '_, '_> {
    /// Puts a run, cut off where la-size needs no more.
    fn run(&mut self, run: Run<'_>) -> Result<()> {
        match run {
            Run::Words(words) => {
                let most = usize::try_from(self.words_left).unwrap_or(words.len());
                let words = words.get(..most).unwrap_or(words);
                for piece in words.chunks(PIECE) {
                    self.bytes.clear();
                    let bytes = piece.iter().flat_map(|word| word.to_le_bytes());
                    self.bytes.extend(bytes);
                    self.area.put(&self.bytes)?;
                }
                self.took(Bytes::of_len(words.len()).get());
            }
            Run::Repeat { count, word } => {
                let count = count.min(self.words_left);
                if word == 0 {
                    self.zeros(WORD.checked_mul(count).unwrap_or(Bytes::ZERO))?;
                } else {
                    self.repeat(word, count)?;
                }
                self.took(count);
            }
        }
        Ok(())
    }

    fn took(&mut self, words: u64) {
        self.words_left = self.words_left.saturating_sub(words);
    }

    fn repeat(&mut self, word: u32, count: u64) -> Result<()> {
        self.bytes.clear();
        let now = usize::try_from(count).unwrap_or(PIECE).min(PIECE);
        let bytes = std::iter::repeat_n(word.to_le_bytes(), now).flatten();
        self.bytes.extend(bytes);
        let mut rest = WORD.checked_mul(count).unwrap_or(Bytes::ZERO);
        while rest > Bytes::ZERO {
            let len = rest.to_usize().unwrap_or(usize::MAX);
            let piece = self.bytes.get(..len).unwrap_or(&self.bytes);
            self.area.put(piece)?;
            rest = rest.saturating_sub(Bytes::of_len(piece.len()));
        }
        Ok(())
    }

    /// Puts zeros, but leaves the target's holes as they are: a meta device may have a thousand times the area that is needed.
    fn zeros(&mut self, length: Bytes) -> Result<()> {
        let mut rest = length;
        while rest > Bytes::ZERO {
            let at = self.area.position();
            let whole = at.from_start().to_sectors_exact().is_some();
            let hole = if whole {
                self.hole(at)?.min(rest)
            } else {
                Bytes::ZERO
            };
            let hole = hole.align_down(crate::units::SECTOR_SIZE);
            if hole > Bytes::ZERO {
                self.area.skip(hole)?;
                rest = rest.saturating_sub(hole);
            } else {
                // Up to where a hole may begin: asked for anew after as much as is compared at once.
                let now = rest.min(up_to_piece(at));
                self.area.fill(0, now)?;
                rest = rest.saturating_sub(now);
            }
        }
        Ok(())
    }

    /// How far the hole of the target at `at` reaches.
    fn hole(&self, at: ImagePos) -> Result<Bytes> {
        let data = self.target.next_data(at)?;
        let end = data.map_or(self.end, |data| data.start.min(self.end));
        Ok(end.bytes_since(at).unwrap_or(Bytes::ZERO))
    }

    /// Fills the rest of the area.
    fn finish(mut self) -> Result<()> {
        let at = self.area.position();
        let rest = self.end.bytes_since(at).unwrap_or(Bytes::ZERO);
        self.zeros(rest)
    }
}

/// How far it is from `at` to the next piece of 1 MiB.
fn up_to_piece(at: ImagePos) -> Bytes {
    let piece = Bytes::new(1 << 20);
    let start = at.from_start();
    piece.saturating_sub(start.saturating_sub(start.align_down(piece)))
}
