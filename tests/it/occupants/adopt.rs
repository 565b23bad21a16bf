//! Who is named before a resource is adopted: whoever does not say up to where he reaches.

use std::path::PathBuf;

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};
use tempfile::TempDir;

use super::MIB;
use crate::support::{Run, mdtool, patch, scratch};

const SIZE: u64 = 64 * MIB;

/// A stack of two.
fn stack(dir: &TempDir) -> PathBuf {
    let disk = dir.path().join("disk");
    let size = Bytes::new(SIZE);
    let mut file = WritableFile::create_new(&disk, size).unwrap();
    build(
        &mut file,
        ImagePos::START,
        size,
        &[Level::v08(), Level::v08()],
    )
    .unwrap();
    disk
}

/// Where something is, and what it is called.
const THERE: [(u64, &[u8], &str); 4] = [
    (0, b"LUKS\xBA\xBE\0\x01", "LUKS volume"),
    (0, b"dmvdo001\x05\0\0\0", "VDO volume"),
    (SIZE - 512, b"EFI PART", "backup of a GUID partition table"),
    (
        SIZE - 1024,
        b"Intel Raid ISM Cfg Sig. 1.3.00",
        "Intel (isw) RAID member",
    ),
];

#[test]
fn whoever_may_lose_something_is_named() {
    for (at, bytes, name) in THERE {
        for strategy in ["relocate", "truncate"] {
            let adopt = |yes: &[&str]| -> Run {
                let dir = scratch();
                let disk = stack(&dir);
                patch(&disk, at, bytes);
                let undo = dir.path().join("undo");
                let (disk, undo) = (disk.to_str().unwrap(), undo.to_str().unwrap());
                let words = [
                    "adopt",
                    disk,
                    "--stacked",
                    "--strategy",
                    strategy,
                    "--undo",
                    undo,
                ];
                mdtool(words.iter().chain(yes))
            };
            let run = adopt(&[]);
            assert_eq!(run.status, 2, "{strategy} {name}: {run:?}");
            assert!(run.stderr.contains(name), "{strategy} {name}: {run:?}");
            let run = adopt(&["--yes"]);
            assert_eq!(run.status, 0, "{strategy} {name}: {run:?}");
            let mut lines = run.stderr.lines();
            let warned = lines.any(|line| line.contains("warning: ") && line.contains(name));
            assert!(warned, "{strategy} {name}: {run:?}");
        }
    }
}

#[test]
fn where_nobody_is_nobody_is_named() {
    let dir = scratch();
    let disk = stack(&dir);
    let run = mdtool(["adopt", disk.to_str().unwrap(), "--stacked", "--dry-run"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(!run.stderr.contains("warning: "), "{run:?}");
}
