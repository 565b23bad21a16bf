//! Interleaving slots as they lie on disk: word by word, slot 0 first.

use super::spool::{Spool, SpoolReader};
use crate::error::Result;
use crate::format::metadata::{Run, SlotWords};

/// Words of all slots given at once, about.
const PIECE: usize = 64 << 10;
/// Rows that are all of the same word are told as a run from here on.
const WORTH_A_RUN: u64 = 1024;

/// All slots, one row of a word each after the other. It never ends by itself but where all slots did: slots that ended give zeros.
pub(super) struct Merge<'a> {
    slots: Vec<Cursor<'a>>,
    words: Vec<u32>,
}

impl<'a> Merge<'a> {
    pub(super) fn new(spools: &'a [Spool]) -> Self {
        let slots = spools.iter().map(|spool| Cursor {
            reader: spool.read(),
            left: Left::Nothing,
            ended: false,
        });
        Self {
            slots: slots.collect(),
            words: Vec::new(),
        }
    }

    /// How many rows are of one word from here on, if any number is worth telling; `None` where all slots ended.
    fn same(&mut self) -> Result<Option<(u64, u32)>> {
        let mut rows = u64::MAX;
        let mut common = None;
        let mut ended = true;
        for slot in &mut self.slots {
            let (count, word) = slot.same()?;
            ended &= slot.ended;
            if *common.get_or_insert(word) == word {
                rows = rows.min(count);
            } else {
                rows = 0;
            }
        }
        Ok((!ended).then_some((rows, common.unwrap_or(0))))
    }
}

impl SlotWords for Merge<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        let Some((rows, word)) = self.same()? else {
            return Ok(None);
        };
        let width = self.slots.len();
        if rows >= WORTH_A_RUN {
            for slot in &mut self.slots {
                slot.skip(rows);
            }
            let count = rows.saturating_mul(u64::try_from(width).unwrap_or(1));
            return Ok(Some(Run::Repeat { count, word }));
        }
        let rows = PIECE.checked_div(width).unwrap_or(0).max(1);
        self.words.clear();
        self.words.resize(rows.saturating_mul(width), 0);
        for (number, slot) in self.slots.iter_mut().enumerate() {
            let places = self.words.iter_mut().skip(number).step_by(width);
            slot.fill(places)?;
        }
        Ok(Some(Run::Words(&self.words)))
    }
}

/// How far one slot was read.
struct Cursor<'a> {
    reader: SpoolReader<&'a Spool>,
    left: Left,
    ended: bool,
}

/// What is left of the run being read.
enum Left {
    Nothing,
    Words { words: Vec<u32>, from: usize },
    Repeat { count: u64, word: u32 },
}

impl Cursor<'_> {
    /// Sees to it that something is left, unless the slot ended.
    fn refill(&mut self) -> Result<()> {
        while !self.ended && self.is_used_up() {
            // The memory is for the next run.
            let mut memory = match std::mem::replace(&mut self.left, Left::Nothing) {
                Left::Words { words, .. } => words,
                _ => Vec::new(),
            };
            match self.reader.next_run()? {
                None => self.ended = true,
                Some(Run::Repeat { count, word }) => self.left = Left::Repeat { count, word },
                Some(Run::Words(words)) => {
                    memory.clear();
                    memory.extend_from_slice(words);
                    self.left = Left::Words {
                        words: memory,
                        from: 0,
                    };
                }
            }
        }
        Ok(())
    }

    fn is_used_up(&self) -> bool {
        match &self.left {
            Left::Nothing => true,
            Left::Words { words, from } => *from >= words.len(),
            Left::Repeat { count, .. } => *count == 0,
        }
    }

    /// How many words are the same from here on, as far as the present run reaches, and which.
    fn same(&mut self) -> Result<(u64, u32)> {
        self.refill()?;
        Ok(match &self.left {
            Left::Repeat { count, word } => (*count, *word),
            Left::Nothing => (u64::MAX, 0),
            Left::Words { .. } => (0, 0),
        })
    }

    /// Goes past words that [`Self::same`] told of.
    fn skip(&mut self, words: u64) {
        if let Left::Repeat { count, .. } = &mut self.left {
            *count = count.saturating_sub(words);
        }
    }

    /// Puts the next words into their places; zeros after the last.
    fn fill<'p>(&mut self, mut places: impl Iterator<Item = &'p mut u32>) -> Result<()> {
        loop {
            self.refill()?;
            match &mut self.left {
                // They are zero already.
                Left::Nothing => return Ok(()),
                Left::Repeat { count, word } => {
                    while *count > 0 {
                        let Some(place) = places.next() else {
                            return Ok(());
                        };
                        *place = *word;
                        *count = count.saturating_sub(1);
                    }
                }
                Left::Words { words, from } => {
                    for word in words.get(*from..).unwrap_or_default() {
                        let Some(place) = places.next() else {
                            return Ok(());
                        };
                        *place = *word;
                        *from = from.saturating_add(1);
                    }
                }
            }
        }
    }
}
