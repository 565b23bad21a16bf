//! Who else lives on a device, and up to where: file systems, volume managers and partition tables, by what they say of their own size.
//!
//! Metadata that is placed at a device's end may cut off the end of what was made there when the device had none. Only what is asked for is
//! read here: whether something begins at the device's first byte or has a block of its own at the device's end, and where it says that it
//! ends. All that libblkid of util-linux 2.41 recognises is known. Nothing is mounted, and no checksum is verified where the signature is
//! long enough without: a damaged file system is somebody's, too.

mod listing;
mod md;
mod microsoft;
mod partitions;
mod probes;
mod signatures;
mod sizes;
mod tails;

pub(in crate::survey) use md::{superblock_at_the_end, word_0_90};

pub use listing::{Partition, Table, partition_table, partitions};

use std::fmt;

use crate::error::Result;
use crate::image::Window;
use crate::units::{Bytes, DevPos};

/// What may live on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OccupantKind {
    /// ext2, ext3 or ext4.
    Ext,
    /// XFS.
    Xfs,
    /// Btrfs, as much of it as is on this device.
    Btrfs,
    /// NTFS, with the copy of its boot sector behind it.
    Ntfs,
    /// FAT12, FAT16 or FAT32.
    Fat,
    /// exFAT.
    ExFat,
    /// Swap space.
    Swap,
    /// A physical volume of LVM.
    Lvm,
    /// An encrypted volume, LUKS1 or LUKS2.
    Luks,
    /// A member of an md RAID whose superblock is at the start: versions 1.1 and 1.2.
    Md,
    /// A member of an md RAID whose superblock is at the end: versions 0.90 and 1.0. What else begins here may be inside the array.
    MdAtEnd,
    /// A GUID partition table, with its backup.
    Gpt,
    /// A DOS partition table, up to the end of its last partition.
    Mbr,
    /// One of the many others, each known by its signature.
    Known(Known),
}

/// A kind that is known by its signature: one row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    word: &'static str,
    name: &'static str,
}

impl OccupantKind {
    /// One word, for programs and pictures.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Ext => "ext",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Ntfs => "ntfs",
            Self::Fat => "fat",
            Self::ExFat => "exfat",
            Self::Swap => "swap",
            Self::Lvm => "lvm",
            Self::Luks => "luks",
            Self::Md => "md",
            Self::MdAtEnd => "md-at-end",
            Self::Gpt => "gpt",
            Self::Mbr => "mbr",
            Self::Known(known) => known.word,
        }
    }
}

impl fmt::Display for OccupantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext => "ext2/ext3/ext4 file system",
            Self::Xfs => "XFS file system",
            Self::Btrfs => "Btrfs file system",
            Self::Ntfs => "NTFS file system",
            Self::Fat => "FAT file system",
            Self::ExFat => "exFAT file system",
            Self::Swap => "swap space",
            Self::Lvm => "LVM physical volume",
            Self::Luks => "LUKS volume",
            Self::Md => "md RAID member",
            Self::MdAtEnd => "md RAID member with its superblock at the end",
            Self::Gpt => "GUID partition table",
            Self::Mbr => "DOS partition table",
            Self::Known(known) => known.name,
        })
    }
}

/// Something that lives on a device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Occupant {
    /// What it is.
    pub kind: OccupantKind,
    /// Where it says that it ends; `None` where it takes whatever the device has, or says nothing that could be.
    pub end: Option<DevPos>,
    /// Its own block at the device's end, where it has one there and is known by that.
    pub tail: Option<DevPos>,
}

/// The largest size that a file or block device has on Linux: what says to end behind that is damaged.
const MOST: DevPos = DevPos::new(1 << 63);

impl Occupant {
    /// Whether a device of the size that it says could be.
    #[must_use]
    pub fn is_believable(&self) -> bool {
        self.end.is_none_or(|end| end < MOST)
    }
}

/// The bytes of the device that every probe looks at.
const LOOKED_AT: Bytes = Bytes::new(128 << 10);

/// Everything that says of itself to begin with the device, or to have its own block at the device's end.
///
/// # Errors
///
/// Errors of reading the device: its first 128 KiB, and a few dozen blocks further on and near its end.
pub fn occupants(device: Window<'_>) -> Result<Vec<Occupant>> {
    let len = device.size().min(LOOKED_AT);
    let mut bytes = vec![0; len.to_usize().unwrap_or(0)];
    device.read_exact_at(DevPos::START, &mut bytes)?;
    let mut found: Vec<Occupant> = Vec::new();
    let mut add = |kind, end, tail: Option<DevPos>| {
        let known = found.iter_mut().find(|one| one.kind == kind);
        match known {
            // One that is known by its beginning, too.
            Some(one) => one.tail = one.tail.or(tail),
            None => found.push(occupant(kind, end, tail)),
        }
    };
    for (kind, probe) in probes::ALL {
        if let Some(end) = probe(&bytes) {
            add(kind, end, None);
        }
    }
    for (kind, end) in signatures::at_the_start(&bytes) {
        add(kind, end, None);
    }
    for kind in signatures::further_on(device)? {
        add(kind, probes::End::Unsaid, None);
    }
    if let Some((at, end)) = md::at_the_end(device)? {
        add(OccupantKind::MdAtEnd, end, Some(at));
    }
    for (kind, at) in tails::at_the_end(device)? {
        add(kind, probes::End::Unsaid, Some(at));
    }
    Ok(without_backup_of_a_whole_table(found))
}

/// The first of them that says to end beyond the device's end.
#[must_use]
pub fn beyond(occupants: &[Occupant], device: Window<'_>) -> Option<Occupant> {
    let end = DevPos::at(device.size());
    let ends_behind = |one: &&Occupant| one.end.is_some_and(|said| said > end);
    occupants.iter().find(ends_behind).copied()
}

/// Without the backup of a partition table that is there itself, and says where its backup is.
fn without_backup_of_a_whole_table(mut found: Vec<Occupant>) -> Vec<Occupant> {
    let whole = |one: &Occupant| one.kind == OccupantKind::Gpt && one.end.is_some();
    let end = found.iter().find(|one| whole(one)).and_then(|one| one.end);
    found.retain(|one| {
        let is_backup = one.kind == OccupantKind::Known(tails::BACKUP_GPT);
        !(is_backup && one.tail.zip(end).is_some_and(|(at, end)| at < end))
    });
    found
}

fn occupant(kind: OccupantKind, end: probes::End, tail: Option<DevPos>) -> Occupant {
    let end = match end {
        // Nobody lives in nothing: the size is damaged.
        probes::End::At(0) | probes::End::Unsaid => None,
        probes::End::At(end) => Some(DevPos::new(end)),
    };
    Occupant { kind, end, tail }
}

#[cfg(test)]
mod tests;
