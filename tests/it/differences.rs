//! docs/differences.md from the page's side: each row is run, here or in the test that is named beside it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};

use crate::support::{Drbdmeta, Run, lengthen, mdtool, patch, peek, scratch, sparse};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// The rows that are run by tests of one command, each with its test. Those that a test allows by name are added to these.
const ROWS: &[(&str, &str)] = &[
    (
        "meta device that ends within a page, la-size too large",
        "differences::a_meta_device_that_ends_within_a_page",
    ),
    (
        "first transaction of all is torn",
        "activity_log::mistakes::drbdmeta_stops_at_an_interrupted_first_transaction_beyond_block_0",
    ),
    (
        "transaction numbers across 2^31, or across 2^32 where the ring is no power of two",
        "activity_log::mistakes::drbdmeta_misses_extents_where_numbers_start_over",
    ),
    (
        "an old kernel (8.3) wrote its 512-byte log over an initialised one",
        "activity_log::mistakes::drbdmeta_drops_what_an_old_kernel_wrote_over_an_initialised_log",
    ),
    (
        "last extent ends with the bitmap",
        "apply_al::the_last_extent_is_never_left_out",
    ),
    ("bitmaps above 32 MiB", "differences::a_bitmap_above_32_mib"),
    (
        "verify-dump of bitmaps above 32 MiB",
        "differences::a_bitmap_above_32_mib",
    ),
    (
        "the activity log",
        "differences::the_activity_log_of_a_restored_resource",
    ),
    ("v08 flags", "differences::the_flags_of_v08"),
    (
        "metadata of a disk that grew",
        "differences::the_bitmap_of_a_disk_that_grew",
    ),
    ("v08 made v09", "differences::v08_made_v09"),
];

/// Rows of versions of drbd-utils that are not here: read in their sources, and in drbd-facts.
const NOT_RUN: &[&str] = &[
    "bitmaps above 4 GiB",
    "granularity other than 4096 for internal metadata",
    "a peer that is forgotten",
];

#[test]
fn every_row_is_run_or_says_that_it_is_not() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/differences.md");
    let page = std::fs::read_to_string(path).unwrap();
    let rows: BTreeSet<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .map(|(name, _)| name)
        .filter(|name| *name != "what")
        .collect();
    assert!(rows.len() > 20, "{rows:?}");
    let by_name = crate::one_field_off::difference_names()
        .chain(crate::dump_parse::difference_names())
        .chain(crate::one_number_off::difference_names());
    let here = ROWS.iter().map(|(name, _)| *name);
    let known: BTreeSet<&str> = by_name.chain(here).chain(NOT_RUN.iter().copied()).collect();
    let left: Vec<_> = rows.symmetric_difference(&known).collect();
    assert!(
        left.is_empty(),
        "rows without a test, or tests without a row: {left:?}"
    );
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn built(path: PathBuf, size: u64, level: Level) -> PathBuf {
    let mut image = WritableFile::create_new(&path, Bytes::new(size)).unwrap();
    build(&mut image, ImagePos::START, Bytes::new(size), &[level]).unwrap();
    path
}

#[track_caller]
fn ok(words: &[&str]) -> Run {
    let run = mdtool(words);
    assert_eq!(run.status, 0, "{words:?}: {run:?}");
    run
}

/// What is out of sync, as `START LENGTH` lines.
fn ranges(image: &Path) -> String {
    ok(&["bitmap", "show", text(image), "--ranges"]).stdout
}

#[test]
fn a_bitmap_above_32_mib() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let size = 2 << 40;
    let source = built(dir.path().join("source"), size, Level::v08());
    ok(&["bitmap", "clear", text(&source), "--all", "--yes"]);
    let marked = "1649267441664 4096\n";
    ok(&[
        "bitmap",
        "set",
        text(&source),
        "1649267441664+4096",
        "--yes",
    ]);
    assert_eq!(ranges(&source), marked);
    let dump = dir.path().join("dump.md");
    ok(&["export", text(&source), "-o", text(&dump)]);
    let verified = drbdmeta.run("v08", &source, "internal", &["verify-dump", text(&dump)]);
    assert_ne!(verified.status, 0, "{verified:?}");

    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    sparse(&ours, size);
    sparse(&theirs, size);
    ok(&["import", text(&ours), text(&dump), "--yes"]);
    assert_eq!(ranges(&ours), marked);
    drbdmeta.ok("v08", &theirs, "internal", &["restore-md", text(&dump)]);
    assert_eq!(ranges(&theirs), "", "drbdmeta reports success");
}

#[test]
fn the_activity_log_of_a_restored_resource() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let source = built(dir.path().join("source"), 64 * MIB, Level::v09(1));
    let dump = dir.path().join("dump.md");
    ok(&[
        "export",
        text(&source),
        "-o",
        text(&dump),
        "--compat",
        "9.22",
    ]);
    let log = 64 * MIB - 4096 - 32_768;
    let log_of = |name: &str| {
        let target = dir.path().join(name);
        sparse(&target, 64 * MIB);
        patch(&target, log, &vec![0xEE; 32_768]);
        target
    };
    let theirs = log_of("theirs");
    drbdmeta.ok("v09", &theirs, "internal", &["restore-md", text(&dump)]);
    assert_eq!(peek(&theirs, log, 32_768), vec![0xEE; 32_768]);
    let ours = log_of("ours");
    ok(&["import", text(&ours), text(&dump), "--yes"]);
    assert_eq!(peek(&ours, log, 4), [0x69, 0xCB, 0x65, 0xA2]);
}

#[test]
fn the_flags_of_v08() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = built(dir.path().join("image"), 64 * MIB, Level::v08().flags(0x93));
    let flags = |dump: &str| {
        let line = dump
            .lines()
            .find(|line| line.trim_start().starts_with("flags "));
        line.unwrap_or_else(|| panic!("{dump}")).trim().to_owned()
    };
    let theirs = drbdmeta.ok("v08", &image, "internal", &["dump-md"]);
    assert_eq!(flags(&theirs), "flags 0x00000000;");
    let ours = ok(&["export", text(&image)]).stdout;
    assert_eq!(flags(&ours), "flags 0x00000093;");
}

#[test]
fn the_bitmap_of_a_disk_that_grew() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let grown = |name: &str| {
        let image = dir.path().join(name);
        sparse(&image, 128 * MIB);
        // drbdmeta notes the disk's size, by which its check-resize finds the metadata.
        drbdmeta.ok("v08", &image, "internal", &["create-md"]);
        let words = [
            "--la-size",
            "100MiB",
            "--current-uuid",
            "0xA0A0A0A0A0A0A0A0",
            "--yes",
        ];
        ok(&[&["edit", text(&image)], &words[..]].concat());
        ok(&["bitmap", "clear", text(&image), "--all", "--yes"]);
        ok(&["bitmap", "set", text(&image), "4096+8192", "--yes"]);
        assert_eq!(ranges(&image), "4096 8192\n");
        lengthen(&image, &[0; 4096]);
        crate::support::cut(&image, GIB);
        image
    };
    let theirs = grown("theirs");
    drbdmeta.ok("v08", &theirs, "internal", &["check-resize"]);
    assert_eq!(
        ranges(&theirs),
        "",
        "what was out of sync is lost, and drbdmeta reports success"
    );
    let ours = grown("ours");
    ok(&["relocate", text(&ours), "--yes"]);
    assert_eq!(ranges(&ours), "4096 8192\n");
}

#[test]
fn v08_made_v09() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let source = |name: &str| {
        let image = dir.path().join(name);
        sparse(&image, 128 * MIB);
        drbdmeta.ok("v08", &image, "internal", &["create-md"]);
        let words = [
            "--la-size",
            "100MiB",
            "--current-uuid",
            "0xA0A0A0A0A0A0A0A0",
            "--yes",
        ];
        ok(&[
            &["edit", text(&image), "--bitmap-uuid", "0xB0B0B0B0B0B0B0B0"],
            &words[..],
        ]
        .concat());
        image
    };
    let theirs = source("theirs");
    drbdmeta.ok("v09", &theirs, "internal", &["create-md", "3"]);
    let dump = ok(&["export", text(&theirs)]).stdout;
    assert!(dump.contains("max-peers 1;"), "{dump}");
    assert!(!dump.contains("0xB0B0B0B0B0B0B0B0"), "{dump}");
    let ours = source("ours");
    let words = [
        "--format",
        "v09",
        "--node-id",
        "0",
        "--peer",
        "1",
        "--max-peers",
        "3",
        "--yes",
    ];
    ok(&[&["edit", text(&ours)], &words[..]].concat());
    let dump = ok(&["export", text(&ours)]).stdout;
    assert!(dump.contains("max-peers 3;"), "{dump}");
    assert!(dump.contains("0xB0B0B0B0B0B0B0B0"), "{dump}");
}

#[test]
fn a_meta_device_that_ends_within_a_page() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    for (format, slots) in [("v08", None), ("v09", Some("3"))] {
        let meta = dir.path().join(format);
        sparse(&meta, 2 * MIB + 1024);
        let create: Vec<&str> = ["create-md"].into_iter().chain(slots).collect();
        drbdmeta.ok(format, &meta, "flex-external", &create);
        patch(&meta, 0, &(1_u64 << 31).to_be_bytes());
        let theirs = drbdmeta.run(format, &meta, "flex-external", &["dump-md"]);
        assert_ne!(theirs.status, 0, "{theirs:?}");
        assert!(theirs.stderr.contains("expected to read"), "{theirs:?}");
        let ours = ok(&["export", text(&meta), "--index", "flex-external"]);
        assert!(ours.stdout.contains("la-size-sect 2147483648;"), "{ours:?}");
    }
}
