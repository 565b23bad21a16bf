//! Undo files of version 1, as mdtool wrote them before a change of several targets had one: they are read and undone as well.
//!
//! `testdata/undo-v1/NAME.before.blocks` is the disk before, `NAME.after.blocks` the disk that the change left.

#![expect(clippy::disallowed_methods, reason = "images of 8 MiB at most")]

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{mdtool, patch, scratch, testdata, unpack};

const NAMES: [&str; 5] = ["relocate", "truncate", "external", "apply-al", "import"];

fn file(name: &str) -> PathBuf {
    testdata("undo-v1").join(name)
}

/// A disk as `blocks` has it.
fn disk(blocks: &str, path: &Path) -> Vec<u8> {
    unpack(&file(blocks), path);
    fs::read(path).unwrap()
}

#[test]
fn an_undo_file_of_version_1_puts_back_what_was_there() {
    let dir = scratch();
    for name in NAMES {
        let (path, old) = (dir.path().join(name), dir.path().join("old"));
        let before = disk(&format!("{name}.before.blocks"), &old);
        let after = disk(&format!("{name}.after.blocks"), &path);
        assert_ne!(before, after);
        let undo = file(&format!("{name}.undo"));
        let target = path.to_str().unwrap();
        let args = ["undo", undo.to_str().unwrap(), "--target", target];
        let run = mdtool(args);
        assert_eq!(run.status, 0, "{name}: {}", run.stderr);
        assert!(fs::read(&path).unwrap() == before, "{name}");
        assert_eq!(mdtool(args).status, 0, "nothing to do");
    }
    let path = dir.path().join("meta");
    let after = disk("external-meta.after.blocks", &path);
    let undo = file("external-meta.undo");
    let run = mdtool([
        "undo",
        undo.to_str().unwrap(),
        "--target",
        path.to_str().unwrap(),
    ]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(fs::read(&path).unwrap() == vec![0; after.len()]);
}

/// What that mdtool left where it was killed: zeros for the magic, the rest as before or as after.
#[test]
fn a_change_of_that_time_that_was_cut_off_is_undone() {
    let dir = scratch();
    let path = dir.path().join("disk");
    let before = disk("apply-al.before.blocks", &dir.path().join("old"));
    let after = disk("apply-al.after.blocks", &path);
    let undo = file("apply-al.undo");
    // The one superblock that differs is that of the inner resource.
    let differs = (0..before.len()).step_by(4096).filter(|at| {
        let range = *at..at + 4096;
        before[range.clone()] != after[range.clone()] && after[at + 60] == 0x83
    });
    let [superblock] = differs.collect::<Vec<_>>()[..] else {
        panic!("one superblock");
    };
    for image in [&before, &after] {
        fs::write(&path, image).unwrap();
        patch(&path, superblock as u64 + 60, &[0; 4]);
        let run = mdtool([
            "undo",
            undo.to_str().unwrap(),
            "--target",
            path.to_str().unwrap(),
        ]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        assert!(fs::read(&path).unwrap() == before);
    }
}
