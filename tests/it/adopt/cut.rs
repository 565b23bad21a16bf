//! `--strategy truncate`: a file is cut off, and lengthened by `undo`.

use super::{Level, MIB, assert_alike, comparable, data, levels, ok, stack, stacks, text, whole};
use crate::support::{Drbdmeta, lengthen, mdtool, patch};

#[test]
fn a_file_cut_off_has_its_metadata_at_its_end_and_undo_lengthens_it() {
    for stack in stacks() {
        let (before, expected) = (whole(&stack.image), stack.expected());
        let kept = data(&stack.image, stack.inner);
        let undo = stack.file("undo");
        stack.ok(&["--strategy", "truncate", "--undo", text(&undo)]);
        let after = whole(&stack.image);
        assert!(after.0 < before.0, "{after:?}");
        assert_eq!(data(&stack.image, stack.inner), kept);
        assert_eq!(levels(&stack.image).len(), 1);
        assert_alike(&stack.dump(&[]), &expected);
        if let Some(drbdmeta) = Drbdmeta::new() {
            let theirs = drbdmeta.ok(stack.format, &stack.image, "internal", &["dump-md"]);
            assert_alike(&comparable(&theirs), &expected);
        }
        ok(&["undo", text(&undo)]);
        assert_eq!(whole(&stack.image), before);
        let run = ok(&["undo", text(&undo)]);
        assert!(run.stderr.contains("as it was before already"), "{run:?}");
    }
}

#[test]
fn a_file_that_does_not_end_with_a_sector_is_cut_off_all_the_same() {
    for rest in [1, 511, 700] {
        let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB, "v08");
        lengthen(&stack.image, &vec![0x77; rest]);
        let before = whole(&stack.image);
        assert_eq!(before.0 % 512, rest % 512);
        let undo = stack.file("undo");
        stack.ok(&["--strategy", "truncate", "--undo", text(&undo)]);
        let found = levels(&stack.image);
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0]["found_by"], "expected-position");
        ok(&["undo", text(&undo)]);
        assert!(whole(&stack.image) == before);
    }
}

#[test]
fn undo_that_nobody_said_yes_to_leaves_a_file_as_short_as_it_is() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB, "v08");
    let before = whole(&stack.image);
    let undo = stack.file("undo");
    stack.ok(&["--strategy", "truncate", "--undo", text(&undo)]);
    // DRBD went on with it.
    let md = levels(&stack.image)[0]["md_offset"].as_u64().unwrap();
    patch(&stack.image, md + 7, b"x");
    let since = whole(&stack.image);
    assert!(since.0 < before.0);
    let run = mdtool(["undo", text(&undo)]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
    assert!(run.stderr.contains("written since"), "{run:?}");
    assert_eq!(whole(&stack.image), since);
    ok(&["undo", text(&undo), "--yes"]);
    assert_eq!(whole(&stack.image), before);
}
