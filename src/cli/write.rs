//! What every command does that changes a target: draft, keep an undo file, write, and say how to take it back.

pub(crate) mod confirm;
pub(crate) mod undo_name;

use std::fmt;
use std::path::{Path, PathBuf};

use crate::cli::Streams;
use crate::cli::output::progress::Progress;
use crate::error::{Error, IoOp, Result, TargetState};
use crate::image::{Access, ImageFile, NewFile, ReadAt, Watched, WritableFile};
use crate::transaction::{Draft, Prepared, Summary, prepare, preview};
use crate::units::{Bytes, ImagePos};

/// A target, to be written or only looked at.
pub(crate) enum Target {
    ReadOnly(ImageFile),
    Ours(WritableFile),
}

impl Target {
    /// What is there.
    pub(crate) fn read(&self) -> &dyn ReadAt {
        match self {
            Self::ReadOnly(target) => target,
            Self::Ours(target) => target,
        }
    }
}

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// It was shown only.
    DryRun,
    /// The target had it all already.
    Nothing,
    /// It is done.
    Done,
}

/// A change of one target, made or shown.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) target: PathBuf,
    /// The target's size before.
    pub(crate) size: Bytes,
    pub(crate) summary: Summary,
    pub(crate) written: Written,
    /// The undo file, where there is one.
    pub(crate) undo: Option<PathBuf>,
}

impl Change {
    /// The target's size when it is made.
    pub(crate) fn size_after(&self) -> Bytes {
        let cut = self.summary.cut().map(ImagePos::from_start);
        cut.unwrap_or(self.size)
    }
}

/// What is to change one target.
pub(crate) struct Writing<'a> {
    pub(crate) target: &'a Path,
    /// The undo file that was asked for.
    pub(crate) undo: Option<&'a Path>,
    pub(crate) command_line: &'a str,
    /// The dump that it comes from, if any: what is wrong with that is told of it.
    pub(crate) dump: Option<&'a Path>,
}

impl Writing<'_> {
    /// Shows what a draft comes to.
    pub(crate) fn show(
        &self,
        target: &dyn ReadAt,
        draft: impl FnOnce(&mut Draft<'_>) -> Result<()>,
    ) -> anyhow::Result<Change> {
        let summary = preview(target, &mut |_| {}, draft).map_err(|error| self.blame(error))?;
        let written = if summary.is_nothing() {
            Written::Nothing
        } else {
            Written::DryRun
        };
        Ok(self.change(target.size(), summary, written, None))
    }

    /// Makes a change. Where it is left half done, the error says how it is taken back.
    pub(crate) fn make(
        &self,
        target: &mut WritableFile,
        draft: impl FnOnce(&mut Draft<'_>) -> Result<()>,
    ) -> anyhow::Result<Change> {
        self.prepare(target, draft)?.make(target)
    }

    /// Drafts a change and writes its undo file, which gets its name when the change is made.
    pub(crate) fn prepare(
        &self,
        target: &WritableFile,
        draft: impl FnOnce(&mut Draft<'_>) -> Result<()>,
    ) -> anyhow::Result<Pending<'_>> {
        let block_device = target.is_block_device();
        let block_device = block_device.map_err(|error| self.blame(error))?;
        let (store, undo) = undo_name::begin(self.undo, self.target, block_device)?;
        let size = target.size();
        let identity = undo_name::identity(self.target, block_device, size, self.command_line);
        let prepared = prepare(target, &identity, store, draft);
        Ok(Pending {
            writing: self,
            prepared: prepared.map_err(|error| self.blame(error))?,
            undo,
        })
    }

    fn change(
        &self,
        size: Bytes,
        summary: Summary,
        written: Written,
        undo: Option<PathBuf>,
    ) -> Change {
        Change {
            target: self.target.to_owned(),
            size,
            summary,
            written,
            undo,
        }
    }

    /// Names the file that an error comes from.
    fn blame(&self, error: Error) -> anyhow::Error {
        self.blame_with(error, None)
    }

    fn blame_with(&self, error: Error, hint: Option<String>) -> anyhow::Error {
        let error = anyhow::Error::from(error);
        let of_dump = error
            .chain()
            .filter_map(|cause| cause.downcast_ref::<Error>())
            .any(|cause| match cause {
                Error::Syntax(_) => true,
                Error::Io(io) => io.op == IoOp::ReadDump,
                _ => false,
            });
        let path = self.dump.filter(|_| of_dump).unwrap_or(self.target);
        error.context(Blamed {
            path: path.to_owned(),
            hints: hint.into_iter().collect(),
        })
    }
}

/// A change that is drafted, and not begun. Dropped, it leaves nothing behind.
pub(crate) struct Pending<'a> {
    writing: &'a Writing<'a>,
    prepared: Prepared<NewFile>,
    undo: PathBuf,
}

impl Pending<'_> {
    /// Makes it. Where it is left half done, the error says how it is taken back.
    pub(crate) fn make(self, target: &mut WritableFile) -> anyhow::Result<Change> {
        let size = target.size();
        let summary = self.prepared.summary().clone();
        let written = summary.written();
        let change = |written, undo| self.writing.change(size, summary, written, undo);
        let progress = Progress::new();
        let mut watched = Watched::new(target, |access, bytes| {
            if access == Access::Written {
                progress.advance(bytes);
            }
        });
        let work = || self.prepared.apply(&mut watched);
        match progress.during("writing", written, work) {
            Ok(None) => Ok(change(Written::Nothing, None)),
            Ok(Some(_)) => Ok(change(Written::Done, Some(self.undo))),
            Err(error) => {
                let half =
                    matches!(&error, Error::Edit(edit) if edit.state == TargetState::NeedsUndo);
                let hint = half.then(|| how_to_undo(&self.undo));
                Err(self.writing.blame_with(error, hint))
            }
        }
    }
}

/// The file that an error is about, and what to do about what was written.
#[derive(Debug)]
pub(crate) struct Blamed {
    path: PathBuf,
    pub(crate) hints: Vec<String>,
}

impl fmt::Display for Blamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// Adds to an error how a change is taken back that was made before.
pub(crate) fn with_made(mut error: anyhow::Error, made: &[Change]) -> anyhow::Error {
    if let Some(blamed) = error.downcast_mut::<Blamed>() {
        for change in made {
            if let Some(undo) = &change.undo {
                blamed.hints.push(format!(
                    "mdtool undo {} puts {} back, which was changed already",
                    undo.display(),
                    change.target.display()
                ));
            }
        }
    }
    error
}

/// Says how changes are taken back: the last that was made first.
pub(crate) fn tell_how_to_undo(changes: &[Change], out: &mut Streams<'_>) {
    let mut made = changes
        .iter()
        .rev()
        .filter_map(|change| Some((&change.target, change.undo.as_ref()?)));
    match (made.next(), made.next()) {
        (Some((_, undo)), None) => out.tell(format_args!("hint: {}", how_to_undo(undo))),
        (Some(first), Some(second)) => {
            for ((target, undo), when) in [(first, "first"), (second, "after that")] {
                out.tell(format_args!(
                    "hint: {when}, mdtool undo {} puts {} back",
                    undo.display(),
                    target.display()
                ));
            }
        }
        (None, _) => {}
    }
}

fn how_to_undo(undo: &Path) -> String {
    format!("mdtool undo {} puts it back", undo.display())
}
