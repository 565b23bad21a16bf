//! What every command that writes does: show the plan, ask, keep an undo file, write, and say how to take it back.

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::Args;

use super::Streams;
use crate::edit::{Draft, Identity, Summary, prepare, preview};
use crate::error::Result;
use crate::image::{NewFile, ReadAt, WritableFile};

/// What every command that writes takes.
#[derive(Args, Clone, Debug)]
pub(super) struct WriteArgs {
    /// Keep what is overwritten in this new file [default: beside the image, named for it and the time]
    #[arg(long, value_name = "FILE")]
    pub(super) undo: Option<PathBuf>,
    /// Print what would be written, and write nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Do not ask
    #[arg(long)]
    pub(super) yes: bool,
}

/// How a write ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    /// It was shown only.
    DryRun,
    /// The target had it all already.
    Nothing,
    /// It is done.
    Done,
}

/// One change to one target.
pub(super) struct Writing<'a> {
    pub(super) target: &'a Path,
    pub(super) args: &'a WriteArgs,
    pub(super) command_line: &'a str,
}

impl Writing<'_> {
    /// Shows what a draft comes to, asks, and writes it; with `--dry-run` it shows only. The draft may be called twice.
    ///
    /// The target is opened for writing only when it is to be written.
    pub(super) fn run(
        &self,
        looked_at: &dyn ReadAt,
        draft: &mut dyn FnMut(&mut Draft<'_>) -> Result<()>,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Written> {
        let name = || self.target.display().to_string();
        let summary = preview(looked_at, &mut |_| {}, &mut *draft).with_context(name)?;
        if summary.is_nothing() {
            return Ok(Written::Nothing);
        }
        if self.args.dry_run {
            show(&summary, out)?;
            return Ok(Written::DryRun);
        }
        self.ask(&summary, out)?;
        let mut target = WritableFile::open(self.target).with_context(name)?;
        let identity = Identity {
            path: std::path::absolute(self.target)
                .unwrap_or_else(|_| self.target.to_owned())
                .display()
                .to_string(),
            command: self.command_line.to_owned(),
            block_device: target.is_block_device()?,
            size: target.size(),
        };
        let undo = self
            .args
            .undo
            .clone()
            .unwrap_or_else(|| default_undo(self.target, identity.block_device));
        let store = NewFile::create(&undo).with_context(|| undo.display().to_string())?;
        let prepared = prepare(&target, &identity, store, &mut *draft).with_context(name)?;
        prepared.apply(&mut target).with_context(name)?;
        out.tell(format_args!(
            "hint: `mdtool undo {}` puts it back",
            undo.display()
        ));
        Ok(Written::Done)
    }

    /// Asks for a typed yes, unless that was given beforehand.
    fn ask(&self, summary: &Summary, out: &mut Streams<'_>) -> anyhow::Result<()> {
        if self.args.yes {
            return Ok(());
        }
        let stdin = io::stdin();
        anyhow::ensure!(
            stdin.is_terminal(),
            "{}: {} are to be written, and nobody is there to be asked: give --yes, or look first with --dry-run",
            self.target.display(),
            summary.written()
        );
        show(
            summary,
            &mut Streams {
                stdout: &mut io::stderr(),
                stderr: &mut io::sink(),
            },
        )?;
        out.tell(format_args!(
            "Write this to {}? Type yes:",
            self.target.display()
        ));
        let mut answer = String::new();
        stdin.lock().read_line(&mut answer)?;
        anyhow::ensure!(
            answer.trim() == "yes",
            "{}: not confirmed, nothing was written",
            self.target.display()
        );
        Ok(())
    }
}

/// Prints the plan: in the order of writing, each part with its place and how much of it changes.
fn show(summary: &Summary, out: &mut Streams<'_>) -> io::Result<()> {
    for region in &summary.regions {
        writeln!(
            out.stdout,
            "{:8} {}: bytes {} to {}, {} written",
            region.phase.to_string(),
            region.label,
            region.range.start.get(),
            region.range.end.get().saturating_sub(1),
            region.written
        )?;
    }
    writeln!(
        out.stdout,
        "in all   {}, undo file {}",
        summary.written(),
        summary.undo_file
    )
}

/// A name for an undo file: beside a regular file, in the current directory for a device.
fn default_undo(target: &Path, block_device: bool) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_owned();
    name.push(format!(
        ".mdtool-undo-{}",
        jiff::Timestamp::now().as_second()
    ));
    if block_device {
        PathBuf::from(name)
    } else {
        target.with_file_name(name)
    }
}
