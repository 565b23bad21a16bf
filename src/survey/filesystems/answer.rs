//! What is answered of a stretch of a device.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::rc::Rc;

use crate::units::{Bytes, DevPos};

/// To what kind of thing a stretch belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Class {
    /// Nobody's: the file system or volume group has it to give.
    Free,
    /// The data of files.
    File,
    /// The entries of directories.
    Directory,
    /// The journal or log of a file system.
    Journal,
    /// What a file system, a volume manager or a partition table keeps for itself.
    Metadata,
    /// Swap space.
    Swap,
    /// Outside any file system.
    Outside,
    /// Not known, for a reason.
    Unknown,
}

impl Class {
    /// One word, for programs.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::File => "file",
            Self::Directory => "directory",
            Self::Journal => "journal",
            Self::Metadata => "metadata",
            Self::Swap => "swap",
            Self::Outside => "outside",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A part of a device that a file system may be in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Volume {
    /// A partition, by its number.
    Partition(u32),
    /// A logical volume, as `group/volume`.
    Logical(String),
}

impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Partition(number) => write!(f, "partition {number}"),
            Self::Logical(name) => write!(f, "LV {name}"),
        }
    }
}

/// Where on a device a stretch is found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// What it lies in, the outermost first; none where a file system has the whole device.
    pub volumes: Vec<Volume>,
    /// The file system, as `mount -t` names it.
    pub file_system: Option<&'static str>,
}

/// A file or directory, as far as a stretch is its.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Owner {
    /// Its number.
    pub inode: u64,
    /// Its names, from the root of its file system; none where no directory names it. Bytes, as the disk has them.
    pub paths: Vec<Vec<u8>>,
    /// Where in the file the stretch begins; `None` for what the file system keeps of the file.
    pub at: Option<Bytes>,
}

/// A stretch of a device, and whose it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stretch {
    /// From where to where on the device.
    pub range: Range<DevPos>,
    /// In which volume and file system.
    pub place: Rc<Place>,
    /// What kind of thing has it.
    pub class: Class,
    /// More of that in words; empty where there is no more to say.
    pub detail: Cow<'static, str>,
    /// Who has it: several where blocks are shared.
    pub owners: Vec<Owner>,
    /// How many owners are left out.
    pub more_owners: u64,
}
