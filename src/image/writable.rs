//! An image in a regular file or on a block device, opened to be written.

use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::os::unix::fs::FileExt;
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use super::new_file::{name, nameless, refuse_among_devices, sync_directory};
use super::room::{Reserved, RoomNeeded};
use super::{ImageFile, ReadAt, WriteAt, advanced, check_within, in_use, reads_as, room};
use crate::error::{EditRefusal, Error, IoError, IoOp, Refused, Result};
use crate::units::{Bytes, ImagePos};

/// A regular file or a block device, read and written by position, and never beyond the size it had when it was opened.
///
/// While it is open nobody else gets in who asks: a regular file is locked as other mdtools do (`flock`), a block device is opened
/// exclusively, as mounting it, attaching it to DRBD and other claims do, and both are locked as QEMU locks images. Who has it already is
/// found out by all of that and by more: the one place for it is this type.
#[derive(Debug)]
pub struct WritableFile {
    image: ImageFile,
    reserved: Reserved,
}

impl WritableFile {
    /// Makes a sparse file of `size`, all of it a hole, where nothing of that name exists.
    ///
    /// # Errors
    ///
    /// [`IoError`] where the system refuses, `AlreadyExists` among it; a dangling symbolic link exists too; `FileTooLarge` where the
    /// file system cannot hold `size`. No file is left then.
    pub fn create_new(path: &Path, size: Bytes) -> Result<Self> {
        refuse_among_devices(path)?;
        let refused = |error: Errno| IoError::whole(IoOp::Create, why_not_made(path, error));
        // What a shell's redirection gives: the umask takes its part.
        let mode = Mode::from_raw_mode(0o666);
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        // Whoever sees it sees it with its size: a kill leaves no file that is too small for what it is named for.
        if let Some(file) = nameless(path, mode) {
            rustix::fs::ftruncate(&file, size.get()).map_err(refused)?;
            name(&file, path).map_err(|error| match error {
                Error::Refused(Refused::Exists) => refused(Errno::EXIST).into(),
                other => other,
            })?;
        } else {
            let flags = flags | OFlags::CREATE | OFlags::EXCL;
            let file = rustix::fs::open(path, flags, mode).map_err(refused)?;
            if let Err(error) = rustix::fs::ftruncate(&file, size.get()) {
                // The name is ours, and nothing is behind it.
                let _ = rustix::fs::unlink(path);
                return Err(refused(error).into());
            }
        }
        let file = rustix::fs::open(path, flags | OFlags::NOFOLLOW, mode).map_err(refused)?;
        // What is written to it may be the only copy of something: that has a name from the start.
        if let Err(error) = sync_directory(path) {
            // The name is ours, and nothing is behind it.
            let _ = rustix::fs::unlink(path);
            return Err(error);
        }
        Self::locked(ImageFile::of(file.into())?)
    }

    /// Opens a regular file or a block device for reading and writing; symbolic links are followed.
    ///
    /// # Errors
    ///
    /// As [`ImageFile::open`]; [`InUse`](super::InUse) where somebody else uses it, or something that has bytes in common with it; [`IoError`]
    /// where another of our kind holds a regular file locked (`EWOULDBLOCK`), and where a block device is read-only (`EROFS`), which the
    /// system says only when it is written to.
    pub fn open(path: &Path) -> Result<Self> {
        let image = in_use::open(path, OFlags::RDWR)?;
        refuse_read_only(&image)?;
        // Locked first: who comes after that sees us, and who came before is seen.
        let target = Self::locked(image)?;
        in_use::refuse(&target.image)?;
        Ok(target)
    }

    /// Finds out whether [`Self::open`] would open it now, without writing to it and without keeping anybody out for longer than asking
    /// takes.
    ///
    /// # Errors
    ///
    /// Those of [`Self::open`].
    pub fn check_open(path: &Path) -> Result<()> {
        let image = in_use::open(path, OFlags::RDONLY)?;
        rustix::fs::accessat(
            rustix::fs::CWD,
            path,
            rustix::fs::Access::WRITE_OK,
            rustix::fs::AtFlags::EACCESS,
        )
        .map_err(|error| IoError::whole(IoOp::Open, error.into()))?;
        refuse_read_only(&image)?;
        in_use::could_lock(&image)?;
        in_use::refuse(&image)
    }

    /// The same file, to be read only: what is decided about it is decided by what is locked, whatever its name leads to by now.
    ///
    /// # Errors
    ///
    /// [`IoError`] where the system refuses.
    pub fn to_read(&self) -> Result<ImageFile> {
        self.image.again()
    }

    /// Refuses where `path` leads to something else by now, or where it became longer or shorter since it was opened.
    ///
    /// # Errors
    ///
    /// [`EditRefusal::Replaced`], [`EditRefusal::Resized`]; [`IoError`] where the system does not say.
    pub fn check_still(&self, path: &Path) -> Result<()> {
        if !in_use::is_at(&self.image, path)? {
            return Err(EditRefusal::Replaced.into());
        }
        self.image.check_size()
    }

    /// The image itself.
    pub(super) const fn image(&self) -> &ImageFile {
        &self.image
    }

    /// Removes a file that was made for something that came to nothing: `path` is its name.
    ///
    /// # Errors
    ///
    /// [`IoError`] where the system refuses.
    pub fn remove(self, path: &Path) -> Result<()> {
        let removed = rustix::fs::unlink(path);
        Ok(removed.map_err(|error| IoError::whole(IoOp::Remove, error.into()))?)
    }

    /// Whether this is a block device rather than a regular file.
    ///
    /// # Errors
    ///
    /// [`IoError`] where the system refuses to say.
    pub fn is_block_device(&self) -> Result<bool> {
        Ok(self.image.kind()? == FileType::BlockDevice)
    }

    /// Keeps others out.
    fn locked(image: ImageFile) -> Result<Self> {
        let reserved = Reserved::default();
        let target = Self { image, reserved };
        in_use::lock(&target.image)?;
        Ok(target)
    }
}

impl Drop for WritableFile {
    fn drop(&mut self) {
        in_use::unlock(&self.image);
    }
}

reads_as!([] WritableFile, this => this.image);

impl WriteAt for WritableFile {
    fn write_all_at(&mut self, mut at: ImagePos, mut bytes: &[u8]) -> Result<()> {
        check_within(IoOp::Write, at, Bytes::of_len(bytes.len()), self.size())?;
        self.reserved.forget();
        while !bytes.is_empty() {
            match self.image.file().write_at(bytes, at.get()) {
                // The end of a block device, where it became smaller: no error of its own, and no progress either.
                Ok(0) => return Err(refused_write(at, bytes, Errno::NOSPC.into())),
                Ok(count) => {
                    at = advanced(at, Bytes::of_len(count));
                    bytes = bytes.split_at(count).1;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(refused_write(at, bytes, error)),
            }
        }
        Ok(())
    }

    fn room_for(&self, range: &Range<ImagePos>) -> Result<RoomNeeded> {
        room::needed(&self.image, range)
    }

    fn check_room(&self, first: ImagePos, room: RoomNeeded) -> Result<()> {
        room::check(&self.image, first, room)
    }

    fn reserve(&mut self, range: Range<ImagePos>) -> Result<()> {
        self.reserved.reserve(&self.image, &range)
    }

    fn give_back(&mut self) {
        self.reserved.give_back(&self.image);
    }

    fn resize(&mut self, size: Bytes) -> Result<()> {
        self.image.resize(size)
    }

    fn sync(&mut self) -> Result<()> {
        let synced = self.image.file().sync_all();
        Ok(synced.map_err(|error| IoError::whole(IoOp::Sync, error))?)
    }
}

/// Refuses a block device that is known to take no writes.
fn refuse_read_only(image: &ImageFile) -> Result<()> {
    if image.is_block_device()? && is_read_only(image.file()) {
        return Err(IoError::whole(IoOp::Open, Errno::ROFS.into()).into());
    }
    Ok(())
}

/// Whether a block device is known to take no writes.
fn is_read_only(device: impl AsFd) -> bool {
    let read = || {
        let number = rustix::fs::fstat(device)?.st_rdev;
        let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
        let path = format!("/sys/dev/block/{major}:{minor}/ro");
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        let mut word = [0];
        rustix::io::read(&file, &mut word).map(|_| word == *b"1")
    };
    // Where nothing says so, the first write does.
    read().unwrap_or(false)
}

/// The system's refusal to write what is left.
fn refused_write(at: ImagePos, rest: &[u8], error: io::Error) -> crate::error::Error {
    IoError::at(IoOp::Write, at, Bytes::of_len(rest.len()), error).into()
}

/// Why a file could not be made: that something of its name exists is no answer where nothing can be seen there.
fn why_not_made(path: &Path, error: Errno) -> io::Error {
    let link = path.is_symlink() && matches!(path.try_exists(), Ok(false));
    if error == Errno::EXIST && link {
        let why = "it is a symbolic link, and what it leads to does not exist";
        return io::Error::new(io::ErrorKind::AlreadyExists, why);
    }
    error.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, FileKind, Refused};

    fn io_error(result: Result<WritableFile>) -> IoError {
        match result {
            Err(Error::Io(error)) => error,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_new_file_is_one_hole_and_takes_bytes_anywhere() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("new.img");
        let size = Bytes::new(9_000_000_000_000);
        let mut file = WritableFile::create_new(&path, size).unwrap();
        assert_eq!(file.size(), size);
        assert_eq!(file.next_data(ImagePos::START).unwrap(), None);
        let at = ImagePos::new(8_999_999_999_000);
        file.write_all_at(at, b"here").unwrap();
        file.sync().unwrap();
        drop(file);

        let mut found = [0; 6];
        let start = at.checked_sub(Bytes::new(1)).unwrap();
        let file = ImageFile::open(&path).unwrap();
        assert_eq!(file.size(), size);
        file.read_exact_at(start, &mut found).unwrap();
        assert_eq!(&found, b"\0here\0");
    }

    #[test]
    fn what_exists_is_not_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("there.img");
        drop(WritableFile::create_new(&path, Bytes::new(3)).unwrap());
        let error = io_error(WritableFile::create_new(&path, Bytes::new(4)));
        assert_eq!(error.op, IoOp::Create);
        assert_eq!(error.source.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(ImageFile::open(&path).unwrap().size(), Bytes::new(3));
    }

    #[test]
    fn nothing_is_written_beyond_the_size_found_when_opening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("short.img");
        drop(WritableFile::create_new(&path, Bytes::new(10)).unwrap());
        let mut file = WritableFile::open(&path).unwrap();
        file.write_all_at(ImagePos::new(9), b"x").unwrap();
        for at in [9, 10, u64::MAX] {
            let Err(Error::Io(error)) = file.write_all_at(ImagePos::new(at), b"yz") else {
                panic!("wrote at {at}");
            };
            assert_eq!((error.op, error.at), (IoOp::Write, Some(ImagePos::new(at))));
        }
        let mut found = [0; 10];
        file.read_exact_at(ImagePos::START, &mut found).unwrap();
        assert_eq!(&found, b"\0\0\0\0\0\0\0\0\0x");
        assert_eq!(ImageFile::open(&path).unwrap().size(), Bytes::new(10));
    }

    #[test]
    fn two_writers_of_one_file_do_not_get_along_and_a_reader_does() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.img");
        let first = WritableFile::create_new(&path, Bytes::new(10)).unwrap();
        let error = io_error(WritableFile::open(&path));
        assert_eq!(error.op, IoOp::Lock);
        assert_eq!(error.source.kind(), io::ErrorKind::WouldBlock);
        ImageFile::open(&path).unwrap();
        drop(first);
        WritableFile::open(&path).unwrap();
    }

    /// As a child has it between its fork and the program that it runs.
    #[test]
    fn a_copy_of_the_descriptor_keeps_no_lock() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mine.img");
        let first = WritableFile::create_new(&path, Bytes::new(10)).unwrap();
        let child = first.image.file().as_fd().try_clone_to_owned().unwrap();
        drop(first);
        WritableFile::open(&path).unwrap();
        drop(child);
    }

    #[test]
    fn what_is_no_image_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let Err(Error::Refused(refused)) = WritableFile::open(dir.path()) else {
            panic!("opened a directory");
        };
        let found = FileKind::Directory;
        assert_eq!(refused, Refused::FileKind { found });
        let error = io_error(WritableFile::open(&dir.path().join("missing")));
        assert_eq!(error.source.kind(), io::ErrorKind::NotFound);
    }
}
