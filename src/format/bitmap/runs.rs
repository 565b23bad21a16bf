//! The set bits of a slot as runs, one after the other: nothing is held but the words at hand.

use std::ops::Range;

use super::WORD_BITS;
use crate::error::Result;
use crate::format::metadata::{Run, SlotWords};
use crate::units::{BmBit, count_of};

/// The words at hand.
enum Chunk {
    Words(Vec<u32>),
    Repeat { count: u64, word: u32 },
}

/// Runs of set bits, in order, apart from each other.
pub struct SetRuns<'a> {
    words: Box<dyn SlotWords + 'a>,
    /// Bits that count.
    bits: u64,
    /// The next bit to be looked at.
    at: u64,
    /// The bit that the words at hand begin with.
    start: u64,
    chunk: Chunk,
}

impl<'a> SetRuns<'a> {
    /// The runs among the first `bits` bits.
    #[must_use]
    pub fn new(words: Box<dyn SlotWords + 'a>, bits: u64) -> Self {
        Self {
            words,
            bits,
            at: 0,
            start: 0,
            chunk: Chunk::Words(Vec::new()),
        }
    }

    /// The next run; `None` after the last.
    ///
    /// # Errors
    ///
    /// What reading the words reported.
    pub fn next_run(&mut self) -> Result<Option<Range<BmBit>>> {
        let Some(start) = self.seek(true)? else {
            return Ok(None);
        };
        let end = self.seek(false)?.unwrap_or(self.at);
        Ok(Some(BmBit::new(start)..BmBit::new(end)))
    }

    /// The first bit at or after the present one that is `set`, which becomes the present one; `None` behind the last bit.
    fn seek(&mut self, set: bool) -> Result<Option<u64>> {
        loop {
            if self.at >= self.bits {
                self.at = self.bits;
                return Ok(None);
            }
            let Some((word, alike)) = self.look() else {
                if !self.fetch()? {
                    return Ok(None);
                }
                continue;
            };
            let within = u32::try_from(self.at % WORD_BITS).unwrap_or(0);
            let sought = if set { word } else { !word };
            let rest = sought.checked_shr(within).unwrap_or(0);
            if rest != 0 {
                let found = self.at.saturating_add(u64::from(rest.trailing_zeros()));
                self.at = found.min(self.bits);
                return Ok((found < self.bits).then_some(found));
            }
            let next = self
                .at
                .saturating_sub(self.at % WORD_BITS)
                .saturating_add(WORD_BITS);
            // Words that are all alike, and without such a bit, are passed at once.
            self.at = if sought == 0 { alike.max(next) } else { next };
        }
    }

    /// The word of the present bit, and up to which bit all words are the same as it; `None` where it is not at hand.
    fn look(&self) -> Option<(u32, u64)> {
        let index = self.at.checked_sub(self.start)? / WORD_BITS;
        match &self.chunk {
            Chunk::Words(words) => {
                let word = words.get(usize::try_from(index).ok()?)?;
                Some((*word, self.at))
            }
            Chunk::Repeat { count, word } if index < *count => {
                let end = count.saturating_mul(WORD_BITS).saturating_add(self.start);
                Some((*word, end))
            }
            Chunk::Repeat { .. } => None,
        }
    }

    /// The next words; `false` where there are none.
    fn fetch(&mut self) -> Result<bool> {
        let count = match &self.chunk {
            Chunk::Words(words) => count_of(words.len()),
            Chunk::Repeat { count, .. } => *count,
        };
        self.start = self.start.saturating_add(count.saturating_mul(WORD_BITS));
        // The memory of the words before is used again.
        let mut buffer = match std::mem::replace(&mut self.chunk, Chunk::Words(Vec::new())) {
            Chunk::Words(words) => words,
            Chunk::Repeat { .. } => Vec::new(),
        };
        buffer.clear();
        match self.words.next_run()? {
            None => return Ok(false),
            Some(Run::Words(words)) => {
                buffer.extend_from_slice(words);
                self.chunk = Chunk::Words(buffer);
            }
            Some(Run::Repeat { count, word }) => self.chunk = Chunk::Repeat { count, word },
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::bitmap::Union;

    /// Words, given in pieces, some of them as repeated ones.
    struct Pieces(std::vec::IntoIter<(bool, Vec<u32>)>, Vec<u32>);

    impl SlotWords for Pieces {
        fn next_run(&mut self) -> Result<Option<Run<'_>>> {
            Ok(self.0.next().map(|(repeated, words)| {
                let count = u64::try_from(words.len()).unwrap();
                self.1 = words;
                match (repeated, self.1.first()) {
                    (true, Some(word)) => Run::Repeat { count, word: *word },
                    _ => Run::Words(&self.1),
                }
            }))
        }
    }

    type Given = Vec<(bool, Vec<u32>)>;

    fn pieces() -> impl Strategy<Value = Given> {
        let word = prop_oneof![Just(0), Just(u32::MAX), any::<u32>()];
        let piece = (any::<bool>(), word, 1..6_usize, any::<u32>()).prop_map(
            |(repeated, word, len, seed)| {
                let words = (0..u32::try_from(len).unwrap())
                    .map(|i| if repeated { word } else { word ^ (seed & i) });
                (repeated, words.collect())
            },
        );
        proptest::collection::vec(piece, 0..8)
    }

    fn model(given: &Given, bits: u64) -> Vec<bool> {
        let words = given.iter().flat_map(|(_, words)| words);
        let set = words.flat_map(|word| (0..32).map(move |bit| (word >> bit) & 1 == 1));
        set.take(usize::try_from(bits).unwrap()).collect()
    }

    fn runs_of(set: &[bool]) -> Vec<Range<BmBit>> {
        let mut runs: Vec<Range<BmBit>> = Vec::new();
        for (bit, _) in (0..).zip(set).filter(|(_, set)| **set) {
            match runs.last_mut() {
                Some(last) if last.end.get() == bit => last.end = BmBit::new(bit + 1),
                _ => runs.push(BmBit::new(bit)..BmBit::new(bit + 1)),
            }
        }
        runs
    }

    fn set_runs(given: &Given, bits: u64) -> SetRuns<'static> {
        SetRuns::new(
            Box::new(Pieces(given.clone().into_iter(), Vec::new())),
            bits,
        )
    }

    proptest! {
        #[test]
        fn runs_are_what_a_bit_by_bit_model_has(given in pieces(), bits in 0_u64..900) {
            let mut runs = set_runs(&given, bits);
            let found: Vec<_> = std::iter::from_fn(|| runs.next_run().unwrap()).collect();
            prop_assert_eq!(found, runs_of(&model(&given, bits)));
        }

        #[test]
        fn a_union_has_what_any_slot_has(slots in proptest::collection::vec(pieces(), 0..4), bits in 0_u64..900) {
            let mut expected = vec![false; 900];
            for slot in &slots {
                for (sum, bit) in expected.iter_mut().zip(model(slot, bits)) {
                    *sum |= bit;
                }
            }
            let words = |slot: &Given| -> Box<dyn SlotWords> { Box::new(Pieces(slot.clone().into_iter(), Vec::new())) };
            let mut union = SetRuns::new(Box::new(Union::of(slots.iter().map(words).collect())), bits);
            let found: Vec<_> = std::iter::from_fn(|| union.next_run().unwrap()).collect();
            prop_assert_eq!(found, runs_of(&expected));
        }
    }
}
