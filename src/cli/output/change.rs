//! What a writing command did or would do, as JSON; docs/json.md documents the fields, which are only ever added to.

use crate::cli::output::document;
use std::io::{self, Write};
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::write::{Change, Written};
use crate::format::layout::MdLayout;
use crate::format::superblock::{Superblock, Uuid};
use crate::transaction::Region;
use crate::units::{Bytes, DevPos, ImagePos};

/// Metadata as it is when a change is made.
pub(crate) struct Metadata<'a> {
    /// The file or device that has it.
    pub(crate) image: &'a Path,
    /// Where in that file the device begins.
    pub(crate) base: ImagePos,
    pub(crate) superblock: &'a Superblock,
    pub(crate) layout: &'a MdLayout,
}

/// What a command changed, as one document; `more` are fields of its own.
pub(crate) fn print(
    out: &mut dyn Write,
    changes: &[Change],
    metadata: &Metadata<'_>,
    more: Value,
) -> io::Result<()> {
    // What was to be written to any of several targets was written.
    let outcome = changes.iter().map(|change| change.written);
    let outcome = outcome.fold(Written::Nothing, |all, one| match all {
        Written::Nothing => one,
        Written::DryRun | Written::Done => all,
    });
    let mut document = json!({
        "outcome": word(outcome),
        "changes": changes.iter().map(change).collect::<Vec<_>>(),
        "metadata": self::metadata(metadata),
    });
    if let (Value::Object(document), Value::Object(more)) = (&mut document, more) {
        document.extend(more);
    }
    document::print(out, document)
}

fn word(written: Written) -> &'static str {
    match written {
        Written::DryRun => "dry-run",
        Written::Nothing => "nothing",
        Written::Done => "done",
    }
}

fn change(change: &Change) -> Value {
    let nothing = change.written == Written::Nothing;
    let written = if nothing {
        Bytes::ZERO
    } else {
        change.summary.written()
    };
    // What is announced, and found to be there already, is no change.
    let changed = change.summary.regions.iter().filter(|_| !nothing);
    json!({
        "target": change.target.to_string_lossy(),
        "outcome": word(change.written),
        "target_bytes": change.size.get(),
        "target_bytes_after": change.size_after().get(),
        "written_bytes": written.get(),
        "undo_file": change.undo.as_ref().map(|undo| undo.to_string_lossy()),
        "regions": regions(changed),
    })
}

/// What changes where.
pub(crate) fn regions<'r>(regions: impl Iterator<Item = &'r Region>) -> Value {
    let region = |region: &Region| {
        let length = region.range.end.bytes_since(region.range.start);
        json!({
            "phase": region.phase.to_string(),
            "what": region.label,
            "offset": region.range.start.get(),
            "bytes": length.map(Bytes::get),
            "written_bytes": region.written.get(),
            "differing_bytes": region.differing.get(),
        })
    };
    regions.map(region).collect()
}

fn metadata(metadata: &Metadata<'_>) -> Value {
    let (superblock, layout) = (metadata.superblock, metadata.layout);
    let at = |at: DevPos| {
        metadata
            .base
            .checked_add(at.from_start())
            .map(ImagePos::get)
    };
    let uuid = |uuid: Option<Uuid>| uuid.map(|uuid| uuid.to_string());
    json!({
        "image": metadata.image.to_string_lossy(),
        "format": superblock.format().to_string(),
        "index": layout.index.to_string(),
        "state": superblock.al_state().to_string(),
        "flags": superblock.flags().to_string(),
        "md_offset": at(layout.md),
        "al_offset": at(layout.al.start),
        "bm_offset": at(layout.bm.start),
        "md_size_sect": layout.md_size.get(),
        "la_size_sect": superblock.la_size().get(),
        "usable_sect": layout.usable.get(),
        "current_uuid": uuid(superblock.current_uuid()),
        "device_uuid": uuid(superblock.device_uuid()),
        "node_id": superblock.node_id(),
    })
}
