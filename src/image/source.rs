//! Text that is read front to back: a file, a pipe, standard input.

use std::io::Read;
use std::path::Path;

use rustix::fs::{FileType, OFlags};

use super::file::open_untraced;
use crate::error::{FileKind, IoError, IoOp, Refused, Result};
use crate::units::Bytes;

#[expect(
    clippy::disallowed_types,
    reason = "the one place where texts are opened to be read"
)]
type File = std::fs::File;

/// Opens what `path` leads to for reading front to back; `-` is standard input.
///
/// # Errors
///
/// [`IoError`] where the system refuses; [`Refused::FileKind`] for a directory.
pub fn open_source(path: &Path) -> Result<Box<dyn Read>> {
    if path == Path::new("-") {
        return Ok(Box::new(std::io::stdin()));
    }
    let refused = |error: rustix::io::Errno| IoError::whole(IoOp::Open, error.into());
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = open_untraced(path, flags).map_err(refused)?;
    let mode = rustix::fs::fstat(&file).map_err(refused)?.st_mode;
    if FileType::from_raw_mode(mode) == FileType::Directory {
        let found = FileKind::Directory;
        return Err(Refused::FileKind { found }.into());
    }
    Ok(Box::new(File::from(file)))
}

/// How long the text that [`open_source`] opens is, where it is a regular file.
#[must_use]
pub fn source_size(path: &Path) -> Option<Bytes> {
    let stat = rustix::fs::stat(path).ok()?;
    let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
    let size = u64::try_from(stat.st_size).ok().filter(|_| regular)?;
    Some(Bytes::new(size))
}

/// Whether a path names something, if only a link that leads nowhere.
#[must_use]
pub fn is_there(path: &Path) -> bool {
    rustix::fs::lstat(path).is_ok()
}

/// Whether what a path leads to can be read once only: a pipe.
#[must_use]
pub fn is_pipe(path: &Path) -> bool {
    rustix::fs::stat(path).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Fifo)
}

/// Whether a path names a regular file; whatever cannot be asked is none.
#[must_use]
pub fn is_regular_file(path: &Path) -> bool {
    source_size(path).is_some()
}
