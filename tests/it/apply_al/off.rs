//! A log that was off while the node was writing.

use std::path::Path;

use mdtool::builder::Level;

use super::{MIB, PRIMARY, image, one_extent};
use crate::support::{mdtool, scratch};

/// `MDF_AL_DISABLED`.
const DISABLED: u32 = 0x100;

#[test]
fn a_log_that_was_off_is_applied_with_a_warning() {
    let dir = scratch();
    let path = dir.path().join("off.img");
    let commands: [(&[&str], bool); 5] = [
        (&["apply-al", "--dry-run"], true),
        (&["apply-al", "--dry-run", "--mark-all"], false),
        (&["export", "--apply-al"], true),
        (&["export", "--apply-al", "--mark-all"], false),
        (&["adopt", "--apply-al", "--dry-run"], true),
    ];
    // Switched off while Primary; while the node was Secondary to nobody; not switched off.
    for (flags, off) in [
        (PRIMARY | DISABLED, true),
        (0x11 | DISABLED, false),
        (PRIMARY, false),
    ] {
        if path.exists() {
            std::fs::remove_file(&path).unwrap();
        }
        let level = Level::v08().unclean().flags(flags).al_nr_extents(67);
        image(&path, 64 * MIB, level.activity_log(one_extent(2).area()));
        for (words, warns) in commands {
            let run = mdtool(words.iter().map(Path::new).chain([path.as_path()]));
            assert_eq!(run.status, 0, "{words:?}: {run:?}");
            let warned = run
                .stderr
                .contains("MDF_AL_DISABLED is set: the activity log was off");
            assert_eq!(warned, off && warns, "{words:?}: {run:?}");
            assert_eq!(
                run.stderr
                    .contains(" --mark-all` marks everything out of sync"),
                warned,
                "{run:?}"
            );
        }
        let run = mdtool([Path::new("al"), &path]);
        assert_eq!(
            run.stdout
                .contains("MDF_AL_DISABLED is set: the log was off"),
            off,
            "{run:?}"
        );
        let run = mdtool([Path::new("al"), &path, Path::new("--json")]);
        assert_eq!(run.stdout.contains("\"log_was_off\": true"), off, "{run:?}");
    }
}
