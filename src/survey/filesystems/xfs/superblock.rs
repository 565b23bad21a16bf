//! `struct xfs_dsb`, in the first sector of the device and of each allocation group.

use crate::survey::bytes::{array, be16, be32, be64};
use crate::survey::filesystems::answer::Class;
use crate::units::Bytes;

/// What is read of it.
pub(super) const LEN: usize = 512;

/// `XFS_SB_FEAT_INCOMPAT_*` up to parent pointers: none of them moves what is read here.
const KNOWN: u32 = 0xFF;
/// `XFS_SB_FEAT_INCOMPAT_FTYPE`, `XFS_SB_VERSION2_FTYPE`: entries of directories have a type.
const FTYPE_V5: u32 = 0x1;
const FTYPE_V4: u32 = 0x200;
/// `XFS_SB_FEAT_INCOMPAT_SPINODES`: chunks of inodes with holes.
const SPARSE_INODES: u32 = 0x2;
/// A group of many has at least so many bytes (`XFS_AG_MIN_BYTES`).
const SMALLEST_GROUP: u64 = 16 << 20;

/// What is needed of it, checked against itself.
pub(super) struct Superblock {
    pub(super) block_size: Bytes,
    pub(super) blocks: u64,
    pub(super) group_blocks: u64,
    groups: u64,
    /// How far a group's number is shifted in the number of a block.
    group_shift: u32,
    /// How far a block's number is shifted in the number of an inode.
    inode_shift: u32,
    pub(super) sector: Bytes,
    pub(super) inode_size: usize,
    /// Blocks of a directory's block.
    pub(super) directory_blocks: u64,
    pub(super) version_5: bool,
    pub(super) has_types: bool,
    pub(super) has_sparse_inodes: bool,
    pub(super) root: u64,
    pub(super) uuid: [u8; 16],
    log_start: u64,
    log_blocks: u64,
    specials: Vec<(u64, &'static str)>,
}

impl Superblock {
    /// What it says; the error where that cannot be read, in words.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, String> {
        let version = be16(bytes, 100).unwrap_or(0) & 0xF;
        if version != 4 && version != 5 {
            return Err(format!("version {version} is not known"));
        }
        let unknown = be32(bytes, 216).unwrap_or(0) & !KNOWN;
        if version == 5 && unknown != 0 {
            return Err(format!(
                "it has features that are not known (incompatible 0x{unknown:X})"
            ));
        }
        Self::fields(bytes, version == 5)
            .filter(Self::could_be)
            .ok_or_else(|| "the superblock has sizes that cannot be".to_owned())
    }

    fn fields(bytes: &[u8], version_5: bool) -> Option<Self> {
        let [block_log, sector_log, inode_log, per_block_log, group_log] = array(bytes, 120)?;
        let [directory_log] = array(bytes, 192)?;
        let shift = |log: u8, most: u32| Some(u32::from(log)).filter(|log| *log <= most);
        let size = |log, most| 1_u64.checked_shl(shift(log, most)?);
        let incompat = if version_5 { be32(bytes, 216)? } else { 0 };
        let types = if version_5 {
            incompat & FTYPE_V5 != 0
        } else {
            be32(bytes, 200)? & FTYPE_V4 != 0
        };
        let mut specials = Vec::new();
        let quotas = if version_5 {
            vec![160, 168, 232]
        } else {
            vec![160, 168]
        };
        let realtime = [(64, "realtime bitmap"), (72, "realtime summary")];
        let all = quotas.into_iter().map(|at| (at, "quotas")).chain(realtime);
        for (at, what) in all {
            let number = be64(bytes, at)?;
            if number != 0 && number != u64::MAX {
                specials.push((number, what));
            }
        }
        Some(Self {
            block_size: Bytes::new(size(block_log, 16)?),
            blocks: be64(bytes, 8)?,
            group_blocks: be32(bytes, 84)?.into(),
            groups: be32(bytes, 88)?.into(),
            group_shift: shift(group_log, 31)?,
            inode_shift: shift(per_block_log, 8)?,
            sector: Bytes::new(size(sector_log, 15)?),
            inode_size: usize::try_from(size(inode_log, 11)?).ok()?,
            directory_blocks: size(directory_log, 8)?,
            version_5,
            has_types: types,
            has_sparse_inodes: incompat & SPARSE_INODES != 0,
            root: be64(bytes, 56)?,
            uuid: array(bytes, 32)?,
            log_start: be64(bytes, 48)?,
            log_blocks: be32(bytes, 96)?.into(),
            specials,
        })
    }

    /// Whether the numbers could be.
    fn could_be(&self) -> bool {
        let block = self.block_size.get();
        let group = self.group_blocks.saturating_mul(block);
        let inodes = Bytes::of_len(self.inode_size)
            .get()
            .checked_shl(self.inode_shift);
        let directory = self.directory_blocks.saturating_mul(block);
        (512..=65_536).contains(&block)
            && (512..=block).contains(&self.sector.get())
            && (256..=2048).contains(&self.inode_size)
            && inodes == Some(block)
            && directory <= 65_536
            && self.blocks > 0
            && self.blocks.checked_mul(block).is_some()
            && self.group_blocks > 0
            && self.group_blocks <= 1_u64.checked_shl(self.group_shift).unwrap_or(0)
            && self.groups == self.blocks.div_ceil(self.group_blocks)
            && (self.groups == 1 || group >= SMALLEST_GROUP)
    }

    pub(super) const fn groups(&self) -> u64 {
        self.groups
    }

    /// How many blocks a group has: the last one may have less.
    pub(super) fn blocks_of(&self, group: u64) -> u64 {
        let before = group.saturating_mul(self.group_blocks);
        self.blocks.saturating_sub(before).min(self.group_blocks)
    }

    /// A block of a group, counted from the start of the device; `None` outside the group.
    pub(super) fn block_in(&self, group: u64, block: u64) -> Option<u64> {
        let before = group.checked_mul(self.group_blocks)?;
        (group < self.groups && block < self.blocks_of(group))
            .then(|| before.checked_add(block))
            .flatten()
    }

    /// Blocks by their number on disk, which has the group's number in its upper bits: the first one, counted from the start of the device.
    /// `None` where not all of them are in that group.
    pub(super) fn extent(&self, first: u64, count: u64) -> Option<u64> {
        let group = first.checked_shr(self.group_shift)?;
        let mask = 1_u64.checked_shl(self.group_shift)?.checked_sub(1)?;
        let last = (first & mask).checked_add(count.checked_sub(1)?)?;
        self.block_in(group, last)?;
        self.block_in(group, first & mask)
    }

    /// Inodes of a block.
    pub(super) fn inodes_in_block(&self) -> u64 {
        1_u64.checked_shl(self.inode_shift).unwrap_or(1)
    }

    /// The block of an inode of a group, and its place there.
    pub(super) fn inode_in_group(&self, inode: u64) -> (u64, usize) {
        let block = inode.checked_shr(self.inode_shift).unwrap_or(0);
        let first = block.checked_shl(self.inode_shift).unwrap_or(0);
        (
            block,
            usize::try_from(inode.saturating_sub(first)).unwrap_or(0),
        )
    }

    /// The number of an inode of a group in the whole file system.
    pub(super) fn inode_number(&self, group: u64, inode: u64) -> Option<u64> {
        let shift = self.group_shift.checked_add(self.inode_shift)?;
        Some(group.checked_shl(shift)? | inode)
    }

    /// The group of an inode, and its number there.
    pub(super) fn inode_group(&self, number: u64) -> Option<(u64, u64)> {
        let shift = self.group_shift.checked_add(self.inode_shift)?;
        let mask = 1_u64.checked_shl(shift)?.checked_sub(1)?;
        Some((number.checked_shr(shift)?, number & mask))
    }

    /// The log, where it is on this device: its first block, counted from the start of the device, and how many.
    pub(super) fn log(&self) -> Option<(u64, u64)> {
        let first = Some(self.log_start).filter(|start| *start > 0)?;
        Some((self.extent(first, self.log_blocks)?, self.log_blocks))
    }

    /// What an inode that is no file holds.
    pub(super) fn special(&self, number: u64) -> Option<(Class, &'static str)> {
        let special = self.specials.iter().find(|(inode, _)| *inode == number);
        special.map(|(_, what)| (Class::Metadata, *what))
    }
}
