//! The body of one slot's bitmap, to the byte.
//!
//! Words are taken in groups of eight. Two or more consecutive groups of one repeated word become a line `COUNT times VALUE`, any other
//! group a line of four values. Two things are drbdmeta's history rather than sense, and kept: a last word without a partner is counted
//! and not printed; and of a run across the end of one of drbdmeta's 32 MiB reads, only what is two groups or more within a read is counted.

use std::io::{self, Write};

use super::hex::{print_full_line, print_sixteen};
use super::print::cannot_write;
use crate::error::Result;
use crate::format::metadata::{Run, SlotWords};

/// Words in a group: one line of four 64-bit values.
const GROUP: usize = 8;
/// The same, where words are counted in 64 bits.
const GROUP_WORDS: u64 = 8;
/// drbdmeta's buffer, in words of all slots.
const CHUNK_WORDS: u64 = (32 << 20) / 4;
/// Words of one slot in 4 KiB of each slot: drbdmeta's buffer holds a whole number of these.
const PAGE_WORDS: u64 = 1024;
/// An `# at` comment stands wherever this many on-disk words have gone by.
const COMMENT_WORDS: u64 = 64;
/// KiB of the device that an on-disk word stands for, in those comments.
const COMMENT_KIB: u64 = 128;
/// Words whose bits are counted at once.
const COUNTED: usize = 1024;
/// Text gathered before it is written.
const TEXT_LEN: usize = 64 << 10;

/// Equal groups not yet printed.
struct Pending {
    word: u32,
    /// The first group's first word.
    start: u64,
    /// Groups to be counted, from reads that are over.
    settled: u64,
    /// Groups in the present read.
    current: u64,
}

/// Prints one slot.
pub(super) struct BodyPrinter<'a> {
    out: &'a mut dyn Write,
    max_peers: u64,
    /// Words of this slot in one of drbdmeta's reads.
    chunk: u64,
    /// Words taken in whole groups.
    taken: u64,
    pending: Option<Pending>,
    /// Words that do not fill a group yet.
    rest: Vec<u32>,
    text: Vec<u8>,
    set: u64,
}

impl<'a> BodyPrinter<'a> {
    /// A printer that goes on after the opening brace.
    pub(super) fn new(out: &'a mut dyn Write, max_peers: u64) -> Self {
        let pages = CHUNK_WORDS
            .checked_div(PAGE_WORDS.saturating_mul(max_peers))
            .unwrap_or(1);
        Self {
            out,
            max_peers,
            chunk: pages.saturating_mul(PAGE_WORDS),
            taken: 0,
            pending: None,
            rest: Vec::with_capacity(GROUP),
            text: Vec::with_capacity(TEXT_LEN),
            set: 0,
        }
    }

    /// Prints all words of a slot.
    pub(super) fn print(&mut self, words: &mut dyn SlotWords) -> Result<()> {
        while let Some(run) = words.next_run()? {
            self.count(&run);
            match run {
                Run::Words(words) => self.words(words),
                Run::Repeat { count, word } => self.repeat(count, word),
            }
            .map_err(cannot_write)?;
        }
        Ok(())
    }

    /// Prints what is left and the closing brace; returns how many bits were set.
    pub(super) fn finish(mut self) -> io::Result<u64> {
        self.flush_pending()?;
        let rest = std::mem::take(&mut self.rest);
        if !rest.is_empty() {
            self.make_room(self.taken)?;
            self.text.extend_from_slice(b"\n   ");
            // A last word without a partner is counted, and left out.
            for pair in rest.as_chunks::<2>().0 {
                self.text.extend_from_slice(b" 0x");
                self.text.extend_from_slice(&print_sixteen(*pair));
                self.text.push(b';');
            }
        }
        self.text.extend_from_slice(b"\n}\n");
        self.out.write_all(&self.text)?;
        Ok(self.set)
    }

    fn words(&mut self, words: &[u32]) -> io::Result<()> {
        let mut words = words;
        if !self.rest.is_empty() {
            let (head, tail) =
                words.split_at(words.len().min(GROUP.saturating_sub(self.rest.len())));
            self.rest.extend_from_slice(head);
            words = tail;
            self.take_full_rest()?;
        }
        let (groups, tail) = words.as_chunks::<GROUP>();
        for group in groups {
            self.group(group)?;
        }
        self.rest.extend_from_slice(tail);
        Ok(())
    }

    fn repeat(&mut self, count: u64, word: u32) -> io::Result<()> {
        let mut left = count;
        while left > 0 && !self.rest.is_empty() {
            self.rest.push(word);
            left = left.saturating_sub(1);
            self.take_full_rest()?;
        }
        self.equal_groups(left / GROUP_WORDS, word)?;
        for _ in 0..left % GROUP_WORDS {
            self.rest.push(word);
        }
        Ok(())
    }

    /// Takes the gathered words once they fill a group.
    fn take_full_rest(&mut self) -> io::Result<()> {
        if let Some(group) = self.rest.first_chunk::<GROUP>().copied() {
            self.rest.clear();
            self.group(&group)?;
        }
        Ok(())
    }

    fn group(&mut self, group: &[u32; GROUP]) -> io::Result<()> {
        let [first, others @ ..] = group;
        if others.iter().all(|word| word == first) {
            return self.equal_groups(1, *first);
        }
        self.flush_pending()?;
        self.literal(self.taken, group)?;
        self.taken = self.taken.saturating_add(GROUP_WORDS);
        Ok(())
    }

    /// Takes `groups` groups of one word.
    fn equal_groups(&mut self, groups: u64, word: u32) -> io::Result<()> {
        let mut left = groups;
        while left > 0 {
            if self
                .pending
                .as_ref()
                .is_some_and(|pending| pending.word != word)
            {
                self.flush_pending()?;
            }
            let into = self.taken.checked_rem(self.chunk).unwrap_or(0);
            let step = left.min(self.chunk.saturating_sub(into) / GROUP_WORDS);
            let start = self.taken;
            let pending = self.pending.get_or_insert(Pending {
                word,
                start,
                settled: 0,
                current: 0,
            });
            pending.current = pending.current.saturating_add(step);
            self.taken = start.saturating_add(step.saturating_mul(GROUP_WORDS));
            left = left.saturating_sub(step);
            if self.taken.is_multiple_of(self.chunk) {
                self.settle()?;
            }
        }
        Ok(())
    }

    /// At the end of a read: what is pending goes on into the next one, but for a group that stands alone.
    fn settle(&mut self) -> io::Result<()> {
        match &mut self.pending {
            Some(pending) if pending.current != 1 => {
                pending.settled = pending
                    .settled
                    .saturating_add(std::mem::take(&mut pending.current));
                Ok(())
            }
            _ => self.flush_pending(),
        }
    }

    fn flush_pending(&mut self) -> io::Result<()> {
        let Some(Pending {
            word,
            start,
            settled,
            current,
        }) = self.pending.take()
        else {
            return Ok(());
        };
        let (counted, alone) = if current == 1 {
            (settled, 1)
        } else {
            (settled.saturating_add(current), 0)
        };
        let words = counted.saturating_mul(GROUP_WORDS);
        if words > 0 {
            self.make_room(start)?;
            let values = words / 2;
            write!(self.text, "\n    {values} times 0x{word:08X}{word:08X};")?;
        }
        if alone > 0 {
            self.literal(start.saturating_add(words), &[word; GROUP])?;
        }
        Ok(())
    }

    #[inline]
    fn literal(&mut self, start: u64, group: &[u32; GROUP]) -> io::Result<()> {
        self.make_room(start)?;
        self.text.extend_from_slice(&print_full_line(group));
        Ok(())
    }

    /// Makes room for a line that begins at word `k` of the slot, with a comment before it where drbdmeta has one.
    #[inline]
    fn make_room(&mut self, k: u64) -> io::Result<()> {
        if self.text.len() >= TEXT_LEN.saturating_sub(256) {
            self.out.write_all(&self.text)?;
            self.text.clear();
        }
        let distance = k.saturating_mul(self.max_peers);
        if distance.is_multiple_of(COMMENT_WORDS) {
            self.text.extend_from_slice(b"\n   # at ");
            self.decimal(distance.saturating_mul(COMMENT_KIB));
            self.text.extend_from_slice(b"kB");
        }
        Ok(())
    }

    /// What `write!` would print, without its cost: there is one for every eight lines.
    fn decimal(&mut self, number: u64) {
        let start = self.text.len();
        let mut left = number;
        loop {
            let digit = u8::try_from(left % 10).unwrap_or_default();
            self.text.push(digit.saturating_add(b'0'));
            left /= 10;
            if left == 0 {
                break;
            }
        }
        if let Some(digits) = self.text.get_mut(start..) {
            digits.reverse();
        }
    }

    /// Counts the bits of all words, also of a last one without a partner, as drbdmeta does.
    fn count(&mut self, run: &Run<'_>) {
        let sum = |words: &[u32]| words.iter().map(|word| word.count_ones()).sum::<u32>();
        let set = match run {
            // As many at once as have their count in 32 bits: the compiler makes vector code of that.
            Run::Words(words) => words
                .chunks(COUNTED)
                .map(|words| u64::from(sum(words)))
                .fold(0, u64::saturating_add),
            Run::Repeat { count, word } => u64::from(word.count_ones()).saturating_mul(*count),
        };
        self.set = self.set.saturating_add(set);
    }
}
