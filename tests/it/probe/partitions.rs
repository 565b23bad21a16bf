//! Metadata of partitions, in the image of a whole disk: not where DRBD looks on that, and never nothing.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use mdtool::builder::{Built, Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};
use serde_json::Value;
use tempfile::TempDir;

use super::{MIB, assert_probed, blank, probe};
use crate::support::{mdtool, patch, require_tool, scratch};

const PARTITION: u64 = 64 * MIB;
const SECTORS: u64 = PARTITION / 512;

/// A table as sfdisk reads it, the number of the partition with metadata, and its first sector.
///
/// Old tables begin at sector 63, GUID ones may at 34: blocks of such a partition are none of the disk's. What lies far inside has a
/// bitmap that is too small for all up to there.
fn tables() -> Vec<(String, u32, u64)> {
    let of = |label: &str, lines: &[String]| format!("label: {label}\n{}\n", lines.join("\n"));
    let one = |start: u64| format!("start={start}, size={SECTORS}");
    let far = 1024 * MIB / 512;
    let logical = [
        "start=63, size=2000, type=83".to_owned(),
        format!("start=8001, size={}, type=5", SECTORS + 63),
        format!("start=8064, size={SECTORS}, type=83"),
    ];
    vec![
        (of("dos", &[one(63)]), 1, 63),
        (of("dos", &[one(2048)]), 1, 2048),
        (of("dos", &[one(2048 + far), one(63)]), 2, 63),
        (of("dos", &logical), 5, 8064),
        (of("gpt\nfirst-lba: 34", &[one(34)]), 1, 34),
        (of("gpt", &[one(2048), one(far)]), 2, far),
    ]
}

/// A disk with that table, and metadata on one partition.
fn disk(dir: &TempDir, table: &str, start: u64, level: &Level) -> (std::path::PathBuf, Built) {
    let path = dir.path().join("disk.raw");
    let _ = std::fs::remove_file(&path);
    let mut image = WritableFile::create_new(&path, Bytes::new(2048 * MIB)).unwrap();
    let (base, size) = (ImagePos::new(start * 512), Bytes::new(PARTITION));
    let level = std::slice::from_ref(level);
    let built = build(&mut image, base, size, level).unwrap().remove(0);
    drop(image);
    sfdisk(&path, table);
    (path, built)
}

fn sfdisk(path: &Path, table: &str) {
    let mut child = Command::new("sfdisk")
        .args(["-q", "--wipe", "never"])
        .arg(path)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(table.as_bytes())
        .unwrap();
    assert!(child.wait().unwrap().success(), "{table}");
}

#[test]
fn metadata_of_a_partition_is_moved_and_its_place_is_told() {
    if !require_tool("sfdisk") {
        return;
    }
    let dir = scratch();
    for (table, number, start) in tables() {
        let (path, _) = disk(&dir, &table, start, &Level::v09(3));
        let (offset, size) = ((start * 512).to_string(), PARTITION.to_string());
        let says = format!("partition {number} at byte {offset}, {size} bytes, is clean v09");
        let run = assert_probed(&path, &[], 5, &[&says]);
        let hint = format!("--offset {offset} --size {size}");
        assert!(run.stderr.contains(&hint), "{table}: {run:?}");
        assert_probed(&path, &["--offset", &offset, "--size", &size], 0, &[]);
        // What stands in the partition is judged as if it were alone.
        assert_probed(&path, &["--expect-format", "v08"], 6, &["it is moved"]);
        assert_probed(&path, &["--expect-format", "v09"], 5, &[]);
        let run = probe(&path, &["--net-size"]);
        assert_eq!((run.status, run.stdout.as_str()), (5, ""), "{run:?}");
        assert!(!run.stderr.contains("is not known"), "{run:?}");
        let document: Value = serde_json::from_str(&probe(&path, &["--json"]).stdout).unwrap();
        let partition = &document["images"][0]["partition"];
        assert_eq!(
            *partition,
            serde_json::json!({ "number": number, "offset": start * 512, "bytes": PARTITION, "answer": "clean" })
        );
        for command in ["locate", "show", "check", "export"] {
            let run = mdtool([command, path.to_str().unwrap()]);
            assert!(
                run.stdout.contains(&hint)
                    || run.stderr.contains(&hint)
                    || run.status == 0
                    || command == "check",
                "{command} {table}: {run:?}"
            );
        }
    }
}

#[test]
fn a_partition_with_anything_else_is_judged_too() {
    if !require_tool("sfdisk") {
        return;
    }
    let dir = scratch();
    for (table, _, start) in tables() {
        let (path, built) = disk(&dir, &table, start, &Level::v09(3).unclean());
        assert_probed(&path, &[], 5, &["is unclean v09"]);
        // Its offsets contradict each other.
        patch(&path, built.md().get() + start * 512 + 68, &[0x11]);
        assert_probed(&path, &[], 4, &["al_offset is"]);
        // Nothing is left but the log.
        patch(&path, built.md().get() + start * 512, &[0; 4096]);
        assert_probed(&path, &[], 4, &["its activity log is there"]);
        let log = usize::try_from(built.al_size().get()).unwrap();
        patch(&path, built.al().get() + start * 512, &vec![0; log]);
        assert_probed(&path, &[], 1, &["partition table"]);
    }
}

#[test]
fn a_grown_partition_that_begins_within_a_block_is_searched() {
    if !require_tool("sfdisk") {
        return;
    }
    let dir = scratch();
    let table = format!("label: dos\nstart=63, size={}\n", SECTORS + 8192);
    let (path, _) = disk(&dir, &table, 63, &Level::v08());
    assert_probed(
        &path,
        &[],
        5,
        &[
            "is moved v08",
            "made for a device of 67108864 bytes",
            "superblock at byte 67137024",
        ],
    );
    assert_probed(&path, &["--scan", "never"], 2, &[]);
}

/// DRBD looks at the end of the whole disk too, and finds what is no metadata of the whole disk.
#[test]
fn a_partition_that_ends_with_the_disk_is_told_from_damage() {
    if !require_tool("sfdisk") {
        return;
    }
    let dir = scratch();
    let start = (2048 * MIB - PARTITION) / 512;
    let table = format!("label: dos\nstart={start}, size={SECTORS}\n");
    let (path, built) = disk(&dir, &table, start, &Level::v09(3));
    let md = start * 512 + built.md().get();
    assert_eq!(md, 2048 * MIB - 4096);
    assert_probed(&path, &[], 5, &["partition 1 at byte", "is clean v09"]);
    let run = mdtool(["check", path.to_str().unwrap()]);
    assert!(
        run.stderr.contains("hint: partition 1 has metadata"),
        "{run:?}"
    );
    // Without the table nothing tells it from metadata whose bitmap is too small.
    patch(&path, 510, &[0, 0]);
    assert_probed(&path, &[], 4, &["bm_offset is -80, expected"]);
}

/// A logical volume in the image of what holds it: no table tells where it begins.
#[test]
fn metadata_of_a_device_that_begins_further_inside_is_moved() {
    let dir = scratch();
    let path = blank(&dir, "group.raw", 2048 * MIB);
    std::fs::remove_file(&path).unwrap();
    let mut image = WritableFile::create_new(&path, Bytes::new(2048 * MIB)).unwrap();
    let (base, size) = (ImagePos::new(1024 * MIB), Bytes::new(PARTITION));
    build(&mut image, base, size, &[Level::v09(3)]).unwrap();
    drop(image);
    let says = ["of a device of at most 89391104 bytes that ends there"];
    let run = assert_probed(&path, &[], 5, &says);
    assert!(run.stderr.contains("--offset and --size"), "{run:?}");
    let run = mdtool(["locate", path.to_str().unwrap()]);
    assert_eq!(run.status, 1);
    assert!(run.stdout.contains(says[0]), "{run:?}");
    assert!(
        run.stderr.contains("no DRBD metadata that fits its place"),
        "{run:?}"
    );
    assert!(run.stderr.contains("`mdtool check /"), "{run:?}");
}
