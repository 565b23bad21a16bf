//! What a command changed, or would, and how that is taken back.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::Streams;
use crate::cli::output::explain::shell_word;
use crate::transaction::Summary;
use crate::units::{Bytes, ImagePos};

/// How a change ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
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

/// Says how a change is taken back: one undo file has all of its files.
pub(crate) fn tell_how_to_undo(changes: &[Change], out: &mut Streams<'_>) {
    let undo = changes.iter().find_map(|change| change.undo.as_ref());
    if let Some(undo) = undo {
        out.tell(format_args!("hint: {}", how_to_undo(undo, "")));
    }
}

/// The command that takes a change back, with these options.
pub(crate) fn how_to_undo(undo: &Path, options: &str) -> String {
    format!("mdtool undo {}{options} puts it back", shell_word(undo))
}
