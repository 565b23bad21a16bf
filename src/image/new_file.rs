//! A file that appears under its name only when it is whole.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::ImageFile;
use crate::error::{FileKind, IoError, IoOp, Refused, Result};

/// A new file, written front to back: without a name until [`Self::finish`], gone where that is never reached.
///
/// Where the file system has no files without a name, it has a temporary one beside its own; only then does a kill leave something behind.
///
/// A path that leads to a pipe or a character device (`/dev/stdout`) is written as it is.
#[derive(Debug)]
pub struct NewFile {
    file: OwnedFd,
    /// The name it will get, and what it is called until then; `None` where it is written as it is, or done.
    unfinished: Option<Unfinished>,
}

/// A file without its name.
#[derive(Debug)]
struct Unfinished {
    path: PathBuf,
    /// The name that goes where it never gets its own.
    temporary: Option<PathBuf>,
}

impl NewFile {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// [`Refused::Exists`] where the name is taken; [`IoError`] where the system refuses.
    pub fn create(path: &Path) -> Result<Self> {
        let refused = |error: Errno| IoError::whole(IoOp::Create, error.into());
        if stream_at(path)?.is_some() {
            let flags = OFlags::WRONLY | OFlags::CLOEXEC;
            let file = rustix::fs::open(path, flags, Mode::empty()).map_err(refused)?;
            return Ok(Self {
                file,
                unfinished: None,
            });
        }
        // What a shell's redirection gives: the umask takes its part.
        Self::begin(path, Mode::from_raw_mode(0o666))
    }

    /// Begins a file that nobody else may read, as it holds what was on a disk, and that will be read back: a pipe and a device, which
    /// cannot be, are refused before they are opened.
    ///
    /// # Errors
    ///
    /// As [`Self::create`]; [`Refused::NotNew`] where the path leads to a pipe or a character device.
    pub fn create_private(path: &Path) -> Result<Self> {
        match stream_at(path)? {
            Some(found) => Err(Refused::NotNew { found }.into()),
            None => Self::begin(path, Mode::RUSR | Mode::WUSR),
        }
    }

    /// Begins it without a name, or under a temporary one where it must have one.
    fn begin(path: &Path, mode: Mode) -> Result<Self> {
        refuse_among_devices(path)?;
        let path = path.to_owned();
        if let Some(file) = nameless(&path, mode) {
            let temporary = None;
            let unfinished = Some(Unfinished { path, temporary });
            return Ok(Self { file, unfinished });
        }
        Self::begin_named(path, mode)
    }

    /// Begins it under a temporary name.
    fn begin_named(path: PathBuf, mode: Mode) -> Result<Self> {
        let temporary = temporary_name(&path);
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::CREATE | OFlags::EXCL;
        let file = rustix::fs::open(&temporary, flags, mode)
            .map_err(|error| IoError::whole(IoOp::Create, error.into()))?;
        let temporary = Some(temporary);
        let unfinished = Some(Unfinished { path, temporary });
        Ok(Self { file, unfinished })
    }

    /// What removes the file again once it has its name.
    ///
    /// # Errors
    ///
    /// [`IoError`] where the system has no more file descriptors.
    pub fn removal(&self) -> Result<Removal> {
        let file = self.file.try_clone();
        let file = file.map_err(|error| IoError::whole(IoOp::Open, error))?;
        Ok(Removal { file })
    }

    /// Makes what was written durable and gives the file its name.
    ///
    /// # Errors
    ///
    /// [`Refused::Exists`] where the name was taken meanwhile; [`IoError`] where the system refuses. The file is gone then.
    pub fn finish(mut self) -> Result<()> {
        let Some(unfinished) = self.unfinished.as_mut() else {
            return Ok(());
        };
        let refused = |error: Errno| IoError::whole(IoOp::Sync, error.into());
        rustix::fs::fsync(&self.file).map_err(refused)?;
        match &unfinished.temporary {
            None => name(&self.file, &unfinished.path)?,
            Some(temporary) => rename(temporary, &unfinished.path)?,
        }
        // Where that name cannot be promised, it goes again.
        unfinished.temporary = Some(unfinished.path.clone());
        sync_directory(&unfinished.path)?;
        self.unfinished = None;
        Ok(())
    }

    /// [`Self::finish`], and what was written, to be read.
    ///
    /// # Errors
    ///
    /// As [`Self::finish`]; [`Refused::FileKind`] where this is a pipe or a character device, from which nothing can be read back.
    pub fn finish_to_read(self) -> Result<ImageFile> {
        if self.unfinished.is_none() {
            let stat = rustix::fs::fstat(&self.file)
                .map_err(|error| IoError::whole(IoOp::Open, error.into()))?;
            let found = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Fifo => FileKind::Fifo,
                _ => FileKind::CharacterDevice,
            };
            return Err(Refused::FileKind { found }.into());
        }
        let file = self
            .file
            .try_clone()
            .map_err(|error| IoError::whole(IoOp::Open, error))?;
        self.finish()?;
        ImageFile::of(file.into())
    }
}

/// A file that may turn out to be needed by nobody.
#[derive(Debug)]
pub struct Removal {
    file: OwnedFd,
}

impl Removal {
    /// Removes the file, where `path` is its name: another of that name stays.
    pub fn remove(self, path: &Path) {
        let ours = rustix::fs::fstat(&self.file);
        let named = rustix::fs::lstat(path);
        let same = |one: &rustix::fs::Stat, other: &rustix::fs::Stat| {
            (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino)
        };
        if let (Ok(ours), Ok(named)) = (ours, named)
            && same(&ours, &named)
            && rustix::fs::unlink(path).is_ok()
        {
            // Where the name comes back, what it leads to is whole and says that there is nothing to do.
            let _ = sync_directory(path);
        }
    }
}

/// Makes a directory where there is none of that name.
///
/// # Errors
///
/// [`IoError`] where the system refuses.
pub fn create_directory(path: &Path) -> Result<()> {
    match rustix::fs::mkdir(path, Mode::from_raw_mode(0o777)) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(error) => Err(IoError::whole(IoOp::Create, error.into()).into()),
    }
}

/// What kind of stream a path leads to, where it leads to one that can be written but not read back; `None` where there is nothing at all.
fn stream_at(path: &Path) -> Result<Option<FileKind>> {
    let kind = |stat: rustix::fs::Stat| FileType::from_raw_mode(stat.st_mode);
    match rustix::fs::stat(path).map(kind) {
        Ok(FileType::Fifo) => Ok(Some(FileKind::Fifo)),
        Ok(FileType::CharacterDevice) => Ok(Some(FileKind::CharacterDevice)),
        Ok(_) => Err(Refused::Exists.into()),
        // A symbolic link that leads nowhere is a name that is taken.
        Err(Errno::NOENT) if rustix::fs::lstat(path).is_ok() => Err(Refused::Exists.into()),
        Err(Errno::NOENT) => Ok(None),
        Err(error) => Err(IoError::whole(IoOp::Create, error.into()).into()),
    }
}

/// A file without a name in the directory of `path`, where the file system has such. A kill leaves nothing of it behind.
pub(super) fn nameless(path: &Path, mode: Mode) -> Option<OwnedFd> {
    // What is written can be read back: an undo file is, before anything depends on it.
    let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::TMPFILE;
    let file = rustix::fs::open(directory_of(path), flags, mode).ok()?;
    // It gets a name by way of /proc, which need not be there.
    rustix::fs::stat(open_file(&file)).ok().map(|_| file)
}

/// Gives a file without a name the name `to`, which nothing has yet.
///
/// # Errors
///
/// [`Refused::Exists`] where something has it.
pub(super) fn name(file: &OwnedFd, to: &Path) -> Result<()> {
    link(&open_file(file), to)
}

/// Gives what `from` leads to the name `to`, which nothing has yet.
fn link(from: &Path, to: &Path) -> Result<()> {
    match rustix::fs::linkat(CWD, from, CWD, to, AtFlags::SYMLINK_FOLLOW) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(Refused::Exists.into()),
        Err(error) => Err(IoError::whole(IoOp::Create, error.into()).into()),
    }
}

/// The same for a file that has a name, which goes.
fn rename(from: &Path, to: &Path) -> Result<()> {
    let refused = |error: Errno| IoError::whole(IoOp::Create, error.into());
    match rustix::fs::renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(Errno::EXIST) => Err(Refused::Exists.into()),
        // A file system that cannot rename so can still link so.
        Err(Errno::INVAL | Errno::NOSYS) => {
            link(from, to)?;
            Ok(rustix::fs::unlink(from).map_err(refused)?)
        }
        Err(error) => Err(refused(error).into()),
    }
}

/// Where an open file that has no name can be named.
fn open_file(file: &OwnedFd) -> PathBuf {
    PathBuf::from(format!("/proc/self/fd/{}", file.as_raw_fd()))
}

/// Refuses to make a file where devices are: that is the name of a disk which is not there, and the file would be in memory.
///
/// # Errors
///
/// [`Refused::NoDevice`].
pub fn refuse_among_devices(path: &Path) -> Result<()> {
    let devices = Path::new("/dev");
    let directory = directory_of(path);
    let is_below = std::fs::canonicalize(directory).is_ok_and(|full| full.starts_with(devices));
    // Not what is mounted below it, as /dev/shm is.
    let system = |path: &Path| rustix::fs::stat(path).ok().map(|stat| stat.st_dev);
    if is_below && system(directory) == system(devices) {
        return Err(Refused::NoDevice.into());
    }
    Ok(())
}

/// The directory that a name is in.
fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// Makes a new name in its directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<()> {
    let refused = |error: Errno| IoError::whole(IoOp::Sync, error.into());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory_of(path), flags, Mode::empty()).map_err(refused)?;
    Ok(rustix::fs::fsync(directory).map_err(refused)?)
}

/// A name beside `path` that no one else uses.
fn temporary_name(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(
        ".{}.part",
        rustix::process::getpid().as_raw_nonzero()
    ));
    path.with_file_name(name)
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::retry_on_intr(|| {
            rustix::io::write(&self.file, bytes)
        })?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(temporary) = self
            .unfinished
            .as_ref()
            .and_then(|one| one.temporary.as_ref())
        {
            // Nothing is left to do where even this fails.
            let _ = rustix::fs::unlink(temporary);
        }
    }
}

#[cfg(test)]
mod tests;
