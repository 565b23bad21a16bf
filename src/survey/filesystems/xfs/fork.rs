//! `struct xfs_bmbt_rec`: where the blocks of a fork are.

use super::Xfs;
use super::inode::{Fork, Form};
use crate::error::Result;
use crate::survey::bytes::{be16, be64, has};

/// The deepest tree that XFS makes of a fork.
const MOST_LEVELS: u16 = 12;
/// A record of an extent; a key and a pointer together have as much.
const RECORD: usize = 16;

/// Consecutive blocks of a fork.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The first block's number in the file.
    pub(super) logical: u64,
    /// The same, counted from the start of the device.
    pub(super) first: u64,
    pub(super) count: u64,
    pub(super) unwritten: bool,
}

/// What of a fork lies somewhere.
pub(super) enum Piece {
    Data(Extent),
    /// A block of its tree.
    Tree(u64),
}

/// Shows every piece of a fork to `visit`; `false` where it is damaged, and what was shown may not be all.
pub(super) fn each(xfs: &Xfs<'_>, fork: &Fork<'_>, visit: &mut dyn FnMut(Piece)) -> Result<bool> {
    match fork.form {
        Form::Local => Ok(true),
        Form::Extents => {
            let Ok(count) = usize::try_from(fork.extents) else {
                return Ok(false);
            };
            Ok(records(xfs, fork.bytes, count, visit))
        }
        Form::Btree => {
            let level = be16(fork.bytes, 0).filter(|level| (1..MOST_LEVELS).contains(level));
            let (Some(level), Some(count)) = (level, be16(fork.bytes, 2)) else {
                return Ok(false);
            };
            let body = fork.bytes.get(4..).unwrap_or_default();
            children(xfs, body, usize::from(count), level, visit)
        }
    }
}

/// Records of extents.
fn records(xfs: &Xfs<'_>, bytes: &[u8], count: usize, visit: &mut dyn FnMut(Piece)) -> bool {
    let records = bytes.chunks_exact(RECORD);
    let mut whole = count <= records.len();
    for record in records.take(count) {
        let extent = extent(xfs, record);
        whole &= extent.is_some();
        if let Some(extent) = extent {
            visit(Piece::Data(extent));
        }
    }
    whole
}

/// A bit for "never written", 54 for the place in the file, 52 for the block, 21 for how many.
fn extent(xfs: &Xfs<'_>, record: &[u8]) -> Option<Extent> {
    let (upper, lower) = (be64(record, 0)?, be64(record, 8)?);
    let count = lower & 0x1F_FFFF;
    let block = (upper & 0x1FF) << 43 | lower >> 21;
    Some(Extent {
        logical: (upper & (u64::MAX >> 1)) >> 9,
        first: xfs.superblock.extent(block, count)?,
        count,
        unwritten: upper >> 63 == 1,
    })
}

/// The children of a node whose keys and pointers these are.
fn children(
    xfs: &Xfs<'_>,
    body: &[u8],
    count: usize,
    level: u16,
    visit: &mut dyn FnMut(Piece),
) -> Result<bool> {
    let room = body.len() / RECORD;
    let pointers = body.get(room.saturating_mul(8)..).unwrap_or_default();
    let mut whole = count <= room;
    for pointer in pointers.chunks_exact(8).take(count.min(room)) {
        let Some(child) = be64(pointer, 0) else {
            break;
        };
        whole &= node(xfs, child, level.saturating_sub(1), visit)?;
    }
    Ok(whole)
}

fn node(xfs: &Xfs<'_>, block: u64, level: u16, visit: &mut dyn FnMut(Piece)) -> Result<bool> {
    let sb = &xfs.superblock;
    let Some(at) = sb.extent(block, 1) else {
        return Ok(false);
    };
    visit(Piece::Tree(at));
    let Some(bytes) = xfs.blocks.read(at)? else {
        return Ok(false);
    };
    let (magic, header) = if sb.version_5 {
        (b"BMA3", 72)
    } else {
        (b"BMAP", 24)
    };
    if !has(&bytes, 0, magic) || be16(&bytes, 4) != Some(level) {
        return Ok(false);
    }
    let count = usize::from(be16(&bytes, 6).unwrap_or(0));
    let body = bytes.get(header..).unwrap_or_default();
    if level == 0 {
        Ok(records(xfs, body, count, visit))
    } else {
        children(xfs, body, count, level, visit)
    }
}
