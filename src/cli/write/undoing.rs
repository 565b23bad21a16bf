//! The same way for `undo`, whose draft is an undo file: lock, look, decide, draft, show, ask, write, and what comes next.

mod doubt;
mod refuse;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::args::WritingArgs;
use crate::cli::outcome::Declined;
use crate::cli::output::change::RegionView;
use crate::cli::output::explain::shell_word;
use crate::cli::write::basis::{Piece, check_held, compare, pieces_of};
use crate::cli::write::blame::{after_sync, blame, stopped_at};
use crate::cli::write::confirm::{Kept, confirm};
use crate::cli::write::show::table;
use crate::cli::write::target::Target;
use crate::cli::write::undo_name;
use crate::error::{EditError, EditRefusal, Error, Result, StoppedAt, TargetState};
use crate::image::{ImageFile, NewFile, ReadAt, WriteAt, finish_whatever_is_signalled};
use crate::transaction::{Identity, Region, UndoCheck, UndoFile, UndoState, Undone};
use crate::units::ImagePos;
use doubt::Doubt;
pub(crate) use refuse::strays;
use refuse::{refuse_behind, refuse_elsewhere, refuse_mixture, refuse_strays, refuse_twice};

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
        refuse_twice(&paths)?;
        let mut targets = self.take(&paths)?;
        let readers = paths.iter().zip(&targets);
        let readers: Result<Vec<Box<dyn ReadAt>>> =
            readers.map(|(path, target)| target.reader(path)).collect();
        let readers = readers.map_err(blamed)?;
        let looked: Vec<&dyn ReadAt> = readers.iter().map(|reader| &**reader).collect();
        let check = self.checked(&paths, &looked)?;
        let doubt = Doubt::of(self.undo, &check, &looked).map_err(blamed)?;
        if self.writing.dry_run {
            return Ok(self.shown(&name, &check, &doubt, out));
        }
        if check.state == UndoState::NothingToDo && !self.writing.force {
            return Ok(Ended {
                undone: Undone::Nothing,
                dry_run: false,
                kept: None,
            });
        }
        let mut force = self.writing.yes || self.writing.force;
        let mut begun = None;
        let since = check.state == UndoState::ChangedSince;
        if force {
            doubt.warn(&name, out);
        }
        if (since || doubt.asks()) && !force {
            let shown = self.basis(&looked).map_err(blamed)?;
            let (store, undo) = self.begin_undo(first, &targets)?;
            self.ask(&name, (&check, &doubt), &undo, out)?;
            for (pieces, looked) in shown.iter().zip(&looked) {
                compare(pieces, *looked).map_err(blamed)?;
            }
            force = since;
            begun = Some((store, undo));
        }
        let keeps = since || doubt.asks() || self.writing.undo.is_some();
        if keeps && begun.is_none() {
            begun = Some(self.begin_undo(first, &targets)?);
        }
        for (path, target) in paths.iter().zip(&targets) {
            check_held(path, target)?;
        }
        let (undone, kept) = self.write(&paths, &looked, &mut targets, (begun, force))?;
        Ok(Ended {
            undone,
            dry_run: false,
            kept,
        })
    }

    /// Compares the targets with the undo file, and refuses those that are not the ones it was made for.
    fn checked(&self, paths: &[PathBuf], looked: &[&dyn ReadAt]) -> anyhow::Result<UndoCheck> {
        let first = paths.first().context("the undo file has no target")?;
        let blamed = |error: Error| blame(error, first, None, Vec::new());
        let at = |number: Option<usize>| number.and_then(|one| paths.get(one)).unwrap_or(first);
        let other_size = self.other_size(looked);
        let check = self.undo.check_all(looked);
        let check = check.map_err(|error| blame(error, at(other_size), None, Vec::new()))?;
        // Another disk is refused, whoever says yes.
        check.allow(true).map_err(|refusal| {
            let error = EditError::untouched(refusal.into()).into();
            blame(error, at(check.stranger), None, Vec::new())
        })?;
        if !self.writing.force {
            refuse_mixture(at(check.moved_target), &check)?;
            refuse_behind(at(check.behind_target), &check)?;
            for (number, (path, looked)) in paths.iter().zip(looked).enumerate() {
                let strays = strays(self.undo, number, *looked).map_err(blamed)?;
                refuse_strays(path, &strays)?;
            }
        }
        // What says nothing of itself is known by its name, or by who says so.
        if check.is_doubted() && !self.writing.force {
            refuse_elsewhere(self.undo, paths)?;
        }
        Ok(check)
    }

    /// The target whose size is none that the undo file knows.
    fn other_size(&self, looked: &[&dyn ReadAt]) -> Option<usize> {
        let known = self.undo.identity().targets.iter().zip(looked).enumerate();
        let mut others = known.filter(|(number, (known, looked))| {
            let cut = self.undo.cut(*number).map(ImagePos::from_start);
            looked.size() != known.size && cut != Some(looked.size())
        });
        others.next().map(|(number, _)| number)
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
    fn words(&self, name: &str, check: &UndoCheck, doubt: &Doubt) -> Vec<String> {
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
        let mut words = vec![
            format!("{name}: {state}"),
            format!("the change: `{}`", self.undo.identity().command),
        ];
        words.extend(doubt.words());
        words
    }

    fn shown(&self, name: &str, check: &UndoCheck, doubt: &Doubt, out: &mut Streams<'_>) -> Ended {
        for line in self.words(name, check, doubt) {
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
        (check, doubt): (&UndoCheck, &Doubt),
        undo: &Path,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<()> {
        for line in self.words(name, check, doubt) {
            writeln!(out.stderr, "{line}")?;
        }
        for (number, path) in self.paths().iter().enumerate() {
            table(&path.to_string_lossy(), &self.views(number), out.stderr)?;
        }
        writeln!(out.stderr)?;
        writeln!(out.stderr, "undo file: {}", undo.display())?;
        let mut what = match check.changed_count {
            0 => {
                "its content, which does not show that it is the disk that was changed,".to_owned()
            }
            count => format!("{count} place(s) written since"),
        };
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
        let undo = begun.as_ref().map(|(_, name)| name.clone());
        let again = |error: Error| {
            let half = matches!(&error, Error::Edit(edit) if edit.state == TargetState::NeedsUndo);
            // After a sync that failed, what reads as it should need not be on the disk.
            let force = if after_sync(&error) { " --force" } else { "" };
            let hint = format!(
                "mdtool undo {}{force} can be run again",
                shell_word(self.file)
            );
            let hints = half.then_some(hint).into_iter().collect();
            let path = match stopped_at(&error) {
                Some(StoppedAt::UndoFile) => undo.as_deref().unwrap_or(path),
                Some(StoppedAt::Target(number)) => paths.get(number).map_or(path, |one| one),
                None => path,
            };
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
