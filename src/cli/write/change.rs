//! What a command changed, or would, and how that is taken back.

use std::path::{Path, PathBuf};

use crate::cli::Streams;
use crate::transaction::Summary;
use crate::units::{Bytes, ImagePos};

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

/// The command that takes a change back.
pub(crate) fn how_to_undo(undo: &Path) -> String {
    format!("mdtool undo {} puts it back", undo.display())
}
