//! What `edit` names of what it loses or lacks.

use std::path::Path;

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos};

use crate::import::text;
use crate::support::{Run, mdtool, scratch};

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
