//! Members of an md RAID: a superblock at the start of the device, or near its end.
//!
//! ```text
//! 1.1   | sb | … data                                  |
//! 1.2   | 4 KiB | sb | … data                          |
//! 1.0   | data …                | sb | 8 to 12 KiB     |
//! 0.90  | data …           | sb | 64 to 128 KiB        |
//! ```

use super::probes::End;
use crate::error::Result;
use crate::image::Window;
use crate::survey::bytes::{array, le32, le64};
use crate::units::{Bytes, DevPos, SECTOR_SIZE};

/// `MD_SB_MAGIC` (`md_p.h`).
const MAGIC: u32 = 0xA92B_4EFC;
/// What a superblock is read from; what counts of it is in the first 256 bytes.
const SUPERBLOCK: usize = 256;
/// `MD_RESERVED_BYTES`: what version 0.90 has for itself, and what it is aligned to.
const RESERVED_0_90: Bytes = Bytes::new(64 << 10);
/// Version 1.0 begins at least so far from the end …
const DISTANCE_1_0: Bytes = Bytes::new(8 << 10);
/// … at a multiple of this.
const BLOCK: Bytes = Bytes::new(4 << 10);

/// `struct mdp_superblock_1` at the first byte (1.1) or at 4 KiB (1.2): `data_offset` and `data_size`.
pub(super) fn at_the_start(bytes: &[u8]) -> Option<End> {
    [Bytes::ZERO, BLOCK].into_iter().find_map(|at| {
        let superblock = bytes.get(at.to_usize()?..)?;
        version_1(superblock, DevPos::at(at))
    })
}

/// The same at the end (1.0), or `struct mdp_superblock_s` (0.90): where the superblock is, and where its place ends.
pub(super) fn at_the_end(device: Window<'_>) -> Result<Option<(DevPos, End)>> {
    let size = device.size();
    let positions = [
        size.checked_sub(DISTANCE_1_0)
            .map(|at| at.align_down(BLOCK)),
        size.align_down(RESERVED_0_90).checked_sub(RESERVED_0_90),
    ];
    let [version_1_0, version_0_90] = positions.map(|at| at.map(DevPos::at));
    let mut superblock = [0; SUPERBLOCK];
    if let Some(at) = version_1_0 {
        device.read_exact_at(at, &mut superblock)?;
        if let Some(data_end) = version_1(&superblock, at) {
            return Ok(Some((at, latest(data_end, at.checked_add(BLOCK)))));
        }
    }
    if let Some(at) = version_0_90 {
        device.read_exact_at(at, &mut superblock)?;
        if is_version_0_90(&superblock) {
            return Ok(Some((
                at,
                latest(End::At(0), at.checked_add(RESERVED_0_90)),
            )));
        }
    }
    Ok(None)
}

/// Version 1 with its superblock at `at`, which it says itself: where its data ends.
fn version_1(superblock: &[u8], at: DevPos) -> Option<End> {
    let is_one = le32(superblock, 0)? == MAGIC && le32(superblock, 4)? == 1;
    let said = le64(superblock, 144)?.checked_mul(SECTOR_SIZE.get())?;
    if !is_one || said != at.get() {
        return None;
    }
    let data_end = le64(superblock, 128)?.saturating_add(le64(superblock, 136)?);
    Some(End::At(data_end.saturating_mul(SECTOR_SIZE.get())))
}

/// Version 0.90, in the byte order of the machine that wrote it.
fn is_version_0_90(superblock: &[u8]) -> bool {
    [u32::from_le_bytes, u32::from_be_bytes]
        .into_iter()
        .any(|word| {
            let field = |at| array(superblock, at).map(word);
            field(0) == Some(MAGIC) && field(4) == Some(0) && field(8) == Some(90)
        })
}

/// The later of two ends.
fn latest(end: End, other: Option<DevPos>) -> End {
    match (end, other) {
        (End::At(end), Some(other)) => End::At(end.max(other.get())),
        _ => end,
    }
}
