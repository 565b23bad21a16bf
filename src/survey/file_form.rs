//! Recognising files that are no raw image, by how they begin.

pub use crate::terms::FileForm;

/// How each kind begins.
const MAGICS: [(usize, &[u8], FileForm); 10] = [
    (0, b"QFI\xFB", FileForm::Qcow2),
    (0, b"KDMV", FileForm::Vmdk),
    (0, b"vhdxfile", FileForm::Vhdx),
    (64, b"\x7F\x10\xDA\xBE", FileForm::Vdi),
    (0, b"\x1F\x8B\x08", FileForm::Gzip),
    (0, b"\xFD7zXZ\x00", FileForm::Xz),
    (0, b"\x28\xB5\x2F\xFD", FileForm::Zstd),
    (0, b"BZh", FileForm::Bzip2),
    (0, b"# DRBD meta data dump", FileForm::Dump),
    (0, b"# la-size-sect was too big", FileForm::Dump),
];

/// Bytes of a file's beginning that [`recognise`] looks at.
pub const BEGINNING: usize = 512;

/// What a file that begins so seems to be; `None` where it may be a raw image.
///
/// A raw device may hold such a file's bytes, too: this is a reason not to search it, not a proof.
#[must_use]
pub fn recognise(beginning: &[u8]) -> Option<FileForm> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_that_are_no_raw_image_are_recognised() {
        assert_eq!(recognise(b"QFI\xFB\0\0\0\x03"), Some(FileForm::Qcow2));
        assert_eq!(
            recognise(b"# DRBD meta data dump\n# 2026"),
            Some(FileForm::Dump)
        );
        let mut vdi = [0; BEGINNING];
        vdi[64..68].copy_from_slice(b"\x7F\x10\xDA\xBE");
        assert_eq!(recognise(&vdi), Some(FileForm::Vdi));
        assert_eq!(recognise(&[0; BEGINNING]), None);
        assert_eq!(recognise(b"QFI"), None);
        assert_eq!(recognise(b""), None);
    }
}
