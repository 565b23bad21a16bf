//! Ranges of a copy, in order, what touches joined.

use std::ops::Range;

use super::TruckRefusal;
use crate::units::{Bytes, DevPos, range_len};

/// The most ranges that are held; what follows one another counts as one.
const MOST: usize = 1 << 20;

/// Ranges as they come, all of them within a copy.
#[derive(Debug)]
pub struct Ranges {
    size: Bytes,
    ranges: Vec<Range<DevPos>>,
}

impl Ranges {
    /// None so far, of a copy of this size.
    #[must_use]
    pub const fn within(size: Bytes) -> Self {
        Self {
            size,
            ranges: Vec::new(),
        }
    }

    /// One more.
    ///
    /// # Errors
    ///
    /// [`TruckRefusal::RangeOutside`] and [`TruckRefusal::ManyRanges`].
    pub fn add(&mut self, range: Range<DevPos>) -> Result<(), TruckRefusal> {
        if range.end.from_start() > self.size {
            return Err(TruckRefusal::RangeOutside {
                start: range.start,
                length: range_len(&range),
                size: self.size,
            });
        }
        let many = self.ranges.len();
        match self.ranges.last_mut() {
            Some(last) if range.start == last.end => last.end = range.end,
            _ if range.is_empty() => {}
            _ if many == MOST => return Err(TruckRefusal::ManyRanges { most: MOST }),
            _ => self.ranges.push(range),
        }
        Ok(())
    }

    /// All of them from the first byte to the last, none twice.
    #[must_use]
    pub fn in_order(mut self) -> Vec<Range<DevPos>> {
        self.ranges.sort_unstable_by_key(|range| range.start);
        let mut joined: Vec<Range<DevPos>> = Vec::with_capacity(self.ranges.len());
        for range in self.ranges {
            match joined.last_mut() {
                Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
                _ => joined.push(range),
            }
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dev(range: Range<u64>) -> Range<DevPos> {
        DevPos::new(range.start)..DevPos::new(range.end)
    }

    #[test]
    fn ranges_are_put_in_order_and_none_is_there_twice() {
        let mut ranges = Ranges::within(Bytes::new(100));
        for range in [90..100, 0..5, 5..7, 20..20, 30..40, 33..35, 39..50] {
            ranges.add(dev(range)).unwrap();
        }
        assert_eq!(ranges.in_order(), [dev(0..7), dev(30..50), dev(90..100)]);
        assert_eq!(Ranges::within(Bytes::ZERO).in_order(), []);
    }

    #[test]
    fn a_range_that_leaves_the_copy_is_refused() {
        let mut ranges = Ranges::within(Bytes::new(100));
        let refused = ranges.add(dev(99..101)).unwrap_err();
        assert!(matches!(refused, TruckRefusal::RangeOutside { .. }));
        let mut many = Ranges::within(Bytes::new(u64::MAX));
        for number in 0..u64::try_from(MOST).unwrap() {
            many.add(dev(number * 2..number * 2 + 1)).unwrap();
        }
        let last = u64::try_from(MOST).unwrap() * 2;
        many.add(dev(last - 1..last)).unwrap();
        let refused = many.add(dev(last + 8..last + 9)).unwrap_err();
        assert!(matches!(refused, TruckRefusal::ManyRanges { .. }));
    }
}
