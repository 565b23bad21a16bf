//! `struct ext4_group_desc`: where each group's bitmaps and inode table are, and what of a group is the file system's own.

use std::ops::Range;

use super::Ext;
use super::superblock::Superblock;
use crate::error::Result;
use crate::survey::bytes::{le16, le32};
use crate::survey::filesystems::answer::Class;
use crate::survey::filesystems::findings::{Findings, What};
use crate::units::{Bytes, DevPos};

/// `EXT4_BG_INODE_UNINIT`: no inode of the group was ever used.
const INODE_UNINIT: u16 = 1;
/// `EXT4_BG_BLOCK_UNINIT`: nothing but the file system's own blocks is in use, and the bitmap is not written.
const BLOCK_UNINIT: u16 = 2;

/// A group.
pub(super) struct Group {
    pub(super) number: u64,
    block_bitmap: u64,
    inode_bitmap: u64,
    pub(super) inode_table: u64,
    flags: u16,
    unused_inodes: u32,
}

impl Group {
    fn decode(sb: &Superblock, number: u64, bytes: &[u8]) -> Option<Self> {
        let wide = sb.has_wide_descriptors();
        let block = |low, high| {
            let high = if wide {
                u64::from(le32(bytes, high)?) << 32
            } else {
                0
            };
            Some(u64::from(le32(bytes, low)?) | high)
        };
        let unused_high = if wide {
            u32::from(le16(bytes, 0x32)?) << 16
        } else {
            0
        };
        let checksums = sb.has_group_checksums();
        Some(Self {
            number,
            block_bitmap: block(0x0, 0x20)?,
            inode_bitmap: block(0x4, 0x24)?,
            inode_table: block(0x8, 0x28)?,
            // Without checksums they may be anything.
            flags: le16(bytes, 0x12).filter(|_| checksums).unwrap_or(0),
            unused_inodes: if checksums {
                u32::from(le16(bytes, 0x1C)?) | unused_high
            } else {
                0
            },
        })
    }

    /// How many inodes of the group may have been used.
    pub(super) fn inodes(&self, sb: &Superblock) -> u32 {
        if self.flags & INODE_UNINIT != 0 {
            return 0;
        }
        sb.inodes_per_group.saturating_sub(self.unused_inodes)
    }
}

/// Shows every group that has a descriptor on the device to `visit`.
pub(super) fn each(ext: &Ext<'_>, visit: &mut dyn FnMut(Group) -> Result<()>) -> Result<()> {
    let sb = &ext.superblock;
    let per_block = per_block(sb);
    let groups = sb.groups_present();
    let blocks = groups.div_ceil(per_block);
    for index in 0..blocks {
        let Some(bytes) = ext.blocks.uncounted(descriptor_block(sb, index))? else {
            break;
        };
        let first = index.saturating_mul(per_block);
        for (number, bytes) in (first..groups).zip(bytes.chunks_exact(sb.descriptor_size)) {
            if let Some(group) = Group::decode(sb, number, bytes) {
                visit(group)?;
            }
        }
    }
    Ok(())
}

/// One group's descriptor.
pub(super) fn one(ext: &Ext<'_>, number: u64) -> Result<Option<Group>> {
    let sb = &ext.superblock;
    let per_block = per_block(sb);
    let index = number.checked_div(per_block).unwrap_or(0);
    let Some(bytes) = ext.blocks.uncounted(descriptor_block(sb, index))? else {
        return Ok(None);
    };
    let place = usize::try_from(number.checked_rem(per_block).unwrap_or(0)).ok();
    let bytes = place.and_then(|place| bytes.chunks_exact(sb.descriptor_size).nth(place));
    Ok(bytes.and_then(|bytes| Group::decode(sb, number, bytes)))
}

/// Descriptors in a block.
fn per_block(sb: &Superblock) -> u64 {
    sb.block_size
        .whole_units(Bytes::of_len(sb.descriptor_size))
        .max(1)
}

/// Where a block of descriptors is: behind the superblock, or, with `meta_bg`, in the first of the groups that it describes.
fn descriptor_block(sb: &Superblock, index: u64) -> u64 {
    if !sb.has_meta_bg() || index < sb.first_meta_bg {
        return sb
            .superblock_block(0)
            .saturating_add(1)
            .saturating_add(index);
    }
    let group = index.saturating_mul(per_block(sb));
    let behind = u64::from(sb.has_superblock(group));
    let start = if group == 0 {
        sb.superblock_block(0)
    } else {
        sb.group_start(group)
    };
    start.saturating_add(behind)
}

/// Notes what each group has of the file system's own.
pub(super) fn note_metadata(ext: &Ext<'_>, findings: &mut Findings) -> Result<()> {
    let sb = &ext.superblock;
    let own = |what| What::of(Class::Metadata, what);
    if sb.superblock_block(0) > 0 {
        ext.note(findings, 0, 1, own("boot block"));
    }
    if let Some(block) = sb.mmp_block {
        ext.note(findings, block, 1, own("multi-mount protection"));
    }
    each(ext, &mut |group| {
        note_copies(ext, group.number, findings);
        ext.note(findings, group.block_bitmap, 1, own("block bitmap"));
        ext.note(findings, group.inode_bitmap, 1, own("inode bitmap"));
        ext.note(
            findings,
            group.inode_table,
            sb.table_blocks(),
            own("inode table"),
        );
        Ok(())
    })
}

/// Notes the superblock, the descriptors, and what is kept for more of them.
fn note_copies(ext: &Ext<'_>, group: u64, findings: &mut Findings) {
    let sb = &ext.superblock;
    let own = |what| What::of(Class::Metadata, what);
    let per_block = per_block(sb);
    let mut at = sb.superblock_block(group);
    let copy = sb.has_superblock(group);
    if copy {
        ext.note(findings, at, 1, own("superblock"));
        at = at.saturating_add(1);
    }
    let all = sb.groups().div_ceil(per_block);
    let old = if sb.has_meta_bg() {
        sb.first_meta_bg.min(all)
    } else {
        all
    };
    let meta = group.checked_div(per_block).unwrap_or(0);
    if sb.has_meta_bg() && meta >= sb.first_meta_bg {
        let place = group.checked_rem(per_block).unwrap_or(0);
        if place <= 1 || place == per_block.saturating_sub(1) {
            ext.note(findings, at, 1, own("group descriptors"));
        }
    } else if copy {
        ext.note(findings, at, old, own("group descriptors"));
        let behind = at.saturating_add(old);
        ext.note(
            findings,
            behind,
            sb.reserved_descriptor_blocks,
            own("room for group descriptors"),
        );
    }
}

/// Notes what of `gaps` no bitmap has in use.
pub(super) fn note_free(
    ext: &Ext<'_>,
    gaps: &[Range<DevPos>],
    findings: &mut Findings,
) -> Result<()> {
    let sb = &ext.superblock;
    let mut bitmap = CachedBitmap::default();
    for gap in gaps {
        let first = gap.start.from_start().whole_units(sb.block_size);
        let Some(end) = gap.end.from_start().align_up(sb.block_size) else {
            continue;
        };
        let end = end.whole_units(sb.block_size).min(sb.blocks);
        let mut block = first;
        while block < end && !findings.is_full() {
            let (until, what) = bitmap.run(ext, block, end)?;
            if let Some(what) = what
                && let Some(range) = ext.blocks.range(block, until.saturating_sub(block))
            {
                findings.note(&clipped(&range, gap), what);
            }
            block = until.max(block.saturating_add(1));
        }
    }
    Ok(())
}

fn clipped(range: &Range<DevPos>, to: &Range<DevPos>) -> Range<DevPos> {
    range.start.max(to.start)..range.end.min(to.end)
}

/// The bitmap that was read last.
#[derive(Default)]
struct CachedBitmap {
    group: Option<u64>,
    /// `None` where it cannot be read.
    bits: Option<Vec<u8>>,
}

impl CachedBitmap {
    /// The blocks from `block` on, before `end`, that are alike; and what they are, where that follows from the bitmap.
    fn run(&mut self, ext: &Ext<'_>, block: u64, end: u64) -> Result<(u64, Option<What>)> {
        let sb = &ext.superblock;
        let free = What::of(Class::Free, "");
        let Some(into) = block.checked_sub(sb.first_data_block) else {
            return Ok((block.saturating_add(1), None));
        };
        let group = into.checked_div(sb.blocks_per_group).unwrap_or(0);
        let end = end.min(sb.group_end(group)).max(block.saturating_add(1));
        if self.group != Some(group) {
            self.bits = load(ext, group)?;
            self.group = Some(group);
        }
        let Some(bits) = &self.bits else {
            return Ok((
                end,
                Some(What::of(Class::Unknown, "the block bitmap cannot be read")),
            ));
        };
        let start = sb.group_start(group);
        let used = |block: u64| {
            let cluster = block
                .saturating_sub(start)
                .checked_div(sb.cluster)
                .unwrap_or(0);
            let byte = usize::try_from(cluster / 8)
                .ok()
                .and_then(|at| bits.get(at));
            byte.is_some_and(|byte| (byte >> (cluster % 8)) & 1 == 1)
        };
        let first = used(block);
        let until = (block..end)
            .find(|block| used(*block) != first)
            .unwrap_or(end);
        let what = match (first, sb.has_clusters()) {
            (false, _) => Some(free),
            (true, true) => Some(What::of(Class::Free, "the unused part of a cluster")),
            (true, false) => None,
        };
        Ok((until, what))
    }
}

/// A group's bitmap; all zeros where it is not written yet.
fn load(ext: &Ext<'_>, group: u64) -> Result<Option<Vec<u8>>> {
    let Some(group) = one(ext, group)? else {
        return Ok(None);
    };
    if group.flags & BLOCK_UNINIT != 0 {
        return Ok(Some(Vec::new()));
    }
    ext.blocks.uncounted(group.block_bitmap)
}
