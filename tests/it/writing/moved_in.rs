//! Undoing where somebody else lives by now, where the other disk of a change is not that disk, and where nobody knows what is durable.

use std::path::Path;

use mdtool::builder::Level;

use super::since::under;
use super::{Disk, INNER, ok, some_bits, text};
use crate::support::{LoopDevice, mdtool, require_tool, sparse, tool};

fn single() -> Level {
    some_bits(Level::v08().current_uuid(INNER))
}

/// Zeros where metadata was wiped may be somebody's by now.
#[test]
fn who_moved_in_where_metadata_was_wiped_is_asked_about() {
    for (program, words, says) in [
        ("mkfs.ext4", &["-q", "-F"][..], "ext2/ext3/ext4"),
        (
            "mkfs.xfs",
            &["-q", "-f", "-b", "size=1024", "--unsupported"],
            "XFS",
        ),
        ("mkswap", &["-q"], "swap"),
    ] {
        if !require_tool(program) {
            return;
        }
        let disk = Disk::of(&[single()]);
        let (undo, kept) = (disk.file("undo"), disk.file("kept"));
        ok(&["wipe", disk.name(), "--yes", "--undo", text(&undo)]);
        tool(program, &[words, &[disk.name()]].concat());
        let theirs = disk.bytes();
        let run = mdtool(["undo", text(&undo)]);
        assert_eq!(run.status, 2, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
        assert!(disk.bytes() == theirs, "{program}: it was written to");
        let shown = mdtool(["undo", text(&undo), "--dry-run"]);
        assert!(shown.stderr.contains(says), "{shown:?}");
        // Whoever says yes is told, and can take it back.
        let run = ok(&["undo", text(&undo), "--yes", "--undo", text(&kept)]);
        assert!(
            run.stderr.contains("warning: ") && run.stderr.contains(says),
            "{run:?}"
        );
        ok(&["undo", text(&kept), "--yes"]);
        assert!(disk.bytes() == theirs, "{program}");
    }
}

/// The inner resource was wiped, and the outer one is in use up to its end.
#[test]
fn who_uses_the_outer_device_is_asked_about() {
    if !require_tool("mkfs.ext4") {
        return;
    }
    let disk = Disk::stack();
    let undo = disk.file("undo");
    ok(&[
        "wipe",
        disk.name(),
        "--level",
        "inner",
        "--yes",
        "--undo",
        text(&undo),
    ]);
    let net = mdtool(["probe", disk.name(), "--net-size"]).stdout;
    let kib = (net.trim().parse::<u64>().unwrap() / 1024).to_string();
    tool("mkfs.ext4", &["-q", "-F", "-b", "1024", disk.name(), &kib]);
    let theirs = disk.bytes();
    let run = mdtool(["undo", text(&undo)]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("ext2/ext3/ext4"), "{run:?}");
    assert!(disk.bytes() == theirs);
}

/// The question on a block device names who lives there, too.
#[test]
fn who_lives_on_a_device_is_named() {
    if !require_tool("mkfs.ext4") {
        return;
    }
    let disk = Disk::of(&[single()]);
    let Some(device) = LoopDevice::over(&disk.path, &[]) else {
        return;
    };
    let undo = disk.file("undo");
    ok(&["wipe", device.path(), "--yes", "--undo", text(&undo)]);
    tool("mkfs.ext4", &["-q", "-F", device.path()]);
    let run = mdtool(["undo", text(&undo)]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("ext2/ext3/ext4"), "{run:?}");
}

/// The disk says that the move came to its end, so its meta device cannot be blank: it is another one.
#[test]
fn a_blank_disk_in_the_meta_device_s_place_is_asked_about() {
    let relocate = ["relocate", "--meta"];
    let adopt = ["adopt", "--strategy", "external", "--meta"];
    for words in [&relocate[..], &adopt] {
        let disk = Disk::of(&[single()]);
        let (undo, later) = (disk.file("undo"), disk.file("later"));
        let (meta, other) = (disk.file("meta"), disk.file("other"));
        let more = [text(&meta), "--yes", "--undo", text(&undo)];
        ok(&[&words[..1], &[disk.name()], &words[1..], &more].concat());
        let on = [text(&meta), "--index", "flex-external"];
        let edit = ["--new-generation", "--yes", "--undo", text(&later)];
        ok(&[&["edit"], &on[..], &edit].concat());
        std::fs::rename(&meta, &other).unwrap();
        sparse(&meta, std::fs::metadata(&other).unwrap().len());
        let before = disk.bytes();
        let run = mdtool(["undo", text(&undo)]);
        assert_eq!(run.status, 2, "{words:?}: {run:?}");
        assert!(disk.bytes() == before, "{words:?}: it was written to");
    }
}

/// After a sync that failed nobody knows what is on the disk: what can be run again is what writes all of it.
#[test]
fn what_is_undone_after_a_failed_sync_is_written_again() {
    let disk = Disk::stack();
    let whole = disk.bytes();
    let undo = disk.file("undo");
    let adopt = |undo: &Path| {
        let words = ["adopt", disk.name(), "--stacked", "--yes", "--undo"];
        ok(&[&words[..], &[text(undo)]].concat());
    };
    adopt(&undo);
    let mut failed = 0;
    for number in 1..40 {
        let fault = format!("inject=fsync:error=EIO:when={number}");
        let again = disk.file("again");
        let _ = std::fs::remove_file(&again);
        let words = ["undo", text(&undo), "--yes", "--undo", text(&again)];
        let Some(run) = under(&words, &fault) else {
            return;
        };
        if run.status == 0 {
            break;
        }
        if run.stderr.contains("mdtool undo") && run.stderr.contains("can be run again") {
            failed += 1;
            let command = format!("mdtool undo {} --force", text(&undo));
            assert!(run.stderr.contains(&command), "{number}: {run:?}");
        }
        ok(&["undo", text(&undo), "--force"]);
        assert!(disk.bytes() == whole, "{number}");
        std::fs::remove_file(&undo).unwrap();
        adopt(&undo);
    }
    assert!(failed > 0, "a sync of the target failed");
}
