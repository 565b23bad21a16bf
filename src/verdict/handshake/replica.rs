//! A replica as a value: what its metadata says, and what was counted in it.

use super::node::flags;
use crate::format::metadata::Header;
use crate::format::superblock::{AlState, DeviceFlags};
use crate::units::Sectors;

/// A replica.
#[derive(Clone, Debug)]
pub struct Replica {
    /// What its superblock or dump says.
    pub header: Header,
    /// The largest DRBD device that its disk and its metadata allow; nothing where that is not known.
    pub capacity: Option<Sectors>,
    /// Set bits of each slot, as far as la-size goes or, where that is 0, as far as the metadata reaches; the log's extents among them
    /// where they are known. None where the bitmap is not here: a dump holds none where la-size is 0.
    pub slots: Vec<u64>,
    /// Of the first slot's, those among the last 64 bits.
    pub last_bits: u64,
    /// What is known of its log.
    pub log: Log,
}

/// What is known of a replica's activity log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Log {
    /// It was applied before, or names nothing that matters.
    Applied,
    /// It was read, and what it names is counted.
    Counted,
    /// It is not here: more bits may be set than were counted.
    Missing,
}

impl Replica {
    /// Whether its bitmap is here.
    pub(super) const fn has_bitmap(&self) -> bool {
        !self.slots.is_empty()
    }

    /// What its bitmap is about: the agreed size, or where there never was one all that its metadata reaches.
    pub(super) fn covered(&self) -> Sectors {
        if self.header.la_size == Sectors::ZERO {
            return self.capacity.unwrap_or_default();
        }
        self.header.la_size
    }
}

impl Log {
    /// What is known where only the metadata without its log is here: a log matters where the node may have been writing.
    #[must_use]
    pub fn unseen(header: &Header) -> Self {
        let writing = flags(header).contains(DeviceFlags::PRIMARY_IND);
        match header.al_state {
            AlState::Unclean if writing => Self::Missing,
            AlState::Unclean | AlState::Clean => Self::Applied,
        }
    }
}
