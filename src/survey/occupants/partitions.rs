//! Partition tables, and up to where they say that something is.

use super::microsoft::is_boot_sector;
use super::probes::End;
use crate::survey::bytes::{array, has, le16, le32, le64};

/// The unit of a DOS table; disks with larger sectors that have one are too rare to guess.
pub(super) const SECTOR: u64 = 512;
/// The type of the one partition that keeps others off a disk with a GUID partition table.
pub(super) const PROTECTIVE: u8 = 0xEE;

/// One entry of a DOS table that is in use.
pub(super) struct Entry {
    /// Which of the four, from 1 on.
    pub(super) number: u32,
    pub(super) kind: u8,
    /// Sectors before it.
    pub(super) start: u32,
    pub(super) sectors: u32,
}

/// The size of a sector, by where the header of a GUID table is.
pub(super) fn gpt_sector(bytes: &[u8]) -> Option<u64> {
    [SECTOR, 4096].into_iter().find(|sector| {
        let at = usize::try_from(*sector).unwrap_or(usize::MAX);
        has(bytes, at, b"EFI PART")
    })
}

/// `struct gpt_header` in the second sector: `AlternateLBA`, the sector of the backup.
///
/// Where only the protective table is left, there is one that does not say up to where.
pub(super) fn gpt(bytes: &[u8]) -> Option<End> {
    let header = gpt_sector(bytes).and_then(|sector| {
        let header = bytes.get(usize::try_from(sector).ok()?..)?;
        let alternate = le64(header, 32)?;
        let end = alternate.saturating_add(1).saturating_mul(sector);
        // The backup lies behind the table itself.
        Some(if alternate > 1 {
            End::At(end)
        } else {
            End::Unsaid
        })
    });
    header.or_else(|| {
        let table = table(bytes)?;
        table
            .iter()
            .any(|partition| partition.kind == PROTECTIVE)
            .then_some(End::Unsaid)
    })
}

/// The table in the first sector: the end of the partition that reaches furthest. An extended one ends where the last one in it does.
pub(super) fn mbr(bytes: &[u8]) -> Option<End> {
    let table = table(bytes)?;
    if table.iter().any(|partition| partition.kind == PROTECTIVE) {
        return None;
    }
    let ends = table
        .iter()
        .map(|partition| u64::from(partition.start).saturating_add(u64::from(partition.sectors)));
    let end = ends.max()?;
    Some(End::At(end.saturating_mul(SECTOR)))
}

/// The used entries of what is a DOS table by its signature and its shape, and no boot sector of a file system, which has that signature too.
pub(super) fn table(bytes: &[u8]) -> Option<Vec<Entry>> {
    if le16(bytes, 510)? != 0xAA55 || is_boot_sector(bytes) {
        return None;
    }
    let mut used = Vec::new();
    for (number, entry) in (1..).zip(bytes.get(446..510)?.chunks_exact(16)) {
        let [status] = array(entry, 0)?;
        let [kind] = array(entry, 4)?;
        if status & 0x7F != 0 {
            return None;
        }
        let (start, sectors) = (le32(entry, 8)?, le32(entry, 12)?);
        if kind != 0 && sectors != 0 {
            used.push(Entry {
                number,
                kind,
                start,
                sectors,
            });
        }
    }
    (!used.is_empty()).then_some(used)
}
