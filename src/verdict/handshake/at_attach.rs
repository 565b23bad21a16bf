//! What a kernel does, or refuses, where one disk's metadata is attached.

use std::fmt;

use super::Family;
use super::node::{crashed_without_log, flags, has_crashed};
use crate::format::metadata::{Generation, Header};
use crate::format::superblock::{AlState, DeviceFlags, PeerFlags};
use crate::terms::Format;

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
            Self::JustCreated => "never had data: connecting it to a peer that has some means a full sync",
        })
    }
}

/// What attaching it will meet; nothing where it simply attaches.
#[must_use]
pub fn at_attach(header: &Header) -> Vec<AtAttach> {
    let mut found = Vec::new();
    match (header.format(), header.al_state) {
        (Format::V07, _) => found.push(AtAttach::OldFormat),
        (_, AlState::Unclean) => found.push(AtAttach::Unclean),
        _ => {}
    }
    let full_sync = match &header.generation {
        Generation::V07(_) | Generation::V08(_) => flags(header).contains(DeviceFlags::FULL_SYNC),
        Generation::V09(generation) => generation
            .peers
            .iter()
            .any(|peer| peer.bitmap_index >= 0 && peer.flags.0 & PeerFlags::FULL_SYNC.0 != 0),
    };
    if full_sync {
        found.push(AtAttach::FullSync);
    }
    let crashed = has_crashed(header, Family::of(header.format()));
    if header.format() != Format::V07 && crashed_without_log(header, crashed) {
        found.push(AtAttach::CrashedWithoutLog);
    }
    if is_fresh(header) {
        found.push(AtAttach::JustCreated);
    }
    found
}

/// Whether there never was any data, by its current UUID.
#[must_use]
pub fn is_fresh(header: &Header) -> bool {
    let current = match &header.generation {
        Generation::V07(_) => return false,
        Generation::V08(generation) => generation.uuids[0],
        Generation::V09(generation) => generation.current_uuid,
    };
    !current.names_a_generation()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::ondisk::SUPERBLOCK_LEN;
    use crate::format::superblock::{MAGIC_V07, MAGIC_V08, MAGIC_V09, Superblock};
    use crate::verdict::handshake::Disk;

    fn header(format: Format, flags: u32, current: u64) -> Header {
        let mut block = [0; SUPERBLOCK_LEN];
        let (magic_at, flags_at, magic) = match format {
            Format::V07 => (28, 8, MAGIC_V07),
            Format::V08 => (60, 56, MAGIC_V08),
            Format::V09 => (60, 56, MAGIC_V09),
        };
        block[magic_at..magic_at + 4].copy_from_slice(&magic.to_be_bytes());
        block[flags_at..flags_at + 4].copy_from_slice(&flags.to_be_bytes());
        if format != Format::V07 {
            block[8..16].copy_from_slice(&current.to_be_bytes());
        }
        Header::of(&Superblock::decode(&block).unwrap())
    }

    #[test]
    fn flags_mean_a_disk_state() {
        for (format, flags, state) in [
            (Format::V07, 0, Disk::Inconsistent),
            (Format::V07, 1, Disk::Consistent),
            (Format::V08, 0x30, Disk::Inconsistent),
            (Format::V08, 0x21, Disk::Outdated),
            (Format::V08, 0x11, Disk::UpToDate),
            (Format::V08, 0x31, Disk::UpToDate),
            (Format::V09, 0x31, Disk::UpToDate),
            (Format::V09, 0x01, Disk::Outdated),
        ] {
            let header = header(format, flags, 0xAB);
            let found = Disk::at_attach(&header, Family::of(format));
            assert_eq!(found, state, "{format} {flags:#x}");
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
            let header = header(format, flags, current);
            assert_eq!(at_attach(&header), notes, "{format} {flags:#x}");
        }
    }
}
