//! Those who are known by a signature, made by their own makers where Debian has them, and held against `blkid -p`.

use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{MIB, blkid, found, image, tool_path};
use crate::support::{LoopDevice, patch, peek, scratch};

/// A maker with its words, of which `@` is the image and `%` a directory with a file in it; the image's size, or 0 where the maker makes it.
pub(super) type Made = (
    &'static str,
    &'static [&'static str],
    u64,
    &'static str,
    &'static str,
);

/// What is made, what it is called, and what blkid calls it. All of them fill the disk, but for 8 MiB at most.
pub(super) const MADE: [Made; 17] = [
    ("mkfs.f2fs", &["-q", "-f", "@"], 64, "f2fs", "f2fs"),
    (
        "mkfs.reiserfs",
        &["-q", "-f", "-f", "@"],
        64,
        "reiserfs",
        "reiserfs",
    ),
    ("mkfs.minix", &["-1", "@"], 32, "minix", "minix"),
    ("mkfs.minix", &["-2", "@"], 32, "minix", "minix"),
    ("mkfs.minix", &["-3", "@"], 32, "minix", "minix"),
    ("mkfs.nilfs2", &["-q", "-f", "@"], 130, "nilfs2", "nilfs2"),
    ("mkfs.jfs", &["-q", "@"], 64, "jfs", "jfs"),
    ("make-bcache", &["-C", "@"], 64, "bcache", "bcache"),
    ("make-bcache", &["-B", "@"], 64, "bcache", "bcache"),
    ("mkfs.bfs", &["@"], 4, "bfs", "bfs"),
    ("mkudffs", &["@"], 64, "udf", "udf"),
    ("mkudffs", &["-b", "4096", "@"], 64, "udf", "udf"),
    (
        "mkfs.ocfs2",
        &["-q", "-F", "-M", "local", "@"],
        200,
        "ocfs2",
        "ocfs2",
    ),
    ("mkfs.cramfs", &["%", "@"], 0, "cramfs", "cramfs"),
    (
        "mksquashfs",
        &["%", "@", "-quiet"],
        0,
        "squashfs",
        "squashfs",
    ),
    ("mkfs.erofs", &["@", "%"], 0, "erofs", "erofs"),
    (
        "xorriso",
        &["-outdev", "@", "-map", "%", "/", "-commit"],
        0,
        "iso9660",
        "iso9660",
    ),
];
/// Those that do not say where they end.
const SILENT: [&str; 2] = ["bfs", "udf"];

pub(super) fn make(dir: &TempDir, image: &Path, tool: &Path, words: &[&str]) {
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("etc")).unwrap();
    let words = words.iter().map(|word| match *word {
        "@" => image.to_owned(),
        "%" => tree.clone(),
        word => word.into(),
    });
    let output = Command::new(tool).args(words).output().unwrap();
    assert!(output.status.success(), "{}: {output:?}", tool.display());
}

#[test]
fn who_is_made_by_a_maker_is_found_as_blkid_finds_it() {
    for (tool, words, mib, word, blkids) in MADE {
        let Some(program) = tool_path(tool) else {
            continue;
        };
        let dir = scratch();
        let image = if mib == 0 {
            dir.path().join("disk")
        } else {
            image(&dir, mib * MIB)
        };
        make(&dir, &image, &program, words);
        let size = std::fs::metadata(&image).unwrap().len();
        assert_eq!(blkid(&image).first().map(String::as_str), Some(blkids));
        let found = found(&image);
        let [(kind, end)] = found[..] else {
            panic!("{tool} {words:?}: {found:?}");
        };
        assert_eq!(kind.word(), word, "{tool} {words:?}");
        let backing = words.contains(&"-B");
        if SILENT.contains(&word) || backing {
            assert_eq!(end, None, "{tool} {words:?}");
        } else {
            let end = end.unwrap();
            assert!(
                end <= size && end + 8 * MIB > size,
                "{tool} {words:?}: ends at {end} of {size}"
            );
        }
    }
}

/// Where bytes are put, from the end where negative, and which.
type Pieces = &'static [(i64, &'static [u8])];

/// Those that no package of Debian makes: what blkid looks at, what it is called, and what blkid calls it.
const PATCHED: [(Pieces, &str, &str); 35] = [
    (
        &[
            (65_536, b"\x01\x16\x19\x70\0\0\0\x01"),
            (65_560, b"\0\0\x07\x09\0\0\x07\x6C"),
        ],
        "gfs2",
        "gfs2",
    ),
    (&[(9564, b"\x54\x19\x01\0")], "ufs", "ufs"),
    (&[(66_908, b"\x19\x54\x01\x19")], "ufs", "ufs"),
    (
        &[(0, b"dmvdo001\x05\0\0\0\0\0\0\0\x43\0\0\0")],
        "vdo",
        "vdo",
    ),
    (&[(0, b"integrt\0\x01")], "dm-integrity", "DM_integrity"),
    (
        &[(0, b"verity\0\0\x01\0\0\0")],
        "dm-verity",
        "DM_verity_hash",
    ),
    (&[(0, b"SnAp")], "dm-snapshot", "DM_snapshot_cow"),
    (
        &[(0, b"bluestore block device\n")],
        "bluestore",
        "ceph_bluestore",
    ),
    (
        &[(1024, b"H+\0\x04"), (1064, b"\0\0\x10\0\0\0\x40\0")],
        "hfsplus",
        "hfsplus",
    ),
    (
        &[
            (1024, b"BD"),
            (1038, b"\0\x03"),
            (1042, b"\x03\xE8\0\0\x10\0"),
            (1052, b"\0\x14"),
        ],
        "hfs",
        "hfs",
    ),
    (
        &[
            (24, b"\x01\0\0\x80"),
            (32, b"NXSB\0\x10\0\0\0\x40\0\0\0\0\0\0"),
        ],
        "apfs",
        "apfs",
    ),
    (&[(0, b"\0\0\0ReFS\0")], "refs", "ReFS"),
    (&[(0, b"SFOZ")], "zonefs", "zonefs"),
    (&[(0, b"-rom1fs-\0\0\x10\0")], "romfs", "romfs"),
    (&[(0, b"HM\x01\0")], "lvm1", "LVM1_member"),
    (&[(8192, b"OracleCFS")], "ocfs", "ocfs"),
    (&[(32, b"ORCLDISK")], "oracleasm", "oracleasm"),
    (
        &[(1 << 20, b"\x0D\xD0\x01\xC0")],
        "vmfs-member",
        "VMFS_volume_member",
    ),
    (&[(2 << 20, b"\x5E\xF1\xAB\x2F")], "vmfs", "VMFS"),
    (&[(1016, b"\x20\x7E\x18\xFD")], "sysv", "sysv"),
    (&[(2048, b"\x44\x55\x2B\0")], "xenix", "xenix"),
    (&[(1024, b"\xF5\xFC\x01\xA5")], "vxfs", "vxfs"),
    (&[(4096, b"SPB5")], "nss", "nss"),
    (&[(0, b"UBI#\x01")], "ubi", "ubi"),
    (&[(0, b"\x31\x18\x10\x06")], "ubifs", "ubifs"),
    (&[(4086, b"S1SUSPEND\0")], "swsuspend", "swsuspend"),
    (&[(65_536, b"ReIsEr4")], "reiser4", "reiser4"),
    (
        &[(4640, b"\xF0\x16\x78\x5A")],
        "hpt37x",
        "hpt37x_raid_member",
    ),
    (
        &[(-1024, b"Intel Raid ISM Cfg Sig. 1.3.00")],
        "isw",
        "isw_raid_member",
    ),
    (&[(-512, b"\xDE\x11\xDE\x11")], "ddf", "ddf_raid_member"),
    (&[(-512, b"$XIDE$")], "lsi", "lsi_mega_raid_member"),
    (&[(-1024, b"NVIDIA  ")], "nvidia", "nvidia_raid_member"),
    (
        &[(-5632, b"\xF3\x16\x78\x5A")],
        "hpt45x",
        "hpt45x_raid_member",
    ),
    (
        &[(-512, b"\x37\xFC\x4D\x1E"), (-256, b"DPTM")],
        "adaptec",
        "adaptec_raid_member",
    ),
    (
        &[(-32_256, b"Promise Technology, Inc.")],
        "promise",
        "promise_fasttrack_raid_member",
    ),
];

const SIZE: u64 = 64 * MIB;

fn put(image: &Path, at: i64, bytes: &[u8]) {
    let at = if at < 0 {
        SIZE - at.unsigned_abs()
    } else {
        at.unsigned_abs()
    };
    patch(image, at, bytes);
}

#[test]
fn who_has_no_maker_here_is_found_as_blkid_finds_it() {
    for (pieces, word, blkids) in PATCHED {
        let dir = scratch();
        // A zoned file system is a whole device's.
        let image = image(&dir, SIZE);
        for (at, bytes) in pieces {
            put(&image, *at, bytes);
        }
        let words: Vec<_> = found(&image).iter().map(|(kind, _)| kind.word()).collect();
        assert_eq!(words, [word]);
        assert_eq!(blkid(&image), [blkids], "{word}");
        // One byte of it off, and nobody is there.
        let (at, bytes) = pieces.last().unwrap();
        let mut off = bytes.to_vec();
        off[0] ^= 0x5A;
        put(&image, *at, &off);
        if pieces.len() == 1 {
            assert_eq!(found(&image), [], "{word}");
        }
    }
}

/// Signatures of two bytes, which count with a checksum only.
#[test]
fn short_signatures_count_with_their_checksum() {
    let mut via = [0; 51];
    via[..3].copy_from_slice(b"\x55\xAA\x01");
    via[7] = 9;
    via[50] = via[..50]
        .iter()
        .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
    let words = |bytes: &[u8]| -> Vec<u16> {
        let words = bytes.chunks_exact(2);
        words
            .map(|word| u16::from_le_bytes([word[0], word[1]]))
            .collect()
    };
    let minus = |bytes: &[u8]| words(bytes).into_iter().fold(0_u16, u16::wrapping_sub);
    let mut silicon = [0; 512];
    silicon[0x60..0x64].copy_from_slice(&0x2F00_0000_u32.to_le_bytes());
    silicon[0x116] = 1;
    let sum = minus(&silicon[..0x13E]);
    silicon[0x13E..0x140].copy_from_slice(&sum.to_le_bytes());
    let mut jmicron = [0; 128];
    jmicron[..2].copy_from_slice(b"JM");
    let sum = minus(&jmicron);
    jmicron[4..6].copy_from_slice(&sum.to_le_bytes());
    let all: [(&[u8], &str, &str); 3] = [
        (&via, "via", "via_raid_member"),
        (&silicon, "silicon", "silicon_medley_raid_member"),
        (&jmicron, "jmicron", "jmicron_raid_member"),
    ];
    for (bytes, word, blkids) in all {
        let dir = scratch();
        let image = image(&dir, SIZE);
        patch(&image, SIZE - 512, bytes);
        let words: Vec<_> = found(&image).iter().map(|(kind, _)| kind.word()).collect();
        assert_eq!(words, [word]);
        assert_eq!(blkid(&image), [blkids]);
        let mut off = bytes.to_vec();
        off[10] ^= 4;
        patch(&image, SIZE - 512, &off);
        assert_eq!(found(&image), [], "{word} with a byte off");
    }
}

/// A label of ZFS, with a list of names in XDR and five uberblocks.
fn zfs_label() -> Vec<(u64, Vec<u8>)> {
    let be = |number: u32| number.to_be_bytes();
    let pair = |name: &str, value: u64| {
        let mut pair = be(u32::try_from(name.len()).unwrap()).to_vec();
        pair.extend_from_slice(name.as_bytes());
        pair.resize(pair.len().next_multiple_of(4), 0);
        pair.extend([be(8), be(1)].concat());
        pair.extend(value.to_be_bytes());
        let size = be(u32::try_from(pair.len()).unwrap() + 8);
        [&size[..], &be(0), &pair].concat()
    };
    let list = [
        b"\x01\x01\0\0".to_vec(),
        be(0).to_vec(),
        be(1).to_vec(),
        pair("version", 5000),
        pair("pool_guid", 77),
        pair("guid", 88),
    ];
    let uberblock = [0x00BA_B10C_u64, 5000].map(u64::to_le_bytes).concat();
    let blocks = (4..9).map(|number| (131_072 + 1024 * number, uberblock.clone()));
    blocks.chain([(16_384, list.concat())]).collect()
}

#[test]
fn each_label_of_zfs_is_enough() {
    // The second is behind the others, and is never alone.
    for label in [0, SIZE - 524_288, SIZE - 262_144] {
        let dir = scratch();
        let image = image(&dir, SIZE);
        for (at, bytes) in zfs_label() {
            patch(&image, label + at, &bytes);
        }
        let words: Vec<_> = found(&image).iter().map(|(kind, _)| kind.word()).collect();
        assert_eq!(words, ["zfs"], "label at {label}");
        assert_eq!(blkid(&image), ["zfs_member"], "label at {label}");
    }
}

#[test]
fn what_is_left_at_the_end_is_found_without_the_beginning() {
    let cases: [(&str, &[&str], u64, &str); 3] = [
        ("sgdisk", &["-n", "1:2048:8191", "@"], 64, "gpt-backup"),
        ("mkfs.nilfs2", &["-q", "-f", "@"], 130, "nilfs2"),
        ("mkfs.ntfs", &["-q", "-Q", "-F", "@"], 64, "ntfs"),
    ];
    for (tool, words, mib, word) in cases {
        let Some(program) = tool_path(tool) else {
            continue;
        };
        let dir = scratch();
        let image = image(&dir, mib * MIB);
        make(&dir, &image, &program, words);
        patch(&image, 0, &vec![0; 1 << 20]);
        let words: Vec<_> = found(&image).iter().map(|(kind, _)| kind.word()).collect();
        assert_eq!(words, [word]);
    }
}

#[test]
fn a_whole_table_with_its_backup_is_one() {
    let Some(program) = tool_path("sgdisk") else {
        return;
    };
    let dir = scratch();
    let image = image(&dir, SIZE);
    make(&dir, &image, &program, &["-n", "1:2048:8191", "@"]);
    assert_eq!(peek(&image, SIZE - 512, 8), b"EFI PART", "the premise");
    let words: Vec<_> = found(&image).iter().map(|(kind, _)| kind.word()).collect();
    assert_eq!(words, ["gpt"]);
}

#[test]
fn a_physical_volume_with_two_metadata_areas_ends_behind_the_second() {
    let Some(program) = tool_path("pvcreate") else {
        return;
    };
    let dir = scratch();
    let image = image(&dir, SIZE);
    let Some(device) = LoopDevice::over(&image, &[]) else {
        return;
    };
    let output = Command::new(program)
        .args(["-q", "--metadatacopies", "2", device.path()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    drop(device);
    let found = found(&image);
    let [(kind, Some(end))] = found[..] else {
        panic!("{found:?}");
    };
    assert_eq!((kind.word(), end), ("lvm", SIZE));
    assert_eq!(blkid(&image), ["LVM2_member"]);
}
