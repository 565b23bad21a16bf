//! What there may be to say of a pair.

use crate::format::superblock::Uuid;
use crate::terms::Format;
use crate::units::Sectors;
use crate::verdict::check::{AttachRefusal, Kernel};
use crate::verdict::handshake::Family;
use crate::verdict::handshake::disk::Disk;
use crate::verdict::handshake::node::{NeverSized, Whole};

/// Something that keeps a pair from connecting; sides are 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// v07, which no kernel since DRBD 8 attaches.
    OldFormat {
        /// Whose.
        side: usize,
    },
    /// The kernel knows one granularity, and these bits are of another.
    BytesPerBit {
        /// Whose.
        side: usize,
        /// Of which format.
        format: Format,
        /// What a bit stands for.
        bytes: u32,
    },
    /// The kernel does not read this format.
    NotRead {
        /// Whose.
        side: usize,
        /// Which kernel.
        kernel: Kernel,
        /// Which format.
        format: Format,
    },
    /// The kernel refuses to attach it.
    Attach {
        /// Whose.
        side: usize,
        /// Which kernel, and why.
        refusal: AttachRefusal,
    },
    /// Both say that they are the same node.
    SameNodeId {
        /// Which.
        id: usize,
    },
    /// It has no bitmap slot for the other, and none is free.
    NoSlot {
        /// Whose.
        side: usize,
        /// How many it has.
        slots: u32,
    },
    /// It would have to shrink for the other.
    TooSmall {
        /// Which would have to.
        side: usize,
        /// To what.
        agreed: Sectors,
        /// From what.
        current: Sectors,
        /// That is the configured size, whatever the other has room for.
        configured: bool,
    },
    /// An option that has to be the same on both sides is not.
    Settings {
        /// Its name.
        name: &'static str,
    },
    /// It is Primary, and cannot discard its data.
    DiscardAsPrimary {
        /// Which.
        side: usize,
    },
    /// Both are Primary, and that is not allowed.
    TwoPrimaries,
    /// It would send, and is Inconsistent.
    InconsistentSource {
        /// Which.
        side: usize,
    },
    /// It would get data, and is Primary.
    PrimaryTarget {
        /// Which.
        side: usize,
    },
}

/// Bits that were counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counted {
    /// How many.
    pub bits: u64,
    /// There may be more: a log, or a bitmap, is not here.
    pub at_least: bool,
}

/// Why everything is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyFull {
    /// One never had data.
    Fresh {
        /// Which.
        side: usize,
    },
    /// The target's generation is in the source's history, and no bitmap counts from it.
    History,
    /// Only a past generation is common to both.
    Ambiguous,
    /// The slot that counts from the target's generation is gone.
    NoSlot,
    /// Attach marks everything on one side.
    Marked {
        /// Which.
        side: usize,
        /// Why.
        why: Whole,
    },
}

impl WhyFull {
    /// Whether a partial resync would have done, had the generations or the size been kept.
    const fn is_avoidable(self) -> bool {
        match self {
            Self::History | Self::Ambiguous | Self::NoSlot => true,
            Self::Marked { why, .. } => matches!(why, Whole::NeverSized),
            Self::Fresh { .. } => false,
        }
    }
}

/// Something that is lost where they connect; sides are 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// Bits that are set and not sent.
    Unsent {
        /// Whose.
        side: usize,
        /// How many.
        bits: Counted,
        /// Whether they stay set: 8.4; 9 clears them.
        kept: bool,
    },
    /// What a side wrote is overwritten.
    Discarded {
        /// Whose.
        side: usize,
        /// Bits that mark it; nothing where they do not count from a generation that both had.
        bits: Option<Counted>,
    },
    /// What one of the two wrote is overwritten, and nothing on disk decides which.
    OneDiscarded {
        /// What either has marked, as above.
        bits: [Option<Counted>; 2],
    },
    /// Bits on disk that attach does not read, because the metadata never had a size (9).
    NotRead {
        /// Whose.
        side: usize,
        /// How many.
        bits: u64,
    },
    /// 8.4 drops the last 64 bits at attach.
    LastBits {
        /// Whose.
        side: usize,
        /// Set ones among them.
        bits: u64,
    },
}

/// Something worth knowing; sides are 0 and 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// One is v08 and the other v09, so that they speak 8.4's protocol.
    Formats,
    /// Its log was not applied; that has to be done before attach.
    Unclean {
        /// Whose.
        side: usize,
    },
    /// The dump says flags 0, as some drbd-utils do of every disk.
    FlagsNotInDump {
        /// Whose.
        side: usize,
        /// It is taken to be `UpToDate` and not to have crashed, since that cannot be true; else it is taken at its word.
        assumed: bool,
    },
    /// Its log is not here.
    LogMissing {
        /// Whose.
        side: usize,
    },
    /// Both have one device UUID: one is a copy of the other.
    Clone {
        /// Which.
        uuid: Uuid,
    },
    /// It never had a size.
    NeverSized {
        /// Which.
        side: usize,
        /// What attach makes of its bitmap.
        bitmap: NeverSized,
    },
    /// It is a dump that holds no bitmap, since it never had a size; what is marked on its disk is not known.
    NoBitmap {
        /// Which.
        side: usize,
        /// Whether attach reads it on the disk.
        read: bool,
    },
    /// It was seen with no peer's disk, so that the kernel takes all of its own.
    MayGrow {
        /// Which.
        side: usize,
        /// From the agreed size.
        from: Sectors,
        /// To what its disk allows.
        to: Sectors,
    },
    /// The size that the disk allows is not known.
    SizeNotKnown {
        /// Whose.
        side: usize,
    },
    /// The device grows on connecting.
    Grows {
        /// Which side's.
        side: usize,
        /// From.
        from: Sectors,
        /// To.
        to: Sectors,
    },
    /// Bits stand for different amounts.
    Granularity {
        /// Each side's bytes per bit.
        bytes: [u32; 2],
    },
    /// It is not promoted: its disk is not `UpToDate`.
    NotPromoted {
        /// Which.
        side: usize,
        /// What its disk is.
        disk: Disk,
    },
    /// Promoting it starts a new generation (8.4).
    NewGeneration {
        /// Which.
        side: usize,
    },
    /// It lost quorum while it was Primary, and is taken for a node with a quorum policy.
    QuorumAssumed {
        /// Which.
        side: usize,
    },
    /// It does not know the other node; a free slot is given to it.
    UnknownPeer {
        /// Which does not.
        side: usize,
        /// Which node.
        id: usize,
        /// Which slot.
        slot: u8,
    },
    /// Everything is sent.
    FullSync {
        /// Why.
        why: WhyFull,
    },
    /// Only a past generation is common to both, and no bitmap counts from it.
    Uncounted {
        /// Which kernels: what `discard-my-data` sends differs.
        family: Family,
    },
    /// It sends though it is Inconsistent, and the resync hangs (9).
    Hangs {
        /// Which.
        side: usize,
        /// Whether `discard-my-data` makes it the target: the other is consistent, and this resync can be turned around.
        turns: bool,
    },
    /// The common bitmap UUID is 4, `JUST_CREATED`: both were made Primary by force, and the data has nothing in common (8.4).
    ForcedBoth,
    /// All that the histories have in common are empty entries: the data may have nothing in common (8.4).
    EmptyHistory,
    /// The two sides decide differently.
    NotMirrored,
    /// The generations are equal, and only a crash flag decides.
    CrashDecides {
        /// Who crashed.
        side: usize,
    },
}

impl Note {
    /// Whether it keeps a pair from being fine.
    #[must_use]
    pub const fn is_finding(&self) -> bool {
        match self {
            Self::FullSync { why } => why.is_avoidable(),
            Self::NoBitmap { read, .. } => !*read,
            Self::Uncounted { .. }
            | Self::Hangs { .. }
            | Self::ForcedBoth
            | Self::EmptyHistory
            | Self::NotMirrored => true,
            _ => false,
        }
    }
}
