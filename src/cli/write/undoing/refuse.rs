//! What keeps a change from being undone, where nobody says that it is to be all the same.

use std::path::{Path, PathBuf};

use crate::cli::outcome::Declined;
use crate::error::Result;
use crate::image::{ImageFile, ReadAt, Window, is_same};
use crate::survey::locate::{IndexChoice, LocateOptions, ScanMode, locate};
use crate::survey::traces::TraceKind;
use crate::transaction::{UndoCheck, UndoFile, UndoState};
use crate::units::ImagePos;

/// Refuses to put an old superblock beside a bitmap or a log that came since: the undo file does not have theirs.
pub(super) fn refuse_mixture(path: &Path, check: &UndoCheck) -> anyhow::Result<()> {
    let Some(first) = check.moved else {
        return Ok(());
    };
    let why = format!(
        "{}: the bitmap or the activity log, which the change left as it was, was written to since ({}, the first at {first}): the superblock that would come back does not belong to it",
        path.display(),
        crate::error::Places(check.moved_count)
    );
    let hints = [
        "undo first what was changed later, if that was mdtool: its undo file has what was there",
        "--force puts back the superblock all the same, where you know that the bitmap still holds",
    ];
    Err(Declined::new(why, &hints).into())
}

/// Refuses to put back what was cut off around data that came there since.
pub(super) fn refuse_behind(path: &Path, check: &UndoCheck) -> anyhow::Result<()> {
    let at = check
        .behind
        .filter(|_| check.state != UndoState::NothingToDo);
    let Some(at) = at else {
        return Ok(());
    };
    let why = format!(
        "{}: was made longer again since the change, and has data at {at}, where nothing was before: the undo file has nothing of it",
        path.display()
    );
    let hints = [
        "save that data first, and cut the file to the length that the change left, if nobody needs it there: then undo puts back what was",
        "--force puts back the rest, and keeps what the undo file does not know: where a file is made longer, in its place; where one is cut off, in an undo file of its own",
    ];
    Err(Declined::new(why, &hints).into())
}

/// Refuses to undo one change while another one is half done.
pub(super) fn refuse_strays(path: &Path, strays: &[ImagePos]) -> anyhow::Result<()> {
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

/// Refuses one file or device for two targets, by whatever names.
pub(super) fn refuse_twice(paths: &[PathBuf]) -> anyhow::Result<()> {
    for (number, path) in paths.iter().enumerate() {
        let mut earlier = paths.iter().take(number);
        if let Some(one) = earlier.find(|one| is_same(one, path)) {
            let (path, one) = (path.display(), one.display());
            let why = format!(
                "{path}: is given for two targets{}, expected a file or device of its own for each",
                if path.to_string() == one.to_string() {
                    String::new()
                } else {
                    format!(" (it is {one} as well)")
                }
            );
            let hint =
                "`mdtool undo FILE --dry-run`, without --target, names the targets in their order";
            return Err(Declined::new(why, &[hint]).into());
        }
    }
    Ok(())
}

/// Refuses a target that nothing on it shows to be the right one, and that is another than the undo file names.
pub(super) fn refuse_elsewhere(
    undo: &UndoFile<ImageFile>,
    paths: &[PathBuf],
) -> anyhow::Result<()> {
    for (path, known) in paths.iter().zip(&undo.identity().targets) {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.clone());
        if absolute == known.path || is_same(path, &known.path) {
            continue;
        }
        let why = format!(
            "{}: nothing on it shows that it is the disk that was changed, and that was {}",
            path.display(),
            known.path.display()
        );
        let hint =
            "--force writes what was there to it all the same, where you know that it is that disk";
        return Err(Declined::new(why, &[hint]).into());
    }
    Ok(())
}
