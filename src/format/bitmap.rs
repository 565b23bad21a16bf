//! The bitmap on disk: 32-bit little-endian words, the slots of v09 interleaved word by word.
//!
//! ```text
//! slot     0    1    2    0    1    2    0 …      max_peers = 3
//! word     0    0    0    1    1    1    2 …      of that slot
//! on disk  0    1    2    3    4    5    6 …      word = slot + max_peers × word of the slot
//! ```
//!
//! v07 and v08 have one slot. Nothing here writes.

mod runs;
mod union;

pub use runs::SetRuns;

use crate::error::Result;
use crate::format::metadata::{Run, SlotWords};
use crate::units::{Bytes, Sectors};

pub use union::{Coarse, Union};

/// Bits in a word.
pub const WORD_BITS: u64 = 32;

/// How many words of a slot lie among the first `on_disk` words of the bitmap area.
#[must_use]
pub fn slot_len(on_disk: u64, slot: u64, max_peers: u64) -> u64 {
    on_disk
        .saturating_sub(slot)
        .checked_next_multiple_of(max_peers)
        .and_then(|n| n.checked_div(max_peers))
        .unwrap_or(0)
}

/// Counts a slot's set bits below `bits`; what lies beyond stands for nothing and may be garbage.
///
/// # Errors
///
/// Errors of reading the words.
pub fn count_set(words: &mut dyn SlotWords, bits: u64) -> Result<u64> {
    let mut left = bits;
    let mut set: u64 = 0;
    while let Some(run) = words.next_run()? {
        let (found, covered) = match run {
            Run::Words(words) => count_words(words, left),
            Run::Repeat { count, word } => count_repeated(word, count, left),
        };
        set = set.saturating_add(found);
        left = left.saturating_sub(covered);
        if left == 0 {
            break;
        }
    }
    Ok(set)
}

/// Set bits among the first `left`, and how many bits the words have.
fn count_words(words: &[u32], left: u64) -> (u64, u64) {
    let mut remaining = left;
    let mut set: u64 = 0;
    for word in words {
        set = set.saturating_add(u64::from(low_bits(*word, remaining).count_ones()));
        remaining = remaining.saturating_sub(WORD_BITS);
        if remaining == 0 {
            break;
        }
    }
    (set, left.saturating_sub(remaining))
}

/// The same for one word `count` times.
fn count_repeated(word: u32, count: u64, left: u64) -> (u64, u64) {
    let whole = count.min(left / WORD_BITS);
    let partial = if whole < count {
        low_bits(word, left % WORD_BITS).count_ones()
    } else {
        0
    };
    let set = whole
        .saturating_mul(u64::from(word.count_ones()))
        .saturating_add(u64::from(partial));
    (set, count.saturating_mul(WORD_BITS).min(left))
}

/// A word's lowest `bits` bits.
pub(crate) fn low_bits(word: u32, bits: u64) -> u32 {
    match u32::try_from(bits)
        .ok()
        .and_then(|bits| u32::MAX.checked_shl(bits))
    {
        Some(above) => word & !above,
        None => word,
    }
}

/// What `bits` bits stand for.
#[must_use]
pub fn bits_to_bytes(bits: u64, bytes_per_bit: u32) -> Bytes {
    Bytes::new(bits.saturating_mul(u64::from(bytes_per_bit)))
}

/// What `bits` set bits stand for, at most the device itself.
#[must_use]
pub fn out_of_sync(bits: u64, bytes_per_bit: u32, device: Sectors) -> Sectors {
    bits_to_bytes(bits, bytes_per_bit)
        .to_sectors_floor()
        .min(device)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs given beforehand.
    struct Given(std::vec::IntoIter<Run<'static>>);

    impl SlotWords for Given {
        fn next_run(&mut self) -> Result<Option<Run<'_>>> {
            Ok(self.0.next())
        }
    }

    fn counted(runs: Vec<Run<'static>>, bits: u64) -> u64 {
        count_set(&mut Given(runs.into_iter()), bits).unwrap()
    }

    #[test]
    fn bits_beyond_the_end_do_not_count() {
        let words = || vec![Run::Words(&[u32::MAX, u32::MAX])];
        assert_eq!(counted(words(), 64), 64);
        assert_eq!(counted(words(), 33), 33);
        assert_eq!(counted(words(), 0), 0);
        let runs = || {
            vec![
                Run::Repeat {
                    count: 3,
                    word: u32::MAX,
                },
                Run::Words(&[1]),
            ]
        };
        assert_eq!(counted(runs(), 1000), 97);
        assert_eq!(counted(runs(), 96), 96);
        assert_eq!(counted(runs(), 95), 95);
        assert_eq!(counted(runs(), 5), 5);
    }

    #[test]
    fn slots_share_the_words_on_disk() {
        assert_eq!(
            [0, 1, 2].map(|slot| slot_len(1024, slot, 3)),
            [342, 341, 341]
        );
        assert_eq!(slot_len(1024, 0, 1), 1024);
        assert_eq!(
            (slot_len(0, 0, 3), slot_len(2, 2, 3), slot_len(2, 1, 3)),
            (0, 0, 1)
        );
    }
}
