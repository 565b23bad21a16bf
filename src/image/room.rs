//! Room for what will be written to a sparse file, made sure of before the first byte.

use std::ops::Range;

use rustix::fs::{FallocateFlags, FileType};
use rustix::io::Errno;

use super::{ImageFile, ReadAt, check_within};
use crate::error::{IoError, IoOp, Result};
use crate::units::{Bytes, ImagePos};

/// What writing may take of the room that a file system has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RoomNeeded {
    /// What is a hole now.
    pub holes: Bytes,
    /// All that is written, and written again to put it back: a file system that never overwrites what it has puts it elsewhere.
    pub written: Bytes,
}

impl RoomNeeded {
    /// The sum of both.
    #[must_use]
    pub fn and(self, more: Self) -> Self {
        let sum = |a: Bytes, b: Bytes| a.checked_add(b).unwrap_or(Bytes::new(u64::MAX));
        Self {
            holes: sum(self.holes, more.holes),
            written: sum(self.written, more.written),
        }
    }
}

/// What file systems that copy on write need for themselves while something is written to them.
const OWN_USE: Bytes = Bytes::new(4 << 20);

/// `f_type` of Btrfs, bcachefs, ZFS, NILFS2 and F2FS, which write elsewhere what is overwritten.
const COPY_ON_WRITE: [u32; 5] = [
    0x9123_683E,
    0xCA45_1A4E,
    0x2FC1_2FC1,
    0x0000_3434,
    0xF2F5_2010,
];

/// `XFS_SUPER_MAGIC`: where blocks may be shared with another file until they are written to, and can be unshared before that.
const XFS: u32 = 0x5846_5342;

/// How many stretches are remembered, to be given back: more are kept allocated where a change comes to nothing.
const REMEMBERED: usize = 1 << 16;

/// What was allocated for a change that has not begun to write.
#[derive(Debug, Default)]
pub(super) struct Reserved {
    /// Stretches that were holes before, and got all of their blocks just now.
    ours: Vec<Range<ImagePos>>,
    /// How many blocks of 512 bytes the file had last.
    blocks: Option<i64>,
    is_xfs: Option<bool>,
}

/// How much of `range` is a hole.
pub(super) fn needed(image: &ImageFile, range: &Range<ImagePos>) -> Result<RoomNeeded> {
    let written = length(range);
    check_within(IoOp::Reserve, range.start, written, image.size())?;
    let mut room = RoomNeeded {
        written,
        ..RoomNeeded::default()
    };
    holes(image, range, |hole| {
        let holes = length(hole);
        room = room.and(RoomNeeded {
            holes,
            ..RoomNeeded::default()
        });
        Ok(())
    })?;
    Ok(room)
}

/// Refuses where the file system has less left than that; what is to be written begins at `first`.
pub(super) fn check(image: &ImageFile, first: ImagePos, room: RoomNeeded) -> Result<()> {
    if image.kind()? != FileType::RegularFile {
        return Ok(());
    }
    let refused = |error: Errno| IoError::whole(IoOp::Size, error.into());
    let kind = kind_of_file_system(image)?;
    let stat = rustix::fs::fstatvfs(image.file()).map_err(refused)?;
    let (needed, blocks) = if COPY_ON_WRITE.contains(&kind) && room.written > Bytes::ZERO {
        let all = room.holes.max(room.written).checked_add(OWN_USE);
        (all.unwrap_or(room.written), stat.f_bavail)
    } else {
        // The part that it keeps for root included: whether we may have that, it says when it is asked for blocks.
        (room.holes, stat.f_bfree)
    };
    if needed <= Bytes::new(blocks.saturating_mul(stat.f_frsize)) {
        return Ok(());
    }
    Err(IoError::at(IoOp::Reserve, first, needed, Errno::NOSPC.into()).into())
}

/// `f_type`, of which only the lower 32 bits count.
fn kind_of_file_system(image: &ImageFile) -> Result<u32> {
    let found = rustix::fs::fstatfs(image.file())
        .map_err(|error| IoError::whole(IoOp::Size, error.into()))?;
    let [.., a, b, c, d] = found.f_type.to_be_bytes();
    Ok(u32::from_be_bytes([a, b, c, d]))
}

impl Reserved {
    /// Gives the holes of `range` their blocks, and blocks of its own to what another file shares, where the file system can do that.
    ///
    /// # Errors
    ///
    /// [`IoError`] where there is no room.
    pub(super) fn reserve(&mut self, image: &ImageFile, range: &Range<ImagePos>) -> Result<()> {
        check_within(IoOp::Reserve, range.start, length(range), image.size())?;
        holes(image, range, |hole| {
            let before = self.blocks.map_or_else(|| blocks(image), Ok)?;
            allocate(image, hole, FallocateFlags::KEEP_SIZE)?;
            let now = blocks(image)?;
            self.blocks = Some(now);
            let got = now.saturating_sub(before).saturating_mul(512);
            // What had blocks before, and was never written to, is not ours to give back.
            if u64::try_from(got).is_ok_and(|got| Bytes::new(got) >= length(hole)) {
                self.remember(hole.clone());
            }
            Ok(())
        })?;
        if self.is_xfs.is_none() {
            self.is_xfs = Some(kind_of_file_system(image)? == XFS);
        }
        if self.is_xfs == Some(true) {
            let flags = FallocateFlags::UNSHARE_RANGE | FallocateFlags::KEEP_SIZE;
            allocate(image, range, flags)?;
        }
        Ok(())
    }

    fn remember(&mut self, hole: Range<ImagePos>) {
        let has_room = self.ours.len() < REMEMBERED;
        match self.ours.last_mut() {
            Some(last) if last.end == hole.start => last.end = hole.end,
            _ if has_room => self.ours.push(hole),
            _ => {}
        }
    }

    /// Makes holes again of what was allocated and is not written to: nothing will be. Where the system refuses, it stays allocated.
    pub(super) fn give_back(&mut self, image: &ImageFile) {
        for range in std::mem::take(&mut self.ours) {
            let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
            let is_hole = image
                .data_from(range.start)
                .is_ok_and(|data| data.is_none_or(|data| data >= range.end));
            if is_hole {
                // Nothing depends on it.
                let _ = allocate(image, &range, flags);
            }
        }
        self.blocks = None;
    }

    /// Something is written from here on: what was allocated is in use.
    pub(super) fn forget(&mut self) {
        self.ours.clear();
        self.blocks = None;
    }
}

fn blocks(image: &ImageFile) -> Result<i64> {
    let stat = rustix::fs::fstat(image.file())
        .map_err(|error| IoError::whole(IoOp::Size, error.into()))?;
    Ok(stat.st_blocks)
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

/// Allocates a stretch; a file system that cannot do that is left alone, as filling it with zeros would write before anything is written.
fn allocate(image: &ImageFile, range: &Range<ImagePos>, flags: FallocateFlags) -> Result<()> {
    let len = length(range);
    let allocated = rustix::io::retry_on_intr(|| {
        rustix::fs::fallocate(image.file(), flags, range.start.get(), len.get())
    });
    match allocated {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS) => Ok(()),
        Err(error) => Err(IoError::at(IoOp::Reserve, range.start, len, error.into()).into()),
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
        let range = pos(4096)..ImagePos::at(size);
        let room = file.room_for(&range).unwrap();
        assert_eq!(room.holes, bytes((1 << 43) - 4096));
        let error = file.check_room(range.start, room).unwrap_err();
        assert!(
            matches!(
                &error,
                crate::error::Error::Io(io) if io.op == IoOp::Reserve && io.at == Some(pos(4096))
                    && io.source.raw_os_error() == Some(Errno::NOSPC.raw_os_error())
            ),
            "{error:?}"
        );
        assert_eq!(blocks(&path), before);
        let beyond = pos(0)..ImagePos::at(size.checked_add(bytes(1)).unwrap());
        file.room_for(&beyond).unwrap_err();
        file.reserve(beyond).unwrap_err();
    }

    #[test]
    fn what_was_allocated_for_nothing_is_given_back_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sparse.img");
        let mut file = WritableFile::create_new(&path, bytes(64 * MIB)).unwrap();
        file.write_all_at(pos(2 * MIB), &[7; 4096]).unwrap();
        // Somebody else's room: nothing was written to it, and it stays his.
        let theirs = pos(8 * MIB)..pos(9 * MIB);
        allocate(file.image(), &theirs, FallocateFlags::KEEP_SIZE).unwrap();
        let before = blocks(&path);
        file.reserve(pos(MIB)..pos(4 * MIB)).unwrap();
        file.reserve(theirs.clone()).unwrap();
        assert!(blocks(&path) > before);
        file.give_back();
        assert_eq!(blocks(&path), before);
        // What was written to since is no hole any more.
        file.reserve(pos(MIB)..pos(4 * MIB)).unwrap();
        file.write_all_at(pos(3 * MIB), &[9; 4096]).unwrap();
        file.give_back();
        let mut found = [0; 4096];
        file.read_exact_at(pos(3 * MIB), &mut found).unwrap();
        assert_eq!(found, [9; 4096]);
    }
}
