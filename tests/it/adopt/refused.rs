//! What is refused, and what a dry run leaves alone.

use mdtool::builder::Level;

use super::{MIB, ok, refused, stack, text, v09, whole};
use crate::import::save;
use crate::support::{mdtool, patch, peek, sparse};

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

/// An XFS that says to end there, at the image's start.
fn xfs(end: u64) -> Vec<u8> {
    [
        b"XFSB\x00\x00\x02\x00".as_slice(),
        &(end / 512).to_be_bytes(),
    ]
    .concat()
}

#[test]
fn a_file_system_that_reaches_beyond_the_inner_device_is_not_damaged() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB, "v08");
    let (image, meta) = (text(&stack.image), stack.file("meta"));
    let plan = |status: i32| {
        let run = mdtool(["plan", image, "--stacked"]);
        assert_eq!(run.status, status, "{run:?}");
        run.stdout
    };
    patch(&stack.image, 0, &xfs(stack.inner + 512));
    let before = whole(&stack.image);
    let says = format!(
        "XFS file system: ends at byte {}, expected to end within the {} bytes of this resource's DRBD device",
        stack.inner + 512,
        stack.inner
    );
    for strategy in [
        &["--strategy", "relocate"][..],
        &["--strategy", "truncate"],
        &["--strategy", "external", "--meta", text(&meta)],
    ] {
        let adopt = ["adopt", image, "--stacked", "--yes"];
        refused(&[&adopt[..], strategy].concat(), 2, &says);
        assert_eq!(whole(&stack.image), before, "{strategy:?}");
        let names = std::fs::read_dir(stack.dir.path()).unwrap().count();
        assert_eq!(names, 1, "{strategy:?}: nothing but the image");
    }
    let out = plan(1);
    // The fifth way has another reason: the outer superblock.
    assert_eq!(out.matches(&says).count(), 4, "{out}");
    assert!(!out.contains("mdtool adopt"), "{out}");
    // One that ends with the inner device was made on it.
    patch(&stack.image, 0, &xfs(stack.inner));
    assert!(plan(0).contains("mdtool adopt"));
    stack.ok(&[]);
}

#[test]
fn what_lives_on_the_meta_device_is_not_overwritten() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB, "v08");
    let (image, meta) = (text(&stack.image), stack.file("meta"));
    save(&meta, &xfs(MIB));
    patch(&meta, 2 * MIB, b"x");
    let before = [whole(&stack.image), whole(&meta)];
    let external = ["--stacked", "--strategy", "external", "--meta", text(&meta)];
    let adopt = [&["adopt", image][..], &external].concat();
    for more in ["--yes", "--dry-run"] {
        let says = "meta: XFS file system: ends at byte 1048576";
        refused(&[&adopt[..], &[more]].concat(), 2, says);
        assert_eq!([whole(&stack.image), whole(&meta)], before);
    }
    // Nobody's data, and then metadata: named to whoever says yes.
    patch(&meta, 0, b"----");
    refused(
        &adopt,
        2,
        "meta: data from byte 0 on and the superblocks of",
    );
    ok(&[&adopt[..], &["--yes"]].concat());
    let other = crate::adopt::stack(&[Level::v08(), Level::v08()], 64 * MIB, "v08");
    let adopt = [&["adopt", text(&other.image)][..], &external].concat();
    let says = "meta: v08 metadata with its superblock at byte 0";
    let dry = ok(&[&adopt[..], &["--dry-run"]].concat());
    assert!(
        dry.stderr.contains(&format!("{says} would be overwritten")),
        "{dry:?}"
    );
    let first = whole(&meta);
    refused(&adopt, 2, &format!("{says} and the superblocks of"));
    assert_eq!(whole(&meta), first);
}

#[test]
fn a_meta_device_made_for_nothing_is_removed() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB, "v08");
    let (meta, undo) = (stack.file("meta"), stack.file("undo"));
    {
        let taken = undo.clone();
        save(&taken, b"mine");
        let external = ["--strategy", "external", "--meta", text(&meta)];
        let run = stack.run(&[&external[..], &["--undo", text(&undo)]].concat());
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
        assert!(run.stderr.contains("exists already"), "{run:?}");
        assert!(!meta.exists(), "{run:?}");
        assert_eq!(peek(&taken, 0, 4), b"mine");
        std::fs::remove_file(&taken).unwrap();
    }
}
