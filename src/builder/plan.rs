//! Every position, reckoned anew.
//!
//! ```text
//! flex-internal   data …          bitmap   log   superblock | rest below 4 KiB
//! v07 fixed       data …          superblock   log   bitmap | 128 MiB from the superblock on
//! flex-external   superblock   log   bitmap … the meta device's end
//! indexed         as v07 fixed, the one of number N at N * 128 MiB
//! ```

use super::level::{LaSize, Level, Rules};
use crate::error::{Expected, Field, Misfit};
use crate::units::{Bytes, DevPos, MD_BLOCK, Sectors};

/// What fixed metadata takes.
const FIXED: Bytes = Bytes::new(128 * 1024 * 1024);
/// What of that comes before the bitmap: the superblock, and a log of 32 KiB.
const FIXED_BEFORE_BITMAP: Bytes = Bytes::new(36 * 1024);
/// The largest DRBD device: 1 PiB.
const MAX_DEVICE: Sectors = Sectors::new(1 << 41);

/// Where one resource's metadata goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    /// The size of the device that holds it.
    pub(super) holder: Bytes,
    pub(super) md: DevPos,
    pub(super) al: DevPos,
    pub(super) al_size: Bytes,
    pub(super) bm: DevPos,
    pub(super) bm_size: Bytes,
    pub(super) md_size: Sectors,
    pub(super) usable: Sectors,
    /// As written.
    pub(super) la_size: Sectors,
    /// The DRBD device's size: `la_size` as far as it fits, or all that does.
    pub(super) device: Bytes,
    pub(super) sectors_per_bit: u64,
}

/// What of a level decides how much room it takes.
struct Shape {
    al_size: Bytes,
    sectors_per_bit: u64,
    peers: u64,
}

impl Shape {
    fn of(level: &Level, indexed: bool) -> Result<Self, Misfit> {
        if !(1..=31).contains(&level.max_peers) {
            return Err(misfit(
                Field::BmMaxPeers,
                level.max_peers,
                Expected::Between(1, 31),
            ));
        }
        let bytes_per_bit = level.bytes_per_bit.get();
        let most = if level.rules == Rules::V09 && !indexed {
            1 << 20
        } else {
            4096
        };
        if !bytes_per_bit.is_power_of_two() || !(4096..=most).contains(&bytes_per_bit) {
            let expected = Expected::PowerOfTwo(4096, most.into());
            return Err(misfit(Field::BmBytesPerBit, bytes_per_bit, expected));
        }
        let blocks = match (level.al_stripes, level.al_stripe_size_4k) {
            (0, 0) => 8,
            (stripes, size) => u64::from(stripes).saturating_mul(size.into()),
        };
        if !(8..=4_194_304).contains(&blocks) {
            let expected = Expected::Between(8, 4_194_304);
            return Err(misfit(Field::AlBlocks, blocks, expected));
        }
        if (level.is_v07() || indexed) && (blocks != 8 || level.al_stripes > 1) {
            return Err(misfit(
                Field::AlStripes,
                level.al_stripes,
                Expected::Exactly(1),
            ));
        }
        Ok(Self {
            // OK to expect: at most 4194304 blocks.
            al_size: MD_BLOCK.checked_mul(blocks).expect("16 GiB"),
            sectors_per_bit: bytes_per_bit / 512,
            peers: level.max_peers.into(),
        })
    }

    /// The room that the bitmaps of a device of that capacity take.
    fn bitmap_of(&self, capacity: Sectors) -> Option<Bytes> {
        let bits = capacity.get().div_ceil(self.sectors_per_bit);
        let bits = bits.checked_next_multiple_of(64)?;
        Bytes::new(bits / 8)
            .checked_mul(self.peers)?
            .align_up(MD_BLOCK)
    }

    /// The largest device whose bitmaps fit into that room, each in whole 64-bit words.
    ///
    /// The kernel takes some hundred sectors more where the slots do not share the room evenly, and then lacks a word; drbdmeta does not.
    fn capacity_of(&self, room: Bytes) -> Sectors {
        let room = room.align_down(MD_BLOCK).get();
        let each = Bytes::new(room.checked_div(self.peers).unwrap_or(0));
        let bits = each.align_down(Bytes::new(8)).get().saturating_mul(8);
        Sectors::new(bits.saturating_mul(self.sectors_per_bit))
    }
}

impl Plan {
    /// At the end of the backing device itself.
    pub(super) fn internal(level: &Level, backing: Bytes) -> Result<Self, Misfit> {
        let shape = Shape::of(level, false)?;
        if level.rules == Rules::V07Fixed {
            let start = backing.align_down(MD_BLOCK).checked_sub(FIXED);
            let start = start.ok_or_else(|| too_small(backing, FIXED))?;
            return Self::fixed(level, &shape, backing, start, start);
        }
        let capacity = backing.to_sectors_floor();
        if capacity > MAX_DEVICE {
            let expected = Expected::AtMost(1 << 50);
            return Err(misfit(Field::DeviceSize, backing.get(), expected));
        }
        // OK to expect: at most 1 PiB, in 31 slots of 32 GiB and a log of 16 GiB.
        let bm_size = shape.bitmap_of(capacity).expect("about 1 TiB");
        let above = shape.al_size.checked_add(MD_BLOCK).expect("about 16 GiB");
        let md_size = bm_size.checked_add(above).expect("about 1 TiB");
        let end = backing.align_down(MD_BLOCK);
        let back = |size: Bytes| end.checked_sub(size).map(DevPos::at);
        let (Some(md), Some(al), Some(bm)) = (back(MD_BLOCK), back(above), back(md_size)) else {
            return Err(too_small(backing, md_size));
        };
        let places = Self {
            holder: backing,
            md,
            al,
            al_size: shape.al_size,
            bm,
            bm_size,
            md_size: md_size.to_sectors_floor(),
            usable: bm.from_start().to_sectors_floor(),
            la_size: Sectors::ZERO,
            device: Bytes::ZERO,
            sectors_per_bit: shape.sectors_per_bit,
        };
        Ok(places.sized(level))
    }

    /// In a meta device that is this resource's alone.
    pub(super) fn flex_external(
        level: &Level,
        meta: Bytes,
        backing: Bytes,
    ) -> Result<Self, Misfit> {
        let shape = Shape::of(level, false)?;
        // OK to expect: a log has at most 16 GiB.
        let before = shape.al_size.checked_add(MD_BLOCK).expect("about 16 GiB");
        let least = before.checked_add(MD_BLOCK).expect("about 16 GiB");
        if meta < least {
            return Err(too_small(meta, least));
        }
        let bm_size = meta.align_down(MD_BLOCK).saturating_sub(before);
        let capacity = shape.capacity_of(bm_size);
        let places = Self {
            holder: meta,
            md: DevPos::START,
            al: DevPos::at(MD_BLOCK),
            al_size: shape.al_size,
            bm: DevPos::at(before),
            bm_size,
            md_size: meta.to_sectors_floor(),
            usable: capacity.min(backing.to_sectors_floor()),
            la_size: Sectors::ZERO,
            device: Bytes::ZERO,
            sectors_per_bit: shape.sectors_per_bit,
        };
        Ok(places.sized(level))
    }

    /// In one of the 128 MiB pieces of a meta device.
    pub(super) fn indexed(
        level: &Level,
        meta: Bytes,
        index: u8,
        backing: Bytes,
    ) -> Result<Self, Misfit> {
        let shape = Shape::of(level, true)?;
        let start = FIXED.checked_mul(index.into()).unwrap_or(FIXED);
        Self::fixed(level, &shape, meta, start, backing)
    }

    /// The superblock first, then the log and the bitmap, 128 MiB in all; `data` is what the device can have besides.
    fn fixed(
        level: &Level,
        shape: &Shape,
        holder: Bytes,
        start: Bytes,
        data: Bytes,
    ) -> Result<Self, Misfit> {
        let from = |size: Bytes| start.checked_add(size).map(DevPos::at);
        let end = from(FIXED).filter(|end| end.from_start() <= holder);
        let (Some(_), Some(al), Some(bm)) = (end, from(MD_BLOCK), from(FIXED_BEFORE_BITMAP)) else {
            return Err(too_small(holder, start.saturating_add(FIXED)));
        };
        let bm_size = FIXED.saturating_sub(FIXED_BEFORE_BITMAP);
        let capacity = shape.capacity_of(bm_size);
        let places = Self {
            holder,
            md: DevPos::at(start),
            al,
            al_size: shape.al_size,
            bm,
            bm_size,
            md_size: FIXED.to_sectors_floor(),
            usable: capacity.min(data.to_sectors_floor()),
            la_size: Sectors::ZERO,
            device: Bytes::ZERO,
            sectors_per_bit: shape.sectors_per_bit,
        };
        Ok(places.sized(level))
    }

    /// With the agreed size and what follows from it. 0.7 knows only whole KiB.
    fn sized(mut self, level: &Level) -> Self {
        let known = |size: Sectors| {
            let rest = if level.is_v07() { size.get() % 2 } else { 0 };
            Sectors::new(size.get().saturating_sub(rest))
        };
        self.usable = known(self.usable.min(MAX_DEVICE));
        self.la_size = match level.la_size {
            LaSize::Full => self.usable,
            LaSize::Zero => Sectors::ZERO,
            LaSize::Exactly(size) => known(size),
        };
        let size = match self.la_size {
            Sectors::ZERO => self.usable,
            agreed => agreed.min(self.usable),
        };
        // OK to expect: at most 2^41 sectors.
        self.device = size.to_bytes().expect("at most 1 PiB");
        self
    }
}

fn misfit(field: Field, found: impl Into<i128>, expected: Expected) -> Misfit {
    Misfit {
        field,
        found: found.into(),
        expected,
    }
}

fn too_small(device: Bytes, least: Bytes) -> Misfit {
    misfit(
        Field::DeviceSize,
        device.get(),
        Expected::AtLeast(least.get().into()),
    )
}
