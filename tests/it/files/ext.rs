//! Every block of file systems of this family.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;

use mdtool::survey::filesystems::Class;

use super::{Answers, assert_kernel_agrees, fiemap, populate};
use crate::support::{LoopDevice, Mounted, require_tool, scratch, sparse, tool};

/// `debugfs` has the inode of every block, or none.
fn icheck(image: &Path, blocks: u64) -> BTreeMap<u64, u64> {
    let image = image.to_str().unwrap();
    let mut found = BTreeMap::new();
    let numbers: Vec<String> = (0..blocks).map(|block| block.to_string()).collect();
    for numbers in numbers.chunks(5000) {
        let request = format!("icheck {}", numbers.join(" "));
        for line in tool("debugfs", &["-R", &request, image]).lines() {
            let (block, inode) = line.split_once('\t').unwrap();
            if let (Ok(block), Ok(inode)) = (block.parse(), inode.parse()) {
                found.insert(block, inode);
            }
        }
    }
    found
}

/// `debugfs` has the names of every inode.
fn ncheck(image: &Path, inodes: &BTreeSet<u64>) -> BTreeMap<u64, BTreeSet<String>> {
    let image = image.to_str().unwrap();
    let mut found: BTreeMap<u64, BTreeSet<String>> = BTreeMap::new();
    let numbers: Vec<String> = inodes.iter().map(ToString::to_string).collect();
    let request = format!("ncheck {}", numbers.join(" "));
    for line in tool("debugfs", &["-R", &request, image]).lines() {
        let (inode, name) = line.split_once('\t').unwrap();
        if let Ok(inode) = inode.parse() {
            // The root's own name is in front of all.
            let name = name.replacen("//", "/", 1);
            found.entry(inode).or_default().insert(name);
        }
    }
    found
}

/// The blocks that `dumpe2fs` lists as free.
pub(crate) fn free(image: &Path) -> BTreeSet<u64> {
    let listing = tool("dumpe2fs", &[image.to_str().unwrap()]);
    let groups = listing
        .lines()
        .filter_map(|line| line.strip_prefix("  Free blocks: "));
    let ranges = groups
        .flat_map(|line| line.split(", "))
        .filter(|range| !range.is_empty());
    ranges
        .flat_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            first.parse().unwrap()..=last.parse().unwrap()
        })
        .collect()
}

fn assert_agrees(image: &Path, size: u64, block: u64) -> Answers {
    let answers = Answers::of(image, block);
    answers.assert_whole(size);
    // The journal, the room for descriptors and the like are classes of their own.
    let expected = icheck(image, size / block)
        .into_iter()
        .filter(|(_, inode)| *inode == 2 || *inode > 10);
    let expected: BTreeMap<u64, BTreeSet<u64>> = expected
        .map(|(block, inode)| (block, [inode].into()))
        .collect();
    assert!(expected.len() > 10);
    let ours = answers.owners();
    let differ: Vec<_> = (0..size / block)
        .filter(|block| ours.get(block) != expected.get(block))
        .map(|block| (block, ours.get(&block), expected.get(&block)))
        .collect();
    assert!(differ.is_empty(), "{:?}", &differ[..differ.len().min(20)]);
    let mut names = answers.paths();
    names.remove(&2);
    let inodes: BTreeSet<u64> = names.keys().copied().collect();
    assert_eq!(names, ncheck(image, &inodes));
    answers
}

/// Makes one with these options, fills it where it can be mounted, and compares.
fn compare(options: &[&str], size: u64, block: u64) {
    let tools = [
        "mkfs.ext4",
        "debugfs",
        "dumpe2fs",
        "filefrag",
        "losetup",
        "mount",
    ];
    if !tools.into_iter().all(require_tool) {
        return;
    }
    let dir = scratch();
    let image = dir.path().join("image");
    sparse(&image, size);
    let block_text = block.to_string();
    let words = [
        &["-q", "-F", "-b", &block_text],
        options,
        &[image.to_str().unwrap()],
    ]
    .concat();
    tool("mkfs.ext4", &words);
    let Some(device) = LoopDevice::over(&image, &[]) else {
        return;
    };
    let at = dir.path().join("mounted");
    std::fs::create_dir(&at).unwrap();
    let mounted = Mounted::of("ext4", device.path(), &at);
    populate(mounted.path(), block);
    drop(mounted);
    let mounted = Mounted::of("ext4", device.path(), &at);
    let kernel = fiemap(&at, block);
    drop(mounted);
    drop(device);
    let answers = assert_agrees(&image, size, block);
    assert_kernel_agrees(&answers, &kernel, block);
    let clusters = options.iter().any(|option| option.contains("bigalloc"));
    let ours = answers.of_class(Class::Free);
    let theirs = free(&image);
    assert!(theirs.len() > 100);
    if clusters {
        assert!(theirs.is_subset(&ours));
    } else {
        assert_eq!(ours, theirs);
    }
    let journal = answers.of_class(Class::Journal);
    assert_eq!(journal.is_empty(), options.contains(&"ext2"));
    assert!(answers.of_class(Class::Unknown).is_empty());
}

const MIB: u64 = 1 << 20;

#[test]
fn ext4_as_it_is_made_by_default() {
    compare(&[], 96 * MIB, 4096);
}

#[test]
fn ext4_with_small_blocks_and_inodes_with_data() {
    compare(&["-O", "inline_data", "-I", "256"], 48 * MIB, 1024);
}

#[test]
fn ext2_with_small_blocks() {
    compare(&["-t", "ext2"], 96 * MIB, 1024);
}

#[test]
fn ext3_with_narrow_descriptors_and_old_inodes() {
    compare(&["-t", "ext3", "-I", "128"], 48 * MIB, 2048);
}

#[test]
fn ext4_with_clusters() {
    compare(&["-O", "bigalloc", "-C", "16384"], 96 * MIB, 4096);
}

#[test]
fn ext4_with_descriptors_in_their_groups() {
    compare(
        &["-O", "meta_bg,^resize_inode,^flex_bg", "-g", "1024"],
        48 * MIB,
        1024,
    );
}

#[test]
fn ext4_with_two_copies_and_no_checksums() {
    compare(
        &["-O", "sparse_super2,^metadata_csum,^64bit,^resize_inode"],
        48 * MIB,
        4096,
    );
}

/// Blocks of 64 KiB: no kernel of a machine with small pages mounts them.
#[test]
fn ext4_with_blocks_larger_than_pages() {
    if !["mkfs.ext4", "debugfs"].into_iter().all(require_tool) {
        return;
    }
    for block in [16_384_u64, 65_536] {
        let dir = scratch();
        let image = dir.path().join("image");
        let size = 128 * MIB;
        sparse(&image, size);
        let image_text = image.to_str().unwrap();
        tool(
            "mkfs.ext4",
            &["-q", "-F", "-b", &block.to_string(), image_text],
        );
        let mut commands = "mkdir d\nmkdir d/e\n".to_owned();
        for i in 0..40_u64 {
            let source = dir.path().join(format!("source{i}"));
            sparse(&source, 0);
            crate::support::patch(&source, 0, &vec![7; usize::try_from(i * 9000).unwrap()]);
            writeln!(commands, "write {} d/e/file{i}", source.display()).unwrap();
        }
        let script = dir.path().join("script");
        sparse(&script, 0);
        crate::support::patch(&script, 0, commands.as_bytes());
        tool(
            "debugfs",
            &["-w", "-f", script.to_str().unwrap(), image_text],
        );
        let answers = assert_agrees(&image, size, block);
        assert_eq!(answers.of_class(Class::Free), free(&image));
        assert!(
            answers
                .paths()
                .values()
                .any(|paths| paths.contains("/d/e/file39"))
        );
    }
}
