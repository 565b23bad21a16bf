//! Which bytes belong to a level.
//!
//! ```text
//! |<------------------- backing device of the outer level -------------------->|
//! |<------- backing device of the inner level -------->| bitmap | log | sb |
//! |<---- data ---->| bitmap | log | sb |
//! ```

use super::TruckRefusal;
use crate::format::layout::MdLayout;
use crate::survey::locate::Level;
use crate::units::Bytes;

/// How far a copy of this level reaches from the first byte on: to the end of its metadata, or of its data only.
///
/// A disk of exactly that size attaches as it is. That is the end of the superblock's block wherever the formulas place the metadata the
/// same on a disk that ends there; else the few sectors more that the level's own backing device had.
///
/// # Errors
///
/// [`TruckRefusal::External`] for metadata on a device of its own.
pub fn of(level: &Level, data_only: bool) -> Result<Bytes, TruckRefusal> {
    let layout = &level.layout;
    if !layout.index.is_internal() {
        return Err(TruckRefusal::External);
    }
    if data_only {
        return Ok(level.drbd_device().to_bytes().unwrap_or(level.device));
    }
    let end = layout.whole.end.from_start();
    let there = MdLayout::of(&level.superblock, layout.index, end);
    let same = there.is_ok_and(|there| there.whole == layout.whole);
    Ok(if same { end } else { level.device })
}
