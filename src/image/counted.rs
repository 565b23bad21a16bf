//! How much an operation reads, so that a promise about it can be tested.

use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicU64, Ordering};

use super::ReadAt;
use crate::error::Result;
use crate::units::{Bytes, ImagePos};

/// An image that counts what is read of it.
#[derive(Debug, Default)]
pub struct Counted<R> {
    image: R,
    reads: AtomicU64,
    bytes: AtomicU64,
}

impl<R> Counted<R> {
    /// Counts from nothing what is read of `image`.
    pub const fn new(image: R) -> Self {
        Self {
            image,
            reads: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
        }
    }

    /// How many reads there were; a piece that [`ReadAt::visit`] showed is one.
    pub fn reads(&self) -> u64 {
        self.reads.load(Ordering::Relaxed)
    }

    /// How many bytes they asked for.
    pub fn bytes(&self) -> Bytes {
        Bytes::new(self.bytes.load(Ordering::Relaxed))
    }

    /// Begins anew.
    pub fn reset(&self) {
        self.reads.store(0, Ordering::Relaxed);
        self.bytes.store(0, Ordering::Relaxed);
    }

    fn count(&self, len: usize) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.bytes
            .fetch_add(Bytes::of_len(len).get(), Ordering::Relaxed);
    }
}

impl<R: ReadAt> ReadAt for Counted<R> {
    fn size(&self) -> Bytes {
        self.image.size()
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        self.count(buf.len());
        self.image.read_exact_at(at, buf)
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        self.image.next_data(from)
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        self.image.visit(range, &mut |at, piece| {
            self.count(piece.len());
            visit(at, piece)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::MemImage;
    use crate::image::support::{MIB, bytes, pos};

    #[test]
    fn reads_and_shown_pieces_are_counted() {
        let image = Counted::new(MemImage::new(bytes(3 * MIB)));
        image.read_exact_at(pos(5), &mut [0; 100]).unwrap();
        image.next_data(pos(0)).unwrap();
        assert_eq!((image.reads(), image.bytes()), (1, bytes(100)));
        let mut all = |_, _: &[u8]| ControlFlow::Continue(());
        image.visit(pos(0)..pos(3 * MIB), &mut all).unwrap();
        assert_eq!((image.reads(), image.bytes()), (4, bytes(100 + 3 * MIB)));
        image.reset();
        let mut first = |_, _: &[u8]| ControlFlow::Break(());
        image.visit(pos(0)..pos(3 * MIB), &mut first).unwrap();
        assert_eq!((image.reads(), image.bytes()), (1, bytes(MIB)));
    }
}
