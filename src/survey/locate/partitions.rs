//! Metadata of a device's partitions: it counts from the partition's beginning, and not from the device's.

use super::chain::Finder;
use super::{LocateOptions, ScanMode};
use crate::error::Result;
use crate::image::Window;
use crate::survey::occupants::{Partition, partitions};
use crate::units::{Bytes, MD_BLOCK};

/// The partitions that have metadata.
pub(super) fn with_metadata(device: Window<'_>) -> Result<Vec<Partition>> {
    let mut found = Vec::new();
    for (partition, part, scan) in to_look_at(device, ScanMode::Auto)? {
        let options = LocateOptions {
            scan,
            ..LocateOptions::default()
        };
        if Finder::new(part, options).finds_any()? {
            found.push(partition);
        }
    }
    Ok(found)
}

/// The partitions of a device, each as a device of its own, and how far to look on it where nothing is in its place.
///
/// Where one begins on a whole block, a search of the device has seen all blocks of it. One that does not, as those of old disks that begin
/// at sector 63, is to be searched for itself. Of partitions that lie over each other, as in no table that is in order, not all are: together
/// no more is read than the device has.
pub(crate) fn to_look_at(
    device: Window<'_>,
    scan: ScanMode,
) -> Result<Vec<(Partition, Window<'_>, ScanMode)>> {
    let mut budget = device.size();
    let found = partitions(device)?.into_iter().filter_map(|partition| {
        let part = device.part(partition.start, partition.size)?;
        let rest = budget.checked_sub(partition.size);
        let searched = !begins_on_a_block(&partition) && rest.is_some();
        if searched {
            budget = rest.unwrap_or(Bytes::ZERO);
        }
        let scan = if searched { scan } else { ScanMode::Never };
        Some((partition, part, scan))
    });
    Ok(found.collect())
}

/// Whether the blocks of a partition are the device's.
fn begins_on_a_block(partition: &Partition) -> bool {
    let start = partition.start.from_start();
    start.align_down(MD_BLOCK) == start
}
