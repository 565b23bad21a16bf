//! How results are written for people, as `--bytes`, `--verbose` and `--quiet` ask: set once, before anything is printed.
//!
//! What prints a size is far from the arguments, and often a `Display`: so this is the program's, not each command's.

use std::sync::atomic::{AtomicBool, Ordering};

/// Sizes are exact numbers of bytes only.
static EXACT: AtomicBool = AtomicBool::new(false);
/// What only somebody who knows DRBD's structures asks for is printed, too.
static INTERNALS: AtomicBool = AtomicBool::new(false);

/// Nothing but results and errors is printed.
static QUIET: AtomicBool = AtomicBool::new(false);

/// From now on.
pub(crate) fn set(exact: bool, internals: bool, quiet: bool) {
    EXACT.store(exact, Ordering::Relaxed);
    INTERNALS.store(internals, Ordering::Relaxed);
    QUIET.store(quiet, Ordering::Relaxed);
}

/// Whether nothing but results and errors is printed.
pub(crate) fn quiet() -> bool {
    QUIET.load(Ordering::Relaxed)
}

/// Whether sizes are exact numbers of bytes only.
pub(crate) fn exact() -> bool {
    EXACT.load(Ordering::Relaxed)
}

/// Whether the phases of a change, and fields that nothing but DRBD reads, are printed.
pub(crate) fn internals() -> bool {
    INTERNALS.load(Ordering::Relaxed)
}
