//! A file that appears under its name only when it is whole.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags};
use rustix::io::Errno;

use super::ImageFile;
use crate::error::{FileKind, IoError, IoOp, Refused, Result};

/// A new file, written front to back: under a temporary name beside its own until [`Self::finish`], gone where that is never reached.
///
/// A path that leads to a pipe or a character device (`/dev/stdout`) is written as it is.
#[derive(Debug)]
pub struct NewFile {
    file: OwnedFd,
    /// The temporary name, while it stands, and the name it will get.
    unfinished: Option<(PathBuf, PathBuf)>,
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

    /// Begins it under a temporary name.
    fn begin(path: &Path, mode: Mode) -> Result<Self> {
        let temporary = temporary_name(path);
        // What is written can be read back: an undo file is, before anything depends on it.
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
        let file = rustix::fs::open(&temporary, flags, mode)
            .map_err(|error| IoError::whole(IoOp::Create, error.into()))?;
        Ok(Self {
            file,
            unfinished: Some((temporary, path.to_owned())),
        })
    }

    /// Makes what was written durable and gives the file its name.
    ///
    /// # Errors
    ///
    /// [`Refused::Exists`] where the name was taken meanwhile; [`IoError`] where the system refuses. The file is gone then.
    pub fn finish(mut self) -> Result<()> {
        let Some((temporary, path)) = self.unfinished.as_mut() else {
            return Ok(());
        };
        let refused = |op| move |error: Errno| IoError::whole(op, error.into());
        rustix::fs::fsync(&self.file).map_err(refused(IoOp::Sync))?;
        match rustix::fs::renameat_with(CWD, &*temporary, CWD, &*path, RenameFlags::NOREPLACE) {
            Ok(()) => {}
            Err(Errno::EXIST) => return Err(Refused::Exists.into()),
            // A file system that cannot rename so can still link so.
            Err(Errno::INVAL | Errno::NOSYS) => {
                rustix::fs::linkat(CWD, &*temporary, CWD, &*path, AtFlags::empty())
                    .map_err(refused(IoOp::Create))?;
                rustix::fs::unlink(&*temporary).map_err(refused(IoOp::Create))?;
            }
            Err(error) => return Err(refused(IoOp::Create)(error).into()),
        }
        // Where that name cannot be promised, it goes again.
        temporary.clone_from(path);
        sync_directory(path)?;
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

/// Makes a new name in its directory durable.
pub(super) fn sync_directory(path: &Path) -> Result<()> {
    let directory = match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    };
    let refused = |error: Errno| IoError::whole(IoOp::Sync, error.into());
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::open(directory, flags, Mode::empty()).map_err(refused)?;
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
        if let Some((temporary, _)) = &self.unfinished {
            // Nothing is left to do where even this fails.
            let _ = rustix::fs::unlink(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::error::Error;
    use crate::image::ReadAt;
    use crate::units::{Bytes, ImagePos};

    fn names(dir: &Path) -> Vec<OsString> {
        std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect()
    }

    #[test]
    fn a_file_appears_only_when_it_is_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dump.md");
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"whole").unwrap();
        assert!(!path.exists());
        file.finish().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "whole");
        assert_eq!(names(dir.path()), ["dump.md"]);
    }

    #[test]
    fn a_finished_file_can_be_read_and_a_device_cannot() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("undo");
        let mut file = NewFile::create(&path).unwrap();
        file.write_all(b"whole").unwrap();
        let read = file.finish_to_read().unwrap();
        let mut found = [0; 5];
        read.read_exact_at(ImagePos::START, &mut found).unwrap();
        assert_eq!((&found, read.size()), (b"whole", Bytes::new(5)));
        assert!(path.exists());

        let device = NewFile::create(Path::new("/dev/null")).unwrap();
        let found = FileKind::CharacterDevice;
        assert!(matches!(
            device.finish_to_read(),
            Err(Error::Refused(refused)) if refused == Refused::FileKind { found }
        ));
    }

    #[test]
    fn a_private_file_is_its_owner_s_only_from_the_first_byte() {
        let dir = tempfile::tempdir().unwrap();
        let mode = |name: &OsString| {
            let found = std::fs::metadata(dir.path().join(name)).unwrap();
            found.permissions().mode() & 0o777
        };
        let file = NewFile::create_private(&dir.path().join("undo")).unwrap();
        let [temporary] = names(dir.path()).try_into().unwrap();
        assert_eq!(mode(&temporary), 0o600);
        file.finish().unwrap();
        assert_eq!(mode(&"undo".into()), 0o600);
    }

    #[test]
    fn a_private_file_is_no_stream() {
        let dir = tempfile::tempdir().unwrap();
        let fifo = dir.path().join("fifo");
        let kind = FileType::Fifo;
        rustix::fs::mknodat(CWD, &fifo, kind, Mode::from_raw_mode(0o666), 0).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&fifo, &link).unwrap();
        for (path, found) in [
            (fifo.as_path(), FileKind::Fifo),
            (&link, FileKind::Fifo),
            (Path::new("/dev/null"), FileKind::CharacterDevice),
        ] {
            assert!(matches!(
                NewFile::create_private(path),
                Err(Error::Refused(refused)) if refused == Refused::NotNew { found }
            ));
        }
        assert_eq!(names(dir.path()).len(), 2);
    }

    #[test]
    fn a_link_that_leads_nowhere_is_a_name_that_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("undo");
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        for answer in [NewFile::create(&path), NewFile::create_private(&path)] {
            assert!(matches!(answer, Err(Error::Refused(Refused::Exists))));
        }
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = NewFile::create(&dir.path().join("dump.md")).unwrap();
        file.write_all(b"half").unwrap();
        assert_eq!(
            names(dir.path()).len(),
            1,
            "it is there while it is written"
        );
        drop(file);
        assert!(names(dir.path()).is_empty());
    }

    #[test]
    fn a_file_that_exists_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("dump.md");
        let late = NewFile::create(&path).unwrap();
        NewFile::create(&path).unwrap_err();
        drop(late);
        let late = NewFile::create(&path).unwrap();
        std::os::unix::fs::symlink("nowhere", &path).unwrap();
        assert!(matches!(
            late.finish(),
            Err(Error::Refused(Refused::Exists))
        ));
        assert_eq!(names(dir.path()), ["dump.md"]);
        let image = dir.path().join("image.raw");
        NewFile::create(&image).unwrap().finish().unwrap();
        assert!(matches!(
            NewFile::create(&image),
            Err(Error::Refused(Refused::Exists))
        ));
    }
}
