//! `mdtool undo`.

pub(crate) mod args;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::Serialize;

use crate::cli::output::explain::shell_word;
use crate::cli::Streams;
use crate::cli::commands::undo::args::UndoArgs;
use crate::cli::outcome::Outcome;
use crate::cli::output::change::RegionView;
use crate::cli::output::document;
use crate::cli::output::view::{Shown, word};
use crate::cli::write::Written;
use crate::cli::write::show::table;
use crate::cli::write::undoing::{Ended, Undoing};
use crate::format::superblock::{AlState, Format, Superblock, Uuid};
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
    let printed = print(args, &undoing, &ended, out);
    // It was written, whether or not that can be printed.
    if ended.undone == Undone::Nothing && !ended.dry_run {
        out.tell(format_args!(
            "mdtool: note: {}: is as it was before already, nothing was written",
            path.display()
        ));
    }
    if ended.dry_run {
        out.tell("mdtool: note: --dry-run: nothing was written");
    }
    if let Some(kept) = &ended.kept {
        out.tell(format_args!(
            "hint: mdtool undo {} puts back what was overwritten now",
            shell_word(kept)
        ));
    }
    if ended.undone != Undone::Nothing {
        out.tell(format_args!("next: mdtool probe {}", shell_word(path)));
    }
    printed?;
    Ok(Outcome::Done)
}

/// What was put back, or would be.
#[derive(Serialize)]
struct UndoView {
    outcome: Written,
    /// The first target, with its size now.
    target: String,
    target_bytes: Option<u64>,
    undo_file: String,
    /// The undo file of the undoing itself; nothing where none was needed.
    kept_in: Option<String>,
    /// The command that made the undo file.
    command: String,
    written_bytes: u64,
    /// What that command changed of the first target.
    regions: Vec<RegionView>,
    /// Every target of the undo file.
    targets: Vec<TargetView>,
    /// Which superblocks stand again.
    superblocks: Vec<SuperblockView>,
}

#[derive(Serialize)]
struct TargetView {
    target: String,
    target_bytes: u64,
    regions: Vec<RegionView>,
}

#[derive(Serialize)]
struct SuperblockView {
    md_offset: u64,
    #[serde(serialize_with = "word")]
    format: Format,
    #[serde(serialize_with = "word")]
    state: AlState,
    la_size_sect: u64,
    current_uuid: Option<Shown<Uuid>>,
}

impl UndoView {
    fn of(args: &UndoArgs, undoing: &Undoing<'_>, ended: &Ended) -> anyhow::Result<Self> {
        let (outcome, bytes) = match ended.undone {
            _ if ended.dry_run => (Written::DryRun, Bytes::ZERO),
            Undone::Nothing => (Written::Nothing, Bytes::ZERO),
            Undone::Restored { bytes } => (Written::Done, bytes),
        };
        let identity = undoing.undo.identity();
        let (paths, sizes) = (undoing.paths(), identity.targets.iter().map(|one| one.size.get()));
        let targets = paths.iter().zip(sizes.clone()).enumerate();
        let target = |(number, (path, target_bytes)): (usize, (&PathBuf, u64))| TargetView {
            target: path.to_string_lossy().into_owned(),
            target_bytes,
            regions: undoing.views(number),
        };
        Ok(Self {
            outcome,
            target: paths.first().map(|path| path.to_string_lossy().into_owned()).unwrap_or_default(),
            target_bytes: sizes.clone().next(),
            undo_file: args.file.to_string_lossy().into_owned(),
            kept_in: ended.kept.as_ref().map(|kept| kept.to_string_lossy().into_owned()),
            command: identity.command.clone(),
            written_bytes: bytes.get(),
            regions: undoing.views(0),
            targets: targets.map(target).collect(),
            superblocks: superblocks(undoing.undo)?,
        })
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        match self.outcome {
            Written::DryRun => {
                let mut targets = self.targets.iter();
                targets.try_for_each(|one| table(&one.target, &one.regions, out))
            }
            Written::Done => {
                let bytes = Bytes::new(self.written_bytes);
                let (target, command) = (&self.target, &self.command);
                writeln!(out, "{target}: {bytes} are as they were before `{command}`")
            }
            Written::Nothing => Ok(()),
        }
    }
}

/// The superblocks that a change retired, and that stand again.
fn superblocks(undo: &UndoFile<ImageFile>) -> anyhow::Result<Vec<SuperblockView>> {
    let mut superblocks = Vec::new();
    undo.changes(&mut |change| {
        let block = change.before.first_chunk();
        if let Some(superblock) = block.and_then(Superblock::decode)
            && change.phase == Phase::Retire
        {
            superblocks.push(SuperblockView {
                md_offset: change.at.get(),
                format: superblock.format(),
                state: superblock.al_state(),
                la_size_sect: superblock.la_size().get(),
                current_uuid: superblock.current_uuid().map(Shown),
            });
        }
        Ok(())
    })?;
    Ok(superblocks)
}

/// Prints it as it was asked for.
fn print(
    args: &UndoArgs,
    undoing: &Undoing<'_>,
    ended: &Ended,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let view = UndoView::of(args, undoing, ended)?;
    if args.writing.json {
        document::print(out.stdout, view)?;
    } else {
        view.print(out.stdout)?;
    }
    Ok(())
}
