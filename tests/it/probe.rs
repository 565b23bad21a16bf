//! `mdtool probe`: each status by a real image, made by drbdmeta or a kernel; by our builder where neither can.

/// What `--expect-…` says.
mod expect;
/// Disks with partitions.
mod partitions;

use std::path::{Path, PathBuf};

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Drbdmeta, Run, cut, kernel_image, mdtool, patch, peek, require_tool, scratch, sparse,
};

const MIB: u64 = 1 << 20;

/// Runs it on one image.
fn probe(image: &Path, more: &[&str]) -> Run {
    let args = ["probe", image.to_str().unwrap()];
    mdtool(args.iter().chain(more))
}

/// Whether one image has that status, its line that first word, and the line these words.
#[track_caller]
fn assert_probed(image: &Path, more: &[&str], status: i32, says: &[&str]) -> Run {
    const WORDS: [&str; 7] = [
        "clean",
        "none",
        "error",
        "unclean",
        "damaged",
        "moved",
        "unexpected",
    ];
    let run = probe(image, more);
    assert_eq!(run.status, status, "{more:?} {run:?}");
    assert_eq!(run.stdout.lines().count(), 1, "{run:?}");
    let rest = run
        .stdout
        .strip_prefix(&format!("{}: ", image.display()))
        .unwrap();
    let word = WORDS[usize::try_from(status).unwrap()];
    assert_eq!(rest.split_whitespace().next(), Some(word), "{run:?}");
    for words in says {
        assert!(rest.contains(words), "{words:?} in {run:?}");
    }
    assert!(!run.stderr.contains("create-md"), "{run:?}");
    run
}

fn built(dir: &TempDir, name: &str, size: u64, levels: &[Level]) -> PathBuf {
    let path = dir.path().join(name);
    let mut image = WritableFile::create_new(&path, Bytes::new(size)).unwrap();
    build(&mut image, ImagePos::START, Bytes::new(size), levels).unwrap();
    path
}

fn blank(dir: &TempDir, name: &str, size: u64) -> PathBuf {
    let path = dir.path().join(name);
    sparse(&path, size);
    path
}

fn copied(dir: &TempDir, from: &Path) -> PathBuf {
    let to = dir.path().join("copy.img");
    let status = std::process::Command::new("cp")
        .arg("--sparse=always")
        .args([from, &to])
        .status()
        .unwrap();
    assert!(status.success());
    to
}

fn ext4(path: &Path, size: &str) -> bool {
    if !require_tool("mkfs.ext4") {
        return false;
    }
    let status = std::process::Command::new("mkfs.ext4")
        .args(["-q", "-F"])
        .args([path.as_os_str(), size.as_ref()])
        .status()
        .unwrap();
    assert!(status.success());
    true
}

#[test]
fn metadata_that_drbdmeta_made_is_clean_wherever_drbd_looks() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    for (format, index, words) in [
        ("v08", "internal", &["create-md", "--force"][..]),
        ("v09", "internal", &["create-md", "3", "--force"]),
        ("v08", "flex-external", &["create-md", "--force"]),
        ("v09", "1", &["create-md", "3", "--force"]),
    ] {
        let path = blank(&dir, "made.img", 512 * MIB);
        drbdmeta.ok(format, &path, index, words);
        let index = match index {
            "1" => "indexed:1",
            named => named,
        };
        let says = [format, index];
        assert_probed(&path, &[], 0, &says);
        assert_probed(&path, &["--index", index], 0, &says);
        assert_probed(
            &path,
            &["--scan", "never", "--expect-format", format],
            {
                // Only the first slot is where DRBD looks without being told which.
                if index == "indexed:1" { 2 } else { 0 }
            },
            &[],
        );
    }
}

#[test]
fn what_wipe_md_leaves_is_not_nothing() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let path = blank(&dir, "wiped.img", 64 * MIB);
    drbdmeta.ok("v09", &path, "internal", &["create-md", "1", "--force"]);
    drbdmeta.ok("v09", &path, "internal", &["wipe-md"]);
    let says = ["is gone, its activity log is there"];
    assert_probed(&path, &[], 4, &says);
}

#[test]
fn crashed_primaries_and_snapshots_of_live_ones_are_unclean() {
    for format in ["v08", "v09"] {
        for image in ["pair-a-crashed", "pair-b-crashed", "pair-a-synced"] {
            let path = kernel_image(&format!("{format}-{image}"));
            let says = [format, "internal", "activity log is to be applied"];
            let run = assert_probed(&path, &[], 3, &says);
            assert!(run.stderr.contains("mdtool apply-al"), "{run:?}");
        }
        // The copy went to a larger disk; as long as its source, it is just a snapshot.
        let dir = scratch();
        let path = copied(&dir, &kernel_image(&format!("{format}-stack-live-copy")));
        let inner = "an inner resource lies inside";
        assert_probed(
            &path,
            &[],
            5,
            &["made for a device of 268435456 bytes", inner],
        );
        cut(&path, 268_435_456);
        assert_probed(&path, &[], 3, &[inner, "unclean"]);
        assert_probed(&path, &["--stacked"], 3, &["level 1 of a stack"]);
        let args = ["apply-al", path.to_str().unwrap(), "--level", "0", "--yes"];
        assert_eq!(mdtool(args).status, 0);
        assert_probed(
            &path,
            &[],
            0,
            &["stack: an inner resource lies inside", "unclean)"],
        );
        assert_probed(&path, &["--level", "inner"], 3, &[]);
        assert_probed(&path, &["--level", "2"], 1, &["no inner resource: level 2"]);
    }
}

#[test]
fn a_grown_a_shrunk_and_a_padded_disk_are_moved() {
    let dir = scratch();
    let made = || built(&dir, "disk.raw", 64 * MIB, &[Level::v09(3)]);
    for grown in [64 * MIB + 4096, 80 * MIB, 4096 * MIB] {
        let path = made();
        cut(&path, grown);
        let says = [
            "made for a device of 67108864 bytes",
            "superblock at byte 67104768",
        ];
        let run = assert_probed(&path, &[], 5, &says);
        assert!(run.stderr.contains("mdtool plan"), "{run:?}");
        let run = probe(&path, &["--net-size"]);
        assert_eq!((run.status, run.stdout.trim()), (5, "67063808"), "{run:?}");
        std::fs::remove_file(path).unwrap();
    }
    // The outer resource's metadata is cut off: what is left is the inner one.
    let path = built(&dir, "stack.raw", 64 * MIB, &[Level::v08(), Level::v08()]);
    cut(&path, 64 * MIB - 8192);
    assert_probed(&path, &[], 5, &["v08 internal", "DRBD will look at"]);
}

#[test]
fn an_image_that_is_cut_off_is_no_none() {
    let dir = scratch();
    let path = blank(&dir, "cut.raw", 64 * MIB);
    if !ext4(&path, "60M") {
        return;
    }
    assert_probed(
        &path,
        &[],
        1,
        &["ext2/ext3/ext4 file system up to byte 62914560"],
    );
    cut(&path, 32 * MIB);
    assert_probed(&path, &[], 2, &["cut off", "33554432"]);
    let single = built(&dir, "log.raw", 64 * MIB, &[Level::v08()]);
    cut(&single, 64 * MIB - 8192);
    assert_probed(&single, &[], 4, &["its activity log is there"]);
}

#[test]
fn a_file_system_with_bytes_like_a_magic_is_none_and_named() {
    let dir = scratch();
    let path = blank(&dir, "ext4.raw", 64 * MIB);
    if !ext4(&path, "64M") {
        return;
    }
    for (magic, offset) in [(0x8374_026A_u32, 28), (0x8374_026B, 60), (0x8374_026D, 60)] {
        patch(&path, 64 * MIB - 4096, &[0; 4096]);
        patch(&path, 64 * MIB - 4096 + offset, &magic.to_be_bytes());
        assert_probed(
            &path,
            &[],
            1,
            &["ext2/ext3/ext4 file system", "only look like metadata"],
        );
    }
    // The premise: without somebody who lives there it might be what is left of a superblock.
    patch(&path, 1024, &[0; 1024]);
    assert_probed(&path, &[], 4, &["superblock at byte 67104768"]);
    assert_probed(&blank(&dir, "blank.raw", MIB), &[], 1, &["anywhere: blank"]);
}

#[test]
fn a_coarse_bitmap_is_found() {
    let dir = scratch();
    let coarse = Level::v09(3).bytes_per_bit(Bytes::new(65536));
    let path = built(&dir, "coarse.raw", 1024 * MIB, &[coarse]);
    assert_probed(&path, &[], 0, &["v09 internal"]);
}

#[test]
fn damage_is_named() {
    let dir = scratch();
    let path = built(&dir, "damaged.raw", 64 * MIB, &[Level::v09(3)]);
    let superblock = 64 * MIB - 4096;
    let whole = peek(&path, superblock, 4096);
    let cases: [(u64, &[u8], &str); 5] = [
        (68, &[0x11], "al_offset is"),
        (76, &[0x11], "bm_offset is"),
        (60, &[0x11], "magic is 0x1174026D"),
        (0, &[0x7F], "la_size_sect is"),
        // Its own node has a bitmap slot, which every kernel refuses.
        (112 + 20, &[0, 0, 0, 0], "peers[0].bitmap_index is 0"),
    ];
    for (offset, bytes, says) in cases {
        patch(&path, superblock + offset, bytes);
        let run = assert_probed(&path, &[], 4, &[says]);
        assert!(run.stderr.contains("hint: "), "{run:?}");
        let run = probe(&path, &["--net-size"]);
        assert_eq!((run.status, run.stdout.as_str()), (4, ""), "{run:?}");
        assert!(run.stderr.contains("is not known"), "{run:?}");
        patch(&path, superblock, &whole);
    }
    assert_probed(&path, &[], 0, &[]);
}

#[test]
fn a_primary_whose_log_is_lost_is_damaged_and_a_secondary_s_is_not() {
    for (image, status) in [("v09-pair-a-crashed", 4), ("v09-pair-b-crashed", 3)] {
        let dir = scratch();
        let path = copied(&dir, &kernel_image(image));
        let run = probe(&path, &["--json"]);
        let found: Value = serde_json::from_str(&run.stdout).unwrap();
        let level = &found["images"][0]["levels"][0];
        let log = level["al_offset"].as_u64().unwrap();
        patch(&path, log, &vec![0; 32768]);
        assert_probed(&path, &[], status, &["activity log"]);
    }
}

#[test]
fn whatever_cannot_be_looked_at_is_an_error() {
    let dir = scratch();
    let empty = blank(&dir, "empty", 0);
    assert_probed(&empty, &[], 2, &["empty"]);
    for (name, says) in [("", "is a directory"), ("missing", "No such file")] {
        let run = assert_probed(&dir.path().join(name), &[], 2, &[says]);
        assert!(
            run.stderr.contains("hint: ") && run.stderr.contains("`lsblk`"),
            "{run:?}"
        );
    }
    assert_probed(Path::new("/dev/zero"), &[], 2, &["is a character device"]);
    let qcow2 = blank(&dir, "disk.qcow2", MIB);
    patch(&qcow2, 0, b"QFI\xFB\0\0\0\x03");
    let run = assert_probed(&qcow2, &[], 2, &["is a qcow2 image"]);
    assert!(run.stderr.contains("qemu-img convert"), "{run:?}");
    let blank = blank(&dir, "blank.raw", MIB);
    assert_probed(&blank, &["--scan", "never"], 2, &["not looked elsewhere"]);
    assert_probed(
        &blank,
        &["--at", "4096"],
        2,
        &["no superblock at byte 4096"],
    );
    assert_probed(
        &blank,
        &["--offset", "2MiB"],
        2,
        &["lies outside the image"],
    );
}

#[test]
fn a_position_that_is_given_is_judged_by_where_drbd_looks() {
    let dir = scratch();
    let path = built(&dir, "stack.raw", 64 * MIB, &[Level::v08(), Level::v08()]);
    assert_probed(&path, &["--at", "67104768"], 0, &[]);
    let run = mdtool(["locate", path.to_str().unwrap(), "--json"]);
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    let inner = found["levels"][1]["md_offset"].to_string();
    assert_probed(
        &path,
        &["--at", &inner],
        5,
        &["DRBD will look at byte 67104768"],
    );
    assert_probed(&path, &["--offset", "4096"], 4, &["la_size_sect is"]);
    assert_probed(&path, &["--offset", "0", "--size", "32MiB"], 1, &[]);
}

#[test]
fn several_images_have_a_line_each_and_the_worst_status() {
    let dir = scratch();
    let clean = built(&dir, "clean.raw", 64 * MIB, &[Level::v08()]);
    let unclean = built(&dir, "unclean.raw", 64 * MIB, &[Level::v08().unclean()]);
    let none = blank(&dir, "none.raw", MIB);
    let missing = dir.path().join("missing");
    let status = |images: &[&PathBuf]| {
        let words =
            std::iter::once("probe".as_ref()).chain(images.iter().map(|path| path.as_os_str()));
        let run = mdtool(words);
        assert_eq!(run.stdout.lines().count(), images.len(), "{run:?}");
        run.status
    };
    assert_eq!(status(&[&clean, &clean]), 0);
    assert_eq!(status(&[&clean, &none]), 1);
    assert_eq!(status(&[&unclean, &none]), 3);
    assert_eq!(status(&[&missing, &none, &unclean]), 2);
    let args = ["probe".as_ref(), clean.as_os_str(), none.as_os_str()];
    let quiet = mdtool(args.iter().chain(&["--quiet".as_ref()]));
    assert_eq!(
        (quiet.status, quiet.stdout + &quiet.stderr),
        (1, String::new())
    );
    let json = mdtool(args.iter().chain(&["--json".as_ref()]));
    let found: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((json.status, &found["status"]), (1, &Value::from(1)));
    let answers: Vec<&str> = found["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| image["answer"].as_str().unwrap())
        .collect();
    assert_eq!(answers, ["clean", "none"]);
    let sizes = mdtool(args.iter().chain(&["--net-size".as_ref()]));
    assert_eq!((sizes.status, sizes.stdout.as_str()), (2, ""), "{sizes:?}");
}

#[test]
fn the_net_size_is_one_integer() {
    let dir = scratch();
    let path = built(&dir, "one.raw", 64 * MIB, &[Level::v08(), Level::v08()]);
    let run = probe(&path, &["--net-size"]);
    assert_eq!(
        (run.status, run.stdout.as_str()),
        (0, "67067904\n"),
        "{run:?}"
    );
    let inner = probe(&path, &["--net-size", "--stacked"]);
    assert_eq!((inner.status, inner.stderr.as_str()), (0, ""), "{inner:?}");
    assert!(inner.stdout < run.stdout, "{inner:?}");
    let none = probe(&blank(&dir, "none.raw", MIB), &["--net-size"]);
    assert_eq!((none.status, none.stdout.as_str()), (1, ""), "{none:?}");
    assert!(none.stderr.contains("is not known"), "{none:?}");
}
