//! The tables of inodes, streamed.

use super::Ext;
use super::groups;
use super::inode::Inode;
use crate::error::Result;
use crate::units::{Bytes, DevPos};

/// How much of a table is read at once: a whole number of inodes of every size.
const PIECE: Bytes = Bytes::new(256 << 10);

/// Shows every inode that is or was in use to `visit`, with its number.
pub(super) fn each_inode(
    ext: &Ext<'_>,
    visit: &mut dyn FnMut(u32, &Inode<'_>) -> Result<()>,
) -> Result<()> {
    let sb = &ext.superblock;
    let mut buffer = Vec::new();
    groups::each(ext, &mut |group| {
        let before = group.number.checked_mul(u64::from(sb.inodes_per_group));
        let first = before.and_then(|before| before.checked_add(1));
        let len = Bytes::of_len(sb.inode_size).checked_mul(u64::from(group.inodes(sb)));
        let start = ext
            .blocks
            .range(group.inode_table, 0)
            .map(|range| range.start);
        let (Some(first), Some(len), Some(start)) = (first, len, start) else {
            return Ok(());
        };
        each_of(ext, first, start, len, &mut buffer, visit)
    })
}

/// Shows the inodes of one table of `len`, the first of which has the number `first`.
fn each_of(
    ext: &Ext<'_>,
    first: u64,
    start: DevPos,
    len: Bytes,
    buffer: &mut Vec<u8>,
    visit: &mut dyn FnMut(u32, &Inode<'_>) -> Result<()>,
) -> Result<()> {
    let device = ext.blocks.device();
    let size = Bytes::of_len(ext.superblock.inode_size);
    let on_device = device.size().checked_sub(start.from_start());
    let len = len.min(on_device.unwrap_or(Bytes::ZERO)).align_down(size);
    let mut done = Bytes::ZERO;
    while done < len {
        let Some(at) = start.checked_add(done) else {
            break;
        };
        // Tables that were never written are holes in an image.
        let data = device.next_data(at)?;
        let hole = data.map_or(len, |data| data.start.saturating_since(at));
        if hole >= size {
            done = Bytes::new(done.get().saturating_add(hole.align_down(size).get()));
            continue;
        }
        let piece = len.saturating_sub(done).min(PIECE);
        buffer.resize(piece.to_usize().unwrap_or(0), 0);
        device.read_exact_at(at, buffer)?;
        let before = done.whole_units(size);
        let numbers = first.saturating_add(before)..;
        for (number, bytes) in numbers.zip(buffer.chunks_exact(ext.superblock.inode_size)) {
            let inode = Inode::new(bytes);
            if let Ok(number) = u32::try_from(number)
                && !inode.is_blank()
            {
                visit(number, &inode)?;
            }
        }
        done = Bytes::new(done.get().saturating_add(piece.get()));
    }
    Ok(())
}

/// One inode's bytes; `None` where there is none of that number.
pub(super) fn one(ext: &Ext<'_>, number: u32) -> Result<Option<Vec<u8>>> {
    let sb = &ext.superblock;
    let Some(index) = number.checked_sub(1) else {
        return Ok(None);
    };
    let group = index.checked_div(sb.inodes_per_group).unwrap_or(0);
    if u64::from(group) >= sb.groups() {
        return Ok(None);
    }
    let Some(group) = groups::one(ext, u64::from(group))? else {
        return Ok(None);
    };
    let place = index.checked_rem(sb.inodes_per_group).unwrap_or(0);
    let size = Bytes::of_len(sb.inode_size);
    let table = ext
        .blocks
        .range(group.inode_table, 0)
        .map(|range| range.start);
    let into = size.checked_mul(u64::from(place));
    let start = table
        .zip(into)
        .and_then(|(table, into)| table.checked_add(into));
    let Some((start, end)) = start.and_then(|start| Some((start, start.checked_add(size)?))) else {
        return Ok(None);
    };
    super::super::blocks::bytes(ext.blocks.device(), &(start..end))
}
