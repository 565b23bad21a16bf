//! A window into an image, held against the image's partition table.
//!
//! ```text
//! | table | partition 1 | partition 2 | backup of a GUID table |
//!         |<--- a window without a size would reach here --->|
//! ```
//!
//! Internal metadata is placed at a window's end: a window that begins at a partition's start is that partition's, and one that leaves the
//! partition it begins in would have somebody else's bytes overwritten.

use crate::error::{Refusal, Result};
use crate::image::Window;
use crate::survey::occupants::{Partition, Table, partition_table};
use crate::units::{Bytes, DevPos};

/// A window that something is not to be written through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowRefusal {
    /// It reaches beyond the partition that it begins in.
    #[error(
        "the window of {len} from {start} on leaves partition {number}, which it begins in and which ends at {end}: expected at most --size {fits}", fits = .fits.get()
    )]
    Leaves {
        /// The partition.
        number: u32,
        /// The window's first byte.
        start: DevPos,
        /// The window's size.
        len: Bytes,
        /// Where the partition ends.
        end: DevPos,
        /// The largest size that stays in the partition.
        fits: Bytes,
    },
    /// It begins in no partition and reaches into one.
    #[error(
        "the window of {len} from {start} on reaches into partition {number}, which begins at {end}: expected at most --size {fits}", fits = .fits.get()
    )]
    Reaches {
        /// The partition.
        number: u32,
        /// The window's first byte.
        start: DevPos,
        /// The window's size.
        len: Bytes,
        /// Where the partition begins.
        end: DevPos,
        /// The largest size that ends before it.
        fits: Bytes,
    },
    /// It holds what belongs to the partition table.
    #[error(
        "the window of {len} from {start} on reaches into the backup of the GUID partition table, behind {end}: expected at most --size {fits}", fits = .fits.get()
    )]
    BackupTable {
        /// The window's first byte.
        start: DevPos,
        /// The window's size.
        len: Bytes,
        /// Where what is for partitions ends.
        end: DevPos,
        /// The largest size that ends before it.
        fits: Bytes,
    },
}

impl WindowRefusal {
    /// The size that would fit.
    #[must_use]
    pub const fn fits(&self) -> Bytes {
        match self {
            Self::Leaves { fits, .. }
            | Self::Reaches { fits, .. }
            | Self::BackupTable { fits, .. } => *fits,
        }
    }
}

impl Refusal for WindowRefusal {}

/// The partition whose first byte is at `start` of an image: a window from there on is that partition.
///
/// # Errors
///
/// Errors of reading the partition table.
pub fn partition_at(image: Window<'_>, start: DevPos) -> Result<Option<Partition>> {
    let found = partition_table(image)?;
    let begins = |partition: &Partition| partition.start == start;
    Ok(found.partitions.into_iter().find(begins))
}

/// Refuses a window of `len` from `start` on through which somebody else's bytes could be overwritten. One that begins with the image is the
/// whole disk, and is another question.
///
/// # Errors
///
/// [`WindowRefusal`]; errors of reading the partition table.
pub fn hold(image: Window<'_>, start: DevPos, len: Bytes) -> Result<()> {
    if start == DevPos::START {
        return Ok(());
    }
    let found = partition_table(image)?;
    match refusal(&found, start, len) {
        Some(refusal) => Err(refusal.into()),
        None => Ok(()),
    }
}

fn refusal(found: &Table, start: DevPos, len: Bytes) -> Option<WindowRefusal> {
    // A window that is checked to lie in its image ends where a position is.
    let window_end = start.checked_add(len)?;
    let end_of = |partition: &Partition| partition.start.checked_add(partition.size);
    let inside = |partition: &&Partition| {
        partition.start <= start && end_of(partition).is_some_and(|end| start < end)
    };
    if let Some(partition) = found.partitions.iter().find(inside) {
        let end = end_of(partition)?;
        return (window_end > end).then_some(WindowRefusal::Leaves {
            number: partition.number,
            start,
            len,
            end,
            fits: end.bytes_since(start)?,
        });
    }
    let next = found
        .partitions
        .iter()
        .filter(|partition| partition.start > start)
        .min_by_key(|partition| partition.start);
    if let Some(next) = next.filter(|next| next.start < window_end) {
        return Some(WindowRefusal::Reaches {
            number: next.number,
            start,
            len,
            end: next.start,
            fits: next.start.bytes_since(start)?,
        });
    }
    let end = found.usable_end.filter(|end| window_end > *end)?;
    Some(WindowRefusal::BackupTable {
        start,
        len,
        end,
        fits: end.saturating_since(start),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> Table {
        let partition = |number, start, size| Partition {
            number,
            start: DevPos::new(start),
            size: Bytes::new(size),
        };
        Table {
            partitions: vec![partition(1, 1000, 500), partition(2, 2000, 500)],
            usable_end: Some(DevPos::new(3000)),
        }
    }

    fn fits(start: u64, len: u64) -> Option<u64> {
        let refusal = refusal(&found(), DevPos::new(start), Bytes::new(len));
        refusal.map(|refusal| refusal.fits().get())
    }

    #[test]
    fn a_window_stays_in_the_partition_that_it_begins_in() {
        assert_eq!(fits(1000, 500), None);
        assert_eq!(fits(1000, 501), Some(500));
        assert_eq!(fits(1200, 300), None);
        assert_eq!(fits(1200, 301), Some(300));
        assert_eq!(fits(2000, 1100), Some(500));
    }

    #[test]
    fn a_window_beside_the_partitions_stays_there() {
        assert_eq!(fits(1500, 500), None, "it ends where the next begins");
        assert_eq!(fits(1500, 501), Some(500));
        assert_eq!(fits(2500, 500), None, "it ends where the backup begins");
        assert_eq!(fits(2500, 501), Some(500));
        assert_eq!(fits(3100, 1), Some(0), "in the backup itself");
    }
}
