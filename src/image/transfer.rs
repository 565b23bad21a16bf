//! An image that is read once, from its first byte to its last: to be copied, or for its checksums.

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FileType, OFlags};
use rustix::io::Errno;

use super::cache::{drop_cached, is_cached};
use super::{ImageFile, InUse, ReadAt, advanced, check_within, to_len, visit_by_reading};
use crate::error::{Error, IoError, IoOp, Result};
use crate::units::{Bytes, ImagePos, MD_BLOCK};

/// How much is read past the cache at once.
const DIRECT: Bytes = Bytes::new(1 << 20);
/// What `O_DIRECT` wants positions, lengths and memory to be multiples of: the largest block that a device has.
const ALIGNMENT: Bytes = MD_BLOCK;
/// How much of a regular file is judged by one page of it.
const SECTION: Bytes = Bytes::new(64 << 20);

/// An image that is read once.
///
/// A block device is read past the system's cache (`O_DIRECT`): DRBD writes to its backing device below that cache, so what is cached of
/// an attached one may be old, and a whole disk would throw out everything else. A regular file is read through the cache, and what was
/// not in it before does not stay.
#[derive(Debug)]
pub struct TransferFile {
    file: ImageFile,
    method: Method,
}

#[derive(Debug)]
enum Method {
    /// With memory that has [`ALIGNMENT`] somewhere at its start.
    Direct(Mutex<Vec<u8>>),
    /// With what is known of the section that is read.
    Cached(Mutex<Section>),
}

#[derive(Debug, Default)]
struct Section {
    range: Range<ImagePos>,
    cold: bool,
}

impl Default for Method {
    fn default() -> Self {
        Self::Cached(Mutex::default())
    }
}

impl TransferFile {
    /// Opens a regular file or a block device for reading.
    ///
    /// # Errors
    ///
    /// As [`ImageFile::open`].
    pub fn open(path: &Path) -> Result<Self> {
        let direct = ImageFile::open_as(path, |kind| match kind {
            FileType::BlockDevice => OFlags::RDONLY | OFlags::DIRECT,
            _ => OFlags::RDONLY,
        });
        let (file, can_direct) = match direct {
            Err(Error::Io(error)) if refuses_direct(&error) => (ImageFile::open(path)?, false),
            opened => (opened?, true),
        };
        let method = if can_direct && file.is_block_device()? {
            let len = DIRECT.checked_add(ALIGNMENT).map_or(0, to_len);
            Method::Direct(Mutex::new(vec![0; len]))
        } else {
            Method::default()
        };
        Ok(Self { file, method })
    }

    /// Whether it is a block device.
    ///
    /// # Errors
    ///
    /// [`IoError`] where the system refuses to say.
    pub fn is_block_device(&self) -> Result<bool> {
        self.file.is_block_device()
    }

    /// Reads past the cache, through memory that is aligned.
    fn read_direct(&self, at: ImagePos, buf: &mut [u8], memory: &mut [u8]) -> Result<()> {
        let (mut at, mut rest) = (at, buf);
        while !rest.is_empty() {
            let start = ImagePos::at(at.from_start().align_down(ALIGNMENT));
            let skip = to_len(at.saturating_since(start));
            let wanted = Bytes::of_len(rest.len()).checked_add(Bytes::of_len(skip));
            let wanted = wanted.and_then(|wanted| wanted.align_up(ALIGNMENT));
            let len = wanted.unwrap_or(DIRECT).min(DIRECT);
            let aligned = aligned(memory, to_len(len));
            let read = self.read_once(start, aligned).or_else(|_| {
                // A bad place fails all that was asked for: block by block it gives what comes before.
                let block = to_len(ALIGNMENT).min(aligned.len());
                self.read_once(start, aligned.split_at_mut(block).0)
            });
            let refused = |source| IoError::at(IoOp::Read, at, Bytes::of_len(rest.len()), source);
            let read = read.map_err(|error| refused(error.into()))?;
            let found = aligned.split_at(read).0.get(skip..).unwrap_or_default();
            if found.is_empty() {
                let source = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
                return Err(refused(source).into());
            }
            let count = found.len().min(rest.len());
            let (now, later) = rest.split_at_mut(count);
            now.copy_from_slice(found.split_at(count).0);
            at = advanced(at, Bytes::of_len(count));
            rest = later;
        }
        Ok(())
    }

    fn read_once(&self, at: ImagePos, buf: &mut [u8]) -> Result<usize, Errno> {
        loop {
            match rustix::io::pread(self.file.file(), &mut *buf, at.get()) {
                Err(Errno::INTR) => {}
                answer => return answer,
            }
        }
    }
}

/// The part of `memory` that is aligned, `len` of it at most.
fn aligned(memory: &mut [u8], len: usize) -> &mut [u8] {
    let skip = memory.as_ptr().align_offset(to_len(ALIGNMENT));
    let whole = memory.get_mut(skip..).unwrap_or_default();
    let len = len.min(whole.len());
    whole.split_at_mut(len).0
}

/// Whether opening failed because this device has no `O_DIRECT`.
fn refuses_direct(error: &IoError) -> bool {
    error.op == IoOp::Open && error.source.raw_os_error() == Some(Errno::INVAL.raw_os_error())
}

impl Section {
    /// Notes that `at` is read next; what lies in the middle of a section was not brought in by reading what came before it.
    fn enter(&mut self, file: &ImageFile, at: ImagePos) {
        if self.range.contains(&at) {
            return;
        }
        let rest = file.size().saturating_sub(at.from_start());
        let len = rest.min(SECTION);
        self.range = at..advanced(at, len);
        let half = Bytes::new(len.get() / 2);
        self.cold = half > Bytes::ZERO && !is_cached(file, advanced(at, half));
    }
}

impl ReadAt for TransferFile {
    fn size(&self) -> Bytes {
        self.file.size()
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        match &self.method {
            Method::Direct(memory) => {
                let len = Bytes::of_len(buf.len());
                check_within(IoOp::Read, at, len, self.size())?;
                let mut memory = memory.lock().unwrap_or_else(PoisonError::into_inner);
                self.read_direct(at, buf, &mut memory)
            }
            Method::Cached(section) => {
                let cold = {
                    let mut section = section.lock().unwrap_or_else(PoisonError::into_inner);
                    section.enter(&self.file, at);
                    section.cold
                };
                self.file.read_exact_at(at, buf)?;
                if cold {
                    drop_cached(&self.file, at, Bytes::of_len(buf.len()));
                }
                Ok(())
            }
        }
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        self.file.next_data(from)
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        visit_by_reading(self, range, visit)
    }
}

/// Lets go of what the system caches of a block device, so that it is read anew: DRBD writes to its backing device below that cache. A
/// regular file is written through it, and keeps it.
///
/// # Errors
///
/// As [`ImageFile::open`].
pub fn forget_cached(path: &Path) -> Result<()> {
    let file = ImageFile::open(path)?;
    if file.is_block_device()? {
        drop_cached(&file, ImagePos::START, file.size());
    }
    Ok(())
}

/// Who else uses an image, in words: what is read of it now may be older or newer in another part.
///
/// # Errors
///
/// [`IoError`] where the image cannot be opened.
pub fn who_uses(path: &Path) -> Result<Option<String>> {
    let opened = super::in_use::open(path, OFlags::RDONLY);
    match opened.and_then(|image| super::in_use::refuse(&image)) {
        Ok(()) => Ok(None),
        Err(error) => match error.refusal::<InUse>() {
            Some(in_use) => Ok(Some(in_use.to_string())),
            None => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::is_same;
    use super::super::support::{LoopDevice, MIB, bytes, file_of, numbered, pos};
    use super::*;

    #[test]
    fn a_block_device_gives_any_range_past_the_cache() {
        // Not a multiple of 4096, as a device with sectors of 512 bytes may be.
        let content = numbered(3 * MIB + 1536);
        let file = file_of(&content);
        let Some(device) = LoopDevice::over(file.path()) else {
            return;
        };
        let image = TransferFile::open(device.path()).unwrap();
        assert!(matches!(image.method, Method::Direct(_)));
        assert_eq!(image.size(), bytes(3 * MIB + 1536));
        for (at, len) in [
            (0, 1 << 20),
            (1, 4095),
            (512, 3 << 20),
            (4095, 2),
            (MIB - 1, (2 << 20) + 1537),
            (3 * MIB + 1535, 1),
            (7, 0),
        ] {
            let mut found = vec![0; len];
            image.read_exact_at(pos(at), &mut found).unwrap();
            let at = usize::try_from(at).unwrap();
            assert!(found == content[at..][..len], "{len} at {at}");
        }
        image
            .read_exact_at(pos(3 * MIB), &mut [0; 1537])
            .unwrap_err();
    }

    #[test]
    fn files_are_the_same_by_what_they_are_and_not_by_name() {
        let file = file_of(b"x");
        let other = file_of(b"x");
        let link = file.path().with_extension("link");
        std::os::unix::fs::symlink(file.path(), &link).unwrap();
        assert!(is_same(file.path(), &link));
        assert!(!is_same(file.path(), other.path()));
        assert!(!is_same(Path::new("/missing/1"), Path::new("/missing/1")));
        std::fs::remove_file(&link).unwrap();
        assert_eq!(who_uses(file.path()).unwrap(), None);
    }
}
