//! What somebody else writes between the first look and the first write is not undone, and not built upon.

use std::process::{Command, Stdio};

use mdtool::builder::Level;

use super::{Disk, INNER, SIZE, Terminal, ok, some_bits, text};
use crate::apply_al::{PRIMARY, one_extent};
use crate::support::{Drbdmeta, mdtool, patch, require_tool};

/// One resource that a crashed Primary left.
fn unclean() -> Level {
    let level = Level::v08().current_uuid(INNER).unclean().flags(PRIMARY);
    some_bits(level.al_nr_extents(67).activity_log(one_extent(2).area()))
}

/// The second looks at what the first left, however long the first's lock takes: it is taken before anything is read.
#[test]
fn what_is_decided_is_decided_under_the_lock() {
    if !require_tool("strace") {
        return;
    }
    let expected = {
        let disk = Disk::grown(unclean());
        ok(&["adopt", disk.name(), "--apply-al", "--yes"]);
        disk.bytes()
    };
    for slow in [
        ["apply-al", "--level", "0", "--yes"],
        ["adopt", "--apply-al", "--yes", "--json"],
    ] {
        let disk = Disk::grown(unclean());
        let mut words = slow.to_vec();
        words.insert(1, disk.name());
        let trace = disk.file("trace");
        // The first call of `flock` is the lock: it waits there until the other is done.
        let mut first = Command::new("strace")
            .args(["-f", "-qq", "-o", text(&trace), "-e", "trace=flock"])
            .args(["-e", "inject=flock:delay_enter=3000000:when=1"])
            .arg(env!("CARGO_BIN_EXE_mdtool"))
            .args(&words)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // The premise: it has come as far as the lock.
        let at_the_lock = || std::fs::read_to_string(&trace).is_ok_and(|log| log.contains("flock"));
        for _ in 0..1000 {
            if at_the_lock() || first.try_wait().unwrap().is_some() {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let second = mdtool(["adopt", disk.name(), "--apply-al", "--yes"]);
        let first = first.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&first.stderr).into_owned();
        if second.status == 0 {
            assert!(disk.bytes() == expected, "{words:?}: {said}");
        } else {
            // It came too late, and the first has the disk to itself.
            assert!(second.stderr.contains("cannot lock"), "{second:?}");
            assert_eq!(first.status.code(), Some(0), "{said}");
        }
    }
}

#[test]
fn nobody_else_of_ours_gets_in_while_the_question_stands() {
    let disk = Disk::of(&[unclean()]);
    let Some(mut asked) = Terminal::run(&["apply-al", disk.name()]) else {
        return;
    };
    asked.asks();
    for other in [
        &["apply-al", disk.name(), "--yes"][..],
        &["adopt", disk.name(), "--apply-al", "--yes"],
    ] {
        disk.refuses(other, "cannot lock");
    }
    let (status, shown) = asked.answer("yes\n");
    assert_eq!(status, 0, "{shown}");
    let clean = disk.bytes();
    let again = ok(&["apply-al", disk.name(), "--yes"]);
    assert!(again.stdout.contains("nothing to do"), "{again:?}");
    assert!(disk.bytes() == clean);
}

/// A command that asks, and a byte that it rests on without writing to it.
type Case = (&'static str, fn() -> Disk, Vec<&'static str>, u64);

fn cases() -> Vec<Case> {
    let one: fn() -> Disk = || Disk::of(&[unclean()]);
    let grown: fn() -> Disk = || Disk::grown(some_bits(Level::v08().current_uuid(INNER)));
    let clean: fn() -> Disk = || Disk::of(&[some_bits(Level::v08().current_uuid(INNER))]);
    let edit = vec!["edit", "--current-uuid", "0x0000ABCD0000ABCD"];
    let md = SIZE - 4096;
    // One bit stands for 4 KiB: 4096 bits in 512 bytes of bitmap, then 32 KiB of log, then the superblock.
    let (log, bitmap) = (md - 32_768, md - 32_768 - 4096);
    vec![
        ("the superblock", one, vec!["apply-al"], md + 8),
        ("the log", one, vec!["apply-al"], log + 4096 * 5 + 100),
        ("the bitmap", one, vec!["apply-al"], bitmap + 300),
        ("what is edited", clean, edit.clone(), md + 8),
        ("what stays of it", clean, edit, md + 1000),
        ("what is wiped", clean, vec!["wipe"], md + 8),
        ("the wiped bitmap", clean, vec!["wipe"], bitmap + 300),
        ("the source's superblock", grown, vec!["adopt"], md + 8),
        ("the source's bitmap", grown, vec!["adopt"], bitmap + 300),
        ("the source's log", grown, vec!["adopt"], log + 77),
    ]
}

#[test]
fn what_changes_while_the_question_stands_is_not_written_over() {
    for (what, make, command, at) in cases() {
        let disk = make();
        let mut words = command.clone();
        words.push(disk.name());
        let Some(mut asked) = Terminal::run(&words) else {
            return;
        };
        asked.asks();
        patch(&disk.path, at, b"somebody else");
        let since = disk.bytes();
        let (status, shown) = asked.answer("yes\n");
        assert_eq!(status, 2, "{what}: {shown}");
        let says = "are not what they were when the change was planned";
        assert!(shown.contains(says), "{what}: {shown}");
        assert!(shown.contains("nothing was changed"), "{what}: {shown}");
        assert!(disk.bytes() == since, "{what}: it was written to");
        let names = std::fs::read_dir(disk.dir.path()).unwrap().count();
        assert_eq!(names, 1, "{what}: no undo file is left");
    }
}

#[test]
fn import_and_undo_look_again_before_they_write() {
    let disk = Disk::of(&[some_bits(Level::v08().current_uuid(INNER))]);
    let dump = disk.file("dump.md");
    ok(&["export", disk.name(), "-o", text(&dump)]);
    patch(&disk.path, disk.end() + 8, b"another");
    let import = ["import", disk.name(), text(&dump)];

    let other = Disk::stack();
    let undo = other.file("undo");
    let adopt = ["adopt", other.name(), "--stacked", "--yes", "--undo"];
    ok(&[&adopt[..], &[text(&undo)]].concat());
    patch(&other.path, other.end() + 8, b"since");
    let undo = ["undo", text(&undo)];

    let superblock = |disk: &Disk| disk.end() + 8;
    let cases = [
        (&disk, &import[..], superblock(&disk)),
        // What stays as it is, too: the dump has the bitmap that is there.
        (&disk, &import, disk.end() - 32_768 - 4096 + 300),
        (&other, &undo, superblock(&other)),
    ];
    for (disk, command, at) in cases {
        let Some(mut asked) = Terminal::run(command) else {
            return;
        };
        asked.asks();
        patch(&disk.path, at, b"somebody else");
        let since = disk.bytes();
        let (status, shown) = asked.answer("yes\n");
        assert_eq!(status, 2, "{command:?}: {shown}");
        assert!(
            shown.contains("nothing was changed"),
            "{command:?}: {shown}"
        );
        assert!(disk.bytes() == since, "{command:?}: it was written to");
    }
}

#[test]
fn what_drbdmeta_does_while_the_question_stands_is_kept() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let disk = Disk::of(&[unclean()]);
    let Some(mut asked) = Terminal::run(&["apply-al", disk.name()]) else {
        return;
    };
    asked.asks();
    let uuids = "CCCC000000000000:0:0:0:1:1:0:0:0:0:0";
    drbdmeta.ok("v08", &disk.path, "internal", &["apply-al"]);
    drbdmeta.ok("v08", &disk.path, "internal", &["set-gi", uuids]);
    let since = disk.bytes();
    let (status, shown) = asked.answer("yes\n");
    assert_eq!(status, 2, "{shown}");
    assert_eq!(disk.current_uuid(), 0xCCCC_0000_0000_0000);
    assert!(disk.bytes() == since);
}
