//! Which parts of a target a change announces, in which phase.

use std::fmt;
use std::ops::Range;

use crate::error::EditRefusal;
use crate::units::{Bytes, ImagePos, MD_BLOCK};

/// More areas than any plan has; each is held in memory.
const MOST_REGIONS: usize = 4096;

/// When a change is written: what one phase writes is durable before the next begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Superblocks lose their magic where DRBD looks for one, and marks say that a change is under way.
    Retire,
    /// Bitmap and activity log.
    Body,
    /// New superblocks, the magic last.
    Commit,
    /// Old copies elsewhere.
    Cleanup,
    /// A file loses its end.
    Cut,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Self; 5] = [
        Self::Retire,
        Self::Body,
        Self::Commit,
        Self::Cleanup,
        Self::Cut,
    ];
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Retire => "retire",
            Self::Body => "body",
            Self::Commit => "commit",
            Self::Cleanup => "clean up",
            Self::Cut => "cut off",
        })
    }
}

/// A part of the target that a change announced, by the name that people know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Region {
    /// Which of the change's targets it is of, from 0 on.
    pub target: usize,
    /// When it is written.
    pub phase: Phase,
    /// Its name: `bitmap`, `superblock of level 1`.
    pub label: String,
    /// The bytes it covers.
    pub range: Range<ImagePos>,
    /// How many bytes are written of it: whole blocks, those that do not change left out.
    pub written: Bytes,
    /// How many bytes of those differ from what was there.
    pub differing: Bytes,
}

/// The regions of a plan, which do not overlap, but that a retired superblock may be written over.
#[derive(Debug, Default)]
pub(super) struct Outline {
    regions: Vec<Region>,
}

impl Outline {
    /// Announces one more region of a target, which is of `size`.
    pub(super) fn add(
        &mut self,
        target: usize,
        phase: Phase,
        label: &str,
        range: Range<ImagePos>,
        size: Bytes,
    ) -> Result<(), EditRefusal> {
        let at = range.start;
        let length = range.end.bytes_since(at).unwrap_or(Bytes::ZERO);
        let end = ImagePos::at(size);
        // All that lies behind is cut off, and that is something.
        let not_the_rest = phase == Phase::Cut && (range.end != end || range.is_empty());
        if range.end < at || range.end > end || not_the_rest {
            return Err(EditRefusal::Outside { at, length, end });
        }
        let whole = |bytes: Bytes| bytes.to_sectors_exact().is_some();
        let one_block = matches!(phase, Phase::Retire | Phase::Commit);
        // A file may end within a sector.
        let whole_length = whole(length) || phase >= Phase::Cleanup && range.end == end;
        if !whole(at.from_start()) || !whole_length || (one_block && length != MD_BLOCK) {
            return Err(EditRefusal::Unaligned { at, length });
        }
        if self.regions.last().is_some_and(|last| last.phase > phase) {
            return Err(EditRefusal::PhaseOver { at });
        }
        if self.regions.len() >= MOST_REGIONS {
            let limit = MOST_REGIONS;
            return Err(EditRefusal::TooMany { at, limit });
        }
        let mut of_target = self.regions.iter().filter(|one| one.target == target);
        if of_target.any(|one| clash(one, phase, &range)) {
            return Err(EditRefusal::Overlap { at });
        }
        self.regions.push(Region {
            target,
            phase,
            label: label.to_owned(),
            range,
            written: Bytes::ZERO,
            differing: Bytes::ZERO,
        });
        Ok(())
    }

    /// Whether any region of a target of another phase than [`Phase::Retire`] shares bytes with `range`.
    pub(super) fn covers(&self, target: usize, range: &Range<ImagePos>) -> bool {
        let later = self.regions.iter().filter(|one| one.phase > Phase::Retire);
        let mut of_target = later.filter(|one| one.target == target);
        of_target.any(|one| overlap(&one.range, range))
    }

    /// Counts what is written of the region announced last.
    pub(super) fn count(&mut self, before: &[u8], after: &[u8]) {
        let differing = differing(before, after);
        if let Some(region) = self.regions.last_mut() {
            let sum = |sum: Bytes, more| sum.checked_add(Bytes::of_len(more)).unwrap_or(sum);
            region.written = sum(region.written, after.len());
            region.differing = sum(region.differing, differing);
        }
    }

    /// The regions, in the order of their phases.
    pub(super) fn regions(&self) -> &[Region] {
        &self.regions
    }

    /// The regions, in the order of their phases.
    pub(super) fn into_regions(self) -> Vec<Region> {
        self.regions
    }
}

/// How many bytes of two contents of one length differ.
fn differing(before: &[u8], after: &[u8]) -> usize {
    let (before, before_rest) = before.as_chunks::<64>();
    let (after, after_rest) = after.as_chunks::<64>();
    let uneven = |(b, a): (&u8, &u8)| u8::from(b != a);
    // In chunks of a fixed length, and counted in bytes: compilers make a few instructions of that.
    let chunks = before.iter().zip(after);
    let in_chunks: usize = chunks
        .map(|(before, after)| usize::from(before.iter().zip(after).map(uneven).sum::<u8>()))
        .sum();
    let rest = before_rest.iter().zip(after_rest).map(uneven);
    in_chunks.saturating_add(rest.map(usize::from).sum())
}

/// Whether a region of `phase` at `range` cannot stand beside `one`.
fn clash(one: &Region, phase: Phase, range: &Range<ImagePos>) -> bool {
    let over_retired = one.phase == Phase::Retire && phase > Phase::Retire;
    // A new superblock takes the place of a retired one as a whole.
    let may = over_retired && (phase != Phase::Commit || one.range == *range);
    overlap(&one.range, range) && !may
}

/// Whether two ranges share bytes.
fn overlap(one: &Range<ImagePos>, other: &Range<ImagePos>) -> bool {
    one.start < other.end && other.start < one.end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_differing_byte_counts() {
        for len in [0, 1, 127, 128, 129, 4096] {
            let before = vec![7; len];
            assert_eq!(differing(&before, &before), 0);
            assert_eq!(differing(&before, &vec![8; len]), len);
            let mut one = before.clone();
            if let Some(last) = one.last_mut() {
                *last = 0;
                assert_eq!(differing(&before, &one), 1);
            }
        }
    }
}
