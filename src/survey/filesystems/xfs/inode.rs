//! `struct xfs_dinode`.

use super::superblock::Superblock;
use crate::survey::bytes::{array, be16, be32, be64, has};

/// `XFS_DIFLAG_REALTIME`: the data is on another device.
const REALTIME: u16 = 1;
/// `XFS_DIFLAG2_NREXT64`: wide counts of extents.
const WIDE_COUNTS: u64 = 1 << 4;

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Directory,
    Other,
}

/// How a fork is kept: `di_format`, `di_aformat`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// In the inode itself.
    Local,
    /// A list of extents in the inode.
    Extents,
    /// A tree, its root in the inode.
    Btree,
}

/// A fork of an inode: where its data is, or its attributes.
pub(super) struct Fork<'b> {
    pub(super) form: Form,
    /// Its part of the inode.
    pub(super) bytes: &'b [u8],
    /// How many extents a list has.
    pub(super) extents: u64,
}

/// One inode, as it is on disk.
pub(super) struct Inode<'b> {
    bytes: &'b [u8],
    version: u8,
}

impl<'b> Inode<'b> {
    /// `None` where it is none.
    pub(super) fn decode(bytes: &'b [u8], sb: &Superblock) -> Option<Self> {
        let [version] = array(bytes, 4)?;
        let expected = if sb.version_5 {
            version == 3
        } else {
            version == 1 || version == 2
        };
        (has(bytes, 0, b"IN") && expected).then_some(Self { bytes, version })
    }

    fn mode(&self) -> u16 {
        // OK to fall back: an inode has at least 256 bytes.
        be16(self.bytes, 2).unwrap_or(0)
    }

    pub(super) fn kind(&self) -> Kind {
        if self.mode() & 0xF000 == 0x4000 {
            Kind::Directory
        } else {
            Kind::Other
        }
    }

    pub(super) fn links(&self) -> u32 {
        if self.version == 1 {
            return be16(self.bytes, 6).map_or(0, u32::from);
        }
        be32(self.bytes, 16).unwrap_or(0)
    }

    /// Where the forks begin.
    const fn forks(&self) -> usize {
        if self.version == 3 { 176 } else { 100 }
    }

    /// Where the fork of the attributes begins, counted from the other one.
    fn fork_offset(&self) -> Option<usize> {
        let [eighths] = array(self.bytes, 82)?;
        (eighths > 0).then(|| usize::from(eighths).saturating_mul(8))
    }

    fn has_wide_counts(&self) -> bool {
        self.version == 3 && be64(self.bytes, 120).is_some_and(|flags| flags & WIDE_COUNTS != 0)
    }

    /// The data, unless it is on another device.
    pub(super) fn data(&self) -> Option<Fork<'b>> {
        let [form] = array(self.bytes, 5)?;
        let realtime = be16(self.bytes, 90)? & REALTIME != 0 && self.mode() & 0xF000 == 0x8000;
        let all = self.bytes.get(self.forks()..)?;
        let bytes = match self.fork_offset() {
            Some(end) => all.get(..end)?,
            None => all,
        };
        let extents = if self.has_wide_counts() {
            be64(self.bytes, 24)?
        } else {
            be32(self.bytes, 76)?.into()
        };
        let form = form_of(form).filter(|_| !realtime)?;
        Some(Fork {
            form,
            bytes,
            extents,
        })
    }

    /// The attributes, where there is room for some.
    pub(super) fn attributes(&self) -> Option<Fork<'b>> {
        let [form] = array(self.bytes, 83)?;
        let start = self.forks().checked_add(self.fork_offset()?)?;
        let bytes = self.bytes.get(start..)?;
        let extents = if self.has_wide_counts() {
            be32(self.bytes, 76)?.into()
        } else {
            be16(self.bytes, 80)?.into()
        };
        Some(Fork {
            form: form_of(form)?,
            bytes,
            extents,
        })
    }
}

fn form_of(form: u8) -> Option<Form> {
    match form {
        1 => Some(Form::Local),
        2 => Some(Form::Extents),
        3 => Some(Form::Btree),
        // Devices have no blocks.
        _ => None,
    }
}
