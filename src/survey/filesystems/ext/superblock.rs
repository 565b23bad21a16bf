//! `struct ext4_super_block`, 1024 bytes at byte 1024.

use crate::survey::bytes::{le16, le32, le64};
use crate::survey::filesystems::answer::Class;
use crate::units::{Bytes, DevPos};

/// Where it is.
pub(super) const AT: DevPos = DevPos::new(1024);
/// Its length.
pub(super) const LEN: usize = 1024;
/// Where it ends.
pub(super) const END: Bytes = Bytes::new(2048);

/// `EXT4_RESIZE_INO`: its blocks are kept for more descriptors.
const RESIZE_INODE: u32 = 7;
/// `EXT4_BAD_INO`.
const BAD_BLOCKS_INODE: u32 = 1;
/// `EXT4_ROOT_INO`.
pub(super) const ROOT: u32 = 2;

/// `EXT4_FEATURE_INCOMPAT_*`: what has to be known to read it.
mod incompat {
    pub(super) const FILETYPE: u32 = 0x2;
    pub(super) const RECOVER: u32 = 0x4;
    pub(super) const JOURNAL_DEV: u32 = 0x8;
    pub(super) const META_BG: u32 = 0x10;
    pub(super) const EXTENTS: u32 = 0x40;
    pub(super) const BITS_64: u32 = 0x80;
    pub(super) const MMP: u32 = 0x100;
    pub(super) const FLEX_BG: u32 = 0x200;
    pub(super) const EA_INODE: u32 = 0x400;
    pub(super) const CSUM_SEED: u32 = 0x2000;
    pub(super) const LARGEDIR: u32 = 0x4000;
    pub(super) const INLINE_DATA: u32 = 0x8000;
    pub(super) const ENCRYPT: u32 = 0x1_0000;
    pub(super) const CASEFOLD: u32 = 0x2_0000;
    /// All of them.
    pub(super) const KNOWN: u32 = FILETYPE
        | RECOVER
        | JOURNAL_DEV
        | META_BG
        | EXTENTS
        | BITS_64
        | MMP
        | FLEX_BG
        | EA_INODE
        | CSUM_SEED
        | LARGEDIR
        | INLINE_DATA
        | ENCRYPT
        | CASEFOLD;
}

/// `EXT4_FEATURE_RO_COMPAT_*` that say where things are.
mod ro_compat {
    pub(super) const SPARSE_SUPER: u32 = 0x1;
    pub(super) const GDT_CSUM: u32 = 0x10;
    pub(super) const BIGALLOC: u32 = 0x200;
    pub(super) const METADATA_CSUM: u32 = 0x400;
}

/// `EXT4_FEATURE_COMPAT_*` of the same kind.
mod compat {
    pub(super) const HAS_JOURNAL: u32 = 0x4;
    pub(super) const SPARSE_SUPER2: u32 = 0x200;
    pub(super) const ORPHAN_FILE: u32 = 0x1000;
}

/// What is needed of it, checked against itself and the device.
pub(super) struct Superblock {
    pub(super) block_size: Bytes,
    pub(super) blocks: u64,
    /// How many of them lie on the device.
    present: u64,
    pub(super) first_data_block: u64,
    /// Blocks that one bit of a bitmap stands for.
    pub(super) cluster: u64,
    pub(super) blocks_per_group: u64,
    pub(super) inodes_per_group: u32,
    pub(super) inode_size: usize,
    pub(super) descriptor_size: usize,
    pub(super) reserved_descriptor_blocks: u64,
    pub(super) first_meta_bg: u64,
    pub(super) mmp_block: Option<u64>,
    backups: [u32; 2],
    compat: u32,
    incompat: u32,
    ro_compat: u32,
    /// Inodes that are no files: their numbers, and what they hold.
    specials: Vec<(u32, Class, &'static str)>,
}

impl Superblock {
    /// What it says; the error where that cannot be read, in words.
    pub(super) fn decode(bytes: &[u8], device: Bytes) -> Result<Self, String> {
        let short = || "the superblock is cut off".to_owned();
        let unknown = le32(bytes, 0x60).ok_or_else(short)? & !incompat::KNOWN;
        if unknown != 0 {
            return Err(format!(
                "it has features that are not known (incompatible 0x{unknown:X})"
            ));
        }
        let superblock = Self::fields(bytes)
            .ok_or_else(|| "the superblock has sizes that cannot be".to_owned())?;
        superblock.check(device)?;
        let present = device.whole_units(superblock.block_size);
        Ok(Self {
            present: present.min(superblock.blocks),
            ..superblock
        })
    }

    fn fields(bytes: &[u8]) -> Option<Self> {
        let u32_at = |at| le32(bytes, at);
        let (compat, incompat, ro_compat) = (u32_at(0x5C)?, u32_at(0x60)?, u32_at(0x64)?);
        let wide = incompat & incompat::BITS_64 != 0;
        let high = if wide {
            u64::from(u32_at(0x150)?) << 32
        } else {
            0
        };
        let log_block = u32_at(0x18).filter(|log| *log <= 6)?;
        let log_cluster = if ro_compat & ro_compat::BIGALLOC == 0 {
            0
        } else {
            // A cluster has at most 2^30 bytes.
            u32_at(0x1C)?
                .checked_sub(log_block)
                .filter(|log| *log <= 20)?
        };
        let dynamic = u32_at(0x4C)? > 0;
        let has = |features: u32, feature: u32| features & feature != 0;
        let mut specials = vec![
            (BAD_BLOCKS_INODE, Class::Metadata, "list of bad blocks"),
            (RESIZE_INODE, Class::Metadata, "room for group descriptors"),
        ];
        let mut special = |inode: u32, class, what| {
            if inode > 0 {
                specials.push((inode, class, what));
            }
        };
        if has(compat, compat::HAS_JOURNAL) {
            special(u32_at(0xE0)?, Class::Journal, "");
        }
        for at in [0x240, 0x244, 0x26C] {
            special(u32_at(at)?, Class::Metadata, "quotas");
        }
        if has(compat, compat::ORPHAN_FILE) {
            special(u32_at(0x280)?, Class::Metadata, "list of orphans");
        }
        Some(Self {
            block_size: Bytes::new(1024_u64.checked_shl(log_block)?),
            blocks: u64::from(u32_at(0x4)?) | high,
            present: 0,
            first_data_block: u64::from(u32_at(0x14)?),
            cluster: 1_u64.checked_shl(log_cluster)?,
            blocks_per_group: u64::from(u32_at(0x20)?),
            inodes_per_group: u32_at(0x28)?,
            inode_size: if dynamic {
                le16(bytes, 0x58)?.into()
            } else {
                128
            },
            descriptor_size: if wide { le16(bytes, 0xFE)?.into() } else { 32 },
            reserved_descriptor_blocks: le16(bytes, 0xCE)?.into(),
            first_meta_bg: u32_at(0x104)?.into(),
            mmp_block: has(incompat, incompat::MMP).then_some(le64(bytes, 0x168)?),
            backups: [u32_at(0x24C)?, u32_at(0x250)?],
            compat,
            incompat,
            ro_compat,
            specials,
        })
    }

    /// Whether the numbers could be.
    fn check(&self, device: Bytes) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("the superblock's {what} cannot be"));
        if self.is_journal() {
            return Ok(());
        }
        let end = self.block_size.checked_mul(self.blocks);
        // One that was cut off is read as far as it goes; more than 64 bits are none.
        if self.blocks == 0
            || end.is_none()
            || self.first_data_block >= self.blocks
            || self.first_data_block > 1
        {
            return wrong("number of blocks");
        }
        let bits = self.block_size.get().saturating_mul(8);
        let clusters = self.blocks_per_group.checked_div(self.cluster).unwrap_or(0);
        if clusters == 0 || clusters > bits || !self.blocks_per_group.is_multiple_of(self.cluster) {
            return wrong("number of blocks in a group");
        }
        if self.inodes_per_group == 0 || u64::from(self.inodes_per_group) > bits {
            return wrong("number of inodes in a group");
        }
        let block = self.block_size.to_usize().unwrap_or(0);
        if !self.inode_size.is_power_of_two() || !(128..=block).contains(&self.inode_size) {
            return wrong("inode size");
        }
        if !self.descriptor_size.is_power_of_two() || !(32..=1024).contains(&self.descriptor_size) {
            return wrong("descriptor size");
        }
        // All inode tables together are a part of the file system.
        let tables = self.table_blocks().checked_mul(self.groups());
        if tables.is_none_or(|tables| tables > self.blocks) {
            return wrong("number of inodes");
        }
        if self.block_size > device {
            return wrong("block size");
        }
        Ok(())
    }

    /// Blocks of each group's inode table.
    pub(super) fn table_blocks(&self) -> u64 {
        let len = Bytes::of_len(self.inode_size).checked_mul(u64::from(self.inodes_per_group));
        len.and_then(|len| len.align_up(self.block_size))
            .map_or(u64::MAX, |len| len.whole_units(self.block_size))
    }

    /// How many groups there are.
    pub(super) fn groups(&self) -> u64 {
        let data = self.blocks.saturating_sub(self.first_data_block);
        data.div_ceil(self.blocks_per_group.max(1))
    }

    /// How many of them begin on the device: no more are looked at, whatever the superblock claims.
    pub(super) fn groups_present(&self) -> u64 {
        let data = self.present.saturating_sub(self.first_data_block);
        data.div_ceil(self.blocks_per_group.max(1))
    }

    /// The first block of a group.
    pub(super) fn group_start(&self, group: u64) -> u64 {
        group
            .saturating_mul(self.blocks_per_group)
            .saturating_add(self.first_data_block)
    }

    /// The first block behind a group.
    pub(super) fn group_end(&self, group: u64) -> u64 {
        self.group_start(group.saturating_add(1)).min(self.blocks)
    }

    /// The block of a superblock, or of its copy, in a group that has one.
    pub(super) fn superblock_block(&self, group: u64) -> u64 {
        let start = self.group_start(group);
        // With clusters the first 1 KiB is a block of its own, and counted.
        let counted =
            group == 0 && self.first_data_block == 0 && self.block_size == Bytes::new(1024);
        if counted { 1 } else { start }
    }

    /// Whether a group has a copy of the superblock.
    pub(super) fn has_superblock(&self, group: u64) -> bool {
        if group == 0 {
            return true;
        }
        if self.compat & compat::SPARSE_SUPER2 != 0 {
            return self
                .backups
                .iter()
                .any(|backup| u64::from(*backup) == group);
        }
        if group == 1 || self.ro_compat & ro_compat::SPARSE_SUPER == 0 {
            return true;
        }
        [3, 5, 7].into_iter().any(|base| is_power(group, base))
    }

    pub(super) const fn has_meta_bg(&self) -> bool {
        self.incompat & incompat::META_BG != 0
    }

    pub(super) const fn has_wide_descriptors(&self) -> bool {
        self.incompat & incompat::BITS_64 != 0 && self.descriptor_size >= 64
    }

    /// Whether groups say what of their inode table was never used.
    pub(super) const fn has_group_checksums(&self) -> bool {
        self.ro_compat & (ro_compat::GDT_CSUM | ro_compat::METADATA_CSUM) != 0
    }

    pub(super) const fn has_file_types(&self) -> bool {
        self.incompat & incompat::FILETYPE != 0
    }

    pub(super) const fn has_clusters(&self) -> bool {
        self.ro_compat & ro_compat::BIGALLOC != 0
    }

    /// Whether it is the journal of another file system.
    pub(super) const fn is_journal(&self) -> bool {
        self.incompat & incompat::JOURNAL_DEV != 0
    }

    /// What an inode that is no file holds.
    pub(super) fn special(&self, number: u32) -> Option<(Class, &'static str)> {
        let special = self.specials.iter().find(|(inode, _, _)| *inode == number);
        special.map(|(_, class, what)| (*class, *what))
    }

    /// `ext2`, `ext3` or `ext4`.
    pub(super) const fn name(&self) -> &'static str {
        const NEWER: u32 = incompat::EXTENTS
            | incompat::BITS_64
            | incompat::FLEX_BG
            | incompat::INLINE_DATA
            | incompat::EA_INODE
            | incompat::LARGEDIR
            | incompat::MMP;
        if self.incompat & NEWER != 0 || self.ro_compat & 0xFFF8 != 0 {
            "ext4"
        } else if self.compat & compat::HAS_JOURNAL != 0 {
            "ext3"
        } else {
            "ext2"
        }
    }

    /// What is to be said of it.
    pub(super) fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.present < self.blocks {
            notes.push(format!(
                "it has {} blocks, and the device ends after {}: what it has behind that is missing",
                self.blocks, self.present
            ));
        }
        if self.incompat & incompat::RECOVER != 0 {
            notes.push(
                "the journal is not replayed: what is said of it is as old as its last checkpoint"
                    .to_owned(),
            );
        }
        if self.incompat & incompat::ENCRYPT != 0 {
            notes.push("names in encrypted directories are shown as they are stored".to_owned());
        }
        notes
    }
}

/// Whether `number` is a power of `base`.
fn is_power(number: u64, base: u64) -> bool {
    let mut power = base;
    while power < number {
        power = power.saturating_mul(base);
    }
    power == number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_are_in_groups_0_1_and_powers() {
        let copies: Vec<u64> = (2..130)
            .filter(|group| [3, 5, 7].into_iter().any(|base| is_power(*group, base)))
            .collect();
        assert_eq!(copies, [3, 5, 7, 9, 25, 27, 49, 81, 125]);
    }
}
