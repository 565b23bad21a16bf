//! What `mdtool import` refuses, what it asks for, and `mdtool undo`.

mod fixed_point;
mod occupied;
mod undoing;

use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::support::{Run, mdtool, patch, peek, scratch, sparse};

const MIB: u64 = 1 << 20;

fn run(words: &[&str]) -> Run {
    mdtool(words)
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs the program and insists that it succeeds.
#[track_caller]
pub(crate) fn ok(words: &[&str]) -> Run {
    let run = run(words);
    assert_eq!(run.status, 0, "{words:?}: {run:?}");
    run
}

/// A dump as drbd-utils 9.22 prints it.
pub(crate) fn dumped(image: &Path, index: &str) -> String {
    let words = [
        "export",
        text(image),
        "--index",
        index,
        "--compat",
        "9.22",
        "--force",
    ];
    ok(&words).stdout
}

/// A dump as restore-md of drbd-utils 9.22 takes it.
pub(crate) fn export(image: &Path, index: &str) -> String {
    // v07 has no place to say that its log is applied.
    let clean = |line: &&str| !line.starts_with("This_is_an_unclean");
    let dump = dumped(image, index);
    let mut lines: Vec<&str> = dump.lines().filter(clean).collect();
    lines.push("");
    lines.join("\n")
}

pub(crate) fn save(path: &Path, bytes: &[u8]) {
    sparse(path, 0);
    patch(path, 0, bytes);
}

fn len_of(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

/// The first byte in which two files differ, outside the ranges in `but`, which come in their order.
pub(crate) fn difference(one: &Path, other: &Path, but: &[Range<u64>]) -> Option<u64> {
    let size = len_of(one);
    assert_eq!(size, len_of(other));
    let starts = std::iter::once(0).chain(but.iter().map(|range| range.end));
    let ends = but
        .iter()
        .map(|range| range.start)
        .chain(std::iter::once(size));
    starts.zip(ends).find_map(|(start, end)| {
        (start..end).step_by(1 << 20).find_map(|at| {
            let len = (end - at).min(1 << 20) as usize;
            let (one, other) = (peek(one, at, len), peek(other, at, len));
            let first = one.iter().zip(&other).position(|(a, b)| a != b);
            first.map(|first| at + first as u64)
        })
    })
}

/// The undo file that a run named.
pub(crate) fn undo_file(run: &Run) -> PathBuf {
    let line = run
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("hint: mdtool undo "));
    line.and_then(|line| line.strip_suffix(" puts it back"))
        .unwrap()
        .into()
}

/// A dump of v08 metadata whose device has `la_sect` sectors, the first word of its bitmap set.
fn dump_v08(path: &Path, la_sect: u64, flags: u32) {
    let dump = format!(
        "version \"v08\";\nuuid {{ 0x0000000000000007; 0x0000000000000005; 0x0000000000000003; 0x0000000000000001; flags 0x{flags:08X}; }}\n\
         la-size-sect {la_sect};\nbm-byte-per-bit 4096;\ndevice-uuid 0x0000000000000009;\nla-peer-max-bio-size 0;\nal-stripes 1;\n\
         al-stripe-size-4k 8;\nbm {{ 0x00000000FFFFFFFF; }}\n"
    );
    save(path, dump.as_bytes());
}

/// A dump of v09 metadata of node 2, that has slot 0 for node 5.
fn dump_v09(path: &Path, la_sect: u64) {
    let peers: Vec<String> = (0..32)
        .map(|node| {
            let slot = if node == 5 { 0 } else { -1 };
            let uuid = 0x100 + node;
            format!("peer[{node}] {{ bitmap-index {slot}; bitmap-uuid 0x{uuid:016X}; bitmap-dagtag 0x0000000000000000; flags 0x00000000; }}\n")
        })
        .collect();
    let peers = peers.concat();
    let history = "0x0000000000000000; ".repeat(32);
    let dump = format!(
        "version \"v09\";\nmax-peers 2;\nnode-id 2;\ncurrent-uuid 0x0000000000000007;\nflags 0x00000091;\n{peers}history-uuids {{ {history} }}\n\
         la-size-sect {la_sect};\nbm-byte-per-bit 4096;\ndevice-uuid 0x0000000000000009;\nla-peer-max-bio-size 0;\nal-stripes 1;\n\
         al-stripe-size-4k 8;\nbitmap[0] {{ 0x00000000FFFFFFFF; }}\nbitmap[1] {{ }}\n"
    );
    save(path, dump.as_bytes());
}

/// A disk of 64 MiB and a dump for it, in a directory of their own.
struct Case {
    dir: tempfile::TempDir,
    target: PathBuf,
    dump: PathBuf,
}

impl Case {
    fn new() -> Self {
        let dir = scratch();
        let (target, dump) = (dir.path().join("disk"), dir.path().join("dump.md"));
        sparse(&target, 64 * MIB);
        dump_v08(&dump, 100_000, 0x91);
        Self { dir, target, dump }
    }

    fn import(&self, more: &[&str]) -> Run {
        let words = ["import", text(&self.target), text(&self.dump)];
        mdtool(words.iter().chain(more))
    }

    /// Imports, expects exit 2 and an untouched target, and returns what was said.
    #[track_caller]
    fn refused(&self, more: &[&str], says: &str) {
        let before = self.dir.path().join("before");
        std::fs::copy(&self.target, &before).unwrap();
        let names = self.names();
        let run = self.import(more);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
        assert!(run.stderr.contains(says), "{says:?} in {}", run.stderr);
        assert_eq!(difference(&self.target, &before, &[]), None, "untouched");
        assert_eq!(self.names(), names, "nothing is left behind");
    }

    fn names(&self) -> Vec<std::ffi::OsString> {
        let names = std::fs::read_dir(self.dir.path()).unwrap();
        let mut names: Vec<_> = names.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    }
}

#[test]
fn a_device_larger_than_fits_is_refused_and_clipped_when_asked() {
    let case = Case::new();
    // 64 MiB less 4 KiB of bitmap, 32 KiB of log and the superblock: 130992 sectors.
    dump_v08(&case.dump, 130_993, 0x91);
    case.refused(
        &[],
        "la-size-sect is 130993 sectors, expected at most 130992 sectors",
    );
    let run = case.import(&["--clip"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.stderr
            .contains("la-size-sect is 130993, clipped to the 130992 that fit")
    );
    assert!(export(&case.target, "internal").contains("la-size-sect 130992;"));
}

#[test]
fn an_unclean_or_broken_dump_is_refused_with_its_line() {
    let case = Case::new();
    let unclean =
        "version \"v08\";\n\nThis_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\n";
    save(&case.dump, unclean.as_bytes());
    case.refused(&[], "line 3: the dump is unclean");
    dump_v08(&case.dump, 100_000, 0x91);
    let mut broken = std::fs::read_to_string(&case.dump).unwrap();
    broken.push_str("more\n");
    save(&case.dump, broken.as_bytes());
    // Only the text's end tells, when everything is drafted already.
    case.refused(&[], "dump.md: nothing was changed: line 10");
}

#[test]
fn the_line_of_a_dump_that_does_not_parse_is_shown() {
    let case = Case::new();
    let dump = std::fs::read_to_string(&case.dump).unwrap();
    let said = |dump: &str| {
        save(&case.dump, dump.as_bytes());
        let run = case.import(&[]);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
        run.stderr.replace(text(&case.dump), "dump.md")
    };
    let line = "uuid { 0x0000000000000007; 0x005; 0x0000000000000003; 0x1; }";
    let header = dump.lines().nth(1).unwrap();
    insta::assert_snapshot!(said(&dump.replace(header, line)), @r#"
    mdtool: dump.md: line 2, column 28: found "0x005", expected 0x and 16 hex digits
        uuid { 0x0000000000000007; 0x005; 0x0000000000000003; 0x1; }
                                   ^
    "#);
    // One that only comes to light when all is drafted.
    let bitmap = dump.replace("bm { 0x00000000FFFFFFFF; }", "bm {\r\n  \t3 tims 0x0;\r\n}");
    insta::assert_snapshot!(said(&bitmap), @r#"
    mdtool: dump.md: nothing was changed: line 10, column 6: found "tims", expected "times"
           3 tims 0x0;
             ^
    "#);
    // Nothing to show at the text's end.
    let short = dump.split("bm {").next().unwrap();
    insta::assert_snapshot!(said(short), @r#"mdtool: dump.md: nothing was changed: line 9, column 1: found the end of the text, expected "bm""#);
}

#[test]
fn flags_of_zero_are_taken_with_a_warning_and_replaced_when_asked() {
    let case = Case::new();
    dump_v08(&case.dump, 100_000, 0);
    let run = case.import(&["--dry-run"]);
    assert_eq!(run.status, 0);
    assert!(
        run.stderr.contains("warning") && run.stderr.contains("--flags"),
        "{}",
        run.stderr
    );
    let run = case.import(&["--flags", "0x00000091"]);
    assert!(!run.stderr.contains("flags"), "{}", run.stderr);
    // The dump has one word of its bitmap: what that leaves out is said.
    let short = "the bitmap of slot 0 ends early, after 1 of 196 words";
    assert!(run.stderr.contains(short), "{}", run.stderr);
    assert!(export(&case.target, "internal").contains("flags 0x00000091;"));
}

#[test]
fn what_is_there_is_overwritten_only_when_told_so() {
    let case = Case::new();
    let end = 64 * MIB;
    patch(&case.target, end - 8192, b"x");
    case.refused(
        &[],
        "data from byte 67100672 on would be overwritten, expected --yes",
    );
    let before = case.dir.path().join("kept");
    std::fs::copy(&case.target, &before).unwrap();
    let first = case.import(&["--yes"]);
    assert_eq!(first.status, 0, "{first:?}");
    // Beyond the metadata everything is as it was.
    assert_eq!(
        difference(
            &case.target,
            &before,
            std::slice::from_ref(&(end - 40_960..end))
        ),
        None
    );

    dump_v08(&case.dump, 90_000, 0x91);
    case.refused(
        &[],
        "v08 metadata with its superblock at byte 67104768 would be overwritten",
    );
    let second = case.import(&["--yes"]);
    assert_eq!(second.status, 0, "{second:?}");
    // Two undo files, in their order.
    ok(&["undo", text(&undo_file(&second))]);
    assert!(export(&case.target, "internal").contains("la-size-sect 100000;"));
    ok(&["undo", text(&undo_file(&first))]);
    assert_eq!(difference(&case.target, &before, &[]), None);
    let again = ok(&["undo", text(&undo_file(&first))]);
    assert!(
        again.stderr.contains("as it was before already"),
        "{again:?}"
    );
}

#[test]
fn a_dry_run_shows_the_plan_and_changes_nothing() {
    let case = Case::new();
    patch(&case.target, 64 * MIB - 8192, b"x");
    let before = case.dir.path().join("before");
    std::fs::copy(&case.target, &before).unwrap();
    let names = case.names();
    let run = case.import(&["--dry-run"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert_eq!(difference(&case.target, &before, &[]), None);
    assert_eq!(case.names(), names);
    assert!(run.stderr.contains("--yes"), "{}", run.stderr);
    let plan = run.stdout.replace(text(&case.target), "DISK");
    insta::assert_snapshot!(plan, @r"
    DISK  67108864 bytes: v08 metadata, internal

    what                 from byte           to byte   bytes written  of them differ
    bitmap                67067904          67072000            4096               4
    activity log          67072000          67104768           32768              80
    superblock            67104768          67108864            4096              27

    la-size-sect 100000, of 130992 that fit
    current UUID 0x0000000000000007
    flags 0x00000091, clean
    ");
}

#[test]
fn nodes_are_exchanged_and_a_larger_disk_is_noted() {
    let case = Case::new();
    dump_v09(&case.dump, 100_000);
    let run = case.import(&["--dry-run"]);
    assert!(
        run.stderr.contains("node id 2 is kept")
            && run.stderr.contains("hint: on another node, --node-id N"),
        "{run:?}"
    );
    case.refused(&["--node-id", "32"], "--node-id");
    let run = case.import(&["--node-id", "5"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.stderr.contains("node 2 becomes node 5") && !run.stderr.contains("is kept"),
        "{}",
        run.stderr
    );
    let dump = export(&case.target, "internal");
    assert!(dump.contains("node-id 5;"));
    let entry = |node: u32| {
        let start = dump.find(&format!("peer[{node}] {{")).unwrap();
        dump[start..]
            .split('}')
            .next()
            .unwrap()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    // What tracked the target tracks the source, which had a disk.
    assert!(
        entry(2).contains("bitmap-index 0; bitmap-uuid 0x0000000000000105;"),
        "{}",
        entry(2)
    );
    assert!(entry(2).contains("flags 0x00000010;"), "{}", entry(2));
    assert!(
        entry(5).contains("bitmap-index -1; bitmap-uuid 0x0000000000000102;"),
        "{}",
        entry(5)
    );
    assert!(entry(5).contains("flags 0x00000000;"));
    // A disk that has just what the device needs says nothing of the sort.
    let case = Case::new();
    dump_v09(&case.dump, 130_992);
    let run = case.import(&["--node-id", "5"]);
    assert!(!run.stderr.contains("DEVICE_SEEN"), "{run:?}");
    let none = case.dir.path();
    dump_v08(&case.dump, 100_000, 0x91);
    assert!(none.exists());
    case.refused(&["--node-id", "5"], "metadata is v08, expected v09");
}

#[test]
fn what_somebody_else_writes_to_is_left_alone() {
    let case = Case::new();
    let held = mdtool::image::WritableFile::open(&case.target).unwrap();
    case.refused(&[], "cannot lock");
    drop(held);
    assert_eq!(case.import(&[]).status, 0);
}

#[test]
fn arguments_the_wrong_way_round_are_recognised() {
    let case = Case::new();
    let dump = case.dir.path().join("exported.md");
    let exported = {
        assert_eq!(case.import(&[]).status, 0);
        export(&case.target, "internal")
    };
    save(&dump, exported.as_bytes());
    let run = run(&["import", text(&dump), text(&dump)]);
    assert_eq!(run.status, 2);
    assert!(
        run.stderr
            .contains("is a DRBD metadata dump, expected a raw image"),
        "{run:?}"
    );
}
