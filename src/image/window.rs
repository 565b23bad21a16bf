//! The view of one device inside an image: the only place where a position changes its coordinate space.

use std::fmt;
use std::ops::{ControlFlow, Range};

use super::{ReadAt, outside};
use crate::error::{IoError, IoOp, Result};
use crate::units::{Bytes, DevPos, ImagePos};

/// A device that lies in an image from `base` on; nothing outside it can be read through it.
#[derive(Clone, Copy)]
pub struct Window<'a> {
    image: &'a dyn ReadAt,
    base: ImagePos,
    len: Bytes,
}

impl<'a> Window<'a> {
    /// The image taken as one device.
    #[must_use]
    pub fn whole(image: &'a dyn ReadAt) -> Self {
        Self {
            image,
            base: ImagePos::START,
            len: image.size(),
        }
    }

    /// The device of `len` that starts at `base`, or `None` where it would leave the image.
    #[must_use]
    pub fn of(image: &'a dyn ReadAt, base: ImagePos, len: Bytes) -> Option<Self> {
        let end = base.checked_add(len)?;
        (end.from_start() <= image.size()).then_some(Self { image, base, len })
    }

    /// The device inside this one that starts where it does and has `len`, or `None` where this one is smaller.
    #[must_use]
    pub fn shortened(self, len: Bytes) -> Option<Self> {
        (len <= self.len).then_some(Self { len, ..self })
    }

    /// The device's size.
    #[must_use]
    pub const fn size(&self) -> Bytes {
        self.len
    }

    /// Where a position of the device is in the image; the device's end has one, what lies beyond has none.
    #[must_use]
    pub fn image_pos(&self, at: DevPos) -> Option<ImagePos> {
        (at.from_start() <= self.len)
            .then(|| self.base.checked_add(at.from_start()))
            .flatten()
    }

    /// Fills `buf` from position `at`, wholly or not at all.
    ///
    /// # Errors
    ///
    /// [`IoError`] with the position in the image, where the range leaves the device or the system cannot read it.
    pub fn read_exact_at(&self, at: DevPos, buf: &mut [u8]) -> Result<()> {
        let at = self.locate(at, Bytes::of_len(buf.len()))?;
        self.image.read_exact_at(at, buf)
    }

    /// The first stretch at or after `from` that may hold data, as [`ReadAt::next_data`].
    ///
    /// # Errors
    ///
    /// As [`Self::read_exact_at`].
    pub fn next_data(&self, from: DevPos) -> Result<Option<Range<DevPos>>> {
        let Some(from) = self.image_pos(from) else {
            return Ok(None);
        };
        let data = self.image.next_data(from)?;
        Ok(data.and_then(|data| {
            let end = self.dev_pos(data.end)?.min(DevPos::at(self.len));
            let start = self.dev_pos(data.start)?;
            (start < end).then_some(start..end)
        }))
    }

    /// Shows `range` to `visit` in consecutive pieces, as [`ReadAt::visit`].
    ///
    /// # Errors
    ///
    /// As [`Self::read_exact_at`].
    pub fn visit(
        &self,
        range: Range<DevPos>,
        visit: &mut dyn FnMut(DevPos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        let len = range.end.bytes_since(range.start).unwrap_or(Bytes::ZERO);
        let start = self.locate(range.start, len)?;
        let Some(end) = start.checked_add(len) else {
            return Err(IoError::at(IoOp::Read, start, len, outside(self.len)).into());
        };
        self.image.visit(start..end, &mut |at, piece| {
            // Pieces are consecutive from `start`, which is at or after `base`.
            self.dev_pos(at)
                .map_or(ControlFlow::Break(()), |at| visit(at, piece))
        })
    }

    /// Where the image has a position of this device, at or after its start.
    fn dev_pos(&self, at: ImagePos) -> Option<DevPos> {
        at.bytes_since(self.base).map(DevPos::at)
    }

    /// Where `len` bytes at `at` are in the image, if they all belong to the device.
    fn locate(&self, at: DevPos, len: Bytes) -> Result<ImagePos> {
        let inside = at
            .checked_add(len)
            .filter(|end| end.from_start() <= self.len)
            .and_then(|_| self.image_pos(at));
        inside.ok_or_else(|| {
            IoError {
                op: IoOp::Read,
                at: self.base.checked_add(at.from_start()),
                length: Some(len),
                source: outside(self.len),
            }
            .into()
        })
    }
}

impl fmt::Debug for Window<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Window")
            .field("base", &self.base)
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}
