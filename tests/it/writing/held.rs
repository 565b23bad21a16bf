//! What is written to is what was looked at, all of it: as long as it was, under its name, and with what stays beside the change as it was.

#![expect(clippy::disallowed_methods, reason = "images of a few MiB")]

use mdtool::builder::Level;

use super::{Disk, INNER, SIZE, Terminal, ok, some_bits, text};
use crate::adopt::MIB;
use crate::support::{cut, lengthen, patch, peek};

fn single() -> Level {
    some_bits(Level::v08().current_uuid(INNER))
}

/// What somebody else does to a disk while the question stands.
type Meddling = (&'static str, fn(&Disk));

const APPEND: Meddling = ("appended to", |disk| {
    lengthen(&disk.path, b"nobody else has this");
});
const GROW: Meddling = ("grown", |disk| cut(&disk.path, 32 * MIB));
const SHORTEN: Meddling = ("shortened", |disk| cut(&disk.path, SIZE - 8192));
const REPLACE: Meddling = ("replaced", |disk| {
    let new = disk.file("new");
    std::fs::copy(&disk.path, &new).unwrap();
    std::fs::rename(new, &disk.path).unwrap();
});
const MOVE: Meddling = ("moved away", |disk| {
    std::fs::rename(&disk.path, disk.file("elsewhere")).unwrap();
});

/// The command asks, somebody meddles, yes is answered, and nothing is written to what the name leads to, nor to what it led to.
fn refuses(disk: &Disk, words: &[&str], (what, meddle): Meddling) -> bool {
    let kept = disk.file("kept");
    std::fs::hard_link(&disk.path, &kept).unwrap();
    let Some(mut asked) = Terminal::run(words) else {
        return false;
    };
    asked.asks();
    meddle(disk);
    let since = std::fs::read(&kept).unwrap();
    let there = std::fs::read(&disk.path).ok();
    let files = || std::fs::read_dir(disk.dir.path()).unwrap().count();
    let count = files();
    let (status, shown) = asked.answer("yes\n");
    assert_eq!(status, 2, "{words:?} {what}: {shown}");
    assert!(
        shown.contains("nothing was changed"),
        "{words:?} {what}: {shown}"
    );
    let why = "the change was planned";
    let why = shown.contains(why) || shown.contains("shrank");
    assert!(why, "{words:?} {what}: {shown}");
    assert!(
        std::fs::read(&kept).unwrap() == since,
        "{words:?} {what}: written"
    );
    assert!(
        std::fs::read(&disk.path).ok() == there,
        "{words:?} {what}: written"
    );
    assert_eq!(files(), count, "{words:?} {what}: no undo file is left");
    true
}

#[test]
fn a_target_that_changes_its_size_or_its_name_while_the_question_stands_is_left_alone() {
    for meddling in [APPEND, GROW, SHORTEN, REPLACE, MOVE] {
        for words in [
            &["adopt", "--stacked", "--strategy", "truncate"][..],
            &["adopt", "--stacked"],
            &["wipe", "--level", "0"],
            &[
                "edit",
                "--level",
                "0",
                "--current-uuid",
                "0x0000ABCD0000ABCD",
            ],
        ] {
            let disk = Disk::stack();
            let words = [words, &[disk.name()]].concat();
            if !refuses(&disk, &words, meddling) {
                return;
            }
        }
        // One that is longer than what is adopted, so that something is cut off anyhow.
        let disk = Disk::of(&[single()]);
        lengthen(&disk.path, &[0x5A_u8; 5000].repeat(10));
        let words = ["adopt", disk.name(), "--strategy", "truncate"];
        assert!(refuses(&disk, &words, meddling));
    }
}

#[test]
fn undo_and_a_meta_device_are_held_to_the_same() {
    for meddling in [APPEND, REPLACE, MOVE] {
        let disk = Disk::stack();
        let undo = disk.file("undo");
        let adopt = ["adopt", disk.name(), "--stacked", "--yes", "--undo"];
        ok(&[&adopt[..], &[text(&undo)]].concat());
        patch(&disk.path, disk.end() + 8, b"since");
        if !refuses(&disk, &["undo", text(&undo)], meddling) {
            return;
        }
        // The disk is the meta device of another one.
        let (other, meta) = (Disk::of(&[single()]), Disk::of(&[single()]));
        ok(&["wipe", meta.name(), "--yes"]);
        let words = ["adopt", other.name(), "--strategy", "external", "--meta"];
        let before = other.bytes();
        assert!(refuses(
            &meta,
            &[&words[..], &[meta.name()]].concat(),
            meddling
        ));
        assert!(other.bytes() == before);
    }
}

/// What a draft found as it is to be is written nowhere, and yet the change rests on it.
#[test]
fn what_is_as_it_is_to_be_already_is_compared_as_well() {
    let disk = Disk::stack();
    let whole = disk.bytes();
    let words = ["adopt", disk.name(), "--stacked"];
    // The premise: the new log's last block is as the old resource's log left it.
    let at = SIZE - 4096 - 4096 + 300;
    let before = peek(&disk.path, SIZE - 8192, 4096);
    ok(&[&words[..], &["--yes"]].concat());
    assert_eq!(peek(&disk.path, SIZE - 8192, 4096), before);
    let disk = Disk::stack();
    assert!(disk.bytes() == whole);
    let words = ["adopt", disk.name(), "--stacked"];
    let Some(mut asked) = Terminal::run(&words) else {
        return;
    };
    asked.asks();
    patch(&disk.path, at, b"somebody else");
    let since = disk.bytes();
    let (status, shown) = asked.answer("yes\n");
    assert_eq!(status, 2, "{shown}");
    assert!(shown.contains("nothing was changed"), "{shown}");
    assert!(disk.bytes() == since);
}
