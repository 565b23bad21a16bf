//! `mdtool undo` of an import, and what is asked before there is anything to undo.

use std::io::Write;
use std::process::{Command, Stdio};

use super::{Case, MIB, difference, ok, run, text, undo_file};
use crate::support::{patch, require_tool, sparse};

#[test]
fn undoing_does_not_overwrite_what_came_since_unless_told_so() {
    let case = Case::new();
    let before = case.dir.path().join("before");
    std::fs::copy(&case.target, &before).unwrap();
    let undo = undo_file(&case.import(&[]));
    assert!(
        undo.parent() == Some(case.dir.path()),
        "beside a regular file: {undo:?}"
    );
    patch(&case.target, 64 * MIB - 4096 + 100, b"since");
    let refused = run(&["undo", text(&undo)]);
    assert_eq!(
        (refused.status, refused.stdout.as_str()),
        (2, ""),
        "{refused:?}"
    );
    assert!(refused.stderr.contains("written since"), "{refused:?}");
    ok(&["undo", text(&undo), "--yes"]);
    assert_eq!(difference(&case.target, &before, &[]), None);
}

#[test]
fn a_moved_disk_is_undone_where_it_is_now() {
    let case = Case::new();
    let undo = undo_file(&case.import(&[]));
    let moved = case.dir.path().join("moved");
    std::fs::rename(&case.target, &moved).unwrap();
    assert_eq!(run(&["undo", text(&undo)]).status, 2);
    ok(&["undo", text(&undo), "--target", text(&moved)]);
    sparse(&case.target, 64 * MIB);
    assert_eq!(difference(&case.target, &moved, &[]), None);
    // Another disk of that size holds nothing of it: all is as it was before.
    let run = ok(&["undo", text(&undo), "--target", text(&case.target)]);
    assert!(run.stderr.contains("nothing was written"), "{run:?}");
}

/// Runs the program on a terminal where somebody types this, and answers its exit status and all that the terminal showed.
fn on_a_terminal(words: &[&str], typed: &str) -> (i32, String) {
    let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let line = format!("'{}' {}", env!("CARGO_BIN_EXE_mdtool"), words.join(" "));
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &line, "/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut keyboard = child.stdin.take().unwrap();
    keyboard.write_all(typed.as_bytes()).unwrap();
    let ended = child.wait_with_output().unwrap();
    drop(keyboard);
    let shown = String::from_utf8_lossy(&ended.stdout).into_owned();
    (ended.status.code().unwrap(), shown)
}

#[test]
fn only_yes_in_full_typed_on_a_terminal_goes_on() {
    if !require_tool("script") {
        return;
    }
    let case = Case::new();
    patch(&case.target, 64 * MIB - 8192, b"x");
    let before = case.dir.path().join("before");
    std::fs::copy(&case.target, &before).unwrap();
    let words = ["import", text(&case.target), text(&case.dump)];
    for typed in ["no\n", "y\n", "\n", "YES\n", "\u{4}"] {
        let (status, shown) = on_a_terminal(&words, typed);
        assert_eq!(status, 2, "{typed:?}: {shown}");
        let asked = "data from byte 67100672 on will be overwritten. Type yes to go on";
        assert!(shown.contains(asked), "{typed:?}: {shown}");
        assert_eq!(difference(&case.target, &before, &[]), None, "{typed:?}");
    }
    let (status, shown) = on_a_terminal(&words, "yes\n");
    assert_eq!(status, 0, "{shown}");
    assert!(difference(&case.target, &before, &[]).is_some());
}
