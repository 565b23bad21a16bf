//! Room is made sure of as a whole, before anything is written; what was allocated for nothing is given back.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use mdtool::builder::{Level, build};
use mdtool::image::{WritableFile, create_directory};
use mdtool::units::{Bytes, ImagePos};

use crate::support::{LoopDevice, Mounted, mdtool, peek, put, require_tool, scratch, sparse, tool};

const MIB: u64 = 1 << 20;

fn image(path: &Path, size: u64) {
    sparse(path, size);
    let mut file = WritableFile::open(path).unwrap();
    build(
        &mut file,
        ImagePos::START,
        Bytes::new(size),
        &[Level::v08()],
    )
    .unwrap();
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Fills what is left of a file system, but for about `but` bytes.
fn fill(on: &Path, but: u64) {
    let spare = on.join("spare");
    put(&spare, &vec![1; but.try_into().unwrap()]);
    let filler = format!(
        "dd if=/dev/zero of={0}/filler bs=64k 2>/dev/null; sync; rm {0}/spare; sync",
        text(on)
    );
    tool("sh", &["-c", &filler]);
}

/// The bytes that a change could touch: what is there besides the data.
fn metadata(path: &Path, size: u64) -> Vec<u8> {
    peek(path, size - 2 * MIB, 2 << 20)
}

/// What is overwritten there is written elsewhere, so that a hole is not all that needs room.
#[test]
fn a_file_system_that_copies_on_write_has_room_or_nothing_is_written() {
    if !require_tool("mkfs.btrfs") {
        return;
    }
    let dir = scratch();
    let disk = dir.path().join("disk");
    sparse(&disk, 200 * MIB);
    tool("mkfs.btrfs", &["-q", text(&disk)]);
    let Some(device) = LoopDevice::over(&disk, &[]) else {
        return;
    };
    let on = dir.path().join("on");
    create_directory(&on).unwrap();
    let mounted = Mounted::of("btrfs", device.path(), &on);
    let path = mounted.path().join("image");
    let size = 30 << 30;
    image(&path, size);
    let undo = dir.path().join("undo");
    let words = [
        "bitmap",
        "set",
        text(&path),
        "--all",
        "--yes",
        "--undo",
        text(&undo),
    ];
    let before = metadata(&path, size);
    fill(mounted.path(), MIB);
    let run = mdtool(words);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("nothing was changed"), "{run:?}");
    assert!(run.stderr.contains("make room"), "{run:?}");
    assert!(metadata(&path, size) == before);
    tool("rm", &[text(&mounted.path().join("filler"))]);
    tool("sync", &[]);
    let run = mdtool(words);
    assert_eq!(run.status, 0, "{run:?}");
}

/// The sum is what counts, and a refusal takes nothing.
#[test]
fn what_is_refused_takes_no_room() {
    let dir = scratch();
    let on = dir.path().join("on");
    create_directory(&on).unwrap();
    let Some(mounted) = Mounted::small(&on, "2M") else {
        return;
    };
    let path = mounted.path().join("image");
    image(&path, 256 << 30);
    // Every other page of the bitmap: none of them alone is too large.
    let ranges: Vec<String> = (0..1000_u64)
        .map(|number| format!("{} 4096", number * 256 * MIB))
        .collect();
    let ranges = ranges.join("\n") + "\n";
    let list = dir.path().join("ranges");
    put(&list, ranges.as_bytes());
    let undo = dir.path().join("undo");
    let blocks = || std::fs::metadata(&path).unwrap().blocks();
    let before = blocks();
    let from = ["--from", text(&list), "--yes", "--undo", text(&undo)];
    let run = mdtool(["bitmap", "set", text(&path)].iter().chain(&from));
    assert_eq!(run.status, 2, "{run:?}");
    let sum = 1000 * 4096;
    assert!(run.stderr.contains(&format!("{sum} bytes")), "{run:?}");
    assert_eq!(blocks(), before);
}
