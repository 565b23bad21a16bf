//! `struct label_header`, `struct pv_header`, `struct mda_header`: where a physical volume has its group's description.

use std::ops::Range;

use crate::error::Result;
use crate::image::Window;
use crate::survey::bytes::{array, has, le32, le64};
use crate::survey::filesystems::blocks::bytes;
use crate::units::{Bytes, DevPos, SECTOR_SIZE};

/// `INITIAL_CRC` (`lib/misc/crc.h`).
const INITIAL_CRC: u32 = 0xF597_A6CF;
/// `FMTT_MAGIC`.
const MAGIC: &[u8; 16] = b" LVM2 x[5A%r0N*>";
/// A longer description is not read: LVM's own areas have 1 MiB.
const LONGEST: Bytes = Bytes::new(4 << 20);
/// Areas of a list.
const MOST_AREAS: usize = 16;

/// A physical volume's own description.
#[derive(Debug)]
pub(super) struct Label {
    /// Its identifier, 32 signs.
    pub(super) id: [u8; 32],
    /// Where its metadata areas are.
    pub(super) areas: Vec<Range<DevPos>>,
}

/// LVM's checksum: a CRC-32 that begins elsewhere, and is not inverted.
pub(super) fn checksum(bytes: &[u8]) -> u32 {
    let mut crc = crc32fast::Hasher::new_with_initial(!INITIAL_CRC);
    crc.update(bytes);
    !crc.finalize()
}

/// The label in one of the first four sectors; `None` where none is whole.
pub(super) fn label(device: Window<'_>) -> Result<Option<Label>> {
    let sector = SECTOR_SIZE.to_usize().unwrap_or(512);
    let end = DevPos::at(Bytes::new(2048));
    let head = bytes(device, &(DevPos::START..end))?.unwrap_or_default();
    Ok(head.chunks_exact(sector).find_map(decode))
}

fn decode(sector: &[u8]) -> Option<Label> {
    let known = has(sector, 0, b"LABELONE") && has(sector, 24, b"LVM2 001");
    if !known || le32(sector, 16)? != checksum(sector.get(20..)?) {
        return None;
    }
    let at = usize::try_from(le32(sector, 20)?).ok()?;
    let header = sector.get(at..)?;
    // Two lists, each ended by a place of 0: where the data is, and where its description.
    let mut place = 40;
    let mut lists = [Vec::new(), Vec::new()];
    for list in &mut lists {
        for _ in 0..MOST_AREAS {
            let (start, len) = (le64(header, place)?, le64(header, place.checked_add(8)?)?);
            place = place.checked_add(16)?;
            if start == 0 {
                break;
            }
            let start = DevPos::new(start);
            list.push(start..start.checked_add(Bytes::new(len))?);
        }
    }
    let [_, areas] = lists;
    Some(Label {
        id: array(header, 0)?,
        areas,
    })
}

/// The description that a metadata area holds; `None` where it holds none, or none that is whole.
pub(super) fn description(device: Window<'_>, area: &Range<DevPos>) -> Result<Option<Vec<u8>>> {
    let header_end = area.start.checked_add(SECTOR_SIZE);
    let Some(header) = header_end
        .map(|end| bytes(device, &(area.start..end)))
        .transpose()?
        .flatten()
    else {
        return Ok(None);
    };
    let Some((first, second, sum)) = places(&header, area) else {
        return Ok(None);
    };
    let mut text = Vec::new();
    for part in [first, second] {
        match bytes(device, &part)? {
            Some(bytes) => text.extend_from_slice(&bytes),
            None => return Ok(None),
        }
    }
    Ok((checksum(&text) == sum).then_some(text))
}

/// Where the two parts of the description are, and their checksum: the area is a ring behind its header.
fn places(header: &[u8], area: &Range<DevPos>) -> Option<(Range<DevPos>, Range<DevPos>, u32)> {
    let sum = checksum(header.get(4..)?);
    if !has(header, 4, MAGIC) || le32(header, 0)? != sum {
        return None;
    }
    let size = Bytes::new(le64(header, 32)?);
    let (offset, len) = (Bytes::new(le64(header, 40)?), Bytes::new(le64(header, 48)?));
    let ignored = le32(header, 60)? & 1 != 0;
    let ring = size.checked_sub(SECTOR_SIZE)?;
    if ignored
        || offset < SECTOR_SIZE
        || offset >= size
        || len > ring.min(LONGEST)
        || len == Bytes::ZERO
    {
        return None;
    }
    let straight = len.min(size.checked_sub(offset)?);
    let start = area.start.checked_add(offset)?;
    let again = area.start.checked_add(SECTOR_SIZE)?;
    Some((
        start..start.checked_add(straight)?,
        again..again.checked_add(len.checked_sub(straight)?)?,
        le32(header, 56)?,
    ))
}
