//! The same way for `undo`, whose draft is an undo file: lock, look, decide, draft, show, ask, write, and what comes next.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::args::WritingArgs;
use crate::cli::outcome::Declined;
use crate::cli::output::change::RegionView;
use crate::cli::output::explain::shell_word;
use crate::cli::write::basis::{Piece, compare, pieces_of};
use crate::cli::write::blame::blame;
use crate::cli::write::confirm::{Kept, confirm};
use crate::cli::write::show::table;
use crate::cli::write::target::Target;
use crate::cli::write::undo_name;
use crate::error::{EditError, EditRefusal, Error, Result, TargetState};
use crate::image::{ImageFile, NewFile, ReadAt, Window, WriteAt, finish_whatever_is_signalled};
use crate::survey::locate::{IndexChoice, LocateOptions, ScanMode, locate};
use crate::survey::traces::TraceKind;
use crate::transaction::{Identity, Region, UndoCheck, UndoFile, UndoState, Undone};
use crate::units::ImagePos;

/// An undo file, and how undoing it was asked for.
pub(crate) struct Undoing<'a> {
    pub(crate) undo: &'a UndoFile<ImageFile>,
    /// The undo file's name.
    pub(crate) file: &'a Path,
    /// Where its targets are now, from the first on, where that is somewhere else.
    pub(crate) targets: &'a [PathBuf],
    pub(crate) writing: &'a WritingArgs,
    pub(crate) command_line: &'a str,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) undone: Undone,
    pub(crate) dry_run: bool,
    /// The undo file of the undoing itself, where it overwrote what nobody else has.
    pub(crate) kept: Option<PathBuf>,
}

/// Refuses to put an old superblock beside a bitmap or a log that came since: the undo file does not have theirs.
fn refuse_mixture(name: &str, check: &UndoCheck) -> anyhow::Result<()> {
    let Some(first) = check.moved else {
        return Ok(());
    };
    let why = format!(
        "{name}: the bitmap or the activity log, which the change left as it was, was written to since ({}, the first at {first}): the superblock that would come back does not belong to it",
        crate::error::Places(check.moved_count)
    );
    let hints = [
        "undo first what was changed later, if that was mdtool: its undo file has what was there",
        "--force puts back the superblock all the same, where you know that the bitmap still holds",
    ];
    Err(Declined::new(why, &hints).into())
}

/// Refuses to put back what was cut off around data that came there since.
fn refuse_behind(name: &str, check: &UndoCheck) -> anyhow::Result<()> {
    let at = check
        .behind
        .filter(|_| check.state != UndoState::NothingToDo);
    let Some(at) = at else {
        return Ok(());
    };
    let why = format!(
        "{name}: was made longer again since the change, and has data at {at}, where nothing was before: the undo file has nothing of it"
    );
    let hints = [
        "save that data first, and cut the file to the length that the change left, if nobody needs it there: then undo puts back what was",
        "--force puts back the rest, and keeps what the undo file does not know: where a file is made longer, in its place; where one is cut off, in an undo file of its own",
    ];
    Err(Declined::new(why, &hints).into())
}

/// Refuses to undo one change while another one is half done.
fn refuse_strays(path: &Path, strays: &[ImagePos]) -> anyhow::Result<()> {
    let Some(at) = strays.first() else {
        return Ok(());
    };
    let why = format!(
        "{}: another change by mdtool was interrupted here: it left its mark in the superblock at {at}, of which this undo file holds nothing",
        path.display()
    );
    let hint = "`mdtool undo` with the undo file of that change comes first";
    Err(Declined::new(why, &[hint]).into())
}

/// Marks of an interrupted change in superblocks that an undo file has nothing of.
pub(crate) fn strays(
    undo: &UndoFile<ImageFile>,
    target: usize,
    looked: &dyn ReadAt,
) -> Result<Vec<ImagePos>> {
    let options = LocateOptions {
        index: IndexChoice::Auto,
        scan: ScanMode::Never,
        stacked: false,
    };
    let located = locate(Window::whole(looked), &options)?;
    let marked = located.traces.iter();
    let marked = marked.filter(|trace| trace.kind == TraceKind::UnderWay);
    let marked = marked.map(|trace| ImagePos::at(trace.at.from_start()));
    let known = |at: &ImagePos| {
        let mut regions = undo.regions();
        regions.any(|region| region.target == target && region.range.contains(at))
    };
    Ok(marked.filter(|at| !known(at)).collect())
}

impl Undoing<'_> {
    /// Where its targets are, the one that the command was about first.
    pub(crate) fn paths(&self) -> Vec<PathBuf> {
        let targets = self.undo.identity().targets.iter().enumerate();
        let path = |(number, known): (usize, &crate::transaction::TargetIdentity)| {
            let given = self.targets.get(number);
            given.unwrap_or(&known.path).clone()
        };
        targets.map(path).collect()
    }

    /// The same, as it is shown.
    pub(crate) fn views(&self, target: usize) -> Vec<RegionView> {
        self.regions(target).iter().map(RegionView::of).collect()
    }

    /// What changed in one of its targets, and is put back.
    fn regions(&self, target: usize) -> Vec<Region> {
        let regions = self.undo.regions();
        regions
            .filter(|one| one.target == target)
            .cloned()
            .collect()
    }

    /// Undoes it, from the first look to the last word.
    pub(crate) fn run(&self, out: &mut Streams<'_>) -> anyhow::Result<Ended> {
        let paths = self.paths();
        self.refuse_unknown_targets(&paths)?;
        let first = paths.first().context("the undo file has no target")?;
        let name = first.display().to_string();
        let blamed = |error: Error| blame(error, first, None, Vec::new());
        let mut targets = self.take(&paths)?;
        let readers = paths.iter().zip(&targets);
        let readers: Result<Vec<Box<dyn ReadAt>>> =
            readers.map(|(path, target)| target.reader(path)).collect();
        let readers = readers.map_err(blamed)?;
        let looked: Vec<&dyn ReadAt> = readers.iter().map(|reader| &**reader).collect();
        let check = self.undo.check_all(&looked).map_err(blamed)?;
        // Another disk is refused, whoever says yes.
        check
            .allow(true)
            .map_err(|refusal| blamed(EditError::untouched(refusal.into()).into()))?;
        if !self.writing.force {
            refuse_mixture(&name, &check)?;
            refuse_behind(&name, &check)?;
            for (number, (path, looked)) in paths.iter().zip(&looked).enumerate() {
                let strays = strays(self.undo, number, *looked).map_err(blamed)?;
                refuse_strays(path, &strays)?;
            }
        }
        if self.writing.dry_run {
            return Ok(self.shown(&name, &check, out));
        }
        let mut force = self.writing.yes || self.writing.force;
        let mut begun = None;
        if check.state == UndoState::ChangedSince && !force {
            let shown = self.basis(&looked).map_err(blamed)?;
            let (store, undo) = self.begin_undo(first, &targets)?;
            self.ask(&name, &check, &undo, out)?;
            for (pieces, looked) in shown.iter().zip(&looked) {
                compare(pieces, *looked).map_err(blamed)?;
            }
            force = true;
            begun = Some((store, undo));
        }
        let keeps = check.state == UndoState::ChangedSince || self.writing.undo.is_some();
        if keeps && begun.is_none() {
            begun = Some(self.begin_undo(first, &targets)?);
        }
        let (undone, kept) = self.write(&paths, &looked, &mut targets, (begun, force))?;
        Ok(Ended {
            undone,
            dry_run: false,
            kept,
        })
    }

    /// What the question is about: all that would be overwritten, as it is now.
    fn basis(&self, looked: &[&dyn ReadAt]) -> Result<Vec<Vec<Piece>>> {
        let mut all = Vec::new();
        for (number, target) in looked.iter().enumerate() {
            let mut pieces = Vec::new();
            for region in self.regions(number) {
                let end = region.range.end.min(ImagePos::at(target.size()));
                pieces_of(*target, region.range.start, end, &mut pieces)?;
            }
            all.push(pieces);
        }
        Ok(all)
    }

    /// Refuses more targets than there are, and one that is not there under its name.
    fn refuse_unknown_targets(&self, paths: &[PathBuf]) -> anyhow::Result<()> {
        let (given, known) = (self.targets.len(), paths.len());
        let file = self.file.display();
        if given > known {
            let why =
                format!("{file}: has {known} target(s), and --target was given {given} times");
            let hint = format!(
                "`mdtool undo {} --dry-run` shows what it is of",
                shell_word(self.file)
            );
            return Err(Declined::new(why, &[&hint]).into());
        }
        let Some(number) = paths
            .iter()
            .position(|path| matches!(path.try_exists(), Ok(false)))
        else {
            return Ok(());
        };
        let words = paths.iter().enumerate().take(number.saturating_add(1));
        let words = words.map(|(one, path)| match one {
            _ if one == number => "--target PATH".to_owned(),
            _ => format!("--target {}", shell_word(path)),
        });
        let words: Vec<String> = words.collect();
        let missing = paths.get(number).map(|path| path.display().to_string());
        let why = format!(
            "{}: is not there, and {file} is of it",
            missing.unwrap_or_default()
        );
        let hint = format!("{} names it where it has another name now", words.join(" "));
        Err(Declined::new(why, &[&hint]).into())
    }

    /// Holds every target.
    fn take(&self, paths: &[PathBuf]) -> anyhow::Result<Vec<Target>> {
        let mut targets = Vec::new();
        let known = self.undo.identity().targets.iter().enumerate();
        for (path, (number, known)) in paths.iter().zip(known) {
            let target = Target::take(path, self.writing.dry_run)?;
            let name = || path.display().to_string();
            let found = target.is_block_device().with_context(name)?;
            if found != known.block_device && self.targets.len() <= number {
                return Err(Error::from(EditRefusal::TargetKind { found })).with_context(name);
            }
            targets.push(target);
        }
        Ok(targets)
    }

    /// The target that was written to since: the first of them.
    fn changed(&self, check: &UndoCheck) -> Option<PathBuf> {
        let number = check.changed_target?;
        let since = check.state == UndoState::ChangedSince;
        since.then(|| self.paths().into_iter().nth(number))?
    }

    /// What it is, in words.
    fn words(&self, name: &str, check: &UndoCheck) -> Vec<String> {
        let state = match check.state {
            UndoState::NothingToDo => "is as it was before already",
            UndoState::Applied => "is as the change left it, and becomes what it was before",
            UndoState::Interrupted => "is half changed, and becomes what it was before",
            UndoState::ChangedSince => {
                "was written to since the change; that is overwritten, and kept in an undo file of its own"
            }
        };
        let changed = self.changed(check);
        let name = changed.map_or_else(|| name.to_owned(), |path| path.display().to_string());
        vec![
            format!("{name}: {state}"),
            format!("the change: `{}`", self.undo.identity().command),
        ]
    }

    fn shown(&self, name: &str, check: &UndoCheck, out: &mut Streams<'_>) -> Ended {
        for line in self.words(name, check) {
            out.tell(line);
        }
        Ended {
            undone: Undone::Nothing,
            dry_run: true,
            kept: None,
        }
    }

    /// Begins the undo file of the undoing itself, whose name is shown before anybody is asked.
    fn begin_undo(&self, first: &Path, targets: &[Target]) -> anyhow::Result<(NewFile, PathBuf)> {
        let device = targets.first().map_or(Ok(false), Target::is_block_device);
        let device = device.with_context(|| first.display().to_string())?;
        undo_name::begin(self.writing.undo.as_deref(), first, device)
    }

    fn ask(
        &self,
        name: &str,
        check: &UndoCheck,
        undo: &Path,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<()> {
        for line in self.words(name, check) {
            writeln!(out.stderr, "{line}")?;
        }
        for (number, path) in self.paths().iter().enumerate() {
            table(&path.to_string_lossy(), &self.views(number), out.stderr)?;
        }
        writeln!(out.stderr)?;
        writeln!(out.stderr, "undo file: {}", undo.display())?;
        let mut what = format!("{} place(s) written since", check.changed_count);
        if let Some(first) = check.changed.first() {
            what = format!("{what}, the first at {first},");
        }
        let changed = self.changed(check);
        let changed = changed.map_or_else(|| name.to_owned(), |path| path.display().to_string());
        confirm(name, &format!("{changed}: {what}"), Kept::Undo, out)
    }

    /// Writes, with an undo file of its own where what is overwritten is known to nobody else.
    fn write(
        &self,
        paths: &[PathBuf],
        looked: &[&dyn ReadAt],
        targets: &mut [Target],
        (begun, force): (Option<(NewFile, PathBuf)>, bool),
    ) -> anyhow::Result<(Undone, Option<PathBuf>)> {
        let path = paths.first().map_or(Path::new(""), PathBuf::as_path);
        let again = |error: Error| {
            let half = matches!(&error, Error::Edit(edit) if edit.state == TargetState::NeedsUndo);
            let hint = format!("mdtool undo {} can be run again", self.file.display());
            let hints = half.then_some(hint).into_iter().collect();
            blame(error, path, None, hints)
        };
        let devices: Vec<bool> = targets
            .iter()
            .map(Target::is_block_device)
            .collect::<Result<_>>()
            .map_err(again)?;
        let mut files: Vec<&mut dyn WriteAt> = targets
            .iter_mut()
            .filter_map(Target::ours)
            .map(|file| -> &mut dyn WriteAt { file })
            .collect();
        finish_whatever_is_signalled();
        let Some((store, name)) = begun else {
            let undone = self.undo.undo_all(&mut files, force).map_err(again)?;
            return Ok((undone, None));
        };
        let identities = paths.iter().zip(&devices).zip(looked);
        let identity = Identity {
            command: self.command_line.to_owned(),
            targets: identities
                .map(|((path, device), target)| undo_name::target(path, *device, target.size()))
                .collect(),
        };
        let removal = store.removal().map_err(again)?;
        let prepared = self.undo.prepare_undo(looked, identity, store);
        let prepared = prepared.map_err(again)?;
        let applied = prepared.apply_all(&mut files, force).map_err(|error| {
            if matches!(&error, Error::Edit(edit) if edit.state != TargetState::NeedsUndo) {
                removal.remove(&name);
            }
            again(error)
        });
        let (undone, kept) = applied?;
        Ok((undone, kept.map(|_| name)))
    }
}
