//! Windows into images of whole disks: what is written through one stays in the partition that it begins in.

use std::path::{Path, PathBuf};

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};
use tempfile::TempDir;

use crate::support::{Run, mdtool, patch, peek, require_tool, scratch, sparse};

const SECTOR: u64 = 512;
/// The first partition's start and size, the second's, in sectors.
const FIRST: (u64, u64) = (2048, 40_960);
const SECOND: (u64, u64) = (43_008, 87_000);

/// A disk of 64 MiB with two partitions, of which the first has a stack.
fn disk(dir: &TempDir, label: &str) -> Option<PathBuf> {
    if !require_tool("sfdisk") {
        return None;
    }
    let disk = dir.path().join("disk");
    sparse(&disk, 64 << 20);
    let table = format!(
        "label: {label}\nstart={},size={}\nstart={},size={}\n",
        FIRST.0, FIRST.1, SECOND.0, SECOND.1
    );
    sfdisk(&disk, &table);
    let mut file = WritableFile::open(&disk).unwrap();
    let size = Bytes::new(FIRST.1 * SECTOR);
    let base = ImagePos::new(FIRST.0 * SECTOR);
    build(&mut file, base, size, &[Level::v08(), Level::v08()]).unwrap();
    Some(disk)
}

fn sfdisk(disk: &Path, table: &str) {
    use std::io::Write;
    let mut child = std::process::Command::new("sfdisk")
        .args(["-q", disk.to_str().unwrap()])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(table.as_bytes()).unwrap();
    drop(stdin);
    assert!(child.wait().unwrap().success());
}

fn adopt(disk: &Path, words: &[&str]) -> Run {
    let undo = disk.with_extension("undo");
    let all = [
        "adopt",
        disk.to_str().unwrap(),
        "--stacked",
        "--yes",
        "--undo",
    ];
    let all = all.iter().map(ToString::to_string);
    let all = all.chain([undo.to_str().unwrap().to_owned()]);
    mdtool(all.chain(words.iter().map(ToString::to_string)))
}

/// All bytes of the disk.
fn all(disk: &Path) -> Vec<u8> {
    peek(disk, 0, 64 << 20)
}

/// All that lies behind the first partition.
fn behind(disk: &Path) -> Vec<u8> {
    let start = (FIRST.0 + FIRST.1) * SECTOR;
    let len = usize::try_from((64 << 20) - start).unwrap();
    peek(disk, start, len)
}

#[test]
fn a_window_from_a_partition_s_start_is_that_partition() {
    for label in ["gpt", "dos"] {
        let dir = scratch();
        let Some(disk) = disk(&dir, label) else {
            return;
        };
        let before = behind(&disk);
        let run = adopt(&disk, &["--offset", "2048s"]);
        assert_eq!(run.status, 0, "{label}: {run:?}");
        assert!(
            behind(&disk) == before,
            "{label}: only the partition changes"
        );
        let run = mdtool(["probe", disk.to_str().unwrap(), "--offset", "2048s"]);
        assert_eq!(run.status, 0, "{label}: {run:?}");
    }
}

#[test]
fn a_window_that_leaves_its_partition_is_refused_with_the_size_that_fits() {
    let size = FIRST.1 * SECTOR;
    let rest = (64 << 20) - FIRST.0 * SECTOR;
    for label in ["gpt", "dos"] {
        for given in [size + 4096, rest, size + 86_016 * SECTOR] {
            let dir = scratch();
            let Some(disk) = disk(&dir, label) else {
                return;
            };
            let before = all(&disk);
            let given = given.to_string();
            let run = adopt(&disk, &["--offset", "2048s", "--size", &given]);
            assert_eq!(run.status, 2, "{label}: {run:?}");
            let says = format!(
                "leaves partition 1, which it begins in and which ends at byte {}: expected at most --size {size}",
                (FIRST.0 + FIRST.1) * SECTOR
            );
            assert!(run.stderr.contains(&says), "{label}: {run:?}");
            assert!(all(&disk) == before);
        }
    }
}

/// What is left of a table that was erased at the disk's beginning says all the same where partitions are.
#[test]
fn the_backup_of_an_erased_table_counts() {
    let dir = scratch();
    let Some(disk) = disk(&dir, "gpt") else {
        return;
    };
    patch(&disk, 0, &vec![0; 34 * 512]);
    assert_eq!(peek(&disk, (64 << 20) - 512, 8), b"EFI PART", "the premise");
    let before = behind(&disk);
    let whole = ((64 << 20) - FIRST.0 * SECTOR).to_string();
    let run = adopt(&disk, &["--offset", "2048s", "--size", &whole]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("leaves partition 1"), "{run:?}");
    let run = adopt(&disk, &["--offset", "2048s"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(behind(&disk) == before, "the backup, too");
}

/// A window that begins in no partition.
#[test]
fn a_window_between_partitions_reaches_into_none() {
    let dir = scratch();
    let Some(disk) = disk(&dir, "gpt") else {
        return;
    };
    // The stack, moved behind the last partition's end to where nobody is.
    sfdisk(&disk, "label: gpt\nstart=100000,size=2048\n");
    let run = adopt(&disk, &["--offset", "2048s"]);
    assert_eq!(run.status, 2, "{run:?}");
    let fits = (100_000 - 2048) * SECTOR;
    let says = format!(
        "reaches into partition 1, which begins at byte {}: expected at most --size {fits}",
        100_000 * SECTOR
    );
    assert!(run.stderr.contains(&says), "{run:?}");
    let run = adopt(&disk, &["--offset", "2048s", "--size", "40960s"]);
    assert_eq!(run.status, 0, "{run:?}");
}

/// The logical partitions of a DOS table.
#[test]
fn a_window_from_a_logical_partition_s_start_is_that_partition() {
    if !require_tool("sfdisk") {
        return;
    }
    let dir = scratch();
    let disk = dir.path().join("disk");
    sparse(&disk, 64 << 20);
    sfdisk(
        &disk,
        "label: dos\nstart=2048,size=2048,type=83\nstart=4096,size=100000,type=5\nstart=6144,size=40960,type=83\nstart=50000,size=40960,type=83\n",
    );
    let mut file = WritableFile::open(&disk).unwrap();
    let size = Bytes::new(40_960 * SECTOR);
    let base = ImagePos::new(6144 * SECTOR);
    build(&mut file, base, size, &[Level::v08(), Level::v08()]).unwrap();
    drop(file);
    let rest = |disk: &Path| peek(disk, (6144 + 40_960) * SECTOR, 16 << 20);
    let before = rest(&disk);
    let run = adopt(&disk, &["--offset", "6144s", "--size", "40961s"]);
    assert_eq!(run.status, 2, "{run:?}");
    let run = adopt(&disk, &["--offset", "6144s"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(rest(&disk) == before);
}
