//! A small file that is written anew as a whole, and is never half of one.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::open_source;
use crate::error::{Error, IoError, IoOp, Result};
use crate::units::Bytes;

/// Puts `bytes` into the file of this name, durably: it holds them, or what it held before.
///
/// # Errors
///
/// [`IoError`] where the system refuses.
pub fn replace(path: &Path, bytes: &[u8]) -> Result<()> {
    let temporary = beside(path);
    let written = write(&temporary, bytes).and_then(|()| {
        let renamed = rustix::fs::renameat(CWD, &temporary, CWD, path);
        Ok(renamed.map_err(|error| IoError::whole(IoOp::Create, error.into()))?)
    });
    if written.is_err() {
        // What failed says more than that this does, too.
        let _ = rustix::fs::unlink(&temporary);
    }
    written.and_then(|()| sync_directory(path))
}

/// Writes a file anew, durably but for its name.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let refused = |op| move |error: Errno| IoError::whole(op, error.into());
    let flags =
        OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o666));
    let file = file.map_err(refused(IoOp::Create))?;
    let mut rest = bytes;
    while !rest.is_empty() {
        match rustix::io::write(&file, rest) {
            Ok(count) => rest = rest.split_at(count).1,
            Err(Errno::INTR) => {}
            Err(error) => return Err(refused(IoOp::Write)(error).into()),
        }
    }
    Ok(rustix::fs::fsync(&file).map_err(refused(IoOp::Sync))?)
}

/// Whether [`replace`] and [`remove`] take nothing that is somebody else's: there is nothing of this name, or a regular file that is empty or
/// begins with `mark`.
///
/// # Errors
///
/// [`IoError`] where the system refuses.
pub fn is_own(path: &Path, mark: &[u8]) -> Result<bool> {
    match rustix::fs::lstat(path) {
        Err(Errno::NOENT) => Ok(true),
        Err(error) => Err(IoError::whole(IoOp::Open, error.into()).into()),
        Ok(stat) if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile => Ok(false),
        Ok(_) => {
            let found = read(path, Bytes::of_len(mark.len()))?.unwrap_or_default();
            Ok(found.is_empty() || found.starts_with(mark))
        }
    }
}

/// Removes a file, durably; that there is none is no error.
///
/// # Errors
///
/// [`IoError`] where the system refuses.
pub fn remove(path: &Path) -> Result<()> {
    match rustix::fs::unlink(path) {
        Ok(()) => sync_directory(path),
        Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(IoError::whole(IoOp::Remove, error.into()).into()),
    }
}

/// What a file holds, `most` bytes of it and one more at most; a pipe is read to its end. `None` where there is none.
///
/// # Errors
///
/// [`IoError`] where the system refuses.
pub fn read(path: &Path, most: Bytes) -> Result<Option<Vec<u8>>> {
    let source = match open_source(path) {
        Err(Error::Io(error)) if error.source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(None);
        }
        opened => opened?,
    };
    let mut bytes = Vec::new();
    let read = source
        .take(most.get().saturating_add(1))
        .read_to_end(&mut bytes);
    read.map_err(|error| IoError::whole(IoOp::Read, error))?;
    Ok(Some(bytes))
}

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path.file_name().unwrap_or_default());
    name.push(".mdtool-new");
    path.with_file_name(name)
}

/// Makes the name of a file durable, too.
fn sync_directory(path: &Path) -> Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let opened = rustix::fs::open(directory, flags, Mode::empty());
    let synced = opened.and_then(rustix::fs::fsync);
    match synced {
        // Some file systems have no such thing.
        Ok(()) | Err(Errno::INVAL) => Ok(()),
        Err(error) => Err(IoError::whole(IoOp::Sync, error.into()).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_all_of_the_old_or_all_of_the_new() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        let most = Bytes::new(100);
        assert_eq!(read(&path, most).unwrap(), None);
        remove(&path).unwrap();
        replace(&path, b"one").unwrap();
        replace(&path, b"second").unwrap();
        assert_eq!(read(&path, most).unwrap().unwrap(), b"second");
        assert_eq!(read(&path, Bytes::new(2)).unwrap().unwrap(), b"sec");
        let names = std::fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(names, 1);
        remove(&path).unwrap();
        assert_eq!(read(&path, most).unwrap(), None);
        replace(&dir.path().join("no/where"), b"x").unwrap_err();
        replace(dir.path(), b"x").unwrap_err();
        let beside = dir.path().with_extension("mdtool-new");
        assert!(!beside.exists(), "nothing is left of what failed");
    }

    #[test]
    fn what_is_somebody_else_s_is_known() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("state");
        assert!(is_own(&path, b"mark").unwrap());
        for (content, own) in [
            (&b""[..], true),
            (b"mark 1", true),
            (b"mar", false),
            (b"other", false),
        ] {
            replace(&path, content).unwrap();
            assert_eq!(is_own(&path, b"mark").unwrap(), own, "{content:?}");
        }
        replace(&path, b"mark").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        for other in [dir.path(), Path::new("/dev/null"), &link] {
            assert!(!is_own(other, b"mark").unwrap(), "{}", other.display());
        }
    }
}
