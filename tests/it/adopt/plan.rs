//! `mdtool plan`.

use mdtool::builder::Level;

use super::{MIB, dirty, ok, stack, text};
use crate::support::mdtool;

#[test]
fn a_plan_tells_each_way_with_commands() {
    let stack = stack(&[Level::v08(), dirty(Level::v08())], 64 * MIB, "v08");
    let words = ["plan", text(&stack.image), "--stacked", "--compat", "9.22"];
    let names = [
        "--lv-extent",
        "4MiB",
        "--device",
        "/dev/vg/lv",
        "--minor",
        "10",
    ];
    let run = ok(&[&words[..], &names].concat());
    let out = &run.stdout;
    for says in [
        "1. relocate",
        ": feasible",
        "off an extent boundary",
        "linear /dev/vg/lv 0'",
        "--sizelimit ",
        "drbdmeta 10 v08 /dev/vg/lv internal restore-md dump.md",
        "dump v08 with flags 0",
        "never looks for another",
        "bytes are marked out of sync",
    ] {
        assert!(out.contains(says), "{says}: {out}");
    }
    let larger = ["--target-size", "256MiB"];
    let run = ok(&[&words[..], &names, &larger].concat());
    assert!(
        run.stdout.contains("/var/lib/drbd/drbd-minor-10.lkbd")
            && run.stdout.contains("\\t/dev/vg/lv\\n")
            && run.stdout.contains("up to 9.34.0 shift the bitmap"),
        "{run:?}"
    );
    let run = mdtool([&words[..], &["--target-size", "32MiB"]].concat());
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stdout.contains("are missing"), "{run:?}");
}
