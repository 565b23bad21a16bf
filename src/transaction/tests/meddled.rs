//! A disk that is not what was written to it.

use std::ops::{ControlFlow, Range};

use super::crash_disk::CrashDisk;
use crate::error::Result;
use crate::image::{ReadAt, WriteAt};
use crate::units::{Bytes, ImagePos};

/// A disk that another writes to, or that does not keep what is written: a byte differs from the `n`th read on.
pub(super) struct Meddled {
    pub(super) disk: CrashDisk,
    pub(super) at: usize,
    pub(super) from: usize,
}

impl ReadAt for Meddled {
    fn size(&self) -> Bytes {
        self.disk.size()
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        self.disk.read_exact_at(at, buf)?;
        let start = at.from_start().to_usize().unwrap();
        let [_, _, reads] = self.disk.attempts();
        if reads > self.from && (start..start + buf.len()).contains(&self.at) {
            buf[self.at - start] ^= 1;
        }
        Ok(())
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        self.disk.next_data(from)
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        self.disk.visit(range, visit)
    }
}

impl WriteAt for Meddled {
    fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
        self.disk.write_all_at(at, bytes)
    }

    fn resize(&mut self, size: Bytes) -> Result<()> {
        self.disk.resize(size)
    }

    fn sync(&mut self) -> Result<()> {
        self.disk.sync()
    }
}
