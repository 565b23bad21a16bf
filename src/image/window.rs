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

    /// The device of `len` that starts at `start` of this one, or `None` where it would leave it.
    #[must_use]
    pub fn part(self, start: DevPos, len: Bytes) -> Option<Self> {
        let inside = start
            .checked_add(len)
            .is_some_and(|end| end.from_start() <= self.len);
        let base = self.base.checked_add(start.from_start())?;
        inside.then_some(Self { base, len, ..self })
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
        let len = range.end.saturating_since(range.start);
        let start = self.locate(range.start, len)?;
        let Some(end) = start.checked_add(len) else {
            return Err(IoError::at(IoOp::Read, start, len, outside("device", self.len)).into());
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
                source: outside("device", self.len),
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::MemImage;
    use crate::image::support::{MIB, bytes, io_error, numbered, pos};

    fn dev(at: u64) -> DevPos {
        DevPos::new(at)
    }

    /// What a window shows of `range`, and at which of the device's positions each piece begins.
    fn shown(window: &Window<'_>, range: Range<DevPos>) -> (Vec<DevPos>, Vec<u8>) {
        let (mut starts, mut content) = (Vec::new(), Vec::new());
        let mut note = |at, piece: &[u8]| {
            starts.push(at);
            content.extend_from_slice(piece);
            ControlFlow::Continue(())
        };
        window.visit(range, &mut note).unwrap();
        (starts, content)
    }

    #[test]
    fn positions_count_from_the_device_s_start() {
        let content = numbered(3 * MIB);
        let image = MemImage::from_bytes(&content);
        let window = Window::of(&image, pos(1024), bytes(2 * MIB)).unwrap();
        let mut buf = [0; 512];
        window.read_exact_at(dev(512), &mut buf).unwrap();
        assert_eq!(buf[..], content[1536..2048]);
        assert_eq!(window.image_pos(dev(512)), Some(pos(1536)));
        let (starts, seen) = shown(&window, dev(512)..dev(MIB + 1024));
        assert_eq!(starts, [dev(512), dev(MIB + 512)]);
        assert_eq!(seen[..], content[1536..][..1024 * 1024 + 512]);
        let mut stopped = 0;
        let mut stop = |_, _: &[u8]| {
            stopped += 1;
            ControlFlow::Break(())
        };
        window.visit(dev(0)..dev(2 * MIB), &mut stop).unwrap();
        assert_eq!(stopped, 1);
    }

    #[test]
    fn a_device_has_to_lie_in_its_image_and_an_inner_one_in_its_outer() {
        let image = MemImage::new(bytes(MIB));
        assert!(Window::of(&image, pos(512), bytes(MIB)).is_none());
        assert!(Window::of(&image, pos(u64::MAX), bytes(2)).is_none());
        assert!(Window::of(&image, pos(MIB), Bytes::ZERO).is_some());
        let outer = Window::of(&image, pos(512), bytes(8192)).unwrap();
        assert!(outer.shortened(bytes(8193)).is_none());
        let inner = outer.shortened(bytes(4096)).unwrap();
        assert_eq!(inner.size(), bytes(4096));
        assert_eq!(inner.image_pos(dev(0)), Some(pos(512)));
        assert_eq!(inner.image_pos(dev(4096)), Some(pos(4608)));
        assert_eq!(inner.image_pos(dev(4097)), None);
        assert_eq!(Window::whole(&image).size(), bytes(MIB));
        let part = outer.part(dev(4096), bytes(4096)).unwrap();
        assert_eq!(part.image_pos(dev(0)), Some(pos(4608)));
        assert_eq!(part.size(), bytes(4096));
        assert!(outer.part(dev(4096), bytes(4097)).is_none());
        assert!(outer.part(dev(u64::MAX), bytes(1)).is_none());
    }

    #[test]
    fn what_lies_around_a_device_is_not_its_data() {
        let mut image = MemImage::new(bytes(MIB));
        image.write_at(pos(0), &[1; 8192]).unwrap();
        image.write_at(pos(65536), &[1; 8192]).unwrap();
        let next = |base, len, from| {
            let window = Window::of(&image, pos(base), bytes(len)).unwrap();
            window.next_data(dev(from)).unwrap()
        };
        assert_eq!(next(4096, 8192, 0), Some(dev(0)..dev(4096)));
        assert_eq!(next(4096, 2048, 512), Some(dev(512)..dev(2048)));
        assert_eq!(next(4096, 8192, 4096), None);
        assert_eq!(next(8192, 65536, 0), Some(dev(57344)..dev(65536)));
        assert_eq!(next(8192, 57344, 0), None, "what follows is another's");
        assert_eq!(next(4096, 4096, 4096), None);
        assert_eq!(next(4096, 4096, u64::MAX), None);
    }

    #[test]
    fn an_error_names_the_position_in_the_image() {
        let image = MemImage::new(bytes(MIB));
        let window = Window::of(&image, pos(4096), bytes(8192)).unwrap();
        let error = io_error(window.read_exact_at(dev(8000), &mut [0; 193]));
        assert_eq!(error.at, Some(pos(12096)));
        assert_eq!(
            error.source.to_string(),
            "the range leaves the device, which has 8192 bytes"
        );
        let error = io_error(window.read_exact_at(dev(u64::MAX), &mut [0]));
        assert_eq!(error.at, None);
    }

    proptest! {
        #[test]
        fn nothing_outside_is_ever_read(
            base in 0_u64..20_000,
            len in 0_u64..20_000,
            at in prop_oneof![0_u64..25_000, any::<u64>()],
            count in 0_u64..25_000,
        ) {
            // Inside all is 1, around it all is 2.
            let mut image = MemImage::from_bytes(&vec![2; 40_000]);
            image.write_at(pos(base), &vec![1; usize::try_from(len).unwrap()]).unwrap();
            let window = Window::of(&image, pos(base), bytes(len)).unwrap();
            let fits = at.checked_add(count).is_some_and(|end| end <= len);

            let mut buf = vec![0; usize::try_from(count).unwrap()];
            let read = window.read_exact_at(dev(at), &mut buf);
            prop_assert_eq!(read.is_ok(), fits);
            prop_assert!(buf.iter().all(|byte| *byte == u8::from(fits)));

            let mut seen = 0;
            let mut note = |_, piece: &[u8]| {
                assert!(piece.iter().all(|byte| *byte == 1));
                seen += Bytes::of_len(piece.len()).get();
                ControlFlow::Continue(())
            };
            let end = at.saturating_add(count);
            let visited = window.visit(dev(at)..dev(end), &mut note);
            prop_assert_eq!(visited.is_ok(), end <= len);
            prop_assert_eq!(seen, if end <= len { count } else { 0 });
        }
    }
}
