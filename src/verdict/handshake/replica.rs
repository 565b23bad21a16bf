//! A replica as a value: what its metadata says, and what was counted in it.

use super::at_attach::is_fresh;
use super::node::flags;
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::{AlState, DeviceFlags};
use crate::units::Sectors;
use crate::verdict::check::AttachRefusal;

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
    /// Kernels that would not attach it once its log is applied; v07 and granularity are asked about apart from that.
    pub refusals: Vec<AttachRefusal>,
    /// Whether its device flags are known.
    pub flags: FlagsTold,
}

/// Whether what a replica says of its flags is so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlagsTold {
    /// It is.
    #[default]
    Known,
    /// A dump does not hold them: they are taken for those of a disk that was detached in good order while it was `UpToDate`.
    Assumed,
    /// A dump says 0, which may be so or not: it is taken at its word.
    Doubtful,
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
    /// Judges v08's flags of a dump that says 0, as drbd-utils from 2012 to 9.32 do whatever the disk says.
    ///
    /// No kernel or tool leaves clean metadata without `MDF_AL_CLEAN`, so that a clean dump is not true: the flags are taken
    /// for those of a disk that was detached in good order while it was `UpToDate`. An unclean one may. One that never had data is
    /// Inconsistent in either case.
    pub fn doubt_flags(&mut self) {
        if is_fresh(&self.header) {
            return;
        }
        let Generation::V08(generation) = &mut self.header.generation else {
            return;
        };
        if self.header.al_state == AlState::Clean {
            generation.flags.0 |= DeviceFlags::CONSISTENT.0 | DeviceFlags::WAS_UP_TO_DATE.0;
            self.flags = FlagsTold::Assumed;
        } else {
            self.flags = FlagsTold::Doubtful;
        }
    }

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
