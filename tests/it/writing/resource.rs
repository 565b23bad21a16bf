//! Which resource is written to: what a search found is no more than that, and what stands damaged in its place is not skipped.

use mdtool::builder::Level;

use super::{Disk, INNER, MIB, OUTER, SIZE, ok, some_bits, text};
use crate::apply_al::{PRIMARY, one_extent};
use crate::support::{mdtool, patch, peek};

/// The byte that was damaged in the field: `bm_offset` of v08.
const BM_OFFSET: u64 = 0x4F;

/// A resource that an older, smaller one lies in the data of.
fn with_a_stale_copy() -> Disk {
    let unclean = |uuid| {
        let level = Level::v08().current_uuid(uuid).unclean().flags(PRIMARY);
        level.al_nr_extents(67).activity_log(one_extent(1).area())
    };
    let disk = Disk::of(&[unclean(OUTER)]);
    let stale = Disk::of_size(8 * MIB, &[unclean(INNER)]);
    patch(&disk.path, 0, &peek(&stale.path, 0, 8 << 20));
    disk
}

#[test]
fn a_damaged_superblock_is_not_passed_over_for_a_stale_one() {
    let disk = with_a_stale_copy();
    // The premise: whole, it is taken itself.
    let dry = ok(&["apply-al", disk.name(), "--dry-run"]);
    assert!(dry.stderr.contains(&format!("0x{OUTER:016X}")), "{dry:?}");
    patch(&disk.path, disk.end() + BM_OFFSET, &[7]);
    for command in [
        &["apply-al", disk.name(), "--yes"][..],
        &["apply-al", disk.name(), "--yes", "--force"],
        &["adopt", disk.name(), "--apply-al", "--yes"],
        &["export", disk.name(), "--apply-al"],
    ] {
        let run = disk.refuses(command, "where DRBD looks, is damaged");
        assert!(run.stderr.contains("--level 0"), "{run:?}");
    }
    // Named, it is written to.
    let at = (8 * MIB - 4096).to_string();
    ok(&["apply-al", disk.name(), "--yes", "--at", &at]);
}

#[test]
fn what_a_search_found_is_not_written_to_unasked() {
    let level = Level::v08().current_uuid(INNER).unclean().flags(PRIMARY);
    let level = level.al_nr_extents(67).activity_log(one_extent(2).area());
    for named in [["--level", "0"], ["--at", "16773120"]] {
        let disk = Disk::grown(level.clone());
        let run = disk.refuses(&["apply-al", disk.name(), "--yes"], "was found by a search");
        assert!(run.stderr.contains("--level 0 or --at 16773120"), "{run:?}");
        let words = [&["apply-al", disk.name(), "--yes"][..], &named].concat();
        ok(&words);
    }
    // What stands in its place needs no name.
    let disk = Disk::of(&[level]);
    ok(&["apply-al", disk.name(), "--yes"]);
}

#[test]
fn an_inner_resource_is_not_taken_for_the_damaged_outer_one() {
    let disk = Disk::stack();
    let outer = ok(&["export", disk.name()]).stdout;
    assert!(outer.contains(&format!("0x{OUTER:016X}")), "{outer}");
    // One byte each: an offset, the size, the granularity, and then the stripes of its log.
    for (at, byte) in [(BM_OFFSET, 7), (0x43, 9), (0x53, 1), (0x5B, 5)] {
        let good = disk.bytes();
        patch(&disk.path, disk.end() + at, &[byte]);
        for command in [
            &["export", disk.name()][..],
            &["adopt", disk.name(), "--yes"],
            &["apply-al", disk.name(), "--yes"],
        ] {
            let run = disk.refuses(command, "where DRBD looks, is damaged");
            assert!(run.stderr.contains("--level"), "{at}: {run:?}");
            assert!(run.stderr.contains("--stacked"), "{at}: {run:?}");
        }
        let inner = ok(&["export", disk.name(), "--stacked"]).stdout;
        assert!(inner.contains(&format!("0x{INNER:016X}")), "{at}: {inner}");
        ok(&["adopt", disk.name(), "--stacked", "--yes"]);
        assert_eq!(disk.current_uuid(), INNER, "{at}");
        patch(&disk.path, 0, &good);
    }
}

#[test]
fn a_damaged_inner_superblock_is_not_passed_over_for_a_stale_one() {
    let outer = || Level::v08().device_uuid(0xAAAA).current_uuid(OUTER);
    let inner = || some_bits(Level::v08().device_uuid(0xBBBB).current_uuid(INNER));
    let disk = Disk::of(&[outer(), inner()]);
    let stale = Level::v08().device_uuid(0xDDDD).current_uuid(0xD0D0);
    let stale = Disk::of_size(8 * MIB, &[stale.history_uuids(&[])]);
    patch(&disk.path, 0, &peek(&stale.path, 0, 8 << 20));
    ok(&["adopt", disk.name(), "--stacked", "--yes", "--dry-run"]);
    // The outer metadata of 16 MiB begins 40960 bytes before its end, and there the inner one's ends.
    let inner_md = SIZE - 40_960 - 4096;
    assert_eq!(peek(&disk.path, inner_md + 8, 8), INNER.to_be_bytes());
    patch(&disk.path, inner_md + BM_OFFSET, &[7]);
    for command in [
        &["adopt", disk.name(), "--stacked", "--yes"][..],
        &["adopt", disk.name(), "--level", "inner", "--yes"],
        &["export", disk.name(), "--stacked"],
    ] {
        disk.refuses(command, "where DRBD looks, is damaged");
    }
    let run = mdtool(["adopt", disk.name(), "--level", "1", "--yes"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(disk.current_uuid(), 0xD0D0);
}

/// A stack of three, on each of which something is out of sync.
fn of_three() -> Disk {
    let level = |uuid| some_bits(Level::v08().current_uuid(uuid));
    Disk::of(&[level(OUTER), level(MIDDLE), level(INNER)])
}

const MIDDLE: u64 = 0x3333_4444_5555_6666;

#[test]
fn a_command_that_is_given_again_takes_no_other_resource() {
    for words in [
        "adopt DISK --level 1 --yes",
        "adopt DISK --level 1 --yes --undo UNDO",
        "adopt DISK --level 1 --strategy truncate --yes",
        "adopt DISK --level 1 --strategy external --meta META --yes",
        "relocate DISK --level 1 --meta META --yes",
        "relocate DISK --level 1 --meta META --yes --undo UNDO",
        "relocate DISK --level 0 --meta META --yes",
        "relocate DISK --level 0 --meta META --yes --undo UNDO",
        "relocate DISK --level inner --meta META --yes",
        "relocate DISK --level inner --meta META --yes --undo UNDO",
        "relocate DISK --level outer --meta META --yes",
        "adopt DISK --level inner --strategy truncate --yes",
        "adopt DISK --level outer --strategy external --meta META --yes",
        "wipe DISK --level inner --yes",
        "wipe DISK --level outer --yes",
        "wipe DISK --level 1 --yes",
    ] {
        let disk = of_three();
        let meta = disk.path.with_file_name("meta");
        let undo = disk.path.with_file_name("undo");
        let name = |word: &str| match word {
            "DISK" => disk.name().to_owned(),
            "META" => meta.to_str().unwrap().to_owned(),
            "UNDO" => undo.to_str().unwrap().to_owned(),
            other => other.to_owned(),
        };
        let mut given: Vec<String> = words.split_whitespace().map(name).collect();
        let given_before: Vec<&str> = given.iter().map(String::as_str).collect();
        ok(&given_before);
        let state = || (disk.bytes(), meta.exists().then(|| peek(&meta, 0, 1 << 20)));
        let left = state();
        if undo.exists() {
            let last = given.last_mut().unwrap();
            last.push_str("-2");
        }
        let run = mdtool(&given);
        assert_ne!(run.status, 0, "{words}: {run:?}");
        assert!(state() == left, "{words}: {run:?}");
    }
}

#[test]
fn what_was_done_already_is_told_and_what_lies_inside_can_still_be_named() {
    let disk = of_three();
    ok(&["adopt", disk.name(), "--level", "1", "--yes"]);
    let run = mdtool(["adopt", disk.name(), "--level", "1", "--yes"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stderr.contains("was done already"), "{run:?}");
    assert!(run.stderr.contains("mdtool undo "), "{run:?}");
    let at = run
        .stderr
        .split("--at ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    ok(&["adopt", disk.name(), "--at", at, "--dry-run"]);
    ok(&["adopt", disk.name(), "--level", "inner", "--yes"]);
}

#[test]
fn the_inner_one_is_not_wiped_twice() {
    let disk = Disk::stack();
    let undo = disk.file("undo");
    let words = ["wipe", disk.name(), "--level", "inner", "--yes"];
    ok(&[&words[..], &["--undo", text(&undo)]].concat());
    let wiped = disk.bytes();
    let again = mdtool(words);
    assert_eq!(again.status, 1, "{again:?}");
    assert!(again.stderr.contains("no stack here"), "{again:?}");
    assert!(disk.bytes() == wiped, "it took the outer one");
}
