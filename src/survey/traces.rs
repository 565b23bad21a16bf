//! What is left of metadata that DRBD does not see any more: superblocks whose magic was erased or replaced, and activity logs alone.
//!
//! | trace | what happened |
//! |---|---|
//! | erased | wipefs, pvcreate, mkswap and others overwrote the magic, and nothing else |
//! | under way | a change by mdtool was interrupted: its undo file puts back what was there |
//! | retired | a completed change by mdtool took the superblock out of use |
//! | log alone | the superblock is gone, its activity log is not |

use super::locate::{FoundBy, Level, Role, fitting};
use super::places::Place;
use super::plausibility::is_plausible;
use crate::error::Result;
use crate::format::activity_log::is_log_block;
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{
    Format, MAGIC_OFFSET, MAGIC_OFFSET_V07, MAGIC_V07, MAGIC_V08, MAGIC_V09, Mark, Superblock,
    magic, mark_of, unmarked,
};
use crate::image::Window;
use crate::units::{Bytes, DevPos, MD_BLOCK};

/// How many blocks of a log are looked at: all of the smallest one's.
const LOG_BLOCKS: u64 = 8;
/// Where v09 has its activity log's striping, and v08 nothing.
const STRIPING_V09: usize = 96;
/// Where v08 and v09 say how many bytes a bit stands for.
const BYTES_PER_BIT: usize = 80;
/// Where v07 has its metadata's size.
const MD_SIZE_V07: usize = 32;

/// What is left of metadata, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// Where the superblock is, or would be.
    pub at: DevPos,
    /// What is left.
    pub kind: TraceKind,
    /// Whether DRBD looks there.
    pub in_place: bool,
    /// The format; `None` where the superblock is gone.
    pub format: Option<Format>,
    /// The resource that the superblock describes once its magic is back; `None` where its fields do not fit its position.
    pub level: Option<Level>,
}

/// What is left of metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceKind {
    /// A superblock that is whole but for its magic.
    Erased {
        /// The word in the magic's place.
        found: u32,
    },
    /// A superblock that an interrupted change of mdtool's left.
    UnderWay,
    /// A superblock that a completed change of mdtool's took out of use.
    Retired,
    /// An activity log without its superblock.
    LogAlone {
        /// The first block of it that was found.
        log: DevPos,
        /// How much of the superblock is there, where the end of the device cuts it off.
        left: Bytes,
    },
}

impl TraceKind {
    /// One word, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Erased { .. } => "erased",
            Self::UnderWay => "under-way",
            Self::Retired => "retired",
            Self::LogAlone { .. } => "log-alone",
        }
    }
}

impl Trace {
    /// Where the magic belongs and its bytes, where that is all that is missing.
    #[must_use]
    pub fn missing_magic(&self) -> Option<(DevPos, [u8; 4])> {
        let TraceKind::Erased { .. } = self.kind else {
            return None;
        };
        let (number, offset) = match self.format? {
            Format::V07 => (MAGIC_V07, MAGIC_OFFSET_V07),
            Format::V08 => (MAGIC_V08, MAGIC_OFFSET),
            Format::V09 => (MAGIC_V09, MAGIC_OFFSET),
        };
        let at = self.at.checked_add(Bytes::of_len(offset))?;
        Some((at, number.to_be_bytes()))
    }
}

/// A block of a device.
pub(super) enum Block {
    /// It carries a magic.
    Superblock(Superblock),
    /// It does not.
    Other(Box<[u8; SUPERBLOCK_LEN]>),
}

/// The block at a position; `None` where the position leaves the device.
pub(super) fn block_at(device: Window<'_>, at: DevPos) -> Result<Option<Block>> {
    let inside = at
        .checked_add(MD_BLOCK)
        .is_some_and(|end| end.from_start() <= device.size());
    if !inside {
        return Ok(None);
    }
    let mut block = Box::new([0; SUPERBLOCK_LEN]);
    device.read_exact_at(at, &mut *block)?;
    Ok(Some(
        Superblock::decode(&block).map_or_else(|| Block::Other(block), Block::Superblock),
    ))
}

/// The superblock at a position; `None` where the position leaves the device or the block carries no magic.
pub(crate) fn superblock_at(device: Window<'_>, at: DevPos) -> Result<Option<Superblock>> {
    Ok(match block_at(device, at)? {
        Some(Block::Superblock(superblock)) => Some(superblock),
        Some(Block::Other(_)) | None => None,
    })
}

/// Whether a block without a magic is worth a closer look: cheap, since every block of a disk is asked.
pub(super) fn may_be_trace(block: &[u8; SUPERBLOCK_LEN]) -> bool {
    let word = |at: usize| {
        let bytes = block.get(at..).and_then(|rest| rest.first_chunk());
        bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
    };
    let erased = word(MAGIC_OFFSET) == 0 && word(BYTES_PER_BIT).is_power_of_two();
    let erased_v07 = word(MAGIC_OFFSET_V07) == 0 && word(MD_SIZE_V07) == 131_072;
    erased || erased_v07 || mark_of(block).is_some()
}

/// The trace that a block without a magic is, by what its position implies.
pub(super) fn by_position(
    block: &[u8; SUPERBLOCK_LEN],
    at: DevPos,
    device: Bytes,
) -> Option<Trace> {
    let fits = |superblock: &Superblock| {
        let (layout, size) = fitting(superblock, at, device).ok()?;
        Some(level(superblock, layout, size, FoundBy::Scan))
    };
    marked(block, at, &fits).or_else(|| erased(block, at, &fits).filter(|_| is_zero(block)))
}

/// The trace that a block without a magic is at a place where DRBD looks.
pub(super) fn in_place(block: &[u8; SUPERBLOCK_LEN], place: Place) -> Option<Trace> {
    let fits = |superblock: &Superblock| {
        let layout = MdLayout::of(superblock, place.index, place.device).ok()?;
        Some(level(
            superblock,
            layout,
            place.device,
            FoundBy::ExpectedPosition,
        ))
    };
    let found = marked(block, place.at, &fits).or_else(|| erased(block, place.at, &fits));
    found.map(|trace| Trace {
        in_place: true,
        ..trace
    })
}

fn level(superblock: &Superblock, layout: MdLayout, device: Bytes, found_by: FoundBy) -> Level {
    Level {
        role: Role::Single,
        superblock: superblock.clone(),
        layout,
        device,
        found_by,
    }
}

/// Whether zeros stand where the magic was: what erases a signature writes just those.
fn is_zero(block: &[u8; SUPERBLOCK_LEN]) -> bool {
    let v07 = block.get(MAGIC_OFFSET_V07..).and_then(|b| b.first_chunk());
    magic(block) == 0 || v07 == Some(&[0; 4])
}

/// A superblock with one of mdtool's marks.
fn marked(
    block: &[u8; SUPERBLOCK_LEN],
    at: DevPos,
    fits: &dyn Fn(&Superblock) -> Option<Level>,
) -> Option<Trace> {
    let marked = mark_of(block)?;
    let superblock = Superblock::decode(&unmarked(block)?)?;
    let level = fits(&superblock);
    (level.is_some() || is_plausible(&superblock, at)).then_some(Trace {
        at,
        kind: match marked.mark {
            Mark::UnderWay => TraceKind::UnderWay,
            Mark::Retired => TraceKind::Retired,
        },
        in_place: false,
        format: Some(marked.format),
        level,
    })
}

/// A superblock that fits its place but for its magic.
fn erased(
    block: &[u8; SUPERBLOCK_LEN],
    at: DevPos,
    fits: &dyn Fn(&Superblock) -> Option<Level>,
) -> Option<Trace> {
    candidates(block).into_iter().find_map(|(number, offset)| {
        let mut mended = *block;
        *mended.get_mut(offset..)?.first_chunk_mut()? = number.to_be_bytes();
        let superblock = Superblock::decode(&mended)?;
        let level = fits(&superblock)?;
        Some(Trace {
            at,
            kind: TraceKind::Erased {
                found: magic(block),
            },
            in_place: false,
            format: Some(superblock.format()),
            level: Some(level),
        })
    })
}

/// The magics that may have been a block's, the likeliest first.
///
/// v08's striping lies where v09 has its number of slots and its node id, so that either fits in the other's place: what tells them apart is
/// v09's own striping, behind everything that v08 has.
fn candidates(block: &[u8; SUPERBLOCK_LEN]) -> [(u32, usize); 3] {
    let behind = block.get(STRIPING_V09..);
    let v08_s = behind.is_none_or(|rest| rest.iter().all(|byte| *byte == 0));
    let (v08, v09) = ((MAGIC_V08, MAGIC_OFFSET), (MAGIC_V09, MAGIC_OFFSET));
    let v07 = (MAGIC_V07, MAGIC_OFFSET_V07);
    if v08_s {
        [v08, v09, v07]
    } else {
        [v09, v08, v07]
    }
}

/// An activity log beside one of some places whose superblock is gone.
pub(super) fn log_alone(device: Window<'_>, places: &[Place]) -> Result<Option<Trace>> {
    for place in places {
        // Where a superblock is, however damaged, the log is not alone.
        if superblock_at(device, place.at)?.is_some() {
            continue;
        }
        if let Some(log) = log_beside(device, place.index, place.at)? {
            let (at, left) = match cut_off(device, *place)? {
                Some((at, left)) => (at, left),
                None => (place.at, Bytes::ZERO),
            };
            // A log that reaches into the superblock's place was cut off with its own superblock, which was never here.
            let block = block_at(device, place.at)?;
            let is_log = matches!(block, Some(Block::Other(block)) if is_log_block(&block));
            let cut_short = place.index == MdIndex::FlexInternal && is_log;
            return Ok(Some(Trace {
                at,
                kind: TraceKind::LogAlone { log, left },
                in_place: left > Bytes::ZERO || !cut_short,
                format: None,
                level: None,
            }));
        }
    }
    Ok(None)
}

/// The superblock that begins in the last, incomplete block of the device, and how much of it is there.
fn cut_off(device: Window<'_>, place: Place) -> Result<Option<(DevPos, Bytes)>> {
    let at = place.at.saturating_add(MD_BLOCK);
    let left = device.size().saturating_sub(at.from_start());
    let mut block = [0; SUPERBLOCK_LEN];
    let there = left.to_usize().and_then(|left| block.get_mut(..left));
    let Some(there) = there.filter(|there| !there.is_empty()) else {
        return Ok(None);
    };
    device.read_exact_at(at, there)?;
    Ok(Superblock::decode(&block).map(|_| (at, left)))
}

/// The first block of an activity log beside a superblock's place: before it, where internal, behind it otherwise.
///
/// Where the end of the image was cut off, the log may end in that place itself. A log that has a superblock beside it, of another placement or
/// of another size of the device, is not alone.
fn log_beside(device: Window<'_>, index: MdIndex, at: DevPos) -> Result<Option<DevPos>> {
    let far = MD_BLOCK.checked_mul(LOG_BLOCKS);
    let first = match index {
        MdIndex::FlexInternal => far
            .and_then(|far| at.checked_sub(far))
            .unwrap_or(DevPos::START),
        _ => at,
    };
    let mut log = None;
    for number in 0..=LOG_BLOCKS {
        let place = MD_BLOCK
            .checked_mul(number)
            .and_then(|distance| first.checked_add(distance));
        let Some(place) = place else { break };
        match block_at(device, place)? {
            Some(Block::Superblock(_)) if log.is_some() || index != MdIndex::FlexInternal => {
                return Ok(None);
            }
            Some(Block::Other(block)) if log.is_none() && is_log_block(&block) => {
                log = Some(place);
                if index != MdIndex::FlexInternal {
                    break;
                }
            }
            _ => {}
        }
    }
    Ok(log)
}
