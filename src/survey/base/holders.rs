//! Who has bytes of a disk as his own, and which devices lie there in one piece.

use super::Holder;
use super::lvm::physical_volume;
use crate::error::Result;
use crate::image::Window;
use crate::survey::occupants::{Partition, partitions, superblock_at_the_end, word_0_90};
use crate::units::{Bytes, DevPos, SECTOR_SIZE, Sectors};

/// A stretch of a disk that is somebody's.
pub(super) struct Region {
    pub(super) holder: Holder,
    /// Where the first device on it may begin.
    pub(super) start: DevPos,
    pub(super) end: DevPos,
    /// The devices on it that lie in one piece, as far as they are known: where each begins, and its size.
    pub(super) devices: Vec<(DevPos, Bytes)>,
}

impl Region {
    /// Whether it has a superblock at `md`.
    pub(super) fn has(&self, md: DevPos) -> bool {
        self.start <= md && md < self.end
    }
}

/// Whether a device has a position among its bytes.
pub(super) fn holds(start: DevPos, size: Bytes, at: DevPos) -> bool {
    at.bytes_since(start)
        .is_some_and(|distance| distance < size)
}

/// All regions of a device.
pub(super) fn regions(device: Window<'_>) -> Result<Vec<Region>> {
    let mut found: Vec<Region> = partitions(device)?.iter().filter_map(partition).collect();
    found.extend(physical_volume(device)?);
    found.extend(array_member(device)?);
    found.extend(bcache(device)?);
    Ok(found)
}

fn partition(partition: &Partition) -> Option<Region> {
    let Partition {
        number,
        start,
        size,
    } = *partition;
    Some(Region {
        holder: Holder::Partition(number),
        start,
        end: start.checked_add(size)?,
        devices: vec![(start, size)],
    })
}

/// The `N` bytes at `at`; `None` where the device ends before.
pub(super) fn block<const N: usize>(device: Window<'_>, at: DevPos) -> Result<Option<[u8; N]>> {
    let end = at.checked_add(Bytes::of_len(N));
    if end.is_none_or(|end| end.from_start() > device.size()) {
        return Ok(None);
    }
    let mut bytes = [0; N];
    device.read_exact_at(at, &mut bytes)?;
    Ok(Some(bytes))
}

fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The little-endian word of 64 bits at `at`.
pub(super) fn le64(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_le_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// So many sectors, in bytes.
pub(super) fn sectors(count: u64) -> Option<Bytes> {
    Sectors::new(count).to_bytes()
}

/// `struct mdp_superblock_1` at the first byte (1.1), at 4 KiB (1.2) or at the end (1.0): `level`, `size`, `raid_disks`, `data_offset`,
/// `data_size`; or version 0.90.
fn array_member(device: Window<'_>) -> Result<Option<Region>> {
    for at in [DevPos::START, DevPos::new(4096)] {
        let Some(superblock) = block::<256>(device, at)? else {
            continue;
        };
        if let Some(region) = array_member_of(&superblock, at) {
            return Ok(Some(region));
        }
    }
    let at_the_end = superblock_at_the_end(device)?;
    Ok(at_the_end.and_then(|found| {
        if found.is_0_90 {
            array_member_0_90(&found.bytes, found.at)
        } else {
            array_member_of(&found.bytes, found.at)
        }
    }))
}

/// `struct mdp_superblock_s` behind the data: `level`, `size` in KiB, `raid_disks`.
fn array_member_0_90(superblock: &[u8], at: DevPos) -> Option<Region> {
    let word = word_0_90(superblock)?;
    let field = |at: usize| Some(word(*superblock.get(at..)?.first_chunk()?));
    let data = at.from_start();
    let used = Bytes::new(u64::from(field(32)?).checked_mul(1024)?);
    let used = Some(used).filter(|used| *used > Bytes::ZERO && *used <= data);
    let whole = field(28)? == 1 || field(40)? == 1;
    Some(Region {
        holder: Holder::Md,
        start: DevPos::START,
        end: at,
        devices: whole
            .then(|| (DevPos::START, used.unwrap_or(data)))
            .into_iter()
            .collect(),
    })
}

fn array_member_of(superblock: &[u8], at: DevPos) -> Option<Region> {
    let is_one = le32(superblock, 0)? == 0xA92B_4EFC && le32(superblock, 4)? == 1;
    let is_here = sectors(le64(superblock, 144)?)? == at.from_start();
    if !is_one || !is_here {
        return None;
    }
    let start = DevPos::at(sectors(le64(superblock, 128)?)?);
    let data = sectors(le64(superblock, 136)?)?;
    let used = sectors(le64(superblock, 80)?).filter(|used| *used > Bytes::ZERO && *used <= data);
    // A mirror, or an array of one: the device is a piece of each member.
    let whole = le32(superblock, 72)? == 1 || le32(superblock, 92)? == 1;
    let devices = if whole {
        vec![(start, used.unwrap_or(data))]
    } else {
        Vec::new()
    };
    Some(Region {
        holder: Holder::Md,
        start,
        end: start.checked_add(data)?,
        devices,
    })
}

/// `struct cache_sb` at 4 KiB of a backing device: `version`, `data_offset`.
fn bcache(device: Window<'_>) -> Result<Option<Region>> {
    const MAGIC: &[u8] = b"\xC6\x85\x73\xF6\x4E\x1A\x45\xCA\x82\x65\xF5\x7F\x48\xBA\x6D\x81";
    let Some(superblock) = block::<256>(device, DevPos::new(4096))? else {
        return Ok(None);
    };
    if superblock.get(24..40) != Some(MAGIC) || le64(&superblock, 8) != Some(8) {
        return Ok(None);
    }
    let offset = match le64(&superblock, 16) {
        Some(1) => SECTOR_SIZE.checked_mul(16),
        Some(4 | 6) => le64(&superblock, 184).and_then(sectors),
        _ => None,
    };
    let region = offset.and_then(|offset| {
        let size = device.size().checked_sub(offset)?;
        let start = DevPos::at(offset);
        Some(Region {
            holder: Holder::Bcache,
            start,
            end: DevPos::at(device.size()),
            devices: vec![(start, size)],
        })
    });
    Ok(region)
}
