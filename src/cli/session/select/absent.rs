//! What is said where the level that was asked for is not there, or no longer counts.

use std::path::PathBuf;

use anyhow::Context;

use crate::cli::args::ImageArgs;
use crate::cli::next::typed;
use crate::cli::outcome::Negative;
use crate::cli::output::traces;
use crate::cli::session::open::Opened;
use crate::format::layout::MdIndex;
use crate::survey::base::Inside;
use crate::survey::locate::{Located, Role, Searched, Why};
use crate::survey::occupants::{Occupant, Partition, beyond, occupants};
use crate::survey::traces::{Trace, TraceKind};
use crate::units::Bytes;

/// The answer where only a trace is there.
fn of_trace(args: &ImageArgs, trace: &Trace) -> Negative {
    Negative {
        answer: format!("{}: {}", args.image.display(), traces::line(args, trace)),
        hints: traces::hints(args, trace),
    }
}

/// What is to be said of a superblock that was named, where an interrupted change left its mark: bitmap and log beside it may be anybody's by now.
pub(crate) fn half_changed(located: &Located, args: &ImageArgs) -> Option<Negative> {
    let [trace] = located.traces.as_slice() else {
        return None;
    };
    if args.at.is_none() || trace.kind != TraceKind::UnderWay {
        return None;
    }
    Some(of_trace(args, trace))
}

/// Refuses to change what lacks its magic: that is to be put back before anything else.
pub(crate) fn refuse_trace(
    located: &Located,
    args: &ImageArgs,
    number: usize,
) -> anyhow::Result<()> {
    let md = located.levels.get(number).map(|level| level.layout.md);
    match md.and_then(|md| located.trace_at(md)) {
        Some(trace) => Err(of_trace(args, trace).into()),
        None => Ok(()),
    }
}

/// The answer where a stack was expected and only the outermost resource is there.
pub(crate) fn no_stack(located: &Located, args: &ImageArgs) -> Option<Negative> {
    let [only] = located.levels.as_slice() else {
        return None;
    };
    // Of an inner one that is damaged nobody says that there is none.
    let inner =
        |trace: &&Trace| trace.kind != TraceKind::Retired && trace.at < only.layout.whole.start;
    if let Some(trace) = located.traces.iter().rev().find(inner)
        && only.layout.index.is_internal()
        && only.role == Role::Single
    {
        return Some(of_trace(args, trace));
    }
    (only.role == Role::Single).then(|| {
        let looked = match located.searched {
            Searched::Expected => "where an inner one would be",
            Searched::Tail(_) | Searched::Everything => "in all that holds data",
        };
        Negative::new(
            format!(
                "{}: no stack here: there is one resource, and no inner one {looked}",
                args.image.display()
            ),
            &["without --stacked it is taken for what it is, the only resource"],
        )
    })
}

/// How to look at a partition.
pub(crate) fn of_partition(args: &ImageArgs, partition: &Partition) -> String {
    let before = args.offset.map_or(0, |offset| offset.0.get());
    format!(
        "partition {} has metadata: give its device, or --offset {} --size {} with this image",
        partition.number,
        before.saturating_add(partition.start.get()),
        partition.size.get()
    )
}

/// How to look at a device that something on the disk holds.
pub(crate) fn of_inside(args: &ImageArgs, inside: &Inside) -> String {
    let before = args.offset.map_or(0, |offset| offset.0.get());
    let (holder, own) = (inside.holder, inside.holder.device());
    match inside.place {
        Some((start, size)) => format!(
            "this disk is {holder}: give {own}, or --offset {} --size {} with this image",
            before.saturating_add(start.get()),
            size.get()
        ),
        None => format!(
            "this disk is {holder}: give {own}; its records here do not say where that begins"
        ),
    }
}

/// The rule by which DRBD would find metadata, where the caller named another.
fn other_index(located: &Located) -> Option<MdIndex> {
    let mut rejected = located.rejected.iter();
    rejected.find_map(|one| match one.why {
        Why::OtherIndex { index } => Some(index),
        _ => None,
    })
}

/// What there is none of, where there is no level.
pub(crate) fn nothing(located: &Located) -> &'static str {
    if let Some(trace) = located.foremost_trace() {
        match trace.kind {
            TraceKind::UnderWay => {
                "a change by mdtool was interrupted: no DRBD metadata that counts"
            }
            TraceKind::Retired => "no DRBD metadata in use: mdtool moved it elsewhere",
            TraceKind::LogAlone { left, .. } if left > Bytes::ZERO => {
                "damaged DRBD metadata: its superblock is cut off"
            }
            TraceKind::LogAlone { .. } => "damaged DRBD metadata: its superblock is gone",
            _ => "damaged DRBD metadata: its magic is missing",
        }
    } else if !located.partitions.is_empty() || !located.inside.is_empty() {
        "no DRBD metadata of the whole disk"
    } else if other_index(located).is_some() {
        "no DRBD metadata of that --index"
    } else if located.rejected.is_empty() {
        "no DRBD metadata"
    } else {
        "no DRBD metadata that fits its place"
    }
}

/// The answer where nothing was found: an error where the part that would have the metadata is missing, since then nobody knows.
pub(crate) fn nothing_found(located: &Located, args: &ImageArgs, opened: &Opened) -> anyhow::Error {
    match refuse_cut_off(located, args, opened) {
        Err(error) => error,
        Ok(()) => no_metadata(located, args).into(),
    }
}

/// Refuses an image without metadata that ends before what lives on it does: whatever is said of it would be of another disk.
pub(crate) fn refuse_cut_off(
    located: &Located,
    args: &ImageArgs,
    opened: &Opened,
) -> anyhow::Result<()> {
    let clear = located.levels.is_empty()
        && located.traces.is_empty()
        && located.rejected.is_empty()
        && located.partitions.is_empty();
    if !clear {
        return Ok(());
    }
    let device = opened.window();
    let found = occupants(device).with_context(|| args.image.display().to_string())?;
    match beyond(&found, device) {
        None => Ok(()),
        Some(occupant) => Err(CutOff {
            image: args.image.clone(),
            size: device.size(),
            occupant,
        }
        .into()),
    }
}

/// An image that ends before what lives on it does.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: cut off: has {size}, and its {} ends at {}; metadata would be in what is missing",
    image.display(),
    occupant.kind,
    occupant.end.map_or_else(|| "a later byte".to_owned(), |end| format!("byte {}", end.get()))
)]
struct CutOff {
    image: PathBuf,
    size: Bytes,
    occupant: Occupant,
}

/// The answer where nothing was found on a whole image.
fn no_metadata(located: &Located, args: &ImageArgs) -> Negative {
    let looked = match located.searched {
        Searched::Expected => "where DRBD would look",
        Searched::Tail(_) => "where DRBD would look, nor in the tail",
        Searched::Everything => "where DRBD would look, nor in the rest of the disk",
    };
    if let Some(trace) = located.foremost_trace() {
        return of_trace(args, trace);
    }
    let mut hints: Vec<String> = Vec::new();
    let words = typed(args, None);
    let partitions = located.partitions.iter();
    hints.extend(partitions.map(|partition| of_partition(args, partition)));
    hints.extend(located.inside.iter().map(|inside| of_inside(args, inside)));
    hints.extend(other_index(located).map(|index| {
        format!("there is metadata where DRBD looks with --index {index}: give that, or no --index")
    }));
    if hints.is_empty() && located.rejected.is_empty() {
        hints.push("if the metadata is external, give the meta device; if the disk has partitions, give --offset and --size".to_owned());
    } else if hints.is_empty() {
        // Damaged metadata is not none: it is just what a person looks for then.
        hints.push(
            format!("`mdtool check {words}` judges what stands where DRBD looks, field by field, and says what to do"),
        );
    }
    if located.searched == Searched::Expected {
        hints.push("--scan full looks at everything that holds data".to_owned());
    }
    Negative {
        answer: format!("{}: {} {looked}", args.image.display(), nothing(located)),
        hints,
    }
}
