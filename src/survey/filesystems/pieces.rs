//! Parts of a volume, and where they lie in what the volume is made of.

use std::ops::Range;

use super::answer::{Owner, Stretch};
use crate::units::{Bytes, DevPos, range_len};

/// Consecutive bytes of a volume, and where the first of them lies below.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) volume: Range<DevPos>,
    pub(super) below: DevPos,
}

impl Piece {
    /// `len` bytes; `None` beyond 64 bits.
    pub(super) fn new(volume: DevPos, below: DevPos, len: Bytes) -> Option<Self> {
        below.checked_add(len)?;
        Some(Self {
            volume: volume..volume.checked_add(len)?,
            below,
        })
    }

    /// The part of it in `range` of the volume.
    pub(super) fn cut(&self, range: &Range<DevPos>) -> Option<Self> {
        let start = self.volume.start.max(range.start);
        let end = self.volume.end.min(range.end);
        let before = start.bytes_since(self.volume.start)?;
        let len = end.bytes_since(start).filter(|len| *len > Bytes::ZERO)?;
        Self::new(start, self.below.checked_add(before)?, len)
    }
}

/// The ranges of a volume that the pieces have, sorted and merged.
pub(super) fn ranges(pieces: &[Piece], size: Bytes) -> Vec<Range<DevPos>> {
    let ranges: Vec<_> = pieces.iter().map(|piece| piece.volume.clone()).collect();
    super::findings::normalised(&ranges, size)
}

/// What was answered of a volume, as answers of what lies below.
pub(super) fn below(answers: &[Stretch], pieces: &[Piece]) -> Vec<Stretch> {
    let mut sorted: Vec<&Stretch> = answers.iter().collect();
    sorted.sort_by_key(|stretch| stretch.range.start);
    // Answers may overlap: which is the first that could reach a position follows from the furthest end so far.
    let mut furthest = DevPos::START;
    let ends: Vec<DevPos> = sorted
        .iter()
        .map(|stretch| {
            furthest = furthest.max(stretch.range.end);
            furthest
        })
        .collect();
    let mut found = Vec::new();
    for piece in pieces {
        let first = ends.partition_point(|end| *end <= piece.volume.start);
        let reaching = sorted.iter().skip(first);
        let reaching = reaching.take_while(|stretch| stretch.range.start < piece.volume.end);
        found.extend(reaching.filter_map(|stretch| part(stretch, piece)));
    }
    found
}

/// The part of an answer that lies in a piece.
fn part(stretch: &Stretch, piece: &Piece) -> Option<Stretch> {
    let cut = piece.cut(&stretch.range)?;
    let further = cut.volume.start.bytes_since(stretch.range.start)?;
    let owner = |owner: &Owner| Owner {
        at: owner.at.and_then(|at| at.checked_add(further)),
        ..owner.clone()
    };
    Some(Stretch {
        range: cut.below..cut.below.checked_add(range_len(&cut.volume))?,
        owners: stretch.owners.iter().map(owner).collect(),
        ..stretch.clone()
    })
}
