//! Changes to be tried: what is there, what is to be written where, and what comes of it.

use std::fmt;
use std::ops::Range;

use crate::error::Result;
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{Mark, marked};
use crate::image::{MemImage, ReadAt};
use crate::transaction::{Block, Draft, Identity, Prepared, Store, prepare};
use crate::units::{Bytes, ImagePos};

/// Positions and lengths in these tests are counted in sectors.
pub(super) const SECTOR: usize = 512;
const BLOCK: usize = SUPERBLOCK_LEN;

/// An area, and what is put there.
#[derive(Clone)]
pub(super) struct Put {
    pub(super) at: usize,
    pub(super) bytes: Vec<u8>,
}

/// A disk with old metadata, and a change of it.
#[derive(Clone)]
pub(super) struct Scenario {
    /// All of the disk before.
    pub(super) old: Vec<u8>,
    /// All of the disk afterwards.
    pub(super) new: Vec<u8>,
    pub(super) retire: Vec<usize>,
    pub(super) body: Vec<Put>,
    pub(super) commit: Vec<Put>,
    pub(super) clean_up: Vec<usize>,
    pub(super) wipe: Vec<Put>,
    /// Where the disk is cut off.
    pub(super) cut: Option<usize>,
}

/// All bytes of an image.
pub(super) fn snapshot(image: &dyn ReadAt) -> Vec<u8> {
    let mut bytes = vec![0; image.size().to_usize().unwrap()];
    image.read_exact_at(ImagePos::START, &mut bytes).unwrap();
    bytes
}

/// A superblock whose every other byte is `seed`.
pub(super) fn superblock(magic: u32, seed: u8) -> Vec<u8> {
    let mut block = vec![seed; BLOCK];
    let at = if magic == 0x8374_026A { 28 } else { 60 };
    block[at..at + 4].copy_from_slice(&magic.to_be_bytes());
    block
}

/// A number below 256.
fn low(number: usize) -> u8 {
    number.try_into().unwrap()
}

pub(super) fn pos(at: usize) -> ImagePos {
    ImagePos::at(Bytes::of_len(at))
}

pub(super) fn block(bytes: &[u8], at: usize) -> Block {
    bytes[at..at + BLOCK].try_into().unwrap()
}

impl Scenario {
    /// One of each kind.
    pub(super) fn each() -> [Self; 3] {
        [Self::relocation(), Self::in_place(), Self::truncation()]
    }

    /// A disk of these bytes, and no change of it.
    pub(super) fn of(old: Vec<u8>) -> Self {
        Self {
            new: old.clone(),
            old,
            retire: Vec::new(),
            body: Vec::new(),
            commit: Vec::new(),
            clean_up: Vec::new(),
            wipe: Vec::new(),
            cut: None,
        }
    }

    /// Inner metadata moves up over the outer's, to the end of the disk: bitmap and log overlap with where they were.
    pub(super) fn relocation() -> Self {
        let mut old: Vec<u8> = (0..16 * BLOCK).map(|at| low(at / 64 % 251)).collect();
        old[15 * BLOCK..].copy_from_slice(&superblock(0x8374_026D, 3));
        old[9 * BLOCK..10 * BLOCK].copy_from_slice(&superblock(0x8374_026B, 4));
        let body = old[4 * BLOCK..9 * BLOCK].to_vec();
        let mut scenario = Self::of(old);
        scenario.retire = vec![15 * BLOCK];
        scenario.body = vec![Put {
            at: 10 * BLOCK,
            bytes: body,
        }];
        scenario.commit = vec![Put {
            at: 15 * BLOCK,
            bytes: superblock(0x8374_026B, 5),
        }];
        scenario.clean_up = vec![9 * BLOCK];
        scenario.wipe = vec![Put {
            at: 6 * BLOCK,
            bytes: vec![0; 2 * BLOCK],
        }];
        scenario.finished()
    }

    /// The log is applied to the bitmap: the superblock stays where it is.
    pub(super) fn in_place() -> Self {
        let mut old = vec![0; 12 * BLOCK];
        old[11 * BLOCK..].copy_from_slice(&superblock(0x8374_026C, 6));
        let mut scenario = Self::of(old);
        scenario.retire = vec![11 * BLOCK];
        scenario.body = vec![
            Put {
                at: 3 * BLOCK,
                bytes: vec![0xFF; BLOCK + SECTOR],
            },
            Put {
                at: 7 * BLOCK,
                bytes: (0..2 * BLOCK).map(|at| low(at % 255)).collect(),
            },
        ];
        scenario.commit = vec![Put {
            at: 11 * BLOCK,
            bytes: superblock(0x8374_026B, 6),
        }];
        scenario.finished()
    }

    /// The disk is cut off behind inner metadata, within a block and not at the end of a sector.
    pub(super) fn truncation() -> Self {
        let mut old: Vec<u8> = (0..16 * BLOCK).map(|at| low(at / 64 % 251)).collect();
        old[9 * BLOCK..10 * BLOCK].copy_from_slice(&superblock(0x8374_026B, 4));
        old[15 * BLOCK..].copy_from_slice(&superblock(0x8374_026D, 3));
        old.extend([0x77; 700]);
        let mut scenario = Self::of(old);
        scenario.retire = vec![9 * BLOCK, 15 * BLOCK];
        scenario.body = vec![Put {
            at: 4 * BLOCK,
            bytes: vec![0xA5; 2 * BLOCK],
        }];
        scenario.commit = vec![Put {
            at: 9 * BLOCK,
            bytes: superblock(0x8374_026B, 5),
        }];
        scenario.wipe = vec![Put {
            at: 3 * BLOCK,
            bytes: vec![0; BLOCK],
        }];
        scenario.cut = Some(10 * BLOCK + SECTOR);
        scenario.finished()
    }

    /// With what the disk will hold.
    pub(super) fn finished(mut self) -> Self {
        self.new = self.old.clone();
        let retire = |new: &mut Vec<u8>, at: usize| {
            if let Some(retired) = marked(&block(new, at), Mark::Retired) {
                new[at..at + BLOCK].copy_from_slice(&retired);
            }
        };
        for at in &self.retire {
            retire(&mut self.new, *at);
        }
        for put in self.body.iter().chain(&self.commit).chain(&self.wipe) {
            self.new[put.range()].copy_from_slice(&put.bytes);
        }
        for at in &self.clean_up {
            retire(&mut self.new, *at);
        }
        self.new.truncate(self.cut.unwrap_or(usize::MAX));
        self
    }

    /// What a disk of this change holds, as if it had not been cut off.
    pub(super) fn lengthened(&self, disk: &[u8]) -> Vec<u8> {
        let mut disk = disk.to_vec();
        disk.resize(self.old.len(), 0);
        disk
    }

    /// Where DRBD looks for a superblock.
    pub(super) fn places(&self) -> Vec<usize> {
        let commit = self.commit.iter().map(|put| put.at);
        self.retire.iter().copied().chain(commit).collect()
    }

    /// What is written or cut off when the new superblocks stand.
    pub(super) fn cleaned(&self) -> Vec<Range<usize>> {
        let copies = self.clean_up.iter().map(|at| *at..at + BLOCK);
        let cut = self.cut.map(|at| at..self.old.len());
        let wiped = self.wipe.iter().map(Put::range);
        copies.chain(wiped).chain(cut).collect()
    }

    /// All that may change.
    pub(super) fn planned(&self) -> Vec<Range<usize>> {
        let mut ranges = self.cleaned();
        ranges.extend(self.places().iter().map(|at| *at..at + BLOCK));
        ranges.extend(self.body.iter().map(Put::range));
        ranges
    }

    pub(super) fn old_image(&self) -> MemImage {
        MemImage::from_bytes(&self.old)
    }

    pub(super) fn identity(&self) -> Identity {
        Identity::of_file("/dev/simulated", Bytes::of_len(self.old.len()), "test")
    }

    pub(super) fn prepare<S: Store>(&self, target: &dyn ReadAt, store: S) -> Result<Prepared<S>> {
        prepare(target, &self.identity(), store, |draft| self.draft(draft))
    }

    pub(super) fn draft(&self, draft: &mut Draft<'_>) -> Result<()> {
        for at in &self.retire {
            draft.retire("old superblock", pos(*at))?;
        }
        for put in &self.body {
            let mut area = draft.body("bitmap", put.positions())?;
            for piece in put.bytes.chunks(3000) {
                area.put(piece)?;
            }
        }
        for put in &self.commit {
            draft.commit("superblock", pos(put.at), &block(&put.bytes, 0))?;
        }
        for at in &self.clean_up {
            draft.clean_up("old copy", pos(*at))?;
        }
        for put in &self.wipe {
            draft.wipe("old log", put.positions())?.put(&put.bytes)?;
        }
        if let Some(at) = self.cut {
            draft.cut("rest", pos(at))?;
        }
        Ok(())
    }
}

// A disk is too long to be looked at.
impl fmt::Debug for Put {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}..", self.range(), &self.bytes[1000..1001])
    }
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scenario")
            .field("retire", &self.retire)
            .field("body", &self.body)
            .field("commit", &self.commit)
            .field("clean_up", &self.clean_up)
            .field("wipe", &self.wipe)
            .field("cut", &self.cut)
            .finish_non_exhaustive()
    }
}

impl Put {
    pub(super) fn range(&self) -> Range<usize> {
        self.at..self.at + self.bytes.len()
    }

    pub(super) fn positions(&self) -> Range<ImagePos> {
        pos(self.at)..pos(self.at + self.bytes.len())
    }
}
