//! Applying an activity log: what it names becomes out of sync in the bitmap.
//!
//! A kernel never does this itself since DRBD 8.4: it refuses to attach what is unclean, and `drbdadm` runs `drbdmeta apply-al` first.
//! [`LogState::read`](crate::survey::log::LogState::read) replays the log of one level; [`Marking`] says which bits follow from it; [`draft`] puts them on disk, and
//! [`Applied`] into a bitmap that is only read, for export.
//!
//! Every slot gets the bits, whether a peer is assigned to it or not: unassigned ones keep track of changes for peers to come. A log names
//! extents of 4 MiB whatever the bitmap's granularity. What lies beyond the bitmap's end is clipped; the last extent never is left out, as
//! drbd-utils 9.33 and newer do where it ends with the bitmap.

mod draft;
mod marking;
mod overlay;

pub use draft::{Gained, draft, gained, superblock_after};
pub use marking::Marking;
pub use overlay::Applied;

use crate::format::superblock::Format;

/// Whether a format has a place to say that its log is applied, and a log that is emptied then.
#[must_use]
pub fn can_be_clean(format: Format) -> bool {
    format != Format::V07
}
