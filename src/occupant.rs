//! Who else lives on a device, and up to where: file systems, volume managers and partition tables, by what they say of their own size.
//!
//! Metadata that is placed at a device's end may cut off the end of what was made there when the device had none. Only what is asked for is
//! read here: whether something begins at the device's first byte, and where it says that it ends. Nothing is mounted, and no checksum is
//! verified: a damaged file system is somebody's, too.

mod probes;

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
    /// Swap space.
    Swap,
    /// A physical volume of LVM.
    Lvm,
    /// An encrypted volume, LUKS1 or LUKS2.
    Luks,
    /// A GUID partition table, with its backup.
    Gpt,
}

impl fmt::Display for OccupantKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ext => "ext2/ext3/ext4 file system",
            Self::Xfs => "XFS file system",
            Self::Btrfs => "Btrfs file system",
            Self::Swap => "swap space",
            Self::Lvm => "LVM physical volume",
            Self::Luks => "LUKS volume",
            Self::Gpt => "GUID partition table",
        })
    }
}

/// Something that lives on a device from its first byte on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupant {
    /// What it is.
    pub kind: OccupantKind,
    /// Where it says that it ends; `None` where it takes whatever the device has.
    pub end: Option<DevPos>,
}

/// The bytes of the device that every probe looks at.
const LOOKED_AT: Bytes = Bytes::new(128 << 10);

/// Everything that says of itself to begin with the device.
///
/// # Errors
///
/// What reading the device's first 128 KiB met.
pub fn occupants(device: Window<'_>) -> Result<Vec<Occupant>> {
    let len = device.size().min(LOOKED_AT);
    let mut bytes = vec![0; len.to_usize().unwrap_or(0)];
    device.read_exact_at(DevPos::START, &mut bytes)?;
    let found = probes::ALL.into_iter();
    Ok(found
        .filter_map(|(kind, probe)| {
            let end = match probe(&bytes)? {
                probes::End::At(end) => Some(DevPos::new(end)),
                probes::End::Unsaid => None,
            };
            Some(Occupant { kind, end })
        })
        .collect())
}
