//! `relocate`: the place changes and nothing that the metadata says, as drbdmeta reads it before and after.

mod neighbours;

use std::path::{Path, PathBuf};

use mdtool::builder::{External, Level, build, build_external};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos};
use tempfile::TempDir;

use crate::import::{difference, ok, save, text};
use crate::support::{Drbdmeta, Run, cut, mdtool, patch, peek, scratch, sparse};

const MIB: u64 = 1 << 20;
/// Where four slots of a disk of 64 MiB end: page boundaries lie between this and a MiB more.
const SIZE: u64 = 64 * MIB;
const LA_SIZE: u64 = 130_000;

/// A dump without what says where it was.
fn said(dump: &str) -> Vec<&str> {
    dump.lines().filter(|line| !line.starts_with('#')).collect()
}

/// A disk of `size` with four slots, no two of the same bits, made by drbdmeta; its dump.
fn four_slots(drbdmeta: &Drbdmeta, image: &Path, size: u64) -> String {
    sparse(image, size);
    drbdmeta.ok("v09", image, "internal", &["create-md", "4"]);
    let dump = drbdmeta.ok("v09", image, "internal", &["dump-md"]);
    let head = dump
        .replace("node-id -1;", "node-id 2;")
        .replace("la-size-sect 0;", &format!("la-size-sect {LA_SIZE};"))
        .replace(
            "current-uuid 0x0000000000000004;",
            "current-uuid 0xC100000000000010;",
        )
        .replace("flags 0x00000080;", "flags 0x00000091;");
    let head = head.split("bitmap[0]").next().unwrap();
    let slots = (0..4).map(|slot| {
        let word = 0xA5_u64 << (slot * 8);
        format!(
            "bitmap[{slot}] {{\n 0x{word:016X}; 0x{slot:016X};\n 200 times 0x0000000000000000;\n 0x{word:016X}; 0x0000000000000001;\n 50 times 0x0000000000000000;\n}}\n"
        )
    });
    let body: String = slots.collect();
    let file = image.with_extension("start.md");
    save(&file, format!("{head}{body}").as_bytes());
    drbdmeta.ok("v09", image, "internal", &["restore-md", text(&file)]);
    // What is data must not change by one byte.
    patch(image, LA_SIZE * 512 - 4096, &[0xDA; 4096]);
    drbdmeta.ok("v09", image, "internal", &["dump-md"])
}

#[track_caller]
fn relocate(image: &Path, more: &[&str]) -> Run {
    let run = mdtool([&["relocate", text(image), "--yes"], more].concat());
    assert_eq!(run.status, 0, "{more:?}: {run:?}");
    run
}

#[track_caller]
fn refused(image: &Path, more: &[&str], says: &[&str]) {
    let before = whole(image);
    let run = mdtool([&["relocate", text(image), "--yes"], more].concat());
    assert_eq!(run.status, 2, "{more:?}: {run:?}");
    for says in says {
        assert!(run.stderr.contains(says), "{more:?}: {says}: {run:?}");
    }
    assert_eq!(whole(image), before, "{more:?}");
}

/// A disk's length, and a checksum of all of it.
fn whole(image: &Path) -> (u64, u32) {
    let len = std::fs::metadata(image).unwrap().len();
    (len, crc32fast::hash(&peek(image, 0, len as usize)))
}

fn probed(image: &Path) -> i32 {
    mdtool(["probe", text(image)]).status
}

#[test]
fn a_grown_disk_of_any_size_has_all_that_it_had_where_drbd_looks() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let (start, image) = (dir.path().join("start"), dir.path().join("image"));
    let dump = four_slots(&drbdmeta, &start, SIZE);
    // 64 MiB have 4 slots of 16384 bits: the bitmap has a page more from the next block on.
    let pages = (1..=256).filter(|page| page % 17 == 0 || [1, 2, 255, 256].contains(page));
    let sizes: Vec<u64> = pages.map(|page| SIZE + page * 4096).collect();
    for size in sizes.into_iter().chain([SIZE + 512, SIZE + 3584]) {
        std::fs::copy(&start, &image).unwrap();
        cut(&image, size);
        let run = relocate(&image, &["--undo", text(&dir.path().join("undo"))]);
        std::fs::remove_file(dir.path().join("undo")).unwrap();
        assert_eq!(probed(&image), 0, "{size}: {run:?}");
        let theirs = drbdmeta.ok("v09", &image, "internal", &["dump-md"]);
        assert_eq!(said(&theirs), said(&dump), "{size}");
        assert_eq!(
            peek(&image, 0, (LA_SIZE * 512) as usize),
            peek(&start, 0, (LA_SIZE * 512) as usize),
            "{size}: data"
        );
        let again = relocate(&image, &[]);
        assert!(again.stdout.contains("nothing to do"), "{again:?}");
    }
}

#[test]
fn what_is_made_ready_for_a_smaller_disk_is_found_when_that_is_cut() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let (start, image) = (dir.path().join("start"), dir.path().join("image"));
    let dump = four_slots(&drbdmeta, &start, SIZE + MIB);
    // What is the smallest that fits: 130000 sectors, and the metadata of that.
    let least = LA_SIZE * 512 + 8192 + 32768 + 4096;
    let least = least.next_multiple_of(4096);
    for size in [
        least,
        least + 4096,
        SIZE - 4096,
        SIZE,
        SIZE + 512,
        SIZE + 65536,
    ] {
        std::fs::copy(&start, &image).unwrap();
        let (undo, taken) = (dir.path().join("undo"), dir.path().join("taken"));
        let run = relocate(
            &image,
            &["--for-size", &size.to_string(), "--undo", text(&undo)],
        );
        assert!(
            run.stderr.contains("until then DRBD finds no metadata"),
            "{run:?}"
        );
        assert_eq!(probed(&image), 5, "{size}");
        // Taken back, and made ready again.
        let back = dir.path().join("back");
        std::fs::copy(&image, &back).unwrap();
        relocate(&back, &["--undo", text(&taken)]);
        assert_eq!(probed(&back), 0, "{size}");
        let theirs = drbdmeta.ok("v09", &back, "internal", &["dump-md"]);
        assert_eq!(said(&theirs), said(&dump), "{size}: taken back");
        cut(&image, size);
        assert_eq!(probed(&image), 0, "{size}");
        let theirs = drbdmeta.ok("v09", &image, "internal", &["dump-md"]);
        assert_eq!(said(&theirs), said(&dump), "{size}");
        let same = peek(&image, 0, (LA_SIZE * 512) as usize);
        assert!(same == peek(&start, 0, (LA_SIZE * 512) as usize), "{size}");
        for file in [undo, taken] {
            std::fs::remove_file(file).unwrap();
        }
    }
    for (size, says) in [
        (least - 4096, &["4096 bytes are missing", "mdtool plan"][..]),
        (MIB, &["do not fit into 1048576 bytes"]),
        (4096, &["do not fit into 4096 bytes"]),
        (SIZE + 1, &["no whole sectors", "8s"]),
        (2 * SIZE, &["expected a smaller size", "larger first"]),
    ] {
        refused(&start, &["--for-size", &size.to_string()], says);
    }
    let preview = mdtool(["relocate", text(&start), "--for-size", "64MiB", "--dry-run"]);
    assert_eq!(preview.status, 0, "{preview:?}");
    let before = "DRBD finds none until the disk is cut";
    assert!(preview.stderr.contains(before), "{preview:?}");
}

#[test]
fn internal_metadata_goes_to_a_meta_device_and_back() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let file = |name: &str| dir.path().join(name);
    let (image, before) = (file("image"), file("before"));
    let dump = four_slots(&drbdmeta, &image, SIZE);
    std::fs::copy(&image, &before).unwrap();
    let (meta, out, back) = (file("meta"), file("out"), file("back"));
    relocate(&image, &["--meta", text(&meta), "--undo", text(&out)]);
    assert_eq!((probed(&meta), probed(&image)), (0, 5));
    let theirs = drbdmeta.ok("v09", &meta, "flex-external", &["dump-md"]);
    assert_eq!(said(&theirs), said(&dump));
    let without = "expected --data DISK";
    refused(&meta, &["--index", "internal"], &[without]);
    refused(&meta, &["--data", text(&meta)], &["another file"]);
    refused(&meta, &["--data", text(&file("none"))], &["is not there"]);
    refused(
        &meta,
        &["--for-size", "512KiB"],
        &["on a meta device", "--data"],
    );
    relocate(&meta, &["--data", text(&image), "--undo", text(&back)]);
    assert_eq!((probed(&meta), probed(&image)), (5, 0));
    assert_eq!(difference(&image, &before, &[]), None, "back again");
    refused(
        &image,
        &["--index", "flex-external"],
        &["expected --meta FILE"],
    );
    refused(
        &image,
        &["--data", text(&before)],
        &["metadata is internal"],
    );
    ok(&["undo", text(&back), "--yes"]);
    assert_eq!((probed(&meta), probed(&image)), (0, 5));
    // Whoever says yes beforehand is told who loses something.
    let (used, more) = (file("used"), file("more"));
    std::fs::copy(&meta, &used).unwrap();
    let run = relocate(&before, &["--meta", text(&used), "--undo", text(&more)]);
    let warned = format!("warning: {}: v09 metadata with its superblock", text(&used));
    assert!(run.stderr.contains(&warned), "{run:?}");
    // A disk without room for it behind the data.
    let small = file("small");
    sparse(&small, LA_SIZE * 512 + 4096);
    refused(
        &meta,
        &["--data", text(&small)],
        &[
            "la-size-sect is 130000 sectors",
            "leave the metadata on a meta device",
        ],
    );
}

/// Metadata in a slot of a meta device, and another resource's in the next.
fn indexed(dir: &TempDir, slots: &[u8]) -> PathBuf {
    let path = dir.path().join("slots");
    let size = Bytes::new(256 * MIB);
    let mut image = WritableFile::create_new(&path, size).unwrap();
    for slot in slots {
        let range = DevPos::new(4096)..DevPos::new(3 * MIB);
        let level = Level::v08().dirty(BitmapIndex::new(0), range);
        let backing = Bytes::new(64 * MIB);
        let index = External::Indexed(*slot);
        build_external(&mut image, ImagePos::START, size, index, backing, &level).unwrap();
    }
    path
}

#[test]
fn an_indexed_slot_becomes_flexible_metadata() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let slots = indexed(&dir, &[0, 1]);
    let dump = drbdmeta.ok("v08", &slots, "1", &["dump-md"]);
    // What is another's is not overwritten; a device of its own is.
    let here = ["--index", "flex-external"];
    refused(&slots, &here, &["another resource's metadata", "--meta"]);
    let (meta, undo) = (dir.path().join("meta"), dir.path().join("undo"));
    let there = [
        "--index",
        "indexed:1",
        "--meta",
        text(&meta),
        "--undo",
        text(&undo),
    ];
    let run = relocate(&slots, &there);
    let (was, is) = (text(&slots), text(&meta));
    let says = format!("`meta-disk {is};` in the place of `meta-disk {was}[1];`");
    assert!(run.stderr.contains(&says), "{run:?}");
    let theirs = drbdmeta.ok("v08", &meta, "flex-external", &["dump-md"]);
    assert_eq!(said(&theirs), said(&dump));
    assert_eq!(probed(&meta), 0);
    let gone = drbdmeta.run("v08", &slots, "1", &["dump-md"]);
    assert_ne!(gone.status, 0, "{gone:?}");
    let kept = drbdmeta.ok("v08", &slots, "0", &["dump-md"]);
    assert!(kept.contains("version \"v08\""));
}

#[test]
fn unclean_metadata_stays_so_with_its_log() {
    let dir = scratch();
    let image = dir.path().join("image");
    let size = Bytes::new(SIZE);
    let mut file = WritableFile::create_new(&image, size).unwrap();
    let level = Level::v09(3).unclean();
    let built = build(&mut file, ImagePos::START, size, &[level]).unwrap();
    drop(file);
    let log = built[0].al().get();
    let before = peek(&image, log, 32768);
    assert!(before.iter().any(|byte| *byte != 0));
    assert_eq!(probed(&image), 3);
    cut(&image, 80 * MIB);
    relocate(&image, &[]);
    assert_eq!(probed(&image), 3);
    let after = peek(&image, 80 * MIB - 4096 - 32768, 32768);
    assert_eq!(after, before);
}

#[test]
fn a_size_that_was_never_agreed_on_is_no_reason_to_lose_bits() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = dir.path().join("image");
    sparse(&image, SIZE);
    drbdmeta.ok("v09", &image, "internal", &["create-md", "1"]);
    let hint = format!("mdtool edit {} --la-size", text(&image));
    let says = ["la-size-sect is 0", &hint];
    refused(&image, &["--for-size", "60MiB"], &says);
    cut(&image, SIZE + MIB);
    relocate(&image, &[]);
    assert_eq!(probed(&image), 0);
    let end = SIZE + MIB;
    patch(&image, end - 4096 - 32768 - 4096, &[0xFF]);
    cut(&image, end + MIB);
    refused(&image, &[], &["bits are set from", &hint]);
}

#[test]
fn a_plan_tells_a_grown_disk_from_a_copy() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = dir.path().join("image");
    four_slots(&drbdmeta, &image, SIZE);
    cut(&image, SIZE + MIB);
    let plan = ok(&["plan", text(&image)]).stdout;
    for says in [
        "Recommended: relocate",
        "made larger on its own node",
        &format!("mdtool relocate {}", text(&image)),
    ] {
        assert!(plan.contains(says), "{says}: {plan}");
    }
    let smaller = ok(&["plan", text(&image), "--target-size", "66605056"]).stdout;
    assert!(smaller.contains("--for-size 66605056"), "{smaller}");
    // `adopt` does not ask whose it is, either.
    let adopted = ok(&["adopt", text(&image), "--yes"]);
    assert!(adopted.stderr.contains("node id 2 is kept"), "{adopted:?}");
    assert_eq!(probed(&image), 0);
    let dump = drbdmeta.ok("v09", &image, "internal", &["dump-md"]);
    assert!(dump.contains("node-id 2;"), "{dump}");
}

#[test]
fn what_an_online_move_left_is_taken_from_where_it_was() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let (image, grown) = (dir.path().join("image"), dir.path().join("grown"));
    let dump = four_slots(&drbdmeta, &image, SIZE);
    // As DRBD writes it first of all at the new end: the same, with MDF_AL_DISABLED and MDF_PEER_FULL_SYNC of every peer.
    four_slots(&drbdmeta, &grown, SIZE + MIB);
    let end = SIZE + MIB - 4096;
    let mut block = peek(&grown, end, 4096);
    block[0x3A] |= 1;
    for node in (0..32).filter(|node| *node != 2) {
        block[0x70 + node * 32 + 19] |= 8;
    }
    cut(&image, SIZE + MIB);
    patch(&image, end, &block);
    let run = relocate(&image, &[]);
    let at = (SIZE - 4096).to_string();
    assert!(run.stderr.contains("when it was cut off"), "{run:?}");
    assert!(run.stderr.contains(&format!("--at {at}")), "{run:?}");
    relocate(&image, &["--at", &at]);
    assert_eq!(probed(&image), 0);
    let theirs = drbdmeta.ok("v09", &image, "internal", &["dump-md"]);
    assert_eq!(said(&theirs), said(&dump));
}

#[test]
fn a_stack_is_not_guessed_at() {
    let dir = scratch();
    let image = dir.path().join("image");
    let size = Bytes::new(SIZE);
    let mut file = WritableFile::create_new(&image, size).unwrap();
    let levels = [Level::v08(), Level::v08()];
    let built = build(&mut file, ImagePos::START, size, &levels).unwrap();
    drop(file);
    let inner = built[1].md().get();
    cut(&image, SIZE + MIB);
    refused(&image, &[], &["is a stack of 2 resources"]);
    let kept = peek(&image, inner, 4096);
    relocate(&image, &["--level", "0"]);
    assert_eq!(probed(&image), 0);
    assert_eq!(peek(&image, inner, 4096), kept, "the inner one");
}
