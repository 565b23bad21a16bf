//! Which of its formats a log is in.

use crate::error::Result;
use crate::format::layout::AlStriping;
use crate::format::superblock::Format;

use super::pmem::PMEM_MAGIC;
use super::record::{AL_MAGIC, Content};
use super::{AlArea, AlKind, ReadBlock};

/// Decides as `meta_apply_al` (`drbdmeta.c`) does, but for one case.
///
/// v08 metadata may have either ring. Where its magic and its striping leave that open, drbdmeta takes the 4 KiB one if block 0 or block 1
/// has its magic. But an 8.3 kernel writes its sectors over a log that newer tools initialised, from the first sector on: block 1 keeps its
/// magic until the ninth transaction, and drbdmeta takes the whole log for a fresh one and drops what is active. So sectors that are
/// transactions decide, unless a block is one.
pub(super) fn choose(area: &AlArea, blocks: u32, read_block: &mut ReadBlock<'_>) -> Result<AlKind> {
    if area.format == Format::V07 {
        return Ok(AlKind::Sectors);
    }
    let first = magic(0, read_block)?;
    let known =
        area.format == Format::V09 || area.unclean_84 || area.striping != AlStriping::DEFAULT;
    let ring = known || first == AL_MAGIC || (blocks > 1 && magic(1, read_block)? == AL_MAGIC);
    Ok(if ring && first == PMEM_MAGIC {
        AlKind::Pmem
    } else if ring && (known || !is_of_sectors(read_block)?) {
        AlKind::Blocks
    } else {
        AlKind::Sectors
    })
}

fn magic(block: u64, read_block: &mut ReadBlock<'_>) -> Result<u32> {
    let mut bytes = [0; 4096];
    read_block(block, &mut bytes)?;
    let magic = bytes.first_chunk().copied().unwrap_or_default();
    Ok(u32::from_be_bytes(magic))
}

/// Whether sectors are transactions and no block is one.
fn is_of_sectors(read_block: &mut ReadBlock<'_>) -> Result<bool> {
    let mut sectors = false;
    for block in 0..8 {
        let mut bytes = [0; 4096];
        read_block(block, &mut bytes)?;
        if matches!(Content::of_block(&bytes), Content::Transaction(_)) {
            return Ok(false);
        }
        let (chunks, _) = bytes.as_chunks();
        sectors |= chunks
            .iter()
            .any(|sector| matches!(Content::of_sector(sector), Content::Transaction(_)));
    }
    Ok(sectors)
}
