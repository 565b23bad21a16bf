//! Whether a block that carries a magic is a damaged superblock, or data that happens to have four such bytes.
//!
//! Random data has none of these relations; a superblock with one field damaged keeps most of them. A block of zeros has none either.

use crate::format::layout::{AL_BLOCKS, BYTES_PER_BIT, MAX_DEVICE};
use crate::format::superblock::{Format, Superblock};
use crate::units::{DevPos, MD_BLOCK, Sectors};

/// How many relations make a superblock of a block.
const ENOUGH: usize = 2;
/// Sizes of the table of active extents that any DRBD wrote.
const AL_EXTENTS: std::ops::RangeInclusive<u32> = 7..=65_534;

/// Whether a block at `at` is a superblock, by more than its magic.
pub(crate) fn is_plausible(superblock: &Superblock, at: DevPos) -> bool {
    let facts = facts(superblock, at);
    facts.into_iter().filter(|fact| *fact).count() >= ENOUGH
}

/// What holds in a superblock, each by another field.
fn facts(superblock: &Superblock, at: DevPos) -> [bool; 7] {
    let geometry = superblock.geometry();
    let (al, bm) = (superblock.al_offset().get(), superblock.bm_offset().get());
    let blocks = geometry.al.size().map(|size| size.whole_units(MD_BLOCK));
    // A log is so many sectors long.
    let log = blocks
        .and_then(|blocks| MD_BLOCK.checked_mul(blocks))
        .map(|size| size.to_sectors_floor().get())
        .and_then(|sectors| i64::try_from(sectors).ok());
    let md_size = i64::try_from(superblock.md_size().get()).ok();
    let block = 8;
    let before = al < 0;
    let la_size = superblock.la_size();
    let most = if before {
        at.from_start().to_sectors_floor()
    } else {
        MAX_DEVICE
    };
    // v07 says nothing of its geometry.
    let says = superblock.format() != Format::V07;
    [
        says && BYTES_PER_BIT.contains(&geometry.bytes_per_bit)
            && geometry.bytes_per_bit.is_power_of_two(),
        says && striping_is_said(superblock)
            && blocks.is_some_and(|blocks| AL_BLOCKS.contains(&blocks)),
        al == block || log.and_then(i64::checked_neg) == Some(al),
        if before {
            md_size.and_then(|size| size.checked_neg()?.checked_add(block)) == Some(bm)
        } else {
            log.and_then(|log| log.checked_add(block)) == Some(bm)
        },
        la_size != Sectors::ZERO && la_size <= most,
        superblock.format() == Format::V09 && (1..=32).contains(&geometry.max_peers),
        AL_EXTENTS.contains(&superblock.al_nr_extents()),
    ]
}

/// Whether the log's shape is on disk, and not the default for zeros.
fn striping_is_said(superblock: &Superblock) -> bool {
    match superblock {
        Superblock::V07(_) => false,
        Superblock::V08(sb) => sb.al_stripes != 0,
        Superblock::V09(sb) => sb.al_stripes != 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::superblock::{MAGIC_V07, MAGIC_V08, MAGIC_V09};

    #[test]
    fn a_magic_in_zeros_or_noise_is_no_superblock() {
        let noise = |seed: u32| {
            (0..4096_u32)
                .map(|i| (i.wrapping_add(seed).wrapping_mul(2_654_435_761) >> 13).to_be_bytes()[3])
                .collect::<Vec<u8>>()
        };
        for seed in 0..64 {
            for content in [vec![0; 4096], noise(seed), b"text ".repeat(820)] {
                for (magic, offset) in [(MAGIC_V07, 28), (MAGIC_V08, 60), (MAGIC_V09, 60)] {
                    let mut block: [u8; 4096] = content[..4096].try_into().unwrap();
                    block[offset..offset + 4].copy_from_slice(&magic.to_be_bytes());
                    let superblock = Superblock::decode(&block).unwrap();
                    assert!(!is_plausible(&superblock, DevPos::new(1 << 30)));
                }
            }
        }
    }
}
