//! Reading what a file system says that it has: nothing outside the device, and no more than it has blocks.

use std::cell::Cell;
use std::ops::Range;

use crate::error::Result;
use crate::image::Window;
use crate::units::{Bytes, DevPos};

/// A device as numbered blocks.
pub(super) struct Blocks<'a> {
    device: Window<'a>,
    size: Bytes,
    /// Blocks of trees and directories that may still be read: a sane file system has each once.
    budget: Cell<u64>,
}

impl<'a> Blocks<'a> {
    /// Blocks of `size`, of which a walk may read eight times as many as the device has: each is needed a few times.
    pub(super) fn new(device: Window<'a>, size: Bytes) -> Self {
        let count = device.size().whole_units(size);
        Self {
            device,
            size,
            budget: Cell::new(count.saturating_mul(8).saturating_add(65_536)),
        }
    }

    pub(super) const fn device(&self) -> Window<'a> {
        self.device
    }

    /// Where `count` blocks from `first` on lie, on the device or beyond it; `None` beyond 64 bits.
    pub(super) fn range(&self, first: u64, count: u64) -> Option<Range<DevPos>> {
        let start = DevPos::at(self.size.checked_mul(first)?);
        Some(start..start.checked_add(self.size.checked_mul(count)?)?)
    }

    /// One block; `None` outside the device, or where the walk read more than there could be.
    pub(super) fn read(&self, block: u64) -> Result<Option<Vec<u8>>> {
        self.read_many(block, 1)
    }

    /// Consecutive blocks, a few.
    pub(super) fn read_many(&self, block: u64, count: u64) -> Result<Option<Vec<u8>>> {
        let left = self.budget.get().checked_sub(count);
        self.budget.set(left.unwrap_or(0));
        if left.is_none() {
            return Ok(None);
        }
        match self.range(block, count) {
            Some(range) => bytes(self.device, &range),
            None => Ok(None),
        }
    }

    /// One block that is no part of a walk, so that how often it is read does not depend on what it says.
    pub(super) fn uncounted(&self, block: u64) -> Result<Option<Vec<u8>>> {
        match self.range(block, 1) {
            Some(range) => bytes(self.device, &range),
            None => Ok(None),
        }
    }

    /// Whether a walk was stopped because it read more than there could be.
    pub(super) fn is_spent(&self) -> bool {
        self.budget.get() == 0
    }
}

/// The bytes of a range, if it lies on the device.
pub(super) fn bytes(device: Window<'_>, range: &Range<DevPos>) -> Result<Option<Vec<u8>>> {
    let len = range.end.bytes_since(range.start).and_then(Bytes::to_usize);
    let inside = range.end.from_start() <= device.size();
    let Some(len) = len.filter(|_| inside) else {
        return Ok(None);
    };
    let mut bytes = vec![0; len];
    device.read_exact_at(range.start, &mut bytes)?;
    Ok(Some(bytes))
}
