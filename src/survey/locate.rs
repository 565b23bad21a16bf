//! Finding metadata: every level of a stack inside an image.
//!
//! ```text
//! |<------------------------- image: backing device of level 0 -------------------------->|
//! |<------------------- DRBD device of level 0 ------------------>| bitmap | log | sb |
//! |<------- DRBD device of level 1 ------->| bitmap | log | sb |
//! ```
//!
//! A DRBD device begins where its backing device begins, so positions are the same on every level; only the ends differ. The chain:
//! a superblock where DRBD looks for one on a device of the image's size; from it the size of the DRBD device; from that the place of the
//! next superblock; and so on. Where the chain breaks, the tail is searched backwards, then everything that holds data.
//!
//! A superblock counts only if its offsets are what DRBD's formulas give for the size that its position implies. What only looks like
//! one is returned as rejected, with the reason.

mod chain;
mod fit;
mod given;
mod partitions;
mod passed_over;
mod rejected;
mod scan;

pub use given::located_at;
pub use rejected::{Rejected, Why};

pub(in crate::survey) use fit::fitting;
pub(crate) use fit::smaller_device;
pub(crate) use partitions::to_look_at;

use std::fmt;
use std::ops::{ControlFlow, Range};

use crate::error::Result;
use crate::format::bitmap::{count_set, out_of_sync};
use crate::format::layout::MdLayout;
use crate::format::metadata::Header;
use crate::format::superblock::{Mark, Superblock, mark_of, unmarked};
use crate::image::Window;
use crate::survey::base::Inside;
use crate::survey::bitmap::OnDiskBitmap;
use crate::survey::occupants::Partition;
use crate::survey::traces::{Block, Trace, TraceKind};
use crate::units::{Bytes, DevPos, Sectors};

/// Which placements are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IndexChoice {
    /// Internal first, then external.
    #[default]
    Auto,
    /// The end of the device; for v07 both its placements.
    Internal,
    /// The start of a meta device.
    FlexExternal,
    /// A 128 MiB slot of a meta device.
    Indexed(u8),
}

/// How far to look beyond the places where DRBD looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ScanMode {
    /// Where the chain breaks: all, where nothing was found or a stack is expected; else the last 64 MiB of the device found.
    #[default]
    Auto,
    /// Not at all.
    Never,
    /// At everything that holds data, whatever was found.
    Full,
}

/// What to look for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LocateOptions {
    /// Which placements are looked at on the outermost level.
    pub index: IndexChoice,
    /// How far to look.
    pub scan: ScanMode,
    /// More than one level is expected.
    pub stacked: bool,
}

/// A level's place in its stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The only one.
    Single,
    /// Nearest the disk: DRBD's lower-level resource.
    Outer,
    /// Between the two.
    Middle,
    /// The stacked resource that holds the data.
    Inner,
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Single => "single",
            Self::Outer => "outer",
            Self::Middle => "middle",
            Self::Inner => "inner",
        })
    }
}

/// How a superblock was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FoundBy {
    /// Where DRBD looks on a device of this size.
    ExpectedPosition,
    /// Where DRBD looks on the device of the level around it.
    OuterSize,
    /// By its magic, somewhere else.
    Scan,
    /// Where the caller said.
    Given,
}

impl fmt::Display for FoundBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ExpectedPosition => "expected-position",
            Self::OuterSize => "outer-size",
            Self::Scan => "scan",
            Self::Given => "given",
        })
    }
}

/// One resource found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Level {
    /// Its place in the stack.
    pub role: Role,
    /// What its superblock says.
    pub superblock: Superblock,
    /// Where its metadata lies on its device.
    pub layout: MdLayout,
    /// The size of the device that the metadata was laid out for: the backing device, or the meta device where external.
    pub device: Bytes,
    /// How it was found.
    pub found_by: FoundBy,
}

impl Level {
    /// The size of the DRBD device: what was last agreed, clipped to what fits, or all that fits.
    #[must_use]
    pub fn drbd_device(&self) -> Sectors {
        self.layout.device_size(self.superblock.la_size())
    }

    /// The same, where it is known: external metadata that never had a size does not limit what its device could be.
    #[must_use]
    pub fn known_drbd_device(&self) -> Option<Sectors> {
        let told = self.layout.index.is_internal() || self.superblock.la_size() != Sectors::ZERO;
        told.then(|| self.drbd_device())
    }

    /// The size of the backing device, where this image has it.
    #[must_use]
    pub fn backing(&self) -> Option<Bytes> {
        self.layout.index.is_internal().then_some(self.device)
    }

    /// The bitmap, as far as la-size needs it.
    #[must_use]
    pub fn bitmap<'a>(&self, device: Window<'a>) -> OnDiskBitmap<'a> {
        OnDiskBitmap::new(device, &self.layout, self.superblock.la_size())
    }

    /// How much of the DRBD device is out of sync with the peer that lags most.
    ///
    /// `None` where that is not known: the device never had a size, no peer has a slot, or counting would read more than `budget`.
    /// Slots without a peer do not count. An unclean level's activity log may add to it.
    ///
    /// # Errors
    ///
    /// Errors of reading the bitmap.
    pub fn out_of_sync(&self, device: Window<'_>, budget: Bytes) -> Result<Option<Sectors>> {
        let bitmap = self.bitmap(device);
        if bitmap.data_at_most(budget)? >= budget {
            return Ok(None);
        }
        let slots = Header::of(&self.superblock).assigned_slots();
        if slots.is_empty() || self.superblock.la_size() == Sectors::ZERO {
            return Ok(None);
        }
        let size = self.superblock.la_size().min(self.layout.usable);
        let bits = self.layout.geometry.bits(size).unwrap_or(0);
        let mut most = 0;
        for slot in slots {
            most = count_set(&mut bitmap.slot_words(slot), bits)?.max(most);
        }
        Ok(Some(out_of_sync(
            most,
            self.layout.geometry.bytes_per_bit,
            size,
        )))
    }
}

/// All that was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Located {
    /// The stack, outermost first; empty where there is no metadata.
    pub levels: Vec<Level>,
    /// What only looks like metadata, by position.
    pub rejected: Vec<Rejected>,
    /// What is left of metadata that DRBD does not see any more, by position.
    pub traces: Vec<Trace>,
    /// How many more were rejected and not kept.
    pub rejected_more: u64,
    /// How far it was looked.
    pub searched: Searched,
    /// The device's partitions that have metadata of their own; looked for where the device has none in its place.
    pub partitions: Vec<Partition>,
    /// Superblocks of devices that something on this one holds: they are no levels of its stack.
    pub inside: Vec<Inside>,
}

impl Located {
    /// The superblock of an interrupted change of mdtool's, where there is one: the one where DRBD looks, else the first.
    #[must_use]
    pub fn under_way(&self) -> Option<&Trace> {
        self.trace_of(|kind| kind == TraceKind::UnderWay)
    }

    /// The trace that matters most: a change that was interrupted, then what others erased, then what mdtool took out of use.
    #[must_use]
    pub fn foremost_trace(&self) -> Option<&Trace> {
        let kinds: [fn(TraceKind) -> bool; 4] = [
            |kind| kind == TraceKind::UnderWay,
            |kind| matches!(kind, TraceKind::Erased { .. }),
            |kind| kind == TraceKind::Retired,
            |kind| matches!(kind, TraceKind::LogAlone { .. }),
        ];
        kinds.into_iter().find_map(|kind| self.trace_of(kind))
    }

    /// A trace of some kind: the one where DRBD looks, else the first.
    #[must_use]
    pub fn trace_of(&self, kind: impl Fn(TraceKind) -> bool) -> Option<&Trace> {
        let all = || self.traces.iter().filter(|trace| kind(trace.kind));
        all().find(|trace| trace.in_place).or_else(|| all().next())
    }

    /// The size of the device on which DRBD would look for a level: `device`, or the DRBD devices around it, as far as they all reach.
    #[must_use]
    pub fn holder(&self, number: usize, device: Bytes) -> Bytes {
        let around = self.levels.iter().take(number);
        let around = around.filter_map(|level| level.drbd_device().to_bytes());
        around.fold(device, Bytes::min)
    }

    /// Whether a level lies beyond the end of a device around it.
    #[must_use]
    pub fn is_beyond(&self, number: usize, device: Bytes) -> bool {
        let level = self.levels.get(number).filter(|_| number > 0);
        level.is_some_and(|level| {
            level.layout.index.is_internal()
                && level.layout.whole.end.from_start() > self.holder(number, device)
        })
    }

    /// Whether a superblock is that of a level found, from when its device had another size.
    #[must_use]
    pub fn is_older_copy(&self, superblock: &Superblock) -> bool {
        let mut levels = self.levels.iter();
        levels.any(|level| fit::same_resource(&level.superblock, superblock))
    }

    /// Whether a level stands in its place and was just created: what lies inside its device was there before.
    #[must_use]
    pub fn is_just_created(&self, number: usize) -> bool {
        let level = self.levels.get(number);
        level.is_some_and(|level| {
            let current = level.superblock.current_uuid();
            level.found_by == FoundBy::ExpectedPosition
                && current.is_some_and(|uuid| !uuid.names_a_generation())
        })
    }

    /// The older metadata that a level hides which was just created.
    #[must_use]
    pub fn hidden_by(&self, number: usize) -> Option<&Rejected> {
        let mut rejected = self.rejected.iter().rev();
        let hidden =
            rejected.find(|one| matches!(one.why, Why::Leftover { level } if level == number));
        hidden.filter(|_| self.is_just_created(number))
    }

    /// Whether a trace is where the metadata of a level was before it was moved: it tells of no other resource.
    #[must_use]
    pub fn is_former_place(&self, trace: &Trace) -> bool {
        let was = trace
            .level
            .as_ref()
            .filter(|_| trace.kind == TraceKind::Retired);
        let mut levels = self.levels.iter();
        was.is_some_and(|was| {
            levels.any(|level| fit::same_resource(&level.superblock, &was.superblock))
        })
    }

    /// The trace that a level was made of: one that a caller named by its position.
    #[must_use]
    pub fn trace_at(&self, at: DevPos) -> Option<&Trace> {
        self.traces.iter().find(|trace| trace.at == at)
    }
}

/// How far it was looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Searched {
    /// Where DRBD would look.
    #[default]
    Expected,
    /// The last so many bytes of the device, too.
    Tail(Bytes),
    /// Everything that holds data.
    Everything,
}

/// Looks for metadata in a device.
///
/// # Errors
///
/// Read errors. That there is none is no error.
pub fn locate(device: Window<'_>, options: &LocateOptions) -> Result<Located> {
    chain::Finder::new(device, *options).locate()
}

/// Shows every block of `range` that carries a magic, whether it counts or not, first to last; holes are skipped.
///
/// # Errors
///
/// Read errors.
pub fn superblocks_in(
    device: Window<'_>,
    range: Range<DevPos>,
    found: &mut dyn FnMut(DevPos) -> ControlFlow<()>,
) -> Result<()> {
    scan::forward(device, range, &mut |hit| match hit.block {
        Block::Superblock(_) => found(hit.at),
        Block::Other(_) => ControlFlow::Continue(()),
    })
}

/// Shows every block of `range` that a completed change of mdtool's took out of use, and what it was; first to last, holes are skipped.
///
/// # Errors
///
/// What reading met.
pub fn retired_in(
    device: Window<'_>,
    range: Range<DevPos>,
    found: &mut dyn FnMut(DevPos, Superblock) -> ControlFlow<()>,
) -> Result<()> {
    scan::forward(device, range, &mut |hit| {
        let Block::Other(block) = &hit.block else {
            return ControlFlow::Continue(());
        };
        let retired = mark_of(block).is_some_and(|marked| marked.mark == Mark::Retired);
        let was = unmarked(block).filter(|_| retired);
        match was.and_then(|was| Superblock::decode(&was)) {
            Some(superblock) => found(hit.at, superblock),
            None => ControlFlow::Continue(()),
        }
    })
}

/// Takes the superblock at a position for granted, as far as it is one.
///
/// # Errors
///
/// [`Error::Corrupt`](crate::error::Error::Corrupt) where there is none that counts; read errors.
pub fn locate_at(device: Window<'_>, at: DevPos, index: IndexChoice) -> Result<Level> {
    fit::given(device, at, index)
}
