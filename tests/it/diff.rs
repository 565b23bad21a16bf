//! `mdtool diff`: planted differences, held against a model of bits.

use std::collections::BTreeMap;
use std::path::Path;

use mdtool::builder::{Level, Peer, build};
use mdtool::image::{MemImage, ReadAt};
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId};
use proptest::prelude::*;
use serde_json::Value;

use crate::support::{mdtool, patch, peek, scratch, sparse};

const SIZE: u64 = 16 << 20;
/// As far as all devices go: metadata lies behind.
const DATA: u64 = 12 << 20;

/// A disk of node `own` whose slot toward the other has these ranges, with this data.
fn disk(
    path: &Path,
    own: u8,
    size: u64,
    per_bit: u64,
    dirty: &[(u64, u64)],
    data: &[(u64, u64, u8)],
) {
    let other = NodeId::new(1 - own);
    let slot = BitmapIndex::new(own);
    let mut level = Level::v09(2)
        .bytes_per_bit(Bytes::new(per_bit))
        .node_id(NodeId::new(own))
        .peer(other, Peer::in_slot(slot));
    for (start, len) in dirty {
        level = level.dirty(slot, DevPos::new(*start)..DevPos::new(start + len));
    }
    let size = Bytes::new(size);
    let mut image = MemImage::new(size);
    build(&mut image, ImagePos::START, size, &[level]).unwrap();
    let mut tail = vec![0; usize::try_from(size.get() - DATA).unwrap()];
    image.read_exact_at(ImagePos::new(DATA), &mut tail).unwrap();
    sparse(path, size.get());
    patch(path, DATA, &tail);
    for (at, len, byte) in data {
        patch(path, *at, &vec![*byte; usize::try_from(*len).unwrap()]);
    }
}

fn content(data: &[(u64, u64, u8)]) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(DATA).unwrap()];
    for (at, len, byte) in data {
        bytes[*at as usize..(at + len) as usize].fill(*byte);
    }
    bytes
}

/// Pieces within the data.
fn pieces() -> impl Strategy<Value = Vec<(u64, u64)>> {
    let piece = (0..DATA - 600_000, prop_oneof![1_u64..9000, 1_u64..600_000]);
    proptest::collection::vec(piece, 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(16)))]

    #[test]
    fn the_three_classes_are_those_of_a_model(
        shift in 12..=20_u32, common in pieces(), planted in pieces(), of_a in pieces(), of_b in pieces()
    ) {
        let per_bit = 1_u64 << shift;
        let dir = scratch();
        let (a, b) = (dir.path().join("a"), dir.path().join("b"));
        let same: Vec<_> = common.iter().map(|(at, len)| (*at, *len, 5)).collect();
        let more: Vec<_> = same.iter().copied().chain(planted.iter().map(|(at, len)| (*at, *len, 6))).collect();
        disk(&a, 0, SIZE, per_bit, &of_a, &same);
        disk(&b, 1, SIZE + (1 << 20), per_bit, &of_b, &more);
        let run = mdtool(["diff", "--json", a.to_str().unwrap(), b.to_str().unwrap()]);
        let (one, other) = (content(&same), content(&more));
        let mut expected: BTreeMap<&str, u64> = BTreeMap::new();
        for start in (0..DATA).step_by(per_bit as usize) {
            let end = start + per_bit;
            let differ = one[start as usize..end as usize] != other[start as usize..end as usize];
            let marks = |(at, len): &(u64, u64)| *at < end && start < at + len;
            let marked = of_a.iter().any(marks) || of_b.iter().any(marks);
            let class = match (differ, marked) {
                (true, true) => "differ_marked_bytes",
                (true, false) => "differ_unmarked_bytes",
                (false, true) => "equal_marked_bytes",
                (false, false) => continue,
            };
            *expected.entry(class).or_default() += per_bit;
        }
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        for class in ["differ_marked_bytes", "differ_unmarked_bytes", "equal_marked_bytes"] {
            let found = document[class].as_u64().unwrap();
            prop_assert_eq!(found, expected.get(class).copied().unwrap_or(0), "{} {:?}", class, document);
            let name = class.trim_end_matches("_bytes");
            let ranges = document["ranges"].as_array().unwrap().iter().filter(|range| range["class"] == name);
            prop_assert_eq!(ranges.map(|range| range["bytes"].as_u64().unwrap()).sum::<u64>(), found);
        }
        let differ = one != other;
        prop_assert_eq!(run.status, i32::from(differ), "{}", run.stderr);
        prop_assert!(run.stderr.contains("the first"), "sizes differ: {}", run.stderr);
    }
}

/// What is out of sync in A's slot.
fn marked(image: &Path) -> String {
    mdtool(["bitmap", "show", image.to_str().unwrap(), "--ranges"]).stdout
}

#[test]
fn what_differs_unmarked_is_marked_in_a_and_nothing_else() {
    let dir = scratch();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let undo = dir.path().join("undo");
    let planted = [(1 << 20, 5, 7), (3 << 20, 70_000, 7), (6 << 20, 4096, 7)];
    // One of the differences is known to A, another to B.
    disk(&a, 0, SIZE, 16384, &[(3 << 20, 4096), (8 << 20, 4096)], &[]);
    disk(&b, 1, SIZE, 4096, &[(6 << 20, 4096)], &planted);
    let (a_name, b_name) = (a.to_str().unwrap(), b.to_str().unwrap());
    let silent = mdtool(["diff", a_name, b_name]);
    assert_eq!(silent.status, 1, "{}", silent.stderr);
    assert!(
        silent.stderr.contains("--set-bits --sync-source"),
        "{}",
        silent.stderr
    );
    let before = peek(&a, 0, SIZE as usize);
    let more = [
        "--set-bits",
        "--yes",
        "--json",
        "--undo",
        undo.to_str().unwrap(),
    ];
    let run = mdtool([&["diff", a_name, b_name], &more[..]].concat());
    assert_eq!(run.status, 1, "{}", run.stderr);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["differ_unmarked_bytes"], 4096 + 14 * 4096);
    let change = &document["set_bits"];
    assert_eq!(
        (&change["outcome"], &change["action"]),
        (&"done".into(), &"set".into())
    );
    assert_eq!(change["handshake"]["decision"], "no-sync", "{change}");
    // Whole bits of 16 KiB: what was marked before, and all of both differences.
    assert_eq!(marked(&a), "1048576 16384\n3145728 81920\n8388608 16384\n");
    let after = peek(&a, 0, SIZE as usize);
    assert!(after[..DATA as usize] == before[..DATA as usize], "data");
    // All of it is marked now, and marking once more changes nothing.
    let again = mdtool(["diff", a_name, b_name, "--set-bits", "--yes"]);
    assert!(
        again.stdout.contains("differs, not marked: 0 bytes"),
        "{}",
        again.stdout
    );
    assert!(again.stdout.contains("nothing to do"), "{}", again.stdout);
    assert_eq!(mdtool(["undo", undo.to_str().unwrap(), "--yes"]).status, 0);
    assert!(peek(&a, 0, SIZE as usize) == before, "undone");
    let dry = mdtool(["diff", a_name, b_name, "--set-bits", "--dry-run"]);
    assert_eq!(dry.status, 1, "{}", dry.stderr);
    assert!(peek(&a, 0, SIZE as usize) == before, "--dry-run");
}

#[test]
fn with_sync_source_the_handshake_sends_what_differs() {
    let dir = scratch();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    disk(&a, 0, SIZE, 4096, &[], &[(2 << 20, 8192, 9)]);
    disk(&b, 1, SIZE, 4096, &[], &[]);
    let (a, b) = (a.to_str().unwrap(), b.to_str().unwrap());
    let run = mdtool(["diff", a, b, "--set-bits", "--sync-source", "--yes"]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    assert!(run.stderr.contains("next: "), "{}", run.stderr);
    let compared = mdtool(["compare", a, b, "--json"]);
    let document: Value = serde_json::from_str(&compared.stdout).unwrap();
    assert_eq!(
        document["pairs"][0]["decision"], "source-bitmap",
        "{document}"
    );
    assert!(compared.stdout.contains("8192"), "{document}");
}

/// Chunks of a list.
const CHUNK: u64 = 65536;

/// Two replicas that differ in three chunks, of two of which B has a bit marked; a list of A's checksums, and the device's size.
fn listed(dir: &Path) -> ([String; 3], u64) {
    let (a, b, list) = (dir.join("a"), dir.join("b"), dir.join("list"));
    let planted = [(1 << 20, 5, 7), (3 << 20, 70_000, 7), (9 << 20, 4096, 7)];
    disk(&a, 0, SIZE, 4096, &[], &[(9 << 20, 4096, 7)]);
    let dirty = [(3 << 20, 4096), (5 << 20, 4096)];
    disk(&b, 1, SIZE, 4096, &dirty, &planted);
    let names = [&a, &b, &list].map(|path| path.to_str().unwrap().to_owned());
    let device = mdtool(["bitmap", "show", &names[1], "--json"]);
    let device: Value = serde_json::from_str(&device.stdout).unwrap();
    let device = device["device_bytes"].as_u64().unwrap();
    let size = device.to_string();
    let summed = [
        "sum", &names[0], "--size", &size, "--chunk", "64KiB", "-o", &names[2],
    ];
    assert_eq!(mdtool(summed).status, 0);
    (names, device)
}

#[test]
fn a_list_of_checksums_stands_for_the_other_replica() {
    let dir = scratch();
    let ([a, b, list], device) = listed(dir.path());
    let run = mdtool(["diff", "--sums", &list, &b, "--json"]);
    assert_eq!(run.status, 1, "{}", run.stderr);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["chunk_bytes"], CHUNK);
    assert_eq!(document["compared_bytes"], device);
    // Whole chunks differ; of two of them one bit is marked.
    assert_eq!(document["differ_marked_bytes"], 4096);
    assert_eq!(document["differ_unmarked_bytes"], 3 * CHUNK - 4096);
    assert_eq!(document["equal_marked_bytes"], 4096);
    let same = mdtool(["diff", "--sums", &list, &a]);
    assert_eq!(same.status, 0, "{}", same.stderr);
    for words in [
        &["diff", "--sums", &list][..],
        &["diff", "--sums", &list, &a, &b],
        &["diff", &a],
        &["diff", "--sums", &b, &a],
    ] {
        assert_eq!(mdtool(words).status, 2, "{words:?}");
    }
}

/// Whole chunks, in the slot of the one peer, and nothing else.
#[test]
fn what_differs_from_a_list_is_marked_as_the_next_step_says() {
    let dir = scratch();
    let ([_, b, list], device) = listed(dir.path());
    let run = mdtool(["diff", "--sums", &list, &b]);
    let step = format!("mdtool diff {b} --sums {list} --set-bits --sync-source");
    assert!(run.stderr.contains(&step), "{}", run.stderr);
    let data = usize::try_from(device).unwrap();
    let before = peek(Path::new(&b), 0, data);
    let step = mdtool(step.split(' ').skip(1).chain(["--yes", "--json"]));
    assert_eq!(step.status, 1, "{}", step.stderr);
    let document: Value = serde_json::from_str(&step.stdout).unwrap();
    let set = &document["set_bits"]["slots"][0]["set_bits"];
    assert_eq!(*set, (3 * CHUNK - 4096) / 4096, "{document}");
    assert_eq!(
        marked(Path::new(&b)),
        format!("1048576 {CHUNK}\n3145728 {}\n5242880 4096\n", 2 * CHUNK)
    );
    assert!(peek(Path::new(&b), 0, data) == before, "data");
}
