//! Room for what will be written to a sparse file, made sure of before the first byte.

use std::ops::Range;

use rustix::fs::{FallocateFlags, FileType};
use rustix::io::Errno;

use super::{ImageFile, ReadAt, check_within};
use crate::error::{IoError, IoOp, Result};
use crate::units::{Bytes, ImagePos};

/// Less than this is allocated, or refused, as soon as the system says whether there is room for it.
const SHORT: Bytes = Bytes::new(64 * 1024);

/// Gives the holes of `range` their blocks, where this is a regular file on a file system that can do that.
///
/// # Errors
///
/// [`IoError`] where there is no room: of a long range nothing is allocated then, unless another took the room meanwhile.
pub(super) fn reserve(image: &ImageFile, range: Range<ImagePos>) -> Result<()> {
    let len = length(&range);
    check_within(IoOp::Reserve, range.start, len, image.size())?;
    // Of thousands of short pieces, each is asked for once: the file system itself says whether it has room.
    if len >= SHORT {
        check_room(image, &range)?;
    }
    holes(image, &range, |hole| allocate(image, hole))
}

/// Refuses where the holes of `range` are more than is left: a file system that runs full while it allocates keeps what it has allocated.
fn check_room(image: &ImageFile, range: &Range<ImagePos>) -> Result<()> {
    if image.kind()? != FileType::RegularFile {
        return Ok(());
    }
    let mut needed: u64 = 0;
    holes(image, range, |hole| {
        needed = needed.saturating_add(length(hole).get());
        Ok(())
    })?;
    if Bytes::new(needed) <= free(image)? {
        return Ok(());
    }
    let refused = Errno::NOSPC.into();
    Err(IoError::at(IoOp::Reserve, range.start, length(range), refused).into())
}

/// Shows every hole in `range`, in order. A block device has none.
fn holes(
    image: &ImageFile,
    range: &Range<ImagePos>,
    mut visit: impl FnMut(&Range<ImagePos>) -> Result<()>,
) -> Result<()> {
    let mut at = range.start;
    while at < range.end {
        let data = image.data_from(at)?.unwrap_or(range.end).min(range.end);
        if at < data {
            visit(&(at..data))?;
        }
        if data == range.end {
            break;
        }
        let data = image.next_data(data)?;
        at = data.map_or(range.end, |data| data.end);
    }
    Ok(())
}

fn length(hole: &Range<ImagePos>) -> Bytes {
    hole.end.saturating_since(hole.start)
}

/// What the file system has left, the part that it keeps for root included: whether we may have that, it says when it is asked for blocks.
fn free(image: &ImageFile) -> Result<Bytes> {
    let found = rustix::fs::fstatvfs(image.file())
        .map_err(|error| IoError::whole(IoOp::Size, error.into()))?;
    Ok(Bytes::new(found.f_bfree.saturating_mul(found.f_frsize)))
}

/// Allocates one hole; a file system that cannot do that is left alone, as filling it with zeros would write before anything is written.
fn allocate(image: &ImageFile, hole: &Range<ImagePos>) -> Result<()> {
    let len = length(hole);
    let allocated = rustix::io::retry_on_intr(|| {
        let flags = FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(image.file(), flags, hole.start.get(), len.get())
    });
    match allocated {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(IoError::at(IoOp::Reserve, hole.start, len, error.into()).into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;
    use crate::image::support::{MIB, bytes, pos};
    use crate::image::{WritableFile, WriteAt};

    fn blocks(path: &std::path::Path) -> u64 {
        std::fs::metadata(path).unwrap().blocks()
    }

    #[test]
    fn holes_get_blocks_and_stay_zeros_and_data_stays() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse.img");
        let mut file = WritableFile::create_new(&path, bytes(64 * MIB)).unwrap();
        file.write_all_at(pos(2 * MIB), &[7; 4096]).unwrap();
        file.sync().unwrap();
        let before = blocks(&path);
        file.reserve(pos(MIB)..pos(4 * MIB)).unwrap();
        let got = (blocks(&path) - before) * 512;
        assert!((3 * MIB - 4096..4 * MIB).contains(&got), "{got}");
        assert_eq!(file.size(), bytes(64 * MIB));
        let mut found = vec![1; 3 * 1024 * 1024];
        file.read_exact_at(pos(MIB), &mut found).unwrap();
        let (data, zeros): (Vec<usize>, Vec<_>) = (0..found.len()).partition(|at| found[*at] != 0);
        assert_eq!((data.len(), zeros.len()), (4096, 3 * 1024 * 1024 - 4096));
        assert_eq!(data[0], 1024 * 1024);
        // Again, and over nothing: no more.
        file.reserve(pos(MIB)..pos(4 * MIB)).unwrap();
        file.reserve(pos(MIB)..pos(MIB)).unwrap();
        assert_eq!((blocks(&path) - before) * 512, got);
    }

    #[test]
    fn what_does_not_fit_is_refused_before_a_block_is_taken() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse.img");
        // More than any disk here has.
        let size = bytes(1 << 43);
        let mut file = WritableFile::create_new(&path, size).unwrap();
        let before = blocks(&path);
        let error = file.reserve(pos(4096)..ImagePos::at(size)).unwrap_err();
        assert!(
            matches!(
                &error,
                crate::error::Error::Io(io) if io.op == IoOp::Reserve && io.at == Some(pos(4096))
                    && io.source.raw_os_error() == Some(Errno::NOSPC.raw_os_error())
            ),
            "{error:?}"
        );
        assert_eq!(blocks(&path), before);
        file.reserve(pos(0)..ImagePos::at(size.checked_add(bytes(1)).unwrap()))
            .unwrap_err();
    }
}
