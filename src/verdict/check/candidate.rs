//! What attach rules judge: a superblock at a place, whether its fields fit that or not.

use std::ops::Range;

use super::kernel::Kernel;
use crate::format::layout::{AlStriping, MdIndex, MdLayout};
use crate::format::superblock::Superblock;
use crate::survey::in_place::InPlace;
use crate::survey::locate::Level;
use crate::units::{Bytes, DevPos, MD_BLOCK, SECTOR_SIZE};

/// Sectors in a 4 KiB block.
pub(super) const BLOCK_SECTORS: i64 = 8;

/// A superblock that stands where DRBD looks on a device.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// What it says.
    pub superblock: &'a Superblock,
    /// Where it begins.
    pub at: DevPos,
    /// The rule by which it stands there.
    pub index: MdIndex,
    /// The size of the device that it is judged on: the backing device, or the meta device.
    pub device: Bytes,
}

/// A field's place in its superblock: bytes from its start, and how many.
#[derive(Clone, Copy)]
pub(super) struct At(pub(super) u64, pub(super) u64);

impl At {
    pub(super) const LA_SIZE: Self = Self(0, 8);
    pub(super) const CURRENT: Self = Self(8, 8);
    pub(super) const FLAGS: Self = Self(56, 4);
    pub(super) const MAGIC: Self = Self(60, 4);
    pub(super) const MD_SIZE: Self = Self(64, 4);
    pub(super) const AL_OFFSET: Self = Self(68, 4);
    pub(super) const BM_OFFSET: Self = Self(76, 4);
    pub(super) const BYTES_PER_BIT: Self = Self(80, 4);
    pub(super) const MAX_PEERS: Self = Self(88, 4);
    pub(super) const NODE_ID: Self = Self(92, 4);

    /// A peer's `bitmap_index`.
    pub(super) fn bitmap_index(node: usize) -> Self {
        Self::peer(node, 20, 4)
    }

    /// A part of a v09 peer's entry.
    pub(super) fn peer(node: usize, from: u64, len: u64) -> Self {
        let node = Bytes::of_len(node).get();
        Self(
            node.saturating_mul(32)
                .saturating_add(112)
                .saturating_add(from),
            len,
        )
    }
}

impl<'a> Candidate<'a> {
    /// A level that was found, on the device that holds it: the image, or the DRBD device of the level around it.
    ///
    /// Where it does not stand where DRBD looks on that device, it is judged on the one that it was laid out for.
    #[must_use]
    pub fn of_level(level: &'a Level, holder: Bytes) -> Self {
        let in_place = level.layout.index.superblock_pos(holder) == Some(level.layout.md);
        Self {
            superblock: &level.superblock,
            at: level.layout.md,
            index: level.layout.index,
            device: if in_place { holder } else { level.device },
        }
    }

    /// A superblock where DRBD looks that is no level.
    #[must_use]
    pub const fn in_place(found: &'a InPlace) -> Self {
        Self {
            superblock: &found.superblock,
            at: found.at,
            index: found.index,
            device: found.device,
        }
    }

    /// Where a field is.
    pub(super) fn place(&self, at: At) -> Range<DevPos> {
        let start = self.at.saturating_add(Bytes::new(at.0));
        start..start.saturating_add(Bytes::new(at.1))
    }

    /// Where its striping is.
    pub(super) fn striping_place(&self) -> Range<DevPos> {
        self.place(match self.superblock {
            Superblock::V09(_) => At(96, 8),
            _ => At(88, 8),
        })
    }

    /// All of it.
    pub(super) fn whole(&self) -> Range<DevPos> {
        self.at..self.at.saturating_add(MD_BLOCK)
    }

    /// Sectors of the device.
    pub(super) fn capacity(&self) -> i64 {
        signed(self.device.to_sectors_floor().get())
    }

    /// The superblock's sector.
    pub(super) fn md_sector(&self) -> i64 {
        signed(self.at.from_start().whole_units(SECTOR_SIZE))
    }

    pub(super) fn al_offset(&self) -> i64 {
        self.superblock.al_offset().get()
    }

    pub(super) fn bm_offset(&self) -> i64 {
        self.superblock.bm_offset().get()
    }

    pub(super) fn md_size(&self) -> i64 {
        signed(self.superblock.md_size().get())
    }

    /// `al_stripes` and `al_stripe_size_4k` as they are on disk.
    pub(super) fn striping(&self) -> (u32, u32) {
        match self.superblock {
            Superblock::V07(_) => (
                AlStriping::DEFAULT.stripes,
                AlStriping::DEFAULT.stripe_size_4k,
            ),
            Superblock::V08(sb) => (sb.al_stripes, sb.al_stripe_size_4k),
            Superblock::V09(sb) => (sb.al_stripes, sb.al_stripe_size_4k),
        }
    }

    /// The same as a kernel keeps it: 0 and 0 are the default, but for 9.2.15 and newer, which forget to store that.
    pub(super) fn striping_in_core(&self, kernel: Kernel) -> (u32, u32) {
        let on_disk = self.striping();
        let default = AlStriping::DEFAULT;
        if on_disk == (0, 0) && !matches!(kernel, Kernel::V9_2 | Kernel::V9_3) {
            (default.stripes, default.stripe_size_4k)
        } else {
            on_disk
        }
    }

    /// Blocks of the activity log, 0 and 0 being the default.
    pub(super) fn al_blocks(&self) -> u64 {
        let al = self.superblock.geometry().al;
        u64::from(al.stripes).saturating_mul(u64::from(al.stripe_size_4k))
    }

    /// Sectors of the activity log by its striping.
    pub(super) fn al_sectors(&self) -> i64 {
        signed(self.al_blocks()).saturating_mul(BLOCK_SECTORS)
    }

    /// The sectors between the offsets that a kernel takes for the activity log's.
    pub(super) fn al_area(&self) -> i64 {
        if self.al_offset() < 0 {
            self.al_offset().saturating_neg()
        } else {
            self.bm_offset().saturating_sub(BLOCK_SECTORS)
        }
    }

    /// The same for the bitmap, as the kernel's signed 32 bits hold it.
    pub(super) fn bm_area(&self) -> i64 {
        let area = if self.al_offset() < 0 {
            self.al_offset().saturating_sub(self.bm_offset())
        } else {
            self.md_size().saturating_sub(self.bm_offset())
        };
        let low = area.rem_euclid(1 << 32);
        if low < 1 << 31 {
            low
        } else {
            low.saturating_sub(1 << 32)
        }
    }

    /// The layout that the formulas give for its geometry here, whatever its offsets say.
    pub(super) fn planned(&self) -> Option<MdLayout> {
        MdLayout::planned(self.index, self.superblock.geometry(), self.device).ok()
    }
}

/// A number that C keeps unsigned, in arithmetic that must not wrap; the largest stand for all that are larger.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
