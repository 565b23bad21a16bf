//! Btrfs, by its chunks: names are not resolved.
//!
//! The superblock has the chunks that the tree of chunks lies in; that tree has all of them, each with its places on the devices.

use std::ops::Range;

use super::answer::Class;
use super::blocks::{Blocks, bytes};
use super::findings::{Findings, What};
use super::layers::Answered;
use super::names::Names;
use crate::error::Result;
use crate::image::Window;
use crate::survey::bytes::{array, le16, le32, le64};
use crate::units::{Bytes, DevPos};

/// `BTRFS_SUPER_INFO_OFFSET`, and where the copies are.
const SUPERBLOCKS: [u64; 3] = [64 << 10, 64 << 20, 256 << 30];
/// What a node has a multiple of.
const BLOCK: u64 = 4096;
const SUPERBLOCK: Bytes = Bytes::new(4096);
/// `BTRFS_CHUNK_ITEM_KEY`.
const CHUNK_ITEM: u8 = 228;
/// `BTRFS_BLOCK_GROUP_*`.
const DATA: u64 = 1;
const RAID0: u64 = 8;
const RAID10: u64 = 0x40;
const RAID5: u64 = 0x80;
const RAID6: u64 = 0x100;
/// Bytes before the items of a node, and of each item of a leaf or of an inner node.
const HEADER: usize = 101;
const ITEM: usize = 25;
const POINTER: usize = 33;
/// The deepest tree (`BTRFS_MAX_LEVEL`).
const MOST_LEVELS: u8 = 8;
/// Chunks of the superblock, and of all.
const MOST_CHUNKS: usize = 1 << 16;

/// A chunk: where it is among all chunks, and where on this device.
struct Chunk {
    logical: Range<u64>,
    kind: u64,
    /// Beginnings on this device, and how much each has.
    places: Vec<DevPos>,
    len: Bytes,
}

impl Chunk {
    /// `struct btrfs_chunk` at the beginning of `item`; and its length.
    fn decode(logical: u64, item: &[u8], device: u64) -> Option<(Self, usize)> {
        let (len, kind) = (le64(item, 0)?, le64(item, 24)?);
        let (stripes, sub) = (le16(item, 44)?, le16(item, 46)?);
        let stripe = |index: u16| -> Option<(u64, u64)> {
            let at = usize::from(index).checked_mul(32)?.checked_add(48)?;
            Some((le64(item, at)?, le64(item, at.checked_add(8)?)?))
        };
        let mut places = Vec::new();
        for index in 0..stripes {
            let (of, start) = stripe(index)?;
            if of == device {
                places.push(DevPos::new(start));
            }
        }
        let count = u64::from(stripes);
        let shares = match kind {
            kind if kind & RAID0 != 0 => count,
            kind if kind & RAID10 != 0 => count.checked_div(u64::from(sub))?,
            kind if kind & RAID5 != 0 => count.saturating_sub(1),
            kind if kind & RAID6 != 0 => count.saturating_sub(2),
            _ => 1,
        };
        let size = usize::from(stripes).checked_mul(32)?.checked_add(48)?;
        let chunk = Self {
            logical: logical..logical.checked_add(len)?,
            kind,
            places,
            len: Bytes::new(len.checked_div(shares)?),
        };
        Some((chunk, size))
    }
}

/// Finds whose the wanted parts are; the error in words where the file system cannot be read.
pub(super) fn answer(
    device: Window<'_>,
    mut findings: Findings,
) -> Result<Result<Answered, String>> {
    let start = DevPos::new(64 << 10);
    let range = start.checked_add(SUPERBLOCK).map(|end| start..end);
    let read = range
        .map(|range| bytes(device, &range))
        .transpose()?
        .flatten();
    let Some(superblock) = read else {
        return Ok(Err("the device ends within the superblock".to_owned()));
    };
    let fields = (
        le64(&superblock, 201),
        le32(&superblock, 148),
        le64(&superblock, 88),
    );
    let (Some(own), Some(node), Some(root)) = fields else {
        return Ok(Err("the superblock is cut off".to_owned()));
    };
    if !node.is_power_of_two() || !(4096..=65_536).contains(&node) {
        return Ok(Err("the superblock's node size cannot be".to_owned()));
    }
    let first = system_chunks(&superblock, own);
    let blocks = Blocks::new(device, Bytes::new(BLOCK));
    let mut tree = Tree {
        blocks,
        node: u64::from(node),
        own,
        first,
        found: Vec::new(),
    };
    let level = array::<1>(&superblock, 199).map_or(MOST_LEVELS, |[level]| level);
    let whole = tree.walk(root, level)?;
    let mut notes =
        vec!["names are not resolved: ranges are known by the chunks that they lie in".to_owned()];
    if !whole {
        notes.push("the tree of chunks is damaged: chunks may be missing".to_owned());
    }
    note(&tree.found, whole, &mut findings);
    Ok(Ok(Answered {
        file_system: "btrfs",
        findings,
        names: Names::new(),
        notes,
    }))
}

/// Notes chunks and superblocks; what is in none of them is free, where all chunks are known.
fn note(chunks: &[Chunk], whole: bool, findings: &mut Findings) {
    for start in SUPERBLOCKS.map(DevPos::new) {
        if let Some(end) = start.checked_add(SUPERBLOCK) {
            findings.note(&(start..end), What::of(Class::Metadata, "superblock"));
        }
    }
    for chunk in chunks {
        let what = if chunk.kind & DATA == 0 {
            What::of(Class::Metadata, "in a chunk of metadata")
        } else {
            What::of(Class::Unknown, "in a chunk of data: names are not resolved")
        };
        for start in &chunk.places {
            if let Some(end) = start.checked_add(chunk.len) {
                for part in without_superblocks(*start..end) {
                    findings.note(&part, what);
                }
            }
        }
    }
    let rest = if whole {
        What::of(Class::Free, "in no chunk")
    } else {
        What::of(Class::Unknown, "in no chunk that was found")
    };
    for gap in findings.gaps() {
        findings.note(&gap, rest);
    }
}

/// A range without the superblocks in it, which no chunk uses.
fn without_superblocks(range: Range<DevPos>) -> Vec<Range<DevPos>> {
    let mut parts = Vec::new();
    let mut rest = range;
    for start in SUPERBLOCKS.map(DevPos::new) {
        let end = start.saturating_add(SUPERBLOCK);
        if start < rest.end && end > rest.start {
            parts.push(rest.start..start.max(rest.start));
            rest.start = end.min(rest.end);
        }
    }
    parts.push(rest);
    parts
}

/// The chunks that the superblock has.
fn system_chunks(superblock: &[u8], own: u64) -> Vec<Chunk> {
    let len = le32(superblock, 160)
        .and_then(|len| usize::try_from(len).ok())
        .unwrap_or(0);
    let list = superblock.get(811..).unwrap_or_default();
    let mut list = list.get(..len.min(2048)).unwrap_or_default();
    let mut chunks = Vec::new();
    while let Some((chunk, size)) = key(list).and_then(|(kind, logical)| {
        let chunk = Chunk::decode(logical, list.get(17..)?, own)?;
        (kind == CHUNK_ITEM).then_some(chunk)
    }) {
        chunks.push(chunk);
        list = list.get(size.saturating_add(17)..).unwrap_or_default();
    }
    chunks
}

/// `struct btrfs_disk_key`: its type and its offset.
fn key(bytes: &[u8]) -> Option<(u8, u64)> {
    let [kind] = array(bytes, 8)?;
    Some((kind, le64(bytes, 9)?))
}

/// The tree of chunks.
struct Tree<'a> {
    blocks: Blocks<'a>,
    node: u64,
    own: u64,
    first: Vec<Chunk>,
    found: Vec<Chunk>,
}

impl Tree<'_> {
    /// Walks a node; `false` where it is damaged.
    fn walk(&mut self, logical: u64, level: u8) -> Result<bool> {
        let Some(bytes) = self.read(logical)? else {
            return Ok(false);
        };
        let right = le64(&bytes, 48) == Some(logical) && array(&bytes, 100) == Some([level]);
        let count = le32(&bytes, 96).and_then(|count| usize::try_from(count).ok());
        let Some(count) = count.filter(|_| right && level < MOST_LEVELS) else {
            return Ok(false);
        };
        let body = bytes.get(HEADER..).unwrap_or_default();
        if level == 0 {
            return Ok(self.leaf(body, count));
        }
        let mut whole = true;
        for pointer in body.chunks_exact(POINTER).take(count) {
            let Some(child) = le64(pointer, 17) else {
                return Ok(false);
            };
            whole &= self.walk(child, level.saturating_sub(1))?;
        }
        Ok(whole)
    }

    fn leaf(&mut self, body: &[u8], count: usize) -> bool {
        let mut whole = true;
        for item in body.chunks_exact(ITEM).take(count) {
            let Some((CHUNK_ITEM, logical)) = key(item) else {
                continue;
            };
            let at = le32(item, 17).and_then(|at| usize::try_from(at).ok());
            let chunk = at.and_then(|at| Chunk::decode(logical, body.get(at..)?, self.own));
            whole &= chunk.is_some() && self.found.len() < MOST_CHUNKS;
            if self.found.len() < MOST_CHUNKS {
                self.found.extend(chunk.map(|(chunk, _)| chunk));
            }
        }
        whole
    }

    /// A node, where one of the first chunks has it on this device.
    fn read(&self, logical: u64) -> Result<Option<Vec<u8>>> {
        let chunk = self
            .first
            .iter()
            .find(|chunk| chunk.logical.contains(&logical));
        let place = chunk.and_then(|chunk| {
            let into = logical.checked_sub(chunk.logical.start)?;
            chunk.places.first()?.checked_add(Bytes::new(into))
        });
        let aligned = place.filter(|place| place.get().is_multiple_of(BLOCK));
        match aligned {
            Some(place) => self
                .blocks
                .read_many(place.get() / BLOCK, self.node / BLOCK),
            None => Ok(None),
        }
    }
}
