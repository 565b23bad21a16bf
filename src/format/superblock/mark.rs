//! What mdtool writes in a magic's place where it takes a superblock out of DRBD's sight.
//!
//! ```text
//! byte of the word    0     1     2     3
//! DRBD's magic        83    74    02    6A…6D        v07, v08, v08 unclean, v09
//! a change under way  'm'   'd'   'U'   6A…6D
//! retired             'm'   'd'   'R'   6A…6D        by a change that came to its end
//! erased by others    00    00    00    00           wipefs, pvcreate, mkswap
//! ```
//!
//! The last byte is the magic's own, so that the format and the state are still known. No DRBD and no libblkid takes such a word for anything.

use super::{
    Format, MAGIC_84_UNCLEAN, MAGIC_OFFSET, MAGIC_OFFSET_V07, MAGIC_V07, MAGIC_V08, MAGIC_V09,
};

/// `md` and a letter: the first three bytes of a mark.
const UNDER_WAY: u32 = u32::from_be_bytes(*b"mdU\0");
/// See [`UNDER_WAY`].
const RETIRED: u32 = u32::from_be_bytes(*b"mdR\0");
/// What of a word is the magic's own.
const KIND: u32 = 0xFF;

/// What a superblock without its magic was marked with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// A change of mdtool's began and did not come to its end: its undo file puts back what was there, or it is a copy, which goes on.
    UnderWay,
    /// A change of mdtool's that came to its end took this superblock out of use.
    Retired,
}

impl Mark {
    /// The word that stands in the place of `magic`; `None` where that is none of DRBD's.
    #[must_use]
    pub const fn word(self, magic: u32) -> Option<u32> {
        let mark = match self {
            Self::UnderWay => UNDER_WAY,
            Self::Retired => RETIRED,
        };
        match magic {
            MAGIC_V07 | MAGIC_V08 | MAGIC_84_UNCLEAN | MAGIC_V09 => Some(mark | (magic & KIND)),
            _ => None,
        }
    }

    /// The mark that a word is, and the magic in whose place it stands.
    #[must_use]
    pub const fn of_word(word: u32) -> Option<(Self, u32)> {
        let mark = match word & !KIND {
            UNDER_WAY => Self::UnderWay,
            RETIRED => Self::Retired,
            _ => return None,
        };
        match (MAGIC_V08 & !KIND) | (word & KIND) {
            magic @ (MAGIC_V07 | MAGIC_V08 | MAGIC_84_UNCLEAN | MAGIC_V09) => Some((mark, magic)),
            _ => None,
        }
    }
}

/// A superblock that carries a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Marked {
    /// Which mark.
    pub mark: Mark,
    /// The format that its magic was of.
    pub format: Format,
    /// That magic.
    pub magic: u32,
}

/// The mark that a block carries where DRBD has its magics.
#[must_use]
pub fn mark_of(block: &[u8; 4096]) -> Option<Marked> {
    let word = |at: usize| {
        let bytes = block.get(at..)?.first_chunk()?;
        Mark::of_word(u32::from_be_bytes(*bytes))
    };
    let of_v07 = word(MAGIC_OFFSET_V07).filter(|(_, magic)| *magic == MAGIC_V07);
    let newer = word(MAGIC_OFFSET).filter(|(_, magic)| *magic != MAGIC_V07);
    let (mark, magic) = newer.or(of_v07)?;
    let format = match magic {
        MAGIC_V07 => Format::V07,
        MAGIC_V09 => Format::V09,
        _ => Format::V08,
    };
    Some(Marked {
        mark,
        format,
        magic,
    })
}

/// The block with marks in the place of its magics; `None` where it has none: no DRBD takes it for a superblock then.
#[must_use]
pub fn marked(block: &[u8; 4096], mark: Mark) -> Option<[u8; 4096]> {
    let mut back = *block;
    let mut any = false;
    for (at, is_v07) in [(MAGIC_OFFSET_V07, true), (MAGIC_OFFSET, false)] {
        let word = back.get_mut(at..)?.first_chunk_mut::<4>()?;
        let magic = u32::from_be_bytes(*word);
        if (magic == MAGIC_V07) == is_v07
            && let Some(marked) = mark.word(magic)
        {
            *word = marked.to_be_bytes();
            any = true;
        }
    }
    any.then_some(back)
}

/// The block with its magic back in the mark's place: what it said before it was marked. `None` where it carries no mark.
#[must_use]
pub fn unmarked(block: &[u8; 4096]) -> Option<[u8; 4096]> {
    let marked = mark_of(block)?;
    let at = match marked.format {
        Format::V07 => MAGIC_OFFSET_V07,
        Format::V08 | Format::V09 => MAGIC_OFFSET,
    };
    let mut back = *block;
    *back.get_mut(at..)?.first_chunk_mut()? = marked.magic.to_be_bytes();
    Some(back)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::superblock::format_of;

    #[test]
    fn a_mark_keeps_format_and_magic_and_is_no_magic() {
        for (magic, at, format) in [
            (MAGIC_V07, 28, Format::V07),
            (MAGIC_V08, 60, Format::V08),
            (MAGIC_84_UNCLEAN, 60, Format::V08),
            (MAGIC_V09, 60, Format::V09),
        ] {
            for mark in [Mark::UnderWay, Mark::Retired] {
                let mut block = [7; 4096];
                let word = mark.word(magic).unwrap();
                block[at..at + 4].copy_from_slice(&word.to_be_bytes());
                assert_eq!(format_of(&block), None);
                let found = mark_of(&block).unwrap();
                assert_eq!(
                    (found.mark, found.format, found.magic),
                    (mark, format, magic)
                );
                let back = unmarked(&block).unwrap();
                assert_eq!(format_of(&back), Some(format));
            }
        }
    }

    #[test]
    fn marking_changes_magics_and_nothing_else() {
        for (magic, at) in [(MAGIC_V07, 28), (MAGIC_V08, 60), (MAGIC_V09, 60)] {
            let mut block = [7; 4096];
            assert_eq!(marked(&block, Mark::Retired), None);
            block[at..at + 4].copy_from_slice(&magic.to_be_bytes());
            let under_way = marked(&block, Mark::UnderWay).unwrap();
            assert_eq!(mark_of(&under_way).unwrap().mark, Mark::UnderWay);
            assert_eq!(marked(&under_way, Mark::Retired), None);
            assert_eq!(unmarked(&under_way), Some(block));
            // A magic of the other kind means nothing to DRBD there.
            let mut elsewhere = [7; 4096];
            elsewhere[88 - at..92 - at].copy_from_slice(&magic.to_be_bytes());
            assert_eq!(marked(&elsewhere, Mark::Retired), None);
        }
    }

    #[test]
    fn zeros_and_strangers_are_no_mark() {
        assert_eq!(mark_of(&[0; 4096]), None);
        assert_eq!(Mark::of_word(u32::from_be_bytes(*b"mdU\0")), None);
        assert_eq!(Mark::UnderWay.word(0), None);
    }
}
