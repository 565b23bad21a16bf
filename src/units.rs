//! Sizes and positions: the one place where sectors and bytes are reckoned.
//!
//! DRBD counts some things in 512-byte sectors, some in bytes, some in KiB, and from three different zero points. Here each is a type of
//! its own. All arithmetic is checked and answers `None` where a number would leave 64 bits; conversions that can lose something say so in
//! their name (`_floor`, `_exact`).
//!
//! No I/O here, and no formula of DRBD's: those are in [`crate::format::layout`].

use std::fmt;
use std::ops::Range;

/// Bytes in a sector, DRBD's unit whatever the disk's own sector size.
pub const SECTOR_SIZE: Bytes = Bytes::new(512);
/// Bytes in a metadata block: the superblock, one activity log transaction, the unit the bitmap area is rounded to.
pub const MD_BLOCK: Bytes = Bytes::new(4096);

/// A number with a meaning: a newtype that only `new` and `get` cross.
macro_rules! number {
    ($(#[$meta:meta])* $name:ident($inner:ty)) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($inner);

        impl $name {
            /// Wraps the plain number.
            #[must_use]
            pub const fn new(value: $inner) -> Self {
                Self(value)
            }

            /// The plain number, for printing and for writing to disk.
            #[must_use]
            pub const fn get(self) -> $inner {
                self.0
            }
        }
    };
}

number! {
    /// A size in bytes.
    Bytes(u64)
}
number! {
    /// A size in 512-byte sectors.
    Sectors(u64)
}
number! {
    /// A signed distance in 512-byte sectors from a superblock, as `al_offset` and `bm_offset` hold it.
    SectorDelta(i64)
}
number! {
    /// A position in bytes from the start of one device: a backing device or a meta device.
    DevPos(u64)
}
number! {
    /// A position in bytes from the start of the image file.
    ImagePos(u64)
}
number! {
    /// A position in bytes from the start of a dump's text.
    TextPos(u64)
}
number! {
    /// The number of a bit within one bitmap slot.
    BmBit(u64)
}
number! {
    /// The number of a 4 MiB activity log extent, from the device's start.
    AlExtent(u32)
}
number! {
    /// A place in the activity log's table of active extents.
    AlSlot(u16)
}
number! {
    /// A bitmap slot: one peer's bitmap among the interleaved ones.
    BitmapIndex(u8)
}
number! {
    /// A DRBD 9 node id, 0 to 31.
    NodeId(u8)
}

impl Bytes {
    /// No bytes.
    pub const ZERO: Self = Self::new(0);

    /// The size of something in memory.
    ///
    /// # Panics
    ///
    /// Never: `usize` has at most 64 bits on every target that Rust has.
    #[must_use]
    pub fn of_len(len: usize) -> Self {
        Self(count_of(len))
    }

    /// This size as an index into memory, where it can be one.
    #[must_use]
    pub fn to_usize(self) -> Option<usize> {
        usize::try_from(self.0).ok()
    }

    /// As much of this size as a buffer of `most` bytes holds.
    #[must_use]
    pub fn at_most(self, most: usize) -> usize {
        at_most(self.0, most)
    }

    /// The sum, or `None` beyond 64 bits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` where `other` is larger.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// The sum, or the largest size beyond 64 bits.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// `count` times this size, or the largest one beyond 64 bits.
    #[must_use]
    pub const fn saturating_mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(count))
    }

    /// `count` times this size, or `None` beyond 64 bits.
    #[must_use]
    pub fn checked_mul(self, count: u64) -> Option<Self> {
        self.0.checked_mul(count).map(Self)
    }

    /// The difference, or nothing where `other` is larger.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Whole units in this size; a rest is dropped, and a unit of nothing fits nowhere.
    #[must_use]
    pub fn whole_units(self, unit: Self) -> u64 {
        self.0.checked_div(unit.0).unwrap_or(0)
    }

    /// Whole sectors in this size; a rest is dropped.
    #[must_use]
    pub const fn to_sectors_floor(self) -> Sectors {
        Sectors(self.0 / SECTOR_SIZE.0)
    }

    /// This size in sectors, where it is a whole number of them.
    #[must_use]
    pub const fn to_sectors_exact(self) -> Option<Sectors> {
        if self.0.is_multiple_of(SECTOR_SIZE.0) {
            Some(self.to_sectors_floor())
        } else {
            None
        }
    }

    /// Rounded down to a multiple of `unit`; a unit of nothing changes nothing.
    #[must_use]
    pub const fn align_down(self, unit: Self) -> Self {
        match self.0.checked_rem(unit.0) {
            Some(rest) => self.saturating_sub(Self(rest)),
            None => self,
        }
    }

    /// Rounded up to a multiple of `unit`, or `None` beyond 64 bits.
    #[must_use]
    pub fn align_up(self, unit: Self) -> Option<Self> {
        self.0.checked_next_multiple_of(unit.0).map(Self)
    }
}

impl Sectors {
    /// No sectors.
    pub const ZERO: Self = Self::new(0);

    /// This size in bytes, or `None` beyond 64 bits.
    #[must_use]
    pub fn to_bytes(self) -> Option<Bytes> {
        SECTOR_SIZE.checked_mul(self.0)
    }

    /// The sum, or `None` beyond 64 bits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    /// The difference, or `None` where `other` is larger.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// This size as a distance after a superblock, or `None` beyond 63 bits.
    #[must_use]
    pub fn to_delta(self) -> Option<SectorDelta> {
        i64::try_from(self.0).ok().map(SectorDelta)
    }
}

impl SectorDelta {
    /// The distance the other way.
    #[must_use]
    pub fn checked_neg(self) -> Option<Self> {
        self.0.checked_neg().map(Self)
    }
}

/// What both coordinate spaces may do.
macro_rules! position {
    ($name:ident) => {
        impl $name {
            /// Where the device or file begins.
            pub const START: Self = Self::new(0);

            /// The position `size` further on, or `None` beyond 64 bits.
            #[must_use]
            pub fn checked_add(self, size: Bytes) -> Option<Self> {
                self.0.checked_add(size.0).map(Self)
            }

            /// The position `size` further on, or the last one of 64 bits, which is behind every device.
            #[must_use]
            pub const fn saturating_add(self, size: Bytes) -> Self {
                Self(self.0.saturating_add(size.0))
            }

            /// The position `size` before, or `None` before the start.
            #[must_use]
            pub fn checked_sub(self, size: Bytes) -> Option<Self> {
                self.0.checked_sub(size.0).map(Self)
            }

            /// The distance from `start` to here, or `None` where `start` is further on.
            #[must_use]
            pub fn bytes_since(self, start: Self) -> Option<Bytes> {
                self.0.checked_sub(start.0).map(Bytes)
            }

            /// The distance from `start` to here, or nothing where `start` is further on.
            #[must_use]
            pub const fn saturating_since(self, start: Self) -> Bytes {
                Bytes(self.0.saturating_sub(start.0))
            }

            /// The distance from the start to here.
            #[must_use]
            pub const fn from_start(self) -> Bytes {
                Bytes(self.0)
            }

            /// The position at `size` from the start.
            #[must_use]
            pub const fn at(size: Bytes) -> Self {
                Self(size.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "byte {}", self.0)
            }
        }
    };
}
position!(DevPos);
position!(ImagePos);
position!(TextPos);

impl DevPos {
    /// The distance from `start` to here in whole sectors, negative where `start` is further on.
    #[must_use]
    pub fn delta_since(self, start: Self) -> SectorDelta {
        let sectors = |bytes: u64| i64::try_from(bytes / SECTOR_SIZE.0).unwrap_or(i64::MAX);
        SectorDelta(sectors(self.0).saturating_sub(sectors(start.0)))
    }

    /// The position a signed distance away, or `None` outside 64 bits.
    #[must_use]
    pub fn checked_offset(self, delta: SectorDelta) -> Option<Self> {
        let bytes = Sectors(delta.0.unsigned_abs()).to_bytes()?;
        if delta.0 < 0 {
            self.checked_sub(bytes)
        } else {
            self.checked_add(bytes)
        }
    }
}

/// How many things there are in memory, as DRBD's formulas count.
///
/// # Panics
///
/// Never: `usize` has at most 64 bits on every target that Rust has.
#[must_use]
pub fn count_of(len: usize) -> u64 {
    // OK to expect: see above.
    u64::try_from(len).expect("usize has at most 64 bits")
}

/// A number of 32 bits as an index into memory.
///
/// # Panics
///
/// Never: there is no DRBD where `usize` has less.
#[must_use]
pub fn index_of(number: u32) -> usize {
    const { assert!(usize::BITS >= 32, "mdtool needs 32 bits of address") };
    // OK to expect: see above.
    usize::try_from(number).expect("usize has at least 32 bits")
}

/// `number` of things, or `most` where it is more.
#[must_use]
pub fn at_most(number: u64, most: usize) -> usize {
    usize::try_from(number).map_or(most, |number| number.min(most))
}

/// How many bytes a range of positions covers; nothing where it is turned around.
#[must_use]
pub fn range_len(range: &Range<DevPos>) -> Bytes {
    range.end.saturating_since(range.start)
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

impl fmt::Display for Sectors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let s = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} sector{s}", self.0)
    }
}

impl fmt::Display for SectorDelta {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} sectors", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_positions_never_wrap() {
        let most = Bytes::new(u64::MAX);
        assert_eq!(most.checked_add(Bytes::new(1)), None);
        assert_eq!(Sectors::new(u64::MAX).to_bytes(), None);
        assert_eq!(most.align_up(MD_BLOCK), None);
        assert_eq!(most.align_down(MD_BLOCK), Bytes::new(u64::MAX - 4095));
        assert_eq!(DevPos::new(511).checked_offset(SectorDelta::new(-1)), None);
        assert_eq!(
            DevPos::new(u64::MAX).checked_offset(SectorDelta::new(1)),
            None
        );
        assert_eq!(
            DevPos::new(0).checked_offset(SectorDelta::new(i64::MIN)),
            None
        );
        assert_eq!(
            DevPos::new(1024).checked_offset(SectorDelta::new(-2)),
            Some(DevPos::START)
        );
    }

    #[test]
    fn conversions_that_lose_something_say_so() {
        assert_eq!(Bytes::new(1025).to_sectors_floor(), Sectors::new(2));
        assert_eq!(Bytes::new(1025).to_sectors_exact(), None);
        assert_eq!(Bytes::new(1024).to_sectors_exact(), Some(Sectors::new(2)));
        assert_eq!(Bytes::new(5).align_down(Bytes::ZERO), Bytes::new(5));
        assert_eq!(Bytes::new(5).align_up(Bytes::ZERO), None);
    }

    #[test]
    fn every_number_is_printed_with_its_unit() {
        assert_eq!(Sectors::new(131_000).to_string(), "131000 sectors");
        assert_eq!(DevPos::new(67_063_808).to_string(), "byte 67063808");
        assert_eq!(ImagePos::new(1).to_string(), "byte 1");
        assert_eq!(Bytes::new(7).to_string(), "7 bytes");
        assert_eq!(SectorDelta::new(-72).to_string(), "-72 sectors");
    }
}
