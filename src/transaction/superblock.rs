//! What makes DRBD take a block for a superblock, and how to take that away and give it back last.
//!
//! No superblock has a checksum: a block with the magic is taken at its word. All magics lie in a block's first sector, and a sector is
//! written as a whole or not at all.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use crate::error::EditRefusal;
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{
    MAGIC_84_UNCLEAN, MAGIC_OFFSET, MAGIC_OFFSET_V07, MAGIC_V07, MAGIC_V08, MAGIC_V09, Mark, marked,
};
use crate::units::{Bytes, ImagePos, MD_BLOCK, SECTOR_SIZE};

/// The block that a superblock is.
pub type Block = [u8; SUPERBLOCK_LEN];

/// Where in a block which magics lie.
const MAGICS: [(usize, &[u32]); 2] = [
    (MAGIC_OFFSET_V07, &[MAGIC_V07]),
    (MAGIC_OFFSET, &[MAGIC_V08, MAGIC_84_UNCLEAN, MAGIC_V09]),
];
/// Sectors in a block.
const BLOCK_SECTORS: usize = 8;
/// Retired superblocks are held in memory; no plan has nearly as many.
const MOST_RETIRED: usize = 1024;

/// Whether DRBD would take `block` for a superblock: it carries a magic of v07, v08 or v09.
#[must_use]
pub fn is_attachable(block: &Block) -> bool {
    unattachable(block) != *block
}

/// `block` with zeros for what makes it a superblock: the magic words at bytes 28 and 60, where they are such; nothing else changes.
///
/// This is what others leave who erase a superblock, and what undo files of version 1 say of those that were retired.
#[must_use]
pub fn unattachable(block: &Block) -> Block {
    let mut retired = *block;
    for (offset, magics) in MAGICS {
        let word = retired
            .get_mut(offset..)
            .and_then(|rest| rest.first_chunk_mut::<4>());
        if let Some(word) = word
            && magics.contains(&u32::from_be_bytes(*word))
        {
            *word = [0; 4];
        }
    }
    retired
}

/// `block` as it is while a change is under way: a superblock has a mark for its magic, and anything else is as it was.
pub(super) fn under_way(block: &Block) -> Block {
    marked(block, Mark::UnderWay).unwrap_or(*block)
}

/// `block` as it is when a change is done that took it out of use.
pub(super) fn retired(block: &Block) -> Block {
    marked(block, Mark::Retired).unwrap_or(*block)
}

/// A superblock that is retired before anything else changes.
#[derive(Debug)]
pub(super) struct RetiredBlock {
    /// What was there.
    pub(super) before: Block,
    /// The same while the change is under way.
    pub(super) under_way: Block,
    /// The same without its magic: under way, where the undo file is of version 1.
    blank: Block,
    /// What will be there when all is done.
    pub(super) last: Block,
    /// The sectors that something later is written to.
    covered: [bool; BLOCK_SECTORS],
}

impl RetiredBlock {
    /// Whether something later is written to the sector of this number.
    pub(super) fn is_covered(&self, sector: usize) -> bool {
        self.covered.get(sector).is_some_and(|covered| *covered)
    }
}

/// The superblocks that are retired before anything else changes: what later changes find in their places.
#[derive(Debug, Default)]
pub(super) struct Retired(BTreeMap<(usize, ImagePos), RetiredBlock>);

impl Retired {
    /// Adds the block at `at` of a target, which holds `before`, and in the end `last` where nothing later is written to it.
    pub(super) fn add(
        &mut self,
        target: usize,
        at: ImagePos,
        before: &Block,
        last: &Block,
    ) -> Result<(), EditRefusal> {
        if self.0.len() >= MOST_RETIRED {
            return Err(EditRefusal::TooMany {
                at,
                limit: MOST_RETIRED,
            });
        }
        let block = RetiredBlock {
            before: *before,
            under_way: under_way(before),
            blank: unattachable(before),
            last: *last,
            covered: [false; BLOCK_SECTORS],
        };
        self.0.insert((target, at), block);
        Ok(())
    }

    /// Every one: its target, its position, and itself.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, ImagePos, &RetiredBlock)> {
        let of = |(place, block)| {
            let (target, at): &(usize, ImagePos) = place;
            (*target, *at, block)
        };
        self.0.iter().map(of)
    }

    /// The one of a target that begins at `at`.
    pub(super) fn at(&self, target: usize, at: ImagePos) -> Option<&RetiredBlock> {
        self.0.get(&(target, at))
    }

    /// Where those of a target begin that share bytes with `range`, by position.
    pub(super) fn within(&self, target: usize, range: &Range<ImagePos>) -> Vec<ImagePos> {
        let len = range.end.bytes_since(range.start).and_then(Bytes::to_usize);
        let around = around(target, range.start, len.unwrap_or(usize::MAX));
        let begin = self.0.range(around).map(|((_, at), _)| *at);
        let shares = |at: &ImagePos| {
            let end = at.checked_add(MD_BLOCK);
            end.is_none_or(|end| end > range.start)
        };
        begin.filter(shares).collect()
    }

    /// What is at `at` once the superblocks are retired, where `bytes` were before everything.
    pub(super) fn overlay<'b>(
        &self,
        target: usize,
        at: ImagePos,
        bytes: &'b [u8],
    ) -> Cow<'b, [u8]> {
        self.lay_over(target, at, bytes, |block| &block.under_way)
    }

    /// The same where they are retired as version 1 of the undo file has it.
    pub(super) fn overlay_blank<'b>(
        &self,
        target: usize,
        at: ImagePos,
        bytes: &'b [u8],
    ) -> Cow<'b, [u8]> {
        self.lay_over(target, at, bytes, |block| &block.blank)
    }

    /// Whether `bytes`, said to have been at `at` before everything, are what these superblocks were.
    pub(super) fn agree(&self, target: usize, at: ImagePos, bytes: &[u8]) -> bool {
        *self.lay_over(target, at, bytes, |block| &block.before) == *bytes
    }

    /// `bytes` at `at`, but for what these superblocks cover, which is as `content` says.
    fn lay_over<'b>(
        &self,
        target: usize,
        at: ImagePos,
        bytes: &'b [u8],
        content: impl Fn(&RetiredBlock) -> &Block,
    ) -> Cow<'b, [u8]> {
        let mut laid = Cow::Borrowed(bytes);
        for ((_, start), block) in self.0.range(around(target, at, bytes.len())) {
            copy_overlap(at, laid.to_mut(), *start, content(block));
        }
        laid
    }

    /// Notes that `bytes` will be at `at` in the end.
    pub(super) fn cover(&mut self, target: usize, at: ImagePos, bytes: &[u8]) {
        for ((_, start), block) in self.0.range_mut(around(target, at, bytes.len())) {
            copy_overlap(*start, &mut block.last, at, bytes);
            let mut sector = *start;
            for covered in &mut block.covered {
                let inside = sector.bytes_since(at).and_then(Bytes::to_usize);
                *covered |= inside.is_some_and(|inside| inside < bytes.len());
                sector = sector.checked_add(SECTOR_SIZE).unwrap_or(sector);
            }
        }
    }

    /// Whether every one will hold in the end what it held before.
    pub(super) fn all_restored(&self) -> bool {
        self.0.values().all(|block| block.last == block.before)
    }
}

/// The positions of a target at which a block may begin that shares bytes with `len` bytes at `at`.
fn around(target: usize, at: ImagePos, len: usize) -> Range<(usize, ImagePos)> {
    let reach = at.from_start().saturating_sub(MD_BLOCK);
    let end = at.checked_add(Bytes::of_len(len)).unwrap_or(at);
    (target, ImagePos::at(reach))..(target, end)
}

/// Copies what `source` at `source_at` has of the bytes that `target` at `target_at` covers.
fn copy_overlap(target_at: ImagePos, target: &mut [u8], source_at: ImagePos, source: &[u8]) {
    let distance = |from: ImagePos, to: ImagePos| {
        to.bytes_since(from)
            .unwrap_or(Bytes::ZERO)
            .to_usize()
            .unwrap_or(usize::MAX)
    };
    let into = target.get_mut(distance(target_at, source_at)..);
    let from = source.get(distance(source_at, target_at)..);
    if let (Some(into), Some(from)) = (into, from) {
        for (to, byte) in into.iter_mut().zip(from) {
            *to = *byte;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::superblock::format_of;

    proptest! {
        #[test]
        fn a_retired_superblock_lost_its_magic_words_and_nothing_else(
            seed in any::<u8>(),
            words in prop::array::uniform2(prop_oneof![0x8374_0269_u32..=0x8374_026E, any::<u32>()]),
        ) {
            let mut block = [seed; SUPERBLOCK_LEN];
            block[28..32].copy_from_slice(&words[0].to_be_bytes());
            block[60..64].copy_from_slice(&words[1].to_be_bytes());
            let retired = unattachable(&block);
            prop_assert_eq!(format_of(&retired), None);
            prop_assert_eq!(is_attachable(&block), format_of(&block).is_some());
            for (at, (old, new)) in block.iter().zip(retired).enumerate() {
                let magic = (28..32).contains(&at) || (60..64).contains(&at);
                prop_assert!(*old == new || magic && new == 0);
            }
            if format_of(&block).is_none() {
                prop_assert_eq!(block, retired);
            }
        }

        #[test]
        fn an_overlay_puts_the_retired_bytes_where_they_lie(
            at in 0_u64..20_000,
            len in 0_usize..20_000,
        ) {
            let mut block = [7; SUPERBLOCK_LEN];
            block[60..64].copy_from_slice(&MAGIC_V09.to_be_bytes());
            let mut retired = Retired::default();
            retired.add(3, ImagePos::new(8192), &block, &block).unwrap();
            let mut model = vec![1; 50_000];
            model[8192..12288].copy_from_slice(&under_way(&block));
            let bytes = vec![1; len];
            let bytes = retired.overlay(3, ImagePos::new(at), &bytes);
            let at = usize::try_from(at).unwrap();
            prop_assert_eq!(&*bytes, &model[at..at + len]);
        }
    }
}
