//! `mdtool undo`.

pub(crate) mod args;

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::cli::output::document;
use crate::cli::Streams;
use crate::cli::commands::undo::args::UndoArgs;
use crate::cli::outcome::Outcome;
use crate::cli::output::change::regions;
use crate::cli::write::show::table;
use crate::cli::write::undoing::{Ended, Undoing};
use crate::format::superblock::Superblock;
use crate::image::ImageFile;
use crate::transaction::{Phase, UndoFile, Undone};
use crate::units::Bytes;

/// What `undo --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 everything is as it was before; 2 refused, or could not: it can be run again.";

pub(crate) fn run(
    args: &UndoArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let file_name = || args.file.display().to_string();
    let file = ImageFile::open(&args.file).with_context(file_name)?;
    let undo = UndoFile::open(file).with_context(file_name)?;
    let undoing = Undoing {
        undo: &undo,
        file: &args.file,
        targets: &args.target,
        writing: &args.writing,
        command_line,
    };
    let paths = undoing.paths();
    let path = paths.first().map_or(Path::new(""), |path| path.as_path());
    let ended = undoing.run(out)?;
    let printed = print(args, &undoing, path, &ended, out);
    // It was written, whether or not that can be printed.
    if ended.undone == Undone::Nothing && !ended.dry_run {
        out.tell(format_args!(
            "mdtool: note: {}: is as it was before already, nothing was written",
            path.display()
        ));
    }
    if let Some(kept) = &ended.kept {
        out.tell(format_args!(
            "hint: mdtool undo {} puts back what was overwritten now",
            kept.display()
        ));
    }
    if ended.undone != Undone::Nothing {
        out.tell(format_args!("next: mdtool probe {}", path.display()));
    }
    printed?;
    Ok(Outcome::Done)
}

/// Prints what was put back, or would be.
fn print(
    args: &UndoArgs,
    undoing: &Undoing<'_>,
    path: &Path,
    ended: &Ended,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    if args.writing.json {
document::print(out.stdout, json(args, undoing, path, ended)?)?;
    } else if ended.dry_run {
        for (number, path) in undoing.paths().iter().enumerate() {
            table(path, &undoing.regions(number), out.stdout)?;
        }
    } else if let Undone::Restored { bytes } = ended.undone {
        writeln!(
            out.stdout,
            "{}: {bytes} are as they were before `{}`",
            path.display(),
            undoing.undo.identity().command
        )?;
    }
    Ok(())
}

/// What was put back, and which superblocks stand again.
fn json(
    args: &UndoArgs,
    undoing: &Undoing<'_>,
    path: &Path,
    ended: &Ended,
) -> anyhow::Result<Value> {
    let undo = undoing.undo;
    let mut superblocks = Vec::new();
    undo.changes(&mut |change| {
        let block = change.before.first_chunk();
        if let Some(superblock) = block.and_then(Superblock::decode)
            && change.phase == Phase::Retire
        {
            superblocks.push(json!({
                "md_offset": change.at.get(),
                "format": superblock.format().to_string(),
                "state": superblock.al_state().to_string(),
                "la_size_sect": superblock.la_size().get(),
                "current_uuid": superblock.current_uuid().map(|uuid| uuid.to_string()),
            }));
        }
        Ok(())
    })?;
    let (outcome, bytes) = match ended.undone {
        _ if ended.dry_run => ("dry-run", Bytes::ZERO),
        Undone::Nothing => ("nothing", Bytes::ZERO),
        Undone::Restored { bytes } => ("done", bytes),
    };
    let of_target = |number: usize| regions(undo.regions().filter(move |one| one.target == number));
    let paths = undoing.paths();
    let targets = undo.identity().targets.iter().zip(&paths).enumerate();
    let targets: Vec<Value> = targets
        .map(|(number, (target, path))| {
            json!({
                "target": path.to_string_lossy(),
                "target_bytes": target.size.get(),
                "regions": of_target(number),
            })
        })
        .collect();
    Ok(json!({
        "outcome": outcome,
        "target": path.to_string_lossy(),
        "target_bytes": undo.identity().targets.first().map(|target| target.size.get()),
        "undo_file": args.file.to_string_lossy(),
        "kept_in": ended.kept.as_ref().map(|kept| kept.to_string_lossy()),
        "command": undo.identity().command,
        "written_bytes": bytes.get(),
        "regions": of_target(0),
        "targets": targets,
        "superblocks": superblocks,
    }))
}
