//! Comparing what a target holds with what it should hold.

use crate::error::{EditRefusal, Result};
use crate::image::ReadAt;
use crate::units::{Bytes, ImagePos, SECTOR_SIZE};

/// Bytes that a power failure leaves old or new, never half.
pub(super) const SECTOR: usize = 512;

/// Less than this is read sooner than the system finds out whether it is a hole.
const WORTH_ASKING: Bytes = Bytes::new(64 * 1024);

/// A comparison, again and again, and what it means where it fails.
pub(super) struct Comparison {
    buffer: Vec<u8>,
    read: fn(&dyn ReadAt, ImagePos, &mut [u8]) -> Result<()>,
    otherwise: fn(ImagePos, Bytes) -> EditRefusal,
}

impl Comparison {
    /// With what was there when the change was planned.
    pub(super) fn with_plan() -> Self {
        Self {
            buffer: Vec::new(),
            read: read_data,
            otherwise: |at, length| EditRefusal::Changed { at, length },
        }
    }

    /// The same of what is written next: the system gets it into its cache anyway, and is not asked where there is room but no data yet.
    pub(super) fn with_plan_where_written_next() -> Self {
        Self {
            read: |target, at, buffer| target.read_exact_at(at, buffer),
            ..Self::with_plan()
        }
    }

    /// The same of what may have been cut off since, which is zeros then.
    pub(super) fn with_plan_beyond_the_end() -> Self {
        Self {
            read,
            ..Self::with_plan()
        }
    }

    /// With what was written.
    pub(super) fn with_what_was_written() -> Self {
        Self {
            buffer: Vec::new(),
            read,
            otherwise: |at, length| EditRefusal::ReadBack { at, length },
        }
    }

    /// The answer where something else is there: the first sector of `target` from `at` on that is not as in `expected`.
    pub(super) fn expect(
        &mut self,
        target: &dyn ReadAt,
        at: ImagePos,
        expected: &[u8],
    ) -> Result<()> {
        self.buffer.resize(expected.len(), 0);
        (self.read)(target, at, &mut self.buffer)?;
        if self.buffer == expected {
            return Ok(());
        }
        let sectors = self.buffer.chunks(SECTOR).zip(expected.chunks(SECTOR));
        let mut first = at;
        for (_, _) in sectors.take_while(|(found, expected)| found == expected) {
            first = first.checked_add(SECTOR_SIZE).unwrap_or(first);
        }
        Err((self.otherwise)(first, SECTOR_SIZE).into())
    }
}

/// Whether the system is asked where there are holes in a stretch of this length.
pub(super) const fn is_worth_asking(length: Bytes) -> bool {
    length.get() >= WORTH_ASKING.get()
}

/// Reads from a target, but not its holes, which are zeros: read, the system would fill its cache with them.
pub(super) fn read_data(target: &dyn ReadAt, at: ImagePos, buffer: &mut [u8]) -> Result<()> {
    let end = at.checked_add(Bytes::of_len(buffer.len()));
    let inside = end.filter(|end| end.from_start() <= target.size());
    if let Some(end) = inside
        && is_worth_asking(Bytes::of_len(buffer.len()))
        && target.next_data(at)?.is_none_or(|data| data.start >= end)
    {
        buffer.fill(0);
        return Ok(());
    }
    target.read_exact_at(at, buffer)
}

/// Reads from a target as if it had not been cut off: what lies behind its end reads as zeros.
///
/// Only for a target whose size is known to be one that its undo file describes.
pub(super) fn read(target: &dyn ReadAt, at: ImagePos, buffer: &mut [u8]) -> Result<()> {
    let there = target.size().saturating_sub(at.from_start());
    let there = there.to_usize().unwrap_or(usize::MAX).min(buffer.len());
    let (there, gone) = buffer.split_at_mut(there);
    gone.fill(0);
    if there.is_empty() {
        return Ok(());
    }
    target.read_exact_at(at, there)
}
