//! Questions that two commands answered differently.

use std::path::Path;

use mdtool::builder::{External, Level, build_external};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};

use super::{MIB, built, ids, json, run};
use crate::support::{Run, cut, mdtool, patch, peek, scratch, sparse, tool};

const SIZE: u64 = 64 * MIB;
const SUPERBLOCK: u64 = SIZE - 4096;
/// Where a superblock has its magic, of v08 and v09.
const MAGIC: u64 = 60;

#[track_caller]
fn status(run: &Run, expected: i32) {
    assert_eq!(run.status, expected, "{run:?}");
}

/// A stack of three; the outermost superblock lacks its magic, or is gone.
#[test]
fn an_outer_superblock_that_may_be_mended_is_not_written_over() {
    let dir = scratch();
    let levels = [Level::v09(3), Level::v08(), Level::v09(1)];
    for (at, len) in [(SUPERBLOCK + MAGIC, 4), (SUPERBLOCK, 4096)] {
        let path = built(&dir, SIZE, &levels);
        patch(&path, at, &vec![0; len]);
        let plan = run("plan", &path, &[]);
        status(&plan, 1);
        assert!(plan.stdout.starts_with("First: "), "{plan:?}");
        assert!(
            !plan.stdout.contains("no other resource is around it"),
            "{plan:?}"
        );
        assert_eq!(plan.stdout.contains("mdtool repair"), len == 4, "{plan:?}");
        let plan = json("plan", &path, &[]);
        for (name, way) in plan["ways"].as_object().unwrap() {
            assert_eq!(way["feasible"], false, "{name}");
            let why = way["why_not"].as_str().unwrap();
            assert!(why.contains("comes first"), "{name}: {why}");
        }
        assert!(plan["comes_first"].is_string(), "{plan}");
        let before = peek(&path, 0, 64 << 20);
        for command in ["relocate", "adopt"] {
            for named in [
                &["--level", "0", "--yes"][..],
                &["--level", "outer", "--yes"],
            ] {
                let refused = run(command, &path, named);
                assert_ne!(refused.status, 0, "{refused:?}");
                assert!(refused.stderr.contains("--at "), "{refused:?}");
            }
        }
        assert!(peek(&path, 0, 64 << 20) == before, "something was written");
        // What lies inside is named by that.
        status(&run("plan", &path, &["--stacked"]), 0);
    }
    let path = built(&dir, SIZE, &levels);
    assert_eq!(
        json("plan", &path, &[])["comes_first"],
        serde_json::Value::Null
    );
}

#[test]
fn a_log_that_drbdmeta_stops_at_is_not_applied() {
    let dir = scratch();
    let junk = vec![0xA5; 32768];
    for (level, refused) in [
        (Level::v09(3).flags(0x93), true),
        (Level::v09(1).flags(0x93), true),
        (Level::v09(3).flags(0x13), true),
        (Level::v09(3).flags(0x91), false),
        // Of v08 it takes the superblock's word.
        (Level::v08().flags(0x83), false),
        (Level::v08().flags(0x03), true),
    ] {
        let path = built(&dir, SIZE, &[level.activity_log(&junk)]);
        let before = peek(&path, 0, 64 << 20);
        let code = if refused { 2 } else { 0 };
        status(&run("apply-al", &path, &["--dry-run"]), code);
        if refused {
            status(&run("apply-al", &path, &["--yes"]), 2);
            assert!(peek(&path, 0, 64 << 20) == before, "something was written");
        }
        status(&run("export", &path, &["--apply-al"]), code);
        let al = run("al", &path, &[]);
        assert_eq!(al.stdout.contains("refuses"), refused, "{al:?}");
        let probe = run("probe", &path, &[]);
        assert_eq!(probe.status == 4, refused, "{probe:?}");
        let check = json("check", &path, &[]);
        assert_eq!(ids(&check).contains(&"al-unusable"), refused, "{check}");
        let export = run("export", &path, &["--force"]);
        let warned = export.stderr.contains("no valid block");
        let said = json("al", &path, &[])["state"] == "clean";
        assert_eq!(warned, refused && said, "{export:?}");
    }
}

#[test]
fn a_plan_for_an_erased_superblock_does_not_say_that_nothing_is_to_be_done() {
    let dir = scratch();
    for level in [Level::v08(), Level::v09(3)] {
        let path = built(&dir, SIZE, &[level]);
        let at = SUPERBLOCK.to_string();
        status(&run("plan", &path, &["--at", &at]), 0);
        patch(&path, SUPERBLOCK + MAGIC, &[0; 4]);
        let plan = run("plan", &path, &["--at", &at]);
        status(&plan, 1);
        assert!(!plan.stdout.contains("Nothing to do"), "{plan:?}");
        assert!(plan.stderr.contains("mdtool repair"), "{plan:?}");
    }
}

/// A disk with one partition of this size that has an image at its beginning.
fn in_a_partition(dir: &tempfile::TempDir, inside: &Path, partition: u64) -> std::path::PathBuf {
    let disk = dir.path().join("disk.raw");
    let _ = std::fs::remove_file(&disk);
    sparse(&disk, partition + 8 * MIB);
    let new = format!("--new=1:2048:+{}K", partition / 1024);
    tool("sgdisk", &[&new, disk.to_str().unwrap()]);
    let len = usize::try_from(inside.metadata().unwrap().len()).unwrap();
    patch(&disk, MIB, &peek(inside, 0, len));
    disk
}

#[test]
fn metadata_that_moved_within_a_partition_is_not_none() {
    if !crate::support::require_tool("sgdisk") {
        return;
    }
    let dir = scratch();
    for level in [Level::v08(), Level::v09(3)] {
        let path = built(&dir, SIZE, &[level]);
        for (size, word) in [(SIZE, "clean"), (80 * MIB, "moved")] {
            let disk = in_a_partition(&dir, &path, size);
            let probe = run("probe", &disk, &[]);
            status(&probe, 5);
            assert!(probe.stdout.contains(&format!("is {word}")), "{probe:?}");
            assert!(probe.stderr.contains("--offset 1048576"), "{probe:?}");
            // Nor where another is asked about than the one that is there.
            for which in [&["--stacked"][..], &["--level", "1"], &["--level", "inner"]] {
                let probe = run("probe", &disk, which);
                status(&probe, 5);
                assert!(probe.stderr.contains("--offset 1048576"), "{probe:?}");
            }
        }
    }
}

#[test]
fn a_damaged_inner_superblock_is_not_no_stack() {
    let dir = scratch();
    for levels in [[Level::v09(3), Level::v08()], [Level::v08(), Level::v09(3)]] {
        let path = built(&dir, SIZE, &levels);
        let inner = json("locate", &path, &[])["levels"][1]["md_offset"]
            .as_u64()
            .unwrap();
        patch(&path, inner + MAGIC, &[0; 4]);
        status(&run("probe", &path, &["--stacked"]), 4);
        for command in ["locate", "show", "export"] {
            let run = run(command, &path, &["--stacked"]);
            status(&run, 1);
            assert!(run.stderr.contains("only its magic was erased"), "{run:?}");
            assert!(!run.stderr.contains("no stack here"), "{run:?}");
        }
    }
}

#[test]
fn a_copy_that_was_retired_does_not_make_a_stack() {
    let dir = scratch();
    for level in [Level::v08(), Level::v09(3), Level::v09(1).device_uuid(0)] {
        let path = built(&dir, SIZE, &[level]);
        for command in ["show", "check", "al", "export"] {
            let run = run(command, &path, &["--level", "inner"]);
            assert!(run.status < 2 && run.stderr.is_empty(), "{run:?}");
        }
        cut(&path, 80 * MIB);
        status(&run("relocate", &path, &["--yes"]), 0);
        for command in ["show", "check", "al", "export"] {
            let run = run(command, &path, &["--level", "inner"]);
            assert!(!run.stderr.contains("no stack here"), "{run:?}");
            assert!(run.status < 2, "{run:?}");
        }
        // One that is said to be in a stack is not there.
        status(&run("show", &path, &["--stacked"]), 1);
    }
    // Where another was retired, that may be the inner one.
    let path = built(
        &dir,
        SIZE,
        &[Level::v08().device_uuid(7), Level::v08().device_uuid(8)],
    );
    let meta = dir.path().join("meta");
    let words = [
        "--level",
        "inner",
        "--meta",
        meta.to_str().unwrap(),
        "--yes",
    ];
    status(&run("relocate", &path, &words), 0);
    let show = run("show", &path, &["--level", "inner"]);
    status(&show, 1);
    assert!(show.stderr.contains("no stack here"), "{show:?}");
}

#[test]
fn a_log_that_has_its_superblock_is_not_alone() {
    let dir = scratch();
    let path = dir.path().join("meta.raw");
    for slot in [1, 2] {
        let size = u64::from(slot + 1) * 128 * MIB;
        let _ = std::fs::remove_file(&path);
        let mut image = WritableFile::create_new(&path, Bytes::new(size)).unwrap();
        let (start, backing) = (ImagePos::START, Bytes::new(1 << 30));
        let placement = External::Indexed(slot);
        build_external(
            &mut image,
            start,
            Bytes::new(size),
            placement,
            backing,
            &Level::v08(),
        )
        .unwrap();
        drop(image);
        // The slot ends beyond the device.
        cut(&path, size - 4096);
        let at = format!("{}", u64::from(slot) * 128 * MIB);
        let probe = run("probe", &path, &[]);
        status(&probe, 4);
        assert!(probe.stdout.contains(&at), "{probe:?}");
        for command in ["locate", "check"] {
            let run = run(command, &path, &[]);
            let said = format!("{}{}", run.stdout, run.stderr);
            status(&run, 1);
            assert!(!said.contains("is gone"), "{run:?}");
            assert!(command == "check" || said.contains(&at), "{run:?}");
        }
    }
}

#[test]
fn what_lies_beyond_the_device_around_it_is_not_where_drbd_looks() {
    let dir = scratch();
    let levels = [Level::v09(3), Level::v08(), Level::v09(1)];
    for count in [2, 3] {
        let path = built(&dir, SIZE, &levels[..count]);
        let whole = dir.path().join("whole.raw");
        std::fs::copy(&path, &whole).unwrap();
        patch(&path, SUPERBLOCK, &(40 * MIB / 512).to_be_bytes());
        let located = run("locate", &path, &[]);
        for number in 1..count {
            let level = ["--level", &number.to_string()];
            let show = run("show", &path, &level);
            assert!(show.stdout.contains("where DRBD does not look"), "{show:?}");
            assert!(show.stdout.contains("(outer-shrunk)"), "{show:?}");
            let check = json("check", &path, &level);
            assert!(ids(&check).contains(&"outer-shrunk"), "{check}");
            let probe = run("probe", &path, &level);
            status(&probe, 5);
            assert!(probe.stderr.contains("mdtool check"), "{probe:?}");
            let note = format!("level {number} ends beyond the DRBD device around it");
            assert!(located.stdout.contains(&note), "{located:?}");
            let sides = [&path, &whole].map(|path| format!("{}@{number}", path.display()));
            let compare = crate::support::mdtool(["compare", &sides[0], &sides[1]]);
            assert_eq!(
                compare.stdout.matches("is smaller than").count(),
                1,
                "{compare:?}"
            );
            let compare = crate::support::mdtool(["compare", &sides[1], &sides[1]]);
            assert!(!compare.stdout.contains("is smaller than"), "{compare:?}");
        }
        // The premise: as it was, all is well.
        for number in 1..count {
            let level = ["--level", &number.to_string()];
            status(&run("probe", &whole, &level), 0);
            assert!(!ids(&json("check", &whole, &level)).contains(&"outer-shrunk"));
        }
        assert!(!run("locate", &whole, &[]).stdout.contains("ends beyond"));
    }
}

#[test]
fn a_superblock_that_the_end_cuts_off_is_not_gone() {
    let dir = scratch();
    for (level, missing) in [
        (Level::v08(), 512),
        (Level::v09(3), 512),
        (Level::v09(1), 1),
    ] {
        let path = built(&dir, SIZE, &[level]);
        cut(&path, SIZE - missing);
        let left = format!(
            "byte {SUPERBLOCK} is cut off after {} bytes",
            4096 - missing
        );
        let (probe, locate) = (run("probe", &path, &[]), run("locate", &path, &[]));
        status(&probe, 4);
        assert!(probe.stdout.contains(&left), "{probe:?}");
        status(&locate, 1);
        assert!(locate.stdout.contains(&left), "{locate:?}");
        assert!(!locate.stdout.contains("is gone"), "{locate:?}");
        // What the hint says works.
        assert!(
            probe.stderr.contains(&format!("truncate -s {SIZE}")),
            "{probe:?}"
        );
        cut(&path, SIZE);
        status(&run("probe", &path, &[]), 0);
    }
    // Whole blocks that are missing are gone.
    let path = built(&dir, SIZE, &[Level::v08()]);
    cut(&path, SIZE - 4096);
    assert!(run("locate", &path, &[]).stdout.contains("is gone"));
}

#[test]
fn a_repair_mends_what_drbd_looks_at_first() {
    let dir = scratch();
    let path = built(&dir, SIZE, &[Level::v08(), Level::v08()]);
    let inner = json("locate", &path, &[])["levels"][1]["md_offset"]
        .as_u64()
        .unwrap();
    for at in [SUPERBLOCK, inner] {
        patch(&path, at + MAGIC, &[0; 4]);
    }
    status(&run("probe", &path, &[]), 4);
    let repair = run("repair", &path, &["--yes"]);
    status(&repair, 0);
    status(&run("probe", &path, &[]), 0);
}

#[test]
fn metadata_that_was_just_created_over_older_one_is_told_of() {
    let dir = scratch();
    for (old, new) in [
        (Level::v08(), Level::v08().just_created()),
        (Level::v09(3), Level::v09(3).just_created()),
        (Level::v08(), Level::v09(1).just_created()),
    ] {
        let path = built(&dir, SIZE, &[old]);
        // Nobody lives on it who would say where that ends.
        let before = peek(&path, 0, 64 << 20);
        let path = built(&dir, 512 * MIB, &[new]);
        patch(&path, 0, &before);
        let check = json("check", &path, &[]);
        assert!(ids(&check).contains(&"created-over"), "{check}");
        let at = SUPERBLOCK.to_string();
        let locate = run("locate", &path, &[]);
        assert!(locate.stdout.contains(&at), "{locate:?}");
        let plan = run("plan", &path, &[]);
        assert!(plan.stdout.starts_with("First: "), "{plan:?}");
        assert!(!plan.stdout.contains("drbdadm up"), "{plan:?}");
        assert!(plan.stdout.contains(&format!("--at {at}")), "{plan:?}");
        // What it says works.
        status(&run("relocate", &path, &["--at", &at, "--yes"]), 0);
        status(&run("probe", &path, &[]), 0);
        assert!(!ids(&json("check", &path, &[])).contains(&"created-over"));
    }
    // A new disk hides nothing.
    let path = built(&dir, SIZE, &[Level::v09(3).just_created()]);
    let plan = run("plan", &path, &[]);
    assert!(plan.stdout.starts_with("Nothing to do: "), "{plan:?}");
}

/// What is in its place by another rule than the one that was named is not nothing: each command says by which.
#[test]
fn metadata_of_another_index_is_not_nothing() {
    let image = crate::support::kernel_image("v08-pair-a-synced");
    let image = image.to_str().unwrap();
    let with = |command: &str| mdtool([command, image, "--index", "flex-external"]);
    let probe = with("probe");
    assert_eq!(probe.status, 5, "{probe:?}");
    let hint = format!("without that --index it is found: `mdtool locate {image}`");
    assert!(probe.stderr.contains(&hint), "{probe:?}");
    for command in ["locate", "show", "check", "export"] {
        let run = with(command);
        assert_eq!(run.status, 1, "{command}: {run:?}");
        let said = "there is metadata where DRBD looks with --index internal";
        assert!(run.stderr.contains(said), "{command}: {run:?}");
        assert!(!run.stderr.contains("meta device"), "{command}: {run:?}");
    }
}
