//! Drafting a change of every file at once, with one undo file that has no name yet, and making it.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::output::progress::Progress;
use crate::cli::write::blame::{after_sync, blame, stopped_at};
use crate::cli::write::change::{Change, Written, how_to_undo};
use crate::cli::write::judge::Drafted;
use crate::cli::write::plan::{Part, Plan};
use crate::cli::write::undo_name;
use crate::error::{Error, StoppedAt, TargetState};
use crate::image::{
    Access, MemImage, NewFile, ReadAt, Removal, Watched, WritableFile, WriteAt,
    finish_whatever_is_signalled,
};
use crate::transaction::{
    self, Identity, Phase, Prepared, Summary, prepare_all_showing, preview_all,
};
use crate::units::{Bytes, ImagePos};

/// A file that is to change, as it was found.
pub(crate) struct Canvas<'a> {
    pub(crate) part: Part,
    pub(crate) path: &'a Path,
    /// What is there; `None` where it is yet to be made.
    pub(crate) there: Option<&'a dyn ReadAt>,
    pub(crate) block_device: bool,
}

/// How a change was asked for.
pub(crate) struct Asked<'a> {
    /// The dump that it comes from, if any: what is wrong with that is told of it.
    pub(crate) dump: Option<&'a Path>,
    pub(crate) undo: Option<&'a Path>,
    pub(crate) command_line: &'a str,
    pub(crate) dry_run: bool,
    /// Marks of an interrupted change on the first file, to which nobody goes back.
    pub(crate) given_up: Vec<ImagePos>,
}

/// A change that is drafted; the first file is the one that the command is about.
pub(crate) struct Drawing {
    files: Vec<File>,
    dump: Option<PathBuf>,
    pub(crate) summary: Summary,
    /// The undo file, and the name that it will get; none where the change is only shown.
    prepared: Option<(Prepared<NewFile>, PathBuf)>,
    /// What removes the undo file where nothing changed in the end.
    removal: Option<Removal>,
    /// The superblocks that it would write.
    pub(crate) superblocks: Vec<Drafted>,
}

struct File {
    path: PathBuf,
    size: Bytes,
    is_new: bool,
}

impl Drawing {
    /// Drafts the change; nothing of the files changes.
    pub(crate) fn of(
        canvases: &[Canvas<'_>],
        asked: &Asked<'_>,
        plan: &mut dyn Plan,
    ) -> anyhow::Result<Self> {
        let first = canvases.first().context("there is nothing to change")?;
        let blank: Vec<MemImage> = canvases.iter().map(Canvas::blank).collect();
        let targets = canvases.iter().zip(&blank);
        let targets: Vec<&dyn ReadAt> = targets
            .map(|(canvas, blank)| canvas.there.unwrap_or(blank))
            .collect();
        let mut superblocks = Vec::new();
        let mut show = |change: &transaction::Change<'_>| {
            let part = canvases.get(change.target).map(|canvas| canvas.part);
            let block = change.after.first_chunk();
            if let (Phase::Commit, Some(part), Some(block)) = (change.phase, part, block) {
                let (at, block) = (change.at, *block);
                superblocks.push(Drafted { part, at, block });
            }
        };
        let draft = |drafting: &mut transaction::Draft<'_>| {
            plan.draft(drafting)?;
            drafting.turn_to(0)?;
            let mut marks = asked.given_up.iter();
            marks.try_for_each(|at| drafting.give_up("interrupted change", *at))
        };
        let blame = |error: Error| blame(error, first.path, asked.dump, Vec::new());
        let mut removal = None;
        let (summary, prepared) = if asked.dry_run {
            // What the real run could not make it could not write. Nothing of it stays: it has no name yet.
            if let Some(undo) = asked.undo {
                undo_name::begin(Some(undo), first.path, first.block_device)?;
            }
            (
                preview_all(&targets, &mut show, draft).map_err(blame)?,
                None,
            )
        } else {
            let (store, undo) = undo_name::begin(asked.undo, first.path, first.block_device)?;
            removal = Some(store.removal().map_err(blame)?);
            let identities = canvases.iter().zip(&targets);
            let identities = identities.map(|(canvas, target)| {
                undo_name::target(canvas.path, canvas.block_device, target.size())
            });
            let identity = Identity {
                command: asked.command_line.to_owned(),
                targets: identities.collect(),
            };
            let prepared = prepare_all_showing(&targets, &identity, store, &mut show, draft);
            let prepared = prepared.map_err(blame)?;
            (prepared.summary().clone(), Some((prepared, undo)))
        };
        let files = canvases.iter().zip(&targets).map(|(canvas, target)| File {
            path: canvas.path.to_owned(),
            size: target.size(),
            is_new: canvas.there.is_none(),
        });
        Ok(Self {
            files: files.collect(),
            dump: asked.dump.map(Path::to_owned),
            summary,
            prepared,
            removal,
            superblocks,
        })
    }

    /// Each file, with what it comes to there: the one that is about to be used first, the command's own last.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&Path, Summary)> {
        let files = self.files.iter().enumerate().rev();
        files.map(|(number, file)| (&*file.path, self.summary.of_target(number)))
    }

    /// The name that the undo file will get.
    pub(crate) fn undo(&self) -> Option<&Path> {
        let (_, undo) = self.prepared.as_ref()?;
        (!self.summary.is_nothing()).then_some(undo)
    }

    /// What it comes to, where it is only shown.
    pub(crate) fn shown(&self) -> Vec<Change> {
        let nothing = self.summary.is_nothing();
        self.changes(
            if nothing {
                Written::Nothing
            } else {
                Written::DryRun
            },
            None,
        )
    }

    /// Makes it in the files that are there, and in new ones. Where it is left half done, the error says how it is taken back.
    pub(crate) fn make(mut self, there: Vec<&mut WritableFile>) -> anyhow::Result<Vec<Change>> {
        let Some((prepared, undo)) = self.prepared.take() else {
            return Ok(self.shown());
        };
        if self.summary.is_nothing() {
            return Ok(self.changes(Written::Nothing, None));
        }
        finish_whatever_is_signalled();
        let mut made = self.make_files()?;
        let progress = Progress::new();
        let applied = {
            let watch = |access: Access, bytes: Bytes| {
                if access == Access::Written {
                    progress.advance(bytes);
                }
            };
            let all = there
                .into_iter()
                .chain(made.iter_mut().map(|(_, file)| file));
            let mut watched: Vec<_> = all.map(|file| Watched::new(file, watch)).collect();
            let mut targets: Vec<&mut dyn WriteAt> = watched
                .iter_mut()
                .map(|one| -> &mut dyn WriteAt { one })
                .collect();
            let work = || prepared.apply_all(&mut targets);
            progress.during("writing", self.summary.written(), work)
        };
        match applied {
            Ok(None) => Ok(self.changes(Written::Nothing, None)),
            Ok(Some(_)) => Ok(self.changes(Written::Done, Some(&undo))),
            Err(error) => {
                let half =
                    matches!(&error, Error::Edit(edit) if edit.state == TargetState::NeedsUndo);
                // What the system has in memory may not be what the disk holds: all of it is written again.
                let force = if half && after_sync(&error) {
                    " --force"
                } else {
                    ""
                };
                let hint = half.then(|| how_to_undo(&undo, force));
                if !half {
                    remove(made);
                    if let Some(removal) = self.removal.take() {
                        removal.remove(&undo);
                    }
                }
                let path = match stopped_at(&error) {
                    Some(StoppedAt::UndoFile) => Some(&undo),
                    Some(StoppedAt::Target(number)) => self.path_of(number),
                    None => self.path_of(0),
                };
                let path = path.cloned();
                let dump = self.dump.as_deref();
                Err(blame(
                    error,
                    &path.unwrap_or_default(),
                    dump,
                    hint.into_iter().collect(),
                ))
            }
        }
    }

    fn path_of(&self, number: usize) -> Option<&PathBuf> {
        self.files.get(number).map(|file| &file.path)
    }

    /// Makes the files that are not there yet.
    fn make_files(&self) -> anyhow::Result<Vec<(PathBuf, WritableFile)>> {
        let mut made = Vec::new();
        for file in self.files.iter().filter(|file| file.is_new) {
            match WritableFile::create_new(&file.path, file.size) {
                Ok(new) => made.push((file.path.clone(), new)),
                Err(error) => {
                    remove(made);
                    return Err(blame(error, &file.path, None, Vec::new()));
                }
            }
        }
        Ok(made)
    }

    /// One change for each file, in the order of [`Self::parts`].
    fn changes(&self, written: Written, undo: Option<&Path>) -> Vec<Change> {
        let files = self.files.iter().enumerate().rev();
        let change = |(number, file): (usize, &File)| Change {
            target: file.path.clone(),
            size: file.size,
            summary: self.summary.of_target(number),
            written,
            undo: undo.map(Path::to_owned),
        };
        files.map(change).collect()
    }
}

impl Canvas<'_> {
    /// What a file that is yet to be made is like.
    fn blank(&self) -> MemImage {
        MemImage::new(match self.part {
            Part::Meta { size } => size,
            Part::Target => Bytes::ZERO,
        })
    }
}

/// Removes files that were made for nothing.
fn remove(made: Vec<(PathBuf, WritableFile)>) {
    for (path, file) in made {
        // What is left has holes only.
        let _ = file.remove(&path);
    }
}
