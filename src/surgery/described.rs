//! The disk that a dump describes: its metadata where its comments say that it lay, and nothing anywhere else.
//!
//! So whatever looks at images looks at dumps, too. What a dump does not hold is a hole here: the activity log, the data, whoever else
//! lives on the disk. Where it does not say where it lay, it is laid out on the smallest disk that fits.

use std::cell::RefCell;
use std::ops::{ControlFlow, Range};

use crate::dump::{DumpReader, Places};
use crate::error::{IoOp, Result};
use crate::format::bitmap::slot_len;
use crate::format::layout::{MAX_DEVICE, MdIndex, MdLayout};
use crate::format::metadata::{Bitmap, Header, Run, SlotWords};
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::image::{ReadAt, check_within, visit_by_reading};
use crate::surgery::place::PlaceRefusal;
use crate::surgery::place::spool::{Spool, SpoolReader};
use crate::units::{BitmapIndex, Bytes, DevPos, ImagePos, MD_BLOCK, SECTOR_SIZE, Sectors};
use crate::verdict::check::{self, AttachRefusal, Candidate};
use crate::verdict::fit::{LEAST_DISK, Shape};

/// Bytes of a word.
const WORD: Bytes = Bytes::new(4);
/// Bytes of an indexed slot, and of v07's metadata at the end of a disk.
const FIXED: Bytes = Bytes::new(128 << 20);
/// Rows of clear words that are told as a hole from here on.
const WORTH_A_HOLE: u64 = 1024;
/// As much is told as data at once.
const DATA_AT_ONCE: Bytes = Bytes::new(1 << 20);

/// A dump, laid out.
pub struct Described {
    size: Bytes,
    layout: MdLayout,
    told: bool,
    superblock: [u8; SUPERBLOCK_LEN],
    /// Of all slots, as they lie on a disk.
    words: u64,
    slots: RefCell<Vec<Cursor>>,
}

impl Described {
    /// Reads a dump to its end. Of its bitmaps little is held in memory, however long they are.
    ///
    /// # Errors
    ///
    /// Errors of reading it; [`PlaceRefusal`] where there is no disk that it could be of.
    pub fn of(mut dump: DumpReader<'_>) -> Result<Self> {
        let header = dump.header().clone();
        let (size, layout, told) = place(&header, &dump.places())?;
        let superblock = header.compose(&layout).map_err(PlaceRefusal::Layout)?;
        let needed = header.geometry.bitmap_size(header.la_size);
        let words = needed.unwrap_or(Bytes::ZERO).whole_units(WORD);
        let count = header.geometry.max_peers;
        let mut slots = Vec::new();
        for slot in 0..u8::try_from(count).unwrap_or(u8::MAX) {
            let len = slot_len(words, u64::from(slot), u64::from(count));
            let spool = Spool::of(&mut *dump.slot(BitmapIndex::new(slot))?, len)?;
            slots.push(Cursor::new(spool));
        }
        dump.finish()?;
        Ok(Self {
            size,
            layout,
            told,
            superblock: superblock.to_bytes(),
            words,
            slots: RefCell::new(slots),
        })
    }

    /// Whether the dump's comments say where it lay.
    #[must_use]
    pub const fn is_told(&self) -> bool {
        self.told
    }

    /// Fills `buf` with what the bitmap has from byte `at` on.
    fn read_bitmap(&self, at: Bytes, buf: &mut [u8]) -> Result<()> {
        let mut word = at.whole_units(WORD);
        let whole = at.align_down(WORD);
        let mut skip = at.saturating_sub(whole).to_usize().unwrap_or(0);
        let mut rest = buf;
        while !rest.is_empty() {
            let bytes = self.word(word)?.to_le_bytes();
            let piece = bytes.get(skip..).unwrap_or_default();
            let count = piece.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(piece.get(..count).unwrap_or_default());
            (rest, skip, word) = (later, 0, word.saturating_add(1));
        }
        Ok(())
    }

    /// One word of the bitmap as it lies on a disk: a word of each slot in turn.
    fn word(&self, number: u64) -> Result<u32> {
        let mut slots = self.slots.borrow_mut();
        let (row, slot) = place_of(number, slots.len());
        match slots.get_mut(slot) {
            Some(slot) if number < self.words => slot.word(row),
            _ => Ok(0),
        }
    }

    /// The first word from `from` on that may be set.
    fn next_set(&self, from: u64) -> Result<Option<u64>> {
        let mut slots = self.slots.borrow_mut();
        let mut word = from;
        while word < self.words {
            let (row, _) = place_of(word, slots.len());
            let mut clear = u64::MAX;
            for slot in slots.iter_mut() {
                clear = clear.min(slot.clear_from(row)?);
            }
            if clear < WORTH_A_HOLE {
                return Ok(Some(word));
            }
            let width = u64::try_from(slots.len()).unwrap_or(1);
            word = row.saturating_add(clear).saturating_mul(width);
        }
        Ok(None)
    }
}

/// The row of a word, and its slot.
fn place_of(word: u64, slots: usize) -> (u64, usize) {
    let width = u64::try_from(slots).unwrap_or(1).max(1);
    let slot = word.checked_rem(width).unwrap_or(0);
    let row = word.checked_div(width).unwrap_or(0);
    (row, usize::try_from(slot).unwrap_or(usize::MAX))
}

/// What kernels would answer to the superblock that a dump describes, once its log is applied.
///
/// Where its comments describe the disk, it is judged there, whether the size fits that or not; else only what does not depend on the place.
#[must_use]
pub fn refusals(header: &Header, places: &Places) -> Vec<AttachRefusal> {
    let lay = |(index, size)| {
        let layout = MdLayout::planned(index, header.geometry, size).ok()?;
        let there = (Some(layout.md), Some(layout.bm.start)) == (places.md, places.bm);
        there.then_some((size, layout))
    };
    let told = told(places).into_iter().find_map(lay);
    let assumed = || {
        place(header, &Places::default())
            .ok()
            .map(|(size, layout, _)| (size, layout))
    };
    told.or_else(assumed)
        .map_or_else(Vec::new, |(size, layout)| judged(header, &layout, size))
}

/// What kernels would answer to a header on a disk of that size.
#[must_use]
pub fn judged(header: &Header, layout: &MdLayout, device: Bytes) -> Vec<AttachRefusal> {
    header.compose(layout).map_or_else(
        |_| Vec::new(),
        |superblock| {
            check::refusals(&Candidate {
                superblock: &superblock,
                at: layout.md,
                index: layout.index,
                device,
            })
        },
    )
}

/// The disk's size, where its metadata is on it, and whether the comments say so.
fn place(header: &Header, places: &Places) -> Result<(Bytes, MdLayout, bool)> {
    let geometry = header.geometry;
    geometry
        .check(header.format())
        .map_err(PlaceRefusal::Layout)?;
    for (index, size) in told(places) {
        let planned = MdLayout::planned(index, geometry, size);
        let agrees = |layout: &MdLayout| {
            let there = (Some(layout.md), Some(layout.bm.start)) == (places.md, places.bm);
            there && header.la_size <= layout.usable && header.compose(layout).is_ok()
        };
        if let Some(layout) = planned.ok().filter(agrees) {
            return Ok((size, layout, true));
        }
    }
    let shape = Shape {
        format: header.format(),
        geometry,
        external: false,
    };
    let too_large = PlaceRefusal::LaSize {
        la_size: header.la_size,
        usable: MAX_DEVICE,
    };
    let least = header.la_size.max(Sectors::new(8));
    let size = shape
        .needs(least, MD_BLOCK)
        .ok_or(too_large)?
        .max(LEAST_DISK);
    let layout = MdLayout::planned(MdIndex::FlexInternal, geometry, size);
    Ok((size, layout.map_err(PlaceRefusal::Layout)?, false))
}

/// What disks the comments may be of.
fn told(places: &Places) -> Vec<(MdIndex, Bytes)> {
    let Some(md) = places.md.map(DevPos::from_start) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    // The superblock is in the last aligned block: up to seven sectors may follow.
    for (index, len) in [
        (MdIndex::FlexInternal, MD_BLOCK),
        (MdIndex::Internal, FIXED),
    ] {
        let tails = (0..8).map(|tail| SECTOR_SIZE.checked_mul(tail));
        let sizes = tails.filter_map(|tail| md.checked_add(len)?.checked_add(tail?));
        all.extend(sizes.map(|size| (index, size)));
    }
    if md == Bytes::ZERO {
        let size = places.md_size.and_then(Sectors::to_bytes);
        all.extend(size.map(|size| (MdIndex::FlexExternal, size)));
    }
    let number = u8::try_from(md.whole_units(FIXED)).ok();
    let whole = md.align_down(FIXED) == md;
    if let (Some(number), true, Some(size)) = (number, whole, md.checked_add(FIXED)) {
        all.push((MdIndex::Indexed(number), size));
    }
    all
}

impl ReadAt for Described {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        check_within(IoOp::Read, at, Bytes::of_len(buf.len()), self.size)?;
        buf.fill(0);
        if let Some((skip, part)) = overlap(at, buf, &self.layout.bm) {
            self.read_bitmap(skip, part)?;
        }
        let end = self.layout.md.checked_add(MD_BLOCK);
        let block = self.layout.md..end.unwrap_or(self.layout.md);
        if let Some((skip, part)) = overlap(at, buf, &block) {
            let skip = skip.to_usize().unwrap_or(SUPERBLOCK_LEN);
            let rest = self.superblock.get(skip..).unwrap_or_default();
            let bytes = part.iter_mut().zip(rest);
            bytes.for_each(|(byte, said)| *byte = *said);
        }
        Ok(())
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        let end = ImagePos::at(self.size);
        let md = ImagePos::at(self.layout.md.from_start());
        let bm = ImagePos::at(self.layout.bm.start.from_start());
        let block = md..md.checked_add(MD_BLOCK).unwrap_or(end);
        let block = (from < block.end).then(|| block.start.max(from)..block.end);
        let skip = from.bytes_since(bm).unwrap_or(Bytes::ZERO);
        let first = self.next_set(skip.whole_units(WORD))?;
        let bitmap = first.and_then(|word| {
            let start = bm.checked_add(WORD.checked_mul(word)?)?.max(from);
            let stop = bm.checked_add(WORD.checked_mul(self.words)?)?;
            Some(start..stop.min(start.checked_add(DATA_AT_ONCE)?))
        });
        let mut both: Vec<Range<ImagePos>> = block.into_iter().chain(bitmap).collect();
        both.sort_by_key(|range| range.start);
        Ok(both.into_iter().next())
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        visit_by_reading(self, range, visit)
    }
}

/// The part of `buf`, which begins at `at`, that lies in `area`, and how far from the area's start.
fn overlap<'b>(
    at: ImagePos,
    buf: &'b mut [u8],
    area: &Range<DevPos>,
) -> Option<(Bytes, &'b mut [u8])> {
    let at = DevPos::at(at.from_start());
    let end = at.checked_add(Bytes::of_len(buf.len()))?.min(area.end);
    let start = at.max(area.start);
    let len = end.bytes_since(start)?.to_usize()?;
    let skip = start.bytes_since(at)?.to_usize()?;
    let part = buf.get_mut(skip..)?.get_mut(..len)?;
    (len > 0).then_some((start.bytes_since(area.start)?, part))
}

/// One slot, read front to back and sometimes again.
struct Cursor {
    reader: SpoolReader<Spool>,
    /// The row that the run begins with.
    first: u64,
    run: Kept,
}

/// A run.
enum Kept {
    Repeat {
        count: u64,
        word: u32,
    },
    Words(Vec<u32>),
    /// Nothing follows.
    End,
}

impl Kept {
    fn len(&self) -> u64 {
        match self {
            Self::Repeat { count, .. } => *count,
            Self::Words(words) => u64::try_from(words.len()).unwrap_or(u64::MAX),
            Self::End => u64::MAX,
        }
    }
}

impl Cursor {
    const fn new(spool: Spool) -> Self {
        Self {
            reader: spool.into_reader(),
            first: 0,
            run: Kept::Words(Vec::new()),
        }
    }

    /// Goes to the run that has `row`; how far into it that is.
    fn go_to(&mut self, row: u64) -> Result<u64> {
        if row < self.first {
            self.reader.rewind();
            (self.first, self.run) = (0, Kept::Words(Vec::new()));
        }
        loop {
            let into = row.saturating_sub(self.first);
            if into < self.run.len() {
                return Ok(into);
            }
            self.first = self.first.saturating_add(self.run.len());
            self.run = match self.reader.next_run()? {
                Some(Run::Repeat { count, word }) => Kept::Repeat { count, word },
                Some(Run::Words(words)) => Kept::Words(words.to_vec()),
                None => Kept::End,
            };
        }
    }

    fn word(&mut self, row: u64) -> Result<u32> {
        let into = self.go_to(row)?;
        Ok(match &self.run {
            Kept::Repeat { word, .. } => *word,
            Kept::Words(words) => {
                let into = usize::try_from(into).ok();
                into.and_then(|into| words.get(into)).copied().unwrap_or(0)
            }
            Kept::End => 0,
        })
    }

    /// How many rows from this one on are known to be clear.
    fn clear_from(&mut self, row: u64) -> Result<u64> {
        let into = self.go_to(row)?;
        Ok(match &self.run {
            Kept::Repeat { count, word: 0 } => count.saturating_sub(into),
            Kept::End => u64::MAX,
            _ => 0,
        })
    }
}

#[cfg(test)]
mod tests;
