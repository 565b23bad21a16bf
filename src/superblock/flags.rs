//! Flags of a device and of its peers, unknown bits kept.

use std::fmt;

/// Flags of the device: v08 and v09 `flags`, v07 `gc[Flags]` (`enum mdf_flag`, `drbd.h`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceFlags(pub u32);

impl DeviceFlags {
    /// `MDF_CONSISTENT`: the data is consistent.
    pub const CONSISTENT: Self = Self(1);
    /// `MDF_PRIMARY_IND`: the activity log must be applied after a crash.
    pub const PRIMARY_IND: Self = Self(1 << 1);
    /// `MDF_WAS_UP_TO_DATE`.
    pub const WAS_UP_TO_DATE: Self = Self(1 << 4);
    /// `MDF_CRASHED_PRIMARY`.
    pub const CRASHED_PRIMARY: Self = Self(1 << 6);
    /// `MDF_AL_CLEAN`: the activity log was applied; only drbdmeta sets it.
    pub const AL_CLEAN: Self = Self(1 << 7);
    /// `MDF_AL_DISABLED`.
    pub const AL_DISABLED: Self = Self(1 << 8);

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
    /// `MDF_PEER_DEVICE_SEEN`: the peer had a disk once.
    pub const DEVICE_SEEN: Self = Self(1 << 4);

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
