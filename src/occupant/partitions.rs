//! Partition tables, and up to where they say that something is.

use super::microsoft::is_boot_sector;
use super::probes::{End, array, has, le16, le32, le64};

/// The unit of a DOS table; disks with larger sectors that have one are too rare to guess.
const SECTOR: u64 = 512;
/// The type of the one partition that keeps others off a disk with a GUID partition table.
const PROTECTIVE: u8 = 0xEE;

/// One entry of a DOS table that is in use.
struct Partition {
    kind: u8,
    start: u32,
    sectors: u32,
}

/// `struct gpt_header` in the second sector: `AlternateLBA`, the sector of the backup.
///
/// Where only the protective table is left, there is one that does not say up to where.
pub(super) fn gpt(bytes: &[u8]) -> Option<End> {
    let sectors = [SECTOR, 4096];
    let header = sectors.into_iter().find_map(|sector| {
        let at = usize::try_from(sector).ok()?;
        let header = bytes.get(at..)?;
        if !has(header, 0, b"EFI PART") {
            return None;
        }
        let alternate = le64(header, 32)?;
        let end = alternate.saturating_add(1).saturating_mul(sector);
        Some(End::At(end))
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
fn table(bytes: &[u8]) -> Option<Vec<Partition>> {
    if le16(bytes, 510)? != 0xAA55 || is_boot_sector(bytes) {
        return None;
    }
    let mut used = Vec::new();
    for entry in bytes.get(446..510)?.chunks_exact(16) {
        let [status] = array(entry, 0)?;
        let [kind] = array(entry, 4)?;
        if status & 0x7F != 0 {
            return None;
        }
        let (start, sectors) = (le32(entry, 8)?, le32(entry, 12)?);
        if kind != 0 && sectors != 0 {
            used.push(Partition {
                kind,
                start,
                sectors,
            });
        }
    }
    (!used.is_empty()).then_some(used)
}
