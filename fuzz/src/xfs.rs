//! Whatever is done to an XFS, every byte of it has an answer.

use super::volume::{disk, judge};

/// The property.
pub fn holds(data: &[u8]) {
    judge(&disk(data));
}
