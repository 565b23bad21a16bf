//! `mdtool import`.

use std::path::Path;

use anyhow::Context;

use super::super::Streams;
use super::super::args::ImportArgs;
use super::super::confirm::confirm;
use super::super::open::refuse_foreign;
use super::super::outcome::Outcome;
use super::super::report::plan;
use super::super::undo_name;
use crate::dump::{DumpReader, Note};
use crate::edit::{self, Draft};
use crate::error::{Error, Result};
use crate::image::{ImageFile, ReadAt, Window, WritableFile, open_source};
use crate::import::{Import, ImportOptions};
use crate::locate::LocateOptions;
use crate::place::place;
use crate::units::NodeId;

pub(in super::super) fn run(
    args: &ImportArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let dump_name = || args.dump.display().to_string();
    let source = open_source(&args.dump).with_context(dump_name)?;
    let reader = DumpReader::new(source).with_context(dump_name)?;
    tell_notes(&reader, args, out);
    if args.writing.dry_run {
        let target = ImageFile::open(&args.target).with_context(|| name(&args.target))?;
        let import = judge(&target, &reader, args, out)?;
        dry_run(&target, reader, &import, args, out)
    } else {
        let mut target = WritableFile::open(&args.target).with_context(|| name(&args.target))?;
        let import = judge(&target, &reader, args, out)?;
        if !import.at_stake.is_empty() && !args.writing.yes {
            let what = import.at_stake.iter().map(ToString::to_string);
            let what = what.collect::<Vec<_>>().join(", ");
            confirm(&format!("{}: {what}", args.target.display()), out)?;
        }
        write(&mut target, reader, &import, args, command_line, out)
    }
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

/// Tells what is worth knowing of the dump.
fn tell_notes(reader: &DumpReader<'_>, args: &ImportArgs, out: &mut Streams<'_>) {
    for note in reader.notes() {
        if *note == Note::FlagsZero && args.flags.is_some() {
            continue;
        }
        let kind = if note.is_warning() { "warning" } else { "note" };
        out.tell(format_args!(
            "mdtool: {kind}: {}: {note}",
            args.dump.display()
        ));
        if *note == Note::FlagsZero {
            out.tell("hint: as it is, the resource will be Inconsistent; --flags 0x… writes those of the disk that was dumped");
        }
    }
}

/// Finds where it goes and who would mind, and tells what differs from the dump.
fn judge(
    target: &dyn ReadAt,
    reader: &DumpReader<'_>,
    args: &ImportArgs,
    out: &mut Streams<'_>,
) -> anyhow::Result<Import> {
    let options = ImportOptions {
        index: args.index,
        node_id: args.node_id.map(NodeId::new),
        clip: args.clip,
        flags: args.flags,
    };
    let device = Window::whole(target);
    let look = LocateOptions {
        index: args.index,
        ..LocateOptions::default()
    };
    let import = refuse_foreign(device, look)
        .and_then(|()| {
            Ok(crate::import::plan(
                device,
                reader.header().clone(),
                &options,
            )?)
        })
        .with_context(|| name(&args.target))?;
    for note in &import.notes {
        let kind = if note.is_warning() { "warning" } else { "note" };
        out.tell(format_args!(
            "mdtool: {kind}: {}: {note}",
            args.target.display()
        ));
    }
    Ok(import)
}

/// Puts it into a draft, and sees to it that the dump's text ends as it should.
fn draft(draft: &mut Draft<'_>, mut reader: DumpReader<'_>, import: &Import) -> Result<()> {
    let device = Window::whole(draft.target());
    place(draft, device, &import.layout, &import.header, &mut reader)?;
    reader.finish()
}

fn dry_run(
    target: &ImageFile,
    reader: DumpReader<'_>,
    import: &Import,
    args: &ImportArgs,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let summary = edit::preview(target, &mut |_| {}, |drafting| {
        draft(drafting, reader, import)
    });
    let summary = summary.map_err(|error| blame(error, args))?;
    plan::print(out.stdout, &args.target, target.size(), &summary, import)?;
    for stake in &import.at_stake {
        out.tell(format_args!(
            "mdtool: note: {stake} would be overwritten; without --dry-run that takes --yes"
        ));
    }
    Ok(Outcome::Done)
}

fn write(
    target: &mut WritableFile,
    reader: DumpReader<'_>,
    import: &Import,
    args: &ImportArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let block_device = target
        .is_block_device()
        .with_context(|| name(&args.target))?;
    let (file, undo) = undo_name::begin(args.writing.undo.as_deref(), &args.target, block_device)?;
    let identity = undo_name::identity(&args.target, block_device, target.size(), command_line);
    let prepared = edit::prepare(&*target, &identity, file, |drafting| {
        draft(drafting, reader, import)
    });
    let prepared = prepared.map_err(|error| blame(error, args))?;
    let summary = prepared.summary().clone();
    let applied = prepared.apply(target);
    let tell_undo = |out: &mut Streams<'_>| {
        out.tell(format_args!(
            "hint: mdtool undo {} puts it back",
            undo.display()
        ));
    };
    match applied {
        Ok(None) => {
            out.tell(format_args!(
                "mdtool: note: {}: holds this metadata already, nothing was written",
                args.target.display()
            ));
        }
        Ok(Some(_)) => {
            plan::print(out.stdout, &args.target, target.size(), &summary, import)?;
            tell_undo(out);
        }
        Err(error) => {
            if needs_undo(&error) {
                tell_undo(out);
            }
            return Err(error).with_context(|| name(&args.target));
        }
    }
    Ok(Outcome::Done)
}

/// Whether the target is half changed.
fn needs_undo(error: &Error) -> bool {
    matches!(error, Error::Edit(edit) if edit.state == crate::error::TargetState::NeedsUndo)
}

/// Names the file that an error comes from.
fn blame(error: Error, args: &ImportArgs) -> anyhow::Error {
    let error = anyhow::Error::from(error);
    let of_dump = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<Error>())
        .any(|cause| {
            matches!(cause, Error::Syntax(_))
                || matches!(cause, Error::Io(io) if io.op == crate::error::IoOp::ReadDump)
        });
    let path = if of_dump { &args.dump } else { &args.target };
    error.context(name(path))
}
