//! The words that all rooms use: formats, placements, the shape of metadata.
//!
//! Belongs here: plain types and how they are printed. Does not: formulas (`format`), and sizes and positions (`units`).

use std::fmt;

use crate::units::{BitmapIndex, Bytes};

/// DRBD's on-disk metadata formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// DRBD 0.7.
    V07,
    /// DRBD 8.0 to 8.4, whichever of its two magics it carries.
    V08,
    /// DRBD 9.
    V09,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V07 => "v07",
            Self::V08 => "v08",
            Self::V09 => "v09",
        })
    }
}

/// Which placement rule holds: DRBD's `meta_dev_idx`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MdIndex {
    /// v07's fixed 128 MiB at the end of the device: `DRBD_MD_INDEX_INTERNAL`, −1.
    Internal,
    /// At the end of the device, as large as it must be: `DRBD_MD_INDEX_FLEX_INT`, −3.
    FlexInternal,
    /// A meta device of its own: `DRBD_MD_INDEX_FLEX_EXT`, −2.
    FlexExternal,
    /// A 128 MiB slot of a meta device.
    Indexed(u8),
}

impl fmt::Display for MdIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // DRBD's tools say `internal` to both; which one it is follows from the format.
            Self::Internal | Self::FlexInternal => f.write_str("internal"),
            Self::FlexExternal => f.write_str("flex-external"),
            Self::Indexed(slot) => write!(f, "indexed:{slot}"),
        }
    }
}

/// How an activity log is laid out: a ring of 4 KiB blocks in stripes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlStriping {
    /// `al_stripes`.
    pub stripes: u32,
    /// `al_stripe_size_4k`: blocks in one stripe.
    pub stripe_size_4k: u32,
}

/// What the formulas need of a superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MdGeometry {
    /// Number of bitmap slots: `bm_max_peers`, 1 before v09.
    pub max_peers: u32,
    /// Bytes of the device that one bit stands for: `bm_bytes_per_bit`.
    pub bytes_per_bit: u32,
    /// The activity log.
    pub al: AlStriping,
}

impl MdGeometry {
    /// Every bitmap slot, in order.
    ///
    /// What a superblock claims beyond 255 has no number: no layout is made of more than 32 (`DRBD_PEERS_MAX`).
    pub fn slots(self) -> impl Iterator<Item = BitmapIndex> + Clone {
        (0..=u8::MAX)
            .zip(0..self.max_peers)
            .map(|(slot, _)| BitmapIndex::new(slot))
    }
}

/// A place of the log, counted from the log's start on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlPlace {
    /// A block of 4096 bytes.
    Block(u64),
    /// A sector of 512 bytes.
    Sector(u64),
}

impl AlPlace {
    /// The distance from the log's start, or `None` beyond 64 bits.
    #[must_use]
    pub fn from_start(self) -> Option<Bytes> {
        match self {
            Self::Block(block) => Bytes::new(4096).checked_mul(block),
            Self::Sector(sector) => Bytes::new(512).checked_mul(sector),
        }
    }
}

impl fmt::Display for AlPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(block) => write!(f, "block {block}"),
            Self::Sector(sector) => write!(f, "sector {sector}"),
        }
    }
}

/// A kind of file that holds an image, or a dump, in another form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileForm {
    /// QEMU's format, any version.
    Qcow2,
    /// `VMware`'s sparse format.
    Vmdk,
    /// Microsoft's newer format.
    Vhdx,
    /// `VirtualBox`'s format.
    Vdi,
    /// Microsoft's older format, fixed or dynamic.
    Vhd,
    /// QEMU's enhanced disk format.
    Qed,
    /// The format of Parallels and Virtuozzo.
    Parallels,
    /// Android's sparse format.
    AndroidSparse,
    /// A backup of Proxmox VE.
    Vma,
    /// An image of partclone.
    Partclone,
    /// `EnCase`'s evidence file.
    Ewf,
    /// An archive.
    Tar,
    /// An archive.
    Zip,
    /// A compressed file.
    Lz4,
    /// A compressed file.
    Gzip,
    /// A compressed file.
    Xz,
    /// A compressed file.
    Zstd,
    /// A compressed file.
    Bzip2,
    /// The text that `dump-md` and export print.
    Dump,
}

impl fmt::Display for FileForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qcow2 => "a qcow2 image",
            Self::Vmdk => "a VMDK image",
            Self::Vhdx => "a VHDX image",
            Self::Vdi => "a VDI image",
            Self::Vhd => "a VHD image",
            Self::Qed => "a QED image",
            Self::Parallels => "a Parallels image",
            Self::AndroidSparse => "an Android sparse image",
            Self::Vma => "a VMA backup",
            Self::Partclone => "a partclone image",
            Self::Ewf => "an EnCase (E01) image",
            Self::Tar => "a tar archive",
            Self::Zip => "a zip archive",
            Self::Lz4 => "an lz4-compressed file",
            Self::Gzip => "a gzip-compressed file",
            Self::Xz => "an xz-compressed file",
            Self::Zstd => "a zstd-compressed file",
            Self::Bzip2 => "a bzip2-compressed file",
            Self::Dump => "a DRBD metadata dump",
        })
    }
}
