//! `struct ext4_inode`.

use crate::survey::bytes::{array, le16, le32};

/// `EXT4_EXTENTS_FL`: its blocks are in a tree of extents.
const EXTENTS: u32 = 0x8_0000;
/// `EXT4_EA_INODE_FL`: it holds the value of another's attribute.
const EA_INODE: u32 = 0x20_0000;
/// `EXT4_INLINE_DATA_FL`: its data is in the inode itself.
const INLINE_DATA: u32 = 0x1000_0000;
/// Where `i_block` is, and its length.
const MAP: std::ops::Range<usize> = 40..100;
/// A symbolic link that is shorter is in the inode itself.
const FAST_SYMLINK: u64 = 60;

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Regular,
    Directory,
    Symlink,
    /// Devices, pipes and sockets, which have no blocks; and nonsense.
    Other,
}

/// How the blocks of a file are found.
pub(super) enum Map<'b> {
    /// There are none.
    None,
    /// A tree of extents, its root here.
    Extents(&'b [u8]),
    /// Twelve blocks, and three trees of numbers of blocks.
    Indirect(&'b [u8]),
}

/// One inode, as it is on disk.
pub(super) struct Inode<'b>(&'b [u8]);

impl<'b> Inode<'b> {
    pub(super) const fn new(bytes: &'b [u8]) -> Self {
        Self(bytes)
    }

    fn u16_at(&self, at: usize) -> u16 {
        // OK to fall back: an inode has at least 128 bytes, as the superblock's check insists.
        le16(self.0, at).unwrap_or(0)
    }

    fn u32_at(&self, at: usize) -> u32 {
        le32(self.0, at).unwrap_or(0)
    }

    /// Never used, or wiped.
    pub(super) fn is_blank(&self) -> bool {
        self.u16_at(0) == 0 && self.links() == 0 && self.u32_at(40) == 0
    }

    pub(super) fn links(&self) -> u16 {
        self.u16_at(0x1A)
    }

    fn flags(&self) -> u32 {
        self.u32_at(0x20)
    }

    /// Deleted: the time of that is set. A file that was deleted while it was open has the number of the next such one there instead.
    pub(super) fn is_unused(&self) -> bool {
        // No time of deletion is as small as the number of an inode could be.
        let deleted = self.u32_at(0x14);
        self.u16_at(0) == 0 || (self.links() == 0 && deleted > 0x1000_0000)
    }

    pub(super) fn kind(&self) -> Kind {
        match self.u16_at(0) & 0xF000 {
            0x8000 => Kind::Regular,
            0x4000 => Kind::Directory,
            0xA000 => Kind::Symlink,
            _ => Kind::Other,
        }
    }

    /// Whether it holds the value of another's attribute.
    pub(super) fn is_value(&self) -> bool {
        self.flags() & EA_INODE != 0
    }

    pub(super) fn size(&self) -> u64 {
        u64::from(self.u32_at(0x4)) | u64::from(self.u32_at(0x6C)) << 32
    }

    /// The block of its attributes, or 0.
    pub(super) fn xattr_block(&self) -> u64 {
        u64::from(self.u32_at(0x68)) | u64::from(self.u16_at(0x76)) << 32
    }

    /// Where its blocks are found.
    pub(super) fn map(&self) -> Map<'b> {
        let Some(map) = self.0.get(MAP) else {
            return Map::None;
        };
        let flags = self.flags();
        let blockless = match self.kind() {
            Kind::Regular | Kind::Directory => false,
            Kind::Symlink => flags & EXTENTS == 0 && self.size() < FAST_SYMLINK,
            Kind::Other => true,
        };
        if blockless || flags & INLINE_DATA != 0 {
            Map::None
        } else if flags & EXTENTS != 0 {
            Map::Extents(map)
        } else {
            Map::Indirect(map)
        }
    }

    /// A directory's entries that are in the inode itself: the number of its parent, then two pieces of entries.
    pub(super) fn inline_entries(&self) -> Option<(u32, &'b [u8], &'b [u8])> {
        if self.flags() & INLINE_DATA == 0 {
            return None;
        }
        let map = self.0.get(MAP)?;
        Some((
            le32(map, 0)?,
            map.get(4..)?,
            self.system_data().unwrap_or_default(),
        ))
    }

    /// The value of the attribute `system.data` behind the inode's fields.
    fn system_data(&self) -> Option<&'b [u8]> {
        const XATTR_MAGIC: u32 = 0xEA02_0000;
        const SYSTEM: u8 = 7;
        let extra = usize::from(le16(self.0, 128)?);
        let attributes = self.0.get(extra.checked_add(128)?..)?;
        if le32(attributes, 0)? != XATTR_MAGIC {
            return None;
        }
        // Values count from the first entry.
        let entries = attributes.get(4..)?;
        let mut at = 0_usize;
        loop {
            let [name_len, index] = array(entries, at)?;
            if name_len == 0 && index == 0 {
                return None;
            }
            let name_end = at.checked_add(16)?.checked_add(usize::from(name_len))?;
            let name = entries.get(at.checked_add(16)?..name_end)?;
            if index == SYSTEM && name == b"data" {
                let start = usize::from(le16(entries, at.checked_add(2)?)?);
                let size = usize::try_from(le32(entries, at.checked_add(8)?)?).ok()?;
                return entries.get(start..start.checked_add(size)?);
            }
            at = name_end.checked_next_multiple_of(4)?;
        }
    }
}
