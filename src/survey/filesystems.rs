//! Whose a range of a device is: which partition, volume, file system and file it belongs to.
//!
//! ```text
//! device ── GPT, MBR ── partition ── LVM2 ── logical volume ── file system ── inode ── path
//!    └────────────────────── each step may be left out ───────────────┘
//! ```
//!
//! Nothing is mounted and nothing is written. A file system is read once from front to back: its tables of inodes are streamed, and only
//! what lies in a wanted range is kept; then its directories, for the names of what was kept. The structures are those on disk, read at
//! their offsets as `occupants` does, one file for each; every number is taken for a claim: counts are bounded by the size of the device,
//! trees by their declared depth and by a budget of blocks, and what contradicts itself makes the answer "unknown", never an error.
//!
//! The map is as old as the last checkpoint of a journal: a journal is not replayed, and an answer says so where it matters.

mod answer;
mod blocks;
mod btrfs;
mod ext;
mod findings;
mod layers;
mod lvm;
mod names;
mod ntfs;
mod pieces;
mod xfs;

pub use answer::{Class, Owner, Place, Stretch, Volume};

use std::ops::Range;

use crate::error::Result;
use crate::image::Window;
use crate::units::{Bytes, DevPos, range_len};

/// How many pieces of one pass are kept: an answer that would have more is found in parts.
const MOST_FOUND: usize = 1 << 18;

/// Finds owners on one device.
pub struct Finder<'a> {
    device: Window<'a>,
    /// Where the metadata of DRBD resources inside this device begins.
    metadata: Option<DevPos>,
    notes: Vec<String>,
}

impl<'a> Finder<'a> {
    /// A device that file systems or layers below them begin on.
    #[must_use]
    pub const fn new(device: Window<'a>) -> Self {
        Self {
            device,
            metadata: None,
            notes: Vec::new(),
        }
    }

    /// What lies from there on is metadata of resources inside this device: file systems end before.
    #[must_use]
    pub fn with_metadata_from(self, start: Option<DevPos>) -> Self {
        Self {
            metadata: start,
            ..self
        }
    }

    /// Whose these ranges are, in order of their beginnings: what lies beyond the device belongs to nobody and is left out.
    ///
    /// A range has several answers where several volumes share it.
    ///
    /// # Errors
    ///
    /// What reading the device reported. A damaged file system is none.
    pub fn find(
        &mut self,
        ranges: &[Range<DevPos>],
        told: &mut dyn FnMut(Stretch) -> Result<()>,
    ) -> Result<()> {
        self.find_at_most(
            &findings::normalised(ranges, self.device.size()),
            MOST_FOUND,
            told,
        )
    }

    fn find_at_most(
        &mut self,
        wanted: &[Range<DevPos>],
        most: usize,
        told: &mut dyn FnMut(Stretch) -> Result<()>,
    ) -> Result<()> {
        let answers = layers::answers(self.device, self.metadata, wanted, most, &mut self.notes)?;
        match answers {
            Some(stretches) => stretches.into_iter().try_for_each(told),
            None => match halves(wanted) {
                Some((first, second)) => {
                    self.find_at_most(&first, most, told)?;
                    self.find_at_most(&second, most, told)
                }
                // One sector with so many owners: as many as fit are an answer.
                None => self.find_at_most(wanted, usize::MAX, told),
            },
        }
    }

    /// What is to be said of the file systems that answers came from, each once.
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }
}

/// Ranges of a device.
type Ranges = Vec<Range<DevPos>>;

/// Two parts of about the same size, cut at a sector; `None` for less than two sectors.
fn halves(wanted: &[Range<DevPos>]) -> Option<(Ranges, Ranges)> {
    let sector = crate::units::SECTOR_SIZE;
    let total = wanted.iter().fold(0_u64, |sum, range| {
        sum.saturating_add(range_len(range).get())
    });
    let mut left = Bytes::new(total / 2).align_down(sector);
    let (mut first, mut second) = (Vec::new(), Vec::new());
    for range in wanted {
        let len = range_len(range);
        let cut = len.min(left);
        left = left.saturating_sub(cut);
        let middle = range.start.checked_add(cut)?;
        if middle > range.start {
            first.push(range.start..middle);
        }
        if middle < range.end {
            second.push(middle..range.end);
        }
    }
    (!first.is_empty() && !second.is_empty()).then_some((first, second))
}
