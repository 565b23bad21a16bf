//! Images: files, block devices and memory, read by position.

use std::ops::{ControlFlow, Range};

use crate::error::Result;
use crate::units::{Bytes, ImagePos};

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
