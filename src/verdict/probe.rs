//! One answer to "is DRBD's metadata here?", for scripts that act on it.
//!
//! | status | word | meaning |
//! |---|---|---|
//! | 0 | `clean` | metadata, where DRBD looks, its activity log applied |
//! | 1 | `none` | no metadata: looked everywhere that it could be |
//! | 2 | `error` | could not look, or not everywhere |
//! | 3 | `unclean` | metadata, where DRBD looks, its activity log to be applied |
//! | 4 | `damaged` | metadata, or what is left of it, that DRBD would not take or not wholly |
//! | 5 | `moved` | metadata, but not where DRBD will look |
//! | 6 | `unexpected` | metadata, but not what the caller expects |
//!
//! Where metadata is in its place nothing else is read. Where it is not, everything that holds data is searched before the answer is
//! `none`: metadata may lie anywhere on a device that changed its size. Then what is left where DRBD looks counts too: an activity log
//! without its superblock, or a superblock without its magic. *Could not look* never is *nothing there*.

mod expect;
mod held;
mod partition;
mod prober;
mod status;

pub use crate::survey::contents::Contents;
pub use expect::{Difference, Expect};
pub use held::Held;
pub use partition::InPartition;
pub use status::Status;

use crate::error::{Misfit, Result};
use crate::format::activity_log::Verdict;
use crate::format::layout::MdIndex;
use crate::format::superblock::Format;
use crate::image::Window;
use crate::survey::locate::{IndexChoice, Level, Located, ScanMode, Why};
use crate::survey::occupants::Occupant;
use crate::units::{Bytes, DevPos};

/// Which resource of a stack is asked about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Which {
    /// The one that DRBD finds on this device.
    #[default]
    Outermost,
    /// The innermost of a stack: with one resource alone there is none.
    Innermost,
    /// The innermost, which may be the only one.
    Last,
    /// That one, counted from the outermost.
    Number(usize),
}

/// What to look for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProbeOptions {
    /// Where DRBD will look on the outermost level.
    pub index: IndexChoice,
    /// How far to look where nothing is in its place.
    pub scan: ScanMode,
    /// Which resource is asked about.
    pub which: Which,
    /// The superblock is exactly there.
    pub at: Option<DevPos>,
    /// What the metadata should say.
    pub expect: Expect,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Probed {
    /// What it comes to.
    pub answer: Answer,
    /// The number of the resource asked about, counted from the outermost.
    pub number: usize,
    /// Every resource found, and what only looks like one.
    pub located: Located,
    /// What the metadata says that was expected otherwise.
    pub differences: Vec<Difference>,
}

impl Probed {
    /// The resource asked about, where it was found.
    #[must_use]
    pub fn level(&self) -> Option<&Level> {
        self.located.levels.get(self.number)
    }

    /// What the caller is to do by.
    #[must_use]
    pub fn status(&self) -> Status {
        if self.differences.is_empty() {
            self.own_status()
        } else {
            Status::Unexpected
        }
    }

    /// The same, whatever was expected.
    #[must_use]
    pub fn own_status(&self) -> Status {
        match &self.answer {
            Answer::Clean => Status::Clean,
            Answer::Unclean { .. } => Status::Unclean,
            Answer::None(_) => Status::None,
            Answer::Unseen(_) => Status::Error,
            Answer::Damaged(_) => Status::Damaged,
            Answer::Moved(_) => Status::Moved,
            Answer::InPartition(one) => one.status(),
            Answer::Held(one) => one.status(),
        }
    }

    /// The size of the DRBD device, where it is known and it is the expected one's: the true end of the data.
    #[must_use]
    pub fn net_size(&self) -> Option<Bytes> {
        let trusted = matches!(
            self.status(),
            Status::Clean | Status::Unclean | Status::Moved
        );
        let level = self.level().filter(|_| trusted)?;
        level.known_drbd_device()?.to_bytes()
    }

    fn of(answer: Answer, located: Located) -> Self {
        Self {
            answer,
            number: 0,
            located,
            differences: Vec::new(),
        }
    }
}

/// What a device comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Metadata in its place, its activity log applied.
    Clean,
    /// Metadata in its place, its activity log to be applied.
    Unclean {
        /// The log changed while it was read: something is writing to the device.
        in_use: bool,
    },
    /// No metadata anywhere, and what is there instead.
    None(Contents),
    /// It was not looked everywhere.
    Unseen(Unseen),
    /// Metadata that DRBD would not take, or could not rely on.
    Damaged(Damage),
    /// Metadata, but not where DRBD will look.
    Moved(Moved),
    /// Metadata, but of a partition: DRBD looks for it on that, not on the whole device.
    InPartition(Box<InPartition>),
    /// Metadata, but of a device that something on this one holds: a logical volume, an array.
    Held(Box<Held>),
}

/// Why it was not looked everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unseen {
    /// There is nothing to look at: no bytes.
    Empty,
    /// Nothing was found where DRBD looks, and the caller wanted no search.
    NotSearched,
    /// No superblock is where the caller said, and nothing else was looked at.
    NotThere {
        /// Where that is.
        at: DevPos,
    },
    /// What lives there ends beyond the end: the part that would have the metadata is missing.
    CutOff(Occupant),
    /// The resource around has external metadata: what lies inside it is on another device.
    DataElsewhere,
}

/// What is wrong with metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Damage {
    /// A superblock's field contradicts the others, or the position.
    Superblock {
        /// The superblock.
        at: DevPos,
        /// Its format, by its magic.
        format: Format,
        /// What contradicts what.
        misfit: Misfit,
        /// Whether DRBD looks there.
        in_place: bool,
    },
    /// A superblock that fits its place, and that a kernel would refuse to attach all the same.
    Refused {
        /// The rule of [`crate::verdict::check`] that says so.
        rule: &'static str,
        /// What was found, and what was expected.
        found: String,
    },
    /// A superblock that every kernel attaches, and by which changes get lost.
    Unsound {
        /// What is wrong with it.
        why: String,
    },
    /// A block is a superblock but for its magic.
    Magic {
        /// The block.
        at: DevPos,
        /// The format, by everything else.
        format: Format,
        /// The word where its magic should be.
        found: u32,
    },
    /// A change of mdtool's was interrupted, and left a superblock without its magic.
    UnderWay {
        /// The block.
        at: DevPos,
        /// Its format.
        format: Format,
    },
    /// An activity log has no superblock.
    LogAlone {
        /// The first block of it that was found.
        log: DevPos,
        /// Where its superblock should be.
        superblock: DevPos,
        /// How much of that is there, where the end of the device cuts it off.
        left: Bytes,
    },
    /// The node was Primary, and its log does not cover all that it was writing to: `apply-al` cannot mend that.
    Log(Verdict),
}

/// Where metadata is, and where DRBD will look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moved {
    /// A resource that was found.
    Level {
        /// Where DRBD will look; `None` where the device is too small for any.
        expected: Option<DevPos>,
        /// The size of the device that the metadata was laid out for.
        made_for: Bytes,
        /// The size of the device.
        device: Bytes,
        /// The placement that was asked for, where the metadata has another.
        asked: Option<MdIndex>,
    },
    /// A superblock that a change of mdtool's took out of use: its metadata was put somewhere else.
    Retired {
        /// The superblock.
        at: DevPos,
        /// Its format.
        format: Format,
    },
    /// A superblock that is no level of the stack.
    Stray {
        /// The superblock.
        at: DevPos,
        /// Its format.
        format: Format,
        /// Why it is none.
        why: Why,
    },
}

/// Looks whether DRBD's metadata is on a device.
///
/// # Errors
///
/// Read errors, and [`Unsupported::FileForm`](crate::error::Unsupported::FileForm) for an image in another format: [`Status::Error`].
pub fn probe(device: Window<'_>, options: &ProbeOptions) -> Result<Probed> {
    let mut probed = prober::Prober::new(device, *options).look()?;
    if !matches!(probed.answer, Answer::Unseen(_) | Answer::None(_)) {
        let level = match &probed.answer {
            Answer::InPartition(one) => one.inside.level(),
            Answer::Held(one) => one.probed.as_ref().and_then(Probed::level),
            _ => probed.level(),
        };
        probed.differences = level
            .map(|level| options.expect.differences(level))
            .unwrap_or_default();
    }
    Ok(probed)
}

#[cfg(test)]
mod tests;
