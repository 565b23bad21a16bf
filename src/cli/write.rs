//! What a command does that changes a target in place: show the plan, ask, keep an undo file, write, and say how to take it back.

use std::path::Path;

use anyhow::Context;

use super::Streams;
use super::args::WritingArgs;
use super::confirm::confirm;
use super::report::plan::regions;
use super::undo_name;
use crate::edit::{Draft, prepare, preview};
use crate::error::{Error, Result, TargetState};
use crate::image::{ReadAt, WritableFile};

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
    pub(super) args: &'a WritingArgs,
    pub(super) command_line: &'a str,
}

impl Writing<'_> {
    /// Shows what a draft comes to, asks, and writes it; with `--dry-run` it shows only. The draft is called once or twice.
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
        regions(out.stdout, &summary)?;
        if self.args.dry_run {
            return Ok(Written::DryRun);
        }
        if !self.args.yes {
            confirm(&format!("{}: {} as listed", name(), summary.written()), out)?;
        }
        let mut target = WritableFile::open(self.target).with_context(name)?;
        let block_device = target.is_block_device().with_context(name)?;
        let (store, undo) = undo_name::begin(self.args.undo.as_deref(), self.target, block_device)?;
        let identity =
            undo_name::identity(self.target, block_device, target.size(), self.command_line);
        let prepared = prepare(&target, &identity, store, &mut *draft).with_context(name)?;
        let applied = prepared.apply(&mut target);
        let untouched =
            matches!(&applied, Err(Error::Edit(edit)) if edit.state != TargetState::NeedsUndo);
        if !untouched {
            out.tell(format_args!(
                "hint: mdtool undo {} puts it back",
                undo.display()
            ));
        }
        applied.with_context(name)?;
        Ok(Written::Done)
    }
}
