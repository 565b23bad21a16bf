//! How far an operation is, told while it goes on.

use std::ops::{ControlFlow, Range};

use super::{ReadAt, RoomNeeded, WriteAt};
use crate::error::Result;
use crate::units::{Bytes, ImagePos};

/// What was done with a part of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It was read, or shown by [`ReadAt::visit`].
    Read,
    /// It was written.
    Written,
}

/// An image that reports what is read and written of it, piece by piece, each when it is done.
pub struct Watched<I, W> {
    image: I,
    watch: W,
}

impl<I, W: Fn(Access, Bytes)> Watched<I, W> {
    /// Tells `watch` of everything that is done with `image`.
    pub const fn new(image: I, watch: W) -> Self {
        Self { image, watch }
    }

    fn tell(&self, access: Access, bytes: &[u8]) {
        (self.watch)(access, Bytes::of_len(bytes.len()));
    }
}

impl<I: ReadAt, W: Fn(Access, Bytes)> ReadAt for Watched<I, W> {
    fn size(&self) -> Bytes {
        self.image.size()
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        self.image.read_exact_at(at, buf)?;
        self.tell(Access::Read, buf);
        Ok(())
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
            let flow = visit(at, piece);
            self.tell(Access::Read, piece);
            flow
        })
    }
}

impl<I: WriteAt, W: Fn(Access, Bytes)> WriteAt for Watched<I, W> {
    fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
        self.image.write_all_at(at, bytes)?;
        self.tell(Access::Written, bytes);
        Ok(())
    }

    fn room_for(&self, range: &Range<ImagePos>) -> Result<RoomNeeded> {
        self.image.room_for(range)
    }

    fn check_room(&self, first: ImagePos, room: RoomNeeded) -> Result<()> {
        self.image.check_room(first, room)
    }

    fn reserve(&mut self, range: Range<ImagePos>) -> Result<()> {
        self.image.reserve(range)
    }

    fn give_back(&mut self) {
        self.image.give_back();
    }

    fn resize(&mut self, size: Bytes) -> Result<()> {
        self.image.resize(size)
    }

    fn sync(&mut self) -> Result<()> {
        self.image.sync()
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::image::MemImage;
    use crate::image::support::{MIB, bytes, pos};

    #[test]
    fn everything_that_was_done_is_told_and_nothing_else() {
        let told = RefCell::new(Vec::new());
        let image = MemImage::new(bytes(3 * MIB));
        let mut image = Watched::new(image, |access, bytes| {
            told.borrow_mut().push((access, bytes));
        });
        image.read_exact_at(pos(5), &mut [0; 100]).unwrap();
        image.next_data(pos(0)).unwrap();
        image.write_all_at(pos(7), &[1; 9]).unwrap();
        image.sync().unwrap();
        image.write_all_at(pos(3 * MIB), &[1]).unwrap_err();
        image.read_exact_at(pos(3 * MIB), &mut [0]).unwrap_err();
        let mut first = |_, _: &[u8]| ControlFlow::Break(());
        image.visit(pos(0)..pos(3 * MIB), &mut first).unwrap();
        let expected = [
            (Access::Read, bytes(100)),
            (Access::Written, bytes(9)),
            (Access::Read, bytes(MIB)),
        ];
        assert_eq!(told.into_inner(), expected);
    }
}
