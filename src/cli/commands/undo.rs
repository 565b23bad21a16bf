//! `mdtool undo`.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::super::Streams;
use super::super::args::UndoArgs;
use super::super::confirm::confirm;
use super::super::outcome::Outcome;
use crate::edit::{UndoFile, UndoState, Undone};
use crate::error::{EditRefusal, Error};
use crate::image::{ImageFile, WritableFile};

pub(in super::super) fn run(args: &UndoArgs, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let file_name = || args.file.display().to_string();
    let file = ImageFile::open(&args.file).with_context(file_name)?;
    let undo = UndoFile::open(file).with_context(file_name)?;
    let path = args
        .target
        .clone()
        .unwrap_or_else(|| PathBuf::from(&undo.identity().path));
    let undone = put_back(args, &undo, &path, out).with_context(|| path.display().to_string())?;
    match undone {
        Undone::Nothing => {
            out.tell(format_args!(
                "mdtool: note: {}: is as it was before already, nothing was written",
                path.display()
            ));
        }
        Undone::Restored { bytes } => {
            writeln!(
                out.stdout,
                "{}: {bytes} are as they were before `{}`",
                path.display(),
                undo.identity().command
            )?;
        }
    }
    Ok(Outcome::Done)
}

fn put_back(
    args: &UndoArgs,
    undo: &UndoFile<ImageFile>,
    path: &Path,
    out: &mut Streams<'_>,
) -> anyhow::Result<Undone> {
    let mut target = WritableFile::open(path)?;
    let found = target.is_block_device()?;
    if found != undo.identity().block_device && args.target.is_none() {
        return Err(Error::from(EditRefusal::TargetKind { found }).into());
    }
    let check = undo.check(&target)?;
    let mut force = args.yes;
    if check.state == UndoState::ChangedSince && !force {
        let mut what = format!("{} place(s) written since", check.changed_count);
        if let Some(first) = check.changed.first() {
            what = format!("{what}, the first at {first},");
        }
        confirm(&format!("{}: {what}", path.display()), out)?;
        force = true;
    }
    Ok(undo.undo(&mut target, force)?)
}
