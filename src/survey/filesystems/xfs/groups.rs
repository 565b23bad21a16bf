//! `struct xfs_agf`, `struct xfs_agi`, `struct xfs_agfl`: what each allocation group keeps for itself, and what of it is free.

use std::ops::Range;

use super::Xfs;
use super::btree::{self, Seen, Shape};
use crate::error::Result;
use crate::survey::bytes::{be32, has};
use crate::survey::filesystems::answer::Class;
use crate::survey::filesystems::findings::{Findings, What};

/// The sectors of a group before all else: superblock, AGF, AGI, AGFL.
const HEADERS: u64 = 4;
/// A group's free list has at most so many blocks.
const MOST_LISTED: u32 = 4096;

/// A group, as far as it was read.
pub(super) struct Group {
    pub(super) number: u64,
    /// Root and levels of the tree of inodes.
    pub(super) inodes: Option<(u32, u32)>,
    /// Nothing of it was found to be damaged.
    pub(super) whole: bool,
}

/// A group, of which nothing but the place of its inodes is read.
pub(super) fn inodes_of(xfs: &Xfs<'_>, number: u64) -> Result<Group> {
    let first = number.saturating_mul(xfs.superblock.group_blocks);
    let agi = sector(xfs, first, 2)?.filter(|agi| has(agi, 0, b"XAGI"));
    let root = agi.and_then(|agi| Some((be32(&agi, 20)?, be32(&agi, 24)?)));
    Ok(Group {
        number,
        inodes: root,
        whole: root.is_some(),
    })
}

/// Notes what a group has for itself, and what of it is free.
pub(super) fn note(xfs: &Xfs<'_>, number: u64, findings: &mut Findings) -> Result<Group> {
    let sb = &xfs.superblock;
    let mut group = Group {
        number,
        inodes: None,
        whole: false,
    };
    let first = number.saturating_mul(sb.group_blocks);
    let headers = sb
        .sector
        .checked_mul(HEADERS)
        .and_then(|len| len.align_up(sb.block_size));
    let count = headers.map_or(1, |len| len.whole_units(sb.block_size));
    xfs.note(
        findings,
        first,
        count,
        What::of(Class::Metadata, "allocation group headers"),
    );
    let sectors = (
        sector(xfs, first, 1)?,
        sector(xfs, first, 2)?,
        sector(xfs, first, 3)?,
    );
    let (Some(agf), Some(agi), Some(agfl)) = sectors else {
        return Ok(group);
    };
    if !has(&agf, 0, b"XAGF") || !has(&agi, 0, b"XAGI") {
        return Ok(group);
    }
    let tree = |bytes: &[u8], root, levels| Some((be32(bytes, root)?, be32(bytes, levels)?));
    group.inodes = tree(&agi, 20, 24);
    group.whole = note_list(xfs, number, (&agf, &agfl), findings);
    let metadata = [
        (
            &btree::FREE_BY_SIZE,
            tree(&agf, 20, 32),
            "tree of free space",
        ),
        (&btree::OWNERS, tree(&agf, 24, 36), "tree of owners"),
        (&btree::FREE_INODES, tree(&agi, 328, 332), "tree of inodes"),
    ];
    for (shape, root, what) in metadata {
        group.whole &= note_tree(xfs, number, (shape, root), what, findings)?;
    }
    group.whole &= note_free(xfs, number, tree(&agf, 16, 28), findings)?;
    group.whole &= note_staging(xfs, number, tree(&agf, 88, 92), findings)?;
    Ok(group)
}

/// One of a group's first sectors.
fn sector(xfs: &Xfs<'_>, first: u64, which: u64) -> Result<Option<Vec<u8>>> {
    let sector = xfs.superblock.sector;
    let start = xfs.blocks.range(first, 0).map(|range| range.start);
    let range = start.and_then(|start| {
        let start = start.checked_add(sector.checked_mul(which)?)?;
        Some(start..start.checked_add(sector)?)
    });
    match range {
        Some(range) => crate::survey::filesystems::blocks::bytes(xfs.blocks.device(), &range),
        None => Ok(None),
    }
}

/// Notes the blocks that trees will be made of; `false` where the list is damaged.
fn note_list(
    xfs: &Xfs<'_>,
    number: u64,
    (agf, agfl): (&[u8], &[u8]),
    findings: &mut Findings,
) -> bool {
    let sb = &xfs.superblock;
    let entries = agfl
        .get(if sb.version_5 { 36 } else { 0 }..)
        .unwrap_or_default();
    let room = u32::try_from(entries.len() / 4).unwrap_or(0);
    let (Some(first), Some(count)) = (be32(agf, 40), be32(agf, 48)) else {
        return false;
    };
    if first >= room || count > room.min(MOST_LISTED) {
        return false;
    }
    let mut whole = true;
    for step in 0..count {
        let place = first.saturating_add(step).checked_rem(room).unwrap_or(0);
        let at = usize::try_from(place).unwrap_or(0).saturating_mul(4);
        let block = be32(entries, at).and_then(|block| sb.block_in(number, block.into()));
        whole &= block.is_some();
        if let Some(block) = block {
            xfs.note(
                findings,
                block,
                1,
                What::of(Class::Metadata, "list of blocks for trees"),
            );
        }
    }
    whole
}

/// Notes the blocks of a tree; where version 4 has none, all is well.
fn note_tree(
    xfs: &Xfs<'_>,
    number: u64,
    (shape, root): (&Shape, Option<(u32, u32)>),
    what: &'static str,
    findings: &mut Findings,
) -> Result<bool> {
    let Some(root) = root.filter(|root| *root != (0, 0)) else {
        return Ok(true);
    };
    btree::walk(xfs, number, shape, root, &mut |seen| {
        if let Seen::Block(block) = seen {
            note_in(
                xfs,
                number,
                (block, 1),
                What::of(Class::Metadata, what),
                findings,
            );
        }
        Ok(())
    })
}

/// Notes what is free, and the tree that says so.
fn note_free(
    xfs: &Xfs<'_>,
    number: u64,
    root: Option<(u32, u32)>,
    findings: &mut Findings,
) -> Result<bool> {
    let Some(root) = root else {
        return Ok(false);
    };
    btree::walk(xfs, number, &btree::FREE_BY_BLOCK, root, &mut |seen| {
        let (extent, what) = match seen {
            Seen::Block(block) => (
                Some((block, 1)),
                What::of(Class::Metadata, "tree of free space"),
            ),
            Seen::Record(record) => (extent(record), What::of(Class::Free, "")),
        };
        if let Some(extent) = extent {
            note_in(xfs, number, extent, what, findings);
        }
        Ok(())
    })
}

/// Notes blocks that are ready for copies of shared ones, and the tree of references.
fn note_staging(
    xfs: &Xfs<'_>,
    number: u64,
    root: Option<(u32, u32)>,
    findings: &mut Findings,
) -> Result<bool> {
    /// `XFS_REFC_COWFLAG`.
    const STAGING: u64 = 1 << 31;
    let Some(root) = root.filter(|root| *root != (0, 0)) else {
        return Ok(true);
    };
    btree::walk(xfs, number, &btree::REFERENCES, root, &mut |seen| {
        match seen {
            Seen::Block(block) => {
                let what = What::of(Class::Metadata, "tree of references");
                note_in(xfs, number, (block, 1), what, findings);
            }
            Seen::Record(record) => {
                if let Some((first, count)) =
                    extent(record).filter(|(first, _)| first & STAGING != 0)
                {
                    let what = What::of(Class::Metadata, "room for copies of shared blocks");
                    note_in(xfs, number, (first & !STAGING, count), what, findings);
                }
            }
        }
        Ok(())
    })
}

/// First block and count, as records of several trees begin.
fn extent(record: &[u8]) -> Option<(u64, u64)> {
    Some((be32(record, 0)?.into(), be32(record, 4)?.into()))
}

/// Notes blocks of a group, as far as they lie in it.
fn note_in(
    xfs: &Xfs<'_>,
    group: u64,
    (first, count): (u64, u64),
    what: What,
    findings: &mut Findings,
) {
    let sb = &xfs.superblock;
    let Range { start, end } = first..first.saturating_add(count).min(sb.blocks_of(group));
    if let Some(first) = sb.block_in(group, start).filter(|_| start < end) {
        xfs.note(findings, first, end.saturating_sub(start), what);
    }
}
