//! Drafting a change of one file, with an undo file that has no name yet, and making it.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::output::progress::Progress;
use crate::cli::write::blame::blame;
use crate::cli::write::change::{Change, Written, how_to_undo};
use crate::cli::write::judge::Drafted;
use crate::cli::write::plan::{Part, Plan};
use crate::cli::write::undo_name;
use crate::error::{Error, TargetState};
use crate::image::{Access, MemImage, NewFile, ReadAt, Watched, WritableFile};
use crate::transaction::{self, Phase, Prepared, Summary, prepare_showing, preview};
use crate::units::Bytes;

/// One file that is to change.
pub(crate) struct Drawing {
    pub(crate) part: Part,
    pub(crate) path: PathBuf,
    dump: Option<PathBuf>,
    pub(crate) size: Bytes,
    pub(crate) summary: Summary,
    /// The undo file, and the name that it will get; none where the change is only shown.
    prepared: Option<(Prepared<NewFile>, PathBuf)>,
    /// The superblocks that it would write.
    pub(crate) superblocks: Vec<Drafted>,
}

/// What a file is drafted for.
pub(crate) struct Canvas<'a> {
    pub(crate) path: &'a Path,
    /// The dump that it comes from, if any: what is wrong with that is told of it.
    pub(crate) dump: Option<&'a Path>,
    pub(crate) undo: Option<&'a Path>,
    pub(crate) command_line: &'a str,
    /// What is there; `None` where it is yet to be made.
    pub(crate) there: Option<&'a dyn ReadAt>,
    pub(crate) block_device: bool,
    pub(crate) dry_run: bool,
}

impl Drawing {
    /// Drafts the change of one file; nothing of that changes.
    pub(crate) fn of(canvas: &Canvas<'_>, part: Part, plan: &mut dyn Plan) -> anyhow::Result<Self> {
        let nothing;
        let target = match (canvas.there, part) {
            (Some(there), _) => there,
            (None, Part::Meta { size }) => {
                nothing = MemImage::new(size);
                &nothing
            }
            (None, Part::Target) => anyhow::bail!("{}: is not there", canvas.path.display()),
        };
        let size = target.size();
        let mut superblocks = Vec::new();
        let mut show = |change: &transaction::Change<'_>| {
            if let (Phase::Commit, Some(block)) = (change.phase, change.after.first_chunk()) {
                let (at, block) = (change.at, *block);
                superblocks.push(Drafted { part, at, block });
            }
        };
        let draft = |drafting: &mut transaction::Draft<'_>| plan.draft(part, drafting);
        let blame = |error: Error| blame(error, canvas.path, canvas.dump, Vec::new());
        let (summary, prepared) = if canvas.dry_run {
            (preview(target, &mut show, draft).map_err(blame)?, None)
        } else {
            let (store, undo) = undo_name::begin(canvas.undo, canvas.path, canvas.block_device)?;
            let identity =
                undo_name::identity(canvas.path, canvas.block_device, size, canvas.command_line);
            let prepared = prepare_showing(target, &identity, store, &mut show, draft);
            let prepared = prepared.map_err(blame)?;
            (prepared.summary().clone(), Some((prepared, undo)))
        };
        Ok(Self {
            part,
            path: canvas.path.to_owned(),
            dump: canvas.dump.map(Path::to_owned),
            size,
            summary,
            prepared,
            superblocks,
        })
    }

    /// The name that the undo file will get.
    pub(crate) fn undo(&self) -> Option<&Path> {
        let (_, undo) = self.prepared.as_ref()?;
        (!self.summary.is_nothing()).then_some(undo)
    }

    /// What it comes to, where it is only shown.
    pub(crate) fn shown(&self) -> Change {
        let nothing = self.summary.is_nothing();
        let written = if nothing {
            Written::Nothing
        } else {
            Written::DryRun
        };
        self.change(written, None)
    }

    /// Makes it in `target`, or in a new file where there is none. Where it is left half done, the error says how it is taken back.
    pub(crate) fn make(self, target: Option<&mut WritableFile>) -> anyhow::Result<Change> {
        match target {
            Some(target) => self.make_in(target),
            None => {
                let (path, size) = (self.path.clone(), self.size);
                let made = WritableFile::create_new(&path, size);
                let mut made = made.with_context(|| path.display().to_string())?;
                let change = self.make_in(&mut made);
                if change.as_ref().is_err_and(is_as_before) {
                    made.remove(&path)
                        .with_context(|| path.display().to_string())?;
                }
                change
            }
        }
    }

    fn make_in(mut self, target: &mut WritableFile) -> anyhow::Result<Change> {
        let Some((prepared, undo)) = self.prepared.take() else {
            return Ok(self.shown());
        };
        let progress = Progress::new();
        let mut watched = Watched::new(target, |access, bytes| {
            if access == Access::Written {
                progress.advance(bytes);
            }
        });
        let work = || prepared.apply(&mut watched);
        match progress.during("writing", self.summary.written(), work) {
            Ok(None) => Ok(self.change(Written::Nothing, None)),
            Ok(Some(_)) => Ok(self.change(Written::Done, Some(undo))),
            Err(error) => {
                let half = state(&error) == Some(TargetState::NeedsUndo);
                let hint = half.then(|| how_to_undo(&undo));
                Err(blame(
                    error,
                    &self.path,
                    self.dump.as_deref(),
                    hint.into_iter().collect(),
                ))
            }
        }
    }

    fn change(&self, written: Written, undo: Option<PathBuf>) -> Change {
        Change {
            target: self.path.clone(),
            size: self.size,
            summary: self.summary.clone(),
            written,
            undo,
        }
    }
}

/// How an error says that a target was left.
fn state(error: &Error) -> Option<TargetState> {
    match error {
        Error::Edit(edit) => Some(edit.state),
        _ => None,
    }
}

/// Whether nothing of a change is left.
fn is_as_before(error: &anyhow::Error) -> bool {
    let mut causes = error.chain().filter_map(|cause| cause.downcast_ref());
    causes.find_map(state) != Some(TargetState::NeedsUndo)
}
