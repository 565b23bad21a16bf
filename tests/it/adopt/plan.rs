//! `mdtool plan`.

use mdtool::builder::Level;

use super::{MIB, dirty, ok, stack, text, v09};
use crate::support::{LoopDevice, lengthen, mdtool};

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
        "no restore-md initialises the activity log",
        "never looks for another",
        "printf '67067904\\t/dev/vg/lv\\nuuid:\\tDE016D64746F6F6C\\n' > /var/lib/drbd/drbd-minor-10.lkbd",
        "mdtool adopt /dev/vg/lv --stacked --undo",
        "mdtool adopt /dev/vg/lv --stacked --strategy external",
        "bytes are marked out of sync",
    ] {
        assert!(out.contains(says), "{says}: {out}");
    }
    // mdtool exports here: a bug of drbd-utils' own dump-md is none of these commands'.
    assert!(!out.contains("dump v08 with flags 0"), "{out}");
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

/// The commands of one way.
fn commands(words: &[&str], way: &str) -> Vec<String> {
    let run = ok(&[&["plan"], words, &["--json"]].concat());
    let plan: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let commands = plan["ways"][way]["commands"].as_array().unwrap();
    let commands = commands.iter().map(|command| command.as_str().unwrap());
    commands.map(str::to_owned).collect()
}

#[test]
fn the_commands_are_for_the_disk_that_was_meant() {
    let stack = stack(&[Level::v08(), dirty(Level::v08())], 64 * MIB, "v08");
    let image = text(&stack.image);
    let here = [image, "--stacked"];
    assert_eq!(
        commands(&here, "relocate"),
        [format!("mdtool adopt {image} --stacked --undo adopt.undo")]
    );
    // What fits a larger disk would be wrong on the image.
    let larger = [&here[..], &["--target-size", "256MiB"]].concat();
    let adopt = "mdtool adopt DEVICE --stacked --undo adopt.undo";
    assert_eq!(commands(&larger, "relocate"), [adopt]);
    let named = [&larger[..], &["--device", "/dev/x y"]].concat();
    let adopt = "mdtool adopt '/dev/x y' --stacked --undo adopt.undo";
    assert_eq!(commands(&named, "relocate"), [adopt]);
    let cut = commands(&named, "truncate");
    assert!(
        cut.len() == 2 && cut[1].ends_with(" '/dev/x y'"),
        "no device is cut off: {cut:?}"
    );
}

#[test]
fn the_window_of_a_file_that_goes_on_is_shown_and_not_cut() {
    let stack = stack(&[Level::v08(), dirty(Level::v08())], 64 * MIB, "v08");
    lengthen(&stack.image, &[0x77; 8192]);
    let image = text(&stack.image);
    let words = [image, "--stacked", "--size", "64MiB"];
    let cut = commands(&words, "truncate");
    assert_eq!(
        cut,
        [format!(
            "losetup --find --show --sizelimit {} {image}",
            64 * MIB - 49_152 + 4096 + 4096
        )]
    );
}

#[test]
fn the_commands_for_a_device_do_what_they_say() {
    let stack = stack(&[v09(1), dirty(v09(3))], 64 * MIB, "v09");
    let Some(device) = LoopDevice::over(&stack.image, &[]) else {
        return;
    };
    let words = [device.path(), "--stacked", "--resource", "r20"];
    let adopt = format!("mdtool adopt {} --stacked", device.path());
    assert!(commands(&words, "relocate")[0].starts_with(&adopt));
    let cut = commands(&words, "truncate");
    let [table, window, right] = cut.as_slice() else {
        panic!("{cut:?}")
    };
    assert!(
        table.starts_with("dmsetup create r20 --table '0 ")
            && table.ends_with(&format!("linear {} 0'", device.path())),
        "{table}"
    );
    assert_eq!(
        right,
        "mdtool adopt /dev/mapper/r20 --node-id N --undo adopt.undo"
    );
    let window: Vec<&str> = window.split(' ').collect();
    let [_, _, _, options @ .., over] = window.as_slice() else {
        panic!("{window:?}")
    };
    assert_eq!(*over, device.path());
    let window = LoopDevice::over(over.as_ref(), options).unwrap();
    let run = ok(&["locate", window.path()]);
    assert!(run.stdout.contains(" single "), "{run:?}");
    let undo = stack.file("undo");
    let right = ["adopt", window.path(), "--node-id", "1", "--yes", "--undo"];
    ok(&[&right[..], &[text(&undo)]].concat());
    let run = ok(&["export", window.path()]);
    assert!(run.stdout.contains("node-id 1;"), "{run:?}");
    assert!(run.stdout.contains("flags 0x00010000"), "{run:?}");
}
