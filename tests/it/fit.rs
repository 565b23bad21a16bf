//! `fit`: DRBD's own tool's numbers, what lives on a disk, what is said.

use std::path::Path;

use mdtool::format::layout::{AlStriping, MdGeometry};
use mdtool::format::superblock::Format;
use mdtool::units::{Bytes, Sectors};
use mdtool::verdict::fit::Shape;
use serde_json::Value;

use crate::support::{
    Drbdmeta, Run, kernel_image, mdtool, mdtool_command, patch, peek, require_tool, scratch,
    sparse, tool,
};

/// How many random sizes: as many times 300 as `MDTOOL_TEST_TIMES` says.
fn count() -> u64 {
    u64::from(crate::test_cases::cases(300))
}

/// Numbers that look random, and are the same every time.
fn next(state: &mut u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *state >> 16
}

#[test]
fn create_md_leaves_what_fit_says_to_the_sector() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = dir.path().join("disk");
    let mut state = 14;
    for _ in 0..count() {
        let whole = 1 << (20 + next(&mut state) % 13);
        let size = (69_632 + next(&mut state) % whole) / 512 * 512;
        let slots = 1 + u32::try_from(next(&mut state) % 31).unwrap();
        let v09 = next(&mut state).is_multiple_of(2);
        let (format, slots) = if v09 { ("v09", slots) } else { ("v08", 1) };
        let _ = std::fs::remove_file(&image);
        sparse(&image, size);
        let peers = slots.to_string();
        let words = ["create-md", &peers];
        let run = drbdmeta.run(
            format,
            &image,
            "internal",
            if v09 { &words } else { &words[..1] },
        );
        assert_eq!(run.status, 0, "{size} {slots}: {}", run.stderr);
        let dump = drbdmeta.ok(format, &image, "internal", &["dump-md"]);
        let line = dump
            .lines()
            .find_map(|line| line.strip_prefix("# bm_offset "));
        let theirs: u64 = line.unwrap().parse().unwrap();
        let shape = Shape {
            format: if v09 { Format::V09 } else { Format::V08 },
            geometry: MdGeometry {
                max_peers: slots,
                bytes_per_bit: 4096,
                al: AlStriping::DEFAULT,
            },
            external: false,
        };
        let room = shape.leaves(Bytes::new(size)).unwrap();
        assert_eq!(
            room.usable,
            Sectors::new(theirs / 512),
            "{format} {size} {slots}"
        );
    }
}

fn text(args: &[&str], dir: &Path) -> String {
    let run = Run::from(mdtool_command(args).current_dir(dir).output().unwrap());
    format!("{}exit {}\n", run.stdout, run.status)
}

#[test]
fn sizes_are_told_both_ways() {
    let dir = scratch();
    let disks = [
        "fit",
        "--disk",
        "1GiB",
        "--disk",
        "2097152s",
        "--disk=1100MB",
        "--max-peers=3",
        "--net=1GiB",
        "--lv-extent=4MiB",
    ];
    insta::assert_snapshot!("both_ways", text(&disks, dir.path()));
    let external = [
        "fit",
        "--disk=1TiB",
        "--disk=2TiB",
        "--external",
        "--max-peers=7",
        "--net=1TiB",
    ];
    insta::assert_snapshot!("external", text(&external, dir.path()));
}

#[test]
fn what_is_too_small_is_told_with_what_is_needed() {
    let dir = scratch();
    let small = ["fit", "--disk=512KiB", "--net=1"];
    insta::assert_snapshot!("too_small", text(&small, dir.path()));
    let alike = ["fit", "--disk=1GiB", "--disk=1GiB", "--lv-extent=3MiB"];
    insta::assert_snapshot!("alike", text(&alike, dir.path()));
    // Data on a disk of its own may be as small as it likes.
    assert_eq!(mdtool(["fit", "--disk=512KiB", "--external"]).status, 0);
}

/// The disk that is named for what it was short of leaves that, and 4096 bytes less do not.
#[test]
fn a_disk_that_grows_by_what_is_told_is_large_enough() {
    for size in ["512KiB", "2MiB", "100MiB", "134217728", "1GiB"] {
        let net = format!("--net={size}");
        let disk = format!("--disk={size}");
        let run = mdtool(["fit", &disk, &net, "--json"]);
        let found: Value = serde_json::from_str(&run.stdout).unwrap();
        let disk = &found["disks"][0];
        let grown = disk["grown_bytes"].as_u64().unwrap();
        let sum = disk["disk_bytes"].as_u64().unwrap() + disk["grow_bytes"].as_u64().unwrap();
        assert_eq!((run.status, sum), (1, grown));
        let with = |size: u64| mdtool(["fit", &format!("--disk={size}"), &net]).status;
        assert_eq!((with(grown), with(grown - 4096)), (0, 1), "{size}");
    }
}

#[test]
fn who_does_not_say_where_it_ends_is_named() {
    let dir = scratch();
    let disk = dir.path().join("disk");
    std::fs::copy(kernel_image("v08-pair-a-synced"), &disk).unwrap();
    // LUKS version 1.
    patch(&disk, 0, b"LUKS\xBA\xBE\0\x01");
    insta::assert_snapshot!(
        "no_end",
        text(&["fit", "disk", "--lv-extent=4MiB"], dir.path())
    );
}

#[test]
fn what_lives_on_a_disk_is_held_against_what_it_leaves() {
    let dir = scratch();
    let disk = dir.path().join("disk");
    sparse(&disk, 64 << 20);
    // XFS of 16384 blocks of 4096 bytes: all of the disk.
    let mut xfs = *XFS;
    patch(&disk, 0, &xfs);
    let path = disk.to_str().unwrap();
    insta::assert_snapshot!(
        "too_large",
        text(&["fit", "disk", "--lv-extent=4MiB"], dir.path())
    );
    let run = mdtool(["fit", path, "--json"]);
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    let lives = &found["disks"][0]["lives"][0];
    assert_eq!(
        (&lives["kind"], &lives["fits"]),
        (&Value::from("xfs"), &Value::from(false))
    );
    let grown = lives["grown_bytes"].as_u64().unwrap();
    assert_eq!(lives["shrink_bytes"], found["disks"][0]["md_bytes"]);
    let larger = dir.path().join("larger");
    sparse(&larger, grown);
    patch(&larger, 0, &xfs);
    assert_eq!(mdtool(["fit", larger.to_str().unwrap()]).status, 0);
    xfs[14] = 0x3F;
    patch(&disk, 0, &xfs);
    insta::assert_snapshot!("fits", text(&["fit", "disk"], dir.path()));
}

#[test]
fn what_is_no_raw_image_is_not_fitted() {
    let dir = scratch();
    let path = dir.path().join("disk.gz");
    sparse(&path, 64 << 20);
    patch(&path, 0, &[0x1F, 0x8B, 8, 0]);
    let run = mdtool(["fit", path.to_str().unwrap()]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("gzip"), "{run:?}");
    assert!(run.stderr.contains("hint: decompress it first"), "{run:?}");
}

/// An XFS file system of 16384 blocks of 4096 bytes, 64 MiB.
const XFS: &[u8; 16] = b"XFSB\0\0\x10\0\0\0\0\0\0\0\x40\0";

/// As every other command answers: whatever is said of a part would be of another disk.
#[test]
fn what_is_cut_off_is_not_fitted() {
    let dir = scratch();
    let path = dir.path().join("disk");
    sparse(&path, 40 << 20);
    patch(&path, 0, XFS);
    let words = "cut off: has 41943040 bytes, and its XFS file system ends at byte 67108864";
    for command in ["fit", "show"] {
        let run = mdtool([command, path.to_str().unwrap()]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
        assert!(run.stderr.contains(words), "{run:?}");
    }
}

#[test]
fn metadata_that_drbd_does_not_see_is_named() {
    let dir = scratch();
    let disk = dir.path().join("disk");
    std::fs::copy(kernel_image("v08-pair-a-synced"), &disk).unwrap();
    let end = std::fs::metadata(&disk).unwrap().len();
    let damaged = [
        (60, &[0; 4][..], "only its magic was erased"),
        (64, &[0xFF; 4], "where DRBD looks, is damaged"),
    ];
    for (field, bytes, said) in damaged {
        let before = peek(&disk, end - 4096, 4096);
        patch(&disk, end - 4096 + field, bytes);
        let run = mdtool(["fit", disk.to_str().unwrap()]);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(run.stdout.contains(said), "{run:?}");
        assert!(run.stdout.contains("next: mdtool probe"), "{run:?}");
        patch(&disk, end - 4096, &before);
    }
}

#[test]
fn what_divides_a_disk_is_not_shrunk_as_a_file_system() {
    if !require_tool("sfdisk") {
        return;
    }
    let dir = scratch();
    let disk = dir.path().join("disk");
    sparse(&disk, 64 << 20);
    let with = format!(r"printf 'label: gpt\n,,\n' | sfdisk -q {}", disk.display());
    tool("sh", &["-c", &with]);
    let run = mdtool(["fit", disk.to_str().unwrap()]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stdout.contains("run DRBD on a partition"), "{run:?}");
    assert!(!run.stdout.contains("shrink"), "{run:?}");
}

#[test]
fn xfs_is_not_told_to_shrink() {
    if !require_tool("mkfs.xfs") {
        return;
    }
    let dir = scratch();
    let disk = dir.path().join("disk");
    sparse(&disk, 512 << 20);
    tool("mkfs.xfs", &["-q", disk.to_str().unwrap()]);
    let run = mdtool(["fit", disk.to_str().unwrap()]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stdout.contains("no tool that shrinks"), "{run:?}");
    assert!(run.stdout.contains("smaller file system"), "{run:?}");
    assert!(!run.stdout.contains("or shrink"), "{run:?}");
}

#[test]
fn a_disk_without_room_for_metadata_cannot_be_fitted() {
    for bad in [
        &["fit"][..],
        &["fit", "--disk=4096"],
        &["fit", "--net=2PiB"],
        &["fit", "--disk=1GiB", "--format=v08", "--max-peers=2"],
        &["fit", "--disk=1GiB", "--max-peers=32"],
        &["fit", "--disk=1GiB", "--bytes-per-bit=5000"],
        &["fit", "--disk=1GiB", "--al-stripe-size=5000"],
        &["fit", "/nonexistent"],
    ] {
        let run = mdtool(bad);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{bad:?}");
    }
    assert_eq!(mdtool(["fit", "--disk=512KiB"]).status, 1);
    assert_eq!(mdtool(["fit", "--disk=1GiB", "--net=1GiB"]).status, 1);
}

#[test]
fn what_drbd_does_not_make_is_said_by_the_option() {
    for (option, said) in [
        ("--max-peers=32", "--max-peers is 32, expected 1 to 31"),
        (
            "--bytes-per-bit=5000",
            "--bytes-per-bit is 5000, expected a power of two",
        ),
        ("--al-stripes=0", "--al-stripes is 0, expected at least 1"),
    ] {
        let run = mdtool(["fit", "--disk=10MiB", option]);
        assert_eq!(run.status, 2);
        assert!(run.stderr.contains(said), "{}", run.stderr);
    }
}
