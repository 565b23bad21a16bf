//! Metadata that DRBD does not see any more: every looking command says the same of it.

use std::path::{Path, PathBuf};

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Drbdmeta, Run, mdtool, patch, peek, require_tool, scratch, sparse};

const MIB: u64 = 1 << 20;

fn built(dir: &TempDir, name: &str, size: u64, levels: &[Level]) -> PathBuf {
    let path = dir.path().join(name);
    let mut image = WritableFile::create_new(&path, Bytes::new(size)).unwrap();
    build(&mut image, ImagePos::START, Bytes::new(size), levels).unwrap();
    path
}

fn run(command: &str, image: &Path, more: &[&str]) -> Run {
    let args = [command, image.to_str().unwrap()];
    mdtool(args.iter().chain(more))
}

/// Every looking command's run on an image, after `probe` answered with `status`.
#[track_caller]
fn assert_agreed(image: &Path, more: &[&str], status: i32, says: &str) {
    let probe = run("probe", image, more);
    assert_eq!(probe.status, status, "{probe:?}");
    assert!(probe.stdout.contains(says), "{says:?} in {probe:?}");
    for command in ["locate", "show", "check", "al", "export", "plan"] {
        let run = run(command, image, more);
        assert_eq!(run.status, 1, "{command} {run:?}");
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains(says), "{command}: {says:?} in {run:?}");
        assert!(said.contains("hint: "), "{command}: {run:?}");
        assert!(
            !said.contains("no DRBD metadata where"),
            "{command}: {run:?}"
        );
    }
}

/// The last four bytes of the magic's word, by what it was.
fn mark(kind: u8, magic: &[u8]) -> [u8; 4] {
    [b'm', b'd', kind, magic[3]]
}

#[test]
fn an_erased_magic_is_said_by_every_command_and_comes_back_by_export_and_import() {
    let dir = scratch();
    for (name, level, magic) in [
        ("v08.raw", Level::v08(), "83 74 02 6b"),
        ("v09.raw", Level::v09(3), "83 74 02 6d"),
        ("v09-one.raw", Level::v09(1), "83 74 02 6d"),
    ] {
        let path = built(&dir, name, 64 * MIB, &[level]);
        let superblock = 64 * MIB - 4096;
        let whole = peek(&path, superblock, 4096);
        patch(&path, superblock + 60, &[0; 4]);
        assert_agreed(&path, &[], 4, "only its magic was erased");
        let format = name.get(..3).unwrap();
        let located = run("locate", &path, &[]);
        let says = format!("bytes {magic} belong at byte {}", superblock + 60);
        assert!(located.stdout.contains(&says), "{located:?}");
        assert!(
            located.stdout.contains(&format!("({format})")),
            "{located:?}"
        );
        let found: Value = serde_json::from_str(&run("locate", &path, &["--json"]).stdout).unwrap();
        assert_eq!(found["traces"][0]["kind"], "erased");
        assert_eq!(found["traces"][0]["format"], format);

        let at = superblock.to_string();
        let show = run("show", &path, &["--at", &at]);
        assert_eq!(show.status, 0, "{show:?}");
        let probe = run("probe", &path, &["--at", &at]);
        assert_eq!(probe.status, 4, "{probe:?}");
        let dump = dir.path().join("metadata.md");
        let words = ["--at", &at, "-o", dump.to_str().unwrap()];
        let export = run("export", &path, &words);
        assert_eq!(export.status, 0, "{export:?}");
        let import = run("import", &path, &[dump.to_str().unwrap(), "--yes"]);
        assert_eq!(import.status, 0, "{import:?}");
        assert_eq!(run("probe", &path, &[]).status, 0);
        // The log's table has the size that restore-md gives it.
        assert_eq!(peek(&path, superblock, 72), whole[..72], "{name}");
        std::fs::remove_file(dump).unwrap();
    }
}

#[test]
fn wipefs_and_mkswap_erase_the_magic_and_nothing_else() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    if !require_tool("wipefs") {
        return;
    }
    let dir = scratch();
    let path = dir.path().join("wiped.raw");
    for (format, words) in [
        ("v08", &["create-md", "--force"][..]),
        ("v09", &["create-md", "3", "--force"]),
    ] {
        sparse(&path, 64 * MIB);
        drbdmeta.ok(format, &path, "internal", words);
        let status = std::process::Command::new("wipefs")
            .args(["-q", "-a", "-t", "drbd"])
            .arg(&path)
            .status()
            .unwrap();
        assert!(status.success());
        assert_agreed(&path, &[], 4, "only its magic was erased");
    }
}

#[test]
fn an_inner_superblock_without_its_magic_is_found_inside_the_outer_one() {
    let dir = scratch();
    let path = built(&dir, "stack.raw", 64 * MIB, &[Level::v08(), Level::v09(3)]);
    let found: Value = serde_json::from_str(&run("locate", &path, &["--json"]).stdout).unwrap();
    let inner = found["levels"][1]["md_offset"].as_u64().unwrap();
    patch(&path, inner + 60, &[0; 4]);
    let probe = run("probe", &path, &["--level", "inner"]);
    assert_eq!(probe.status, 4, "{probe:?}");
    let locate = run("locate", &path, &[]);
    assert_eq!(locate.status, 0, "{locate:?}");
    assert!(
        locate.stdout.contains("only its magic was erased"),
        "{locate:?}"
    );
    // Where the outer one is gone as well, a search finds it all the same.
    patch(&path, 64 * MIB - 4096, &[0; 4096]);
    let locate = run("locate", &path, &[]);
    assert!(
        locate.stdout.contains("only its magic was erased"),
        "{locate:?}"
    );
    assert_eq!(run("probe", &path, &[]).status, 4);
}

#[test]
fn an_interrupted_change_is_status_4_everywhere_and_names_its_undo_file() {
    let dir = scratch();
    let superblock = 64 * MIB - 4096;
    for (name, level, grown) in [
        ("v08.raw", Level::v08(), 0),
        ("v08-unclean.raw", Level::v08().unclean(), 0),
        ("v09.raw", Level::v09(3), 0),
        ("grown.raw", Level::v09(3), 5 * MIB),
    ] {
        let path = built(&dir, name, 64 * MIB, &[level]);
        let magic = peek(&path, superblock + 60, 4);
        patch(&path, superblock + 60, &mark(b'U', &magic));
        crate::support::cut(&path, 64 * MIB + grown);
        assert_agreed(&path, &[], 4, "a change by mdtool was interrupted");
        // What only has the name of an undo file is not named.
        sparse(
            &dir.path().join(format!("{name}.mdtool-undo-1790000000")),
            1,
        );
        let probe = run("probe", &path, &[]);
        assert!(probe.stderr.contains("`mdtool undo FILE`"), "{probe:?}");
    }
}

/// The file of the change that was cut off, not that of another one, however new.
#[test]
fn the_undo_file_that_is_named_is_that_of_the_interrupted_change() {
    let dir = scratch();
    let superblock = 64 * MIB - 4096;
    let path = built(&dir, "disk.raw", 64 * MIB, &[Level::v08()]);
    let first = dir.path().join("disk.raw.mdtool-undo-1790000000");
    let later = dir.path().join("disk.raw.mdtool-undo-1790000001");
    let edit = |flag: &str, undo: &Path| {
        let edited = run(
            "edit",
            &path,
            &["--flag", flag, "--yes", "--undo", undo.to_str().unwrap()],
        );
        assert_eq!(edited.status, 0, "{edited:?}");
    };
    edit("+FULL_SYNC", &first);
    let between = peek(&path, superblock, 4096);
    edit("+CRASHED_PRIMARY", &later);
    // The second one, cut off when the superblock had lost its magic.
    patch(&path, superblock, &between);
    let magic = peek(&path, superblock + 60, 4);
    patch(&path, superblock + 60, &mark(b'U', &magic));
    let named = |undo: &Path| {
        let probe = run("probe", &path, &[]);
        assert!(
            probe
                .stderr
                .contains(&format!("mdtool undo {}", undo.display())),
            "{probe:?}"
        );
    };
    named(&later);
    // With a bitmap that neither knows, neither is named, and neither is taken unless forced.
    patch(&path, superblock - 32768 - 4096, &[1]);
    let probe = run("probe", &path, &[]);
    assert!(probe.stderr.contains("`mdtool undo FILE`"), "{probe:?}");
    let undo = run("undo", &later, &["--yes"]);
    assert_eq!(undo.status, 2, "{undo:?}");
    assert!(undo.stderr.contains("was written to since"), "{undo:?}");
    assert_eq!(run("undo", &later, &["--yes", "--force"]).status, 0);
    assert_eq!(peek(&path, superblock, 4096), between);
}

#[test]
fn a_retired_superblock_is_moved_and_never_damaged_or_none() {
    let dir = scratch();
    let superblock = 64 * MIB - 4096;
    for (name, level, grown) in [
        ("v08.raw", Level::v08(), 0),
        ("v09.raw", Level::v09(3), 0),
        ("grown.raw", Level::v09(3), 5 * MIB),
    ] {
        let path = built(&dir, name, 64 * MIB, &[level]);
        let magic = peek(&path, superblock + 60, 4);
        patch(&path, superblock + 60, &mark(b'R', &magic));
        crate::support::cut(&path, 64 * MIB + grown);
        assert_agreed(&path, &[], 5, "retired by mdtool");
    }
}

/// The disk that was adopted is in order: what adopting retired inside it is no warning, and sends nobody to another disk.
#[test]
fn what_was_retired_on_the_disk_in_use_is_a_note() {
    let dir = scratch();
    let path = built(&dir, "stack.raw", 64 * MIB, &[Level::v08(), Level::v08()]);
    let undo = dir.path().join("undo");
    let adopted = run(
        "adopt",
        &path,
        &["--stacked", "--yes", "--undo", undo.to_str().unwrap()],
    );
    assert_eq!(adopted.status, 0, "{adopted:?}");
    let checked = run("check", &path, &["--json"]);
    let told: Value = serde_json::from_str(&checked.stdout).unwrap();
    let text = told.to_string();
    assert!(
        text.contains("\"retired-copy\"") && !text.contains("\"retired\""),
        "{text}"
    );
    assert_eq!(checked.status, 0, "{text}");
}

#[test]
fn what_lacks_its_magic_is_not_changed() {
    let dir = scratch();
    let superblock = 64 * MIB - 4096;
    for word in [*b"\0\0\0\0", *b"mdU\x6D", *b"mdR\x6D"] {
        let path = built(&dir, "v09.raw", 64 * MIB, &[Level::v09(3)]);
        patch(&path, superblock + 60, &word);
        let at = superblock.to_string();
        for words in [
            &["adopt", "--node-id", "1"][..],
            &[
                "adopt",
                "--node-id",
                "1",
                "--strategy",
                "external",
                "--meta",
                "/nowhere",
            ],
            &["apply-al"],
        ] {
            let run = run(
                words[0],
                &path,
                &[&words[1..], &["--at", &at, "--yes"]].concat(),
            );
            assert_ne!(run.status, 0, "{words:?} {run:?}");
        }
        assert_eq!(peek(&path, superblock + 60, 4), word);
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_log_without_its_superblock_is_damaged_in_every_command() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let path = dir.path().join("wiped.raw");
    sparse(&path, 64 * MIB);
    drbdmeta.ok("v09", &path, "internal", &["create-md", "1", "--force"]);
    drbdmeta.ok("v09", &path, "internal", &["wipe-md"]);
    assert_agreed(&path, &[], 4, "is gone, its activity log is there");
}
