//! `mdtool undo` of an import.

use super::{Case, MIB, difference, ok, run, text, undo_file};
use crate::support::{patch, sparse};

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
