//! `struct xlog_rec_header`: whether the log has anything that is still to be replayed.
//!
//! ```text
//! | record | record | … | record of the unmounting |  older records, or zeros           |
//!  cycle n                                         ^  cycle n - 1, or 0
//!                                                 head
//! ```
//!
//! Every sector begins with the number of its cycle, in a record's header behind its magic. The head is where the number changes. Where the record
//! before it is that of an unmounting, nothing is to be replayed (`xlog_check_unmount_rec`, `xfs_log_recover.c`).

use super::Xfs;
use crate::error::Result;
use crate::survey::bytes::{array, be32, be64, has};
use crate::survey::filesystems::blocks::bytes;
use crate::units::{Bytes, DevPos};

/// What the log is counted in.
const SECTOR: Bytes = Bytes::new(512);
/// `XLOG_HEADER_MAGIC_NUM`.
const RECORD: [u8; 4] = [0xFE, 0xED, 0xBA, 0xBE];
/// `XLOG_HEADER_CYCLE_SIZE`: of so many bytes a header has room for the first words.
const HEADER_COVERS: u32 = 32 << 10;
/// `XLOG_UNMOUNT_TRANS`, a flag of an operation.
const UNMOUNT: u8 = 0x20;
/// Sectors that may be written at a time, in any order: `XLOG_TOTAL_REC_SHIFT`, eight buffers of 256 KiB.
const IN_FLIGHT: u64 = 4096;

/// Whether the log ends with the record of an unmounting; `false` where that cannot be seen.
pub(super) fn is_unmounted(xfs: &Xfs<'_>) -> Result<bool> {
    let Some(log) = Log::of(xfs) else {
        return Ok(false);
    };
    let Some(head) = log.head()? else {
        return Ok(false);
    };
    for back in 1..=log.len.min(IN_FLIGHT) {
        let Some(at) = log.wrapped(log.len.saturating_add(head).saturating_sub(back)) else {
            break;
        };
        let Some(sector) = log.sector(at)? else {
            break;
        };
        if has(&sector, 0, &RECORD) {
            return log.is_unmounting(&sector, at, head);
        }
    }
    Ok(false)
}

/// The log's sectors.
struct Log<'x, 'd> {
    xfs: &'x Xfs<'d>,
    start: DevPos,
    len: u64,
}

impl<'x, 'd> Log<'x, 'd> {
    fn of(xfs: &'x Xfs<'d>) -> Option<Self> {
        let (first, count) = xfs.superblock.log()?;
        let range = xfs.blocks.range(first, count)?;
        let len = range.end.bytes_since(range.start)?.whole_units(SECTOR);
        Some(Self {
            xfs,
            start: range.start,
            len,
        })
    }

    /// A sector's number, counted on from the start where the log ends.
    fn wrapped(&self, number: u64) -> Option<u64> {
        number.checked_rem(self.len)
    }

    fn sectors(&self, first: u64, count: u64) -> Result<Option<Vec<u8>>> {
        let range = || {
            let start = self.start.checked_add(SECTOR.checked_mul(first)?)?;
            Some(start..start.checked_add(SECTOR.checked_mul(count)?)?)
        };
        match range() {
            Some(range) => bytes(self.xfs.blocks.device(), &range),
            None => Ok(None),
        }
    }

    fn sector(&self, number: u64) -> Result<Option<Vec<u8>>> {
        self.sectors(number, 1)
    }

    fn cycle(&self, number: u64) -> Result<Option<u32>> {
        Ok(self.sector(number)?.and_then(|sector| cycle(&sector)))
    }

    /// Where the next record would begin; `None` where the cycles around it are not in order.
    fn head(&self) -> Result<Option<u64>> {
        let last = self.len.saturating_sub(1);
        let (Some(first), Some(last)) = (self.cycle(0)?, self.cycle(last)?) else {
            return Ok(None);
        };
        if first == 0 {
            return Ok(None);
        }
        if last != first && last != 0 && last.checked_add(1) != Some(first) {
            return Ok(None);
        }
        // All of `first` before it, none from it on.
        let (mut head, mut end) = (0, self.len);
        while head < end {
            let middle = head.midpoint(end);
            let Some(cycle) = self.cycle(middle)? else {
                return Ok(None);
            };
            if cycle == first {
                head = middle.saturating_add(1);
            } else {
                end = middle;
            }
        }
        let before = head.saturating_sub(IN_FLIGHT)..head;
        let behind = head..head.saturating_add(IN_FLIGHT).min(self.len);
        let in_order = self.all_of(before, first)? && self.all_of(behind, last)?;
        Ok(in_order.then_some(head))
    }

    fn all_of(&self, numbers: std::ops::Range<u64>, expected: u32) -> Result<bool> {
        let count = numbers.end.saturating_sub(numbers.start);
        let sectors = self.sectors(numbers.start, count)?;
        // OK to fall back: a range without sectors has none of another cycle.
        let sectors = sectors.unwrap_or_default();
        let mut sectors = sectors.chunks(SECTOR.to_usize().unwrap_or(1));
        Ok(sectors.all(|sector| cycle(sector) == Some(expected)))
    }

    /// Whether the record at a sector is that of an unmounting, and nothing follows it before the head.
    fn is_unmounting(&self, header: &[u8], at: u64, head: u64) -> Result<bool> {
        let record = || {
            let long = be32(header, 8)? & 2 != 0;
            let size = be32(header, 320)?;
            let headers = if long {
                size.div_ceil(HEADER_COVERS).max(1)
            } else {
                1
            };
            let data = self.wrapped(at.checked_add(headers.into())?)?;
            let len = Bytes::new(be32(header, 12)?.into()).whole_units(SECTOR);
            let place = be64(header, 16)? & u64::from(u32::MAX);
            let own = array::<16>(header, 304)? == self.xfs.superblock.uuid;
            let alone = be32(header, 40)? == 1;
            let next = self.wrapped(data.checked_add(len)?)?;
            let ends = Some(next) == self.wrapped(head);
            (own && alone && ends && place == at).then_some(data)
        };
        let Some(data) = record() else {
            return Ok(false);
        };
        // `struct xlog_op_header`: oh_flags.
        let flags = self.sector(data)?.and_then(|sector| sector.get(9).copied());
        Ok(flags.is_some_and(|flags| flags & UNMOUNT != 0))
    }
}

/// The number of the cycle in which a sector was written.
fn cycle(sector: &[u8]) -> Option<u32> {
    be32(sector, if has(sector, 0, &RECORD) { 4 } else { 0 })
}
