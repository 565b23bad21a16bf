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

/// A superblock at the end.
pub(in crate::survey) struct AtTheEnd {
    /// Where it is.
    pub(in crate::survey) at: DevPos,
    /// As much of it as counts.
    pub(in crate::survey) bytes: [u8; SUPERBLOCK],
    /// Whether it is version 0.90; 1.0 otherwise.
    pub(in crate::survey) is_0_90: bool,
}

/// The same at the end (1.0), or `struct mdp_superblock_s` (0.90): where the superblock is, and where its place ends.
pub(super) fn at_the_end(device: Window<'_>) -> Result<Option<(DevPos, End)>> {
    let found = superblock_at_the_end(device)?;
    Ok(found.map(|AtTheEnd { at, bytes, is_0_90 }| {
        let (data_end, own) = if is_0_90 {
            (None, RESERVED_0_90)
        } else {
            (version_1(&bytes, at), BLOCK)
        };
        let data_end = data_end.unwrap_or(End::At(0));
        (at, latest(data_end, at.checked_add(own)))
    }))
}

/// The superblock at the end, as it is.
pub(in crate::survey) fn superblock_at_the_end(device: Window<'_>) -> Result<Option<AtTheEnd>> {
    let size = device.size();
    let positions = [
        size.checked_sub(DISTANCE_1_0)
            .map(|at| at.align_down(BLOCK)),
        size.align_down(RESERVED_0_90).checked_sub(RESERVED_0_90),
    ];
    let [version_1_0, version_0_90] = positions.map(|at| at.map(DevPos::at));
    let mut bytes = [0; SUPERBLOCK];
    if let Some(at) = version_1_0 {
        device.read_exact_at(at, &mut bytes)?;
        if version_1(&bytes, at).is_some() {
            let is_0_90 = false;
            return Ok(Some(AtTheEnd { at, bytes, is_0_90 }));
        }
    }
    if let Some(at) = version_0_90 {
        device.read_exact_at(at, &mut bytes)?;
        if word_0_90(&bytes).is_some() {
            let is_0_90 = true;
            return Ok(Some(AtTheEnd { at, bytes, is_0_90 }));
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

/// How version 0.90 is read, in the byte order of the machine that wrote it; `None` where it is none.
pub(in crate::survey) fn word_0_90(superblock: &[u8]) -> Option<fn([u8; 4]) -> u32> {
    let orders: [fn([u8; 4]) -> u32; 2] = [u32::from_le_bytes, u32::from_be_bytes];
    orders.into_iter().find(|word| {
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
