//! A bitmap that ends before its device does: what it has no bits for counts as out of sync.

use crate::error::Result;
use crate::format::bitmap::slot_len;
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::metadata::{Bitmap, Run, SlotWords};
use crate::survey::locate::Level;
use crate::units::{BitmapIndex, Bytes, Sectors, count_of};

use super::{OnDiskBitmap, WORD};

/// The layout of flex-external metadata whose meta device is large enough for the agreed size; `None` where this one is, or where the
/// metadata is placed in another way.
#[must_use]
pub fn on_a_large_enough_meta_device(level: &Level) -> Option<MdLayout> {
    let la_size = level.superblock.la_size();
    let small = level.layout.index == MdIndex::FlexExternal && la_size > level.layout.usable;
    let geometry = level.layout.geometry;
    let size = geometry.internal_size(la_size).filter(|_| small)?;
    // A slot's share is rounded down to whole words: with several slots it may take a block more.
    (0..2_u64).find_map(|more| {
        let size = crate::units::MD_BLOCK
            .checked_mul(more)
            .and_then(|more| size.checked_add(more))?;
        let layout = MdLayout::planned(MdIndex::FlexExternal, geometry, size).ok()?;
        (layout.usable >= la_size).then_some(layout)
    })
}

/// A bitmap on disk, continued by ones up to the agreed size.
pub struct Untracked<'a> {
    bitmap: OnDiskBitmap<'a>,
    /// Words of all slots that the agreed size needs.
    words: u64,
}

impl<'a> Untracked<'a> {
    /// `bitmap` up to the bits of `la_size` on a meta device that is large enough.
    #[must_use]
    pub fn new(bitmap: OnDiskBitmap<'a>, layout: &MdLayout, la_size: Sectors) -> Self {
        let size = layout.geometry.bitmap_size(la_size);
        Self {
            bitmap,
            words: size.unwrap_or(Bytes::ZERO).whole_units(WORD),
        }
    }
}

impl Bitmap for Untracked<'_> {
    fn slot(&mut self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        let needed = slot_len(self.words, u64::from(slot.get()), self.bitmap.max_peers);
        Ok(Box::new(UntrackedSlot {
            words: self.bitmap.slot(slot)?,
            left: needed,
        }))
    }
}

/// One slot of [`Untracked`].
struct UntrackedSlot<'a> {
    words: Box<dyn SlotWords + 'a>,
    /// Words still to be given.
    left: u64,
}

impl SlotWords for UntrackedSlot<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        let Some(run) = self.words.next_run()? else {
            let count = std::mem::take(&mut self.left);
            return Ok((count > 0).then_some(Run::Repeat {
                count,
                word: u32::MAX,
            }));
        };
        let given = match run {
            Run::Words(words) => count_of(words.len()),
            Run::Repeat { count, .. } => count,
        };
        self.left = self.left.saturating_sub(given);
        Ok(Some(run))
    }
}
