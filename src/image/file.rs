//! An image in a regular file or on a block device, opened to be read and never changed.

use std::io;
use std::ops::{ControlFlow, Range};
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use super::{ReadAt, advanced, check_within, visit_by_reading};
use crate::error::{FileKind, IoError, IoOp, Refused, Result};
use crate::units::{Bytes, ImagePos, MD_BLOCK, SECTOR_SIZE};

#[expect(
    clippy::disallowed_types,
    reason = "the one place where images are opened to be read"
)]
type File = std::fs::File;

/// A regular file or a block device, read by position.
///
/// Nothing of it changes: it is opened read-only, and where the system lets us (the file is ours, or we are root) even its access time
/// stays.
#[derive(Debug)]
pub struct ImageFile {
    file: File,
    size: Bytes,
}

impl ImageFile {
    /// Opens a regular file or a block device for reading; symbolic links are followed.
    ///
    /// # Errors
    ///
    /// [`IoError`] where the system refuses; [`Refused::FileKind`] for a directory, a pipe, a socket and a character device, which are not
    /// opened at all: opening alone may wait for a writer or rewind a tape.
    pub fn open(path: &Path) -> Result<Self> {
        Self::open_as(path, |_| OFlags::RDONLY)
    }

    /// Opens what `path` leads to with the access that its kind asks for.
    pub(super) fn open_as(path: &Path, access: impl Fn(FileType) -> OFlags) -> Result<Self> {
        let refused = |error: Errno| IoError::whole(IoOp::Open, error.into());
        let kind = check_kind(rustix::fs::stat(path).map_err(refused)?.st_mode)?;
        // NONBLOCK changes nothing for what we accept; without it we would wait for ever where a pipe took the file's place just now.
        let flags = access(kind) | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
        let opened = match rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty()) {
            Err(Errno::PERM) => rustix::fs::open(path, flags, Mode::empty()),
            answer => answer,
        };
        let image = Self::of(File::from(opened.map_err(refused)?))?;
        if image.kind()? == kind {
            Ok(image)
        } else {
            Err(refused(Errno::AGAIN).into())
        }
    }

    /// What is open already, with the size it has now.
    pub(super) fn of(file: File) -> Result<Self> {
        let size = size_now(&file)?;
        Ok(Self { file, size })
    }

    /// The open file itself.
    pub(super) const fn file(&self) -> &File {
        &self.file
    }

    /// Whether this is a regular file or a block device; anything else is refused.
    pub(super) fn kind(&self) -> Result<FileType> {
        let refused = |error: Errno| IoError::whole(IoOp::Open, error.into());
        let stat = rustix::fs::fstat(&self.file).map_err(refused)?;
        Ok(check_kind(stat.st_mode)?)
    }

    /// Reads once at `at`, which lies inside; answers how much came.
    fn read_some(&self, at: ImagePos, buf: &mut [u8]) -> io::Result<Bytes> {
        loop {
            match self.file.read_at(buf, at.get()) {
                Ok(0) => return Err(shrank()),
                Ok(count) => return Ok(Bytes::of_len(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Where data begins or ends at or after `at`; `None` where the file ends first or has no map of its holes.
    fn seek(&self, to: SeekFrom) -> Result<Seek> {
        match rustix::fs::seek(&self.file, to) {
            Ok(position) => Ok(Seek::At(ImagePos::new(position))),
            Err(Errno::NXIO) => Ok(Seek::End),
            // Block devices, and file systems without holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Seek::Unknown),
            Err(error) => Err(IoError::whole(IoOp::SeekData, error.into()).into()),
        }
    }

    /// An error where the file ends before its recorded size: its holes are no longer ours to tell.
    fn check_not_shrunk(&self) -> Result<()> {
        let now = size_now(&self.file)?;
        if now < self.size {
            let gone = self.size.saturating_sub(now);
            return Err(IoError::at(IoOp::SeekData, ImagePos::at(now), gone, shrank()).into());
        }
        Ok(())
    }
}

/// The system's answer to a question about data and holes.
enum Seek {
    At(ImagePos),
    End,
    Unknown,
}

impl ReadAt for ImageFile {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        check_within(IoOp::Read, at, Bytes::of_len(buf.len()), self.size)?;
        let (mut at, mut rest) = (at, buf);
        // After an error smaller steps find how far the readable part goes: the page cache fails whole pages, disks fail sectors.
        let mut steps = [MD_BLOCK, SECTOR_SIZE].into_iter();
        let mut step = Bytes::of_len(rest.len());
        while !rest.is_empty() {
            let len = Bytes::of_len(rest.len());
            let piece = super::to_len(step.min(len));
            let (now, _) = rest.split_at_mut(piece);
            match self.read_some(at, now) {
                Ok(count) => {
                    at = advanced(at, count);
                    rest = rest.split_at_mut(super::to_len(count)).1;
                }
                Err(error) => match steps.find(|smaller| *smaller < step) {
                    Some(smaller) => step = smaller,
                    None => return Err(IoError::at(IoOp::Read, at, len, error).into()),
                },
            }
        }
        Ok(())
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        let end = ImagePos::at(self.size);
        if from >= end {
            return Ok(None);
        }
        let start = match self.seek(SeekFrom::Data(from.get()))? {
            Seek::At(start) if start < end => start,
            Seek::At(_) => return Ok(None),
            Seek::End => return self.check_not_shrunk().map(|()| None),
            Seek::Unknown => return Ok(Some(from..end)),
        };
        Ok(match self.seek(SeekFrom::Hole(start.get()))? {
            Seek::At(hole) if hole > start => Some(start..hole.min(end)),
            // The file changed between the two questions; what is no hole is data.
            _ => Some(start..end),
        })
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        visit_by_reading(self, range, visit)
    }
}

/// The size as it is now.
///
/// The end that `lseek` finds is `st_size` of a regular file and what `BLKGETSIZE64` answers of a block device, whose `st_size` is 0.
fn size_now(file: &File) -> Result<Bytes> {
    rustix::fs::seek(file, SeekFrom::End(0))
        .map(Bytes::new)
        .map_err(|error| IoError::whole(IoOp::Size, error.into()).into())
}

/// The answer where the file ends before the size it had.
fn shrank() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "the image shrank while being read",
    )
}

/// Refuses what has no bytes at positions.
fn check_kind(mode: rustix::fs::RawMode) -> Result<FileType, Refused> {
    let found = match FileType::from_raw_mode(mode) {
        kind @ (FileType::RegularFile | FileType::BlockDevice) => return Ok(kind),
        FileType::Directory => FileKind::Directory,
        FileType::Fifo => FileKind::Fifo,
        FileType::Socket => FileKind::Socket,
        FileType::CharacterDevice => FileKind::CharacterDevice,
        FileType::Symlink | FileType::Unknown => FileKind::Unknown,
    };
    Err(Refused::FileKind { found })
}
