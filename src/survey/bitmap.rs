//! Reading a bitmap area, hole by hole and chunk by chunk.

mod count;
mod untracked;

pub use untracked::{Untracked, on_a_large_enough_meta_device};

use std::ops::Range;

use crate::error::Result;
use crate::format::bitmap::slot_len;
use crate::format::layout::MdLayout;
use crate::format::metadata::{Bitmap, Run, SlotWords};
use crate::image::Window;
use crate::units::{BitmapIndex, Bytes, DevPos, Sectors};

/// Bytes of a word.
const WORD: Bytes = Bytes::new(4);
/// Bytes read at once, about: a chunk has a whole number of words of every slot.
const CHUNK: Bytes = Bytes::new(256 << 10);

/// A resource's bitmap area on its device.
#[derive(Clone, Copy)]
pub struct OnDiskBitmap<'a> {
    device: Window<'a>,
    start: DevPos,
    /// Words of the area that la-size needs.
    words: u64,
    max_peers: u64,
}

impl<'a> OnDiskBitmap<'a> {
    /// The bitmap of a device of `la_size` with this layout; empty where la-size is 0, clipped to what the layout can hold.
    #[must_use]
    pub fn new(device: Window<'a>, layout: &MdLayout, la_size: Sectors) -> Self {
        let needed = layout
            .geometry
            .bitmap_size(la_size.min(layout.usable))
            .unwrap_or(Bytes::ZERO);
        let words = needed.whole_units(WORD);
        Self {
            device,
            start: layout.bm.start,
            words,
            max_peers: u64::from(layout.geometry.max_peers.max(1)),
        }
    }

    /// Bytes of the area that la-size needs: `bm-bytes` in a dump.
    #[must_use]
    pub fn size(&self) -> Bytes {
        WORD.checked_mul(self.words).unwrap_or(Bytes::ZERO)
    }

    /// How much of it may hold data rather than holes, counted no further than `most`.
    ///
    /// # Errors
    ///
    /// Errors of the system call.
    pub fn data_at_most(&self, most: Bytes) -> Result<Bytes> {
        let end = self.start.saturating_add(self.size());
        let (mut at, mut found) = (self.start, Bytes::ZERO);
        while found < most && at < end {
            let Some(data) = self.device.next_data(at)? else {
                break;
            };
            if data.start >= end {
                break;
            }
            let data_end = data.end.min(end);
            found = found.saturating_add(data_end.saturating_since(data.start));
            at = data_end;
        }
        Ok(found.min(most))
    }

    /// The words of one slot.
    #[must_use]
    pub fn slot_words(&self, slot: BitmapIndex) -> OnDiskSlot<'a> {
        let slot = u64::from(slot.get());
        let page_words = 1024_u64.saturating_mul(self.max_peers);
        let pages = CHUNK
            .whole_units(WORD)
            .checked_div(page_words)
            .unwrap_or(1)
            .max(1);
        OnDiskSlot {
            bitmap: *self,
            slot,
            chunk_words: page_words.saturating_mul(pages),
            next: 0,
            data: self.start..self.start,
            bytes: Vec::new(),
            words: Vec::new(),
        }
    }
}

impl Bitmap for OnDiskBitmap<'_> {
    fn slot(&mut self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        Ok(Box::new(self.slot_words(slot)))
    }
}

/// One slot of a bitmap on disk.
pub struct OnDiskSlot<'a> {
    bitmap: OnDiskBitmap<'a>,
    slot: u64,
    /// Words of all slots in a chunk.
    chunk_words: u64,
    /// The first word on disk not yet given; a multiple of `chunk_words`.
    next: u64,
    /// A stretch known to hold data, so that the system is not asked again for each chunk.
    data: Range<DevPos>,
    bytes: Vec<u8>,
    words: Vec<u32>,
}

impl OnDiskSlot<'_> {
    /// Where a word of the area lies.
    fn position(&self, word: u64) -> Option<DevPos> {
        self.bitmap.start.checked_add(WORD.checked_mul(word)?)
    }

    /// The first word of a chunk at or after `next` that may hold data.
    fn next_chunk_with_data(&mut self) -> Result<u64> {
        let Some(at) = self.position(self.next) else {
            return Ok(self.bitmap.words);
        };
        if !self.data.contains(&at) {
            match self.bitmap.device.next_data(at)? {
                Some(data) => self.data = data,
                None => return Ok(self.bitmap.words),
            }
        }
        let hole = self.data.start.saturating_since(at).whole_units(WORD);
        let chunks = hole.checked_div(self.chunk_words).unwrap_or(0);
        Ok(self
            .next
            .saturating_add(chunks.saturating_mul(self.chunk_words))
            .min(self.bitmap.words))
    }

    /// Words of this slot among those before `word`.
    fn words_before(&self, word: u64) -> u64 {
        slot_len(word, self.slot, self.bitmap.max_peers)
    }

    /// Reads the chunk at `next` and picks this slot's words from it.
    fn read_chunk(&mut self) -> Result<()> {
        let count = self
            .bitmap
            .words
            .saturating_sub(self.next)
            .min(self.chunk_words);
        let len = WORD
            .checked_mul(count)
            .and_then(Bytes::to_usize)
            .unwrap_or(0);
        self.bytes.resize(len, 0);
        if let Some(at) = self.position(self.next) {
            self.bitmap.device.read_exact_at(at, &mut self.bytes)?;
        }
        let slot = usize::try_from(self.slot).unwrap_or(usize::MAX);
        let step = usize::try_from(self.bitmap.max_peers).unwrap_or(usize::MAX);
        let (on_disk, _) = self.bytes.as_chunks::<4>();
        let word = |bytes: &[u8; 4]| u32::from_le_bytes(*bytes);
        self.words.clear();
        if step == 1 {
            // The same as below, but known to the compiler to be a copy.
            self.words.extend(on_disk.iter().map(word));
        } else {
            let ours = on_disk.iter().skip(slot).step_by(step);
            self.words.extend(ours.map(word));
        }
        self.next = self.next.saturating_add(count);
        Ok(())
    }
}

impl SlotWords for OnDiskSlot<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        while self.next < self.bitmap.words {
            let with_data = self.next_chunk_with_data()?;
            let skipped = self
                .words_before(with_data)
                .saturating_sub(self.words_before(self.next));
            self.next = with_data;
            self.words.clear();
            if skipped > 0 {
                return Ok(Some(Run::Repeat {
                    count: skipped,
                    word: 0,
                }));
            }
            if self.next < self.bitmap.words {
                self.read_chunk()?;
            }
            if !self.words.is_empty() {
                return Ok(Some(Run::Words(&self.words)));
            }
        }
        Ok(None)
    }
}
