//! Where those end that are known by a signature: the fields of their superblocks.
//!
//! Each is given the device's first bytes, and answers `None` where a short signature was somebody else's.

use super::probes::End;
use crate::survey::bytes::{array, has, le16, le32, le64};

/// The big-endian word of 16 bits at `at`.
fn be16(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

/// The same of 32 bits.
fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    array(bytes, at).map(u32::from_be_bytes)
}

/// So many units of so many bytes; nothing is said by a unit that cannot be.
#[expect(clippy::unnecessary_wraps, reason = "what a probe answers")]
fn units(count: Option<u64>, unit: Option<u64>) -> Option<End> {
    let end = count.zip(unit).filter(|(_, unit)| *unit > 0);
    let end = end.map(|(count, unit)| End::At(count.saturating_mul(unit)));
    Some(end.unwrap_or(End::Unsaid))
}

/// Two to the power that a field says, as far as a block may have.
fn power(shift: Option<u32>) -> Option<u64> {
    shift
        .filter(|shift| (9..=32).contains(shift))
        .and_then(|shift| 1_u64.checked_shl(shift))
}

/// A block's size that can be: a power of two.
fn block(size: Option<u64>) -> Option<u64> {
    size.filter(|size| size.is_power_of_two() && *size >= 512)
}

/// It says nothing of its end.
#[expect(clippy::unnecessary_wraps, reason = "one of a table's probes")]
pub(super) const fn unsaid(_: &[u8]) -> Option<End> {
    Some(End::Unsaid)
}

/// `struct f2fs_super_block` at byte 1024: `log_blocksize`, `block_count`.
pub(super) fn f2fs(bytes: &[u8]) -> Option<End> {
    units(le64(bytes, 1024 + 36), power(le32(bytes, 1024 + 16)))
}

/// `struct reiserfs_super_block_v1` at 64 KiB: `s_block_count`, `s_blocksize`.
pub(super) fn reiserfs(bytes: &[u8]) -> Option<End> {
    let size = le16(bytes, 65_536 + 44).map(u64::from);
    units(le32(bytes, 65_536).map(u64::from), block(size))
}

/// `struct minix_super_block` at byte 1024, any of its versions in either byte order. Its magic has two bytes, so that its bitmaps must fit.
pub(super) fn minix(bytes: &[u8]) -> Option<End> {
    // An ext has numbers there that may look like it.
    if has(bytes, 1024 + 0x38, b"\x53\xEF") {
        return None;
    }
    [
        minix_of(bytes, u16::from_le_bytes, u32::from_le_bytes),
        minix_of(bytes, u16::from_be_bytes, u32::from_be_bytes),
    ]
    .into_iter()
    .find_map(|found| found)
}

fn minix_of(bytes: &[u8], short: fn([u8; 2]) -> u16, long: fn([u8; 4]) -> u32) -> Option<End> {
    let superblock = bytes.get(1024..)?;
    let short = |at| array(superblock, at).map(short);
    let long = |at| array(superblock, at).map(long);
    let (inodes, first, inode_map, zone_map, zones, size) = match (short(16)?, short(24)?) {
        (0x137F | 0x138F, _) => (
            u32::from(short(0)?),
            short(8)?,
            short(4)?,
            short(6)?,
            u32::from(short(2)?),
            1024,
        ),
        (0x2468 | 0x2478, _) => (
            u32::from(short(0)?),
            short(8)?,
            short(4)?,
            short(6)?,
            long(20)?,
            1024,
        ),
        (_, 0x4D5A) => (
            long(0)?,
            short(10)?,
            short(6)?,
            short(8)?,
            long(20)?,
            u64::from(short(28)?),
        ),
        _ => return None,
    };
    let holds = |blocks: u16, bits: u64| {
        let has = u64::from(blocks).saturating_mul(size).saturating_mul(8);
        blocks > 0 && has > bits
    };
    let data = zones.checked_sub(u32::from(first))?;
    let fits = holds(inode_map, u64::from(inodes)) && holds(zone_map, u64::from(data));
    (fits && inodes > 0 && (1024..=32_768).contains(&size))
        .then(|| End::At(u64::from(zones).saturating_mul(size)))
}

/// `struct nilfs_super_block` at byte 1024: `s_rev_level`, `s_bytes`, `s_log_block_size`, `s_dev_size`. Its second superblock is the last
/// block of that.
pub(super) fn nilfs2(bytes: &[u8]) -> Option<End> {
    let superblock = bytes.get(1024..)?;
    let plausible = le32(superblock, 0)? == 2
        && (64..=1024).contains(&le16(superblock, 8)?)
        && le32(superblock, 20)? <= 6;
    plausible.then_some(End::At(le64(superblock, 32)?))
}

/// `struct jfs_superblock` at 32 KiB: `s_size` in `s_pbsize`, and behind that the workspace of fsck and the log, in `s_bsize`.
pub(super) fn jfs(bytes: &[u8]) -> Option<End> {
    let superblock = bytes.get(32_768..)?;
    let aggregate = units(
        le64(superblock, 8),
        block(le32(superblock, 24).map(u64::from)),
    )?;
    let size = block(le32(superblock, 16).map(u64::from));
    let End::At(aggregate) = aggregate else {
        return Some(End::Unsaid);
    };
    // A `pxd_t`: a length of 24 bits, and the high 8 of an address before its low 32.
    let behind = [72, 80].into_iter().filter_map(|at| {
        let (first, low) = (le32(superblock, at)?, le32(superblock, at.checked_add(4)?)?);
        let start = u64::from(first >> 24) << 32 | u64::from(low);
        let blocks = start.checked_add(u64::from(first & 0x00FF_FFFF))?;
        blocks.checked_mul(size?)
    });
    Some(End::At(behind.fold(aggregate, u64::max)))
}

/// `struct hfsplus_vh` at byte 1024: `version`, `blocksize`, `total_blocks`. Its copy is in the last but one sector of that.
pub(super) fn hfs_plus(bytes: &[u8]) -> Option<End> {
    let superblock = bytes.get(1024..)?;
    let size = block(be32(superblock, 40).map(u64::from))?;
    matches!(be16(superblock, 2)?, 4 | 5)
        .then(|| units(be32(superblock, 44).map(u64::from), Some(size)))
        .flatten()
}

/// `struct hfs_mdb` at byte 1024: `drNmAlBlks`, `drAlBlkSiz`, `drAlBlSt`. Its copy is in the last but one sector of that.
pub(super) fn hfs(bytes: &[u8]) -> Option<End> {
    let mdb = bytes.get(1024..)?;
    let size = u64::from(be32(mdb, 20)?);
    let (count, first) = (be16(mdb, 18)?, be16(mdb, 28)?);
    if size == 0 || size % 512 != 0 || count == 0 || !(3..=64).contains(&be16(mdb, 14)?) {
        return None;
    }
    let blocks = size.checked_mul(u64::from(count))?;
    let before = u64::from(first).checked_add(2)?.checked_mul(512)?;
    Some(End::At(blocks.saturating_add(before)))
}

/// `fs_magic` at byte 1372 of a superblock that is at the start, at 8 KiB or at 64 KiB, in either byte order.
pub(super) fn ufs(bytes: &[u8]) -> Option<End> {
    const MAGICS: [u32; 6] = [
        0x1954_0119,
        0x0001_1954,
        0x0019_5612,
        0x0009_5014,
        0x0061_2195,
        0x0523_1994,
    ];
    [0, 8192, 65_536]
        .into_iter()
        .filter_map(|at: usize| bytes.get(at.checked_add(1372)?..))
        .any(|field| {
            let words = [le32(field, 0), be32(field, 0)];
            words
                .into_iter()
                .flatten()
                .any(|word| MAGICS.contains(&word))
        })
        .then_some(End::Unsaid)
}

/// `struct ocfs2_dinode` in the third block: `i_clusters`, `s_clustersize_bits`.
pub(super) fn ocfs2<const AT: usize>(bytes: &[u8]) -> Option<End> {
    let inode = bytes.get(AT..)?;
    units(
        le32(inode, 20).map(u64::from),
        power(le32(inode, 0xC0 + 0x3C)),
    )
}

/// `struct squashfs_super_block`: `bytes_used`, from version 4 on.
pub(super) fn squashfs(bytes: &[u8]) -> Option<End> {
    match le16(bytes, 28)? {
        4 => units(le64(bytes, 40), Some(1)),
        _ => Some(End::Unsaid),
    }
}

/// `struct erofs_super_block` at byte 1024: `blkszbits`, `blocks`.
pub(super) fn erofs(bytes: &[u8]) -> Option<End> {
    let [shift] = array(bytes, 1024 + 12)?;
    units(
        le32(bytes, 1024 + 36).map(u64::from),
        power(Some(u32::from(shift))),
    )
}

/// `struct cramfs_super`: `size`.
pub(super) fn cramfs(bytes: &[u8]) -> Option<End> {
    units(le32(bytes, 4).map(u64::from), Some(1))
}

/// `struct romfs_super_block`: `size`.
pub(super) fn romfs(bytes: &[u8]) -> Option<End> {
    units(be32(bytes, 8).map(u64::from), Some(1))
}

/// The primary volume descriptor at 32 KiB: the volume's size and that of its blocks, each in both byte orders.
pub(super) fn iso9660(bytes: &[u8]) -> Option<End> {
    let descriptor = bytes.get(32_768..)?;
    let size = le16(descriptor, 128).map(u64::from);
    units(le32(descriptor, 80).map(u64::from), block(size))
}

/// `nx_superblock_t`: `nx_block_size`, `nx_block_count`.
pub(super) fn apfs(bytes: &[u8]) -> Option<End> {
    units(le64(bytes, 40), block(le32(bytes, 36).map(u64::from)))
}

/// The boot sector: sectors at 24, their size at 32.
pub(super) fn refs(bytes: &[u8]) -> Option<End> {
    units(le64(bytes, 24), block(le32(bytes, 32).map(u64::from)))
}

/// `struct cache_sb` at 4 KiB, which bcache writes for itself with the sector that it is in: `nbuckets`, `bucket_size` of a cache; a backing
/// device says nothing.
pub(super) fn bcache(bytes: &[u8]) -> Option<End> {
    let superblock = bytes.get(4096..)?;
    if is_bcachefs(superblock) {
        return None;
    }
    let is_cache = matches!(le64(superblock, 16)?, 0 | 3 | 5);
    if !is_cache {
        return Some(End::Unsaid);
    }
    let bucket = le16(superblock, 194).and_then(|sectors| u64::from(sectors).checked_mul(512));
    units(le64(superblock, 184), bucket)
}

/// `struct bch_sb` at 4 KiB, with the magic of old that is bcache's, too.
pub(super) fn bcachefs(bytes: &[u8]) -> Option<End> {
    is_bcachefs(bytes.get(4096..)?).then_some(End::Unsaid)
}

/// Whether the sector of the superblock stands where bcachefs has it, and not where bcache has.
fn is_bcachefs(superblock: &[u8]) -> bool {
    le64(superblock, 8) != Some(8) && le64(superblock, 104) == Some(8)
}

/// The static header in the second sector: `sectors`.
pub(super) fn stratis(bytes: &[u8]) -> Option<End> {
    units(le64(bytes, 532), Some(512))
}

/// `struct verity_sb`: `version`.
pub(super) fn verity(bytes: &[u8]) -> Option<End> {
    (le32(bytes, 8)? == 1).then_some(End::Unsaid)
}

/// `struct pv_disk` of LVM1: `version`.
pub(super) fn lvm1(bytes: &[u8]) -> Option<End> {
    let plausible = matches!(le16(bytes, 2)?, 1 | 2) && le32(bytes, 4)? == 0;
    plausible.then_some(End::Unsaid)
}

/// What a swap page says while it holds a suspended system, at the page's end.
pub(super) fn swsuspend(bytes: &[u8]) -> Option<End> {
    const MAGICS: [&[u8]; 6] = [
        b"S1SUSPEND\0",
        b"S2SUSPEND\0",
        b"ULSUSPEND\0",
        b"LINHIB0001",
        b"\xED\xC3\x02\xE9\x98\x56\xE5\x0C",
        b"SUSPEND\0",
    ];
    let pages = [4096_usize, 8192, 16_384, 32_768, 65_536];
    pages
        .into_iter()
        .filter_map(|page| page.checked_sub(10))
        .any(|at| MAGICS.iter().any(|magic| has(bytes, at, magic)))
        .then_some(End::Unsaid)
}

/// The list of names and values of a label, 16 KiB behind the label's start.
pub(super) fn zfs(bytes: &[u8]) -> Option<End> {
    is_zfs_label(bytes.get(16 << 10..)?).then_some(End::Unsaid)
}

/// Whether a label's list is there: XDR's encoding, and what a pool's list always names.
pub(super) fn is_zfs_label(list: &[u8]) -> bool {
    let list = list.get(..4096).unwrap_or(list);
    let names = |name: &[u8]| list.windows(name.len()).any(|piece| piece == name);
    let begins = has(list, 0, &[1, 0, 0, 0]) || has(list, 0, &[1, 1, 0, 0]);
    begins && (names(b"pool_guid") || names(b"version")) && names(b"guid")
}

/// `struct sun_disklabel`: all words, xored, are zero.
pub(super) fn sun(bytes: &[u8]) -> Option<End> {
    let words = bytes.get(..512)?.chunks_exact(2);
    let words = words.filter_map(|word| array(word, 0).map(u16::from_be_bytes));
    let sum = words.fold(0, |sum: u16, word| sum ^ word);
    (sum == 0 && be16(bytes, 420)? != 0).then_some(End::Unsaid)
}

/// The second header of a LUKS2 volume, where the first is gone.
pub(super) fn second_luks(bytes: &[u8]) -> Option<End> {
    (!has(bytes, 0, b"LUKS\xBA\xBE")).then_some(End::Unsaid)
}
