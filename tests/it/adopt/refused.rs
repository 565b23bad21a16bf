//! What is refused, and what a dry run leaves alone.

use super::{MIB, refused, stack, text, v09, whole};
use crate::support::sparse;

#[test]
fn a_dry_run_changes_nothing() {
    let stack = stack(&[v09(1), v09(3)], 64 * MIB, "v09");
    let before = whole(&stack.image);
    let meta = stack.file("meta");
    for strategy in [
        &["--strategy", "relocate"][..],
        &["--strategy", "truncate"],
        &["--strategy", "external", "--meta", text(&meta)],
    ] {
        let run = stack.ok(&[strategy, &["--dry-run"]].concat());
        assert!(run.stdout.contains("old superblock"), "{run:?}");
        assert_eq!(whole(&stack.image), before);
        let names = std::fs::read_dir(stack.dir.path()).unwrap().count();
        assert_eq!(names, 1, "nothing but the image");
    }
}

#[test]
fn what_cannot_be_done_is_refused_with_the_reason() {
    let stack = stack(&[v09(1), v09(3)], 64 * MIB, "v09");
    let image = text(&stack.image);
    let before = whole(&stack.image);
    let adopt = ["adopt", image, "--stacked"];
    refused(
        &[&adopt[..], &["--yes"]].concat(),
        2,
        "says node id 0, which is the source's",
    );
    let here = [&adopt[..], &["--node-id", "1"]].concat();
    refused(&here, 2, "expected --yes");
    refused(
        &[&here[..], &["--yes", "--strategy", "external"]].concat(),
        2,
        "expected --meta FILE",
    );
    refused(
        &["adopt", image, "--yes", "--node-id", "1"],
        2,
        "is a stack of 2 resources",
    );
    let window = [&here[..], &["--yes", "--strategy", "truncate", "--at"]].concat();
    refused(&[&window[..], &["0"]].concat(), 2, "magic is");
    let small = stack.file("small");
    sparse(&small, 8192);
    let meta = ["--yes", "--strategy", "external", "--meta", text(&small)];
    refused(
        &[&here[..], &meta].concat(),
        2,
        "meta device has 8192 bytes",
    );
    assert_eq!(whole(&stack.image), before);
    let names = std::fs::read_dir(stack.dir.path()).unwrap().count();
    assert_eq!(names, 2, "no undo file is left");
}
