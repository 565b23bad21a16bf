//! `mdtool undo`.

pub(crate) mod args;

use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::cli::Streams;
use crate::cli::commands::undo::args::UndoArgs;
use crate::cli::write::confirm::confirm;
use crate::cli::outcome::Outcome;
use crate::cli::output::change::regions;
use crate::error::{EditRefusal, Error};
use crate::format::superblock::Superblock;
use crate::image::{ImageFile, ReadAt, WritableFile, WriteAt};
use crate::transaction::{Phase, UndoFile, UndoState, Undone};
use crate::units::Bytes;

/// What `undo --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 everything is as it was before; 2 refused, or could not: it can be run again.";

pub(crate) fn run(args: &UndoArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let file_name = || args.file.display().to_string();
    let file = ImageFile::open(&args.file).with_context(file_name)?;
    let undo = UndoFile::open(file).with_context(file_name)?;
    let path = args
        .target
        .clone()
        .or_else(|| Some(undo.identity().targets.first()?.path.clone()))
        .unwrap_or_default();
    let undone = put_back(args, &undo, &path, out).with_context(|| path.display().to_string())?;
    if undone == Undone::Nothing {
        out.tell(format_args!(
            "mdtool: note: {}: is as it was before already, nothing was written",
            path.display()
        ));
    }
    if args.json {
        writeln!(out.stdout, "{:#}", json(args, &undo, &path, undone)?)?;
    } else if let Undone::Restored { bytes } = undone {
        writeln!(
            out.stdout,
            "{}: {bytes} are as they were before `{}`",
            path.display(),
            undo.identity().command
        )?;
    }
    Ok(Outcome::Done)
}

/// What was put back, and which superblocks stand again.
fn json(
    args: &UndoArgs,
    undo: &UndoFile<ImageFile>,
    path: &Path,
    undone: Undone,
) -> anyhow::Result<Value> {
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
    let (outcome, bytes) = match undone {
        Undone::Nothing => ("nothing", Bytes::ZERO),
        Undone::Restored { bytes } => ("done", bytes),
    };
    Ok(json!({
        "outcome": outcome,
        "target": path.to_string_lossy(),
        "target_bytes": undo.identity().targets.first().map(|target| target.size.get()),
        "undo_file": args.file.to_string_lossy(),
        "command": undo.identity().command,
        "written_bytes": bytes.get(),
        "regions": regions(undo.regions()),
        "superblocks": superblocks,
    }))
}

fn put_back(
    args: &UndoArgs,
    undo: &UndoFile<ImageFile>,
    path: &Path,
    out: &mut Streams<'_>,
) -> anyhow::Result<Undone> {
    let mut targets = Vec::new();
    for (number, identity) in undo.identity().targets.iter().enumerate() {
        let path = if number == 0 { path } else { &identity.path };
        let target = WritableFile::open(path)?;
        let found = target.is_block_device()?;
        if found != identity.block_device && args.target.is_none() {
            return Err(Error::from(EditRefusal::TargetKind { found }).into());
        }
        targets.push(target);
    }
    let readers: Vec<&dyn ReadAt> = targets.iter().map(|target| -> &dyn ReadAt { target }).collect();
    let check = undo.check_all(&readers)?;
    let mut force = args.yes;
    if check.state == UndoState::ChangedSince && !force {
        let mut what = format!("{} place(s) written since", check.changed_count);
        if let Some(first) = check.changed.first() {
            what = format!("{what}, the first at {first},");
        }
        let name = path.display().to_string();
        confirm(&name, &format!("{name}: {what}"), out)?;
        force = true;
    }
    let mut targets: Vec<&mut dyn WriteAt> =
        targets.iter_mut().map(|target| -> &mut dyn WriteAt { target }).collect();
    Ok(undo.undo_all(&mut targets, force)?)
}
