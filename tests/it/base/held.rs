//! A holder's devices, however many there are and whatever size was agreed on.

use std::path::Path;

use mdtool::builder::{LaSize, Level};
use mdtool::units::Bytes;
use serde_json::Value;

use super::{MIB, disk, group, is_ambiguous, is_inside, md_member, physical_volume, put, text};
use crate::support::{mdtool, scratch};

#[test]
fn both_of_two_logical_volumes_are_named() {
    let dir = scratch();
    let disk = disk(&dir, 600 * MIB);
    let volumes = group(&[("a", 0, 10, 0), ("b", 0, 25, 10)]);
    physical_volume(&disk, 600 * MIB, Some(&volumes));
    put(&disk, MIB, 40 * MIB, &[Level::v08()]);
    put(&disk, 41 * MIB, 100 * MIB, &[Level::v09(2)]);
    is_inside(&disk, "has metadata, too", MIB, 40 * MIB);
    is_inside(&disk, "is clean v08", 41 * MIB, 100 * MIB);
    let run = mdtool(["probe", text(&disk), "--json"]);
    let found: Value = serde_json::from_str(&run.stdout).unwrap();
    let all = found["images"][0]["all_inside"].as_array().unwrap();
    let begin: Vec<_> = all.iter().map(|one| one["offset"].as_u64()).collect();
    assert_eq!(begin, [Some(MIB), Some(41 * MIB)]);
}

/// What was agreed on has no room on the device that ends there: it is that device's all the same, which DRBD refuses to attach.
#[test]
fn the_holder_decides_whatever_size_was_agreed_on() {
    for (level, size) in [
        (Level::v08(), 101 * MIB),
        (Level::v09(2), 120 * MIB),
        (Level::v08(), 900 * MIB),
    ] {
        let la = LaSize::Exactly(Bytes::new(size).to_sectors_floor());
        let level = level.la_size(la);
        let dir = scratch();
        let disk = disk(&dir, 600 * MIB);
        let base = MIB + 10 * 4 * MIB;
        let volumes = group(&[("a", 0, 10, 0), ("b", 0, 25, 10)]);
        physical_volume(&disk, 600 * MIB, Some(&volumes));
        put(&disk, base, 100 * MIB, std::slice::from_ref(&level));
        is_too_small(&disk, base, 100 * MIB);
        // Without the records nobody knows where it begins, and it is not with the disk.
        let dir = scratch();
        let disk = super::disk(&dir, 600 * MIB);
        physical_volume(&disk, 600 * MIB, None);
        put(&disk, MIB, 100 * MIB, std::slice::from_ref(&level));
        is_ambiguous(&disk, "an LVM physical volume");
        let dir = scratch();
        let disk = super::disk(&dir, 201 * MIB);
        md_member(&disk, 4096, 1, 101 * MIB, 100 * MIB);
        put(&disk, 101 * MIB, 100 * MIB, &[level]);
        is_too_small(&disk, 101 * MIB, 100 * MIB);
    }
}

/// probe answers 4 and names the device; every other command says that there is none of the whole disk, with the same hint.
fn is_too_small(disk: &Path, base: u64, size: u64) {
    let how = format!("--offset {base} --size {size}");
    for command in ["probe", "locate", "check", "plan", "show", "export"] {
        let run = mdtool([command, text(disk)]);
        let status = if command == "probe" { 4 } else { 1 };
        assert_eq!(run.status, status, "{command}: {run:?}");
        assert!(run.stderr.contains(&how), "{command}: {run:?}");
    }
    let run = mdtool(["probe", "--net-size", text(disk)]);
    assert_eq!((run.status, run.stdout.as_str()), (4, ""), "{run:?}");
}
