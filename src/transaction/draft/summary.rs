//! What a draft comes to.

use super::super::outline::{Phase, Region};
use crate::units::{Bytes, ImagePos};

/// One stretch that changes, with what was there before everything and what will be there.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Change<'a> {
    /// Which of the change's targets it is of, from 0 on.
    pub target: usize,
    /// When it is written.
    pub phase: Phase,
    /// The name of the region it lies in.
    pub label: &'a str,
    /// Where it begins.
    pub at: ImagePos,
    /// What was there before anything changed.
    pub before: &'a [u8],
    /// What its phase puts there.
    pub after: &'a [u8],
}

/// What a draft comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// Every part that the draft announced, in the order in which it is written.
    pub regions: Vec<Region>,
    /// How long the undo file is, or would be.
    pub undo_file: Bytes,
    pub(super) nothing: bool,
}

impl Summary {
    /// Whether the target holds already all that is drafted: nothing is to be written.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.nothing
    }

    /// Where the first target is cut off, where that is part of the change.
    #[must_use]
    pub fn cut(&self) -> Option<ImagePos> {
        cut_of(&self.regions, 0)
    }

    /// What it comes to on one of its targets; the undo file is that of all.
    #[must_use]
    pub fn of_target(&self, target: usize) -> Self {
        let regions = self.regions.iter();
        let of_target = regions.filter(|region| region.target == target);
        Self {
            regions: of_target.cloned().collect(),
            ..*self
        }
    }

    /// How many bytes are written in all; blocks that do not change are not.
    #[must_use]
    pub fn written(&self) -> Bytes {
        let sum = |sum: Bytes, one: &Region| sum.checked_add(one.written).unwrap_or(sum);
        self.regions.iter().fold(Bytes::ZERO, sum)
    }
}

/// Where a target is cut off, where that is part of a change.
pub(in crate::transaction) fn cut_of(regions: &[Region], target: usize) -> Option<ImagePos> {
    let mut of_target = regions.iter().rev().filter(|one| one.target == target);
    let cut = of_target.find(|region| region.phase == Phase::Cut);
    cut.map(|region| region.range.start)
}
