//! Other resources on the device that the metadata is to go to: what is theirs stays.

use std::path::Path;

use mdtool::builder::{External, LaSize, Level, build, build_external};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos, Sectors};

use super::{LA_SIZE, MIB, SIZE, indexed, probed, refused, relocate, whole};
use crate::import::{ok, text};
use crate::support::{mdtool, patch, scratch};

/// A disk with this at its end.
fn disk(path: &Path, level: Level) {
    let size = Bytes::new(SIZE);
    let mut file = WritableFile::create_new(path, size).unwrap();
    build(&mut file, ImagePos::START, size, &[level]).unwrap();
}

/// A meta device of 2 MiB that has this, for a disk of [`SIZE`].
fn flexible(path: &Path, level: &Level) {
    let (size, backing) = (Bytes::new(2 * MIB), Bytes::new(SIZE));
    let mut file = WritableFile::create_new(path, size).unwrap();
    let index = External::Flex;
    build_external(&mut file, ImagePos::START, size, index, backing, level).unwrap();
}

fn v09() -> Level {
    Level::v09(1).la_size(LaSize::Exactly(Sectors::new(LA_SIZE)))
}

#[test]
fn the_data_of_another_drbd_disk_is_no_meta_device() {
    let dir = scratch();
    let file = |name: &str| dir.path().join(name);
    let (image, other, stack) = (file("image"), file("other"), file("stack"));
    disk(&image, v09());
    disk(&other, v09().device_uuid(0xD1).current_uuid(0xC2));
    patch(&other, 0, &[0xDA; 8192]);
    let kept = whole(&other);
    let end = LA_SIZE * 512;
    let says: [&str; 3] = [
        &format!("{}: DRBD device of the v09 metadata", text(&other)),
        &format!("its superblock at byte {}: ends at byte {end}", SIZE - 4096),
        "hint: name another meta device",
    ];
    refused(&image, &["--meta", text(&other)], &says);
    refused(
        &image,
        &["--meta", text(&other), "--index", "flex-external"],
        &says,
    );
    let size = Bytes::new(SIZE);
    let mut levels = WritableFile::create_new(&stack, size).unwrap();
    let two = [Level::v09(1), Level::v09(3)];
    build(&mut levels, ImagePos::START, size, &two).unwrap();
    drop(levels);
    let adopt = [
        "adopt",
        text(&stack),
        "--stacked",
        "--node-id",
        "1",
        "--yes",
    ];
    let external = ["--strategy", "external", "--meta", text(&other)];
    let run = mdtool([&adopt[..], &external].concat());
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains(says[0]), "{run:?}");
    assert_eq!(whole(&other), kept);
    // Without a size nothing was ever data; what nobody attaches has none.
    for (name, level) in [("new", v09().just_created()), ("v08", Level::v08())] {
        let other = file(name);
        disk(&other, level);
        if name == "v08" {
            ok(&["wipe", text(&other), "--yes"]);
        }
        let undo = file("undo");
        relocate(&image, &["--meta", text(&other), "--undo", text(&undo)]);
        ok(&["undo", text(&undo), "--yes"]);
        std::fs::remove_file(undo).unwrap();
    }
}

#[test]
fn a_meta_device_with_slots_of_others_is_not_taken_whole() {
    for slots in [&[0, 1][..], &[1]] {
        let dir = scratch();
        let (image, meta) = (dir.path().join("image"), indexed(&dir, slots));
        disk(&image, v09());
        let kept = whole(&meta);
        let says: [&str; 3] = [
            &format!("{}: another resource's metadata", text(&meta)),
            "has its superblock at byte 134217728: flexible metadata takes all of a meta device",
            "hint: name another meta device",
        ];
        refused(&image, &["--meta", text(&meta)], &says);
        assert_eq!(whole(&meta), kept);
    }
}

#[test]
fn the_disk_of_another_resource_gets_no_metadata() {
    let dir = scratch();
    let file = |name: &str| dir.path().join(name);
    let meta = file("meta");
    let mine = || v09().device_uuid(0xD0).current_uuid(0xC0);
    flexible(&meta, &mine().history_uuids(&[0xB0]));
    let size = LaSize::Exactly(Sectors::new(LA_SIZE - 8));
    for (name, level) in [
        ("device", mine().device_uuid(0xD1)),
        ("size", mine().la_size(size)),
        ("generation", mine().current_uuid(0xA0)),
    ] {
        let other = file(name);
        disk(&other, level);
        let kept = whole(&other);
        let says: [&str; 3] = [
            &format!("{}: another resource's metadata", text(&other)),
            "or an older state of the metadata",
            "hint: --data names the disk",
        ];
        refused(&meta, &["--data", text(&other)], &says);
        assert_eq!(whole(&other), kept);
    }
    // What this very metadata was before is no other's, whether DRBD would attach it or not.
    for (name, level) in [
        ("same", mine()),
        ("older", mine().current_uuid(0xB0)),
        ("erased", mine().device_uuid(0xD1)),
    ] {
        let (own, undo) = (file(name), file("undo"));
        disk(&own, level);
        if name == "erased" {
            ok(&["wipe", text(&own), "--yes"]);
        }
        relocate(&meta, &["--data", text(&own), "--undo", text(&undo)]);
        assert_eq!(probed(&own), 0, "{name}");
        ok(&["undo", text(&undo), "--yes"]);
        std::fs::remove_file(undo).unwrap();
    }
}
