//! Recognising files that are no raw image, by how they begin.

use std::fmt;

/// A kind of file that holds an image, or a dump, in another form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Foreign {
    /// QEMU's format, any version.
    Qcow2,
    /// `VMware`'s sparse format.
    Vmdk,
    /// Microsoft's newer format.
    Vhdx,
    /// `VirtualBox`'s format.
    Vdi,
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

/// How each kind begins.
const MAGICS: [(usize, &[u8], Foreign); 10] = [
    (0, b"QFI\xFB", Foreign::Qcow2),
    (0, b"KDMV", Foreign::Vmdk),
    (0, b"vhdxfile", Foreign::Vhdx),
    (64, b"\x7F\x10\xDA\xBE", Foreign::Vdi),
    (0, b"\x1F\x8B\x08", Foreign::Gzip),
    (0, b"\xFD7zXZ\x00", Foreign::Xz),
    (0, b"\x28\xB5\x2F\xFD", Foreign::Zstd),
    (0, b"BZh", Foreign::Bzip2),
    (0, b"# DRBD meta data dump", Foreign::Dump),
    (0, b"# la-size-sect was too big", Foreign::Dump),
];

/// Bytes of a file's beginning that [`recognise`] looks at.
pub const BEGINNING: usize = 512;

/// What a file that begins so seems to be; `None` where it may be a raw image.
///
/// A raw device may hold such a file's bytes, too: this is a reason not to search it, not a proof.
#[must_use]
pub fn recognise(beginning: &[u8]) -> Option<Foreign> {
    let begins = |offset: usize, magic: &[u8]| {
        beginning
            .get(offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    };
    MAGICS
        .iter()
        .find(|(offset, magic, _)| begins(*offset, magic))
        .map(|(_, _, foreign)| *foreign)
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Qcow2 => "a qcow2 image",
            Self::Vmdk => "a VMDK image",
            Self::Vhdx => "a VHDX image",
            Self::Vdi => "a VDI image",
            Self::Gzip => "a gzip-compressed file",
            Self::Xz => "an xz-compressed file",
            Self::Zstd => "a zstd-compressed file",
            Self::Bzip2 => "a bzip2-compressed file",
            Self::Dump => "a DRBD metadata dump",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_raw_image_are_recognised() {
        assert_eq!(recognise(b"QFI\xFB\0\0\0\x03"), Some(Foreign::Qcow2));
        assert_eq!(
            recognise(b"# DRBD meta data dump\n# 2026"),
            Some(Foreign::Dump)
        );
        let mut vdi = [0; BEGINNING];
        vdi[64..68].copy_from_slice(b"\x7F\x10\xDA\xBE");
        assert_eq!(recognise(&vdi), Some(Foreign::Vdi));
        assert_eq!(recognise(&[0; BEGINNING]), None);
        assert_eq!(recognise(b"QFI"), None);
        assert_eq!(recognise(b""), None);
    }
}
