//! Flags of a device and of its peers, unknown bits kept.

use std::fmt;

use super::Format;

/// Flags of the device: v08 and v09 `flags`, v07 `gc[Flags]` (`enum mdf_flag`, `drbd.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceFlags(pub u32);

impl DeviceFlags {
    /// `MDF_CONSISTENT`: the data is consistent.
    pub const CONSISTENT: Self = Self(1);
    /// `MDF_PRIMARY_IND`: the activity log must be applied after a crash.
    pub const PRIMARY_IND: Self = Self(1 << 1);
    /// `MDF_FULL_SYNC`: everything is out of sync (v07, v08).
    pub const FULL_SYNC: Self = Self(1 << 3);
    /// `MDF_WAS_UP_TO_DATE`.
    pub const WAS_UP_TO_DATE: Self = Self(1 << 4);
    /// `MDF_PEER_OUT_DATED` (v08).
    pub const PEER_OUT_DATED: Self = Self(1 << 5);
    /// `MDF_CRASHED_PRIMARY`.
    pub const CRASHED_PRIMARY: Self = Self(1 << 6);
    /// `MDF_AL_CLEAN`: the activity log was applied; only drbdmeta sets it.
    pub const AL_CLEAN: Self = Self(1 << 7);
    /// `MDF_AL_DISABLED`.
    pub const AL_DISABLED: Self = Self(1 << 8);
    /// `MDF_PRIMARY_LOST_QUORUM` (v09).
    pub const PRIMARY_LOST_QUORUM: Self = Self(1 << 9);
    /// `MDF_HAVE_QUORUM` (v09).
    pub const HAVE_QUORUM: Self = Self(1 << 10);

    /// The set flags that this format knows, lowest bit first, and the bits that it does not.
    #[must_use]
    pub fn named(self, format: Format) -> Named {
        let known = |formats: &[Format]| formats.contains(&format);
        Named::of(
            self.0,
            DEVICE_FLAG_NAMES
                .into_iter()
                .filter(|(.., formats)| known(formats))
                .map(|(bit, name, _)| (bit, name)),
        )
    }

    /// The flags of these names, as DRBD has them, with or without `MDF_`; `None` where one is none of them.
    #[must_use]
    pub fn of_names<'n>(names: impl Iterator<Item = &'n str>) -> Option<Self> {
        let bit = |name: &str| {
            let name = name.trim();
            let bare = name.strip_prefix("MDF_").unwrap_or(name);
            let mut known = DEVICE_FLAG_NAMES.into_iter();
            known.find_map(|(bit, known, _)| known.eq_ignore_ascii_case(bare).then_some(bit))
        };
        let mut bits = 0;
        for name in names {
            bits |= bit(name)?;
        }
        Some(Self(bits))
    }

    /// The name of a single flag, whichever format has it; its bits where none has.
    #[must_use]
    pub fn name(self) -> String {
        let mut known = DEVICE_FLAG_NAMES.into_iter();
        let name = known.find(|(bit, ..)| *bit == self.0);
        name.map_or_else(|| self.to_string(), |(_, name, _)| name.to_owned())
    }

    /// Every name that a flag has, lowest bit first.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        DEVICE_FLAG_NAMES.into_iter().map(|(_, name, _)| name)
    }

    /// Whether all bits of `other` are set here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl fmt::Display for DeviceFlags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:08X}", self.0)
    }
}

/// Flags by name, the rest as bits.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Named {
    /// Without the prefix `MDF_`.
    pub names: Vec<&'static str>,
    /// Set bits that have no name.
    pub unknown: u32,
}

impl Named {
    fn of(value: u32, table: impl Iterator<Item = (u32, &'static str)>) -> Self {
        let set: Vec<_> = table.filter(|(bit, _)| value & bit != 0).collect();
        let known = set.iter().fold(0, |bits, (bit, _)| bits | bit);
        Self {
            names: set.into_iter().map(|(_, name)| name).collect(),
            unknown: value & !known,
        }
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = self.names.iter().map(ToString::to_string).collect();
        if self.unknown != 0 {
            words.push(format!("0x{:X} unknown", self.unknown));
        }
        f.write_str(&if words.is_empty() {
            "none".to_owned()
        } else {
            words.join(", ")
        })
    }
}

const V07: Format = Format::V07;
const V08: Format = Format::V08;
const V09: Format = Format::V09;

/// `enum mdf_flag` (`drbd.h`), and which formats have it.
const DEVICE_FLAG_NAMES: [(u32, &str, &[Format]); 11] = [
    (1, "CONSISTENT", &[V07, V08, V09]),
    (1 << 1, "PRIMARY_IND", &[V07, V08, V09]),
    (1 << 2, "CONNECTED_IND", &[V07, V08]),
    (1 << 3, "FULL_SYNC", &[V07, V08]),
    (1 << 4, "WAS_UP_TO_DATE", &[V08, V09]),
    (1 << 5, "PEER_OUT_DATED", &[V08]),
    (1 << 6, "CRASHED_PRIMARY", &[V08, V09]),
    (1 << 7, "AL_CLEAN", &[V08, V09]),
    (1 << 8, "AL_DISABLED", &[V08, V09]),
    (1 << 9, "PRIMARY_LOST_QUORUM", &[V09]),
    (1 << 10, "HAVE_QUORUM", &[V09]),
];

/// `enum mdf_peer_flag` (`drbd.h`).
const PEER_FLAGS_IN_FULL: [(u32, &str); 7] = [
    (1, "PEER_CONNECTED"),
    (1 << 1, "PEER_OUTDATED"),
    (1 << 2, "PEER_FENCING"),
    (1 << 3, "PEER_FULL_SYNC"),
    (1 << 4, "PEER_DEVICE_SEEN"),
    (1 << 16, "NODE_EXISTS"),
    // In a kernel's memory only; none writes it.
    (1 << 31, "HAVE_BITMAP"),
];

/// Flags of a v09 peer (`enum mdf_peer_flag`, `drbd.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerFlags(pub u32);

/// The names that drbdmeta's dump gives to peer flags.
const PEER_FLAG_NAMES: [(u32, &str); 6] = [
    (1, "connected"),
    (1 << 1, "<=outdated"),
    (1 << 2, "fencing"),
    (1 << 3, "full-sync"),
    (1 << 4, "seen"),
    (1 << 16, "exists"),
];

/// What drbdmeta's 80 bytes hold of them, the ` # ` before them and the zero byte behind them aside.
const NAMES_LEN: usize = 76;

impl PeerFlags {
    /// `MDF_PEER_OUTDATED`: the peer's data is known to be older.
    pub const OUTDATED: Self = Self(1 << 1);
    /// `MDF_PEER_FENCING`: a fencing policy was configured.
    pub const FENCING: Self = Self(1 << 2);
    /// `MDF_PEER_FULL_SYNC`: all of the peer's slot is out of sync.
    pub const FULL_SYNC: Self = Self(1 << 3);
    /// `MDF_PEER_DEVICE_SEEN`: the peer had a disk once.
    pub const DEVICE_SEEN: Self = Self(1 << 4);
    /// `MDF_NODE_EXISTS`: the node was connected, or is known of.
    pub const NODE_EXISTS: Self = Self(1 << 16);

    /// The flag of this name, as DRBD has it, with or without `MDF_`; `None` where there is none.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let bare = name.strip_prefix("MDF_").unwrap_or(name);
        let mut known = PEER_FLAGS_IN_FULL.into_iter();
        // Where the text says the bare name, `PEER_` may be left out.
        let same = |known: &str| {
            known.eq_ignore_ascii_case(bare)
                || known
                    .strip_prefix("PEER_")
                    .is_some_and(|short| short.eq_ignore_ascii_case(bare))
        };
        known.find_map(|(bit, known)| same(known).then_some(Self(bit)))
    }

    /// The set flags by DRBD's own names, lowest bit first, and the bits that have none.
    #[must_use]
    pub fn named(self) -> Named {
        Named::of(self.0, PEER_FLAGS_IN_FULL.into_iter())
    }

    /// The set flags as drbdmeta names them, lowest bit first, an unknown one by its number: `seen | 0x20=? | exists`.
    ///
    /// Cut where drbdmeta's buffer ends, which only unknown flags reach.
    #[must_use]
    pub fn names(self) -> String {
        let mut names = self.all_names();
        names.truncate(NAMES_LEN);
        names
    }

    fn all_names(self) -> String {
        let name = |bit: u32| {
            PEER_FLAG_NAMES
                .iter()
                .find(|(value, _)| *value == bit)
                .map_or_else(|| format!("0x{bit:x}=?"), |(_, name)| (*name).to_owned())
        };
        let bits = (0..u32::BITS)
            .map(|shift| 1_u32 << shift)
            .filter(|bit| self.0 & bit != 0);
        bits.map(name).collect::<Vec<_>>().join(" | ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_names_its_own_flags_only() {
        let all = DeviceFlags(u32::MAX);
        let unknown = [V07, V08, V09].map(|format| all.named(format).unknown);
        assert_eq!(unknown, [0xFFFF_FFF0, 0xFFFF_FE00, 0xFFFF_F82C]);
        assert_eq!(
            DeviceFlags(0x411).named(V09).to_string(),
            "CONSISTENT, WAS_UP_TO_DATE, HAVE_QUORUM"
        );
        assert_eq!(
            DeviceFlags(0x411).named(V08).to_string(),
            "CONSISTENT, WAS_UP_TO_DATE, 0x400 unknown"
        );
        assert_eq!(DeviceFlags(0).named(V07).to_string(), "none");
        assert_eq!(
            PeerFlags(0x0001_0110).named().to_string(),
            "PEER_DEVICE_SEEN, NODE_EXISTS, 0x100 unknown"
        );
    }

    #[test]
    fn peer_flags_are_named_as_drbdmeta_names_them() {
        assert_eq!(PeerFlags(0).names(), "");
        assert_eq!(
            PeerFlags(u32::MAX).names(),
            "connected | <=outdated | fencing | full-sync | seen | 0x20=? | 0x40=? | 0x80"
        );
        assert_eq!(
            PeerFlags(0x0001_0031).names(),
            "connected | seen | 0x20=? | exists"
        );
        assert_eq!(
            PeerFlags(0x8000_000E).names(),
            "<=outdated | fencing | full-sync | 0x80000000=?"
        );
    }
}
