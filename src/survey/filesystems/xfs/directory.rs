//! `struct xfs_dir2_data_entry`, `struct xfs_dir2_sf_hdr`: the entries of directories.

use super::Xfs;
use super::chunks;
use super::fork::{self, Extent, Piece};
use super::groups;
use super::inode::{Form, Inode, Kind};
use super::superblock::Superblock;
use crate::error::Result;
use crate::survey::bytes::{array, be16, be32, be64, has};
use crate::survey::filesystems::findings::Findings;
use crate::survey::filesystems::names::Directories;
use crate::units::Bytes;

/// Entries are before that place in a directory, indexes behind it (`XFS_DIR2_LEAF_OFFSET`).
const INDEXES: Bytes = Bytes::new(32 << 30);

impl Directories for Xfs<'_> {
    fn root(&self) -> u64 {
        self.superblock.root
    }

    fn all(&self, visit: &mut dyn FnMut(u64, u64, &[u8])) -> Result<()> {
        // Nothing is wanted of this pass but the entries.
        let mut nothing = Findings::new(Vec::new(), 0);
        for number in 0..self.superblock.groups() {
            let group = groups::inodes_of(self, number)?;
            chunks::each(self, &group, &mut nothing, &mut |number, inode, _| {
                if inode.kind() == Kind::Directory {
                    each(self, inode, &mut |child, name| visit(number, child, name))?;
                }
                Ok(true)
            })?;
        }
        Ok(())
    }

    fn one(&self, directory: u64, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
        let sb = &self.superblock;
        let Some((group, inode)) = sb.inode_group(directory) else {
            return Ok(());
        };
        let (block, place) = sb.inode_in_group(inode);
        let Some(at) = sb.block_in(group, block) else {
            return Ok(());
        };
        let Some(bytes) = self.blocks.uncounted(at)? else {
            return Ok(());
        };
        let inode = bytes.chunks_exact(sb.inode_size).nth(place);
        match inode.and_then(|bytes| Inode::decode(bytes, sb)) {
            Some(inode) if inode.kind() == Kind::Directory => each(self, &inode, visit),
            _ => Ok(()),
        }
    }
}

/// Shows every entry of a directory to `visit`, `..` among them.
fn each(xfs: &Xfs<'_>, inode: &Inode<'_>, visit: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
    let sb = &xfs.superblock;
    let Some(fork) = inode.data() else {
        return Ok(());
    };
    if fork.form == Form::Local {
        let _ = short_form(fork.bytes, sb, visit);
        return Ok(());
    }
    let mut extents: Vec<Extent> = Vec::new();
    fork::each(xfs, &fork, &mut |piece| {
        if let Piece::Data(extent) = piece {
            extents.push(extent);
        }
    })?;
    let end = INDEXES.whole_units(sb.block_size);
    let mut block = Vec::new();
    let blocks = extents
        .iter()
        .flat_map(|extent| (0..extent.count).map(move |step| (extent, step)));
    for (extent, step) in blocks {
        let logical = extent.logical.saturating_add(step);
        if logical >= end {
            continue;
        }
        let Some(bytes) = xfs.blocks.read(extent.first.saturating_add(step))? else {
            if xfs.blocks.is_spent() {
                return Ok(());
            }
            continue;
        };
        // Blocks of a directory may have several of the file system's, and lie in several extents.
        if logical.checked_rem(sb.directory_blocks) == Some(0) {
            block.clear();
        }
        block.extend_from_slice(&bytes);
        let whole = sb.block_size.checked_mul(sb.directory_blocks);
        if whole == Some(Bytes::of_len(block.len())) {
            let _ = entries(&block, sb, visit);
            block.clear();
        }
    }
    Ok(())
}

/// The entries of one block of a directory; `None` where they end in nonsense.
fn entries(block: &[u8], sb: &Superblock, visit: &mut dyn FnMut(u64, &[u8])) -> Option<()> {
    let single = has(block, 0, b"XD2B") || has(block, 0, b"XDB3");
    if !single && !has(block, 0, b"XD2D") && !has(block, 0, b"XDD3") {
        return None;
    }
    // A directory of a single block has its index at the end of that.
    let end = if single {
        let tail = block.len().checked_sub(8)?;
        let count = usize::try_from(be32(block, tail)?).ok()?;
        tail.checked_sub(count.checked_mul(8)?)?
    } else {
        block.len()
    };
    let block = block.get(..end)?;
    let mut at = if sb.version_5 { 64 } else { 16 };
    while at < end {
        if be16(block, at)? == 0xFFFF {
            let len = usize::from(be16(block, at.checked_add(2)?)?);
            at = at.checked_add(len.max(8))?;
            continue;
        }
        let inode = be64(block, at)?;
        let start = at.checked_add(8)?;
        let [len] = array(block, start)?;
        let name = start.checked_add(1)?;
        let behind = name.checked_add(usize::from(len))?;
        visit(inode, block.get(name..behind)?);
        // A type, where there are types; a tag of two bytes; and up to a multiple of 8.
        let used = behind
            .checked_add(2)?
            .checked_add(usize::from(sb.has_types))?;
        at = used.checked_next_multiple_of(8)?;
    }
    Some(())
}

/// Entries in the inode itself; `None` where they end in nonsense.
fn short_form(bytes: &[u8], sb: &Superblock, visit: &mut dyn FnMut(u64, &[u8])) -> Option<()> {
    let [count, wide] = array(bytes, 0)?;
    let inode = |at: usize| -> Option<(u64, usize)> {
        if wide > 0 {
            Some((be64(bytes, at)?, at.checked_add(8)?))
        } else {
            Some((be32(bytes, at)?.into(), at.checked_add(4)?))
        }
    };
    let (parent, mut at) = inode(2)?;
    visit(parent, b"..");
    for _ in 0..count {
        let [len] = array(bytes, at)?;
        let name = at.checked_add(3)?;
        let behind = name.checked_add(usize::from(len))?;
        let (child, next) = inode(behind.checked_add(usize::from(sb.has_types))?)?;
        visit(child, bytes.get(name..behind)?);
        at = next;
    }
    Some(())
}
