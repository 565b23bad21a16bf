//! `mdtool import`.

pub(crate) mod args;
pub(crate) mod view;

use std::path::Path;

use anyhow::Context;
use serde_json::json;

use crate::cli::Streams;
use crate::cli::commands::import::args::ImportArgs;
use crate::cli::write::confirm::confirm;
use crate::cli::session::open::refuse_foreign;
use crate::cli::outcome::Outcome;
use crate::cli::output::progress::Progress;
use crate::cli::output::change::{self, Metadata};
use crate::cli::write::{Change, Target, Writing, Written, tell_how_to_undo};
use crate::dump::{DumpReader, Note};
use crate::error::{Error, Result};
use crate::image::{ImageFile, ReadAt, Window, WritableFile, open_source, source_size};
use crate::surgery::import::{self, Import, ImportOptions};
use crate::surgery::place::{PlaceRefusal, place};
use crate::survey::locate::LocateOptions;
use crate::transaction::Draft;
use crate::units::{Bytes, ImagePos, NodeId};

/// What `import --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 done; 2 refused, or could not: the disk is as it was, or the message names the undo file.";

pub(crate) fn run(
    args: &ImportArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let dump_name = || args.dump.display().to_string();
    let source = open_source(&args.dump).with_context(dump_name)?;
    let progress = Progress::new();
    let reader = DumpReader::new(progress.reading(source)).with_context(dump_name)?;
    tell_notes(&reader, args, out);
    let target = if args.writing.dry_run {
        Target::ReadOnly(ImageFile::open(&args.target).with_context(|| name(&args.target))?)
    } else {
        Target::Ours(WritableFile::open(&args.target).with_context(|| name(&args.target))?)
    };
    let import = judge(target.read(), &reader, args, out)?;
    let text = source_size(&args.dump).unwrap_or(Bytes::ZERO);
    let draft = |drafting: &mut Draft<'_>| {
        let work = || draft(drafting, reader, &import);
        progress.during("reading the dump", text, work)
    };
    let change = write(target, draft, &import, args, command_line, out)?;
    let printed = print(&change, &import, args, out);
    // It was written, whether or not that can be printed.
    tell(&change, &import, args, out);
    printed?;
    Ok(Outcome::Done)
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
        .and_then(|()| Ok(import::plan(device, reader.header().clone(), &options)?))
        .with_context(|| name(&args.target))?;
    for note in &import.notes {
        let kind = if note.is_warning() { "warning" } else { "note" };
        out.tell(format_args!(
            "mdtool: {kind}: {}: {note}",
            args.target.display()
        ));
        if matches!(note, import::Note::NodeKept { .. }) {
            out.tell("hint: on another node, --node-id N makes it that node's, and exchanges the peer entries of the two");
        }
    }
    Ok(import)
}

/// Puts it into a draft, and sees to it that the dump's text ends as it should.
fn draft(draft: &mut Draft<'_>, mut reader: DumpReader<'_>, import: &Import) -> Result<()> {
    let device = Window::whole(draft.target());
    place(draft, device, &import.layout, &import.header, &mut reader)?;
    reader.finish()
}

/// Draws up what is to be written, and writes it where that is asked for.
fn write(
    target: Target,
    draft: impl FnOnce(&mut Draft<'_>) -> Result<()>,
    import: &Import,
    args: &ImportArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Change> {
    let writing = Writing {
        target: &args.target,
        undo: args.writing.undo.as_deref(),
        command_line,
        dump: Some(&args.dump),
    };
    match target {
        Target::ReadOnly(target) => writing.show(&target, draft),
        Target::Ours(mut target) => {
            if !import.at_stake.is_empty() && !args.writing.yes {
                let what = import.at_stake.iter().map(ToString::to_string);
                let what = what.collect::<Vec<_>>().join(", ");
                confirm(&format!("{}: {what}", args.target.display()), out)?;
            }
            writing.make(&mut target, draft)
        }
    }
}

/// Prints what was written, or would be.
fn print(
    change: &Change,
    import: &Import,
    args: &ImportArgs,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    if args.writing.json {
        let superblock = import.header.compose(&import.layout);
        let superblock = superblock
            .map_err(PlaceRefusal::Layout)
            .map_err(Error::from)?;
        let metadata = Metadata {
            image: &args.target,
            base: ImagePos::START,
            superblock: &superblock,
            layout: &import.layout,
        };
        let changes = std::slice::from_ref(change);
        change::print(out.stdout, changes, &metadata, json!({}))?;
    } else if change.written != Written::Nothing || args.writing.dry_run {
        view::print(
            out.stdout,
            &args.target,
            change.size,
            &change.summary,
            import,
        )?;
    }
    Ok(())
}

/// Tells what to know of what was written, and how to undo it.
fn tell(change: &Change, import: &Import, args: &ImportArgs, out: &mut Streams<'_>) {
    if args.writing.dry_run {
        for stake in &import.at_stake {
            out.tell(format_args!(
                "mdtool: note: {stake} would be overwritten; without --dry-run that takes --yes"
            ));
        }
    } else if change.written == Written::Nothing {
        out.tell(format_args!(
            "mdtool: note: {}: holds this metadata already, nothing was written",
            args.target.display()
        ));
    }
    tell_how_to_undo(std::slice::from_ref(change), out);
}
