//! `struct thin_disk_superblock`, `struct node_header`: which blocks of a pool each of its devices has.
//!
//! A tree of trees: by the number of a device the root of its tree, by the block of the device the block of the pool.

use std::cell::RefCell;
use std::ops::{ControlFlow, Range};

use super::reader::Pool;
use crate::error::Result;
use crate::image::{ReadAt, Window, visit_by_reading};
use crate::survey::bytes::{le32, le64};
use crate::survey::filesystems::blocks::Blocks;
use crate::survey::filesystems::findings::overlaps;
use crate::survey::filesystems::pieces::Piece;
use crate::units::{Bytes, DevPos, ImagePos};

/// `THIN_SUPERBLOCK_MAGIC`.
const MAGIC: u64 = 27_022_010;
/// `THIN_METADATA_BLOCK_SIZE`.
const BLOCK: Bytes = Bytes::new(4096);
/// `INTERNAL_NODE`, `LEAF_NODE`.
const INTERNAL: u32 = 1;
const LEAF: u32 = 2;
/// The deepest tree.
const MOST_LEVELS: u32 = 16;
/// Devices of a pool.
const MOST_DEVICES: usize = 65_536;

/// Why there is no answer.
pub(super) enum Trouble {
    /// More pieces than are kept.
    Full,
    /// The metadata cannot be read.
    Damaged(String),
}

/// A device of a pool, and what is wanted of it.
pub(super) struct Device {
    pub(super) number: u64,
    pub(super) root: u64,
    /// Parts of the device, and where they lie in the pool's data.
    pub(super) pieces: Vec<Piece>,
}

/// The devices that have any of the wanted parts of a pool's data.
pub(super) fn devices(
    pool: &Pool<'_>,
    wanted: &[Range<DevPos>],
    most: usize,
) -> Result<std::result::Result<Vec<Device>, Trouble>> {
    let damaged = |why: &str| Ok(Err(Trouble::Damaged(format!("thin pool: {why}"))));
    let blocks = Blocks::new(Window::whole(&pool.metadata), BLOCK);
    let Some(superblock) = blocks.read(0)? else {
        return damaged("its metadata ends within the superblock");
    };
    let root = le64(&superblock, 320).filter(|_| le64(&superblock, 32) == Some(MAGIC));
    let Some(root) = root else {
        return damaged("its metadata has no superblock");
    };
    let size = u64::from(le32(&superblock, 336).unwrap_or(0));
    if crate::units::Sectors::new(size).to_bytes() != Some(pool.block) || pool.block == Bytes::ZERO
    {
        return damaged("its metadata has another block size");
    }
    let mut roots = Vec::new();
    let whole = walk(&blocks, root, MOST_LEVELS, &mut |device, root| {
        if roots.len() < MOST_DEVICES {
            roots.push((device, root));
        }
    })?;
    if !whole {
        return damaged("its metadata is damaged");
    }
    let mut found = Vec::new();
    let mut count = 0;
    for (number, root) in roots {
        // Devices share what they have in common: each may be as large as all.
        let blocks = Blocks::new(Window::whole(&pool.metadata), BLOCK);
        let mut pieces = Vec::new();
        let whole = walk(&blocks, root, MOST_LEVELS, &mut |block, value| {
            if count < most {
                add(
                    pool.block,
                    block,
                    value >> 24,
                    wanted,
                    &mut pieces,
                    &mut count,
                );
            }
        })?;
        if !whole {
            return damaged("the map of one of its devices is damaged");
        }
        if count >= most {
            return Ok(Err(Trouble::Full));
        }
        if !pieces.is_empty() {
            found.push(Device {
                number,
                root,
                pieces,
            });
        }
    }
    Ok(Ok(found))
}

/// Adds what is wanted of one block, to the piece before where it goes on.
fn add(
    size: Bytes,
    block: u64,
    data: u64,
    wanted: &[Range<DevPos>],
    pieces: &mut Vec<Piece>,
    count: &mut usize,
) {
    let range = size.checked_mul(data).and_then(|start| {
        let start = DevPos::at(start);
        Some(start..start.checked_add(size)?)
    });
    let (Some(range), Some(volume)) = (range, size.checked_mul(block)) else {
        return;
    };
    for part in overlaps(wanted, &range) {
        let piece = part.start.bytes_since(range.start).and_then(|into| {
            let len = part.end.bytes_since(part.start)?;
            Piece::new(DevPos::at(volume.checked_add(into)?), part.start, len)
        });
        let Some(piece) = piece else {
            continue;
        };
        if let Some(last) = pieces.last_mut()
            && last.volume.end == piece.volume.start
            && last
                .below
                .checked_add(crate::units::range_len(&last.volume))
                == Some(piece.below)
        {
            last.volume.end = piece.volume.end;
        } else {
            pieces.push(piece);
            *count = count.saturating_add(1);
        }
    }
}

/// A node of a tree: its keys and values.
struct Node {
    bytes: Vec<u8>,
    internal: bool,
    count: usize,
    room: usize,
}

impl Node {
    /// `None` where it is none, or has values of another kind.
    fn read(blocks: &Blocks<'_>, block: u64) -> Result<Option<Self>> {
        let Some(bytes) = blocks.read(block)? else {
            return Ok(None);
        };
        let fields = (
            le32(&bytes, 4),
            le32(&bytes, 16),
            le32(&bytes, 20),
            le32(&bytes, 24),
        );
        let (Some(flags), Some(count), Some(room), Some(8)) = fields else {
            return Ok(None);
        };
        let right = le64(&bytes, 8) == Some(block) && count <= room && room <= 254;
        if !right || (flags != INTERNAL && flags != LEAF) {
            return Ok(None);
        }
        Ok(Some(Self {
            bytes,
            internal: flags == INTERNAL,
            count: usize::try_from(count).unwrap_or(0),
            room: usize::try_from(room).unwrap_or(0),
        }))
    }

    fn key(&self, index: usize) -> Option<u64> {
        le64(&self.bytes, index.checked_mul(8)?.checked_add(32)?)
    }

    fn value(&self, index: usize) -> Option<u64> {
        let place = self.room.checked_add(index)?;
        le64(&self.bytes, place.checked_mul(8)?.checked_add(32)?)
    }

    /// The last entry whose key is not greater.
    fn find(&self, key: u64) -> Option<(u64, u64)> {
        let last = (0..self.count)
            .take_while(|index| self.key(*index).is_some_and(|found| found <= key))
            .last()?;
        Some((self.key(last)?, self.value(last)?))
    }
}

/// Shows every key and value of a tree to `visit`; `false` where it is damaged.
fn walk(
    blocks: &Blocks<'_>,
    block: u64,
    levels: u32,
    visit: &mut dyn FnMut(u64, u64),
) -> Result<bool> {
    let (Some(node), Some(fewer)) = (Node::read(blocks, block)?, levels.checked_sub(1)) else {
        return Ok(false);
    };
    let mut whole = true;
    for index in 0..node.count {
        let (Some(key), Some(value)) = (node.key(index), node.value(index)) else {
            return Ok(false);
        };
        if node.internal {
            whole &= walk(blocks, value, fewer, visit)?;
        } else {
            visit(key, value);
        }
    }
    Ok(whole)
}

/// One device of a pool, as something that can be read.
pub(super) struct Reader<'p> {
    pool: &'p Pool<'p>,
    root: u64,
    size: Bytes,
    /// The leaf that was read last.
    leaf: RefCell<Option<(Range<u64>, Node)>>,
}

impl<'p> Reader<'p> {
    pub(super) const fn new(pool: &'p Pool<'p>, root: u64, size: Bytes) -> Self {
        Self {
            pool,
            root,
            size,
            leaf: RefCell::new(None),
        }
    }

    /// The pool's block that a block of the device has, where it has one.
    fn lookup(&self, block: u64) -> Result<Option<u64>> {
        if let Some((keys, node)) = &*self.leaf.borrow()
            && keys.contains(&block)
        {
            return Ok(exact(node, block));
        }
        let blocks = Blocks::new(Window::whole(&self.pool.metadata), BLOCK);
        let mut at = self.root;
        for _ in 0..MOST_LEVELS {
            let Some(node) = Node::read(&blocks, at)? else {
                return Ok(None);
            };
            if !node.internal {
                let found = exact(&node, block);
                let first = node.key(0).unwrap_or(0);
                let last = node.count.checked_sub(1).and_then(|last| node.key(last));
                let end = last.map_or(first, |last| last.saturating_add(1));
                *self.leaf.borrow_mut() = Some((first..end, node));
                return Ok(found);
            }
            match node.find(block) {
                Some((_, child)) => at = child,
                None => return Ok(None),
            }
        }
        Ok(None)
    }
}

/// The pool's block that a leaf has for a block.
fn exact(node: &Node, block: u64) -> Option<u64> {
    let (key, value) = node.find(block)?;
    (key == block).then_some(value >> 24)
}

impl ReadAt for Reader<'_> {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        let size = self.pool.block;
        let mut done = 0_usize;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let position = at.from_start().checked_add(Bytes::of_len(done));
            let Some(position) = position.filter(|position| *position < self.size) else {
                return Err(super::reader::nothing_there(at, rest.len()));
            };
            let into = position.saturating_sub(position.align_down(size));
            let left = size.saturating_sub(into).to_usize().unwrap_or(usize::MAX);
            let len = left.min(rest.len());
            let Some(part) = rest.get_mut(..len) else {
                break;
            };
            match self.lookup(position.whole_units(size))? {
                Some(block) => {
                    let place = size
                        .checked_mul(block)
                        .and_then(|start| start.checked_add(into));
                    let end = place.and_then(|place| place.checked_add(Bytes::of_len(len)));
                    match place.filter(|_| end.is_some_and(|end| end <= self.pool.data.size())) {
                        Some(place) => self.pool.data.read_exact_at(ImagePos::at(place), part)?,
                        // A damaged map: nobody's bytes are taken for it.
                        None => part.fill(0),
                    }
                }
                // What was never written reads as zeros.
                None => part.fill(0),
            }
            done = done.saturating_add(len);
        }
        Ok(())
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        let end = ImagePos::at(self.size);
        Ok((from < end).then_some(from..end))
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        visit_by_reading(self, range, visit)
    }
}
