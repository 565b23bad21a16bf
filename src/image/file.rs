//! An image in a regular file or on a block device, opened to be read and never changed.

use std::io;
use std::ops::{ControlFlow, Range};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{Advice, FileType, Mode, OFlags, SeekFrom};
use rustix::io::Errno;

use super::cache::{CacheKeeper, drop_cached};
use super::{ReadAt, advanced, check_within, to_len, visit_by_reading};
use crate::error::{EditRefusal, FileKind, IoError, IoOp, Refused, Result};
use crate::units::{Bytes, ImagePos, MD_BLOCK};

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
    /// The stretch of data found last. Where its end is, the system may find out page by page: it is asked once, not for every piece.
    data: Mutex<Option<Range<ImagePos>>>,
}

/// Opens a file so that reading it leaves its access time, where the system lets us: only an owner may ask for that.
pub(super) fn open_untraced(path: &Path, flags: OFlags) -> std::result::Result<OwnedFd, Errno> {
    match rustix::fs::open(path, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => rustix::fs::open(path, flags, Mode::empty()),
        answer => answer,
    }
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
        let opened = open_untraced(path, flags);
        let image = Self::of(File::from(opened.map_err(refused)?))?;
        if image.kind()? == kind {
            Ok(image)
        } else {
            Err(refused(Errno::AGAIN).into())
        }
    }

    /// The same open file once more, with the size it has now.
    pub(super) fn again(&self) -> Result<Self> {
        let refused = |error| IoError::whole(IoOp::Open, error);
        Self::of(self.file.try_clone().map_err(refused)?)
    }

    /// What is open already, with the size it has now.
    pub(super) fn of(file: File) -> Result<Self> {
        let size = size_now(&file)?;
        Ok(Self {
            file,
            size,
            data: Mutex::default(),
        })
    }

    /// What is known of the stretch that has data at `from`; that it may have become a hole since changes nothing of what is read.
    fn known_data(&self, from: ImagePos) -> Option<Range<ImagePos>> {
        let known = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.as_ref().filter(|known| known.contains(&from));
        known.map(|known| from..known.end)
    }

    /// Refuses where it became longer or shorter since it was opened: nobody knows what is there, or was.
    pub(super) fn check_size(&self) -> Result<()> {
        let (found, expected) = (size_now(&self.file)?, self.size);
        if found == expected {
            Ok(())
        } else {
            Err(EditRefusal::Resized { found, expected }.into())
        }
    }

    /// Gives a regular file another size, where it has the one that is known: what somebody else appended is not cut off with the rest.
    pub(super) fn resize(&mut self, size: Bytes) -> Result<()> {
        self.check_size()?;
        let refused = |error: Errno| IoError::whole(IoOp::Resize, error.into());
        rustix::fs::ftruncate(&self.file, size.get()).map_err(refused)?;
        self.size = size_now(&self.file)?;
        self.data = Mutex::default();
        Ok(())
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

    /// Where data begins or ends at or after `at`; `None` where the file ends first or has no map of its holes.
    fn seek(&self, to: SeekFrom) -> Result<Seek> {
        let refused = |error: Errno| {
            let (SeekFrom::Data(from) | SeekFrom::Hole(from)) = to else {
                return IoError::whole(IoOp::Size, error.into());
            };
            let rest = self.size.saturating_sub(Bytes::new(from));
            IoError::at(IoOp::SeekData, ImagePos::new(from), rest, error.into())
        };
        match rustix::fs::seek(&self.file, to) {
            Ok(position) => Ok(Seek::At(ImagePos::new(position))),
            Err(Errno::NXIO) => Ok(Seek::End),
            // Block devices, and file systems without holes.
            Err(Errno::INVAL | Errno::OPNOTSUPP) => Ok(Seek::Unknown),
            Err(error) => Err(refused(error).into()),
        }
    }

    /// Where the first data at or after `from` begins; with no map of holes, all is data.
    pub(super) fn data_from(&self, from: ImagePos) -> Result<Option<ImagePos>> {
        let end = ImagePos::at(self.size);
        if from >= end {
            return Ok(None);
        }
        if self.known_data(from).is_some() {
            return Ok(Some(from));
        }
        match self.seek(SeekFrom::Data(from.get()))? {
            Seek::At(start) => Ok(Some(start).filter(|start| *start < end)),
            // What is gone is no hole.
            Seek::End => {
                self.check_reaches(IoOp::SeekData, from..end)?;
                Ok(None)
            }
            Seek::Unknown => Ok(Some(from)),
        }
    }

    /// An error where the file ends within `range` or before it by now.
    pub(super) fn check_reaches(&self, op: IoOp, range: Range<ImagePos>) -> Result<()> {
        let at = ImagePos::at(size_now(&self.file)?).max(range.start);
        match range.end.bytes_since(at) {
            None | Some(Bytes::ZERO) => Ok(()),
            Some(gone) => Err(IoError::at(op, at, gone, shrank()).into()),
        }
    }

    /// Asks the system to drop what it holds of `range` in its cache, and of what it reads next to hold no more than is asked for.
    ///
    /// Advice, no more: where it is not taken, the position of an error is that of a larger piece. No byte of the file changes by it.
    fn forget(&self, range: Range<ImagePos>) {
        let _ = rustix::fs::fadvise(&self.file, 0, None, Advice::Random);
        if let Some(len) = range.end.bytes_since(range.start) {
            drop_cached(self, range.start, len);
        }
    }

    /// Whether it is a block device, not a regular file.
    ///
    /// # Errors
    ///
    /// [`IoError`] where the system refuses to say.
    pub fn is_block_device(&self) -> Result<bool> {
        rustix::fs::fstat(&self.file)
            .map(|found| FileType::from_raw_mode(found.st_mode) == FileType::BlockDevice)
            .map_err(|error| IoError::whole(IoOp::Open, error.into()).into())
    }

    /// The open file, to be mapped.
    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
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
        let end = advanced(at, Bytes::of_len(buf.len()));
        let read = |at: ImagePos, piece: &mut [u8]| self.file.read_at(piece, at.get());
        fill(at, buf, read)
            .or_else(|stop| {
                // What the system cached of a bad place, it fails as a whole; anew and in blocks it gives all but the bad ones.
                self.forget(stop.at..end);
                let done = stop.at.bytes_since(at).map_or(0, to_len);
                fill_in_blocks(stop.at, buf.split_at_mut(done).1, read)
            })
            .map_err(|stop| {
                let rest = end.saturating_since(stop.at);
                IoError::at(IoOp::Read, stop.at, rest, stop.error).into()
            })
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        if let Some(known) = self.known_data(from) {
            return Ok(Some(known));
        }
        let Some(start) = self.data_from(from)? else {
            return Ok(None);
        };
        let end = ImagePos::at(self.size);
        let data = match self.seek(SeekFrom::Hole(start.get()))? {
            Seek::At(hole) if hole > start => start..hole.min(end),
            // No map of holes, or a file that changed between the two questions: what is no hole is data.
            _ => start..end,
        };
        let mut known = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        *known = Some(data.clone());
        Ok(Some(data))
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut keeper = CacheKeeper::new(self, &range);
        visit_by_reading(self, range, &mut |at, piece| {
            let flow = visit(at, piece);
            keeper.seen(at, Bytes::of_len(piece.len()));
            flow
        })
    }
}

/// Where reading stopped, and why.
#[derive(Debug)]
struct Stop {
    at: ImagePos,
    error: io::Error,
}

/// Fills `buf` by as many calls of `read` as it takes.
fn fill(
    mut at: ImagePos,
    buf: &mut [u8],
    mut read: impl FnMut(ImagePos, &mut [u8]) -> io::Result<usize>,
) -> Result<(), Stop> {
    let mut rest = buf;
    while !rest.is_empty() {
        let error = match read(at, rest) {
            Ok(count) if count > 0 => {
                at = advanced(at, Bytes::of_len(count));
                rest = rest.split_at_mut(count).1;
                continue;
            }
            Ok(_) => shrank(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => error,
        };
        return Err(Stop { at, error });
    }
    Ok(())
}

/// [`fill`] block by block, so that it stops at the first block that cannot be read.
fn fill_in_blocks(
    mut at: ImagePos,
    buf: &mut [u8],
    mut read: impl FnMut(ImagePos, &mut [u8]) -> io::Result<usize>,
) -> Result<(), Stop> {
    let mut rest = buf;
    while !rest.is_empty() {
        let len = Bytes::of_len(rest.len()).min(up_to_block(at));
        let (block, later) = rest.split_at_mut(to_len(len));
        fill(at, block, &mut read)?;
        at = advanced(at, len);
        rest = later;
    }
    Ok(())
}

/// How far it is from `at` to the next block.
fn up_to_block(at: ImagePos) -> Bytes {
    let start = at.from_start();
    MD_BLOCK.saturating_sub(start.saturating_sub(start.align_down(MD_BLOCK)))
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

#[cfg(test)]
mod tests;
