//! Ranges of bytes as runs of bits.

use std::ops::Range;

use super::ranges::Sorted;
use crate::error::Result;
use crate::units::{BmBit, Bytes, DevPos};

/// Which way a range that begins or ends within a bit is rounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Every bit that the range touches: what is set is never too little.
    Outward,
    /// Every bit that the range covers: a bit that stands for one byte more is left alone.
    Inward,
}

/// What bits stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Scale {
    /// Bytes for each bit; the last bit may stand for fewer.
    pub per_bit: Bytes,
    /// The size of the DRBD device.
    pub device: Bytes,
}

/// Runs of bits, in order, apart from each other.
#[derive(Debug)]
pub struct Rounded {
    ranges: Sorted,
    scale: Scale,
    direction: Direction,
    pending: Option<Range<u64>>,
}

impl Rounded {
    /// The bits of these ranges; what lies behind the device's end has none.
    #[must_use]
    pub const fn new(ranges: Sorted, scale: Scale, direction: Direction) -> Self {
        Self {
            ranges,
            scale,
            direction,
            pending: None,
        }
    }

    /// The next run; `None` after the last.
    ///
    /// # Errors
    ///
    /// As [`Sorted::next_range`].
    pub fn next_run(&mut self) -> Result<Option<Range<BmBit>>> {
        while let Some(range) = self.ranges.next_range()? {
            let run = self.bits(&range);
            match &mut self.pending {
                _ if run.is_empty() => {}
                Some(pending) if run.start <= pending.end => {
                    pending.end = pending.end.max(run.end);
                }
                pending => {
                    if let Some(done) = pending.replace(run) {
                        return Ok(Some(named(&done)));
                    }
                }
            }
        }
        Ok(self.pending.take().map(|run| named(&run)))
    }

    fn bits(&self, range: &Range<DevPos>) -> Range<u64> {
        let Scale { per_bit, device } = self.scale;
        let start = range.start.from_start().min(device);
        let end = range.end.from_start().min(device);
        let up = |size: Bytes| {
            let floor = size.whole_units(per_bit);
            let whole = per_bit.checked_mul(floor) == Some(size);
            floor.saturating_add(u64::from(!whole))
        };
        match self.direction {
            Direction::Outward => start.whole_units(per_bit)..up(end),
            // The last bit is covered where the range reaches the device's end.
            Direction::Inward if end == device => up(start)..up(end),
            Direction::Inward => up(start)..end.whole_units(per_bit),
        }
    }
}

const fn named(run: &Range<u64>) -> Range<BmBit> {
    BmBit::new(run.start)..BmBit::new(run.end)
}
