//! Slots joined, word by word: what is set in any of them. Whoever joins slots does it here.

use std::collections::VecDeque;

use super::{WORD_BITS, low_bits};
use crate::error::Result;
use crate::format::metadata::{Run, SlotWords};
use crate::units::at_most;

/// Words that are joined at once.
const PIECE: usize = 16 << 10;
/// Words that are all the same are told as a run from here on.
const WORTH_A_RUN: u64 = 64;

/// What is set in any of several slots, as one slot. It ends where the longest of them does.
pub struct Union<'a> {
    readers: Vec<Reader<'a>>,
    words: Vec<u32>,
}

impl<'a> Union<'a> {
    /// These slots joined; of none it is empty.
    #[must_use]
    pub fn of(slots: Vec<Box<dyn SlotWords + 'a>>) -> Self {
        let reader = |words| Reader {
            words,
            left: Vec::new(),
            from: 0,
            repeat: (0, 0),
            ended: false,
        };
        Self {
            readers: slots.into_iter().map(reader).collect(),
            words: Vec::new(),
        }
    }

    /// How many words from here on are known to be the same one, without looking at each, and which; past the end all are 0.
    pub(crate) fn same(&mut self) -> Result<(u64, u32)> {
        let (mut count, mut word) = (u64::MAX, 0);
        for reader in &mut self.readers {
            let (same, of) = reader.same()?;
            count = count.min(same);
            word |= of;
        }
        Ok((count, word))
    }

    /// Goes past words that [`Self::same`] told of.
    pub(crate) fn skip(&mut self, words: u64) {
        for reader in &mut self.readers {
            reader.skip(words);
        }
    }

    /// Adds the bits of the next words to these.
    pub(crate) fn add_to(&mut self, words: &mut [u32]) -> Result<()> {
        for reader in &mut self.readers {
            reader.add_to(words)?;
        }
        Ok(())
    }

    /// How many words can be had before any slot has to be read on; `None` where all ended.
    fn at_hand(&self) -> Option<usize> {
        let readers = self.readers.iter().filter(|reader| !reader.ended);
        readers.map(Reader::at_hand).min()
    }
}

impl SlotWords for Union<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        let (count, word) = self.same()?;
        let Some(at_hand) = self.at_hand() else {
            return Ok(None);
        };
        if count >= WORTH_A_RUN {
            self.skip(count);
            return Ok(Some(Run::Repeat { count, word }));
        }
        let mut words = std::mem::take(&mut self.words);
        words.clear();
        words.resize(at_hand.min(PIECE), 0);
        self.add_to(&mut words)?;
        self.words = words;
        Ok(Some(Run::Words(&self.words)))
    }
}

/// One slot, taken as many words at a time as one likes.
struct Reader<'a> {
    words: Box<dyn SlotWords + 'a>,
    left: Vec<u32>,
    from: usize,
    repeat: (u64, u32),
    ended: bool,
}

impl Reader<'_> {
    /// Sees to it that something is at hand, unless the slot ended.
    fn refill(&mut self) -> Result<()> {
        while !self.ended && self.at_hand() == 0 {
            match self.words.next_run()? {
                None => self.ended = true,
                Some(Run::Repeat { count, word }) => self.repeat = (count, word),
                Some(Run::Words(words)) => {
                    self.left.clear();
                    self.left.extend_from_slice(words);
                    self.from = 0;
                }
            }
        }
        Ok(())
    }

    fn at_hand(&self) -> usize {
        if self.repeat.0 > 0 {
            return usize::try_from(self.repeat.0).unwrap_or(usize::MAX);
        }
        self.left.len().saturating_sub(self.from)
    }

    fn same(&mut self) -> Result<(u64, u32)> {
        self.refill()?;
        Ok(if self.ended {
            (u64::MAX, 0)
        } else if self.repeat.0 > 0 {
            self.repeat
        } else {
            (0, 0)
        })
    }

    fn skip(&mut self, words: u64) {
        self.repeat.0 = self.repeat.0.saturating_sub(words);
    }

    fn add_to(&mut self, into: &mut [u32]) -> Result<()> {
        let mut into = into.iter_mut();
        while into.len() > 0 {
            self.refill()?;
            if self.ended {
                return Ok(());
            }
            if self.repeat.0 > 0 {
                let (count, word) = self.repeat;
                let now = at_most(count, into.len());
                into.by_ref().take(now).for_each(|place| *place |= word);
                let taken = u64::try_from(now).unwrap_or(u64::MAX);
                self.repeat.0 = count.saturating_sub(taken);
                continue;
            }
            let words = self.left.get(self.from..).unwrap_or_default();
            let now = words.len().min(into.len());
            for (place, word) in into.by_ref().take(now).zip(words) {
                *place |= *word;
            }
            self.from = self.from.saturating_add(now);
        }
        Ok(())
    }
}

/// One slot, made as coarse as another.
pub struct Coarse<'a> {
    words: Box<dyn SlotWords + 'a>,
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

impl<'a> Coarse<'a> {
    /// A slot's words, of whose bits each two become one `halvings` times, and which count up to bit `cut` only.
    #[must_use]
    pub fn new(words: Box<dyn SlotWords + 'a>, halvings: u32, cut: Option<u64>) -> Self {
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

impl SlotWords for Coarse<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        if self.halvings == 0 && self.cut.is_none() {
            return self.words.next_run();
        }
        while self.ready.is_empty() && !self.ended {
            self.fill()?;
        }
        let next = self.ready.pop_front();
        Ok(next.map(|(count, word)| Run::Repeat { count, word }))
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::bitmap::count_set;

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
            let (fine, coarse) = (Words(fine.clone(), 0), Words(coarse.clone(), 0));
            let fine = Coarse::new(Box::new(fine), halvings, cut);
            let mut union = Union::of(vec![Box::new(fine), Box::new(coarse)]);
            prop_assert_eq!(count_set(&mut union, bits).unwrap(), expected);
        }
    }
}
