//! `--strategy external`: two files, one undo file.

use super::{MIB, assert_alike, comparable, data, dirty, ok, stack, stacks, text, v09, whole};
use crate::import::save;
use crate::support::{Drbdmeta, mdtool, patch};

#[test]
fn external_metadata_leaves_the_image_nothing_but_data() {
    for stack in stacks() {
        let (before, expected) = (whole(&stack.image), stack.expected());
        let kept = data(&stack.image, stack.inner);
        let (undo, meta) = (stack.file("undo"), stack.file("meta"));
        let more = ["--strategy", "external", "--meta", text(&meta)];
        let more = [&more[..], &["--undo", text(&undo)]].concat();
        stack.ok(&more);
        assert_eq!(data(&stack.image, stack.inner), kept);
        let run = mdtool(["locate", text(&stack.image), "--scan", "full"]);
        assert_eq!(run.status, 1, "{run:?}");
        assert!(run.stdout.contains("no DRBD metadata"), "{run:?}");
        let words = ["export", text(&meta), "--index", "flex-external"];
        let words = [&words[..], &["--compat", "9.22"]].concat();
        assert_alike(&comparable(&ok(&words).stdout), &expected);
        if let Some(drbdmeta) = Drbdmeta::new() {
            let theirs = drbdmeta.ok(stack.format, &meta, "flex-external", &["dump-md"]);
            assert_alike(&comparable(&theirs), &expected);
        }
        ok(&["undo", text(&undo)]);
        assert_eq!(whole(&stack.image), before);
    }
}

#[test]
fn one_undo_file_has_both_files() {
    let stack = stack(&[v09(1), dirty(v09(3))], 64 * MIB, "v09");
    let (undo, meta) = (stack.file("undo"), stack.file("meta"));
    save(&meta, &vec![0x5A; 2 << 20]);
    let before = [whole(&stack.image), whole(&meta)];
    let more = ["--strategy", "external", "--meta", text(&meta)];
    let run = stack.ok(&[&more[..], &["--undo", text(&undo)]].concat());
    let hints: Vec<&str> = run
        .stderr
        .lines()
        .filter(|line| line.starts_with("hint: "))
        .collect();
    let expected = format!("hint: mdtool undo {} puts it back", text(&undo));
    assert_eq!(hints, [expected]);
    assert_ne!(whole(&meta), before[1]);
    ok(&["undo", text(&undo)]);
    assert_eq!([whole(&stack.image), whole(&meta)], before);
}

#[test]
fn both_files_are_named_where_they_are_now() {
    let stack = stack(&[v09(1), dirty(v09(3))], 64 * MIB, "v09");
    let (undo, meta) = (stack.file("undo"), stack.file("meta"));
    let (now, then) = (stack.file("disk now"), stack.file("meta now"));
    let before = whole(&stack.image);
    let more = ["--strategy", "external", "--meta", text(&meta)];
    stack.ok(&[&more[..], &["--undo", text(&undo)]].concat());
    std::fs::rename(&meta, &then).unwrap();
    let run = mdtool(["undo", text(&undo)]);
    assert_eq!(run.status, 2, "{run:?}");
    let hint = format!("--target {} --target PATH", text(&stack.image));
    assert!(run.stderr.contains(&hint), "{run:?}");
    std::fs::rename(&stack.image, &now).unwrap();
    let words = ["undo", text(&undo), "--target", text(&now)];
    let run = mdtool(words);
    assert!(run.stderr.contains("meta: is not there"), "{run:?}");
    let words = [&words[..], &["--target", text(&then)]].concat();
    let run = mdtool([&words[..], &["--target", text(&now)]].concat());
    assert!(run.stderr.contains("has 2 target(s)"), "{run:?}");
    let run = ok(&[&words[..], &["--json"]].concat());
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["targets"][1]["target"], text(&then));
    assert_eq!(whole(&now), before);
}

#[test]
fn what_was_written_since_is_told_of_the_file_that_it_is_in() {
    let stack = stack(&[v09(1), dirty(v09(3))], 64 * MIB, "v09");
    let (undo, meta) = (stack.file("undo"), stack.file("meta"));
    let more = ["--strategy", "external", "--meta", text(&meta)];
    stack.ok(&[&more[..], &["--undo", text(&undo)]].concat());
    patch(&meta, 16, b"since");
    let run = mdtool(["undo", text(&undo)]);
    assert_eq!(run.status, 2, "{run:?}");
    for says in ["was written to since", "1 place(s) written since"] {
        let says = format!("{}: {says}", text(&meta));
        // Without a terminal there is only the refusal.
        assert!(run.stderr.contains(&says), "{says}: {run:?}");
    }
}

#[test]
fn neither_file_is_touched_where_the_undo_file_cannot_be_written() {
    let stack = stack(&[v09(1), dirty(v09(3))], 64 * MIB, "v09");
    let (undo, meta) = (stack.file("undo"), stack.file("meta"));
    save(&meta, &vec![0x5A; 2 << 20]);
    save(&undo, b"mine");
    let before = [whole(&stack.image), whole(&meta)];
    let more = ["--strategy", "external", "--meta", text(&meta)];
    let run = mdtool(stack.adopt(&[&more[..], &["--undo", text(&undo)]].concat()));
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
    assert!(run.stderr.contains("exists already"), "{run:?}");
    assert_eq!([whole(&stack.image), whole(&meta)], before);
    let names = std::fs::read_dir(stack.dir.path()).unwrap().count();
    assert_eq!(names, 3, "nothing else is left");
}

#[test]
fn the_image_is_no_meta_device_for_itself() {
    let stack = stack(&[v09(1), dirty(v09(3))], 64 * MIB, "v09");
    let (hard, soft) = (stack.file("hard"), stack.file("soft"));
    std::fs::hard_link(&stack.image, &hard).unwrap();
    std::os::unix::fs::symlink(&stack.image, &soft).unwrap();
    let before = whole(&stack.image);
    for meta in [&stack.image, &hard, &soft] {
        for way in [&["--dry-run"][..], &[]] {
            let more = ["--strategy", "external", "--meta", text(meta)];
            let run = mdtool(stack.adopt(&[&more[..], way].concat()));
            assert_eq!(
                (run.status, run.stdout.as_str()),
                (2, ""),
                "{way:?}: {run:?}"
            );
            assert!(run.stderr.contains("itself, expected another"), "{run:?}");
        }
    }
    assert_eq!(whole(&stack.image), before);
}

#[test]
fn a_meta_device_that_is_a_link_to_nothing_is_said_to_be_one() {
    let stack = stack(&[v09(1), dirty(v09(3))], 64 * MIB, "v09");
    let link = stack.file("link");
    std::os::unix::fs::symlink(stack.file("nowhere"), &link).unwrap();
    let before = whole(&stack.image);
    let more = ["--strategy", "external", "--meta", text(&link)];
    let run = mdtool(stack.adopt(&more));
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
    let said = "symbolic link, and what it leads to does not exist";
    assert!(run.stderr.contains(said), "{run:?}");
    assert!(!run.stderr.contains("File exists"), "{run:?}");
    assert_eq!(whole(&stack.image), before);
}
