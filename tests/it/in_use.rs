//! Targets that somebody else has open: nothing is written, and the message names who it is.

mod qemu;

use std::path::{Path, PathBuf};

use mdtool::builder::Level;
use mdtool::image::WritableFile;

use crate::adopt::{MIB, Stack, dirty, ok, stack, text, whole};
use crate::support::{
    LoopDevice, Mounted, mdtool, require_root, require_tool, scratch, sparse, tool,
};

/// An image with something to adopt.
fn prepared() -> Stack {
    stack(&[Level::v08(), dirty(Level::v08())], 64 * MIB, "v08")
}

/// A device over all of a file.
fn over(file: &Path) -> Option<LoopDevice> {
    LoopDevice::over(file, &[])
}

/// `target`, which is `image` by some name, is refused in these words, by a question as well as by a command; nothing is written.
#[track_caller]
fn refused(target: &Path, image: &Path, says: &str) {
    let (dir, before) = (scratch(), whole(image));
    let undo = dir.path().join("undo");
    let asked = WritableFile::check_open(target).unwrap_err().to_string();
    let run = mdtool([
        "adopt",
        text(target),
        "--stacked",
        "--yes",
        "--undo",
        text(&undo),
    ]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
    for words in [&asked, &run.stderr] {
        assert!(words.contains(says), "{says}: {asked}: {run:?}");
    }
    assert!(run.stderr.contains(text(target)), "{run:?}");
    assert!(run.stderr.contains("\nhint: "), "{run:?}");
    assert_eq!(whole(image), before);
    assert!(!undo.exists());
}

/// It can be written to again.
#[track_caller]
fn free(stack: &Stack, target: &Path) {
    WritableFile::check_open(target).unwrap();
    let undo = stack.file("undo-when-free");
    let adopt = ["adopt", text(target), "--stacked", "--yes", "--undo"];
    ok(&[&adopt[..], &[text(&undo)]].concat());
    ok(&["undo", text(&undo), "--target", text(target)]);
    std::fs::remove_file(undo).unwrap();
}

/// A directory that is seen at another place as well, until it is dropped.
struct Bound(PathBuf);

impl Bound {
    fn at(from: &Path, to: &Path) -> Self {
        tool("mount", &["--bind", text(from), text(to)]);
        Self(to.to_owned())
    }
}

impl Drop for Bound {
    fn drop(&mut self) {
        tool("umount", &[text(&self.0)]);
    }
}

#[test]
fn a_file_under_a_loop_device_is_known_by_every_name() {
    let stack = prepared();
    let (link, moved) = (stack.file("link"), stack.file("moved"));
    let bound = scratch();
    std::fs::hard_link(&stack.image, &link).unwrap();
    let Some(device) = over(&stack.image) else {
        return;
    };
    let says = format!("is in use as {}", device.path());
    refused(&stack.image, &stack.image, &says);
    refused(&link, &link, &says);
    let bind = Bound::at(stack.dir.path(), bound.path());
    refused(&bound.path().join("link"), &link, &says);
    drop(bind);
    std::fs::rename(&stack.image, &moved).unwrap();
    refused(&moved, &moved, &says);
    // The name that the device was set up with is gone, and then another file's.
    std::fs::remove_file(&moved).unwrap();
    refused(&link, &link, &says);
    std::fs::copy(&link, &moved).unwrap();
    refused(&link, &link, &says);
    free(&stack, &moved);
    drop(device);
    free(&stack, &link);
}

#[test]
fn a_loop_device_over_a_mounted_over_file_is_known() {
    let stack = prepared();
    let hidden = stack.file("hidden");
    std::fs::create_dir(&hidden).unwrap();
    let (name, link) = (hidden.join("image"), stack.file("link"));
    std::fs::rename(&stack.image, &name).unwrap();
    std::fs::hard_link(&name, &link).unwrap();
    let Some(device) = over(&name) else {
        return;
    };
    let Some(mounted) = Mounted::small(&hidden, "1M") else {
        return;
    };
    // Another file by the name that the device has.
    sparse(&name, MIB);
    refused(&link, &link, &format!("is in use as {}", device.path()));
    drop(mounted);
    drop(device);
    free(&stack, &link);
}

#[test]
fn a_block_device_under_a_loop_device_is_in_use() {
    if !require_tool("mkfs.ext4") {
        return;
    }
    let (stack, at) = (prepared(), scratch());
    let Some(lower) = over(&stack.image) else {
        return;
    };
    let target = Path::new(lower.path()).to_owned();
    tool("mkfs.ext4", &["-q", "-F", lower.path(), "60M"]);
    let upper = over(&target).unwrap();
    let says = format!("is in use as {}", upper.path());
    refused(&target, &stack.image, &says);
    let mounted = Mounted::of("ext4", upper.path(), at.path());
    let says = format!("{says}, mounted on {}", text(at.path()));
    refused(&target, &stack.image, &says);
    refused(&stack.image, &stack.image, &says);
    let says = format!("is in use, mounted on {}", text(at.path()));
    refused(Path::new(upper.path()), &stack.image, &says);
    drop(mounted);
    drop(upper);
    // What lies below a device is asked as well.
    let upper = over(&target).unwrap();
    let mounted = Mounted::of("ext4", lower.path(), at.path());
    let says = format!("is in use as {}, mounted on", lower.path());
    refused(Path::new(upper.path()), &stack.image, &says);
    drop(mounted);
    free(&stack, Path::new(upper.path()));
}

#[test]
fn two_loop_devices_over_the_same_bytes_are_in_each_other_s_way() {
    let stack = prepared();
    let Some(one) = over(&stack.image) else {
        return;
    };
    let two = over(&stack.image).unwrap();
    let says = format!("is in use as {}", two.path());
    refused(Path::new(one.path()), &stack.image, &says);
    drop(two);
    // Beside each other they are not.
    let start = (64 * MIB).to_string();
    crate::support::lengthen(&stack.image, &[0; 4096]);
    let beside = LoopDevice::over(&stack.image, &["--offset", &start]).unwrap();
    drop(one);
    let one = LoopDevice::over(&stack.image, &["--sizelimit", &start]).unwrap();
    free(&stack, Path::new(one.path()));
    drop(beside);
}

/// 20 MiB of a device, until it is dropped.
struct Partition {
    disk: String,
    number: &'static str,
}

impl Partition {
    fn of(disk: &LoopDevice, number: &'static str, start: &str) -> Self {
        tool("addpart", &[disk.path(), number, start, "40960"]);
        Self {
            disk: disk.path().to_owned(),
            number,
        }
    }

    fn path(&self) -> String {
        format!("{}p{}", self.disk, self.number)
    }
}

impl Drop for Partition {
    fn drop(&mut self) {
        tool("delpart", &[&self.disk, self.number]);
    }
}

#[test]
fn a_disk_is_in_use_by_what_is_done_with_its_partitions() {
    if !require_tool("mkfs.ext4") || !require_tool("addpart") {
        return;
    }
    let (stack, at) = (prepared(), scratch());
    let Some(disk) = over(&stack.image) else {
        return;
    };
    // Told to the kernel one by one: it need not know any partition table for that.
    let parts = [
        Partition::of(&disk, "1", "2048"),
        Partition::of(&disk, "2", "43008"),
    ];
    let [one, two] = parts.each_ref().map(Partition::path);
    tool("mkfs.ext4", &["-q", "-F", &one]);
    let whole_disk = Path::new(disk.path());
    WritableFile::check_open(whole_disk).unwrap();
    let mounted = Mounted::of("ext4", &one, at.path());
    let says = format!("is in use as {one}, mounted on {}", text(at.path()));
    refused(whole_disk, &stack.image, &says);
    refused(&stack.image, &stack.image, &says);
    // The other partition has nothing to do with it.
    WritableFile::check_open(two.as_ref()).unwrap();
    drop(mounted);
    let upper = over(one.as_ref()).unwrap();
    refused(whole_disk, &stack.image, &format!("as {}", upper.path()));
    refused(one.as_ref(), &stack.image, &format!("as {}", upper.path()));
    WritableFile::check_open(two.as_ref()).unwrap();
    drop(upper);
    let beside = over(&stack.image).unwrap();
    let says = format!("is in use as {}", beside.path());
    refused(two.as_ref(), &stack.image, &says);
    drop(beside);
    WritableFile::check_open(two.as_ref()).unwrap();
}

/// Swap that is on, until it is dropped.
struct Swap<'a>(&'a str);

impl<'a> Swap<'a> {
    fn on(space: &'a str) -> Self {
        tool("mkswap", &["-q", space]);
        tool("swapon", &[space]);
        Self(space)
    }
}

impl Drop for Swap<'_> {
    fn drop(&mut self) {
        tool("swapoff", &[self.0]);
    }
}

#[test]
fn swap_is_in_use() {
    if !require_tool("swapon") || !require_root() {
        return;
    }
    let stack = prepared();
    let Some(device) = over(&stack.image) else {
        return;
    };
    let swap = Swap::on(device.path());
    let words = format!("is in use as {}, used as swap space", device.path());
    let asked = WritableFile::check_open(&stack.image).unwrap_err();
    assert_eq!(asked.to_string(), words);
    let asked = WritableFile::check_open(device.path().as_ref()).unwrap_err();
    assert_eq!(asked.to_string(), "is in use, used as swap space");
    drop(swap);
}

#[test]
fn another_mdtool_is_named() {
    let stack = prepared();
    let held = WritableFile::open(&stack.image).unwrap();
    let run = mdtool(["adopt", text(&stack.image), "--stacked", "--yes"]);
    assert_eq!(run.status, 2, "{run:?}");
    let us = format!("(process {})", std::process::id());
    assert!(run.stderr.contains("cannot lock: opened by "), "{run:?}");
    assert!(run.stderr.contains(&us), "{run:?}");
    drop(held);
    free(&stack, &stack.image);
}

#[test]
fn what_is_asked_is_not_kept_from_others() {
    let stack = prepared();
    WritableFile::check_open(&stack.image).unwrap();
    let held = WritableFile::open(&stack.image).unwrap();
    WritableFile::check_open(&stack.image).unwrap_err();
    drop(held);
    let read_only = std::fs::metadata(&stack.image).unwrap().permissions();
    WritableFile::check_open(&stack.image).unwrap();
    assert_eq!(
        std::fs::metadata(&stack.image).unwrap().permissions(),
        read_only
    );
    let Some(device) = LoopDevice::over(&stack.image, &["--read-only"]) else {
        return;
    };
    let refused = WritableFile::check_open(device.path().as_ref()).unwrap_err();
    assert_eq!(refused.to_string(), "cannot open");
    assert!(matches!(refused, mdtool::error::Error::Io(_)));
}
