//! What `edit` names of what it loses or lacks.

use std::path::Path;

use mdtool::builder::{LaSize, Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, Sectors};

use crate::import::text;
use crate::support::{Drbdmeta, Run, mdtool, scratch};

fn disk(path: &Path, level: Level) {
    let size = Bytes::new(64 << 20);
    let mut file = WritableFile::create_new(path, size).unwrap();
    build(&mut file, ImagePos::START, size, &[level]).unwrap();
}

fn edit(image: &Path, more: &[&str]) -> Run {
    mdtool([&["edit", text(image), "--yes"], more].concat())
}

#[test]
fn every_slot_whose_bits_are_forgotten_is_named() {
    let dir = scratch();
    let image = dir.path().join("image");
    let range = |blocks: u64| DevPos::new(0)..DevPos::new(blocks * 4096);
    let level = Level::v09(3)
        .dirty(BitmapIndex::new(0), range(2))
        .dirty(BitmapIndex::new(2), range(5));
    disk(&image, level);
    let each = [
        "slot 0 has 2 bits set, 8192 bytes out of sync",
        "slot 2 has 5 bits set, 20480 bytes out of sync",
    ];
    let clear = ["--new-generation", "--clear-bitmap"];
    for (change, hint) in [
        (&clear[..], "without --clear-bitmap"),
        (&["--la-size", "0"], "with a size"),
    ] {
        let run = edit(&image, change);
        assert_eq!(run.status, 2, "{run:?}");
        for says in each.into_iter().chain([hint]) {
            assert!(run.stderr.contains(says), "{says}: {run:?}");
        }
        let of_clear = run.stderr.contains("--clear-bitmap");
        assert_eq!(of_clear, hint.contains("--clear-bitmap"), "{run:?}");
        let dry = mdtool([&["edit", text(&image), "--dry-run", "--force"], change].concat());
        for says in each {
            assert!(dry.stderr.contains(says), "{says}: {dry:?}");
        }
    }
}

#[test]
fn a_peer_that_v08_knew_is_not_known_to_have_had_a_disk() {
    let dir = scratch();
    let image = dir.path().join("image");
    disk(&image, Level::v08());
    let v09 = [
        "--format",
        "v09",
        "--node-id",
        "0",
        "--peer",
        "1",
        "--max-peers",
        "1",
    ];
    let run = edit(&image, &v09);
    assert_eq!(run.status, 0, "{run:?}");
    let says = "peers[1]: MDF_PEER_DEVICE_SEEN is not set";
    assert!(run.stderr.contains(says), "{run:?}");
}

/// What is edited goes back with the drbd-utils that are there.
#[test]
fn an_edited_dump_is_for_the_utils_that_it_was_asked_for() {
    let dir = scratch();
    let (image, dump) = (dir.path().join("image"), dir.path().join("dump"));
    disk(&image, Level::v09(3));
    let edit = ["edit", text(&image), "--node-id", "2", "-o", text(&dump)];
    let newest = mdtool(edit);
    assert_eq!(newest.status, 0, "{newest:?}");
    assert!(newest.stderr.contains("--compat VERSION"), "{newest:?}");
    std::fs::remove_file(&dump).unwrap();
    let run = mdtool([&edit[..], &["--compat", "9.22"]].concat());
    assert_eq!(run.status, 0, "{run:?}");
    let written = mdtool([
        "edit",
        text(&dump),
        "--flag",
        "+CONSISTENT",
        "-o",
        "-",
        "--compat",
        "9.22",
    ]);
    assert!(!written.stdout.contains("members"), "{written:?}");
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    drbdmeta.ok("v09", &image, "internal", &["restore-md", text(&dump)]);
    let back = mdtool(["show", text(&image), "--json"]);
    assert!(back.stdout.contains("\"node_id\": 2"), "{back:?}");
}

/// What is said to be missing is just what is missing.
#[test]
fn a_disk_with_the_bytes_that_were_missing_is_large_enough() {
    let dir = scratch();
    let image = dir.path().join("image");
    disk(
        &image,
        Level::v09(4).la_size(LaSize::Exactly(Sectors::new(48_005))),
    );
    for size in [23 << 20, 24_619_520, 24_619_008, 24_000_512_u64, 0] {
        let relocate = |size: u64| {
            let size = size.to_string();
            mdtool(["relocate", text(&image), "--for-size", &size, "--dry-run"])
        };
        let short = relocate(size);
        assert_eq!(short.status, 2, "{size}: {short:?}");
        let missing = short.stderr.split(" bytes are missing").next().unwrap();
        let missing: u64 = missing.rsplit(' ').next().unwrap().parse().unwrap();
        assert_eq!(relocate(size + missing).status, 0, "{size} + {missing}");
        assert_eq!(
            relocate(size + missing - 512).status,
            2,
            "{size} + {missing} - 512"
        );
    }
}
