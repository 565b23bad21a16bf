//! `edit` and `wipe`, held against what people do with `sed` on dumps, and against drbdmeta.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::export_drbdmeta::number;
use crate::import::{difference, export, ok, save, text};
use crate::import_drbdmeta::content_of;
use crate::support::{Drbdmeta, Run, mdtool, patch, peek, scratch, sparse};

const MIB: u64 = 1 << 20;

/// v09 metadata of three slots in 64 MiB: node 0, peer 1 in slot 0, a size, bits, made by drbdmeta.
fn v09(drbdmeta: &Drbdmeta, image: &Path) {
    sparse(image, 64 * MIB);
    drbdmeta.ok("v09", image, "internal", &["create-md", "3"]);
    let dump = drbdmeta.ok("v09", image, "internal", &["dump-md"]);
    let edited = dump
        .replace("node-id -1;", "node-id 0;")
        .replace("la-size-sect 0;", "la-size-sect 130000;")
        .replace(
            "current-uuid 0x0000000000000004;",
            "current-uuid 0xC100000000000010;",
        )
        .replace("flags 0x00000080;", "flags 0x00000091;");
    let edited = with_peer(&edited, 1, "bitmap-index 0;", "0x00010010");
    let bits =
        "{\n    0x00000000000000FF; 0x0000000000000000;\n    252 times 0x0000000000000000;\n}";
    let slots = (0..3).map(|slot| format!("bitmap[{slot}] {bits}\n"));
    let body: String = slots.collect();
    let head = edited.split("bitmap[0]").next().unwrap();
    let dump = image.with_extension("start.md");
    save(&dump, format!("{head}{body}").as_bytes());
    drbdmeta.ok("v09", image, "internal", &["restore-md", text(&dump)]);
}

/// Such an image, and a copy of it as it was.
fn started(drbdmeta: &Drbdmeta) -> (TempDir, PathBuf, PathBuf) {
    let dir = scratch();
    let (image, before) = (dir.path().join("image"), dir.path().join("before"));
    v09(drbdmeta, &image);
    std::fs::copy(&image, &before).unwrap();
    (dir, image, before)
}

/// A dump in which one peer has a slot and flags.
fn with_peer(dump: &str, node: u8, index: &str, flags: &str) -> String {
    let start = dump.find(&format!("peer[{node}] {{")).unwrap();
    let end = start + dump[start..].find('}').unwrap();
    let block = dump[start..end]
        .replace("bitmap-index -1;", index)
        .replace(
            "bitmap-uuid 0x0000000000000000;",
            "bitmap-uuid 0xB100000000000010;",
        )
        .replace("flags 0x00000000;", &format!("flags {flags};"));
    format!("{}{block}{}", &dump[..start], &dump[end..])
}

/// What drbd-utils 9.22 and ours both say: before 9.33 no flags of v08, before 9.27 no members.
fn comparable(dump: &str) -> Vec<&str> {
    let v08 = dump.contains("version \"v08\"");
    let lines = content_of(dump).into_iter();
    lines
        .filter(|line| !line.contains("> drbdmeta") && !line.starts_with("members "))
        .filter(|line| !(v08 && line.trim_start().starts_with("flags ")))
        .collect()
}

fn edit(image: &Path, changes: &[&str]) -> Run {
    let words = [&["edit", text(image), "--yes"], changes].concat();
    mdtool(words)
}

#[test]
fn a_node_id_is_exchanged_as_sed_and_restore_md_do() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    v09(&drbdmeta, &ours);
    std::fs::copy(&ours, &theirs).unwrap();
    // The four lines of DRBD's manual for truck based replication.
    let dump = drbdmeta.ok("v09", &theirs, "internal", &["dump-md"]);
    let swapped = dump
        .replace("node-id 0;", "node-id 1;")
        .replace("peer[0] ", "peer-NEW ")
        .replace("peer[1] ", "peer[0] ")
        .replace("peer-NEW ", "peer[1] ");
    let file = dir.path().join("swapped.md");
    save(&file, swapped.as_bytes());
    drbdmeta.ok("v09", &theirs, "internal", &["restore-md", text(&file)]);
    let edited = edit(&ours, &["--node-id", "1"]);
    assert_eq!(edited.status, 0, "{}", edited.stderr);
    assert_eq!(difference(&ours, &theirs, &[]), None);
}

#[test]
fn an_edit_is_previewed_made_and_undone() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let (dir, image, before) = started(&drbdmeta);
    let changes = ["--max-peers", "5", "--flag", "-WAS_UP_TO_DATE"];
    let words = [&["edit", text(&image), "--dry-run"], &changes[..]].concat();
    assert_eq!(mdtool(words).status, 0);
    assert_eq!(difference(&image, &before, &[]), None, "--dry-run writes");
    let undo = dir.path().join("undo");
    let words = [&["--undo", text(&undo)], &changes[..]].concat();
    let edited = edit(&image, &words);
    assert_eq!(edited.status, 0, "{}", edited.stderr);
    // drbdmeta agrees that this is metadata of five slots, and the bits are where they were.
    let dump = drbdmeta.ok("v09", &image, "internal", &["dump-md"]);
    assert_eq!(number(&dump, "max-peers"), 5);
    assert!(dump.contains("flags 0x00000081;"), "{dump}");
    for slot in 0..5 {
        let body = dump.split(&format!("bitmap[{slot}] {{")).nth(1).unwrap();
        let body = body.split('}').next().unwrap();
        assert!(body.contains("0x00000000000000FF;"), "slot {slot}: {body}");
    }
    ok(&["undo", text(&undo)]);
    assert_eq!(difference(&image, &before, &[]), None, "undone");
}

#[test]
fn an_edited_dump_is_what_the_edited_disk_says() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = dir.path().join("image");
    v09(&drbdmeta, &image);
    for changes in [
        &["--node-id", "1"][..],
        &["--max-peers", "2"],
        &["--la-size", "60000s"],
        &["--current-uuid", "0x1234567890ABCDE0"],
        &["--format", "v08", "--peer", "1", "--merge-slots"],
    ] {
        let disk = dir.path().join("disk");
        std::fs::copy(&image, &disk).unwrap();
        let words = [&["edit", text(&image), "-o", "-"], changes].concat();
        let printed = ok(&words);
        let edited = edit(&disk, changes);
        assert_eq!(edited.status, 0, "{changes:?}: {}", edited.stderr);
        let format = if changes[0] == "--format" {
            "v08"
        } else {
            "v09"
        };
        let theirs = drbdmeta.ok(format, &disk, "internal", &["dump-md"]);
        assert_eq!(
            comparable(&printed.stdout),
            comparable(&theirs),
            "{changes:?}"
        );
        assert_eq!(
            comparable(&export(&disk, "internal")),
            comparable(&printed.stdout)
        );
        assert_eq!(peek(&disk, 0, 4096), peek(&image, 0, 4096), "data");
    }
}

/// Each refusal: the changes, what is said, and what would work.
const REFUSED: [(&[&str], &str, &str); 15] = [
    (
        &["--forget", "9"],
        "node 9 has no bitmap slot",
        "--assign NODE",
    ),
    (
        &["--assign", "1"],
        "node 1 has slot 0 already",
        "--forget it first",
    ),
    (&["--assign", "2=0"], "slot 0 is not free", "without =SLOT"),
    (
        &["--assign", "2=7"],
        "slot 7 does not exist",
        "--max-peers N",
    ),
    (
        &["--assign", "2", "--assign", "3", "--assign", "4"],
        "no bitmap slot is free",
        "--forget NODE frees one",
    ),
    (&["--swap-nodes", "0,1"], "own node", "--node-id N"),
    (
        &["--new-generation", "--clear-bitmap"],
        "8 bits set",
        "without --clear-bitmap the bits stay",
    ),
    (
        &["--format", "v09", "--peer", "1"],
        "--format v09 needs",
        "",
    ),
    (
        &[
            "--format",
            "v09",
            "--peer",
            "1",
            "--node-id",
            "0",
            "--max-peers",
            "2",
        ],
        "v09 already",
        "leave out --format",
    ),
    (&["--la-size", "1TiB"], "are missing", "mdtool relocate"),
    (&["--bytes-per-bit", "5000"], "power of two", ""),
    (&["--al-stripes", "1000000"], "al_stripes", "mdtool fit"),
    (
        &["--max-peers", "31", "--la-size", "64MiB"],
        "are missing",
        "larger",
    ),
    (
        &["--bitmap-uuid", "new"],
        "expected the node's id",
        "NODE:UUID",
    ),
    (&[], "no change was asked for", ""),
];

#[test]
fn what_cannot_be_done_is_refused_with_what_would_work_and_nothing_is_written() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let (_dir, image, before) = started(&drbdmeta);
    for (changes, words, instead) in REFUSED {
        let run = edit(&image, changes);
        assert_eq!(run.status, 2, "{changes:?}: {}", run.stderr);
        assert!(run.stderr.contains(words), "{changes:?}: {}", run.stderr);
        let hint = instead.is_empty() || run.stderr.contains("hint: ");
        assert!(
            hint && run.stderr.contains(instead),
            "{changes:?}: {}",
            run.stderr
        );
        assert_eq!(difference(&image, &before, &[]), None, "{changes:?}");
    }
    // Of other metadata: v08, unclean, and bits that one slot has and the other has not.
    drbdmeta.ok("v09", &image, "internal", &["dump-md"]);
    patch(&image, 64 * MIB - 4096 - 32_768 - 8192 + 8, &[0xFF; 4]);
    let apart = edit(&image, &["--format", "v08", "--peer", "1"]);
    assert_eq!(apart.status, 2, "{apart:?}");
    assert!(apart.stderr.contains("--merge-slots"), "{apart:?}");
    patch(&image, 64 * MIB - 4096 + 59, &[0x90]);
    let inconsistent = edit(&image, &["--new-generation"]);
    assert_eq!(inconsistent.status, 2, "{inconsistent:?}");
    assert!(
        inconsistent.stderr.contains("--flag +CONSISTENT"),
        "{inconsistent:?}"
    );
    assert_eq!(edit(&image, &["--assign", "2=2"]).status, 0);
    let in_use = edit(&image, &["--max-peers", "2"]);
    assert_eq!(in_use.status, 2, "{in_use:?}");
    assert!(
        in_use.stderr.contains("slot 2 belongs to node 2"),
        "{in_use:?}"
    );
    assert!(in_use.stderr.contains("--forget that node"), "{in_use:?}");
    patch(&image, 64 * MIB - 4096 + 59, &[0x11]);
    let unclean = edit(&image, &["--max-peers", "5"]);
    assert_eq!(unclean.status, 2, "{unclean:?}");
    assert!(unclean.stderr.contains("mdtool apply-al"), "{unclean:?}");
    let old = image.with_extension("v08");
    sparse(&old, 64 * MIB);
    drbdmeta.ok("v08", &old, "internal", &["create-md"]);
    let only = edit(&old, &["--forget", "1"]);
    assert_eq!(only.status, 2, "{only:?}");
    assert!(only.stderr.contains("--format v09"), "{only:?}");
    let many = "0x10,0x20,0x30".replace("0x", "0x00000000000000");
    let history = edit(&old, &["--history", &many]);
    assert_eq!(history.status, 2, "{history:?}");
    assert!(
        history.stderr.contains("leave out the oldest"),
        "{history:?}"
    );
}

#[test]
fn two_peers_are_exchanged_as_sed_and_restore_md_do() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let (dir, ours, theirs) = started(&drbdmeta);
    let dump = drbdmeta.ok("v09", &theirs, "internal", &["dump-md"]);
    let swapped = dump
        .replace("peer[1] ", "peer-NEW ")
        .replace("peer[7] ", "peer[1] ")
        .replace("peer-NEW ", "peer[7] ");
    let file = dir.path().join("swapped.md");
    save(&file, swapped.as_bytes());
    drbdmeta.ok("v09", &theirs, "internal", &["restore-md", text(&file)]);
    let edited = edit(&ours, &["--swap-nodes", "1,7"]);
    assert_eq!(edited.status, 0, "{}", edited.stderr);
    assert_eq!(difference(&ours, &theirs, &[]), None);
}

#[test]
fn a_dump_is_edited_as_the_disk_that_it_is_of() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let (dir, image, _) = started(&drbdmeta);
    let dump = dir.path().join("dump.md");
    let printed = drbdmeta.ok("v09", &image, "internal", &["dump-md"]);
    save(&dump, printed.as_bytes());
    for changes in [
        &["--node-id", "1"][..],
        &["--max-peers", "5"],
        &["--forget", "1"],
        &["--bytes-per-bit", "64KiB"],
        &["--la-size", "60000s"],
        &["--format", "v08", "--peer", "1", "--merge-slots"],
    ] {
        let of_disk = ok(&[&["edit", text(&image), "-o", "-"], changes].concat());
        let of_dump = ok(&[&["edit", text(&dump), "-o", "-"], changes].concat());
        assert_eq!(
            comparable(&of_dump.stdout),
            comparable(&of_disk.stdout),
            "{changes:?}"
        );
    }
    // What does not fit on the disk that was dumped may go elsewhere.
    let larger = ok(&["edit", text(&dump), "-o", "-", "--la-size", "1TiB"]);
    assert!(larger.stderr.contains("for a larger disk"), "{larger:?}");
    assert!(larger.stdout.contains("la-size-sect 2147483648;"));
    let in_place = mdtool(["edit", text(&dump), "--node-id", "1", "--yes"]);
    assert_eq!(in_place.status, 2, "{in_place:?}");
    let unclean = printed.replace(
        "version \"v09\";\n",
        "version \"v09\";\n\nThis_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\n",
    );
    save(&dump, unclean.as_bytes());
    let run = mdtool(["edit", text(&dump), "-o", "-", "--node-id", "1"]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("the dump is unclean"), "{run:?}");
}

#[test]
fn one_resource_of_a_stack_is_wiped_where_it_is_named() {
    let dir = scratch();
    let image = dir.path().join("stack");
    let size = mdtool::units::Bytes::new(64 * MIB);
    let mut file = mdtool::image::WritableFile::create_new(&image, size).unwrap();
    let levels = [mdtool::builder::Level::v08(), mdtool::builder::Level::v08()];
    let built = mdtool::builder::build(&mut file, mdtool::units::ImagePos::START, size, &levels);
    drop(file);
    let outer = built.unwrap()[0].bm().get();
    for more in [&[][..], &["--stacked"]] {
        let run = mdtool([&["wipe", text(&image), "--yes"], more].concat());
        assert_eq!(run.status, 2, "{run:?}");
        assert!(run.stderr.contains("expected --level"), "{run:?}");
    }
    let kept = peek(&image, outer, (64 * MIB - outer) as usize);
    ok(&["wipe", text(&image), "--level", "inner", "--yes"]);
    assert!(
        kept == peek(&image, outer, (64 * MIB - outer) as usize),
        "the outer one"
    );
    assert_eq!(mdtool(["probe", text(&image)]).status, 0);
    ok(&["wipe", text(&image), "--yes"]);
    assert_eq!(mdtool(["probe", text(&image)]).status, 1);
}

#[test]
fn wipe_takes_all_of_the_metadata_and_undo_gives_it_back() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let (dir, image, before) = started(&drbdmeta);
    let undo = dir.path().join("undo");
    ok(&["wipe", text(&image), "--yes", "--undo", text(&undo)]);
    let blank = dir.path().join("blank");
    sparse(&blank, 64 * MIB);
    assert_eq!(difference(&image, &blank, &[]), None);
    let again = mdtool(["wipe", text(&image), "--yes"]);
    assert_eq!(again.status, 1, "{}", again.stderr);
    ok(&["undo", text(&undo)]);
    assert_eq!(difference(&image, &before, &[]), None);
}

#[test]
fn old_copies_go_where_that_is_asked_for_and_nothing_else_does() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let (dir, image, _) = started(&drbdmeta);
    // As a kernel leaves it that moved to the end of a larger disk.
    let old = peek(&image, 64 * MIB - 4096, 4096);
    crate::support::cut(&image, 70 * MIB);
    ok(&["relocate", text(&image), "--yes"]);
    patch(&image, 64 * MIB - 4096, &old);
    patch(&image, 66 * MIB, b"a file");
    let before = dir.path().join("grown");
    std::fs::copy(&image, &before).unwrap();
    let (undo, more) = (dir.path().join("undo"), dir.path().join("more"));
    let kept = ok(&["wipe", text(&image), "--yes", "--undo", text(&undo)]);
    assert!(kept.stderr.contains("locate"), "{kept:?}");
    assert_eq!(peek(&image, 64 * MIB - 4096, 4096), old);
    ok(&["undo", text(&undo), "--yes"]);
    let shown = ok(&["wipe", text(&image), "--stale", "--dry-run"]);
    assert!(
        shown
            .stderr
            .contains("one old copy of a superblock becomes zeros"),
        "{shown:?}"
    );
    ok(&[
        "wipe",
        text(&image),
        "--stale",
        "--yes",
        "--undo",
        text(&more),
    ]);
    // Its own area, and that block: the bitmap and the log that belonged to it may be anybody's by now.
    let areas = [64 * MIB - 4096..64 * MIB, 70 * MIB - 45_056..70 * MIB];
    assert_eq!(difference(&image, &before, &areas), None);
    for area in areas {
        let zeros = peek(&image, area.start, (area.end - area.start) as usize);
        assert!(zeros.iter().all(|byte| *byte == 0), "{area:?}");
    }
    ok(&["undo", text(&more), "--yes"]);
    assert_eq!(difference(&image, &before, &[]), None);
}
