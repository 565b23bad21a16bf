//! Clearing what the device does not have, does not use, or has as zeros.

use std::collections::BTreeSet;

use super::{SIZE, change, image_of, shown, two_peers};
use crate::import::text;
use crate::support::{patch, peek, put, require_tool, sparse, tool};

#[test]
fn holes_and_zeros_are_cleared_for_a_blank_peer_only() {
    let (dir, image) = image_of(two_peers());
    assert_eq!(change("set", &image, &["--all", "--peer", "1"]).status, 0);
    for words in [
        &["--holes", "--peer", "1"][..],
        &["--holes", "--peer-is-blank"],
        &["--zeros", "--slot", "0", "--peer-is-blank"],
    ] {
        assert_eq!(change("clear", &image, words).status, 2, "{words:?}");
    }
    patch(&image, 3 << 20, &[1; 100]);
    patch(&image, (8 << 20) + 5000, &[1]);
    let zeros = change(
        "clear",
        &image,
        &["--zeros", "--peer", "1", "--peer-is-blank"],
    );
    assert_eq!(zeros.status, 0, "{}", zeros.stderr);
    assert!(
        zeros
            .stderr
            .contains("claims that the peer's disk reads as zeros"),
        "{}",
        zeros.stderr
    );
    assert_eq!(shown(&image, "0"), "3145728 4096\n8392704 4096\n");
    // A sparse file with two stretches of data, one of them zeros.
    let holes = dir.path().join("sparse");
    sparse(&holes, SIZE);
    let metadata = 20 << 20;
    patch(
        &holes,
        metadata,
        &peek(&image, metadata, (SIZE - metadata) as usize),
    );
    patch(&holes, 1 << 20, &[0; 8192]);
    patch(&holes, 6 << 20, &[7; 4096]);
    assert_eq!(change("set", &holes, &["--all", "--peer", "1"]).status, 0);
    let run = change(
        "clear",
        &holes,
        &["--holes", "--peer", "1", "--peer-is-blank"],
    );
    assert_eq!(run.status, 0, "{}", run.stderr);
    let ranges = shown(&holes, "0");
    assert!(
        ranges.starts_with("1048576 8192\n6291456 4096\n20971520 "),
        "{ranges}"
    );
}

/// The first block, and how many, of each run of bits in a slot.
fn blocks(ranges: &str) -> BTreeSet<u64> {
    let lines = ranges.lines().map(|line| line.split_once(' ').unwrap());
    let block = |text: &str| text.parse::<u64>().unwrap() / 4096;
    lines
        .flat_map(|(start, len)| block(start)..block(start) + block(len))
        .collect()
}

#[test]
fn free_space_is_what_dumpe2fs_has_free() {
    if !["mkfs.ext4", "dumpe2fs"].into_iter().all(require_tool) {
        return;
    }
    let (dir, image) = image_of(two_peers());
    let (root, file_system) = (dir.path().join("root"), dir.path().join("ext4"));
    std::fs::create_dir(&root).unwrap();
    for (name, len) in [("one", 700_000), ("two", 5), ("three", 3_000_000)] {
        put(&root.join(name), &vec![3; len]);
    }
    let size = 20 << 20;
    sparse(&file_system, size);
    let made = [
        "-q",
        "-F",
        "-b",
        "4096",
        "-d",
        text(&root),
        text(&file_system),
    ];
    tool("mkfs.ext4", &made);
    let content = peek(&file_system, 0, size as usize);
    patch(&image, 0, &content);
    assert_eq!(change("set", &image, &["--all", "--peer", "1"]).status, 0);
    let before = blocks(&shown(&image, "0"));
    let words = ["--free-space", "--peer", "1", "--peer-is-blank"];
    let run = change("clear", &image, &words);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let free = crate::files::ext::free(&file_system);
    assert!(free.len() > 1000, "{free:?}");
    let expected: BTreeSet<u64> = before.difference(&free).copied().collect();
    assert_eq!(blocks(&shown(&image, "0")), expected);
    // A journal that is not replayed: needs_recovery.
    patch(&image, 1024 + 0x60, &[content[1024 + 0x60] | 4]);
    let old = change("clear", &image, &words);
    assert_eq!(old.status, 2, "{}", old.stdout);
    assert!(old.stderr.contains("may be in use"), "{}", old.stderr);
}
