//! `edit`, `relocate`, `repair` and `wipe` on block devices and on external metadata: what they do to a disk in a file, wherever it is.

use std::path::{Path, PathBuf};

use mdtool::builder::{External, LaSize, Level, Peer, build, build_external};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId, Sectors};
use tempfile::TempDir;

use crate::import::{ok, text};
use crate::support::{Drbdmeta, LoopDevice, Run, cut, mdtool, patch, peek, scratch, sparse};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 64 * MIB;

/// Three slots, one of them a peer's, with bits.
fn level() -> Level {
    let range = DevPos::new(4096)..DevPos::new(3 * MIB);
    let peer = Peer {
        bitmap_uuid: 0xB100_0000_0000_0010,
        ..Peer::in_slot(BitmapIndex::new(0))
    };
    let level = Level::v09(3).la_size(LaSize::Exactly(Sectors::new(130_000)));
    let level = level.peer(NodeId::new(1), peer);
    (0..3).fold(level, |level, slot| {
        level.dirty(BitmapIndex::new(slot), range.clone())
    })
}

/// A disk of 65 MiB in a file, whose metadata is at the end of 64 MiB or of all.
fn disk(dir: &TempDir, name: &str, made_for: u64) -> PathBuf {
    let path = dir.path().join(name);
    let size = Bytes::new(made_for);
    let mut file = WritableFile::create_new(&path, size).unwrap();
    build(&mut file, ImagePos::START, size, &[level()]).unwrap();
    drop(file);
    cut(&path, SIZE + MIB);
    path
}

fn whole(path: &Path) -> u32 {
    let len = std::fs::metadata(path).unwrap().len() as usize;
    crc32fast::hash(&peek(path, 0, len))
}

/// What is done: its words after the name of the disk, what the disk was made for, and what was broken before.
type Done = (&'static [&'static str], u64, Option<(u64, &'static [u8])>);

const STRIPING: u64 = SIZE + MIB - 4096 + 0x60;
const DONE: [Done; 9] = [
    (&["edit", "--max-peers", "5"], SIZE + MIB, None),
    (&["edit", "--bytes-per-bit", "64KiB"], SIZE + MIB, None),
    (&["edit", "--node-id", "1"], SIZE + MIB, None),
    (
        &["edit", "--current-uuid", "0x1234567890ABCDE0"],
        SIZE + MIB,
        None,
    ),
    (&["edit", "--forget", "1"], SIZE + MIB, None),
    (&["relocate"], SIZE, None),
    (&["relocate", "--for-size", "64MiB"], SIZE + MIB, None),
    (&["repair"], SIZE + MIB, Some((STRIPING, &[0; 8]))),
    (&["wipe"], SIZE + MIB, None),
];

#[test]
fn a_device_gets_what_a_file_gets() {
    let dir = scratch();
    for (words, made_for, broken) in DONE {
        let (file, backing) = (
            disk(&dir, "file", made_for),
            disk(&dir, "backing", made_for),
        );
        for path in [&file, &backing] {
            if let Some((at, bytes)) = broken {
                patch(path, at, bytes);
            }
        }
        let before = whole(&backing);
        let undo = dir.path().join("undo");
        let done = |target: &str, undo: &Path| {
            let more = ["--yes", "--undo", text(undo)];
            let (command, options) = words.split_first().unwrap();
            ok(&[&[*command, target], options, &more].concat())
        };
        done(text(&file), &dir.path().join("undo.file"));
        for sector in ["512", "4096"] {
            let Some(device) = LoopDevice::over(&backing, &["-b", sector]) else {
                return;
            };
            done(device.path(), &undo);
            assert_eq!(whole(&backing), whole(&file), "{words:?}, {sector}");
            ok(&["undo", text(&undo), "--yes"]);
            assert_eq!(whole(&backing), before, "{words:?}, {sector}: undone");
            drop(device);
            std::fs::remove_file(&undo).unwrap();
        }
        for path in [file, backing, dir.path().join("undo.file")] {
            std::fs::remove_file(path).unwrap();
        }
    }
}

#[test]
fn metadata_moves_between_devices_and_back() {
    let dir = scratch();
    let backing = disk(&dir, "backing", SIZE + MIB);
    let on_meta = dir.path().join("meta");
    sparse(&on_meta, MIB);
    let (Some(device), Some(meta)) = (
        LoopDevice::over(&backing, &[]),
        LoopDevice::over(&on_meta, &["-b", "4096"]),
    ) else {
        return;
    };
    let probed = |device: &LoopDevice| mdtool(["probe", device.path()]).status;
    let before = [whole(&backing), whole(&on_meta)];
    let (out, back) = (dir.path().join("out"), dir.path().join("back"));
    let words = ["relocate", device.path(), "--meta", meta.path(), "--yes"];
    ok(&[&words[..], &["--undo", text(&out)]].concat());
    assert_eq!((probed(&device), probed(&meta)), (5, 0));
    let there = [whole(&backing), whole(&on_meta)];
    let words = ["relocate", meta.path(), "--data", device.path(), "--yes"];
    ok(&[&words[..], &["--undo", text(&back)]].concat());
    assert_eq!((probed(&device), probed(&meta)), (0, 5));
    ok(&["undo", text(&back), "--yes"]);
    assert_eq!([whole(&backing), whole(&on_meta)], there);
    ok(&["undo", text(&out), "--yes"]);
    assert_eq!([whole(&backing), whole(&on_meta)], before);
    let wiped = mdtool(["wipe", meta.path(), "--yes"]);
    assert_eq!(wiped.status, 1, "nothing is there: {wiped:?}");
}

/// A meta device with this level, its own or in a slot beside another's.
fn meta(dir: &TempDir, index: External) -> PathBuf {
    let path = dir.path().join(format!("{index:?}"));
    // Slots have 128 MiB each.
    let size = Bytes::new(if index == External::Flex {
        4 * MIB
    } else {
        256 * MIB
    });
    let mut file = WritableFile::create_new(&path, size).unwrap();
    let backing = Bytes::new(SIZE + MIB);
    if index != External::Flex {
        let other = External::Indexed(0);
        build_external(
            &mut file,
            ImagePos::START,
            size,
            other,
            backing,
            &Level::v08(),
        )
        .unwrap();
    }
    build_external(&mut file, ImagePos::START, size, index, backing, &level()).unwrap();
    path
}

/// External metadata in a file, by its name for mdtool and for drbdmeta.
struct OnMeta<'d> {
    path: PathBuf,
    undo: PathBuf,
    ours: &'static str,
    theirs: &'static str,
    drbdmeta: &'d Drbdmeta,
}

impl OnMeta<'_> {
    fn done(&self, command: &str, more: &[&str]) {
        let words = [command, text(&self.path), "--index", self.ours, "--yes"];
        ok(&[&words[..], &["--undo", text(&self.undo)], more].concat());
    }

    fn undone(&self, before: u32) {
        ok(&["undo", text(&self.undo), "--yes"]);
        std::fs::remove_file(&self.undo).unwrap();
        assert_eq!(whole(&self.path), before, "{}: undone", self.ours);
    }

    fn dumped(&self) -> Run {
        let words = ["dump-md"];
        self.drbdmeta.run("v09", &self.path, self.theirs, &words)
    }

    /// Five slots, with the bits of 3 MiB without the first page: what is new is as a free one.
    fn has_five_slots(&self) {
        let five = self.dumped();
        assert!(five.stdout.contains("max-peers 5;"), "{five:?}");
        for slot in 0..5 {
            let start = format!("bitmap[{slot}] {{");
            let body = five.stdout.split(&start).nth(1).unwrap();
            let first = body.trim_start().split(';').next().unwrap();
            // After a comment of drbdmeta's.
            assert!(first.ends_with("0xFFFFFFFFFFFFFFFE"), "{slot}: {first}");
        }
    }
}

#[test]
fn external_metadata_is_edited_repaired_and_wiped_where_it_is() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    for (index, ours, theirs, at) in [
        (External::Flex, "flex-external", "flex-external", 0),
        (External::Indexed(1), "indexed:1", "1", 128 * MIB),
    ] {
        let on = OnMeta {
            path: meta(&dir, index),
            undo: dir.path().join("undo"),
            ours,
            theirs,
            drbdmeta: &drbdmeta,
        };
        let before = whole(&on.path);
        on.done("edit", &["--max-peers", "5"]);
        on.has_five_slots();
        on.undone(before);
        // An activity log of nothing at all.
        let log = peek(&on.path, at + 4096, 32_768);
        patch(&on.path, at + 4096, &vec![0; 32_768]);
        let broken = whole(&on.path);
        on.done("repair", &["al-not-initialised"]);
        assert_eq!(whole(&on.path), before, "{ours}: as before it was broken");
        on.undone(broken);
        patch(&on.path, at + 4096, &log);
        on.done("wipe", &[]);
        assert_ne!(on.dumped().status, 0, "{ours}");
        let area = peek(&on.path, at, 2 * MIB as usize);
        assert!(area.iter().all(|byte| *byte == 0), "{ours}");
        if index != External::Flex {
            let kept = drbdmeta.run("v08", &on.path, "0", &["dump-md"]);
            assert_eq!(kept.status, 0, "the other slot's: {kept:?}");
        }
        on.undone(before);
        // Where it is already: nothing to do.
        let stays = ok(&["relocate", text(&on.path), "--index", ours, "--yes"]);
        assert!(stays.stdout.contains("nothing to do"), "{stays:?}");
    }
}
