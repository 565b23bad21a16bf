//! What can come of a handshake.

use std::fmt;

/// What one side's comparison of the generations asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Strategy {
    /// No resync.
    NoSync,
    /// This side sends what the bitmaps name.
    Source,
    /// This side sends everything.
    SourceFull,
    /// This side sends what the slot of another peer names.
    SourceCopy,
    /// Sends what the bitmaps name, unless a Primary says otherwise.
    SourceIfBothFailed,
    /// This side gets what the bitmaps name.
    Target,
    /// This side gets everything.
    TargetFull,
    /// Gets what the peer's copied slot names; its own bits are cleared.
    TargetCleared,
    /// Gets what the bitmaps name, unless a Primary says otherwise.
    TargetIfBothFailed,
    /// Split brain with a common bitmap: the policies may solve it.
    SplitBrain,
    /// Split brain with a common history: the policies may solve it where they are told to.
    SplitBrainAmbiguous,
    /// Nothing in common.
    Unrelated,
}

/// Which way a resync goes, seen from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Source,
    Target,
}

impl Strategy {
    pub(super) const fn direction(self) -> Option<Direction> {
        match self {
            Self::Source | Self::SourceFull | Self::SourceCopy | Self::SourceIfBothFailed => {
                Some(Direction::Source)
            }
            Self::Target | Self::TargetFull | Self::TargetCleared | Self::TargetIfBothFailed => {
                Some(Direction::Target)
            }
            _ => None,
        }
    }

    pub(super) const fn is_split_brain(self) -> bool {
        matches!(self, Self::SplitBrain | Self::SplitBrainAmbiguous)
    }

    pub(super) const fn if_both_failed(self) -> bool {
        matches!(self, Self::SourceIfBothFailed | Self::TargetIfBothFailed)
    }

    /// The same the other way round, where the kernel has one.
    pub(super) const fn reversed(self) -> Option<Self> {
        match self {
            Self::Source => Some(Self::Target),
            Self::SourceFull => Some(Self::TargetFull),
            Self::SourceIfBothFailed => Some(Self::TargetIfBothFailed),
            Self::Target => Some(Self::Source),
            Self::TargetFull => Some(Self::SourceFull),
            Self::TargetIfBothFailed => Some(Self::SourceIfBothFailed),
            _ => None,
        }
    }

    /// The same with all bits set.
    pub(super) const fn full(self) -> Option<Self> {
        match self.direction() {
            Some(Direction::Source) => Some(Self::SourceFull),
            Some(Direction::Target) => Some(Self::TargetFull),
            None => None,
        }
    }

    /// What it comes to, where nothing else has a say.
    pub(super) const fn decision(self) -> Decision {
        match self {
            Self::NoSync => Decision::NoSync,
            Self::Source | Self::SourceCopy | Self::SourceIfBothFailed => Decision::SourceBitmap,
            Self::SourceFull => Decision::SourceFull,
            Self::Target | Self::TargetCleared | Self::TargetIfBothFailed => Decision::TargetBitmap,
            Self::TargetFull => Decision::TargetFull,
            Self::SplitBrain | Self::SplitBrainAmbiguous => Decision::SplitBrain,
            Self::Unrelated => Decision::Unrelated,
        }
    }
}

/// What comes of a handshake, seen from one side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// They connect, and nothing is sent.
    NoSync,
    /// This side sends what the bitmaps name.
    SourceBitmap,
    /// This side gets what the bitmaps name.
    TargetBitmap,
    /// This side sends everything.
    SourceFull,
    /// This side gets everything.
    TargetFull,
    /// Both wrote since they parted; they do not connect.
    SplitBrain,
    /// They have no generation in common; they do not connect.
    Unrelated,
    /// Something else keeps them from connecting.
    Refused,
}

impl Decision {
    /// Its name, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoSync => "no-sync",
            Self::SourceBitmap => "source-bitmap",
            Self::TargetBitmap => "target-bitmap",
            Self::SourceFull => "source-full",
            Self::TargetFull => "target-full",
            Self::SplitBrain => "split-brain",
            Self::Unrelated => "unrelated",
            Self::Refused => "refused",
        }
    }

    /// The same, seen from the other side.
    #[must_use]
    pub const fn mirrored(self) -> Self {
        match self {
            Self::SourceBitmap => Self::TargetBitmap,
            Self::TargetBitmap => Self::SourceBitmap,
            Self::SourceFull => Self::TargetFull,
            Self::TargetFull => Self::SourceFull,
            other => other,
        }
    }

    /// Whether they connect.
    #[must_use]
    pub const fn connects(self) -> bool {
        !matches!(self, Self::SplitBrain | Self::Unrelated | Self::Refused)
    }

    /// Whether this side is the one that is read.
    #[must_use]
    pub const fn is_source(self) -> bool {
        matches!(self, Self::SourceBitmap | Self::SourceFull)
    }

    /// Whether this side is the one that is overwritten.
    #[must_use]
    pub const fn is_target(self) -> bool {
        matches!(self, Self::TargetBitmap | Self::TargetFull)
    }

    /// Whether everything is sent.
    #[must_use]
    pub const fn is_full(self) -> bool {
        matches!(self, Self::SourceFull | Self::TargetFull)
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
