//! Ranges in any order, given back sorted and merged; what memory is not to hold is put aside.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::ops::Range;

use crate::error::Result;
use crate::image::Scratch;
use crate::units::{Bytes, DevPos, ImagePos};

/// Ranges that are kept in memory before they are put aside: 4 MiB.
const MOST: usize = 1 << 18;
/// Bytes of a range that is put aside.
const RECORD: usize = 16;
/// Ranges of one part that are read back at once.
const AT_ONCE: usize = 256;

/// Ranges of a device, taken in any order.
#[derive(Debug)]
pub struct RangeSet {
    /// Not sorted yet.
    recent: Vec<Range<DevPos>>,
    most: usize,
    scratch: Scratch,
    parts: Vec<Part>,
}

/// Sorted ranges that lie aside.
#[derive(Debug)]
struct Part {
    records: Range<ImagePos>,
    /// Where the last of them ends.
    last: DevPos,
}

impl Default for RangeSet {
    fn default() -> Self {
        Self::holding(MOST)
    }
}

impl RangeSet {
    /// An empty set that keeps as many ranges in memory.
    fn holding(most: usize) -> Self {
        Self {
            recent: Vec::new(),
            most,
            scratch: Scratch::default(),
            parts: Vec::new(),
        }
    }

    /// Whether there is no range in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.recent.is_empty() && self.parts.is_empty()
    }

    /// Takes one more range; an empty one is none.
    ///
    /// # Errors
    ///
    /// [`IoError`](crate::error::IoError) where there is no room to put ranges aside.
    pub fn add(&mut self, range: Range<DevPos>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        if let Some(last) = self.recent.last_mut()
            && last.start <= range.start
            && range.start <= last.end
        {
            last.end = last.end.max(range.end);
            return Ok(());
        }
        if self.recent.len() >= self.most {
            self.put_aside()?;
        }
        self.recent.push(range);
        Ok(())
    }

    /// All of them, from the device's start on, none touching the next.
    ///
    /// # Errors
    ///
    /// As [`Self::add`].
    pub fn sorted(mut self) -> Result<Sorted> {
        sort(&mut self.recent);
        let mut sorted = Sorted {
            scratch: self.scratch,
            sources: Vec::new(),
            heads: BinaryHeap::new(),
        };
        for part in self.parts {
            sorted.sources.push(Source {
                records: part.records,
                read: VecDeque::new(),
            });
        }
        sorted.sources.push(Source {
            records: ImagePos::START..ImagePos::START,
            read: self.recent.into(),
        });
        for source in 0..sorted.sources.len() {
            sorted.advance(source)?;
        }
        Ok(sorted)
    }

    fn put_aside(&mut self) -> Result<()> {
        sort(&mut self.recent);
        let (Some(first), Some(last)) = (self.recent.first(), self.recent.last()) else {
            return Ok(());
        };
        let (first, last) = (first.start, last.end);
        let start = ImagePos::at(self.scratch.len());
        let mut bytes = Vec::with_capacity(AT_ONCE.saturating_mul(RECORD));
        for some in self.recent.chunks(AT_ONCE) {
            bytes.clear();
            for range in some {
                bytes.extend(range.start.get().to_le_bytes());
                bytes.extend(range.end.get().to_le_bytes());
            }
            self.scratch.append(&bytes)?;
        }
        self.recent.clear();
        let end = ImagePos::at(self.scratch.len());
        match self.parts.last_mut() {
            // What comes in order is one part, however much it is.
            Some(before) if before.last <= first => {
                (before.records.end, before.last) = (end, last);
            }
            _ => self.parts.push(Part {
                records: start..end,
                last,
            }),
        }
        Ok(())
    }
}

/// Sorts ranges and joins those that touch.
fn sort(ranges: &mut Vec<Range<DevPos>>) {
    ranges.sort_unstable_by_key(|range| range.start);
    ranges.dedup_by(|next, last| {
        let touch = next.start <= last.end;
        if touch {
            last.end = last.end.max(next.end);
        }
        touch
    });
}

/// The ranges of a [`RangeSet`], in order.
#[derive(Debug)]
pub struct Sorted {
    scratch: Scratch,
    sources: Vec<Source>,
    /// The next range of each source that has one.
    heads: BinaryHeap<Reverse<(DevPos, DevPos, usize)>>,
}

/// Sorted ranges, some of them still aside.
#[derive(Debug)]
struct Source {
    records: Range<ImagePos>,
    read: VecDeque<Range<DevPos>>,
}

impl Sorted {
    /// The next range; `None` after the last.
    ///
    /// # Errors
    ///
    /// [`IoError`](crate::error::IoError) where what was put aside cannot be read back.
    pub fn next_range(&mut self) -> Result<Option<Range<DevPos>>> {
        let Some(Reverse((start, mut end, source))) = self.heads.pop() else {
            return Ok(None);
        };
        self.advance(source)?;
        while let Some(Reverse((next, next_end, source))) = self.heads.peek().copied()
            && next <= end
        {
            self.heads.pop();
            end = end.max(next_end);
            self.advance(source)?;
        }
        Ok(Some(start..end))
    }

    /// Makes the next range of a source its head.
    fn advance(&mut self, number: usize) -> Result<()> {
        let Some(source) = self.sources.get_mut(number) else {
            return Ok(());
        };
        if source.read.is_empty() {
            source.read_on(&self.scratch)?;
        }
        if let Some(range) = source.read.pop_front() {
            self.heads.push(Reverse((range.start, range.end, number)));
        }
        Ok(())
    }
}

impl Source {
    fn read_on(&mut self, scratch: &Scratch) -> Result<()> {
        let left = self.records.end.bytes_since(self.records.start);
        let most = Bytes::of_len(AT_ONCE.saturating_mul(RECORD));
        let count = left.unwrap_or(Bytes::ZERO).min(most);
        let mut bytes = vec![0; count.to_usize().unwrap_or(0)];
        scratch.read_exact_at(self.records.start, &mut bytes)?;
        let next = self.records.start.checked_add(count);
        self.records.start = next.unwrap_or(self.records.end);
        for record in bytes.as_chunks::<RECORD>().0 {
            let (numbers, _) = record.as_chunks::<8>();
            if let [start, end] = numbers {
                let at = |bytes: &[u8; 8]| DevPos::new(u64::from_le_bytes(*bytes));
                self.read.push_back(at(start)..at(end));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn ranges_come_back_sorted_and_merged(
            given in proptest::collection::vec((0_u64..2000, 0_u64..40), 0..400), most in 1_usize..50, in_order in any::<bool>()
        ) {
            let mut given = given;
            if in_order {
                given.sort_unstable();
            }
            let mut model = vec![false; 2100];
            let mut set = RangeSet::holding(most);
            for (start, len) in given {
                set.add(DevPos::new(start)..DevPos::new(start + len)).unwrap();
                for at in start..start + len {
                    model[usize::try_from(at).unwrap()] = true;
                }
            }
            let mut sorted = set.sorted().unwrap();
            let mut found = vec![false; 2100];
            let mut last = None;
            while let Some(range) = sorted.next_range().unwrap() {
                prop_assert!(range.start < range.end);
                prop_assert!(last.is_none_or(|last| last < range.start));
                last = Some(range.end);
                for at in range.start.get()..range.end.get() {
                    found[usize::try_from(at).unwrap()] = true;
                }
            }
            prop_assert_eq!(found, model);
        }
    }
}
