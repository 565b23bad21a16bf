//! Images: files, block devices and memory, read and written by position.

mod cache;
mod counted;
mod file;
mod in_use;
mod map;
mod mem;
mod names;
mod new_file;
mod page_buffer;
mod random;
mod room;
mod scratch;
pub mod small_file;
mod source;
mod standard;
#[cfg(test)]
mod support;
mod system;
mod transfer;
mod watched;
mod window;
mod writable;
mod zeroing;

use std::io;
use std::ops::{ControlFlow, Range};

use crate::error::{IoError, IoOp, Result};
use crate::units::{Bytes, ImagePos};

pub use counted::Counted;
pub use file::ImageFile;
pub use in_use::{InUse, Process, Use, User, is_same, overlap};
pub use map::{MappedImage, open_for_scan};
pub use mem::MemImage;
pub use names::names_in;
pub use new_file::{NewFile, Removal, create_directory, refuse_among_devices};
pub use page_buffer::PageBuffer;
pub use random::random_u64;
pub use room::RoomNeeded;
pub use scratch::Scratch;
pub use source::{is_pipe, is_regular_file, is_there, open_source, source_size};
pub use standard::{StandardInput, StandardOutput};
pub use system::{finish_whatever_is_signalled, ignore_size_limit_signal};
pub use transfer::{TransferFile, forget_cached, who_uses};
pub use watched::{Access, Watched};
pub use window::Window;
pub use writable::WritableFile;
pub use zeroing::{Zeroing, is_zeros};

/// Something that can be read by position and cannot be written.
///
/// Looking, finding and checking take this, so that they cannot change a byte.
pub trait ReadAt {
    /// The size of the whole, found when it was opened.
    fn size(&self) -> Bytes;

    /// Fills `buf` from position `at`, wholly or not at all.
    ///
    /// # Errors
    ///
    /// [`crate::error::IoError`] with the position, where the range leaves the image or the system cannot read it.
    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()>;

    /// The first stretch at or after `from` that may hold data; what lies between is a hole and reads as zeros. `None`: holes to the end.
    ///
    /// # Errors
    ///
    /// As [`Self::read_exact_at`].
    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>>;

    /// Shows `range` to `visit` in consecutive pieces, each at most 8 MiB and, but for the last, a multiple of 4096 bytes.
    ///
    /// # Errors
    ///
    /// As [`Self::read_exact_at`]. What `visit` saw of a piece before an error is not to be trusted.
    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()>;
}

/// Something that can be written by position as well.
///
/// Only what was asked to write takes this; opening an image for it is a call of its own.
pub trait WriteAt: ReadAt {
    /// Puts `bytes` at `at`.
    ///
    /// # Errors
    ///
    /// [`crate::error::IoError`] with the position: where the range leaves the image nothing is written; where the system refuses, what
    /// lies before that position may be.
    fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()>;

    /// How much room writing to `range` may take. What always has room needs none.
    ///
    /// # Errors
    ///
    /// [`crate::error::IoError`] where the range leaves the image, or the system does not say.
    fn room_for(&self, range: &Range<ImagePos>) -> Result<RoomNeeded> {
        let _ = range;
        Ok(RoomNeeded::default())
    }

    /// Refuses where there is less room left than that, for what is to be written from `first` on.
    ///
    /// # Errors
    ///
    /// [`crate::error::IoError`], with the sum of what is needed.
    fn check_room(&self, first: ImagePos, room: RoomNeeded) -> Result<()> {
        let _ = (first, room);
        Ok(())
    }

    /// Makes sure that writing to `range` will not fail for want of room, as far as the system can promise that: what is a hole there gets
    /// its blocks, and is read as zeros as before. What has no holes, or no way to promise it, does nothing.
    ///
    /// # Errors
    ///
    /// [`crate::error::IoError`] where there is no room, or where the range leaves the image. No byte is another one then.
    fn reserve(&mut self, range: Range<ImagePos>) -> Result<()> {
        let _ = range;
        Ok(())
    }

    /// Lets go of the room that [`Self::reserve`] made sure of, where nothing was written since.
    fn give_back(&mut self) {}

    /// Makes it this long: what lies behind is gone, what is added is a hole. Not durable before [`Self::sync`].
    ///
    /// # Errors
    ///
    /// [`crate::error::IoError`] where the system refuses, as a block device does: it is as long as before then.
    fn resize(&mut self, size: Bytes) -> Result<()>;

    /// Returns once everything written so far would outlive a power failure.
    ///
    /// # Errors
    ///
    /// [`crate::error::IoError`] where the system cannot promise that.
    fn sync(&mut self) -> Result<()>;
}

/// Reads of one type are reads of something that it has.
macro_rules! reads_as {
    ([$($generics:tt)*] $type:ty, $this:ident => $inner:expr) => {
        impl<$($generics)*> $crate::image::ReadAt for $type {
            fn size(&self) -> $crate::units::Bytes {
                let $this = self;
                $inner.size()
            }

            fn read_exact_at(
                &self,
                at: $crate::units::ImagePos,
                buf: &mut [u8],
            ) -> $crate::error::Result<()> {
                let $this = self;
                $inner.read_exact_at(at, buf)
            }

            fn next_data(
                &self,
                from: $crate::units::ImagePos,
            ) -> $crate::error::Result<Option<std::ops::Range<$crate::units::ImagePos>>> {
                let $this = self;
                $inner.next_data(from)
            }

            fn visit(
                &self,
                range: std::ops::Range<$crate::units::ImagePos>,
                visit: &mut dyn FnMut(
                    $crate::units::ImagePos,
                    &[u8],
                ) -> std::ops::ControlFlow<()>,
            ) -> $crate::error::Result<()> {
                let $this = self;
                $inner.visit(range, visit)
            }
        }
    };
}
pub(crate) use reads_as;

// What is read is borrowed as well as owned.
reads_as!([R: ReadAt + ?Sized] &R, this => (**this));
reads_as!([R: ReadAt + ?Sized] &mut R, this => (**this));
reads_as!([R: ReadAt + ?Sized] Box<R>, this => (**this));

/// What is written is borrowed as well as owned.
macro_rules! forward_writes {
    ($pointer:ty) => {
        impl<W: WriteAt + ?Sized> WriteAt for $pointer {
            fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
                (**self).write_all_at(at, bytes)
            }

            fn room_for(&self, range: &Range<ImagePos>) -> Result<RoomNeeded> {
                (**self).room_for(range)
            }

            fn check_room(&self, first: ImagePos, room: RoomNeeded) -> Result<()> {
                (**self).check_room(first, room)
            }

            fn reserve(&mut self, range: Range<ImagePos>) -> Result<()> {
                (**self).reserve(range)
            }

            fn give_back(&mut self) {
                (**self).give_back();
            }

            fn resize(&mut self, size: Bytes) -> Result<()> {
                (**self).resize(size)
            }

            fn sync(&mut self) -> Result<()> {
                (**self).sync()
            }
        }
    };
}
forward_writes!(&mut W);
forward_writes!(Box<W>);

/// How much [`visit_by_reading`] reads at once: more is no faster.
const PIECE: Bytes = Bytes::new(1024 * 1024);

/// [`ReadAt::visit`] for what has no memory of its own to show: reads into one buffer, again and again.
pub(crate) fn visit_by_reading(
    image: &(impl ReadAt + ?Sized),
    range: Range<ImagePos>,
    visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
) -> Result<()> {
    let mut rest = len_within(&range, image.size())?;
    let mut at = range.start;
    let mut buffer = vec![0; to_len(rest.min(PIECE))];
    while rest > Bytes::ZERO {
        buffer.truncate(to_len(rest.min(PIECE)));
        image.read_exact_at(at, &mut buffer)?;
        if visit(at, &buffer).is_break() {
            break;
        }
        let read = Bytes::of_len(buffer.len());
        rest = rest.saturating_sub(read);
        at = advanced(at, read);
    }
    Ok(())
}

/// The length of `range`, where it lies within `size`; a range turned around has none.
fn len_within(range: &Range<ImagePos>, size: Bytes) -> Result<Bytes> {
    let len = range.end.saturating_since(range.start);
    check_within(IoOp::Read, range.start, len, size)?;
    Ok(len)
}

/// Whether `len` bytes at `at` lie within an image of `size`.
pub(crate) fn check_within(op: IoOp, at: ImagePos, len: Bytes, size: Bytes) -> Result<()> {
    match at.checked_add(len) {
        Some(end) if end.from_start() <= size => Ok(()),
        _ => Err(IoError::at(op, at, len, outside("image", size)).into()),
    }
}

/// The answer to a range that leaves an image or device of `size`.
fn outside(whole: &str, size: Bytes) -> io::Error {
    let message = format!("the range leaves the {whole}, which has {size}");
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

/// The position `len` after `at`, within an image.
fn advanced(at: ImagePos, len: Bytes) -> ImagePos {
    // OK to expect: the range was found to lie within the image's 64-bit size before.
    at.checked_add(len)
        .expect("a position within the image has at most 64 bits")
}

/// A length in memory.
fn to_len(len: Bytes) -> usize {
    // OK to expect: every caller bounds it by a constant of a few MiB, or has it from a slice's length.
    len.to_usize()
        .expect("a buffer's length fits the address space")
}
