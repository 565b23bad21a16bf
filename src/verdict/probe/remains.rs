//! What is left of metadata whose superblock is gone: its activity log, or everything of the block but the magic.

use crate::error::Result;
use crate::format::activity_log::is_log_block;
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{
    Format, MAGIC_OFFSET, MAGIC_OFFSET_V07, MAGIC_V07, MAGIC_V08, MAGIC_V09, Superblock, magic,
};
use crate::image::Window;
use crate::units::{DevPos, MD_BLOCK};
use crate::verdict::probe::Damage;

/// How many blocks of a log are looked at: all of the smallest one's.
const LOG_BLOCKS: u64 = 8;
/// Each format's magic, and where it is.
const MAGICS: [(Format, u32, usize); 3] = [
    (Format::V09, MAGIC_V09, MAGIC_OFFSET),
    (Format::V08, MAGIC_V08, MAGIC_OFFSET),
    (Format::V07, MAGIC_V07, MAGIC_OFFSET_V07),
];

/// A block of a device.
pub(super) enum BlockAt {
    /// It carries a magic.
    Superblock(Superblock),
    /// It does not.
    Other(Box<[u8; SUPERBLOCK_LEN]>),
}

/// The block at a position; `None` where the position leaves the device.
pub(super) fn block_at(device: Window<'_>, at: DevPos) -> Result<Option<BlockAt>> {
    let inside = at
        .checked_add(MD_BLOCK)
        .is_some_and(|end| end.from_start() <= device.size());
    if !inside {
        return Ok(None);
    }
    let mut block = Box::new([0; SUPERBLOCK_LEN]);
    device.read_exact_at(at, &mut *block)?;
    Ok(Some(Superblock::decode(&block).map_or_else(
        || BlockAt::Other(block),
        BlockAt::Superblock,
    )))
}

/// What is left at and beside the places where a superblock should be.
pub(super) fn remains(device: Window<'_>, places: &[(MdIndex, DevPos)]) -> Result<Option<Damage>> {
    for (index, at) in places {
        if let Some(BlockAt::Other(block)) = block_at(device, *at)?
            && let Some(damage) = but_for_its_magic(device, *index, *at, &block)
        {
            return Ok(Some(damage));
        }
    }
    for (index, at) in places {
        if let Some(log) = log_beside(device, *index, *at)? {
            return Ok(Some(Damage::LogAlone {
                log,
                superblock: *at,
            }));
        }
    }
    Ok(None)
}

/// Whether a block would be a superblock that fits its place, had it a magic.
fn but_for_its_magic(
    device: Window<'_>,
    index: MdIndex,
    at: DevPos,
    block: &[u8; SUPERBLOCK_LEN],
) -> Option<Damage> {
    MAGICS.into_iter().find_map(|(format, number, offset)| {
        let mut mended = *block;
        mended
            .get_mut(offset..)?
            .first_chunk_mut()
            .map(|place| *place = number.to_be_bytes())?;
        let superblock = Superblock::decode(&mended).filter(|sb| sb.format() == format)?;
        MdLayout::of(&superblock, index, device.size()).ok()?;
        Some(Damage::Magic {
            at,
            format,
            found: magic(block),
        })
    })
}

/// The first block of an activity log beside a superblock's place: before it, where internal, behind it otherwise.
///
/// Where the end of the image was cut off, the log may end in that place itself.
fn log_beside(device: Window<'_>, index: MdIndex, at: DevPos) -> Result<Option<DevPos>> {
    let far = MD_BLOCK.checked_mul(LOG_BLOCKS);
    let first = match index {
        MdIndex::FlexInternal => far
            .and_then(|far| at.checked_sub(far))
            .unwrap_or(DevPos::START),
        _ => at,
    };
    for number in 0..=LOG_BLOCKS {
        let place = MD_BLOCK
            .checked_mul(number)
            .and_then(|distance| first.checked_add(distance));
        let Some(place) = place else { break };
        if let Some(BlockAt::Other(block)) = block_at(device, place)?
            && is_log_block(&block)
        {
            return Ok(Some(place));
        }
    }
    Ok(None)
}
