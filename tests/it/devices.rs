//! Block devices as targets: loop devices, with sectors of 512 and of 4096 bytes, and those that are in use or read-only.

use mdtool::builder::Level;
use mdtool::image::WritableFile;

use crate::adopt::{MIB, Stack, dirty, ok, stack, text, whole};
use crate::apply_al::{PRIMARY, image, one_extent};
use crate::support::{LoopDevice, Mounted, mdtool, require_tool, scratch, sparse, tool};

/// Runs a command on a device over the image, and undoes it.
fn there_and_back(stack: &Stack, sector: &str, command: &str, more: &[&str]) {
    let before = whole(&stack.image);
    let Some(device) = LoopDevice::over(&stack.image, &["-b", sector]) else {
        return;
    };
    let undo = stack.file(&format!("{command}-{sector}.undo"));
    let words = [
        &[command, device.path()],
        more,
        &["--yes", "--undo", text(&undo)],
    ];
    ok(&words.concat());
    assert_ne!(whole(&stack.image), before, "{command} does something");
    let run = ok(&["locate", device.path()]);
    assert!(run.stdout.contains(" clean "), "{run:?}");
    ok(&["undo", text(&undo)]);
    assert_eq!(whole(&stack.image), before);
    let again = ok(&["undo", text(&undo)]);
    assert!(
        again.stderr.contains("as it was before already"),
        "{again:?}"
    );
}

#[test]
fn what_is_written_to_a_device_is_found_there_and_undone() {
    for sector in ["512", "4096"] {
        let two = stack(&[Level::v08(), dirty(Level::v08())], 64 * MIB, "v08");
        there_and_back(&two, sector, "adopt", &["--stacked"]);
        let dump = two.file("dump.md");
        ok(&["export", text(&two.image), "--stacked", "-o", text(&dump)]);
        there_and_back(&two, sector, "import", &[text(&dump)]);
        std::fs::remove_file(&two.image).unwrap();
        let level = Level::v08().unclean().flags(PRIMARY).al_nr_extents(67);
        let level = level.activity_log(one_extent(2).area());
        image(&two.image, 64 * MIB, level);
        there_and_back(&two, sector, "apply-al", &[]);
    }
}

#[test]
fn a_device_is_not_cut_off_and_takes_external_metadata() {
    let stack = stack(&[Level::v08(), dirty(Level::v08())], 64 * MIB, "v08");
    let before = whole(&stack.image);
    let meta = stack.file("meta");
    sparse(&meta, MIB);
    let (Some(device), Some(on_meta)) = (
        LoopDevice::over(&stack.image, &[]),
        LoopDevice::over(&meta, &[]),
    ) else {
        return;
    };
    let adopt = ["adopt", device.path(), "--stacked", "--yes", "--strategy"];
    let run = mdtool([&adopt[..], &["truncate"]].concat());
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
    assert!(
        run.stderr
            .contains("is a block device, expected a regular file"),
        "{run:?}"
    );
    assert_eq!(whole(&stack.image), before);
    let undo = stack.file("undo");
    let external = ["external", "--meta", on_meta.path(), "--undo", text(&undo)];
    ok(&[&adopt[..], &external].concat());
    let run = ok(&["locate", on_meta.path(), "--index", "flex-external"]);
    assert!(run.stdout.contains(" clean "), "{run:?}");
    assert_eq!(mdtool(["locate", device.path()]).status, 1);
    // One change of two targets has one undo file.
    ok(&["undo", text(&undo)]);
    assert_eq!(whole(&stack.image), before);
}

/// Every command that writes is refused, and says why.
#[track_caller]
fn all_refused(stack: &Stack, device: &str, says: &str) {
    let before = whole(&stack.image);
    let (dump, undo) = (stack.file("dump.md"), stack.file("made"));
    let names = || std::fs::read_dir(stack.dir.path()).unwrap().count();
    let there = names();
    let adopt = ["adopt", device, "--stacked"];
    for words in [
        &adopt[..],
        &["import", device, text(&dump)],
        &["apply-al", device, "--mark-all"],
        &["undo", text(&undo), "--target", device],
    ] {
        let run = mdtool(words.iter().chain(&["--yes"]));
        assert_eq!(
            (run.status, run.stdout.as_str()),
            (2, ""),
            "{words:?}: {run:?}"
        );
        assert!(run.stderr.contains(says), "{words:?}: {run:?}");
        assert!(run.stderr.contains(device), "{words:?}: {run:?}");
        assert_eq!(whole(&stack.image), before, "{words:?}");
        assert_eq!(names(), there, "{words:?}: no undo file is left");
    }
}

/// A stack, a dump of its inner resource, and the undo file of an import that was undone.
fn prepared() -> Stack {
    let stack = stack(&[Level::v08(), dirty(Level::v08())], 64 * MIB, "v08");
    let (dump, undo) = (stack.file("dump.md"), stack.file("made"));
    let image = text(&stack.image);
    ok(&["export", image, "--stacked", "-o", text(&dump)]);
    let import = ["import", image, text(&dump), "--yes"];
    ok(&[&import[..], &["--undo", text(&undo)]].concat());
    stack
}

#[test]
fn a_device_that_another_process_has_is_refused() {
    let stack = prepared();
    let Some(device) = LoopDevice::over(&stack.image, &[]) else {
        return;
    };
    let held = WritableFile::open(device.path().as_ref()).unwrap();
    all_refused(&stack, device.path(), "busy");
    drop(held);
    let undo = ["undo", text(&stack.file("made")), "--target", device.path()].map(str::to_owned);
    ok(&undo.each_ref().map(String::as_str));
}

#[test]
fn a_mounted_device_is_refused() {
    if !require_tool("mkfs.ext4") {
        return;
    }
    let stack = prepared();
    let Some(device) = LoopDevice::over(&stack.image, &[]) else {
        return;
    };
    // It ends before the metadata begins.
    tool("mkfs.ext4", &["-q", "-F", device.path(), "60M"]);
    let at = scratch();
    let mounted = Mounted::of("ext4", device.path(), at.path());
    all_refused(&stack, device.path(), "busy");
    let run = mdtool(["adopt", device.path(), "--stacked", "--yes"]);
    assert!(run.stderr.contains("hint: it is mounted"), "{run:?}");
    drop(mounted);
}

#[test]
fn a_file_is_refused_while_a_loop_device_is_over_it() {
    let stack = prepared();
    // Mounted or not: what is written to the file is not seen through the device's cache.
    let Some(device) = LoopDevice::over(&stack.image, &["--read-only"]) else {
        return;
    };
    let image = text(&stack.image).to_owned();
    all_refused(&stack, &image, &format!("is in use as {}", device.path()));
    let run = mdtool(["adopt", &image, "--stacked", "--dry-run"]);
    assert_eq!(run.status, 2, "refused as the real run is: {run:?}");
    let looked = mdtool(["locate", &image, "--stacked"]);
    assert_eq!(looked.status, 0, "looking is no harm: {looked:?}");
    drop(device);
    ok(&["adopt", &image, "--stacked", "--yes"]);
}

#[test]
fn a_read_only_device_is_refused() {
    let stack = prepared();
    let Some(device) = LoopDevice::over(&stack.image, &["--read-only"]) else {
        return;
    };
    all_refused(&stack, device.path(), "Read-only file system");
}
