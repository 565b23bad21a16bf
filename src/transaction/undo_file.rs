//! An undo file, read and verified from end to end before anything is done with it.

mod header;
mod scan;

use std::ops::Range;

use scan::{Scan, within};

use super::draft::Change;
use super::format::{
    Doing, FIRST_VERSION, RECORD_TAG, REGION_TAG, SAME_LEN, SAME_TAG, SameHead, TRAILER_TAG,
};
use super::journal::Identity;
use super::outline::{Outline, Phase, Region};
use super::reader::{Reader, Record};
use super::superblock::{Block, Retired};
use crate::error::{Result, UndoFault, UndoFileError};
use crate::image::ReadAt;
use crate::units::ImagePos;

/// An undo file that is whole: every checksum holds, and its changes are such as a draft makes.
#[derive(Debug)]
pub struct UndoFile<R> {
    file: R,
    version: u32,
    doing: Doing,
    identity: Identity,
    regions: Vec<Filed>,
    retired: Retired,
}

/// A region, and where in the file its records are.
#[derive(Debug)]
struct Filed {
    region: Region,
    /// Where the first record lies.
    first: ImagePos,
    /// How many records come before, in all.
    number: u64,
    records: u64,
    /// How many frames there are: records, and stretches that stay.
    frames: u64,
}

/// A part of a region.
pub(super) enum Frame<'a> {
    /// What changes.
    Record(&'a Record),
    /// What stays.
    Same(SameHead),
}

/// What sees each frame: the number of the next record, its region, and itself.
pub(super) type VisitFrame<'a> = &'a mut dyn FnMut(u64, &Region, Frame<'_>) -> Result<()>;

/// What sees each record: its number among all, its region, and itself.
pub(super) type Visit<'a> = &'a mut dyn FnMut(u64, &Region, &Record) -> Result<()>;

impl<R: ReadAt> UndoFile<R> {
    /// Reads `file` from end to end and verifies it; nothing but its description of the regions is kept in memory.
    ///
    /// # Errors
    ///
    /// [`UndoFileError`] where it is no undo file, damaged or cut off; [`crate::error::IoError`] where it cannot be read.
    pub fn open(file: R) -> Result<Self> {
        Self::open_showing(file, &mut |_, _| Ok(()))
    }

    /// The same, and shows every frame to `see` on the way: what is verified is read once.
    pub(super) fn open_showing(
        file: R,
        see: &mut dyn FnMut(&Region, Frame<'_>) -> Result<()>,
    ) -> Result<Self> {
        let mut reader = Reader::at(&file, ImagePos::START);
        let header = header::read(&mut reader)?;
        let mut scan = Scan {
            version: header.version,
            doing: header.doing,
            sizes: header.identity.sizes(),
            outline: Outline::default(),
            filed: Vec::new(),
            retired: Retired::default(),
            cursor: ImagePos::START,
            number: 0,
        };
        let mut record = Record::default();
        loop {
            let at = reader.position();
            match reader.peek_array()? {
                REGION_TAG => scan.region(&mut reader)?,
                RECORD_TAG => {
                    reader.record(&mut record)?;
                    let fault = |fault| UndoFileError { at, fault };
                    scan.record(&record).map_err(fault)?;
                    if let Some(region) = scan.outline.regions().last() {
                        see(region, Frame::Record(&record))?;
                    }
                }
                SAME_TAG => {
                    let bytes: [u8; SAME_LEN] = reader.peek_array()?;
                    let fault = |fault| UndoFileError { at, fault };
                    let same = SameHead::decode(&bytes).map_err(fault)?;
                    scan.same(&same).map_err(fault)?;
                    if let Some(region) = scan.outline.regions().last() {
                        see(region, Frame::Same(same))?;
                    }
                    reader.take(SAME_LEN)?;
                }
                TRAILER_TAG => break,
                found => {
                    let found = u32::from_be_bytes(found);
                    let fault = UndoFault::Tag { found };
                    return Err(UndoFileError { at, fault }.into());
                }
            }
        }
        scan.trailer(&mut reader)?;
        scan.check_retired()?;
        let regions = scan.outline.into_regions().into_iter().zip(scan.filed);
        Ok(Self {
            regions: regions
                .map(|(region, filed)| Filed { region, ..filed })
                .collect(),
            retired: scan.retired,
            version: header.version,
            doing: header.doing,
            identity: header.identity,
            file,
        })
    }

    /// What the file says of the change and its targets.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether it is of a change, or of the undoing of one.
    pub const fn doing(&self) -> Doing {
        self.doing
    }

    /// The parts that the change announced, in the order in which they were written.
    pub fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().map(|filed| &filed.region)
    }

    /// Where a target was cut off, where that is part of the change.
    #[must_use]
    pub fn cut(&self, target: usize) -> Option<ImagePos> {
        let mut cuts = self.regions().filter(|one| one.phase == Phase::Cut);
        let cut = cuts.find(|region| region.target == target);
        cut.map(|region| region.range.start)
    }

    /// How many changes it holds.
    #[must_use]
    pub fn records(&self) -> u64 {
        let last = self.regions.last();
        last.map_or(0, |filed| filed.number.saturating_add(filed.records))
    }

    /// Shows every change, in the order in which they were written.
    ///
    /// # Errors
    ///
    /// What `show` answers; as [`Self::open`], where the file changed since.
    pub fn changes(&self, show: &mut dyn FnMut(&Change<'_>) -> Result<()>) -> Result<()> {
        let mut visit = |_, region: &Region, record: &Record| {
            show(&Change {
                target: region.target,
                phase: region.phase,
                label: &region.label,
                at: record.at,
                before: &record.before,
                after: &record.after,
            })
        };
        for phase in Phase::ALL {
            self.walk(phase, &mut visit)?;
        }
        Ok(())
    }

    /// The superblocks that the change retired.
    pub(super) const fn retired(&self) -> &Retired {
        &self.retired
    }

    /// Whether the record of this number in `region` is of the superblock that DRBD would attach: the first that is retired of a target.
    pub(super) fn is_foremost(&self, number: u64, region: &Region) -> bool {
        let mut retired = self.regions.iter().filter(|one| {
            let of = (one.region.phase, one.region.target);
            of == (Phase::Retire, region.target) && one.records > 0
        });
        retired.next().is_some_and(|first| first.number == number)
    }

    /// Whether a superblock of another device in the place of this record shows that it is another disk: where the new one was put, or, where
    /// none was, where DRBD looked.
    pub(super) fn decides(&self, number: u64, region: &Region) -> bool {
        let target = region.target;
        let mut commits = self.regions().filter(|one| one.phase == Phase::Commit);
        match region.phase {
            Phase::Commit => true,
            Phase::Retire => {
                self.is_foremost(number, region) && commits.all(|one| one.target != target)
            }
            Phase::Body | Phase::Cleanup | Phase::Cut => false,
        }
    }

    /// Whether the file says that retired superblocks have no mark.
    pub(super) const fn is_without_marks(&self) -> bool {
        self.version == FIRST_VERSION
    }

    /// Shows every record of one phase, each verified once more.
    pub(super) fn walk(&self, phase: Phase, visit: Visit<'_>) -> Result<()> {
        self.frames(phase, &mut |number, region, frame| match frame {
            Frame::Record(record) => visit(number, region, record),
            Frame::Same(_) => Ok(()),
        })
    }

    /// Shows where every record of one phase writes to, without reading what it writes: that was verified when the file was opened.
    pub(super) fn places(
        &self,
        phase: Phase,
        visit: &mut dyn FnMut(&Region, Range<ImagePos>) -> Result<()>,
    ) -> Result<()> {
        for filed in self.regions.iter().filter(|one| one.region.phase == phase) {
            let mut reader = Reader::at(&self.file, filed.first);
            for _ in 0..filed.frames {
                if reader.peek_array()? == SAME_TAG {
                    reader.take(SAME_LEN)?;
                } else {
                    visit(&filed.region, reader.pass_record()?)?;
                }
            }
        }
        Ok(())
    }

    /// Shows every frame of the regions of one phase, each verified once more.
    pub(super) fn frames(&self, phase: Phase, visit: VisitFrame<'_>) -> Result<()> {
        let mut record = Record::default();
        for filed in self.regions.iter().filter(|one| one.region.phase == phase) {
            let mut reader = Reader::at(&self.file, filed.first);
            let mut number = filed.number;
            for _ in 0..filed.frames {
                let at = reader.position();
                // The file may have changed since it was opened.
                let fault = |fault| UndoFileError { at, fault };
                if reader.peek_array()? == SAME_TAG {
                    let bytes: [u8; SAME_LEN] = reader.peek_array()?;
                    let same = SameHead::decode(&bytes).map_err(fault)?;
                    reader.take(SAME_LEN)?;
                    visit(number, &filed.region, Frame::Same(same))?;
                    continue;
                }
                reader.record(&mut record)?;
                within(&filed.region, &record).map_err(fault)?;
                visit(number, &filed.region, Frame::Record(&record))?;
                number = number.saturating_add(1);
            }
        }
        Ok(())
    }
}

/// The block that a superblock's record has.
pub(super) fn block_of(content: &[u8]) -> Block {
    // Records of superblocks were found to be of this length.
    content.first_chunk().map_or([0; 4096], |block| *block)
}
