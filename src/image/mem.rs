//! An image in memory, for tests, fuzzing and whoever has the bytes already.

use std::collections::BTreeMap;
use std::ops::{ControlFlow, Range};

use super::{ReadAt, WriteAt, advanced, check_within, to_len, visit_by_reading};
use crate::error::{IoOp, Result};
use crate::units::{Bytes, ImagePos, MD_BLOCK};

/// As much as is held or not held at once.
const BLOCK: usize = 4096;

/// A sparse image in memory: what was never written is a hole, and costs nothing.
#[derive(Clone, Debug, Default)]
pub struct MemImage {
    size: Bytes,
    blocks: BTreeMap<ImagePos, Box<[u8; BLOCK]>>,
}

impl MemImage {
    /// An image of `size`, all of it a hole.
    #[must_use]
    pub fn new(size: Bytes) -> Self {
        Self {
            size,
            blocks: BTreeMap::new(),
        }
    }

    /// An image of these bytes; blocks of zeros become holes.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let mut image = Self::new(Bytes::of_len(bytes.len()));
        let mut at = ImagePos::START;
        for chunk in bytes.chunks(BLOCK) {
            if chunk.iter().any(|byte| *byte != 0) {
                image.fill(at, chunk);
            }
            at = advanced(at, Bytes::of_len(chunk.len()));
        }
        image
    }

    /// Puts `bytes` at `at`; the 4 KiB blocks they touch are data from then on.
    ///
    /// # Errors
    ///
    /// [`crate::error::IoError`] where they would leave the image; nothing is written then.
    pub fn write_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
        check_within(IoOp::Write, at, Bytes::of_len(bytes.len()), self.size)?;
        self.fill(at, bytes);
        Ok(())
    }

    /// [`Self::write_at`] inside the image.
    fn fill(&mut self, mut at: ImagePos, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (start, skip) = block_of(at);
            let block = self
                .blocks
                .entry(start)
                .or_insert_with(|| Box::new([0; BLOCK]));
            let (_, room) = block.split_at_mut(skip);
            let count = room.len().min(bytes.len());
            let (now, later) = bytes.split_at(count);
            room.split_at_mut(count).0.copy_from_slice(now);
            at = advanced(at, Bytes::of_len(count));
            bytes = later;
        }
    }
}

/// Where the block around `at` starts, and how far into it `at` is.
fn block_of(at: ImagePos) -> (ImagePos, usize) {
    let start = at.from_start().align_down(MD_BLOCK);
    let skip = at.from_start().saturating_sub(start);
    (ImagePos::at(start), to_len(skip))
}

impl ReadAt for MemImage {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        check_within(IoOp::Read, at, Bytes::of_len(buf.len()), self.size)?;
        let (mut at, mut rest) = (at, buf);
        while !rest.is_empty() {
            let (start, skip) = block_of(at);
            let count = rest.len().min(BLOCK.saturating_sub(skip));
            let (now, later) = rest.split_at_mut(count);
            match self.blocks.get(&start) {
                Some(block) => now.copy_from_slice(block.split_at(skip).1.split_at(count).0),
                None => now.fill(0),
            }
            at = advanced(at, Bytes::of_len(count));
            rest = later;
        }
        Ok(())
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        let end = ImagePos::at(self.size);
        if from >= end {
            return Ok(None);
        }
        let mut found: Option<Range<ImagePos>> = None;
        for start in self
            .blocks
            .range(block_of(from).0..end)
            .map(|(start, _)| *start)
        {
            let stop = start
                .checked_add(MD_BLOCK)
                .map_or(end, |stop| stop.min(end));
            match &mut found {
                None => found = Some(start.max(from)..stop),
                Some(data) if data.end == start => data.end = stop,
                Some(_) => break,
            }
        }
        Ok(found)
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        visit_by_reading(self, range, visit)
    }
}

impl WriteAt for MemImage {
    fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
        self.write_at(at, bytes)
    }

    fn resize(&mut self, size: Bytes) -> Result<()> {
        let (last, kept) = block_of(ImagePos::at(size));
        let mut beyond = self.blocks.split_off(&last);
        if let Some(mut block) = beyond.remove(&last).filter(|_| kept > 0) {
            block.split_at_mut(kept).1.fill(0);
            self.blocks.insert(last, block);
        }
        self.size = size;
        Ok(())
    }

    /// Does nothing: memory outlives nothing.
    fn sync(&mut self) -> Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::image::support::{MIB, all_data, bytes, io_error, numbered, pos};

    #[test]
    fn what_was_cut_off_is_a_hole_where_it_is_lengthened_again() {
        let mut image = MemImage::from_bytes(&[7; 10_000]);
        for cut in [8192, 5000, 4096] {
            image.resize(bytes(cut)).unwrap();
            assert_eq!(image.size(), bytes(cut));
            image.read_exact_at(pos(cut - 1), &mut [0; 2]).unwrap_err();
            image.resize(bytes(10_000)).unwrap();
            let mut found = vec![1; 10_000];
            image.read_exact_at(pos(0), &mut found).unwrap();
            let kept = usize::try_from(cut).unwrap();
            assert!(found[..kept].iter().all(|byte| *byte == 7));
            assert!(found[kept..].iter().all(|byte| *byte == 0));
        }
        assert_eq!(all_data(&image), [(0, 4096)]);
    }

    #[test]
    fn a_pebibyte_costs_what_was_written_to_it() {
        let size = 1 << 50;
        let mut image = MemImage::new(bytes(size));
        assert_eq!(all_data(&image), []);
        image.write_at(pos(size - 3), &[1, 2, 3]).unwrap();
        image.write_at(pos(MIB + 4095), &[4, 5]).unwrap();
        image.write_at(pos(MIB + 5 * 4096), &[6]).unwrap();
        assert_eq!(
            all_data(&image),
            [
                (MIB, MIB + 8192),
                (MIB + 20480, MIB + 24576),
                (size - 4096, size)
            ]
        );
        let data = image.next_data(pos(MIB + 9)).unwrap();
        assert_eq!(data, Some(pos(MIB + 9)..pos(MIB + 8192)));
        let mut buf = [9; 4];
        image.read_exact_at(pos(MIB + 4094), &mut buf).unwrap();
        assert_eq!(buf, [0, 4, 5, 0]);
    }

    #[test]
    fn the_largest_size_ends_in_a_partial_block() {
        let mut image = MemImage::new(bytes(u64::MAX));
        image.write_at(pos(u64::MAX - 2), &[1, 2]).unwrap();
        assert_eq!(all_data(&image), [(u64::MAX - 4095, u64::MAX)]);
        let mut buf = [0; 3];
        image.read_exact_at(pos(u64::MAX - 3), &mut buf).unwrap();
        assert_eq!(buf, [0, 1, 2]);
    }

    #[test]
    fn nothing_is_read_or_written_beyond_the_end() {
        let mut image = MemImage::from_bytes(&numbered(512));
        assert_eq!(image.size(), bytes(512));
        let error = io_error(image.write_at(pos(511), &[1, 2]));
        assert_eq!((error.op, error.at), (IoOp::Write, Some(pos(511))));
        assert!(image.read_exact_at(pos(0), &mut [0; 513]).is_err());
        assert_eq!(all_data(&image), [(0, 512)]);
        let mut last = [0];
        image.read_exact_at(pos(511), &mut last).unwrap();
        assert_eq!(last, [1], "the write that was refused wrote nothing");
    }

    #[test]
    fn blocks_of_zeros_become_holes() {
        let mut content = numbered(16384);
        content[4096..12288].fill(0);
        let image = MemImage::from_bytes(&content);
        assert_eq!(all_data(&image), [(0, 4096), (12288, 16384)]);
    }

    proptest! {
        #[test]
        fn it_holds_what_a_vector_would(
            writes in prop::collection::vec((0_usize..40_000, prop::collection::vec(1_u8.., 0..9000)), 0..6),
            at in 0_usize..50_000,
            len in 0_usize..50_000,
        ) {
            let mut model = vec![0; 50_000];
            let mut image = MemImage::new(Bytes::of_len(model.len()));
            for (at, content) in &writes {
                model[*at..at + content.len()].copy_from_slice(content);
                image.write_at(ImagePos::at(Bytes::of_len(*at)), content).unwrap();
            }
            let len = len.min(model.len() - at);
            let mut buf = vec![9; len];
            image.read_exact_at(ImagePos::at(Bytes::of_len(at)), &mut buf).unwrap();
            prop_assert_eq!(&buf, &model[at..at + len]);
            let data = all_data(&image);
            for (at, byte) in (0..).zip(model) {
                let may_hold_data = data.iter().any(|(start, end)| (*start..*end).contains(&at));
                prop_assert!(may_hold_data || byte == 0);
            }
        }
    }
}
