//! How many words of each slot a dump has: where they end early, what they do not reach counts as in sync.

use std::fmt;

use crate::cli::output::amounts::bytes_and_binary;
use crate::error::Result;
use crate::format::bitmap::bits_to_bytes;
use crate::format::metadata::{Bitmap, Header, Run, SlotWords};
use crate::units::{BitmapIndex, Bytes};

/// Bits of a word.
const WORD_BITS: u64 = 32;
/// A dump has words in pairs.
const PAIR_BITS: u64 = 64;

/// A bitmap whose words are counted as they go by.
pub(super) struct Counted<'b> {
    bitmap: &'b mut dyn Bitmap,
    /// The slots asked for, with their words.
    given: Vec<(BitmapIndex, u64)>,
}

impl<'b> Counted<'b> {
    pub(super) fn new(bitmap: &'b mut dyn Bitmap) -> Self {
        Self {
            bitmap,
            given: Vec::new(),
        }
    }

    /// The slots that end before the device does.
    pub(super) fn short(&self, header: &Header) -> Vec<Short> {
        let bits = header.geometry.bits(header.la_size).unwrap_or(0);
        let pairs = bits.div_ceil(PAIR_BITS);
        let needed = pairs.saturating_mul(PAIR_BITS / WORD_BITS);
        let given = self.given.iter();
        let short = given.filter(|(_, words)| *words < needed);
        let of = |(slot, words): &(BitmapIndex, u64)| {
            let reached = words.saturating_mul(WORD_BITS);
            Short {
                slot: *slot,
                words: *words,
                needed,
                missing: bits_to_bytes(
                    bits.saturating_sub(reached),
                    header.geometry.bytes_per_bit,
                ),
            }
        };
        short.map(of).collect()
    }
}

impl Bitmap for Counted<'_> {
    fn slot(&mut self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        let words = self.bitmap.slot(slot)?;
        self.given.push((slot, 0));
        let count = self.given.last_mut().map(|(_, count)| count);
        Ok(Box::new(CountedSlot { words, count }))
    }
}

/// One slot of [`Counted`].
struct CountedSlot<'s> {
    words: Box<dyn SlotWords + 's>,
    count: Option<&'s mut u64>,
}

impl SlotWords for CountedSlot<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        let run = self.words.next_run()?;
        if let (Some(run), Some(count)) = (&run, &mut self.count) {
            let more = match run {
                Run::Words(words) => u64::try_from(words.len()).unwrap_or(u64::MAX),
                Run::Repeat { count, .. } => *count,
            };
            **count = count.saturating_add(more);
        }
        Ok(run)
    }
}

/// A slot that ends early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short {
    slot: BitmapIndex,
    words: u64,
    needed: u64,
    missing: Bytes,
}

impl fmt::Display for Short {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "the bitmap of slot {} ends early, after {} of {} words: the last {} of the device count as in sync",
            self.slot.get(),
            self.words / 2,
            self.needed / 2,
            bytes_and_binary(self.missing)
        )
    }
}
