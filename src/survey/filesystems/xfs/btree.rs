//! `struct xfs_btree_block`: the trees of a group, whose pointers have 32 bits.

use super::Xfs;
use crate::error::Result;
use crate::survey::bytes::{be16, be32, has};

/// The deepest tree that XFS makes.
const MOST_LEVELS: u32 = 12;

/// What a tree's blocks begin with, and how large its records and keys are.
pub(super) struct Shape {
    pub(super) magic_4: [u8; 4],
    pub(super) magic_5: [u8; 4],
    pub(super) record: usize,
    pub(super) key: usize,
}

pub(super) const FREE_BY_BLOCK: Shape = shape(*b"ABTB", *b"AB3B", 8, 8);
pub(super) const FREE_BY_SIZE: Shape = shape(*b"ABTC", *b"AB3C", 8, 8);
pub(super) const INODES: Shape = shape(*b"IABT", *b"IAB3", 16, 4);
pub(super) const FREE_INODES: Shape = shape(*b"FIBT", *b"FIB3", 16, 4);
pub(super) const OWNERS: Shape = shape(*b"RMB3", *b"RMB3", 24, 40);
pub(super) const REFERENCES: Shape = shape(*b"R3FC", *b"R3FC", 12, 4);

const fn shape(magic_4: [u8; 4], magic_5: [u8; 4], record: usize, key: usize) -> Shape {
    Shape {
        magic_4,
        magic_5,
        record,
        key,
    }
}

/// Bytes before the records.
const fn header_len(version_5: bool) -> usize {
    if version_5 { 56 } else { 16 }
}

/// What a walk shows.
pub(super) enum Seen<'b> {
    /// A block of the tree, by its number in the group.
    Block(u64),
    /// A record of a leaf.
    Record(&'b [u8]),
}

/// Shows the tree with this root and so many levels to `visit`; `false` where it is damaged, and what was shown may not be all.
pub(super) fn walk(
    xfs: &Xfs<'_>,
    group: u64,
    shape: &Shape,
    (root, levels): (u32, u32),
    visit: &mut dyn FnMut(Seen<'_>) -> Result<()>,
) -> Result<bool> {
    let Some(level) = levels.checked_sub(1).filter(|level| *level < MOST_LEVELS) else {
        return Ok(false);
    };
    node(xfs, group, shape, (root, level), visit)
}

fn node(
    xfs: &Xfs<'_>,
    group: u64,
    shape: &Shape,
    (block, level): (u32, u32),
    visit: &mut dyn FnMut(Seen<'_>) -> Result<()>,
) -> Result<bool> {
    let sb = &xfs.superblock;
    let Some(at) = sb.block_in(group, block.into()) else {
        return Ok(false);
    };
    visit(Seen::Block(block.into()))?;
    let Some(bytes) = xfs.blocks.read(at)? else {
        return Ok(false);
    };
    let magic = if sb.version_5 {
        shape.magic_5
    } else {
        shape.magic_4
    };
    if !has(&bytes, 0, &magic) || be16(&bytes, 4).map(u32::from) != Some(level) {
        return Ok(false);
    }
    let count = usize::from(be16(&bytes, 6).unwrap_or(0));
    let body = bytes.get(header_len(sb.version_5)..).unwrap_or_default();
    if level == 0 {
        let records = body.chunks_exact(shape.record);
        let whole = count <= records.len();
        for record in records.take(count) {
            visit(Seen::Record(record))?;
        }
        return Ok(whole);
    }
    // Keys have room for as many as there can be; pointers follow.
    let room = body
        .len()
        .checked_div(shape.key.saturating_add(4))
        .unwrap_or(0);
    let pointers = body
        .get(room.saturating_mul(shape.key)..)
        .unwrap_or_default();
    let mut whole = count <= room;
    for pointer in pointers.chunks_exact(4).take(count.min(room)) {
        let Some(child) = be32(pointer, 0) else {
            break;
        };
        whole &= node(xfs, group, shape, (child, level.saturating_sub(1)), visit)?;
    }
    Ok(whole)
}
