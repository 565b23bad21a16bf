//! Setting and clearing bits by hand: the bitmap's bytes change, and nothing else unless it is asked for.
//!
//! ```text
//! ranges of bytes ──▶ RangeSet ──▶ sorted, merged ──▶ Rounded ──▶ runs of bits ──▶ draft: chunk by chunk, every slot that is meant
//! ```

mod draft;
mod ranges;
mod rounded;

pub use draft::{BitEdit, Changed, draft};
pub use ranges::{RangeSet, Sorted};
pub use rounded::{Direction, Rounded, Scale};
