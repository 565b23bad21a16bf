//! A disk that remembers what was written and synced, so that every power cut can be tried, and that fails when it is told to.

use std::io;
use std::ops::{ControlFlow, Range};

use super::scenario::SECTOR;
use crate::error::{IoError, IoOp, Result};
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::image::{MemImage, ReadAt, WriteAt};
use crate::transaction::is_attachable;
use crate::units::{Bytes, ImagePos};

/// What happened to the disk.
#[derive(Clone, Debug)]
enum Event {
    Write {
        at: usize,
        bytes: Vec<u8>,
    },
    /// Another length: it may have happened at a power cut or not, but not in part.
    Resize(usize),
    Sync,
    /// What was written before may be lost for ever: later syncs do not try again.
    FailedSync,
}

/// What is to go wrong, each by the number of the attempt.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Faults {
    /// This write fails after some of its sectors.
    pub(super) write: Option<(usize, usize)>,
    /// This sync fails.
    pub(super) sync: Option<usize>,
    /// This read fails.
    pub(super) read: Option<usize>,
    /// Whether all attempts after the first that failed fail too.
    pub(super) for_good: bool,
}

/// A write or a resize on its way to the disk.
#[derive(Clone, Copy)]
enum Unsynced<'a> {
    Write(usize, &'a [u8]),
    Resize(usize),
}

/// A disk with a cache that is written back at a sync, or when it likes.
pub(super) struct CrashDisk {
    /// What the disk held when all began.
    start: Vec<u8>,
    /// What reading it answers.
    cache: Vec<u8>,
    events: Vec<Event>,
    faults: Faults,
    writes: usize,
    syncs: usize,
    reads: std::cell::Cell<usize>,
}

/// Decides of each sector that was not synced whether it got to the disk.
pub(super) type Fate<'a> = &'a mut dyn FnMut() -> bool;

impl CrashDisk {
    pub(super) fn new(start: &[u8], faults: Faults) -> Self {
        Self {
            start: start.to_vec(),
            cache: start.to_vec(),
            events: Vec::new(),
            faults,
            writes: 0,
            syncs: 0,
            reads: std::cell::Cell::new(0),
        }
    }

    /// What reading it answers, all of it.
    pub(super) fn cache(&self) -> &[u8] {
        &self.cache
    }

    /// How many writes and syncs there were.
    pub(super) fn events(&self) -> usize {
        self.events.len()
    }

    /// How many writes, syncs and reads there were.
    pub(super) fn attempts(&self) -> [usize; 3] {
        [self.writes, self.syncs, self.reads.get()]
    }

    /// Lets everything go well from now on.
    pub(super) fn repair(&mut self) {
        self.faults = Faults::default();
    }

    /// Every range that was written.
    pub(super) fn written(&self) -> impl Iterator<Item = Range<usize>> {
        self.events.iter().filter_map(|event| match event {
            Event::Write { at, bytes } => Some(*at..*at + bytes.len()),
            Event::Resize(_) | Event::Sync | Event::FailedSync => None,
        })
    }

    /// How often anything attachable was written to `at`.
    pub(super) fn magics_given(&self, at: usize) -> usize {
        let gives = |event: &&Event| match event {
            Event::Write { at: start, bytes } => {
                let mut block = [0; SUPERBLOCK_LEN];
                let len = bytes.len().min(block.len());
                block[..len].copy_from_slice(&bytes[..len]);
                *start == at && is_attachable(&block)
            }
            Event::Resize(_) | Event::Sync | Event::FailedSync => false,
        };
        self.events.iter().filter(gives).count()
    }

    /// What the disk holds after a power cut before event `cut`; `order` sorts the writes that were not synced.
    pub(super) fn after_cut(&self, cut: usize, order: &[u8], fate: Fate<'_>) -> Vec<u8> {
        let mut disk = self.start.clone();
        let mut unsynced: Vec<Unsynced<'_>> = Vec::new();
        for event in &self.events[..cut] {
            match event {
                Event::Write { at, bytes } => unsynced.push(Unsynced::Write(*at, bytes)),
                Event::Resize(size) => unsynced.push(Unsynced::Resize(*size)),
                Event::Sync => write_some(&mut disk, unsynced.drain(..), &mut || true),
                Event::FailedSync => write_some(&mut disk, unsynced.drain(..), fate),
            }
        }
        let mut shuffled: Vec<_> = unsynced.into_iter().enumerate().collect();
        shuffled.sort_by_key(|(number, _)| order.get(*number).copied().unwrap_or(0));
        let shuffled = shuffled.into_iter().map(|(_, write)| write);
        write_some(&mut disk, shuffled, fate);
        disk
    }

    /// What the disk holds where the write before event `cut` got there up to `sectors`, and all writes before it as a whole.
    pub(super) fn torn(&self, cut: usize, sectors: usize) -> Vec<u8> {
        let mut disk = self.start.clone();
        for (number, event) in self.events[..cut].iter().enumerate() {
            if let Event::Resize(size) = event {
                disk.resize(*size, 0);
            }
            if let Event::Write { at, bytes } = event {
                let len = if number + 1 == cut {
                    bytes.len().min(sectors * SECTOR)
                } else {
                    bytes.len()
                };
                disk[*at..at + len].copy_from_slice(&bytes[..len]);
            }
        }
        disk
    }

    /// How many sectors the write before event `cut` has.
    pub(super) fn sectors_before(&self, cut: usize) -> usize {
        match self.events[..cut].last() {
            Some(Event::Write { bytes, .. }) => bytes.len().div_ceil(SECTOR),
            _ => 0,
        }
    }

    fn fails(&self, attempt: usize, planned: Option<usize>) -> bool {
        planned
            .is_some_and(|planned| attempt == planned || self.faults.for_good && attempt > planned)
    }
}

/// Writes those sectors whose fate it is; what was written behind a length that was lost is a panic: nothing of ours relies on that.
fn write_some<'a>(disk: &mut Vec<u8>, writes: impl Iterator<Item = Unsynced<'a>>, fate: Fate<'_>) {
    for write in writes {
        let (at, bytes) = match write {
            Unsynced::Write(at, bytes) => (at, bytes),
            Unsynced::Resize(size) => {
                if fate() {
                    disk.resize(size, 0);
                }
                continue;
            }
        };
        for (number, sector) in bytes.chunks(SECTOR).enumerate() {
            let at = at + number * SECTOR;
            if fate() {
                disk[at..at + sector.len()].copy_from_slice(sector);
            }
        }
    }
}

/// The error of a simulated disk.
fn broken(op: IoOp, at: ImagePos, len: usize) -> IoError {
    IoError::at(op, at, Bytes::of_len(len), io::Error::other("simulated"))
}

impl ReadAt for CrashDisk {
    fn size(&self) -> Bytes {
        Bytes::of_len(self.cache.len())
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        let attempt = self.reads.get();
        self.reads.set(attempt + 1);
        if self.fails(attempt, self.faults.read) {
            return Err(broken(IoOp::Read, at, buf.len()).into());
        }
        let start = at.from_start().to_usize().unwrap();
        buf.copy_from_slice(&self.cache[start..start + buf.len()]);
        Ok(())
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        Ok(Some(from..ImagePos::at(self.size())))
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        MemImage::from_bytes(&self.cache).visit(range, visit)
    }
}

impl WriteAt for CrashDisk {
    fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
        let attempt = self.writes;
        self.writes += 1;
        let planned = self.faults.write;
        let fails = self.fails(attempt, planned.map(|(number, _)| number));
        let len = match planned {
            Some((_, sectors)) if fails => bytes.len().min(sectors * SECTOR),
            _ => bytes.len(),
        };
        let start = at.from_start().to_usize().unwrap();
        self.cache[start..start + len].copy_from_slice(&bytes[..len]);
        self.events.push(Event::Write {
            at: start,
            bytes: bytes[..len].to_vec(),
        });
        if fails {
            return Err(broken(IoOp::Write, at, bytes.len()).into());
        }
        Ok(())
    }

    fn resize(&mut self, size: Bytes) -> Result<()> {
        let attempt = self.writes;
        self.writes += 1;
        if self.fails(attempt, self.faults.write.map(|(number, _)| number)) {
            let error = io::Error::other("simulated");
            return Err(IoError::whole(IoOp::Resize, error).into());
        }
        let size = size.to_usize().unwrap();
        self.cache.resize(size, 0);
        self.events.push(Event::Resize(size));
        Ok(())
    }

    fn sync(&mut self) -> Result<()> {
        let attempt = self.syncs;
        self.syncs += 1;
        if self.fails(attempt, self.faults.sync) {
            self.events.push(Event::FailedSync);
            let error = io::Error::other("simulated");
            return Err(IoError::whole(IoOp::Sync, error).into());
        }
        self.events.push(Event::Sync);
        Ok(())
    }
}
