//! Who has a block of its own at a device's end: the metadata of RAID controllers, the backup of a partition table, ZFS's last labels.
//!
//! ```text
//! | data …                                | ZFS label | ZFS label | 0 to 256 KiB |
//! | data …                     | RAID metadata, or a table's backup: last sectors |
//! ```
//!
//! What is found here would be overwritten by internal metadata, whoever lives at the device's beginning.

use super::microsoft::ntfs;
use super::sizes::{hfs, hfs_plus, is_zfs_label, nilfs2};
use super::{Known, OccupantKind};
use crate::error::Result;
use crate::image::Window;
use crate::survey::bytes::{array, has, le16, le32};
use crate::units::{Bytes, DevPos, SECTOR_SIZE};

/// A table's backup without, or beside, the table.
pub(super) const BACKUP_GPT: Known = Known {
    word: "gpt-backup",
    name: "backup of a GUID partition table",
};
const ZFS: Known = Known {
    word: "zfs",
    name: "ZFS pool member",
};
const HFS: Known = Known {
    word: "hfs",
    name: "HFS file system",
};
const HFS_PLUS: Known = Known {
    word: "hfsplus",
    name: "HFS+ file system",
};
const NILFS2: Known = Known {
    word: "nilfs2",
    name: "NILFS2 file system",
};

/// A signature in one of the last sectors.
struct Row {
    known: Known,
    /// How many sectors before the end its sector begins.
    sectors: u64,
    magic: &'static [u8],
    /// What else the sector must have.
    check: fn(&[u8]) -> bool,
}

const fn row(
    word: &'static str,
    name: &'static str,
    sectors: u64,
    magic: &'static [u8],
    check: fn(&[u8]) -> bool,
) -> Row {
    Row {
        known: Known { word, name },
        sectors,
        magic,
        check,
    }
}

/// Firmware's and controllers' RAIDs.
const RAID: [Row; 13] = [
    row(
        "isw",
        "Intel (isw) RAID member",
        2,
        b"Intel Raid ISM Cfg Sig. ",
        any,
    ),
    row("ddf", "DDF RAID member", 1, b"\xDE\x11\xDE\x11", any),
    row("ddf", "DDF RAID member", 1, b"\x11\xDE\x11\xDE", any),
    row("ddf", "DDF RAID member", 257, b"\xDE\x11\xDE\x11", any),
    row("ddf", "DDF RAID member", 257, b"\x11\xDE\x11\xDE", any),
    row("lsi", "LSI MegaRAID member", 1, b"$XIDE$", any),
    row("via", "VIA RAID member", 1, b"\x55\xAA", via),
    row(
        "silicon",
        "Silicon Image Medley RAID member",
        1,
        b"",
        silicon,
    ),
    row("nvidia", "NVIDIA RAID member", 2, b"NVIDIA", any),
    row(
        "hpt45x",
        "HighPoint 45x RAID member",
        11,
        b"\xF3\x16\x78\x5A",
        any,
    ),
    row(
        "hpt45x",
        "HighPoint 45x RAID member",
        11,
        b"\xFD\x16\x78\x5A",
        any,
    ),
    row(
        "adaptec",
        "Adaptec RAID member",
        1,
        b"\x37\xFC\x4D\x1E",
        any,
    ),
    row("jmicron", "JMicron RAID member", 1, b"JM", jmicron),
];

/// Where Promise's metadata may begin, in sectors before the end.
const PROMISE: [u64; 13] = [
    63, 255, 256, 16, 399, 591, 675, 735, 911, 974, 991, 951, 3087,
];

/// The size of a label of ZFS, to which its last ones are aligned.
const ZFS_LABEL: Bytes = Bytes::new(256 << 10);
/// Where in a label its list is.
const ZFS_LIST: Bytes = Bytes::new(16 << 10);

/// Everybody with a block of its own at the device's end, and where that is.
pub(super) fn at_the_end(device: Window<'_>) -> Result<Vec<(OccupantKind, DevPos)>> {
    let mut found = Vec::new();
    let promise = PROMISE.into_iter().map(|sectors| {
        row(
            "promise",
            "Promise FastTrak RAID member",
            sectors,
            b"Promise Technology, Inc.",
            any,
        )
    });
    let gpt = [1, 8].map(|sectors| Row {
        known: BACKUP_GPT,
        ..row("", "", sectors, b"EFI PART", any)
    });
    for row in RAID.into_iter().chain(promise).chain(gpt) {
        let mut sector = [0; 512];
        let Some(at) = sector_before_the_end(device, row.sectors) else {
            continue;
        };
        device.read_exact_at(at, &mut sector)?;
        if has(&sector, 0, row.magic) && (row.check)(&sector) {
            found.push((OccupantKind::Known(row.known), at));
        }
    }
    found.extend(zfs(device)?);
    found.extend(second_ones(device)?);
    Ok(found)
}

/// Where the sector begins that is the `count`th from the end, of a device that is large enough for such things.
fn sector_before_the_end(device: Window<'_>, count: u64) -> Option<DevPos> {
    const LEAST: Bytes = Bytes::new(0x1_0000);
    let size = device.size();
    let back = SECTOR_SIZE.checked_mul(count)?;
    let at = size.align_down(SECTOR_SIZE).checked_sub(back)?;
    (size >= LEAST).then(|| DevPos::at(at))
}

/// One of the two last labels.
fn zfs(device: Window<'_>) -> Result<Option<(OccupantKind, DevPos)>> {
    let end = device.size().align_down(ZFS_LABEL);
    // The last one is overwritten first.
    for count in [1, 2] {
        let back = ZFS_LABEL.checked_mul(count);
        let label = back.and_then(|back| end.checked_sub(back)).map(DevPos::at);
        let list = label.and_then(|label| label.checked_add(ZFS_LIST));
        let Some((label, list)) = label.zip(list) else {
            continue;
        };
        let mut bytes = [0; 4096];
        device.read_exact_at(list, &mut bytes)?;
        if is_zfs_label(&bytes) {
            return Ok(Some((OccupantKind::Known(ZFS), label)));
        }
    }
    Ok(None)
}

/// Where somebody's second block may be, at which byte a probe of a device's start expects it, whose it is, and that probe.
type Second = (Option<DevPos>, usize, OccupantKind, fn(&[u8]) -> bool);

/// The second superblock of a NILFS2, in the device's last whole block; the second header of an HFS or HFS+, in its last but one sector; the
/// second boot sector of an NTFS, in its last.
fn second_ones(device: Window<'_>) -> Result<Vec<(OccupantKind, DevPos)>> {
    const BLOCK: Bytes = Bytes::new(4096);
    let size = device.size();
    let before = |unit: Bytes, count: u64| {
        let at = size
            .align_down(unit)
            .checked_sub(unit.checked_mul(count)?)?;
        (at > Bytes::ZERO).then(|| DevPos::at(at))
    };
    let places: [Second; 4] = [
        (
            before(BLOCK, 1),
            1024,
            OccupantKind::Known(NILFS2),
            |bytes| has(bytes, 1030, b"\x34\x34") && nilfs2(bytes).is_some(),
        ),
        (
            before(SECTOR_SIZE, 2),
            1024,
            OccupantKind::Known(HFS_PLUS),
            |bytes| {
                (has(bytes, 1024, b"H+") || has(bytes, 1024, b"HX")) && hfs_plus(bytes).is_some()
            },
        ),
        (
            before(SECTOR_SIZE, 2),
            1024,
            OccupantKind::Known(HFS),
            |bytes| has(bytes, 1024, b"BD") && hfs(bytes).is_some(),
        ),
        (before(SECTOR_SIZE, 1), 0, OccupantKind::Ntfs, |bytes| {
            ntfs(bytes).is_some()
        }),
    ];
    let mut found = Vec::new();
    for (at, probed_at, kind, probe) in places {
        // The probes expect what is at a device's start.
        let mut bytes = [0; 1024 + 512];
        if let Some((at, block)) = at.zip(bytes.get_mut(probed_at..)) {
            let len = block.len().min(512);
            device.read_exact_at(at, block.get_mut(..len).unwrap_or_default())?;
            if probe(&bytes) {
                found.push((kind, at));
            }
        }
    }
    Ok(found)
}

const fn any(_: &[u8]) -> bool {
    true
}

/// `struct via_metadata`: a version up to 2, and a sum over its first 50 bytes. The magic is that of any boot sector.
fn via(sector: &[u8]) -> bool {
    let sum = sector
        .iter()
        .take(50)
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    sector.get(2).is_some_and(|version| *version <= 2) && sector.get(50) == Some(&sum)
}

/// `struct silicon_metadata`: its magic at 0x60, the number of the disk, and the sum of the words before it at 0x13E.
fn silicon(sector: &[u8]) -> bool {
    let is_one = le32(sector, 0x60) == Some(0x2F00_0000)
        && sector.get(0x116).is_some_and(|number| *number < 8);
    let words = sector.get(..0x13E).unwrap_or_default().chunks_exact(2);
    let words = words.filter_map(|word| array(word, 0).map(u16::from_le_bytes));
    let sum = words.fold(0_u16, u16::wrapping_sub);
    is_one && le16(sector, 0x13E) == Some(sum)
}

/// `struct jm_metadata`: the words of its 128 bytes sum up to 0 or 1.
fn jmicron(sector: &[u8]) -> bool {
    let words = sector.get(..128).unwrap_or_default().chunks_exact(2);
    let words = words.filter_map(|word| array(word, 0).map(u16::from_le_bytes));
    words.fold(0_u16, u16::wrapping_add) <= 1
}
