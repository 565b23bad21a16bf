//! What a file is: a container of an image, an archive, a compressed file or a dump, instead of a raw image.
//!
//! A container's file has the guest's bytes inside it, and by chance a superblock of the guest where DRBD would look in a raw disk: so what a
//! file is comes before what is in it. A raw disk, on the other hand, may have a container among its data, even at its beginning: a VHD on
//! DRBD as XCP-ng has it, a qcow2 on a volume. [`container`] holds the two apart, by where the container ends.

pub use crate::terms::FileForm;

use crate::dump::is_dump;
use crate::error::Result;
use crate::image::Window;
use crate::units::{Bytes, DevPos, SECTOR_SIZE};

/// How each kind begins.
const MAGICS: [(usize, &[u8], FileForm); 23] = [
    (0, b"QFI\xFB", FileForm::Qcow2),
    (0, b"KDMV", FileForm::Vmdk),
    (0, b"COWD", FileForm::Vmdk),
    (0, b"# Disk DescriptorFile", FileForm::Vmdk),
    (0, b"vhdxfile", FileForm::Vhdx),
    (0, b"conectix", FileForm::Vhd),
    (64, b"\x7F\x10\xDA\xBE", FileForm::Vdi),
    (0, b"QED\0", FileForm::Qed),
    (0, b"WithoutFreeSpace", FileForm::Parallels),
    (0, b"WithouFreSpacExt", FileForm::Parallels),
    (0, b"\x3A\xFF\x26\xED\x01\0", FileForm::AndroidSparse),
    (0, b"VMA\0\0\0\0\x01", FileForm::Vma),
    (0, b"partclone-image", FileForm::Partclone),
    (0, b"EVF\x09\x0D\x0A\xFF\0", FileForm::Ewf),
    (0, b"EVF2\x0D\x0A\x81\0", FileForm::Ewf),
    (257, b"ustar", FileForm::Tar),
    (0, b"PK\x03\x04", FileForm::Zip),
    (0, b"\x04\x22\x4D\x18", FileForm::Lz4),
    (0, b"\x02\x21\x4C\x18", FileForm::Lz4),
    (0, b"\x1F\x8B\x08", FileForm::Gzip),
    (0, b"\xFD7zXZ\x00", FileForm::Xz),
    (0, b"\x28\xB5\x2F\xFD", FileForm::Zstd),
    (0, b"BZh", FileForm::Bzip2),
];

/// Bytes of a file's beginning that [`recognise`] looks at.
pub const BEGINNING: usize = 512;

/// What a file that begins so seems to be; `None` where it may be a raw image.
///
/// A raw device may hold such a file's bytes, too: this is a reason not to search it, not a proof. [`container`] is one.
#[must_use]
pub fn recognise(beginning: &[u8]) -> Option<FileForm> {
    let by_magic = MAGICS.iter().find(|(offset, magic, _)| {
        beginning
            .get(*offset..)
            .is_some_and(|rest| rest.starts_with(magic))
    });
    by_magic
        .map(|(_, _, form)| *form)
        .or_else(|| is_dump(beginning).then_some(FileForm::Dump))
}

/// What a regular file is by how it begins and ends, where that is no raw image for certain, whatever metadata may be found in it.
///
/// # Errors
///
/// Errors of reading the file's first and last sector, and two words of a qcow2's reference counts.
pub fn container(file: Window<'_>) -> Result<Option<FileForm>> {
    let mut beginning = [0; BEGINNING];
    let len = file.size().at_most(BEGINNING);
    if let Some(beginning) = beginning.get_mut(..len) {
        file.read_exact_at(DevPos::START, beginning)?;
    }
    if ends_as_vhd(file)? {
        return Ok(Some(FileForm::Vhd));
    }
    let form = recognise(&beginning);
    Ok(match form {
        Some(FileForm::Qcow2) if qcow2_has_the_end(file, &beginning)? => form,
        Some(
            FileForm::Vmdk
            | FileForm::Vhdx
            | FileForm::Vdi
            | FileForm::Qed
            | FileForm::Parallels
            | FileForm::AndroidSparse
            | FileForm::Vma
            | FileForm::Partclone
            | FileForm::Ewf,
        ) => form,
        // A VHD without its footer at the end is a disk's data; what is compressed has nothing in it that could be found.
        _ => None,
    })
}

/// Whether the footer of a VHD is in the last sector, where every VHD has it. A raw disk of DRBD has its superblock there.
fn ends_as_vhd(file: Window<'_>) -> Result<bool> {
    let at = file.size().checked_sub(SECTOR_SIZE).map(DevPos::at);
    let Some(at) = at else {
        return Ok(false);
    };
    let mut footer = [0; 512];
    file.read_exact_at(at, &mut footer)?;
    // `file_format_version` 1.0.
    Ok(footer.starts_with(b"conectix") && footer.get(12..16) == Some(&[0, 1, 0, 0]))
}

/// Whether a qcow2 says that the file's last byte is in use by it: in a raw disk that has one at its beginning, it ends before.
///
/// Its header: `cluster_bits` at 20, `refcount_table_offset` at 48, `refcount_table_clusters` at 56; from version 3 on `refcount_order` at 96.
fn qcow2_has_the_end(file: Window<'_>, header: &[u8]) -> Result<bool> {
    let Some(place) = qcow2_count_of_the_end(file, header) else {
        return Ok(false);
    };
    let Some(block) = read_be64(file, place.entry)? else {
        return Ok(false);
    };
    // The low bits are reserved.
    let block = Bytes::new(block & !0x1FF);
    let count = block
        .checked_add(place.in_block)
        .filter(|_| block > Bytes::ZERO);
    let Some(at) = count.map(DevPos::at) else {
        return Ok(false);
    };
    let end = at.checked_add(place.width);
    if end.is_none_or(|end| end.from_start() > file.size()) {
        return Ok(false);
    }
    let mut count = [0; 8];
    let len = place.width.to_usize().unwrap_or(8);
    let Some(bytes) = count.get_mut(..len) else {
        return Ok(false);
    };
    file.read_exact_at(at, bytes)?;
    Ok(count.iter().any(|byte| *byte != 0))
}

/// Where a qcow2 counts who uses the cluster that has the file's last byte.
struct Count {
    /// The entry of the table that has the block's position.
    entry: DevPos,
    /// Where the count is in that block.
    in_block: Bytes,
    /// How many whole bytes hold it.
    width: Bytes,
}

fn qcow2_count_of_the_end(file: Window<'_>, header: &[u8]) -> Option<Count> {
    let be32 = |at: usize| Some(u32::from_be_bytes(*header.get(at..)?.first_chunk()?));
    let be64 = |at: usize| Some(u64::from_be_bytes(*header.get(at..)?.first_chunk()?));
    let bits = be32(20).filter(|bits| (9..=21).contains(bits))?;
    let order = match be32(4)? {
        2 => 4,
        3 => be32(96).filter(|order| *order <= 6)?,
        _ => return None,
    };
    let cluster = 1_u64.checked_shl(bits)?;
    let last = file.size().get().checked_sub(1)?.checked_div(cluster)?;
    // So many counts has one block, which is a cluster.
    let in_block = cluster.checked_mul(8)?.checked_shr(order)?;
    let index = last.checked_div(in_block)?;
    let entries = cluster.checked_mul(u64::from(be32(56)?))?.checked_div(8)?;
    let table = DevPos::new(be64(48)?);
    let entry = table.checked_add(Bytes::new(index.checked_mul(8)?))?;
    let bit = last.checked_rem(in_block)?.checked_shl(order)?;
    (index < entries && table > DevPos::START).then_some(Count {
        entry,
        in_block: Bytes::new(bit / 8),
        width: Bytes::new((1_u64.checked_shl(order)? / 8).max(1)),
    })
}

/// The big-endian word of 64 bits at `at`, if it is there.
fn read_be64(file: Window<'_>, at: DevPos) -> Result<Option<u64>> {
    let end = at.checked_add(Bytes::new(8));
    if end.is_none_or(|end| end.from_start() > file.size()) {
        return Ok(None);
    }
    let mut word = [0; 8];
    file.read_exact_at(at, &mut word)?;
    Ok(Some(u64::from_be_bytes(word)))
}

#[cfg(test)]
mod tests;
