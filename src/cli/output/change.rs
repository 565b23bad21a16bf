//! What a writing command did or would do: text and JSON are made of this view alone. docs/json.md documents the fields, which are only ever added to.

use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use crate::cli::output::document;
use crate::cli::output::fold::stdout_columns;
use crate::cli::output::style;
use crate::cli::output::view::{Shown, word};
use crate::cli::write::{Change, Written};
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::superblock::{AlState, Format, Superblock, Uuid};
use crate::transaction::{Phase, Region};
use crate::units::{Bytes, DevPos, ImagePos};

/// Columns of the table of regions.
const REGION_COLUMNS: usize = 100;
/// Those of them that have the phase.
const PHASE_COLUMNS: usize = 10;

/// Metadata as it is when a change is made.
pub(crate) struct Metadata<'a> {
    /// The file or device that has it.
    pub(crate) image: &'a Path,
    /// Where in that file the device begins.
    pub(crate) base: ImagePos,
    pub(crate) superblock: &'a Superblock,
    pub(crate) layout: &'a MdLayout,
}

/// What a command changed, with fields of its own.
#[derive(Serialize)]
struct ChangedView<T> {
    outcome: Written,
    /// One for each target, in the order in which they are written.
    changes: Vec<ChangeView>,
    metadata: MetadataView,
    #[serde(flatten)]
    own: T,
}

/// A change of one target.
#[derive(Serialize)]
pub(crate) struct ChangeView {
    target: String,
    outcome: Written,
    /// Its size before.
    pub(crate) target_bytes: u64,
    target_bytes_after: u64,
    written_bytes: u64,
    /// What `mdtool undo` takes.
    undo_file: Option<String>,
    regions: Vec<RegionView>,
    /// Nothing of this target is to be written.
    #[serde(skip)]
    is_nothing: bool,
}

/// What changes where.
#[derive(Serialize)]
pub(crate) struct RegionView {
    #[serde(serialize_with = "word")]
    phase: Phase,
    what: String,
    offset: u64,
    bytes: Option<u64>,
    written_bytes: u64,
    /// How many of the bytes written differ from what was there.
    differing_bytes: u64,
}

/// What metadata says when a change is made.
#[derive(Serialize)]
pub(crate) struct MetadataView {
    /// The file that has it.
    image: String,
    #[serde(serialize_with = "word")]
    pub(crate) format: Format,
    #[serde(serialize_with = "word")]
    pub(crate) index: MdIndex,
    #[serde(serialize_with = "word")]
    pub(crate) state: AlState,
    pub(crate) flags: String,
    md_offset: Option<u64>,
    al_offset: Option<u64>,
    bm_offset: Option<u64>,
    pub(crate) md_size_sect: u64,
    pub(crate) la_size_sect: u64,
    pub(crate) usable_sect: u64,
    pub(crate) current_uuid: Option<Shown<Uuid>>,
    device_uuid: Option<Shown<Uuid>>,
    pub(crate) node_id: Option<i32>,
    pub(crate) max_peers: u32,
    /// As on disk, from the superblock.
    pub(crate) al_offset_sect: i64,
    pub(crate) bm_offset_sect: i64,
}

/// Prints what a command changed as one document; `own` are fields of its own, `()` where it has none.
pub(crate) fn print(
    out: &mut dyn Write,
    changes: &[Change],
    metadata: &Metadata<'_>,
    own: impl Serialize,
) -> io::Result<()> {
    // What was to be written to any of several targets was written.
    let outcome = changes.iter().map(|change| change.written);
    let outcome = outcome.fold(Written::Nothing, |all, one| match all {
        Written::Nothing => one,
        Written::DryRun | Written::Done => all,
    });
    let view = ChangedView {
        outcome,
        changes: changes.iter().map(ChangeView::of).collect(),
        metadata: MetadataView::of(metadata),
        own,
    };
    document::print(out, view)
}

impl ChangeView {
    pub(crate) fn of(change: &Change) -> Self {
        let nothing = change.written == Written::Nothing;
        // What is announced, and found to be there already, is no change.
        let changed = change.summary.regions.iter().filter(|_| !nothing);
        Self {
            target: change.target.to_string_lossy().into_owned(),
            outcome: change.written,
            target_bytes: change.size.get(),
            target_bytes_after: change.size_after().get(),
            written_bytes: if nothing {
                0
            } else {
                change.summary.written().get()
            },
            undo_file: change
                .undo
                .as_ref()
                .map(|undo| undo.to_string_lossy().into_owned()),
            regions: changed.map(RegionView::of).collect(),
            is_nothing: nothing || change.summary.is_nothing(),
        }
    }

    /// Prints what changes where.
    pub(crate) fn table(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.outcome == Written::Nothing {
            return writeln!(out, "nothing is to be written");
        }
        table(out, &self.regions)
    }

    /// The same under the target's name.
    pub(crate) fn named(&self, out: &mut dyn Write) -> io::Result<()> {
        if self.is_nothing {
            return writeln!(out, "{}: nothing is to be written", self.target);
        }
        writeln!(out, "{}:\n", self.target)?;
        self.table(out)?;
        writeln!(out)
    }
}

impl RegionView {
    pub(crate) fn of(region: &Region) -> Self {
        let length = region.range.end.bytes_since(region.range.start);
        Self {
            phase: region.phase,
            what: region.label.clone(),
            offset: region.range.start.get(),
            bytes: length.map(Bytes::get),
            written_bytes: region.written.get(),
            differing_bytes: region.differing.get(),
        }
    }

    fn end(&self) -> u64 {
        self.offset.saturating_add(self.bytes.unwrap_or(0))
    }

    /// Whether people are shown this one of `all`: what only stays as it is, so that undoing sees whether it did, is no change; that a superblock
    /// is retired before it is written anew is how it is done, not what.
    fn is_shown(&self, all: &[Self]) -> bool {
        if self.written_bytes == 0 && self.phase == Phase::Body {
            return false;
        }
        let anew = |one: &Self| one.phase == Phase::Commit && one.offset == self.offset;
        style::internals() || self.phase != Phase::Retire || !all.iter().any(anew)
    }
}

impl MetadataView {
    pub(crate) fn of(metadata: &Metadata<'_>) -> Self {
        let (superblock, layout) = (metadata.superblock, metadata.layout);
        let at = |at: DevPos| {
            metadata
                .base
                .checked_add(at.from_start())
                .map(ImagePos::get)
        };
        Self {
            image: metadata.image.to_string_lossy().into_owned(),
            format: superblock.format(),
            index: layout.index,
            state: superblock.al_state(),
            flags: superblock.flags().to_string(),
            md_offset: at(layout.md),
            al_offset: at(layout.al.start),
            bm_offset: at(layout.bm.start),
            md_size_sect: layout.md_size.get(),
            la_size_sect: superblock.la_size().get(),
            usable_sect: layout.usable.get(),
            current_uuid: superblock.current_uuid().map(Shown),
            device_uuid: superblock.device_uuid().map(Shown),
            node_id: superblock.node_id(),
            max_peers: layout.geometry.max_peers,
            al_offset_sect: superblock.al_offset().get(),
            bm_offset_sect: superblock.bm_offset().get(),
        }
    }
}

/// One line a region: what changes where.
pub(crate) fn table(out: &mut dyn Write, regions: &[RegionView]) -> io::Result<()> {
    let shown: Vec<&RegionView> = regions.iter().filter(|one| one.is_shown(regions)).collect();
    let phases = style::internals();
    let columns = if phases {
        REGION_COLUMNS
    } else {
        REGION_COLUMNS - PHASE_COLUMNS
    };
    if stdout_columns().is_some_and(|found| found < columns) {
        return narrow(out, &shown);
    }
    let width = shown.iter().map(|region| region.what.len());
    let width = width.max().unwrap_or(0).max(4);
    let phase = |word: &str| {
        if phases {
            format!("{word:<8}  ")
        } else {
            String::new()
        }
    };
    writeln!(
        out,
        "{}{:<width$}  {:>16}  {:>16}  {:>14}  {:>14}",
        phase("phase"),
        "what",
        "from byte",
        "to byte",
        "bytes written",
        "of them differ"
    )?;
    for region in shown {
        writeln!(
            out,
            "{}{:<width$}  {:>16}  {:>16}  {:>14}  {:>14}",
            phase(&region.phase.to_string()),
            region.what,
            region.offset,
            region.end(),
            region.written_bytes,
            region.differing_bytes
        )?;
    }
    Ok(())
}

/// The same, for a terminal that the table does not fit on.
fn narrow(out: &mut dyn Write, regions: &[&RegionView]) -> io::Result<()> {
    for region in regions {
        if style::internals() {
            writeln!(out, "{} ({}):", region.what, region.phase)?;
        } else {
            writeln!(out, "{}:", region.what)?;
        }
        writeln!(out, "  bytes {} to {}", region.offset, region.end())?;
        let (written, differing) = (region.written_bytes, region.differing_bytes);
        writeln!(out, "  {written} written, {differing} of them differ")?;
    }
    Ok(())
}
