//! One slot put aside: dumps give slot after slot, and disks want a word of each in turn.
//!
//! Runs are kept as they come: a header of eight bytes (how many words, and whether they are all the same one), then the words. So a slot
//! that is all clear or all set takes next to nothing, however large the device is.

use std::borrow::Borrow;

use crate::error::Result;
use crate::format::metadata::{Run, SlotWords};
use crate::image::Scratch;
use crate::units::{Bytes, ImagePos};

/// The most words in one run: what a reader holds of a slot, of which there may be 31 at once.
const LONGEST: usize = 8 << 10;
/// Bytes of a word.
const WORD_LEN: usize = 4;

/// One slot's words.
pub(in crate::surgery) struct Spool {
    scratch: Scratch,
}

impl Spool {
    /// Takes at most `words` words.
    pub(in crate::surgery) fn of(slot: &mut dyn SlotWords, words: u64) -> Result<Self> {
        let mut scratch = Scratch::default();
        let mut bytes = Vec::new();
        let mut left = words;
        while left > 0 {
            match slot.next_run()? {
                None => break,
                Some(Run::Words(words)) => {
                    let most = usize::try_from(left).unwrap_or(words.len());
                    let words = words.get(..most).unwrap_or(words);
                    for piece in words.chunks(LONGEST) {
                        let count = Bytes::of_len(piece.len()).get();
                        bytes.clear();
                        bytes.extend(header(count, false));
                        bytes.extend(piece.iter().flat_map(|word| word.to_le_bytes()));
                        scratch.append(&bytes)?;
                        left = left.saturating_sub(count);
                    }
                }
                Some(Run::Repeat { count, word }) => {
                    let count = count.min(left);
                    scratch.append(&header(count, true))?;
                    scratch.append(&word.to_le_bytes())?;
                    left = left.saturating_sub(count);
                }
            }
        }
        Ok(Self { scratch })
    }

    /// The words, from the first.
    pub(in crate::surgery) const fn read(&self) -> SpoolReader<&Self> {
        SpoolReader {
            spool: self,
            at: ImagePos::START,
            words: Vec::new(),
        }
    }

    /// The same, for who reads them more than once.
    pub(in crate::surgery) const fn into_reader(self) -> SpoolReader<Self> {
        SpoolReader {
            spool: self,
            at: ImagePos::START,
            words: Vec::new(),
        }
    }
}

/// A run's first eight bytes.
fn header(count: u64, repeated: bool) -> [u8; 8] {
    (count << 1 | u64::from(repeated)).to_le_bytes()
}

/// Reads a slot that was put aside.
pub(in crate::surgery) struct SpoolReader<S> {
    spool: S,
    at: ImagePos,
    words: Vec<u32>,
}

impl<S: Borrow<Spool>> SpoolReader<S> {
    /// Begins again.
    pub(in crate::surgery) const fn rewind(&mut self) {
        self.at = ImagePos::START;
    }

    fn take(&mut self, buf: &mut [u8]) -> Result<()> {
        self.spool.borrow().scratch.read_exact_at(self.at, buf)?;
        let end = self.at.checked_add(Bytes::of_len(buf.len()));
        self.at = end.unwrap_or(self.at);
        Ok(())
    }
}

impl<S: Borrow<Spool>> SlotWords for SpoolReader<S> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        if self.at.from_start() >= self.spool.borrow().scratch.len() {
            return Ok(None);
        }
        let mut head = [0; 8];
        self.take(&mut head)?;
        let head = u64::from_le_bytes(head);
        let count = head >> 1;
        if head & 1 == 1 {
            let mut word = [0; WORD_LEN];
            self.take(&mut word)?;
            let word = u32::from_le_bytes(word);
            return Ok(Some(Run::Repeat { count, word }));
        }
        // At most LONGEST, as they were put there.
        let count = usize::try_from(count).unwrap_or(LONGEST).min(LONGEST);
        let mut bytes = vec![0; count.saturating_mul(WORD_LEN)];
        self.take(&mut bytes)?;
        let (words, _) = bytes.as_chunks::<WORD_LEN>();
        self.words.clear();
        self.words
            .extend(words.iter().map(|word| u32::from_le_bytes(*word)));
        Ok(Some(Run::Words(&self.words)))
    }
}
