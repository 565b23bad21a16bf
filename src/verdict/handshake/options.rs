//! What is configured where, by DRBD's names and with DRBD's defaults.

use std::str::FromStr;

use crate::units::Sectors;
use crate::verdict::check::Kernel;

/// What a pair is connected with.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// The kernel of both; without it, the family follows from the format, and the newest of that is meant.
    pub kernel: Option<Kernel>,
    /// The replication protocol.
    pub protocol: Protocol,
    /// The configured size of the device; 0 is DRBD's word for none.
    pub size: Option<Sectors>,
    /// Whether a quorum policy is configured; without it, flags on disk decide.
    pub quorum: Option<bool>,
    /// What holds on each side.
    pub sides: [SideOptions; 2],
}

impl Options {
    /// The size that is configured, if one is.
    pub(super) fn configured_size(&self) -> Option<Sectors> {
        self.size.filter(|size| *size != Sectors::ZERO)
    }
}

/// What one side is configured with, and its role.
#[derive(Clone, Debug, Default)]
pub struct SideOptions {
    /// It was promoted before connecting.
    pub primary: bool,
    /// Its connection.
    pub net: NetOptions,
}

/// The replication protocol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// Asynchronous.
    A,
    /// Semi-synchronous.
    B,
    /// Synchronous, DRBD's default.
    #[default]
    C,
}

/// The options of a connection that a handshake looks at.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is an option of its own in DRBD, too"
)]
pub struct NetOptions {
    /// `after-sb-0pri`.
    pub after_sb_0pri: AfterSplitBrain,
    /// `after-sb-1pri`.
    pub after_sb_1pri: AfterSplitBrain,
    /// `after-sb-2pri`.
    pub after_sb_2pri: AfterSplitBrain,
    /// `rr-conflict`.
    pub rr_conflict: RrConflict,
    /// `always-asbp`.
    pub always_asbp: bool,
    /// `discard-my-data`, of `connect`.
    pub discard_my_data: bool,
    /// `allow-two-primaries`.
    pub allow_two_primaries: bool,
    /// `tentative`, of `connect`: nothing is done.
    pub tentative: bool,
}

/// `enum drbd_after_sb_p` (`drbd.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AfterSplitBrain {
    /// The connection is dropped.
    #[default]
    Disconnect,
    /// The side that became Primary later is discarded.
    DiscardYoungerPrimary,
    /// The side that became Primary earlier is discarded.
    DiscardOlderPrimary,
    /// A side that wrote nothing is discarded.
    DiscardZeroChanges,
    /// The side that wrote less is discarded.
    DiscardLeastChanges,
    /// This side is discarded.
    DiscardLocal,
    /// The other side is discarded.
    DiscardRemote,
    /// The policy for no Primary, if it discards the Secondary.
    Consensus,
    /// The Secondary is discarded.
    DiscardSecondary,
    /// The policy for no Primary; a Primary that loses is told to give up its role.
    CallPriLost,
    /// The policy for no Primary, whoever is Primary.
    Violently,
}

/// `rr-conflict`: a Primary would become the target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RrConflict {
    /// The connection is dropped.
    #[default]
    Disconnect,
    /// A handler is called, and the connection is dropped.
    CallPriLost,
    /// It becomes the target.
    Violently,
    /// The connection is dropped, and tried again (9).
    RetryConnect,
    /// A crashed Primary is discarded instead (9).
    AutoDiscard,
}

/// A setting that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BadSetting {
    /// What it should be.
    pub expected: String,
}

/// The values of an option, by DRBD's names.
type Values<T> = [(&'static str, T)];

/// What each option takes: `after_sb_0p_map` and the tables behind it (`config_flags.c`).
const AFTER_SB_0PRI: &Values<AfterSplitBrain> = &[
    ("disconnect", AfterSplitBrain::Disconnect),
    (
        "discard-younger-primary",
        AfterSplitBrain::DiscardYoungerPrimary,
    ),
    (
        "discard-older-primary",
        AfterSplitBrain::DiscardOlderPrimary,
    ),
    ("discard-zero-changes", AfterSplitBrain::DiscardZeroChanges),
    (
        "discard-least-changes",
        AfterSplitBrain::DiscardLeastChanges,
    ),
    ("discard-local", AfterSplitBrain::DiscardLocal),
    ("discard-remote", AfterSplitBrain::DiscardRemote),
];

const AFTER_SB_1PRI: &Values<AfterSplitBrain> = &[
    ("disconnect", AfterSplitBrain::Disconnect),
    ("consensus", AfterSplitBrain::Consensus),
    ("discard-secondary", AfterSplitBrain::DiscardSecondary),
    ("call-pri-lost-after-sb", AfterSplitBrain::CallPriLost),
    ("violently-as0p", AfterSplitBrain::Violently),
];

const AFTER_SB_2PRI: &Values<AfterSplitBrain> = &[
    ("disconnect", AfterSplitBrain::Disconnect),
    ("call-pri-lost-after-sb", AfterSplitBrain::CallPriLost),
    ("violently-as0p", AfterSplitBrain::Violently),
];

const RR_CONFLICT: &Values<RrConflict> = &[
    ("disconnect", RrConflict::Disconnect),
    ("call-pri-lost", RrConflict::CallPriLost),
    ("violently", RrConflict::Violently),
    ("retry-connect", RrConflict::RetryConnect),
    ("auto-discard", RrConflict::AutoDiscard),
];

/// What an option may be called.
const NAMES: &str = "after-sb-0pri, after-sb-1pri, after-sb-2pri, rr-conflict, always-asbp, discard-my-data, allow-two-primaries or tentative";

impl NetOptions {
    /// Sets an option by DRBD's name.
    ///
    /// # Errors
    ///
    /// What was expected, where there is no such option or value.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), BadSetting> {
        match name {
            "after-sb-0pri" => self.after_sb_0pri = named(AFTER_SB_0PRI, value)?,
            "after-sb-1pri" => self.after_sb_1pri = named(AFTER_SB_1PRI, value)?,
            "after-sb-2pri" => self.after_sb_2pri = named(AFTER_SB_2PRI, value)?,
            "rr-conflict" => self.rr_conflict = named(RR_CONFLICT, value)?,
            "always-asbp" => self.always_asbp = yes(value)?,
            "discard-my-data" => self.discard_my_data = yes(value)?,
            "allow-two-primaries" => self.allow_two_primaries = yes(value)?,
            "tentative" => self.tentative = yes(value)?,
            _ => {
                return Err(BadSetting {
                    expected: NAMES.to_owned(),
                });
            }
        }
        Ok(())
    }
}

fn named<T: Copy>(values: &Values<T>, value: &str) -> Result<T, BadSetting> {
    let found = values.iter().find(|(name, _)| *name == value);
    found.map(|(_, value)| *value).ok_or_else(|| {
        let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
        let expected = match names.as_slice() {
            [all @ .., last] => format!("{} or {last}", all.join(", ")),
            [] => String::new(),
        };
        BadSetting { expected }
    })
}

fn yes(value: &str) -> Result<bool, BadSetting> {
    match value {
        "yes" | "" => Ok(true),
        "no" => Ok(false),
        _ => Err(BadSetting {
            expected: "yes or no".to_owned(),
        }),
    }
}

impl FromStr for Protocol {
    type Err = BadSetting;

    fn from_str(text: &str) -> Result<Self, BadSetting> {
        match text {
            "A" | "a" => Ok(Self::A),
            "B" | "b" => Ok(Self::B),
            "C" | "c" => Ok(Self::C),
            _ => Err(BadSetting {
                expected: "A, B or C".to_owned(),
            }),
        }
    }
}
