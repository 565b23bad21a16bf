//! What several commands say of a disk: text and JSON are made of these alone. docs/json.md documents the fields, which are only ever added to.

mod locate;

use std::fmt::Display;

use serde::{Serialize, Serializer};

use crate::cli::args::ImageArgs;
use crate::cli::output::{explain, traces};
use crate::cli::session::open::Opened;
use crate::format::layout::MdIndex;
use crate::format::superblock::{AlState, Format, Uuid};
use crate::image::Window;
use crate::survey::base::Inside;
use crate::survey::locate::{FoundBy, Level, Located, Rejected, Role, Searched, Why};
use crate::survey::occupants::{Occupant, Partition};
use crate::survey::residents::{Resident, residents};
use crate::survey::traces::Trace;
use crate::units::{Bytes, DevPos, ImagePos, Sectors};

pub(crate) use locate::{LocateView, NextView};

/// How much of a bitmap is read to say how much is out of sync.
const COUNTING_BUDGET: Bytes = Bytes::new(64 << 10);

/// A field whose word is what its type displays.
pub(crate) fn word<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

/// The same, for what may not be there, and for lists.
#[derive(Clone, Copy)]
pub(crate) struct Shown<T>(pub(crate) T);

impl<T: Display> Serialize for Shown<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// What was found, and where: what views are made of.
pub(crate) struct Report<'a> {
    pub(crate) opened: &'a Opened,
    pub(crate) image: &'a ImageArgs,
    pub(crate) located: &'a Located,
    /// The number of the first level reported.
    pub(crate) first: usize,
}

impl Report<'_> {
    /// The levels with their numbers.
    pub(crate) fn numbered(&self) -> impl Iterator<Item = (usize, &Level)> {
        (self.first..).zip(&self.located.levels)
    }

    /// The size of the device that was looked at.
    pub(crate) fn device_size(&self) -> Bytes {
        self.opened.window().size()
    }

    /// Where in the image a position of the device is.
    pub(crate) fn image_pos(&self, at: DevPos) -> ImagePos {
        self.opened.image_pos(at)
    }

    /// Whether this is external metadata in the midst of something else, of whose bitmap nothing is known.
    pub(crate) fn is_elsewhere(&self, level: &Level) -> bool {
        !level.layout.index.is_internal() && level.device < self.device_size()
    }

    /// The device that was looked at.
    pub(crate) fn window(&self) -> Window<'_> {
        self.opened.window()
    }

    /// How much of a level is out of sync; `None` where counting would read too much.
    fn out_of_sync(&self, level: &Level) -> crate::error::Result<Option<Bytes>> {
        if self.is_elsewhere(level) {
            return Ok(None);
        }
        Ok(level
            .out_of_sync(self.opened.window(), COUNTING_BUDGET)?
            .and_then(Sectors::to_bytes))
    }

    /// Every level.
    pub(crate) fn levels(&self) -> crate::error::Result<Vec<LevelView>> {
        self.numbered()
            .map(|(number, level)| LevelView::of(self, number, level))
            .collect()
    }

    /// Who lives on the disk.
    pub(crate) fn occupants(&self) -> crate::error::Result<Vec<ResidentView>> {
        let residents = residents(self.opened.window(), &self.located.levels)?;
        Ok(residents
            .iter()
            .map(|one| ResidentView::of(self, one))
            .collect())
    }

    /// What is left of metadata that DRBD does not see.
    pub(crate) fn traces(&self) -> Vec<TraceView> {
        self.located
            .traces
            .iter()
            .map(|one| TraceView::of(self.image, one))
            .collect()
    }

    /// The partitions that have metadata of their own.
    pub(crate) fn partitions(&self) -> Vec<PartitionView> {
        self.located
            .partitions
            .iter()
            .map(|one| PartitionView::of(self.opened, one))
            .collect()
    }

    /// The devices that something on the disk holds and that have metadata of their own.
    pub(crate) fn inside(&self) -> Vec<InsideView> {
        let inside = self.located.inside.iter();
        inside.map(|one| InsideView::of(self.opened, one)).collect()
    }
}

/// A part of the image.
#[derive(Serialize)]
pub(crate) struct PartView {
    pub(crate) offset: u64,
    pub(crate) bytes: u64,
}

impl PartView {
    pub(crate) fn of(report: &Report<'_>) -> Option<Self> {
        let part = report.image.offset.is_some() || report.image.size.is_some();
        part.then(|| Self {
            offset: report.image_pos(DevPos::START).get(),
            bytes: report.device_size().get(),
        })
    }
}

/// One level.
#[derive(Serialize)]
pub(crate) struct LevelView {
    /// 0 is the outermost.
    pub(crate) level: usize,
    #[serde(serialize_with = "word")]
    pub(crate) role: Role,
    #[serde(serialize_with = "word")]
    pub(crate) format: Format,
    #[serde(serialize_with = "word")]
    pub(crate) index: MdIndex,
    #[serde(serialize_with = "word")]
    pub(crate) state: AlState,
    /// Where the superblock begins, from the image's start as all positions.
    pub(crate) md_offset: u64,
    pub(crate) al_offset: u64,
    pub(crate) bm_offset: u64,
    md_size_sect: u64,
    /// The size that was last agreed on, as on disk.
    pub(crate) la_size_sect: u64,
    /// The largest DRBD device that there is room for.
    pub(crate) usable_sect: u64,
    /// The device that this was laid out for; nothing where that is elsewhere.
    pub(crate) backing_bytes: Option<u64>,
    /// The DRBD device; nothing where its size is not known.
    pub(crate) device_bytes: Option<u64>,
    pub(crate) current_uuid: Option<Shown<Uuid>>,
    pub(crate) device_uuid: Option<Shown<Uuid>>,
    #[serde(serialize_with = "word")]
    pub(crate) found_by: FoundBy,
    /// What the bitmap marks; nothing where that means nothing, or counting would read too much.
    pub(crate) out_of_sync_bytes: Option<u64>,
}

impl LevelView {
    /// One level, as `levels` has it and as export describes it.
    pub(crate) fn of(
        report: &Report<'_>,
        number: usize,
        level: &Level,
    ) -> crate::error::Result<Self> {
        let (superblock, layout) = (&level.superblock, &level.layout);
        let position = |at: DevPos| report.image_pos(at).get();
        Ok(Self {
            level: number,
            role: level.role,
            format: superblock.format(),
            index: layout.index,
            state: superblock.al_state(),
            md_offset: position(layout.md),
            al_offset: position(layout.al.start),
            bm_offset: position(layout.bm.start),
            md_size_sect: layout.md_size.get(),
            la_size_sect: superblock.la_size().get(),
            usable_sect: layout.usable.get(),
            backing_bytes: level.backing().map(Bytes::get),
            device_bytes: level
                .known_drbd_device()
                .and_then(Sectors::to_bytes)
                .map(Bytes::get),
            current_uuid: superblock.current_uuid().map(Shown),
            device_uuid: superblock.device_uuid().map(Shown),
            found_by: level.found_by,
            out_of_sync_bytes: report.out_of_sync(level)?.map(Bytes::get),
        })
    }
}

/// Who lives on the disk.
#[derive(Serialize)]
pub(crate) struct OccupantView {
    /// Where it says that it ends; nothing where it takes all there is, or says nothing.
    end: Option<u64>,
    /// The same, under the name that all positions have.
    end_offset: Option<u64>,
    /// The same, from where the device begins.
    size_bytes: Option<u64>,
}

impl OccupantView {
    pub(crate) fn of(opened: &Opened, occupant: &Occupant) -> Self {
        let start = opened.image_pos(DevPos::START).get();
        let end = occupant.end.map(|end| start.saturating_add(end.get()));
        Self {
            end,
            end_offset: end,
            size_bytes: occupant.end.map(DevPos::get),
        }
    }
}

/// Who lives on the disk, held against the levels.
#[derive(Serialize)]
pub(crate) struct ResidentView {
    pub(crate) kind: &'static str,
    #[serde(flatten)]
    ends: OccupantView,
    /// The innermost level on whose DRBD device it ends.
    pub(crate) ends_inside_level: Option<usize>,
    /// How far before the end of that device.
    bytes_before_device_end: Option<u64>,
    /// How far it reaches beyond the outermost device.
    bytes_beyond_device_end: Option<u64>,
    /// The same, for people.
    pub(crate) what: String,
}

impl ResidentView {
    fn of(report: &Report<'_>, one: &Resident) -> Self {
        let levels = report.located.levels.as_slice();
        Self {
            kind: one.occupant.kind.word(),
            ends: OccupantView::of(report.opened, &one.occupant),
            ends_inside_level: one.level.and_then(|level| report.first.checked_add(level)),
            bytes_before_device_end: one.room(levels).map(Bytes::get),
            bytes_beyond_device_end: one.beyond(levels).map(Bytes::get),
            what: explain::resident(levels, one),
        }
    }
}

/// What is left of metadata that DRBD does not see.
#[derive(Serialize)]
pub(crate) struct TraceView {
    kind: &'static str,
    md_offset: u64,
    format: Option<Shown<Format>>,
    /// Whether DRBD looks there.
    in_place: bool,
    /// The same, for people.
    pub(crate) what: String,
}

impl TraceView {
    fn of(image: &ImageArgs, trace: &Trace) -> Self {
        Self {
            kind: trace.kind.word(),
            md_offset: traces::image_pos(image, trace.at).get(),
            format: trace.format.map(Shown),
            in_place: trace.in_place,
            what: traces::line(image, trace),
        }
    }
}

/// What carries a magic and does not count.
#[derive(Serialize)]
pub(crate) struct RejectedView {
    pub(crate) md_offset: u64,
    #[serde(serialize_with = "word")]
    pub(crate) format: Format,
    /// Why it does not count, for people.
    pub(crate) why: String,
    /// It is whole, and another resource's.
    #[serde(skip)]
    pub(crate) is_another: bool,
}

impl RejectedView {
    fn of(report: &Report<'_>, rejected: &Rejected) -> Self {
        Self {
            md_offset: report.image_pos(rejected.at).get(),
            format: rejected.format,
            why: rejected.why.to_string(),
            is_another: matches!(rejected.why, Why::OtherSlot { .. }),
        }
    }
}

/// A partition that has metadata of its own.
#[derive(Serialize)]
pub(crate) struct PartitionView {
    number: u32,
    offset: u64,
    bytes: u64,
}

impl PartitionView {
    pub(crate) fn of(opened: &Opened, one: &Partition) -> Self {
        Self {
            number: one.number,
            offset: opened.image_pos(one.start).get(),
            bytes: one.size.get(),
        }
    }
}

/// A device that something on the disk holds, and whose metadata is no level.
#[derive(Serialize)]
pub(crate) struct InsideView {
    holder: &'static str,
    md_offset: u64,
    /// Where the device begins; nothing where the holder's records do not say.
    offset: Option<u64>,
    bytes: Option<u64>,
}

impl InsideView {
    pub(crate) fn of(opened: &Opened, one: &Inside) -> Self {
        Self {
            holder: one.holder.word(),
            md_offset: opened.image_pos(one.md).get(),
            offset: one.place.map(|(start, _)| opened.image_pos(start).get()),
            bytes: one.place.map(|(_, size)| size.get()),
        }
    }
}

/// How far mdtool looked.
pub(crate) const fn searched(searched: Searched) -> &'static str {
    match searched {
        Searched::Expected => "expected",
        Searched::Tail(_) => "tail",
        Searched::Everything => "everything",
    }
}
