//! What drbd-utils get wrong on the way through a dump and `restore-md`.

use std::fmt;

use crate::error::UtilsVersion;
use crate::format::layout::{MdGeometry, MdLayout};
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::Format;
use crate::units::{Bytes, range_len};

/// As much of a bitmap as `restore-md` of 9.22 writes.
const RESTORED_BY_9_22: Bytes = Bytes::new(32 << 20);

/// The largest bitmap that drbd-utils before 9.22 apply a log to.
const APPLIED_BEFORE_9_22: Bytes = Bytes::new(4 << 30);

/// A bug, or a limit, of some versions of drbd-utils that this metadata would meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum UtilsBug {
    /// `dump-md` before 9.33 says that v08 has no flags.
    FlagsLost,
    /// `restore-md` of 9.22 writes the first 32 MiB of the bitmap and no more.
    BitmapCut {
        /// How much there is.
        bitmap: Bytes,
    },
    /// Before 9.22, `apply-al` marks the wrong places of a bitmap of more than 4 GiB.
    LogMisapplied {
        /// How much there is.
        bitmap: Bytes,
    },
    /// Before 9.27, `restore-md` refuses the line `members`.
    Members,
    /// Before 8.9.7, `restore-md` takes `peer` blocks in ascending order only.
    PeerOrder,
    /// From 9.33 on, `restore-md` writes internal metadata of this granularity into user data.
    DataDamaged {
        /// `bm_bytes_per_bit`.
        bytes_per_bit: u32,
    },
    /// Before 9.33, `restore-md` knows no other granularity than 4096.
    Granularity {
        /// `bm_bytes_per_bit`.
        bytes_per_bit: u32,
    },
    /// No `restore-md` initialises the activity log, and `apply-al` may find none.
    LogLeft,
}

impl UtilsBug {
    /// Whether somebody meets it who exports with mdtool, for a version or for the newest, and restores with drbdmeta.
    #[must_use]
    pub const fn is_met_restoring(&self, exported_for_version: bool) -> bool {
        match self {
            // Bugs of drbd-utils' own dump-md and apply-al.
            Self::FlagsLost | Self::LogMisapplied { .. } => false,
            Self::Members => !exported_for_version,
            _ => true,
        }
    }

    /// Whether `restore-md` would lose something because of it, or refuse in any case.
    #[must_use]
    pub const fn forbids_restoring(&self) -> bool {
        matches!(
            self,
            Self::BitmapCut { .. } | Self::DataDamaged { .. } | Self::Granularity { .. }
        )
    }
}

impl fmt::Display for UtilsBug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FlagsLost => f.write_str(
                "drbd-utils before 9.33 dump v08 with flags 0, whatever the disk says: a resource restored from that is Inconsistent; export with mdtool",
            ),
            Self::BitmapCut { bitmap } => write!(
                f,
                "drbd-utils 9.22 restore the first 32 MiB of a bitmap and exit 0; this one has {bitmap}"
            ),
            Self::LogMisapplied { bitmap } => write!(
                f,
                "drbd-utils before 9.22 apply the activity log to the wrong places of a bitmap of more than 4 GiB; this one has {bitmap}: use `mdtool apply-al`"
            ),
            Self::Members => f.write_str(
                "drbd-utils before 9.27 refuse the line `members`: export with --compat and their version",
            ),
            Self::PeerOrder => f.write_str(
                "drbd-utils before 8.9.7 take the peers in ascending order only, which the manual's exchange of node ids ends: exchange them with --node-id",
            ),
            Self::DataDamaged { bytes_per_bit } => write!(
                f,
                "drbd-utils from 9.33 on write internal metadata with {bytes_per_bit} bytes per bit into user data: do not restore with them"
            ),
            Self::Granularity { bytes_per_bit } => write!(
                f,
                "drbd-utils before 9.33 know 4096 bytes per bit only, and this has {bytes_per_bit}"
            ),
            Self::LogLeft => f.write_str(
                "no restore-md initialises the activity log: `drbdmeta apply-al`, and so `drbdadm up`, may find none and stop",
            ),
        }
    }
}

/// What a dump of this metadata, restored at `layout`, would meet; with no version, what any version would.
#[must_use]
pub fn utils_bugs(
    header: &Header,
    layout: &MdLayout,
    version: Option<UtilsVersion>,
) -> Vec<UtilsBug> {
    let at = |minor| UtilsVersion {
        major: 9,
        minor,
        patch: 0,
    };
    let in_any_order = UtilsVersion {
        major: 8,
        minor: 9,
        patch: 7,
    };
    let before = |minor| version.is_none_or(|version| version < at(minor));
    let from = |minor| version.is_none_or(|version| version >= at(minor));
    let bitmap = range_len(&layout.bm);
    let bytes_per_bit = header.geometry.bytes_per_bit;
    let coarse = bytes_per_bit != MdGeometry::DEFAULT.bytes_per_bit;
    let has_peers = matches!(header.generation, Generation::V09(_));
    [
        (
            header.format() == Format::V08 && before(33),
            UtilsBug::FlagsLost,
        ),
        (
            bitmap > RESTORED_BY_9_22 && from(22) && before(23),
            UtilsBug::BitmapCut { bitmap },
        ),
        (
            bitmap > APPLIED_BEFORE_9_22 && before(22),
            UtilsBug::LogMisapplied { bitmap },
        ),
        (has_peers && before(27), UtilsBug::Members),
        (
            has_peers && version.is_none_or(|version| version < in_any_order),
            UtilsBug::PeerOrder,
        ),
        (
            coarse && layout.index.is_internal() && from(33),
            UtilsBug::DataDamaged { bytes_per_bit },
        ),
        (
            coarse && before(33),
            UtilsBug::Granularity { bytes_per_bit },
        ),
        (header.format() != Format::V07, UtilsBug::LogLeft),
    ]
    .into_iter()
    .filter_map(|(applies, trap)| applies.then_some(trap))
    .collect()
}
