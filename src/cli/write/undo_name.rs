//! What an undo file is called, and what it says of its target.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::write::undoing::strays;
use crate::error::{Error, Refused};
use crate::image::{ImageFile, NewFile, ReadAt, names_in};
use crate::transaction::{Doing, Phase, TargetIdentity, UndoCheck, UndoFile, UndoState};
use crate::units::{Bytes, ImagePos};

/// Tries in one second; scripts are fast.
const TRIES: u32 = 100;

/// Begins the undo file: the one that was asked for, or a new one beside a regular file, and for a block device where we are.
pub(crate) fn begin(
    asked: Option<&Path>,
    target: &Path,
    block_device: bool,
) -> anyhow::Result<(NewFile, PathBuf)> {
    if let Some(path) = asked {
        let file = NewFile::create_private(path).with_context(|| path.display().to_string())?;
        return Ok((file, path.to_owned()));
    }
    let seconds = jiff::Timestamp::now().as_second();
    let mut number = 1;
    loop {
        let path = name(target, block_device, seconds, number);
        match NewFile::create_private(&path) {
            Ok(file) => return Ok((file, path)),
            Err(Error::Refused(Refused::Exists)) if number < TRIES => {
                number = number.saturating_add(1);
            }
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        }
    }
}

fn name(target: &Path, block_device: bool, seconds: i64, number: u32) -> PathBuf {
    let mut name = OsString::from(target.file_name().unwrap_or_else(|| "target".as_ref()));
    name.push(format!(".mdtool-undo-{seconds}"));
    if number > 1 {
        name.push(format!("-{number}"));
    }
    if block_device {
        name.into()
    } else {
        target.with_file_name(name)
    }
}

/// The undo file of the change that was interrupted on this target, if it lies where one is put unless a name is given: the newest that knows all
/// that is there now.
pub(crate) fn of_interrupted(target: &Path) -> Option<PathBuf> {
    all_of(target)
        .into_iter()
        .find(|file| fits(file, target) == Some(true))
}

/// Undo files of a target where they are put unless a name is given: beside it, then where we are.
fn all_of(target: &Path) -> Vec<PathBuf> {
    let beside = target.parent().filter(|parent| *parent != Path::new(""));
    let here = Path::new(".");
    let mut all = all_in(beside.unwrap_or(here), target);
    all.extend(all_in(here, target));
    all
}

/// Where the metadata went whose superblock at `at` of this target was retired, if the undo file of that lies where one is put unless a name is given.
pub(crate) fn moved_to(target: &Path, at: ImagePos) -> Option<(PathBuf, ImagePos)> {
    let whole = std::path::absolute(target).ok()?;
    all_of(target).into_iter().find_map(|file| {
        let undo = UndoFile::open(ImageFile::open(&file).ok()?).ok()?;
        let targets = &undo.identity().targets;
        let of_this = |number: usize| targets.get(number).is_some_and(|one| one.path == whole);
        let retired = undo.regions().any(|region| {
            matches!(region.phase, Phase::Retire | Phase::Cleanup)
                && of_this(region.target)
                && region.range.start == at
        });
        let mut placed = undo
            .regions()
            .filter(|region| region.phase == Phase::Commit);
        let placed = placed.find(|region| !of_this(region.target) || region.range.start != at);
        let placed = placed.filter(|_| retired)?;
        let path = &targets.get(placed.target)?.path;
        Some((path.clone(), placed.range.start))
    })
}

/// The undo file of a command that came to its end on this target and was not taken back, if it lies where one is put unless a name is given.
pub(crate) fn of_done(target: &Path, is_meant: &dyn Fn(&str) -> bool) -> Option<PathBuf> {
    let is_done = |file: &PathBuf| {
        let undo = UndoFile::open(ImageFile::open(file).ok()?).ok()?;
        let is_change = undo.doing() == Doing::Change && is_meant(&undo.identity().command);
        let check = checked(&undo, target).filter(|_| is_change)?;
        // What DRBD wrote since does not take it back.
        let placed = undo.regions().any(|region| region.phase == Phase::Commit);
        let stays = placed && check.recognised && check.after > check.before;
        Some(check.state == UndoState::Applied || check.state == UndoState::ChangedSince && stays)
    };
    let mut all = all_of(target).into_iter();
    all.find(|file| is_done(file) == Some(true))
}

/// Whether the change that an undo file describes is the one that was interrupted there; `None` where it cannot be read.
fn fits(file: &Path, target: &Path) -> Option<bool> {
    let undo = UndoFile::open(ImageFile::open(file).ok()?).ok()?;
    let check = checked(&undo, target)?;
    let strays = strays(&undo, 0, &ImageFile::open(target).ok()?).ok()?;
    Some(check.state == UndoState::Interrupted && check.recognised && strays.is_empty())
}

/// What the targets hold of the change of an undo file, the first of them under this name; `None` where one cannot be read.
fn checked(undo: &UndoFile<ImageFile>, target: &Path) -> Option<UndoCheck> {
    let paths = undo.identity().targets.iter().enumerate();
    let targets = paths.map(|(number, known)| {
        ImageFile::open(if number == 0 { target } else { &known.path }).ok()
    });
    let targets: Vec<ImageFile> = targets.collect::<Option<_>>()?;
    let targets: Vec<&dyn ReadAt> = targets.iter().map(|one| -> &dyn ReadAt { one }).collect();
    undo.check_all(&targets).ok()
}

/// Undo files of a target in one directory, the newest first.
fn all_in(directory: &Path, target: &Path) -> Vec<PathBuf> {
    let Some(name) = target.file_name().and_then(std::ffi::OsStr::to_str) else {
        return Vec::new();
    };
    let prefix = format!("{name}.mdtool-undo-");
    let age = |name: &OsString| -> Option<(u64, u64)> {
        let (seconds, number) = match name.to_str()?.strip_prefix(&prefix)?.split_once('-') {
            Some(both) => both,
            None => (name.to_str()?.strip_prefix(&prefix)?, "1"),
        };
        Some((seconds.parse().ok()?, number.parse().ok()?))
    };
    let names = names_in(directory).unwrap_or_default().into_iter();
    let mut names: Vec<_> = names.filter_map(|name| Some((age(&name)?, name))).collect();
    names.sort_unstable_by(|one, other| other.cmp(one));
    let paths = names.into_iter().map(|(_, name)| directory.join(name));
    paths
        .map(|path| path.strip_prefix(".").map_or(path.clone(), Path::to_owned))
        .collect()
}

/// What the undo file says of a target: a path that holds wherever it is read.
pub(crate) fn target(target: &Path, block_device: bool, size: Bytes) -> TargetIdentity {
    TargetIdentity {
        path: std::path::absolute(target).unwrap_or_else(|_| target.to_owned()),
        block_device,
        size,
    }
}
