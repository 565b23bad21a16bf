//! What came after a change, or cut it off: no command takes that for what was there.

use std::process::{Command, Stdio};

use mdtool::builder::Level;

use super::{Disk, OUTER, ok, some_bits, text};
use crate::adopt::MIB;
use crate::import::save;
use crate::support::{Run, cut, lengthen, mdtool, patch, peek, require_tool};

/// A command under strace, to one of whose calls something happens.
pub(super) fn under(words: &[&str], injected: &str) -> Option<Run> {
    if !require_tool("strace") {
        return None;
    }
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", injected])
        .arg(env!("CARGO_BIN_EXE_mdtool"))
        .args(words)
        .stdin(Stdio::null())
        .output();
    Some(output.unwrap().into())
}

fn single() -> Level {
    some_bits(Level::v08().current_uuid(OUTER))
}

#[test]
fn what_was_wiped_is_not_looked_for_elsewhere_under_its_name() {
    for level in ["outer", "0"] {
        let disk = Disk::stack();
        let undo = disk.file("undo");
        let words = ["wipe", disk.name(), "--level", level, "--yes"];
        ok(&[&words[..], &["--undo", text(&undo)]].concat());
        let wiped = disk.bytes();
        let again = mdtool(words);
        assert_eq!(again.status, 1, "{again:?}");
        assert!(again.stderr.contains("--level inner"), "{again:?}");
        assert!(disk.bytes() == wiped, "--level {level} took the inner one");
    }
}

/// Of what a change leaves alone the undo file has no more than checksums.
#[test]
fn no_old_superblock_comes_back_beside_a_bitmap_that_is_newer() {
    let disk = Disk::of(&[single()]);
    let whole = disk.bytes();
    let end = disk.end();
    let bitmap = end - 32768 - 4096;
    let grown = || {
        patch(&disk.path, 0, &whole);
        cut(&disk.path, 17 * MIB);
    };
    let edit = ["edit", disk.name(), "--flag", "+FULL_SYNC"];
    let cut_off = ["adopt", disk.name(), "--strategy", "truncate"];
    for words in [&edit[..], &cut_off] {
        patch(&disk.path, 0, &whole);
        if words == cut_off {
            grown();
        }
        let before = peek(&disk.path, end, 4096);
        let undo = disk.file("undo");
        ok(&[words, &["--yes", "--undo", text(&undo)]].concat());
        // A resync that came to its end: another generation, and nothing out of sync.
        assert_ne!(peek(&disk.path, bitmap, 4096), [0; 4096], "the premise");
        patch(&disk.path, bitmap, &[0; 4096]);
        patch(&disk.path, end + 8, &[0xCC; 8]);
        let now = disk.bytes();
        let words = ["undo", text(&undo), "--yes"];
        let run = mdtool(words);
        assert_eq!(run.status, 2, "{run:?}");
        assert!(run.stderr.contains("does not belong to it"), "{run:?}");
        assert!(disk.bytes() == now, "something was written");
        ok(&[&words[..], &["--force"]].concat());
        assert_eq!(peek(&disk.path, end, 4096), before);
        std::fs::remove_file(&undo).unwrap();
    }
}

#[test]
fn an_interrupted_change_is_not_imported_over_and_not_exported_from() {
    let disk = Disk::grown(single());
    let (undo, dump) = (disk.file("undo"), disk.file("dump"));
    let old = 16 * MIB - 4096;
    let at = old.to_string();
    let export = ["export", disk.name(), "--at", &at, "-o", text(&dump)];
    ok(&export);
    let words = ["adopt", disk.name(), "--yes", "--undo", text(&undo)];
    let Some(killed) = under(&words, "inject=pwrite64:signal=KILL:when=3") else {
        return;
    };
    assert_ne!(killed.status, 0);
    let half = disk.bytes();
    assert_eq!(peek(&disk.path, old + 60, 3), *b"mdU", "the premise");
    let refused = disk.refuses(
        &["import", disk.name(), text(&dump), "--yes"],
        "interrupted",
    );
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    for command in ["export", "show", "bitmap show"] {
        let words: Vec<&str> = command
            .split(' ')
            .chain([disk.name(), "--at", &at])
            .collect();
        let run = mdtool(&words);
        assert_eq!(
            run.status,
            i32::from(command != "show"),
            "{words:?}: {run:?}"
        );
        assert!(run.stderr.contains("interrupted"), "{words:?}: {run:?}");
    }
    assert!(disk.bytes() == half, "something was written");
    ok(&["undo", text(&undo), "--yes"]);
    ok(&["import", disk.name(), text(&dump), "--yes"]);
}

/// A terminal that is gone, or Ctrl-C, does not leave half a change.
#[test]
fn a_signal_while_writing_lets_the_change_come_to_its_end() {
    for signal in ["INT", "TERM", "HUP"] {
        let disk = Disk::grown(single());
        let words = ["adopt", disk.name(), "--yes"];
        let injected = format!("inject=pwrite64:signal={signal}:when=3");
        let Some(run) = under(&words, &injected) else {
            return;
        };
        assert_eq!(run.status, 0, "{signal}: {run:?}");
        assert_eq!(disk.current_uuid(), OUTER);
        assert_eq!(mdtool(["probe", disk.name()]).status, 0);
    }
}

#[test]
fn after_a_failed_sync_all_of_it_is_written_again() {
    let disk = Disk::grown(single());
    let undo = disk.file("undo");
    let words = ["adopt", disk.name(), "--yes", "--undo", text(&undo)];
    let Some(run) = under(&words, "inject=fsync,fdatasync:error=EIO:when=4+") else {
        return;
    };
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("half changed"), "the premise: {run:?}");
    let way = format!("mdtool undo {} --force puts it back", text(&undo));
    assert!(run.stderr.contains(&way), "{run:?}");
}

#[test]
fn a_meta_device_is_for_the_external_strategy() {
    let disk = Disk::grown(single());
    let before = disk.bytes();
    let meta = disk.file("meta");
    let run = mdtool(["adopt", disk.name(), "--meta", text(&meta), "--yes"]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("--strategy external"), "{run:?}");
    assert!(disk.bytes() == before && !meta.exists());
}

/// A file may end within a sector, and be written to behind where it was cut off.
#[test]
fn a_cut_is_undone_over_what_came_since_whatever_the_file_is_long() {
    for more in [5000, 50_000, 51_200] {
        let disk = Disk::of(&[single()]);
        lengthen(&disk.path, &vec![0x5A; usize::try_from(more).unwrap()]);
        let before = disk.bytes();
        let (undo, again) = (disk.file("undo"), disk.file("again"));
        let words = ["adopt", disk.name(), "--strategy", "truncate", "--yes"];
        ok(&[&words[..], &["--undo", text(&undo)]].concat());
        cut(&disk.path, 16 * MIB + more);
        patch(&disk.path, 16 * MIB + 4500, b"new");
        let since = disk.bytes();
        ok(&["undo", text(&undo), "--yes", "--undo", text(&again)]);
        assert!(disk.bytes() == before, "{more}");
        ok(&["undo", text(&again), "--yes"]);
        assert!(disk.bytes() == since, "{more}");
    }
}

#[test]
fn a_dry_run_refuses_the_undo_file_that_the_real_run_could_not_make() {
    let disk = Disk::grown(single());
    let there = disk.file("there");
    save(&there, b"mine");
    let nowhere = disk.file("no directory/undo");
    for undo in [&there, &nowhere] {
        for dry in [&["--dry-run"][..], &["--yes"]] {
            let words = ["adopt", disk.name(), "--undo", text(undo)];
            let run = mdtool([&words[..], dry].concat());
            assert_eq!(run.status, 2, "{run:?}");
        }
    }
    let names = std::fs::read_dir(disk.dir.path()).unwrap().count();
    assert_eq!(names, 2, "the disk, and what was there");
}

/// What looked at a part of an image says so of the next command, too.
#[test]
fn the_next_command_looks_at_the_same_part() {
    let disk = Disk::of(&[single()]);
    let image = disk.bytes();
    let whole = [&vec![0; 1 << 20][..], &image, &[0; 4096]].concat();
    cut(&disk.path, 0);
    lengthen(&disk.path, &whole);
    let window = ["--offset", "1048576", "--size", "16777216"];
    let words = ["edit", disk.name(), "--flag", "+FULL_SYNC", "--yes"];
    let run = ok(&[&words[..], &window].concat());
    let next = run
        .stderr
        .lines()
        .find_map(|line| line.strip_prefix("next: mdtool "));
    let next = next.unwrap().split(", then").next().unwrap();
    let check = mdtool(next.split(' '));
    assert!(check.stdout.contains("single"), "{next}: {check:?}");
}

/// Where the undo file is in its usual place, it knows.
#[test]
fn it_is_said_where_retired_metadata_went() {
    let disk = Disk::of(&[single()]);
    let meta = disk.file("meta");
    let words = ["adopt", disk.name(), "--strategy", "external"];
    ok(&[&words[..], &["--meta", text(&meta), "--yes"]].concat());
    let says = format!("its metadata was moved to byte 0 of {}", text(&meta));
    for command in ["probe", "locate", "show", "check", "export"] {
        let run = mdtool([command, disk.name()]);
        let said = format!("{}{}", run.stdout, run.stderr);
        assert!(said.contains(&says), "{command}: {run:?}");
    }
    // Without it nobody knows.
    let names = std::fs::read_dir(disk.dir.path()).unwrap();
    let undo = names
        .map(|name| name.unwrap().path())
        .find(|path| text(path).contains("mdtool-undo"));
    std::fs::remove_file(undo.unwrap()).unwrap();
    let run = mdtool(["probe", disk.name()]);
    assert!(run.stderr.contains("mdtool named it then"), "{run:?}");
}

/// An undo file has nothing of a hole; what comes into it is nobody's to lose.
#[test]
fn data_that_came_behind_a_cut_is_noticed() {
    let disk = Disk::grown(single());
    cut(&disk.path, 20 * MIB);
    patch(&disk.path, 18 * MIB, b"known");
    let before = disk.bytes();
    let undo = disk.file("undo");
    let adopt = ["adopt", disk.name(), "--strategy", "truncate", "--yes"];
    ok(&[&adopt[..], &["--undo", text(&undo)]].concat());
    let short = disk.bytes();
    // The premise: made longer again, and nothing more, it is undone.
    cut(&disk.path, 20 * MIB);
    ok(&["undo", text(&undo)]);
    assert!(disk.bytes() == before);
    // What is not as it was is seen where the change is undone, and where that is undone again.
    let kept = disk.file("kept");
    for yes in [&[][..], &["--yes"]] {
        cut(&disk.path, 0);
        patch(&disk.path, 0, &short);
        cut(&disk.path, 20 * MIB);
        patch(&disk.path, 19 * MIB, b"since");
        disk.refuses(
            &[&["undo", text(&undo)], yes].concat(),
            "has data at byte 19922944",
        );
    }
    let now = disk.bytes();
    ok(&["undo", text(&undo), "--force", "--undo", text(&kept)]);
    let mut expected = before.clone();
    let at = 19 << 20;
    expected[at..at + 5].copy_from_slice(b"since");
    assert!(disk.bytes() == expected, "what is not known stays");
    ok(&["undo", text(&kept), "--force"]);
    assert!(disk.bytes() == now);
}

#[test]
fn what_an_undoing_that_is_taken_back_cuts_off_is_not_lost() {
    let disk = Disk::grown(single());
    cut(&disk.path, 20 * MIB);
    let (undo, redo, last) = (disk.file("undo"), disk.file("redo"), disk.file("last"));
    let adopt = ["adopt", disk.name(), "--strategy", "truncate", "--yes"];
    ok(&[&adopt[..], &["--undo", text(&undo)]].concat());
    ok(&["undo", text(&undo), "--undo", text(&redo)]);
    patch(&disk.path, 19 * MIB, b"since");
    let before = disk.bytes();
    disk.refuses(&["undo", text(&redo), "--yes"], "has data at byte 19922944");
    ok(&["undo", text(&redo), "--force", "--undo", text(&last)]);
    assert!(disk.bytes().len() < before.len());
    ok(&["undo", text(&last)]);
    assert!(disk.bytes() == before);
}

/// Whoever goes on all the same is told what that can go on from, and what it leaves is not said to be interrupted.
#[test]
fn a_change_that_is_given_up_leaves_no_mark() {
    let disk = Disk::stack();
    let dump = disk.file("dump.md");
    ok(&["export", disk.name(), "--stacked", "-o", text(&dump)]);
    let adopt = ["adopt", disk.name(), "--stacked", "--yes"];
    let kill = "inject=pwrite64:signal=KILL:when=4";
    let undo = disk.file("undo");
    let words = [&adopt[..], &["--undo", text(&undo)]].concat();
    if under(&words, kill).is_none() {
        return;
    }
    let half = disk.bytes();
    // The premise.
    assert_eq!(mdtool(["probe", disk.name()]).status, 4);
    let run = disk.refuses(&[&adopt[..], &["--force"]].concat(), "interrupted here");
    assert!(run.stderr.contains("nothing to go on from"), "{run:?}");
    assert!(run.stderr.contains("DUMP --force"), "{run:?}");
    let import = ["import", disk.name(), text(&dump), "--yes"];
    disk.refuses(&import, "interrupted here");
    let back = disk.file("back");
    ok(&[&import[..], &["--force", "--undo", text(&back)]].concat());
    let probe = mdtool(["probe", disk.name()]);
    assert_eq!(probe.status, 0, "{probe:?}");
    let check = mdtool(["check", disk.name()]);
    assert!(!check.stdout.contains("interrupted"), "{check:?}");
    ok(&["undo", text(&back)]);
    assert!(disk.bytes() == half);
    ok(&["undo", text(&undo)]);
}
