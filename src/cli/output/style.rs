//! How results are written for people, as `--bytes` and `--verbose` ask: set once, before anything is printed.
//!
//! What prints a size is far from the arguments, and often a `Display`: so this is the program's, not each command's.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sizes are exact numbers of bytes only.
static EXACT: AtomicBool = AtomicBool::new(false);
/// What only somebody who knows DRBD's structures asks for is printed, too.
static INTERNALS: AtomicBool = AtomicBool::new(false);

/// From now on.
pub(crate) fn set(exact: bool, internals: bool) {
    EXACT.store(exact, Ordering::Relaxed);
    INTERNALS.store(internals, Ordering::Relaxed);
}

/// Whether sizes are exact numbers of bytes only.
pub(crate) fn exact() -> bool {
    EXACT.load(Ordering::Relaxed)
}

/// Whether the phases of a change, and fields that nothing but DRBD reads, are printed.
pub(crate) fn internals() -> bool {
    INTERNALS.load(Ordering::Relaxed)
}
