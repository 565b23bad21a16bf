//! Which bits extents stand for.

use std::ops::Range;

use crate::format::activity_log::AL_EXTENT;
use crate::format::bitmap::WORD_BITS;
use crate::format::layout::MdGeometry;
use crate::units::{AlExtent, Bytes};

/// Words of a slot, and the bits that are set in each of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Mark {
    /// Words of the slot.
    pub words: Range<u64>,
    /// The bits.
    pub mask: u32,
}

/// The bits that extents stand for in each slot: runs of words, in order, apart from each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Marking {
    marks: Vec<Mark>,
}

impl Marking {
    /// What `extents`, sorted and each once, stand for at a granularity. Nothing is clipped here: a bitmap ends where it ends.
    #[must_use]
    pub fn of(extents: &[AlExtent], geometry: &MdGeometry) -> Self {
        let bits = AL_EXTENT.whole_units(Bytes::new(u64::from(geometry.bytes_per_bit)));
        let mut marks: Vec<Mark> = Vec::new();
        for extent in extents {
            let mark = mark_of(*extent, bits);
            match marks.last_mut() {
                Some(last) if last.words.end == mark.words.start && last.mask == mark.mask => {
                    last.words.end = mark.words.end;
                }
                // Several extents share a word above 128 KiB per bit.
                Some(last) if last.words == mark.words => last.mask |= mark.mask,
                _ => marks.push(mark),
            }
        }
        Self { marks }
    }

    /// Everything: what is left where a log cannot be trusted.
    #[must_use]
    pub fn everything() -> Self {
        Self {
            marks: vec![Mark {
                words: 0..u64::MAX,
                mask: u32::MAX,
            }],
        }
    }

    /// These runs.
    #[cfg(test)]
    pub(super) const fn given(marks: Vec<Mark>) -> Self {
        Self { marks }
    }

    /// The runs.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        &self.marks
    }
}

/// One extent's words, where an extent has so many bits.
fn mark_of(extent: AlExtent, bits: u64) -> Mark {
    let extent = u64::from(extent.get());
    let first_bit = extent.saturating_mul(bits);
    let word = first_bit / WORD_BITS;
    if bits >= WORD_BITS {
        return Mark {
            words: word..word.saturating_add(bits / WORD_BITS),
            mask: u32::MAX,
        };
    }
    let ones = u32::try_from(bits)
        .ok()
        .and_then(|bits| 1_u32.checked_shl(bits))
        .map_or(u32::MAX, |bit| bit.wrapping_sub(1));
    let shift = u32::try_from(first_bit % WORD_BITS).unwrap_or(0);
    Mark {
        words: word..word.saturating_add(1),
        mask: ones.checked_shl(shift).unwrap_or(0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn geometry(bytes_per_bit: u32) -> MdGeometry {
        MdGeometry {
            bytes_per_bit,
            ..MdGeometry::DEFAULT
        }
    }

    fn extents(numbers: &[u32]) -> Vec<AlExtent> {
        numbers.iter().copied().map(AlExtent::new).collect()
    }

    #[test]
    fn whole_words_up_to_128_kib_per_bit_and_masks_above() {
        let marks = |numbers: &[u32], bytes_per_bit| {
            Marking::of(&extents(numbers), &geometry(bytes_per_bit)).marks
        };
        let mark = |words: Range<u64>, mask| Mark { words, mask };
        assert_eq!(
            marks(&[0, 1, 5], 4096),
            [mark(0..64, u32::MAX), mark(160..192, u32::MAX)]
        );
        assert_eq!(marks(&[7], 131_072), [mark(7..8, u32::MAX)]);
        assert_eq!(
            marks(&[1, 2], 262_144),
            [mark(0..1, 0xFFFF_0000), mark(1..2, 0xFFFF)]
        );
        assert_eq!(marks(&[0, 2, 3], 524_288), [mark(0..1, 0xFFFF_00FF)]);
        assert_eq!(marks(&[9], 1_048_576), [mark(1..2, 0xF0)]);
        assert_eq!(
            marks(&[u32::MAX - 1], 4096),
            [mark(137_438_953_408..137_438_953_440, u32::MAX)]
        );
    }

    proptest! {
        #[test]
        fn a_bit_is_marked_where_its_extent_is_active(
            numbers in proptest::collection::btree_set(0..200_u32, 0..40), shift in 12..=20_u32
        ) {
            let numbers: Vec<u32> = numbers.into_iter().collect();
            let marking = Marking::of(&extents(&numbers), &geometry(1 << shift));
            for bit in 0..(200_u64 << (22 - shift)) {
                let marked = marking.marks().iter().any(|mark| mark.words.contains(&(bit / 32)) && mark.mask >> (bit % 32) & 1 == 1);
                let extent = u32::try_from(bit >> (22 - shift)).unwrap();
                prop_assert_eq!(marked, numbers.contains(&extent));
            }
        }
    }
}
