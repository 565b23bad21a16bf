//! Which file an error is about, and what to do about what was written before it came.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Error, IoOp, StoppedAt};

/// The file that an error is about, and what to do about what was written.
#[derive(Debug)]
pub(crate) struct Blamed {
    path: PathBuf,
    pub(crate) hints: Vec<String>,
}

impl Blamed {
    pub(crate) fn new(path: &Path, hints: Vec<String>) -> Self {
        let path = path.to_owned();
        Self { path, hints }
    }
}

impl fmt::Display for Blamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

/// What a change stopped at, where the error says so.
pub(crate) const fn stopped_at(error: &Error) -> Option<StoppedAt> {
    match error {
        Error::Edit(edit) => edit.at,
        _ => None,
    }
}

/// Names the file that an error comes from: `target`, or the dump where what is wrong is wrong there.
pub(crate) fn blame(
    error: Error,
    target: &Path,
    dump: Option<&Path>,
    hints: Vec<String>,
) -> anyhow::Error {
    let error = anyhow::Error::from(error);
    let of_dump = error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<Error>())
        .any(|cause| match cause {
            Error::Syntax(_) => true,
            Error::Io(io) => io.op == IoOp::ReadDump,
            _ => false,
        });
    let path = dump.filter(|_| of_dump).unwrap_or(target);
    error.context(Blamed {
        path: path.to_owned(),
        hints,
    })
}

/// Whether a sync failed: then nobody knows what the disk holds.
pub(crate) fn after_sync(error: &Error) -> bool {
    let mut source: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(one) = source {
        if matches!(one.downcast_ref::<Error>(), Some(Error::Io(io)) if io.op == IoOp::Sync) {
            return true;
        }
        source = one.source();
    }
    false
}
