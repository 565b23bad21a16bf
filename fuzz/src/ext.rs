//! Whatever is done to an ext4, every byte of it has an answer.

use super::volume::{disk, judge};

/// The property.
pub fn holds(data: &[u8]) {
    judge(&disk(data));
}
