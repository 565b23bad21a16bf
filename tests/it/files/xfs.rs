//! Every block of an XFS.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use mdtool::survey::filesystems::Class;

use super::{Answers, assert_kernel_agrees, fiemap, populate};
use crate::support::{LoopDevice, Mounted, patch, peek, require_tool, scratch, sparse, tool};

const MIB: u64 = 1 << 20;

/// The blocks that `xfs_db` lists as free, counted from the start of the device.
fn free(image: &Path, group_blocks: u64) -> BTreeSet<u64> {
    let listing = tool(
        "xfs_db",
        &["-r", "-c", "freesp -d", image.to_str().unwrap()],
    );
    // A heading, the extents, and then sums with more columns.
    let columns = |line: &str| line.split_whitespace().count();
    let extents = listing
        .lines()
        .skip(1)
        .take_while(|line| columns(line) == 3);
    let rows = extents.map(|line| {
        let numbers: Vec<u64> = line
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect();
        (numbers[0] * group_blocks + numbers[1], numbers[2])
    });
    rows.flat_map(|(first, count)| first..first + count)
        .collect()
}

fn field(image: &Path, name: &str) -> u64 {
    let print = format!("print {name}");
    let line = tool(
        "xfs_db",
        &["-r", "-c", "sb 0", "-c", &print, image.to_str().unwrap()],
    );
    line.split(" = ").nth(1).unwrap().parse().unwrap()
}

/// Free is what `xfs_db` has as free; it counts the blocks that are ready for trees as well.
fn assert_free(answers: &Answers, image: &Path) {
    let theirs = free(image, field(image, "agblocks"));
    assert!(theirs.len() > 100);
    let listed = answers
        .stretches
        .iter()
        .filter(|one| one.detail == "list of blocks for trees");
    let mut ours = answers.of_class(Class::Free);
    ours.extend(listed.flat_map(|one| answers.blocks(one)));
    assert_eq!(ours, theirs);
}

/// As a crash at this moment would leave it.
fn assert_crashed_is_noted(image: &Path, mounted: &Path, block: u64) {
    tool("sync", &["-f", mounted.to_str().unwrap()]);
    let crashed = image.with_extension("crashed");
    std::fs::copy(image, &crashed).unwrap();
    let notes = Answers::of(&crashed, block).notes;
    assert!(
        notes
            .iter()
            .any(|note| note.contains("it was not unmounted")),
        "{notes:?}"
    );
    std::fs::remove_file(crashed).unwrap();
}

fn compare(options: &[&str], size: u64, block: u64) -> Option<Answers> {
    let tools = ["mkfs.xfs", "xfs_db", "filefrag", "losetup", "mount"];
    if !tools.into_iter().all(require_tool) {
        return None;
    }
    let dir = scratch();
    let image = dir.path().join("image");
    sparse(&image, size);
    let block_size = format!("size={block}");
    tool(
        "mkfs.xfs",
        &[
            &["-q", "-f", "-b", &block_size],
            options,
            &[image.to_str().unwrap()],
        ]
        .concat(),
    );
    let device = LoopDevice::over(&image, &[])?;
    let at = dir.path().join("mounted");
    std::fs::create_dir(&at).unwrap();
    let mounted = Mounted::of("xfs", device.path(), &at);
    populate(mounted.path(), block);
    assert_crashed_is_noted(&image, mounted.path(), block);
    let share = options.iter().any(|option| option.contains("reflink=1"));
    if share {
        let run = Command::new("cp")
            .arg("--reflink=always")
            .arg(at.join("holes"))
            .arg(at.join("a copy of holes"))
            .status();
        assert!(run.unwrap().success());
    }
    // What the kernel allocated in advance is given back when it is unmounted.
    drop(mounted);
    let mounted = Mounted::of("xfs", device.path(), &at);
    let kernel = fiemap(&at, block);
    drop(mounted);
    drop(device);
    let answers = Answers::of(&image, block);
    assert_eq!(answers.notes, [""; 0], "it was unmounted");
    answers.assert_whole(size);
    assert_kernel_agrees(&answers, &kernel, block);
    assert_free(&answers, &image);
    let log = answers.of_class(Class::Journal).len() as u64;
    assert_eq!(log, field(&image, "logblocks"));
    let unknown: Vec<_> = answers
        .stretches
        .iter()
        .filter(|one| one.class == Class::Unknown)
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    Some(answers)
}

#[test]
fn version_5_as_it_is_made_by_default_with_shared_blocks() {
    let Some(answers) = compare(&["-m", "reflink=1,rmapbt=1"], 512 * MIB, 4096) else {
        return;
    };
    let both =
        |paths: BTreeSet<String>| paths.contains("/holes") && paths.contains("/a copy of holes");
    let shared = answers.stretches.iter().any(|stretch| {
        let paths = stretch.owners.iter().flat_map(|owner| &owner.paths);
        both(
            paths
                .map(|path| String::from_utf8_lossy(path).into_owned())
                .collect(),
        )
    });
    assert!(shared, "a block with two owners");
}

#[test]
fn version_5_with_small_blocks_and_large_directory_blocks() {
    compare(&["-n", "size=8192", "-m", "reflink=0"], 512 * MIB, 1024);
}

/// No kernel mounts it any more where that was left out: mkfs fills it.
#[test]
fn version_4() {
    if !["mkfs.xfs", "xfs_db"].into_iter().all(require_tool) {
        return;
    }
    let dir = scratch();
    let image = dir.path().join("image");
    let text = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        sparse(&path, 0);
        patch(&path, 0, bytes);
        path.to_str().unwrap().to_owned()
    };
    let source = text("source", &vec![7; 300_000]);
    let files: Vec<String> = (0..200)
        .map(|i| {
            format!(
                "file{i} ---644 0 0 {source}
"
            )
        })
        .collect();
    let files = files.concat();
    let proto = text(
        "proto",
        format!("/\n0 0\nd--755 0 0\nd d--755 0 0\n{files}$\n$\n").as_bytes(),
    );
    sparse(&image, 512 * MIB);
    let words = [
        "-q",
        "-f",
        "-m",
        "crc=0",
        "-n",
        "ftype=0",
        "-p",
        &proto,
        image.to_str().unwrap(),
    ];
    tool("mkfs.xfs", &words);
    let answers = Answers::of(&image, 4096);
    assert_eq!(answers.notes, [""; 0], "mkfs leaves it unmounted");
    answers.assert_whole(512 * MIB);
    assert_free(&answers, &image);
    let paths = answers.paths();
    assert!(
        paths.values().any(|paths| paths.contains("/d/file199")),
        "{paths:?}"
    );
    let data = answers.of_class(Class::File);
    assert_eq!(data.len(), 200 * 74, "300000 bytes have 74 blocks");
    for block in data {
        assert_eq!(peek(&image, block * 4096, 32), [7; 32]);
    }
}
