//! Making parts of an image zeros without writing them, where the system can.

use std::ops::Range;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;

use super::cache::drop_cached;
use super::{MemImage, ReadAt, WritableFile, WriteAt, advanced, check_within, to_len};
use crate::error::{IoOp, Result};
use crate::units::{Bytes, ImagePos, MD_BLOCK, SECTOR_SIZE};

/// Zeros that are written at once.
static ZEROS: [u8; 1 << 16] = [0; 1 << 16];

/// Something that can be made zeros in parts.
pub trait Zeroing: WriteAt {
    /// Makes `range` zeros: a hole where that can be, else by writing them.
    ///
    /// With `discard` a block device may give the room back; without, it keeps it.
    ///
    /// # Errors
    ///
    /// As [`WriteAt::write_all_at`].
    fn zero(&mut self, range: Range<ImagePos>, discard: bool) -> Result<()> {
        let _ = discard;
        write_zeros(self, range)
    }

    /// Lets go of what the system caches of `range`, which is on disk by now. Advice, no more.
    fn let_go(&self, range: Range<ImagePos>) {
        let _ = range;
    }
}

/// Zeros, by writing them.
fn write_zeros(target: &mut (impl WriteAt + ?Sized), range: Range<ImagePos>) -> Result<()> {
    let mut at = range.start;
    while let Some(rest) = range.end.bytes_since(at).filter(|rest| *rest > Bytes::ZERO) {
        let len = rest.min(Bytes::of_len(ZEROS.len()));
        target.write_all_at(at, ZEROS.split_at(to_len(len)).0)?;
        at = advanced(at, len);
    }
    Ok(())
}

impl Zeroing for WritableFile {
    fn zero(&mut self, range: Range<ImagePos>, discard: bool) -> Result<()> {
        let len = range.end.saturating_since(range.start);
        check_within(IoOp::Write, range.start, len, self.size())?;
        let is_device = self.is_block_device()?;
        // A file system takes any range; a device whole sectors, of 4096 bytes some of them.
        let unit = if is_device { MD_BLOCK } else { Bytes::new(1) };
        let inner = inner(&range, unit);
        let flags = if is_device && !discard {
            FallocateFlags::ZERO_RANGE | FallocateFlags::KEEP_SIZE
        } else {
            FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE
        };
        if self.fallocate(flags, &inner).is_err() {
            // What cannot be done so is done by writing, or fails there with its place.
            return write_zeros(self, range);
        }
        write_zeros(self, range.start..inner.start)?;
        write_zeros(self, inner.end..range.end)
    }

    fn let_go(&self, range: Range<ImagePos>) {
        if let Some(len) = range.end.bytes_since(range.start) {
            drop_cached(self.image(), range.start, len);
        }
    }
}

impl WritableFile {
    fn fallocate(&self, flags: FallocateFlags, range: &Range<ImagePos>) -> Result<(), Errno> {
        let len = range.end.saturating_since(range.start);
        if len == Bytes::ZERO {
            return Ok(());
        }
        loop {
            match rustix::fs::fallocate(self.image().file(), flags, range.start.get(), len.get()) {
                Err(Errno::INTR) => {}
                answer => return answer,
            }
        }
    }
}

impl Zeroing for MemImage {}

impl<Z: Zeroing + ?Sized> Zeroing for &mut Z {
    fn zero(&mut self, range: Range<ImagePos>, discard: bool) -> Result<()> {
        (**self).zero(range, discard)
    }

    fn let_go(&self, range: Range<ImagePos>) {
        (**self).let_go(range);
    }
}

/// The whole units of a range; empty at its start where it has none.
fn inner(range: &Range<ImagePos>, unit: Bytes) -> Range<ImagePos> {
    let start = range.start.from_start().align_up(unit);
    let start = start.map_or(range.end, ImagePos::at);
    let end = ImagePos::at(range.end.from_start().align_down(unit));
    if start < end {
        start..end
    } else {
        range.start..range.start
    }
}

/// Whether all of these bytes are zeros.
#[must_use]
pub fn is_zeros(bytes: &[u8]) -> bool {
    // Most data is seen at its first bytes; the rest is one pass without a branch for each byte.
    let mut blocks = bytes.chunks(to_len(SECTOR_SIZE));
    blocks.all(|block| block.iter().fold(0, |any, byte| any | byte) == 0)
}

#[cfg(test)]
mod tests {
    use super::super::support::{MIB, all_data, file_of, numbered, pos};
    use super::*;

    #[test]
    fn a_file_gets_a_hole_and_keeps_what_is_around_it() {
        let file = file_of(&numbered(MIB));
        let mut image = WritableFile::open(file.path()).unwrap();
        image.zero(pos(5000)..pos(MIB - 4097), false).unwrap();
        let mut expected = numbered(MIB);
        expected[5000..(1 << 20) - 4097].fill(0);
        let mut found = vec![0; 1 << 20];
        image.read_exact_at(pos(0), &mut found).unwrap();
        assert!(found == expected);
        assert!(all_data(&image).len() > 1, "{:?}", all_data(&image));
        image.zero(pos(0)..pos(MIB + 1), false).unwrap_err();
        image.zero(pos(7)..pos(7), true).unwrap();
    }

    #[test]
    fn only_zeros_are_zeros() {
        assert!(is_zeros(&[]) && is_zeros(&[0; 5000]));
        for at in [0, 1, 511, 512, 4999] {
            let mut bytes = [0; 5000];
            bytes[at] = 0x80;
            assert!(!is_zeros(&bytes), "{at}");
        }
    }
}
