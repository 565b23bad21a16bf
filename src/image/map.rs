//! An image shown from the system's page cache, without copying.

mod guard;

use std::io;
use std::ops::{ControlFlow, Range};
use std::path::Path;

use super::cache::CacheKeeper;
use super::{ImageFile, ReadAt, advanced, len_within, to_len};
use crate::error::{Error, IoError, IoOp, Result};
use crate::units::{Bytes, ImagePos};
use guard::GuardedMap;

/// How much is mapped at once.
const WINDOW: Bytes = Bytes::new(8 * 1024 * 1024);

/// Opens an image that is to be looked at from end to end: a regular file mapped, a block device to be read.
///
/// In the page cache a mapped file is scanned some times faster, out of it no slower; a block device is seldom in the cache and then is
/// faster to read. The numbers are in `docs/reading.md`. For anything but a scan use [`ImageFile::open`].
///
/// # Errors
///
/// As [`ImageFile::open`].
pub fn open_for_scan(path: &Path) -> Result<Box<dyn ReadAt + Send + Sync>> {
    let file = ImageFile::open(path)?;
    if file.is_block_device()? {
        return Ok(Box::new(file));
    }
    Ok(Box::new(MappedImage { file }))
}

/// An [`ImageFile`] whose [`visit`](ReadAt::visit) shows the page cache itself.
///
/// A file that shrinks meanwhile and a sector that cannot be read are errors here as there: they do not kill the process. What cannot be
/// mapped is read, so that the answers are those of [`ImageFile`] in every case; only the time they take differs.
///
/// Somebody may write to the file while it is shown. The compiler takes a slice for constant, and so a byte that is looked at twice may be
/// two bytes. A visitor of a mapped image should therefore only compare, as a search for a magic does, and read again by
/// [`read_exact_at`](ReadAt::read_exact_at) what it found: that is always a copy.
#[derive(Debug)]
pub struct MappedImage {
    file: ImageFile,
}

impl MappedImage {
    /// Opens a regular file or a block device for reading.
    ///
    /// # Errors
    ///
    /// As [`ImageFile::open`].
    pub fn open(path: &Path) -> Result<Self> {
        ImageFile::open(path).map(|file| Self { file })
    }

    /// Shows one window, mapped if that can be.
    fn show(
        &self,
        range: Range<ImagePos>,
        len: Bytes,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>> {
        let Some(map) = GuardedMap::new(self.file.as_fd(), range.start, to_len(len)) else {
            let mut flow = ControlFlow::Continue(());
            self.file.visit(range, &mut |at, piece| {
                flow = visit(at, piece);
                flow
            })?;
            return Ok(flow);
        };
        let flow = visit(range.start, map.bytes());
        if let Some(fault) = map.fault() {
            let at = advanced(range.start, Bytes::of_len(fault));
            return Err(self.explain(range, at));
        }
        // The last page of a file that shrank reads as zeros, without a fault.
        self.file.check_reaches(IoOp::Read, range)?;
        Ok(flow)
    }

    /// Why a window could not be seen: what reading it says, or, where that goes well by now, that `at` could not.
    fn explain(&self, range: Range<ImagePos>, at: ImagePos) -> Error {
        let rest = range.end.saturating_since(at);
        let reread = self
            .file
            .visit(range, &mut |_, _| ControlFlow::Continue(()));
        let changed = || {
            let source = io::Error::other("the image changed while being read");
            IoError::at(IoOp::Read, at, rest, source).into()
        };
        reread.err().unwrap_or_else(changed)
    }
}

impl ReadAt for MappedImage {
    fn size(&self) -> Bytes {
        self.file.size()
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(at, buf)
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        self.file.next_data(from)
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut rest = len_within(&range, self.size())?;
        let mut at = range.start;
        let mut keeper = CacheKeeper::new(&self.file, &range);
        while rest > Bytes::ZERO {
            let len = rest.min(WINDOW);
            let next = advanced(at, len);
            let flow = self.show(at..next, len, visit)?;
            keeper.seen(at, len);
            if flow.is_break() {
                break;
            }
            rest = rest.saturating_sub(len);
            at = next;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
