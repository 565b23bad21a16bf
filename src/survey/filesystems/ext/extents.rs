//! Where the blocks of a file are: a tree of extents, or trees of numbers of blocks.

use super::Ext;
use super::inode::{Inode, Map};
use crate::error::Result;
use crate::survey::bytes::{le16, le32};

/// `EXT4_EXT_MAGIC`.
const MAGIC: u16 = 0xF30A;
/// The deepest tree that ext4 makes.
const MOST_DEPTH: u16 = 5;
/// A longer extent is one of so many blocks less, never written (`EXT_INIT_MAX_LEN`).
const MOST_WRITTEN: u16 = 32768;
/// Entries of a node: header and each of them have 12 bytes.
const ENTRY: usize = 12;

/// What of a file lies somewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    /// `count` blocks of it, from the block `logical` of the file on.
    Data {
        logical: u64,
        first: u64,
        count: u64,
        unwritten: bool,
    },
    /// A block of its map.
    Tree { block: u64 },
}

impl Piece {
    /// The blocks, as first and count.
    pub(super) const fn physical(&self) -> (u64, u64) {
        match self {
            Self::Data { first, count, .. } => (*first, *count),
            Self::Tree { block } => (*block, 1),
        }
    }
}

/// Shows every piece of a file to `visit`; `false` where its map is damaged, and what was shown may not be all.
pub(super) fn each(ext: &Ext<'_>, inode: &Inode<'_>, visit: &mut dyn FnMut(Piece)) -> Result<bool> {
    match inode.map() {
        Map::None => Ok(true),
        Map::Extents(root) => {
            let depth = le16(root, 6).unwrap_or(u16::MAX);
            if depth > MOST_DEPTH {
                return Ok(false);
            }
            node(ext, root, depth, visit)
        }
        Map::Indirect(map) => indirect(ext, map, visit),
    }
}

/// One node of a tree of extents, which has to be so deep.
fn node(ext: &Ext<'_>, bytes: &[u8], depth: u16, visit: &mut dyn FnMut(Piece)) -> Result<bool> {
    let header = (le16(bytes, 0), le16(bytes, 2), le16(bytes, 6));
    let (Some(MAGIC), Some(count), Some(found)) = header else {
        return Ok(false);
    };
    if found != depth {
        return Ok(false);
    }
    let entries = bytes.get(ENTRY..).unwrap_or_default().chunks_exact(ENTRY);
    let mut whole = usize::from(count) <= entries.len();
    for entry in entries.take(usize::from(count)) {
        let good = if depth == 0 {
            leaf(ext, entry, visit)
        } else {
            branch(ext, entry, depth.saturating_sub(1), visit)?
        };
        whole &= good;
    }
    Ok(whole)
}

/// `struct ext4_extent`.
fn leaf(ext: &Ext<'_>, entry: &[u8], visit: &mut dyn FnMut(Piece)) -> bool {
    let fields = (
        le32(entry, 0),
        le16(entry, 4),
        le16(entry, 6),
        le32(entry, 8),
    );
    let (Some(logical), Some(len), Some(high), Some(low)) = fields else {
        return false;
    };
    let unwritten = len > MOST_WRITTEN;
    let count = if unwritten {
        len.saturating_sub(MOST_WRITTEN)
    } else {
        len
    };
    let first = u64::from(low) | u64::from(high) << 32;
    let count = u64::from(count);
    if count == 0 || !is_data(ext, first, count) {
        return false;
    }
    visit(Piece::Data {
        logical: logical.into(),
        first,
        count,
        unwritten,
    });
    true
}

/// `struct ext4_extent_idx`.
fn branch(ext: &Ext<'_>, entry: &[u8], depth: u16, visit: &mut dyn FnMut(Piece)) -> Result<bool> {
    let (Some(low), Some(high)) = (le32(entry, 4), le16(entry, 8)) else {
        return Ok(false);
    };
    let block = u64::from(low) | u64::from(high) << 32;
    if !is_data(ext, block, 1) {
        return Ok(false);
    }
    let Some(bytes) = ext.blocks.read(block)? else {
        return Ok(false);
    };
    visit(Piece::Tree { block });
    node(ext, &bytes, depth, visit)
}

/// Whether blocks are of the file system, and not its first.
fn is_data(ext: &Ext<'_>, first: u64, count: u64) -> bool {
    let end = first.checked_add(count);
    first > ext.superblock.first_data_block && end.is_some_and(|end| end <= ext.superblock.blocks)
}

/// Twelve blocks, then three trees, each a level deeper than the one before.
fn indirect(ext: &Ext<'_>, map: &[u8], visit: &mut dyn FnMut(Piece)) -> Result<bool> {
    let mut walk = Walk {
        ext,
        logical: 0,
        run: None,
        visit,
    };
    let direct = map.get(..48).unwrap_or_default();
    let mut whole = walk.numbers(direct);
    for depth in 1..=3_u32 {
        let at = usize::try_from(depth)
            .unwrap_or(0)
            .saturating_add(11)
            .saturating_mul(4);
        let block = le32(map, at).unwrap_or(0);
        whole &= walk.tree(block, depth)?;
    }
    walk.flush();
    Ok(whole)
}

/// A walk through trees of numbers.
struct Walk<'w, 'a> {
    ext: &'w Ext<'a>,
    /// The next block of the file.
    logical: u64,
    /// Blocks that follow each other: of the file, of the device, and how many.
    run: Option<(u64, u64, u64)>,
    visit: &'w mut dyn FnMut(Piece),
}

impl Walk<'_, '_> {
    /// How many blocks of a file a tree of that depth has room for.
    fn room(&self, depth: u32) -> u64 {
        let numbers = self.ext.superblock.block_size.get() / 4;
        numbers.saturating_pow(depth)
    }

    fn tree(&mut self, block: u32, depth: u32) -> Result<bool> {
        if block == 0 {
            self.logical = self.logical.saturating_add(self.room(depth));
            return Ok(true);
        }
        let number = u64::from(block);
        let bytes = if is_data(self.ext, number, 1) {
            self.ext.blocks.read(number)?
        } else {
            None
        };
        let Some(bytes) = bytes else {
            self.logical = self.logical.saturating_add(self.room(depth));
            return Ok(false);
        };
        (self.visit)(Piece::Tree { block: number });
        if depth == 1 {
            return Ok(self.numbers(&bytes));
        }
        let mut whole = true;
        for number in bytes.chunks_exact(4).filter_map(|number| le32(number, 0)) {
            whole &= self.tree(number, depth.saturating_sub(1))?;
        }
        Ok(whole)
    }

    /// Blocks of data, one number each; 0 is a hole.
    fn numbers(&mut self, bytes: &[u8]) -> bool {
        let mut whole = true;
        for number in bytes.chunks_exact(4).filter_map(|number| le32(number, 0)) {
            let number = u64::from(number);
            if number != 0 {
                let good = is_data(self.ext, number, 1);
                if good {
                    self.add(number);
                }
                whole &= good;
            }
            self.logical = self.logical.saturating_add(1);
        }
        whole
    }

    fn add(&mut self, number: u64) {
        if let Some((logical, first, count)) = &mut self.run
            && first.checked_add(*count) == Some(number)
            && logical.checked_add(*count) == Some(self.logical)
        {
            *count = count.saturating_add(1);
            return;
        }
        self.flush();
        self.run = Some((self.logical, number, 1));
    }

    fn flush(&mut self) {
        if let Some((logical, first, count)) = self.run.take() {
            (self.visit)(Piece::Data {
                logical,
                first,
                count,
                unwritten: false,
            });
        }
    }
}
