//! Two slots joined: how many bits are set in one or the other.

use std::collections::VecDeque;

use super::{WORD_BITS, low_bits};
use crate::error::Result;
use crate::format::metadata::{Run, SlotWords};

/// One slot, made as coarse as the others.
pub struct Stream<'a> {
    words: &'a mut dyn SlotWords,
    /// How often the number of bits is halved.
    halvings: u32,
    /// Own bits from which on none counts.
    cut: Option<u64>,
    /// Own bits taken so far.
    taken: u64,
    /// Coarse words not given yet, each so many times.
    ready: VecDeque<(u64, u32)>,
    /// The coarse word that is being made, and how many bits it has.
    making: (u32, u64),
    ended: bool,
}

impl<'a> Stream<'a> {
    /// A slot's words, of whose bits each two become one `halvings` times, and which count up to bit `cut` only.
    pub fn new(words: &'a mut dyn SlotWords, halvings: u32, cut: Option<u64>) -> Self {
        Self {
            words,
            halvings,
            cut,
            taken: 0,
            ready: VecDeque::new(),
            making: (0, 0),
            ended: false,
        }
    }

    /// The next word and how many times it comes; past the end all are 0.
    fn front(&mut self) -> Result<(u64, u32)> {
        while self.ready.is_empty() && !self.ended {
            self.fill()?;
        }
        Ok(self.ready.front().copied().unwrap_or((u64::MAX, 0)))
    }

    /// Goes past `count` words, at most as many as the first one comes.
    fn pass(&mut self, count: u64) {
        if let Some((left, _)) = self.ready.front_mut() {
            *left = left.saturating_sub(count);
            if *left == 0 {
                self.ready.pop_front();
            }
        }
    }

    fn fill(&mut self) -> Result<()> {
        let (halvings, cut) = (self.halvings, self.cut);
        let mut maker = Maker {
            halvings,
            ready: &mut self.ready,
            making: &mut self.making,
        };
        match self.words.next_run()? {
            None => {
                maker.finish();
                self.ended = true;
            }
            Some(Run::Repeat { count, word }) => {
                let whole = cut.map_or(count, |cut| {
                    count.min(cut.saturating_sub(self.taken) / WORD_BITS)
                });
                maker.add(whole, word);
                if whole < count {
                    let left = cut
                        .unwrap_or(0)
                        .saturating_sub(self.taken)
                        .saturating_sub(whole.saturating_mul(WORD_BITS));
                    maker.add(1, low_bits(word, left));
                    maker.add(count.saturating_sub(whole).saturating_sub(1), 0);
                }
                self.taken = self.taken.saturating_add(count.saturating_mul(WORD_BITS));
            }
            Some(Run::Words(words)) => {
                for word in words {
                    let left = cut.map_or(u64::MAX, |cut| cut.saturating_sub(self.taken));
                    maker.add(1, low_bits(*word, left));
                    self.taken = self.taken.saturating_add(WORD_BITS);
                }
            }
        }
        Ok(())
    }
}

/// Makes coarse words of fine ones.
struct Maker<'m> {
    halvings: u32,
    ready: &'m mut VecDeque<(u64, u32)>,
    making: &'m mut (u32, u64),
}

impl Maker<'_> {
    fn add(&mut self, mut count: u64, word: u32) {
        if self.halvings == 0 {
            self.push(count, word);
            return;
        }
        // So many fine words make one coarse one.
        let per_word = 1_u64.checked_shl(self.halvings).unwrap_or(u64::MAX);
        while count > 0 {
            if self.making.1 == 0 && count >= per_word {
                let whole = count.checked_div(per_word).unwrap_or(0);
                for _ in 0..per_word {
                    self.add_one(word);
                }
                // The same again and again.
                if let Some((times, _)) = self.ready.back_mut() {
                    *times = times.saturating_add(whole.saturating_sub(1));
                }
                count = count.saturating_sub(whole.saturating_mul(per_word));
            } else {
                self.add_one(word);
                count = count.saturating_sub(1);
            }
        }
    }

    /// One fine word: as many bits as are left of it, or a part of one.
    fn add_one(&mut self, word: u32) {
        let group = 1_u64.checked_shl(self.halvings).unwrap_or(u64::MAX);
        let mut at = 0;
        while at < WORD_BITS {
            let bits = u32::try_from(at)
                .ok()
                .and_then(|at| word.checked_shr(at))
                .unwrap_or(0);
            let any = low_bits(bits, group) != 0;
            let position = self.making.1.checked_div(group).unwrap_or(0);
            if any {
                let bit = u32::try_from(position)
                    .ok()
                    .and_then(|bit| 1_u32.checked_shl(bit));
                self.making.0 |= bit.unwrap_or(0);
            }
            let step = group.min(WORD_BITS);
            at = at.saturating_add(step);
            self.making.1 = self.making.1.saturating_add(step);
        }
        if self.making.1 >= group.saturating_mul(WORD_BITS) {
            self.finish();
        }
    }

    fn finish(&mut self) {
        if self.making.1 > 0 {
            let (word, _) = std::mem::take(self.making);
            self.push(1, word);
        }
    }

    fn push(&mut self, count: u64, word: u32) {
        match self.ready.back_mut() {
            _ if count == 0 => {}
            Some((times, last)) if *last == word => *times = times.saturating_add(count),
            _ => self.ready.push_back((count, word)),
        }
    }
}

/// Counts the bits below `bits` that are set in any of these slots.
///
/// # Errors
///
/// What reading the words met.
pub fn count_union(streams: &mut [Stream<'_>], bits: u64) -> Result<u64> {
    let mut left = bits;
    let mut set: u64 = 0;
    while left > 0 {
        let (mut count, mut joined) = (u64::MAX, 0);
        for stream in streams.iter_mut() {
            let (times, word) = stream.front()?;
            count = count.min(times);
            joined |= word;
        }
        let whole = count.min(left / WORD_BITS);
        let step = if whole > 0 {
            set = set.saturating_add(whole.saturating_mul(u64::from(joined.count_ones())));
            whole
        } else {
            set = set.saturating_add(u64::from(low_bits(joined, left).count_ones()));
            1
        };
        left = left.saturating_sub(step.saturating_mul(WORD_BITS));
        for stream in streams.iter_mut() {
            stream.pass(step);
        }
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Words as runs of random lengths.
    struct Words(Vec<u32>, usize);

    impl SlotWords for Words {
        fn next_run(&mut self) -> Result<Option<Run<'_>>> {
            let from = self.1;
            let Some(first) = self.0.get(from).copied() else {
                return Ok(None);
            };
            let same = self.0[from..]
                .iter()
                .take_while(|word| **word == first)
                .count();
            self.1 = if same > 1 {
                from + same
            } else {
                (from + 3).min(self.0.len())
            };
            Ok(Some(if same > 1 {
                Run::Repeat {
                    count: u64::try_from(same).unwrap(),
                    word: first,
                }
            } else {
                Run::Words(&self.0[from..self.1])
            }))
        }
    }

    fn bit(words: &[u32], at: u64) -> bool {
        let word = words.get(usize::try_from(at / 32).unwrap());
        word.is_some_and(|word| word >> (at % 32) & 1 == 1)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(256)))]

        #[test]
        fn the_union_is_what_bit_by_bit_comes_out(
            fine in proptest::collection::vec(prop_oneof![Just(0_u32), Just(u32::MAX), any::<u32>()], 0..200),
            coarse in proptest::collection::vec(prop_oneof![Just(0_u32), Just(u32::MAX), any::<u32>()], 0..20),
            halvings in 0_u32..9,
            cut in proptest::option::of(0_u64..7000),
            bits in 0_u64..700,
        ) {
            let group = 1_u64 << halvings;
            let fine_bit = |at: u64| cut.is_none_or(|cut| at < cut) && bit(&fine, at);
            let expected = (0..bits).filter(|at| {
                bit(&coarse, *at) || (at * group..(at + 1) * group).any(fine_bit)
            });
            let expected = u64::try_from(expected.count()).unwrap();
            let (mut fine, mut coarse) = (Words(fine.clone(), 0), Words(coarse.clone(), 0));
            let mut streams = [Stream::new(&mut fine, halvings, cut), Stream::new(&mut coarse, 0, None)];
            prop_assert_eq!(count_union(&mut streams, bits).unwrap(), expected);
        }
    }
}
