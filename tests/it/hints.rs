//! What a command says to do next: whole command lines, which answer something when they are typed.

use std::path::{Path, PathBuf};

use mdtool::builder::{External, Level, Peer, build, build_external};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, ImagePos, NodeId};
use tempfile::TempDir;

use crate::support::{Run, cut, mdtool, patch, scratch};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 64 * MIB;
const SUPERBLOCK: u64 = SIZE - 4096;

fn internal(dir: &TempDir, name: &str, at: u64, level: Level) -> PathBuf {
    let path = dir.path().join(name);
    let _ = std::fs::remove_file(&path);
    let mut image = WritableFile::create_new(&path, Bytes::new(at + SIZE)).unwrap();
    build(&mut image, ImagePos::new(at), Bytes::new(SIZE), &[level]).unwrap();
    path
}

fn external(dir: &TempDir, name: &str, placements: &[External], level: &Level) -> PathBuf {
    let path = dir.path().join(name);
    let _ = std::fs::remove_file(&path);
    let size = Bytes::new(400 * MIB);
    let mut image = WritableFile::create_new(&path, size).unwrap();
    for placement in placements {
        let (start, backing) = (ImagePos::START, Bytes::new(1 << 30));
        build_external(&mut image, start, size, *placement, backing, level).unwrap();
    }
    path
}

fn peer(level: Level) -> Level {
    level.peer(NodeId::new(1), Peer::in_slot(BitmapIndex::new(0)))
}

fn run(words: &[&str], image: &Path, more: &[&str]) -> Run {
    let image = [image.to_str().unwrap()];
    mdtool(words.iter().chain(&image).chain(more))
}

/// What is said to come next, without the words for people behind it.
fn next(run: &Run) -> String {
    let lines = run.stdout.lines().chain(run.stderr.lines());
    let mut line = lines.filter_map(|line| line.strip_prefix("next: "));
    let line = line.next_back().unwrap_or_else(|| panic!("{run:?}"));
    line.split("  (").next().unwrap().to_owned()
}

/// Runs a command as it is written; nothing of it is quoted.
fn typed(command: &str) -> Run {
    mdtool(command.strip_prefix("mdtool ").unwrap().split(' '))
}

/// The commands in backticks of the hints.
fn hinted(run: &Run) -> Vec<String> {
    let hints = run.stderr.lines().filter(|line| line.starts_with("hint: "));
    let quoted = hints.flat_map(|line| line.split('`').skip(1).step_by(2));
    let quoted = quoted.filter(|words| words.starts_with("mdtool "));
    quoted.map(str::to_owned).collect()
}

#[test]
fn check_names_repair_where_it_mends_something_and_nowhere_else() {
    let dir = scratch();
    let v09 = || peer(Level::v09(3));
    let images: [(&str, Level, u64, &[u8], bool); 6] = [
        ("unclean", Level::v08().unclean(), 60, &[], false),
        ("own-slot", v09(), 112 + 20, &[0, 0, 0, 2], false),
        ("node-id", v09(), 92, &[0, 0, 0, 45], false),
        ("erased", v09(), 60, &[0; 4], true),
        ("erased-v08", Level::v08(), 60, &[0; 4], true),
        ("striping", v09(), 96, &[0; 8], true),
    ];
    for (name, level, at, bytes, mends) in images {
        let path = internal(&dir, name, 0, level);
        patch(&path, SUPERBLOCK + at, bytes);
        let check = run(&["check"], &path, &[]);
        let next = next(&check);
        assert_eq!(
            next.starts_with("mdtool repair "),
            mends,
            "{name}: {check:?}"
        );
        let repair = run(&["repair"], &path, &["-n"]);
        assert_eq!(repair.status == 0, mends, "{name}: {repair:?}");
        if mends {
            let typed = typed(&next);
            assert_eq!(typed.status, 0, "{name}: {typed:?}");
        }
    }
}

#[test]
fn after_al_comes_what_this_log_needs() {
    let dir = scratch();
    let clean = internal(&dir, "clean", 0, Level::v08());
    let al = run(&["al"], &clean, &[]);
    assert!(next(&al).starts_with("nothing has to be done"), "{al:?}");

    let moved = internal(&dir, "moved", 0, Level::v08());
    cut(&moved, 80 * MIB);
    let al = run(&["al"], &moved, &[]);
    assert!(next(&al).starts_with("mdtool plan "), "{al:?}");
    assert_eq!(typed(&next(&al)).status, 0);

    let unclean = Level::v08().unclean();
    let slot = external(&dir, "slot", &[External::Indexed(1)], &unclean);
    let al = run(&["al"], &slot, &[]);
    assert!(next(&al).contains(" --index indexed:1 "), "{al:?}");
    let apply = typed(&next(&al));
    assert_eq!(apply.status, 0, "{apply:?}");
}

#[test]
fn files_is_named_where_there_is_data() {
    let dir = scratch();
    let disk = internal(&dir, "disk", 0, peer(Level::v09(3)));
    let show = run(&["bitmap", "show"], &disk, &[]);
    assert!(next(&show).starts_with("mdtool files "), "{show:?}");
    let dump = dir.path().join("dump.md");
    let export = run(&["export"], &disk, &["-o", dump.to_str().unwrap()]);
    assert_eq!(export.status, 0, "{export:?}");
    let meta = external(&dir, "meta", &[External::Flex], &peer(Level::v09(3)));
    for path in [dump, meta] {
        let show = run(&["bitmap", "show"], &path, &[]);
        assert!(next(&show).starts_with("mdtool check "), "{show:?}");
        assert_eq!(typed(&next(&show)).status, 0, "{show:?}");
        let quiet = run(&["bitmap", "show"], &path, &["-q"]);
        assert!(!quiet.stdout.contains("next: "), "{quiet:?}");
    }
}

#[test]
fn hints_name_the_image_and_the_part_of_it() {
    let dir = scratch();
    let path = internal(&dir, "whole", 8 * MIB, Level::v08());
    cut(&path, 100 * MIB);
    let window = ["--offset", "8MiB", "--size", "80MiB"];
    let probe = run(&["probe"], &path, &window);
    assert_eq!(probe.status, 5, "{probe:?}");
    let hinted = hinted(&probe);
    assert_eq!(
        hinted,
        [format!(
            "mdtool plan {} --offset 8388608 --size 83886080",
            path.display()
        )]
    );
    let plan = typed(&hinted[0]);
    assert_eq!(plan.status, 0, "{plan:?}");

    let quoted = internal(&dir, "a disk", 0, peer(Level::v09(3)));
    patch(&quoted, SUPERBLOCK + 92, &[0, 0, 0, 45]);
    let probe = run(&["probe"], &quoted, &[]);
    assert!(probe.stderr.contains("a disk'`"), "{probe:?}");
}

#[test]
fn damaged_fields_are_not_looked_for_elsewhere_in_a_circle() {
    let dir = scratch();
    let fields: [(u64, &[u8]); 3] = [
        (68, &(-16_i32).to_be_bytes()),
        (76, &(-72_i32).to_be_bytes()),
        (92, &[0, 0, 0, 45]),
    ];
    for (at, bytes) in fields {
        let path = internal(&dir, "damaged", 0, peer(Level::v09(3)));
        patch(&path, SUPERBLOCK + at, bytes);
        for words in [&["probe"][..], &["check"]] {
            let run = run(words, &path, &[]);
            let told = format!("{}{}", run.stdout, run.stderr);
            assert!(!told.contains("--scan full"), "{run:?}");
        }
        let locate = run(&["locate"], &path, &["--scan", "full"]);
        assert!(!locate.stderr.contains("--scan full"), "{locate:?}");
        let check = hinted(&locate);
        assert_eq!(check.len(), 1, "{locate:?}");
        let check = typed(&check[0]);
        assert!(check.stdout.contains("\n1 error"), "{check:?}");
    }
}

#[test]
fn a_slot_of_a_meta_device_is_where_drbd_looks_when_it_is_configured() {
    let dir = scratch();
    for (slot, level) in [(1, Level::v08()), (2, peer(Level::v09(1)))] {
        let path = external(&dir, "meta", &[External::Indexed(slot)], &level);
        let locate = run(&["locate"], &path, &[]);
        assert_eq!(locate.status, 0, "{locate:?}");
        assert!(!locate.stdout.contains("no metadata"), "{locate:?}");
        assert!(locate.stdout.contains("with that index"), "{locate:?}");
        let show = run(&["show"], &path, &[]);
        assert!(!show.stdout.contains("does not look"), "{show:?}");
        let plan = run(&["plan"], &path, &[]);
        assert!(plan.stdout.starts_with("Nothing to do: "), "{plan:?}");
        let export = run(&["export"], &path, &[]);
        assert!(export.stderr.is_empty(), "{export:?}");
        let stacked = run(&["locate"], &path, &["--stacked"]);
        assert_eq!(stacked.status, 1, "{stacked:?}");
    }
    let slots = [External::Indexed(0), External::Indexed(1)];
    let both = external(&dir, "both", &slots, &Level::v08());
    let locate = run(&["locate"], &both, &[]);
    let heading = "\nother resources of this meta device:\n  byte 134217728 (v08)";
    assert!(locate.stdout.contains(heading), "{locate:?}");
    assert!(!locate.stdout.contains("does not count"), "{locate:?}");
}

#[test]
fn a_plan_says_that_the_log_is_not_counted_yet() {
    let dir = scratch();
    for (name, level, unclean) in [
        ("unclean", Level::v08().unclean(), true),
        ("clean", Level::v08(), false),
    ] {
        let path = internal(&dir, name, 0, level);
        let plan = run(&["plan"], &path, &[]).stdout;
        let plan = plan.split_whitespace().collect::<Vec<_>>().join(" ");
        let told = plan.contains("what the log names is marked out of sync then");
        assert_eq!(told, unclean, "{plan}");
        assert!(
            plan.contains("0 bytes are marked out of sync here"),
            "{plan}"
        );
    }
}

/// The level is named once, and it is the one that was looked at.
#[test]
fn commands_about_a_stack_name_the_level_that_was_looked_at() {
    let dir = scratch();
    let path = dir.path().join("stack");
    let mut image = WritableFile::create_new(&path, Bytes::new(SIZE)).unwrap();
    let levels = [Level::v08(), Level::v08().unclean()];
    build(&mut image, ImagePos::START, Bytes::new(SIZE), &levels).unwrap();
    drop(image);
    for level in ["inner", "1"] {
        let probed = run(&["probe"], &path, &["--level", level]);
        assert_eq!(probed.status, 3, "{probed:?}");
        let says = format!("mdtool apply-al {} --level 1`", path.display());
        assert!(probed.stderr.contains(&says), "{probed:?}");
    }
    // On its own node the disk grew: what is recommended can be typed.
    cut(&path, SIZE + 16 * MIB);
    let planned = run(&["plan"], &path, &["--json"]);
    let planned: serde_json::Value = serde_json::from_str(&planned.stdout).unwrap();
    let command = planned["recommended_command"].as_str().unwrap();
    let typed = mdtool(command.split(' ').skip(1).chain(["-n"]));
    assert_eq!(typed.status, 0, "{command}: {typed:?}");
}
