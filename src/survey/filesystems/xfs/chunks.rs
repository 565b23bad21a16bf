//! `struct xfs_inobt_rec`: chunks of 64 inodes, in the order of the disk.

use super::Xfs;
use super::btree::{self, Seen};
use super::groups::Group;
use super::inode::Inode;
use crate::error::Result;
use crate::survey::bytes::{be16, be32, be64};
use crate::survey::filesystems::answer::Class;
use crate::survey::filesystems::findings::{Findings, What};

/// Inodes of a chunk.
const INODES: u64 = 64;
/// Inodes that one bit of the mask of holes stands for.
const HOLE: u64 = 4;

/// Takes an inode with its number; answers whether its map is whole.
pub(super) type Visit<'v> = dyn FnMut(u64, &Inode<'_>, &mut Findings) -> Result<bool> + 'v;

/// A chunk, as its record has it.
#[derive(Clone, Copy)]
struct Chunk {
    /// The first inode's number in the group.
    first: u64,
    /// A bit for each four inodes that are not there.
    holes: u16,
    /// A bit for each inode that is free.
    free: u64,
}

impl Chunk {
    fn decode(record: &[u8], sparse: bool) -> Option<Self> {
        Some(Self {
            first: be32(record, 0)?.into(),
            holes: if sparse { be16(record, 4)? } else { 0 },
            free: be64(record, 8)?,
        })
    }

    fn is_there(self, inode: u64) -> bool {
        let bit = inode.checked_div(HOLE).unwrap_or(0);
        (self.holes >> bit.min(15)) & 1 == 0
    }

    fn is_used(self, inode: u64) -> bool {
        self.is_there(inode) && (self.free >> inode.min(63)) & 1 == 0
    }
}

/// Notes the tree of inodes and the chunks of a group, and shows every used inode to `visit`; `false` where something is damaged.
pub(super) fn each(
    xfs: &Xfs<'_>,
    group: &Group,
    findings: &mut Findings,
    visit: &mut Visit<'_>,
) -> Result<bool> {
    let Some(root) = group.inodes else {
        return Ok(false);
    };
    let sb = &xfs.superblock;
    let mut good = true;
    let whole = btree::walk(xfs, group.number, &btree::INODES, root, &mut |seen| {
        match seen {
            Seen::Block(block) => {
                if let Some(block) = sb.block_in(group.number, block) {
                    xfs.note(
                        findings,
                        block,
                        1,
                        What::of(Class::Metadata, "tree of inodes"),
                    );
                }
            }
            Seen::Record(record) => {
                good &= match Chunk::decode(record, sb.has_sparse_inodes) {
                    Some(chunk) if !findings.is_full() => {
                        inodes(xfs, group.number, chunk, findings, visit)?
                    }
                    _ => false,
                };
            }
        }
        Ok(())
    })?;
    Ok(whole && good)
}

/// The inodes of a chunk, block by block.
fn inodes(
    xfs: &Xfs<'_>,
    group: u64,
    chunk: Chunk,
    findings: &mut Findings,
    visit: &mut Visit<'_>,
) -> Result<bool> {
    let sb = &xfs.superblock;
    let mut whole = true;
    let mut done = 0;
    while done < INODES {
        let number = chunk.first.saturating_add(done);
        let (block, place) = sb.inode_in_group(number);
        let in_block = sb
            .inodes_in_block()
            .saturating_sub(u64::try_from(place).unwrap_or(0))
            .max(1);
        let count = in_block.min(INODES.saturating_sub(done));
        let there = (done..done.saturating_add(count)).any(|inode| chunk.is_there(inode));
        let used = (done..done.saturating_add(count)).any(|inode| chunk.is_used(inode));
        let at = sb.block_in(group, block).filter(|_| there);
        whole &= at.is_some() || !there;
        if let Some(at) = at {
            xfs.note(findings, at, 1, What::of(Class::Metadata, "inodes"));
        }
        let bytes = match at.filter(|_| used) {
            Some(at) => xfs.blocks.read(at)?,
            None => None,
        };
        let bytes = bytes.unwrap_or_default();
        let slots = bytes.chunks_exact(sb.inode_size).skip(place);
        for (inode, bytes) in (done..done.saturating_add(count)).zip(slots) {
            let number = sb.inode_number(group, chunk.first.saturating_add(inode));
            let (Some(number), Some(read)) = (number, Inode::decode(bytes, sb)) else {
                whole &= !chunk.is_used(inode);
                continue;
            };
            if chunk.is_used(inode) {
                whole &= visit(number, &read, findings)?;
            }
        }
        done = done.saturating_add(count);
    }
    Ok(whole)
}
