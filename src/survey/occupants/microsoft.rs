//! File systems that begin with a boot sector: NTFS, FAT and exFAT.

use super::probes::End;
use crate::survey::bytes::{array, has, le16, le32, le64};

/// Whether one of them begins here: their signature is that of a DOS partition table, too.
pub(super) fn is_boot_sector(bytes: &[u8]) -> bool {
    [ntfs, fat, exfat]
        .into_iter()
        .any(|probe| probe(bytes).is_some())
}

/// The boot sector: bytes per sector at 11, sectors at 40. Behind them lies a copy of the boot sector.
pub(super) fn ntfs(bytes: &[u8]) -> Option<End> {
    if !has(bytes, 3, b"NTFS    ") {
        return None;
    }
    let sector = sector_size(bytes)?;
    let sectors = le64(bytes, 40)?;
    let end = sectors.saturating_add(1).saturating_mul(sector);
    Some(if sectors > 0 {
        End::At(end)
    } else {
        End::Unsaid
    })
}

/// The boot sector: bytes per sector at 11, sectors at 19 or, where those are 0, at 32.
pub(super) fn fat(bytes: &[u8]) -> Option<End> {
    if !has(bytes, 54, b"FAT") && !has(bytes, 82, b"FAT32   ") {
        return None;
    }
    let sector = sector_size(bytes)?;
    let [per_cluster] = array(bytes, 13)?;
    let [copies] = array(bytes, 16)?;
    if !per_cluster.is_power_of_two() || !(1..=2).contains(&copies) {
        return None;
    }
    let sectors = match le16(bytes, 19)? {
        0 => u64::from(le32(bytes, 32)?),
        few => u64::from(few),
    };
    Some(End::At(sectors.saturating_mul(sector)))
}

/// The boot sector: sectors at 72, their size as a power of two at 108.
pub(super) fn exfat(bytes: &[u8]) -> Option<End> {
    if !has(bytes, 3, b"EXFAT   ") {
        return None;
    }
    let [shift] = array(bytes, 108)?;
    let sector = (9..=12).contains(&shift).then(|| 1_u64 << shift)?;
    Some(End::At(le64(bytes, 72)?.saturating_mul(sector)))
}

/// Bytes per sector, as FAT and NTFS have them.
fn sector_size(bytes: &[u8]) -> Option<u64> {
    let size = le16(bytes, 11)?;
    (size.is_power_of_two() && (256..=4096).contains(&size)).then(|| u64::from(size))
}
