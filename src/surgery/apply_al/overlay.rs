//! A bitmap with more bits set, read and never written.

use super::marking::{Mark, Marking};
use crate::error::Result;
use crate::format::metadata::{Bitmap, Run, SlotWords};
use crate::units::BitmapIndex;

/// A bitmap, in every slot of which marked bits are set as well.
pub struct Applied<'m, B> {
    bitmap: B,
    marking: &'m Marking,
}

impl<'m, B> Applied<'m, B> {
    /// `bitmap` with the bits of `marking`.
    pub const fn new(bitmap: B, marking: &'m Marking) -> Self {
        Self { bitmap, marking }
    }
}

impl<B: Bitmap> Bitmap for Applied<'_, B> {
    fn slot(&mut self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        let words = self.bitmap.slot(slot)?;
        Ok(Box::new(AppliedSlot {
            words,
            marks: self.marking.marks(),
            taken: 0,
            repeated: None,
            buffer: Vec::new(),
        }))
    }
}

/// One slot of [`Applied`].
struct AppliedSlot<'a> {
    words: Box<dyn SlotWords + 'a>,
    /// Marks that do not end before `taken`.
    marks: &'a [Mark],
    /// Words given so far.
    taken: u64,
    /// What is left of a repeated word.
    repeated: Option<(u64, u32)>,
    buffer: Vec<u32>,
}

impl AppliedSlot<'_> {
    /// The part of a repeated word up to where the marking changes.
    fn next_part(&mut self, count: u64, word: u32) -> Run<'static> {
        let (until, mask) = match self.marks.first() {
            Some(mark) if mark.words.start <= self.taken => (mark.words.end, mark.mask),
            Some(mark) => (mark.words.start, 0),
            None => (u64::MAX, 0),
        };
        let part = count.min(until.saturating_sub(self.taken));
        self.repeated = Some((count.saturating_sub(part), word)).filter(|(left, _)| *left > 0);
        self.take(part);
        Run::Repeat {
            count: part,
            word: word | mask,
        }
    }

    /// Goes on by `count` words, and past the marks that end there.
    fn take(&mut self, count: u64) {
        self.taken = self.taken.saturating_add(count);
        let over = self
            .marks
            .iter()
            .take_while(|mark| mark.words.end <= self.taken)
            .count();
        self.marks = self.marks.get(over..).unwrap_or_default();
    }
}

impl SlotWords for AppliedSlot<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        if let Some((count, word)) = self.repeated.take() {
            return Ok(Some(self.next_part(count, word)));
        }
        let words = match self.words.next_run()? {
            None => return Ok(None),
            Some(Run::Repeat { count, word }) => {
                return Ok(Some(self.next_part(count, word)));
            }
            Some(Run::Words(words)) => words,
        };
        self.buffer.clear();
        self.buffer.extend_from_slice(words);
        mark_words(&mut self.buffer, self.taken, self.marks);
        let count = u64::try_from(self.buffer.len()).unwrap_or(u64::MAX);
        self.take(count);
        Ok(Some(Run::Words(&self.buffer)))
    }
}

/// Sets marked bits in consecutive words of a slot, the first of which is word `first`.
fn mark_words(words: &mut [u32], first: u64, marks: &[Mark]) {
    let index = |word: u64| {
        usize::try_from(word.saturating_sub(first))
            .unwrap_or(usize::MAX)
            .min(words.len())
    };
    let end = first.saturating_add(u64::try_from(words.len()).unwrap_or(u64::MAX));
    let ranges: Vec<_> = marks
        .iter()
        .take_while(|mark| mark.words.start < end)
        .map(|mark| (index(mark.words.start)..index(mark.words.end), mark.mask))
        .collect();
    for (range, mask) in ranges {
        for word in words.get_mut(range).unwrap_or_default() {
            *word |= mask;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// One slot, given in pieces of words and repeated words.
    struct Pieces(Vec<(bool, Vec<u32>)>);

    struct PiecesSlot<'a>(std::slice::Iter<'a, (bool, Vec<u32>)>);

    impl Bitmap for Pieces {
        fn slot(&mut self, _: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
            Ok(Box::new(PiecesSlot(self.0.iter())))
        }
    }

    impl SlotWords for PiecesSlot<'_> {
        fn next_run(&mut self) -> Result<Option<Run<'_>>> {
            Ok(self
                .0
                .next()
                .map(|(repeated, words)| match (repeated, words.as_slice()) {
                    (true, &[word, ..]) => Run::Repeat {
                        count: u64::try_from(words.len()).unwrap(),
                        word,
                    },
                    (_, words) => Run::Words(words),
                }))
        }
    }

    proptest! {
        #[test]
        fn every_marked_bit_is_set_and_no_other_changes(
            pieces in proptest::collection::vec((any::<bool>(), any::<u32>(), 1..50_usize), 0..12),
            gaps in proptest::collection::vec((0..40_u64, 1..40_u64, any::<u32>()), 0..8),
        ) {
            let pieces: Vec<(bool, Vec<u32>)> = pieces
                .into_iter()
                .map(|(repeated, seed, len)| {
                    let step = u32::from(!repeated);
                    (repeated, (0..u32::try_from(len).unwrap()).map(|i| seed.wrapping_add(i * step)).collect())
                })
                .collect();
            let mut expected: Vec<u32> = pieces.iter().flat_map(|(_, words)| words.clone()).collect();
            let mut marks = Vec::new();
            let mut at = 0;
            for (gap, len, mask) in gaps {
                marks.push(Mark { words: at + gap..at + gap + len, mask });
                at += gap + len;
            }
            for (i, word) in (0..).zip(&mut expected) {
                *word |= marks.iter().find(|mark| mark.words.contains(&i)).map_or(0, |mark| mark.mask);
            }
            let marking = Marking::given(marks);
            let mut applied = Applied::new(Pieces(pieces), &marking);
            let mut slot = applied.slot(BitmapIndex::new(0)).unwrap();
            let mut found = Vec::new();
            while let Some(run) = slot.next_run().unwrap() {
                match run {
                    Run::Words(words) => found.extend_from_slice(words),
                    Run::Repeat { count, word } => {
                        prop_assert!(count > 0);
                        found.extend(std::iter::repeat_n(word, usize::try_from(count).unwrap()));
                    }
                }
            }
            prop_assert_eq!(found, expected);
        }
    }
}
