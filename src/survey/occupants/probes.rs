//! One probe a kind: `None` where it is not there, its end in bytes where it says one.
//!
//! A size beyond 64 bits counts as all that 64 bits hold: it is nonsense, and nobody's to be overwritten by that. A size of 0, or in blocks that
//! cannot be, is none that is said.

use super::OccupantKind;
use super::{md, microsoft, partitions};
use crate::survey::bytes::{array, has, le32, le64};

/// What somebody who lives there says of the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// It is this many bytes from the start.
    At(u64),
    /// Nothing.
    Unsaid,
}

/// Looks at a device's first bytes.
type Probe = fn(&[u8]) -> Option<End>;

/// Every kind that is known by its first bytes.
pub(super) const ALL: [(OccupantKind, Probe); 12] = [
    (OccupantKind::Ext, ext),
    (OccupantKind::Xfs, xfs),
    (OccupantKind::Btrfs, btrfs),
    (OccupantKind::Ntfs, microsoft::ntfs),
    (OccupantKind::Fat, microsoft::fat),
    (OccupantKind::ExFat, microsoft::exfat),
    (OccupantKind::Swap, swap),
    (OccupantKind::Lvm, lvm),
    (OccupantKind::Luks, luks),
    (OccupantKind::Md, md::at_the_start),
    (OccupantKind::Gpt, partitions::gpt),
    (OccupantKind::Mbr, partitions::mbr),
];

/// `struct ext4_super_block` at byte 1024: `s_magic`, `s_inodes_count`, `s_blocks_count`, `s_log_block_size`.
fn ext(bytes: &[u8]) -> Option<End> {
    const INCOMPAT_64BIT: u32 = 0x80;
    let superblock = bytes.get(1024..)?;
    if !has(superblock, 0x38, &0xEF53_u16.to_le_bytes()) {
        return None;
    }
    let mut blocks = u64::from(le32(superblock, 0x04)?);
    if le32(superblock, 0x60)? & INCOMPAT_64BIT != 0 {
        blocks |= u64::from(le32(superblock, 0x150)?) << 32;
    }
    let log = le32(superblock, 0x18)?;
    // Blocks of 1 KiB to 64 KiB, and at least one. The magic has two bytes: with inodes it is an ext all the same, alone it is none.
    match (log <= 6).then(|| 1024_u64 << log) {
        Some(size) if blocks > 0 => Some(End::At(blocks.saturating_mul(size))),
        _ if le32(superblock, 0)? > 0 => Some(End::Unsaid),
        _ => None,
    }
}

/// `struct xfs_dsb`: `sb_magicnum`, `sb_blocksize`, `sb_dblocks`.
fn xfs(bytes: &[u8]) -> Option<End> {
    if !has(bytes, 0, b"XFSB") {
        return None;
    }
    let size = array(bytes, 4).map(u32::from_be_bytes)?;
    let blocks = array(bytes, 8).map(u64::from_be_bytes)?;
    if !size.is_power_of_two() || !(512..=65_536).contains(&size) {
        return Some(End::Unsaid);
    }
    Some(End::At(blocks.saturating_mul(u64::from(size))))
}

/// `struct btrfs_super_block` at byte 65536: `magic`, `dev_item.total_bytes`.
fn btrfs(bytes: &[u8]) -> Option<End> {
    let superblock = bytes.get(0x1_0000..)?;
    if !has(superblock, 0x40, b"_BHRfS_M") {
        return None;
    }
    le64(superblock, 0xC9 + 8).map(End::At)
}

/// `union swap_header`: the magic at the end of the first page, `info.last_page` at byte 1028.
fn swap(bytes: &[u8]) -> Option<End> {
    let pages = [4096_usize, 8192, 16_384, 32_768, 65_536];
    let page = pages.into_iter().find(|page| {
        let at = page.saturating_sub(10);
        has(bytes, at, b"SWAPSPACE2") || has(bytes, at, b"SWAP-SPACE")
    })?;
    let last = u64::from(le32(bytes, 1028)?);
    let page = u64::try_from(page).ok()?;
    // The first page is the header: without another there is no space. The old format says nothing there, either.
    if last == 0 {
        return Some(End::Unsaid);
    }
    Some(End::At(last.saturating_add(1).saturating_mul(page)))
}

/// `struct label_header` in one of the first four sectors, `struct pv_header` where that says: `device_size_xl`.
fn lvm(bytes: &[u8]) -> Option<End> {
    let sectors = bytes.chunks(512).take(4);
    let mut labels =
        sectors.filter(|sector| has(sector, 0, b"LABELONE") && has(sector, 24, b"LVM2 001"));
    let label = labels.next()?;
    let header = usize::try_from(le32(label, 20)?).ok()?;
    le64(label, header.checked_add(32)?).map(End::At)
}

/// `struct luks_phdr`, `struct luks2_hdr_disk`. LUKS1 says no size; LUKS2 may, in the JSON text behind its header.
fn luks(bytes: &[u8]) -> Option<End> {
    if !has(bytes, 0, b"LUKS\xBA\xBE") {
        return None;
    }
    if array(bytes, 6).map(u16::from_be_bytes) != Some(2) {
        return Some(End::Unsaid);
    }
    let text = bytes.get(4096..).unwrap_or_default();
    let text = text.split(|byte| *byte == 0).next().unwrap_or_default();
    let end = luks2_end(&String::from_utf8_lossy(text));
    Some(end.map_or(End::Unsaid, End::At))
}

/// Where the last of the segments ends; `None` where one takes all there is.
fn luks2_end(json: &str) -> Option<u64> {
    let (_, segments) = json.split_once("\"segments\"")?;
    // Up to the brace that closes it.
    let mut depth = 0_u32;
    let length = segments.find(|sign| {
        match sign {
            '{' => depth = depth.saturating_add(1),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        sign == '}' && depth == 0
    })?;
    let segments = segments.get(..length)?;
    let values = |key: &'static str| {
        segments
            .match_indices(key)
            .filter_map(move |(at, _)| segments.get(at..)?.split('"').nth(3))
    };
    let mut end = None;
    for (offset, size) in values("\"offset\"").zip(values("\"size\"")) {
        let one: u64 = offset
            .parse::<u64>()
            .ok()?
            .saturating_add(size.parse().ok()?);
        end = end.max(Some(one));
    }
    end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_luks2_volume_ends_where_its_segments_do() {
        let fixed = r#"{"keyslots":{"0":{"size":"7"}},"segments":{"0":{"type":"crypt","offset":"16777216","size":"4096"},
            "1":{"offset":"100","size":"50"}},"config":{"json_size":"12288"}}"#;
        assert_eq!(luks2_end(fixed), Some(16_777_216 + 4096));
        let dynamic = r#"{"segments":{"0":{"offset":"16777216","size":"dynamic"}}}"#;
        assert_eq!(luks2_end(dynamic), None);
        for cut in 0..fixed.len() {
            // No answer is as good as any, where the text is cut off.
            let _ = luks2_end(fixed.get(..cut).unwrap());
        }
    }

    #[test]
    fn nothing_is_found_in_nothing_and_nonsense_does_no_harm() {
        for (kind, probe) in ALL {
            assert_eq!(probe(&[]), None, "{kind}");
            assert_eq!(probe(&vec![0; 131_072]), None, "{kind}");
            assert_eq!(probe(&vec![0xFF; 131_072]), None, "{kind}");
        }
        let mut huge = vec![0xFF; 131_072];
        huge[..4].copy_from_slice(b"XFSB");
        assert_eq!(xfs(&huge), Some(End::Unsaid), "no such blocks");
        huge[4..8].copy_from_slice(&4096_u32.to_be_bytes());
        assert_eq!(xfs(&huge), Some(End::At(u64::MAX)));
    }
}
