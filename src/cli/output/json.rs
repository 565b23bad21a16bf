//! The JSON form; docs/json.md documents its fields, which are only ever added to.

use std::io::Write;

use serde_json::{Value, json};

use crate::cli::args::ImageArgs;
use crate::cli::output::text::Report;
use crate::cli::output::{document, traces};
use crate::format::superblock::Uuid;
use crate::survey::base::Inside;
use crate::survey::locate::{Level, Rejected, Searched};
use crate::survey::residents::Resident;
use crate::survey::traces::Trace;
use crate::units::{Bytes, DevPos, Sectors};

/// Prints one document.
pub(crate) fn print(report: &Report<'_>, out: &mut dyn Write) -> anyhow::Result<()> {
    let levels: Vec<Value> = report
        .numbered()
        .map(|(number, level)| self::level(report, number, level))
        .collect::<anyhow::Result<_>>()?;
    let rejected: Vec<Value> = report
        .located
        .rejected
        .iter()
        .map(|one| self::rejected(report, one))
        .collect();
    let document = json!({
        "image": report.image.image.to_string_lossy(),
        "image_bytes": report.opened.image_size().get(),
        "levels": levels,
        "rejected": rejected,
        "traces": report.located.traces.iter().map(|one| trace(report.image, one)).collect::<Vec<_>>(),
        "rejected_more": report.located.rejected_more,
        "searched": match report.located.searched {
            Searched::Expected => "expected",
            Searched::Tail(_) => "tail",
            Searched::Everything => "everything",
        },
        "occupants": occupants(report)?,
        "partitions": report.located.partitions.iter().map(|one| json!({
            "number": one.number,
            "offset": report.image_pos(one.start).get(),
            "bytes": one.size.get(),
        })).collect::<Vec<_>>(),
        "inside": report.located.inside.iter()
            .map(|one| inside(one, |at| report.image_pos(at).get()))
            .collect::<Vec<_>>(),
    });
    Ok(document::print(out, document)?)
}

/// A device that something on the disk holds, with positions in the image.
pub(crate) fn inside(one: &Inside, position: impl Fn(DevPos) -> u64) -> Value {
    json!({
        "holder": one.holder.word(),
        "md_offset": position(one.md),
        "offset": one.place.map(|(start, _)| position(start)),
        "bytes": one.place.map(|(_, size)| size.get()),
    })
}

/// One level, as `levels` has it and as export describes it.
pub(crate) fn level(report: &Report<'_>, number: usize, level: &Level) -> anyhow::Result<Value> {
    let superblock = &level.superblock;
    let uuid = |uuid: Option<Uuid>| uuid.map(|uuid| uuid.to_string());
    let position = |at: DevPos| report.image_pos(at).get();
    Ok(json!({
        "level": number,
        "role": level.role.to_string(),
        "format": superblock.format().to_string(),
        "index": level.layout.index.to_string(),
        "state": superblock.al_state().to_string(),
        "md_offset": position(level.layout.md),
        "al_offset": position(level.layout.al.start),
        "bm_offset": position(level.layout.bm.start),
        "md_size_sect": level.layout.md_size.get(),
        "la_size_sect": superblock.la_size().get(),
        "usable_sect": level.layout.usable.get(),
        "backing_bytes": level.backing().map(Bytes::get),
        "device_bytes": level.known_drbd_device().and_then(Sectors::to_bytes).map(Bytes::get),
        "current_uuid": uuid(superblock.current_uuid()),
        "device_uuid": uuid(superblock.device_uuid()),
        "found_by": level.found_by.to_string(),
        "out_of_sync_bytes": report.out_of_sync(level)?.map(Bytes::get),
    }))
}

/// Who lives on the disk.
pub(crate) fn occupants(report: &Report<'_>) -> anyhow::Result<Vec<Value>> {
    let levels = report.located.levels.as_slice();
    let entry = |one: Resident| {
        json!({
            "kind": one.occupant.kind.word(),
            "end": one.occupant.end.map(|end| report.start_offset().saturating_add(end.get())),
            "end_offset": one.occupant.end.map(|end| report.start_offset().saturating_add(end.get())),
            "size_bytes": one.occupant.end.map(DevPos::get),
            "ends_inside_level": one.level.and_then(|level| report.first.checked_add(level)),
            "bytes_before_device_end": one.room(levels).map(Bytes::get),
            "bytes_beyond_device_end": one.beyond(levels).map(Bytes::get),
        })
    };
    Ok(report.residents()?.into_iter().map(entry).collect())
}

/// What is left of metadata that DRBD does not see.
pub(crate) fn trace(image: &ImageArgs, trace: &Trace) -> Value {
    json!({
        "kind": trace.kind.word(),
        "md_offset": traces::image_pos(image, trace.at).get(),
        "format": trace.format.map(|format| format.to_string()),
        "in_place": trace.in_place,
        "what": traces::line(image, trace),
    })
}

fn rejected(report: &Report<'_>, rejected: &Rejected) -> Value {
    json!({
        "md_offset": report.image_pos(rejected.at).get(),
        "format": rejected.format.to_string(),
        "why": rejected.why.to_string(),
    })
}
