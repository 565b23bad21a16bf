//! `--strategy truncate`: a file is cut off, and lengthened by `undo`.

use super::{assert_alike, comparable, data, levels, ok, stacks, text, whole};
use crate::support::Drbdmeta;

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
