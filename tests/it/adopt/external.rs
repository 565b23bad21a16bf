//! `--strategy external`: two files, two undo files.

use super::{assert_alike, comparable, data, ok, stacks, text, whole};
use crate::support::{Drbdmeta, mdtool};

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
