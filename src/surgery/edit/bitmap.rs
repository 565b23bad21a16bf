//! The bitmap after an edit, as a stream: old slots united by a recipe, cut or extended to the new size, regrained.
//!
//! ```text
//! old slots ──▶ Old (joined, all set, clear) ──▶ Regrain (coarser: any; finer: each sets all of its own) ──▶ Sized (bits of la-size)
//! ```

use super::Recipe;
use crate::error::Result;
use crate::format::bitmap::{Union, WORD_BITS, low_bits, slot_len};
use crate::format::metadata::{Bitmap, Header, Run, SlotWords};
use crate::units::{BitmapIndex, Bytes};

/// Bytes of a word.
const WORD: Bytes = Bytes::new(4);
/// Words that are worked on at once: a multiple of those that become one. Fewer in tests, whose slots are to have many pieces.
const PIECE: usize = if cfg!(test) { 256 } else { 16 << 10 };
/// Words that are all the same are taken as a run from here on.
const WORTH_A_RUN: u64 = 64;

/// Slots that can be read at any time, several at once.
pub trait SlotSource {
    /// The words of one slot, from the first.
    ///
    /// # Errors
    ///
    /// Reading it.
    fn open(&self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>>;
}

impl SlotSource for crate::survey::bitmap::OnDiskBitmap<'_> {
    fn open(&self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        Ok(Box::new(self.slot_words(slot)))
    }
}

/// The bitmap after an edit.
pub struct EditedBitmap<'a> {
    slots: &'a dyn SlotSource,
    before: &'a Header,
    after: &'a Header,
    recipes: &'a [Recipe],
}

impl<'a> EditedBitmap<'a> {
    /// Slots of `before` by their recipes, with the size and granularity of `after`.
    #[must_use]
    pub const fn new(
        slots: &'a dyn SlotSource,
        before: &'a Header,
        after: &'a Header,
        recipes: &'a [Recipe],
    ) -> Self {
        Self {
            slots,
            before,
            after,
            recipes,
        }
    }
}

impl EditedBitmap<'_> {
    /// How many words the slot has on disk: the area is rounded up to 4 KiB.
    fn slot_words(&self, slot: BitmapIndex) -> u64 {
        let geometry = &self.after.geometry;
        let area = geometry.bitmap_size(self.after.la_size);
        let words = area.unwrap_or(Bytes::ZERO).whole_units(WORD);
        slot_len(words, u64::from(slot.get()), u64::from(geometry.max_peers))
    }
}

/// Words, and zeros after them up to as many as there are on disk.
struct Padded<'a> {
    words: Regrained<'a>,
    left: u64,
}

impl SlotWords for Padded<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        let run = self.words.next_run()?;
        let count = match &run {
            Some(Run::Words(words)) => Bytes::of_len(words.len()).get(),
            Some(Run::Repeat { count, .. }) => *count,
            None => self.left,
        };
        self.left = self.left.saturating_sub(count);
        Ok(match run {
            None if count > 0 => Some(Run::Repeat { count, word: 0 }),
            run => run,
        })
    }
}

impl Bitmap for EditedBitmap<'_> {
    fn slot(&mut self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        let all = Recipe::all();
        let recipe = self.recipes.get(usize::from(slot.get())).unwrap_or(&all);
        let old = Old::open(self.before, recipe, self.slots)?;
        let regrained = Regrained::new(old, self.before, self.after);
        Ok(Box::new(Padded {
            words: regrained,
            left: self.slot_words(slot),
        }))
    }
}

/// Whether two recipes come to the same bits.
pub(super) fn agree(
    before: &Header,
    one: &Recipe,
    other: &Recipe,
    slots: &dyn SlotSource,
) -> Result<bool> {
    if one == other {
        return Ok(true);
    }
    let mut one = Old::open(before, one, slots)?;
    let mut other = Old::open(before, other, slots)?;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    loop {
        let (count, word) = one.same()?;
        let (other_count, other_word) = other.same()?;
        let alike = count.min(other_count);
        if alike >= WORTH_A_RUN {
            if word != other_word {
                return Ok(false);
            }
            one.skip(alike);
            other.skip(alike);
            continue;
        }
        let more = one.fill(&mut first, PIECE)?;
        other.fill(&mut second, PIECE)?;
        if first != second {
            return Ok(false);
        }
        if !more {
            return Ok(true);
        }
    }
}

/// What a slot is made of, as many words as the old size has bits for; what lies beyond its last bit is clear.
struct Old<'a> {
    union: Union<'a>,
    all_set: bool,
    /// Bits not given yet.
    bits_left: u64,
}

impl<'a> Old<'a> {
    fn open(before: &Header, recipe: &Recipe, slots: &'a dyn SlotSource) -> Result<Self> {
        // What is all set needs no look at anything.
        let of = recipe.of.iter().filter(|_| !recipe.all_set);
        let slots: Result<_> = of.map(|slot| slots.open(*slot)).collect();
        Ok(Self {
            union: Union::of(slots?),
            all_set: recipe.all_set,
            bits_left: before.geometry.bits(before.la_size).unwrap_or(0),
        })
    }

    /// How many words from here on are known to be the same one, without looking at each.
    fn same(&mut self) -> Result<(u64, u32)> {
        let left = self.bits_left / WORD_BITS;
        if self.all_set {
            return Ok((left, u32::MAX));
        }
        let (count, word) = self.union.same()?;
        Ok((count.min(left), word))
    }

    fn skip(&mut self, words: u64) {
        self.bits_left = self
            .bits_left
            .saturating_sub(words.saturating_mul(WORD_BITS));
        self.union.skip(words);
    }

    /// The next words, at most a piece; none where it is over. Returns whether there were any.
    fn fill(&mut self, words: &mut Vec<u32>, most: usize) -> Result<bool> {
        let count = self.bits_left.div_ceil(WORD_BITS);
        let count = usize::try_from(count).unwrap_or(most).min(most);
        words.clear();
        words.resize(count, if self.all_set { u32::MAX } else { 0 });
        self.union.add_to(words)?;
        for word in words.iter_mut() {
            *word = low_bits(*word, self.bits_left.min(WORD_BITS));
            self.bits_left = self.bits_left.saturating_sub(WORD_BITS);
        }
        Ok(count > 0)
    }
}

/// A slot with the new granularity and size.
struct Regrained<'a> {
    from: Old<'a>,
    /// Old bits that make one new bit, or new bits that one old bit makes; one of them is 1.
    coarser: u64,
    finer: u64,
    /// Bits that the old size has, in the new granularity: what lies beyond is new.
    known: u64,
    /// New bits, all in all, and how many were given.
    bits: u64,
    given: u64,
    old: Vec<u32>,
    words: Vec<u32>,
}

impl<'a> Regrained<'a> {
    fn new(from: Old<'a>, before: &Header, after: &Header) -> Self {
        let (old, new) = (before.geometry.bytes_per_bit, after.geometry.bytes_per_bit);
        let ratio = |more: u32, fewer: u32| u64::from(more.checked_div(fewer).unwrap_or(1).max(1));
        let bits = after.geometry.bits(after.la_size).unwrap_or(0);
        // A device that never had a size has no bits to keep, and none that are new.
        let known = if before.la_size == crate::units::Sectors::ZERO {
            0
        } else {
            after.geometry.bits(before.la_size).unwrap_or(0)
        };
        Self {
            from,
            coarser: ratio(new, old),
            finer: ratio(old, new),
            known,
            bits,
            given: 0,
            old: Vec::new(),
            words: Vec::new(),
        }
    }

    /// A long stretch of one word, which needs no look at each: nothing is regrained, or it is all clear or all set.
    fn stretch(&mut self) -> Result<Option<(u64, u32)>> {
        let (count, word) = self.from.same()?;
        let uniform = word == 0 || word == u32::MAX;
        if !self.given.is_multiple_of(WORD_BITS)
            || !(uniform || self.coarser == 1 && self.finer == 1)
        {
            return Ok(None);
        }
        let left = self.bits.min(self.known).saturating_sub(self.given) / WORD_BITS;
        // Whole old words that come to whole new words, and the other way round.
        let new = count.checked_div(self.coarser).unwrap_or(0);
        let new = new.saturating_mul(self.finer).min(left);
        let new = new.saturating_sub(new.checked_rem(self.finer).unwrap_or(0));
        if new < WORTH_A_RUN {
            return Ok(None);
        }
        let old = new
            .checked_div(self.finer)
            .unwrap_or(0)
            .saturating_mul(self.coarser);
        self.from.skip(old);
        Ok(Some((new, word)))
    }

    /// The next new words, of a piece of old ones.
    fn piece(&mut self) -> Result<()> {
        self.words.clear();
        // What is refined takes `finer` times the room.
        let finer = usize::try_from(self.finer).unwrap_or(PIECE);
        let most = PIECE.checked_div(finer).unwrap_or(PIECE).max(1);
        let more = self.from.fill(&mut self.old, most)?;
        if !more {
            return Ok(());
        }
        if self.coarser == 1 && self.finer == 1 {
            std::mem::swap(&mut self.words, &mut self.old);
            return Ok(());
        }
        if self.coarser > 1 {
            coarsen(&self.old, self.coarser, &mut self.words);
        } else {
            refine(&self.old, self.finer, &mut self.words);
        }
        Ok(())
    }

    /// Sets what is new, and clears what lies beyond the end.
    fn finish(&mut self) -> bool {
        let mut at = self.given;
        for word in &mut self.words {
            let old = self.known.saturating_sub(at).min(WORD_BITS);
            let all = self.bits.saturating_sub(at).min(WORD_BITS);
            *word = low_bits(low_bits(*word, old) | !low_bits(u32::MAX, old), all);
            at = at.saturating_add(WORD_BITS);
        }
        let left = self.bits.saturating_sub(self.given).div_ceil(WORD_BITS);
        let most = usize::try_from(left).unwrap_or(usize::MAX);
        self.words.truncate(most);
        self.given = at.min(self.bits);
        !self.words.is_empty()
    }
}

impl SlotWords for Regrained<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        if self.given >= self.bits {
            return Ok(None);
        }
        if let Some((count, word)) = self.stretch()? {
            self.given = self.given.saturating_add(count.saturating_mul(WORD_BITS));
            return Ok(Some(Run::Repeat { count, word }));
        }
        self.piece()?;
        if self.words.is_empty() {
            return Ok(self.grown());
        }
        Ok(self.finish().then_some(Run::Words(&self.words)))
    }
}

impl Regrained<'_> {
    /// What lies beyond the old size: all of it is out of sync.
    fn grown(&mut self) -> Option<Run<'_>> {
        let left = self.bits.saturating_sub(self.given);
        let whole = left / WORD_BITS;
        if whole > 0 {
            self.given = self.given.saturating_add(whole.saturating_mul(WORD_BITS));
            return Some(Run::Repeat {
                count: whole,
                word: u32::MAX,
            });
        }
        self.words.clear();
        self.words.push(low_bits(u32::MAX, left));
        self.given = self.bits;
        (left > 0).then_some(Run::Words(&self.words))
    }
}

/// One new bit for each `ratio` old ones, set where any is.
fn coarsen(old: &[u32], ratio: u64, new: &mut Vec<u32>) {
    if ratio >= WORD_BITS {
        let words = usize::try_from(ratio / WORD_BITS).unwrap_or(usize::MAX);
        let bits = old
            .chunks(words)
            .map(|chunk| chunk.iter().any(|word| *word != 0));
        collect(bits, new);
    } else {
        let bits = old.iter().flat_map(|word| {
            let parts = WORD_BITS.checked_div(ratio).unwrap_or(1);
            (0..parts).map(move |part| {
                let shifted = word.checked_shr(low32(part.saturating_mul(ratio)));
                low_bits(shifted.unwrap_or(0), ratio) != 0
            })
        });
        collect(bits, new);
    }
}

/// `ratio` new bits for each old one, all as it is.
fn refine(old: &[u32], ratio: u64, new: &mut Vec<u32>) {
    let bits = old.iter().flat_map(|word| {
        (0..u32::BITS).flat_map(move |bit| {
            let set = word & 1_u32.checked_shl(bit).unwrap_or(0) != 0;
            std::iter::repeat_n(set, usize::try_from(ratio).unwrap_or(1))
        })
    });
    collect(bits, new);
}

/// Bits into words, lowest first.
fn collect(bits: impl Iterator<Item = bool>, words: &mut Vec<u32>) {
    let mut at = u32::BITS;
    for bit in bits {
        if at == u32::BITS {
            words.push(0);
            at = 0;
        }
        if let Some(word) = words.last_mut()
            && bit
        {
            *word |= 1_u32.checked_shl(at).unwrap_or(0);
        }
        at = at.saturating_add(1);
    }
}

/// A shift.
fn low32(value: u64) -> u32 {
    u32::try_from(value).unwrap_or(u32::BITS)
}
