//! Every command ends by saying what comes next, or that nothing has to: on the demo's disk, what a reader meets last.

use std::path::Path;

use crate::support::{mdtool, scratch};

/// Commands, and how what they say of it begins.
const LAST_WORDS: &[(&[&str], &str)] = &[
    (
        &["locate", "DIR/truck/truck.raw", "--stacked"],
        "next: mdtool plan",
    ),
    (
        &["show", "DIR/truck/truck.raw", "--level", "inner"],
        "next: mdtool check",
    ),
    (
        &["check", "DIR/truck/truck.raw", "--level", "outer"],
        "next: nothing has to be",
    ),
    (
        &["al", "DIR/truck/truck.raw", "--stacked"],
        "next: nothing has to be",
    ),
    (
        &["bitmap", "show", "DIR/truck/truck.raw", "--stacked"],
        "next: mdtool files",
    ),
    (
        &[
            "bitmap",
            "show",
            "DIR/truck/truck.raw",
            "--stacked",
            "--map",
        ],
        "next: mdtool files",
    ),
    (
        &["files", "DIR/truck/truck.raw", "--stacked"],
        "next: nothing has to be",
    ),
    (
        &[
            "compare",
            "DIR/truck/truck.raw@inner",
            "DIR/truck/truck.raw@outer",
        ],
        "next: settle",
    ),
    (
        &["compare", "DIR/truck/disk.raw", "DIR/truck/truck.raw@inner"],
        "next: nothing has to be",
    ),
    (
        &["diff", "DIR/truck/disk.raw", "DIR/truck/disk.raw"],
        "next: nothing has to be",
    ),
    (&["fit", "--disk", "1TB"], "next: mdtool fit DISK"),
    (
        &["fit", "--disk", "512KiB"],
        "next: take a disk of another size",
    ),
    (&["fit", "DIR/truck/disk.raw"], "next: nothing has to be"),
    (
        &["plan", "DIR/truck/truck.raw", "--stacked"],
        "next: mdtool adopt",
    ),
    (&["plan", "DIR/truck/disk.raw"], "next: mdtool check"),
    (
        &["export", "DIR/truck/disk.raw", "-o", "DIR/disk.md"],
        "next: mdtool import",
    ),
    (
        &[
            "edit",
            "DIR/truck/disk.raw",
            "--la-size",
            "1GiB",
            "-o",
            "DIR/edited.md",
        ],
        "next: mdtool import",
    ),
    (
        &["sum", "DIR/truck/disk.raw", "-o", "DIR/sums"],
        "next: mdtool sum --check",
    ),
    (
        &["sum", "--check", "DIR/sums", "DIR/truck/disk.raw"],
        "next: nothing has to be",
    ),
];

/// The line that says so, of a command's output: its last one that begins a paragraph.
fn said(words: &[&str], dir: &Path) -> String {
    let words: Vec<String> = words
        .iter()
        .map(|word| word.replace("DIR", dir.to_str().unwrap()))
        .collect();
    let run = mdtool(&words);
    let lines = run.stderr.lines().chain(run.stdout.lines());
    let mut next = lines.filter(|line| line.starts_with("next: ") || line.starts_with("hint: "));
    next.next_back()
        .unwrap_or_else(|| panic!("{words:?} says nothing of what comes next: {run:?}"))
        .to_owned()
}

#[test]
fn every_command_that_looks_says_what_comes_next() {
    let dir = scratch();
    let dir = dir.path();
    let demo = dir.join("truck");
    assert_eq!(mdtool(["demo", demo.to_str().unwrap()]).status, 0);
    for (words, next) in LAST_WORDS {
        let said = said(words, dir);
        assert!(said.starts_with(next), "{words:?}: {said}");
    }
}

#[test]
fn what_programs_read_has_nothing_more_and_quiet_leaves_it_out() {
    let dir = scratch();
    let demo = dir.path().join("truck");
    assert_eq!(mdtool(["demo", demo.to_str().unwrap()]).status, 0);
    let image = demo.join("disk.raw");
    let image = image.to_str().unwrap();
    for words in [
        &["show", image, "--json"][..],
        &["check", image, "--json"],
        &["bitmap", "show", image, "--ranges"],
        &["export", image],
        &["probe", image],
        &["show", image, "-q"],
        &["bitmap", "show", image, "-q"],
    ] {
        let run = mdtool(words);
        assert!(!run.stdout.is_empty(), "{words:?}: {run:?}");
        assert!(!run.stdout.contains("next: "), "{words:?}: {run:?}");
        assert!(run.stderr.is_empty(), "{words:?}: {run:?}");
    }
}
