//! What kernels were seen to do wrong with metadata that is in order.

use std::ops::Range;

use crate::error::Result;
use crate::format::layout::MdLayout;
use crate::format::superblock::{Format, Superblock};
use crate::image::Window;
use crate::survey::locate::Level;
use crate::units::{Bytes, DevPos};

/// Sectors for which a slot's bits fill whole words of 64.
const WHOLE_WORDS: u64 = 512;
/// Bits that are dropped, and the bytes of a word of the bitmap.
const DROPPED: u64 = 64;

/// Bits that DRBD 8.4 drops.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LastBits {
    /// Where they are on the device.
    pub words: Range<DevPos>,
    /// How many of them are set.
    pub set: u32,
    /// The stretch of the DRBD device that all of them stand for.
    pub data: Range<DevPos>,
}

/// Whether DRBD 8.4.11 drops the last 64 bits of this metadata's bitmap when it attaches: v08 with a size that is a multiple of 512 sectors.
#[must_use]
pub fn misses_last_bits(superblock: &Superblock) -> bool {
    let size = superblock.la_size().get();
    superblock.format() == Format::V08 && size > 0 && size.is_multiple_of(WHOLE_WORDS)
}

/// The bits that DRBD 8.4.11 drops, where any of them is set.
///
/// # Errors
///
/// Errors of reading eight bytes of the bitmap.
pub fn last_words(level: &Level, device: Window<'_>) -> Result<Option<LastBits>> {
    last_words_of(&level.superblock, &level.layout, device)
}

/// The same of metadata by its superblock and layout.
///
/// # Errors
///
/// Errors of reading eight bytes of the bitmap.
pub fn last_words_of(
    superblock: &Superblock,
    layout: &MdLayout,
    device: Window<'_>,
) -> Result<Option<LastBits>> {
    let la_size = superblock.la_size();
    let usable = misses_last_bits(superblock) && la_size <= layout.usable;
    let geometry = layout.geometry;
    let Some(last) = geometry
        .bits(la_size)
        .filter(|_| usable)
        .and_then(|bits| bits.checked_sub(DROPPED))
    else {
        return Ok(None);
    };
    let Some(start) = layout.bm.start.checked_add(Bytes::new(last / 8)) else {
        return Ok(None);
    };
    let mut bytes = [0; 8];
    device.read_exact_at(start, &mut bytes)?;
    let set = u64::from_le_bytes(bytes).count_ones();
    let per_bit = Bytes::new(u64::from(geometry.bytes_per_bit));
    let from = per_bit.checked_mul(last).map(DevPos::at);
    let to = la_size.to_bytes().map(DevPos::at);
    Ok(from.zip(to).filter(|_| set > 0).map(|(from, to)| LastBits {
        words: start..start.saturating_add(Bytes::new(8)),
        set,
        data: from..to,
    }))
}
