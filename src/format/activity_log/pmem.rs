//! The log in persistent memory: no ring, every slot in its place.

use crate::error::Result;
use crate::format::ondisk::AlPmemBlock;
use crate::units::AlExtent;

use super::table::{FREE, MOST_SLOTS};
use super::verdict::{Complete, Doubt, Verdict};
use super::{AlArea, ReadBlock};

/// `DRBD_AL_PMEM_MAGIC`.
pub(super) const PMEM_MAGIC: u32 = 0x6aa6_67a6;
/// Words in a block.
const WORDS: u32 = 1024;

/// The active extents, and whether the area can hold the table that the superblock speaks of.
///
/// Every slot of the area counts, not only the first `al_nr_extents`: the kernel frees them all when it initialises the log, and a table that
/// just grew may be larger than the superblock says.
pub(super) fn active(
    area: &AlArea,
    blocks: u32,
    read_block: &mut ReadBlock<'_>,
) -> Result<(Vec<AlExtent>, Verdict)> {
    let most = blocks
        .saturating_mul(WORDS)
        .saturating_sub(1)
        .min(MOST_SLOTS);
    // The magic is in the way of the first slot.
    let words = most.saturating_add(1);
    let mut extents = Vec::new();
    for block in 0..words.div_ceil(WORDS) {
        let mut bytes = [0; 4096];
        read_block(u64::from(block), &mut bytes)?;
        let first = block.saturating_mul(WORDS);
        let words = (first..words).zip(AlPmemBlock::from_bytes(&bytes).words);
        let slots = words.filter(|(word, extent)| *word != 0 && *extent != FREE);
        extents.extend(slots.map(|(_, extent)| AlExtent::new(extent)));
    }
    extents.sort_unstable();
    extents.dedup();
    let verdict = if area.al_nr_extents > most {
        Verdict::Incomplete(vec![Doubt::TableTooLarge {
            al_nr_extents: area.al_nr_extents,
            most,
        }])
    } else {
        Verdict::Complete(Complete::Pmem)
    };
    Ok((extents, verdict))
}
