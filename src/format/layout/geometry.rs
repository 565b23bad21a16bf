//! What the formulas need of a superblock: slots, granularity, and the activity log's shape.

use super::{AL_BLOCKS, BYTES_PER_BIT, MAX_PEERS, misfit};
use crate::error::{Expected, Field, Misfit};
use crate::terms::{AlStriping, Format, MdGeometry};
use crate::units::{Bytes, MD_BLOCK, Sectors};

/// Bits in a byte.
const BITS_PER_BYTE: u64 = 8;
/// A slot's bits are padded to whole words of this many.
const SLOT_WORD_BITS: u64 = 64;
/// The same in bytes.
const SLOT_WORD: Bytes = Bytes::new(8);

impl AlStriping {
    /// One stripe of 32 KiB.
    pub const DEFAULT: Self = Self {
        stripes: 1,
        stripe_size_4k: 8,
    };

    /// What the two fields of a superblock mean: 0 × 0, as DRBD 8.3 leaves them, is the default.
    #[must_use]
    pub const fn on_disk(stripes: u32, stripe_size_4k: u32) -> Self {
        if stripes == 0 && stripe_size_4k == 0 {
            Self::DEFAULT
        } else {
            Self {
                stripes,
                stripe_size_4k,
            }
        }
    }

    /// Blocks in the whole log, or `None` where there are none.
    #[must_use]
    pub fn blocks(self) -> Option<u64> {
        let blocks = u64::from(self.stripes).checked_mul(u64::from(self.stripe_size_4k));
        blocks.filter(|blocks| *blocks > 0)
    }

    /// The block on disk at a position of the ring, or `None` where there are no blocks. The ring has no end.
    ///
    /// Source: `al_tr_number_to_on_disk_sector` (`drbd_actlog.c`): neighbours in time lie in different stripes.
    #[must_use]
    pub fn block_of(self, position: u64) -> Option<u64> {
        let position = position.checked_rem(self.blocks()?)?;
        let stripe = position.checked_rem(u64::from(self.stripes))?;
        let row = position.checked_div(u64::from(self.stripes))?;
        stripe
            .checked_mul(u64::from(self.stripe_size_4k))?
            .checked_add(row)
    }

    /// Bytes of the whole log; `None` where DRBD would not attach to such a log.
    #[must_use]
    pub fn size(self) -> Option<Bytes> {
        let blocks = self.blocks().filter(|blocks| AL_BLOCKS.contains(blocks))?;
        MD_BLOCK.checked_mul(blocks)
    }
}

impl MdGeometry {
    /// What every format before v09 has.
    pub const DEFAULT: Self = Self {
        max_peers: 1,
        bytes_per_bit: 4096,
        al: AlStriping::DEFAULT,
    };

    /// Bits that a slot needs for a device: one for each started unit.
    ///
    /// Source: `drbd_capacity_to_on_disk_bm_sect` (`drbd_nl.c`).
    #[must_use]
    pub fn bits(&self, capacity: Sectors) -> Option<u64> {
        capacity
            .get()
            .checked_div(u64::from(self.bytes_per_bit / 512))
            .and_then(|whole| {
                let rest = capacity
                    .get()
                    .checked_rem(u64::from(self.bytes_per_bit / 512))?;
                whole.checked_add(u64::from(rest != 0))
            })
    }

    /// Bytes of the bitmap area for a device: all slots, each padded to whole 64-bit words, together padded to 4 KiB.
    ///
    /// Source: `drbd_capacity_to_on_disk_bm_sect` (`drbd_nl.c`), `bm_bytes` (`drbdmeta.c`).
    #[must_use]
    pub fn bitmap_size(&self, capacity: Sectors) -> Option<Bytes> {
        let slot_bits = self
            .bits(capacity)?
            .checked_next_multiple_of(SLOT_WORD_BITS)?;
        Bytes::new(slot_bits / BITS_PER_BYTE)
            .checked_mul(u64::from(self.max_peers))?
            .align_up(MD_BLOCK)
    }

    /// The largest device that a bitmap area of `area` bytes can describe.
    ///
    /// Each slot gets its share in whole 64-bit words, as drbdmeta reckons; a kernel may allow a few hundred sectors more.
    #[must_use]
    pub fn bitmap_capacity(&self, area: Bytes) -> Option<Sectors> {
        let share = area
            .align_down(MD_BLOCK)
            .get()
            .checked_div(u64::from(self.max_peers))?;
        let bits = Bytes::new(share)
            .align_down(SLOT_WORD)
            .get()
            .checked_mul(BITS_PER_BYTE)?;
        Bytes::new(u64::from(self.bytes_per_bit))
            .checked_mul(bits)
            .map(Bytes::to_sectors_floor)
    }

    /// The first of these numbers that DRBD does not allow, for a format.
    ///
    /// # Errors
    ///
    /// The field, as rows 10 to 13 of the kernel's attach checks and drbdmeta's `is_valid_md` have it.
    pub fn check(&self, format: Format) -> Result<(), Misfit> {
        let misfit = |field, found: u32, expected| {
            Err(Misfit {
                field,
                found: i128::from(found),
                expected,
            })
        };
        if format != Format::V09 && self.bytes_per_bit != Self::DEFAULT.bytes_per_bit {
            return misfit(
                Field::BmBytesPerBit,
                self.bytes_per_bit,
                Expected::Exactly(4096),
            );
        }
        if !self.bytes_per_bit.is_power_of_two() || !BYTES_PER_BIT.contains(&self.bytes_per_bit) {
            return misfit(
                Field::BmBytesPerBit,
                self.bytes_per_bit,
                Expected::PowerOfTwo(4096, 1_048_576),
            );
        }
        if !(1..=MAX_PEERS).contains(&self.max_peers) {
            return misfit(
                Field::BmMaxPeers,
                self.max_peers,
                Expected::Between(1, i128::from(MAX_PEERS)),
            );
        }
        if self.al.stripes == 0 {
            return misfit(
                Field::AlStripes,
                0,
                Expected::ZeroWith(Field::AlStripeSize4k),
            );
        }
        if self.al.stripe_size_4k == 0 {
            return misfit(
                Field::AlStripeSize4k,
                0,
                Expected::ZeroWith(Field::AlStripes),
            );
        }
        if self.al.size().is_none() {
            let blocks =
                u64::from(self.al.stripes).saturating_mul(u64::from(self.al.stripe_size_4k));
            let expected = Expected::Between(8, 4_194_304);
            return Err(Misfit {
                field: Field::AlBlocks,
                found: i128::from(blocks),
                expected,
            });
        }
        Ok(())
    }
}

impl MdGeometry {
    /// What fixed areas insist on: one stripe of 32 KiB, 4096 bytes per bit (row 17 of the kernel's attach checks).
    pub(super) fn check_fixed(&self) -> Result<(), Misfit> {
        let fields = [
            (
                Field::AlStripes,
                self.al.stripes,
                AlStriping::DEFAULT.stripes,
            ),
            (
                Field::AlStripeSize4k,
                self.al.stripe_size_4k,
                AlStriping::DEFAULT.stripe_size_4k,
            ),
            (
                Field::BmBytesPerBit,
                self.bytes_per_bit,
                Self::DEFAULT.bytes_per_bit,
            ),
        ];
        fields.into_iter().try_for_each(|(field, found, only)| {
            if found == only {
                Ok(())
            } else {
                Err(misfit(field, found, Expected::Exactly(i128::from(only))))
            }
        })
    }

    /// Bytes of flex-internal metadata on a device, or `None` beyond 64 bits.
    #[must_use]
    pub fn internal_size(&self, capacity: Sectors) -> Option<Bytes> {
        self.bitmap_size(capacity)?
            .checked_add(self.al.size()?)?
            .checked_add(MD_BLOCK)
    }
}
