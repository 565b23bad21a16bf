//! Whatever is done to a partition table, every byte of the disk has an answer.

use super::volume::{disk, judge};

/// The property.
pub fn holds(data: &[u8]) {
    judge(&disk(data));
}
