//! What a superblock's flags mean to a kernel that attaches it.

use std::fmt;

use super::{AlState, DeviceFlags, Format, PeerFlags, Superblock};

/// The disk state that DRBD gives to a disk when it attaches it.
///
/// Source: `disk_state_from_md` (`drbd_nl.c`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskState {
    /// `MDF_CONSISTENT` is not set: a resync was not finished, or there never was one.
    Inconsistent,
    /// Consistent, and known to be older than a peer's.
    Outdated,
    /// Consistent, and `UpToDate` as soon as nothing speaks against it.
    Consistent,
    /// v08 that knew its peer to be outdated, v09 without a peer that is to be fenced: `UpToDate` at once.
    UpToDate,
}

impl fmt::Display for DiskState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inconsistent => "Inconsistent",
            Self::Outdated => "Outdated",
            Self::Consistent => "Consistent",
            Self::UpToDate => "UpToDate",
        })
    }
}

impl DiskState {
    /// What that means, for people.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Inconsistent => {
                "its data cannot be used until it was synced from a peer that is UpToDate"
            }
            Self::Outdated => "a peer has newer data",
            Self::Consistent => {
                "UpToDate where nothing is to be fenced, or every peer is known to be outdated"
            }
            Self::UpToDate => "its data can be used at once",
        }
    }
}

/// Something that a kernel does, or refuses, when it attaches this metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtAttach {
    /// The activity log was not applied: `ERR_MD_UNCLEAN`, 165.
    Unclean,
    /// v07, which no kernel since DRBD 8 attaches: `ERR_MD_INVALID`, 119.
    OldFormat,
    /// Everything is marked out of sync, by a flag.
    FullSync,
    /// Everything is marked out of sync: the node crashed while no log was kept.
    CrashedWithoutLog,
    /// There never was any data.
    JustCreated,
}

impl AtAttach {
    /// One word, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Unclean => "unclean",
            Self::OldFormat => "old-format",
            Self::FullSync => "full-sync",
            Self::CrashedWithoutLog => "crashed-without-log",
            Self::JustCreated => "just-created",
        }
    }
}

impl fmt::Display for AtAttach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unclean => {
                "refused with error 165 until the activity log is applied: mdtool apply-al"
            }
            Self::OldFormat => {
                "refused with error 119 by DRBD 8 and later: v07 has to be converted"
            }
            Self::FullSync => "a flag marks everything out of sync; with equal current UUIDs DRBD does not sync all the same",
            Self::CrashedWithoutLog => {
                "marked out of sync as a whole: the node crashed while Primary, and no log was kept"
            }
            Self::JustCreated => "never had data: connecting means a full sync",
        })
    }
}

impl Superblock {
    /// The disk state that its flags stand for.
    #[must_use]
    pub fn disk_state(&self) -> DiskState {
        let flags = self.flags();
        if !flags.contains(DeviceFlags::CONSISTENT) {
            return DiskState::Inconsistent;
        }
        match self.format() {
            Format::V07 => DiskState::Consistent,
            _ if !flags.contains(DeviceFlags::WAS_UP_TO_DATE) => DiskState::Outdated,
            Format::V08 if flags.contains(DeviceFlags::PEER_OUT_DATED) => DiskState::UpToDate,
            Format::V08 => DiskState::Consistent,
            Format::V09 if self.waits_for_fencing() => DiskState::Consistent,
            Format::V09 => DiskState::UpToDate,
        }
    }

    /// Whether a peer was to be fenced and is not known to be outdated: what keeps a v09 disk Consistent, as 9.3.3 was seen to do, whatever
    /// fencing policy is configured.
    fn waits_for_fencing(&self) -> bool {
        let Self::V09(sb) = self else {
            return false;
        };
        let waits =
            |flags: u32| flags & PeerFlags::FENCING.0 != 0 && flags & PeerFlags::OUTDATED.0 == 0;
        sb.peers.iter().any(|peer| waits(peer.flags))
    }

    /// What attaching it will meet; nothing where it simply attaches.
    #[must_use]
    pub fn at_attach(&self) -> Vec<AtAttach> {
        let flags = self.flags();
        let mut found = Vec::new();
        match (self.format(), self.al_state()) {
            (Format::V07, _) => found.push(AtAttach::OldFormat),
            (_, AlState::Unclean) => found.push(AtAttach::Unclean),
            _ => {}
        }
        let full_sync = match self {
            Self::V07(_) | Self::V08(_) => flags.contains(DeviceFlags::FULL_SYNC),
            Self::V09(sb) => sb
                .peers
                .iter()
                .any(|peer| peer.bitmap_index >= 0 && peer.flags & PeerFlags::FULL_SYNC.0 != 0),
        };
        if full_sync {
            found.push(AtAttach::FullSync);
        }
        let crashed = DeviceFlags(DeviceFlags::CRASHED_PRIMARY.0 | DeviceFlags::AL_DISABLED.0);
        if self.format() != Format::V07 && flags.contains(crashed) {
            found.push(AtAttach::CrashedWithoutLog);
        }
        if self
            .current_uuid()
            .is_some_and(|uuid| !uuid.names_a_generation())
        {
            found.push(AtAttach::JustCreated);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::ondisk::SUPERBLOCK_LEN;

    fn superblock(format: Format, flags: u32, current: u64) -> Superblock {
        let mut block = [0; SUPERBLOCK_LEN];
        let (magic_at, flags_at, magic) = match format {
            Format::V07 => (28, 8, super::super::MAGIC_V07),
            Format::V08 => (60, 56, super::super::MAGIC_V08),
            Format::V09 => (60, 56, super::super::MAGIC_V09),
        };
        block[magic_at..magic_at + 4].copy_from_slice(&magic.to_be_bytes());
        block[flags_at..flags_at + 4].copy_from_slice(&flags.to_be_bytes());
        if format != Format::V07 {
            block[8..16].copy_from_slice(&current.to_be_bytes());
        }
        Superblock::decode(&block).unwrap()
    }

    #[test]
    fn flags_mean_a_disk_state() {
        for (format, flags, state) in [
            (Format::V07, 0, DiskState::Inconsistent),
            (Format::V07, 1, DiskState::Consistent),
            (Format::V08, 0x30, DiskState::Inconsistent),
            (Format::V08, 0x21, DiskState::Outdated),
            (Format::V08, 0x11, DiskState::Consistent),
            (Format::V08, 0x31, DiskState::UpToDate),
            (Format::V09, 0x31, DiskState::UpToDate),
            (Format::V09, 0x01, DiskState::Outdated),
        ] {
            let superblock = superblock(format, flags, 0xAB);
            assert_eq!(superblock.disk_state(), state, "{format} {flags:#x}");
        }
    }

    #[test]
    fn what_stands_in_the_way_of_attaching_is_told() {
        for (format, flags, current, notes) in [
            (Format::V07, 1, 0, &[AtAttach::OldFormat][..]),
            (Format::V08, 0x91, 0xAB, &[]),
            (Format::V08, 0x11, 0xAB, &[AtAttach::Unclean]),
            (Format::V08, 0x98, 0xAB, &[AtAttach::FullSync]),
            (Format::V09, 0x98, 0xAB, &[]),
            (Format::V09, 0x1C0, 0xAB, &[AtAttach::CrashedWithoutLog]),
            (Format::V09, 0x80, 4, &[AtAttach::JustCreated]),
            (Format::V08, 0x80, 5, &[AtAttach::JustCreated]),
        ] {
            let superblock = superblock(format, flags, current);
            assert_eq!(superblock.at_attach(), notes, "{format} {flags:#x}");
        }
    }
}
