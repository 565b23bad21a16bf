//! `mdtool bitmap show`, held against what was asked of the builder and against `drbdmeta`'s dumps.

use std::ops::Range;
use std::path::Path;

use mdtool::builder::{Level, Peer, build};
use mdtool::image::{MemImage, ReadAt};
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId};
use serde_json::Value;

use crate::support::{kernel_image, mdtool, patch, scratch, sparse, testdata};

const SIZE: u64 = 64 << 20;

fn write(path: &Path, level: Level) {
    let size = Bytes::new(SIZE);
    let mut image = MemImage::new(size);
    build(&mut image, ImagePos::START, size, &[level]).unwrap();
    let mut bytes = vec![0; usize::try_from(SIZE).unwrap()];
    image.read_exact_at(ImagePos::START, &mut bytes).unwrap();
    sparse(path, SIZE);
    patch(path, 0, &bytes);
}

fn at(range: Range<u64>) -> Range<DevPos> {
    DevPos::new(range.start)..DevPos::new(range.end)
}

#[test]
fn each_slot_has_its_ranges() {
    let dir = scratch();
    let image = dir.path().join("disk");
    let path = image.to_str().unwrap();
    let slot = BitmapIndex::new;
    let level = Level::v09(3)
        .bytes_per_bit(Bytes::new(16384))
        .node_id(NodeId::new(0))
        .peer(NodeId::new(1), Peer::in_slot(slot(0)))
        .peer(NodeId::new(4), Peer::in_slot(slot(2)))
        .dirty(slot(0), at(0..16384))
        .dirty(slot(0), at(1 << 20..(1 << 20) + 40000))
        .dirty(slot(2), at(5 << 20..6 << 20));
    write(&image, level);
    let run = mdtool(["bitmap", "show", path, "--ranges"]);
    assert_eq!(
        run.stdout,
        "# slot 0 node 1\n0 16384\n1048576 49152\n# slot 2 node 4\n5242880 1048576\n"
    );
    let run = mdtool(["bitmap", "show", path, "--ranges", "--peer", "4"]);
    assert_eq!(run.stdout, "5242880 1048576\n");
    let run = mdtool(["bitmap", "show", path, "--json", "--ranges"]);
    let document: Value = serde_json::from_str(&run.stdout).unwrap();
    let slots = document["slots"].as_array().unwrap();
    assert_eq!(slots.len(), 2);
    assert_eq!(
        (&slots[0]["bits"], &slots[0]["runs"], &slots[0]["bytes"]),
        (&4.into(), &2.into(), &65536.into())
    );
    assert_eq!(slots[1]["ranges"][0]["offset"], 5 << 20);
    assert_eq!(slots[1]["node_id"], 4);
    let run = mdtool(["bitmap", "show", path, "--map", "--slot", "2"]);
    let picture = run.stdout.split('|').nth(1).unwrap();
    assert_eq!(picture.len(), 64, "{picture}");
    assert_eq!(picture.trim_end_matches('.'), ".....#", "a sign is 1 MiB");
    assert_eq!(mdtool(["bitmap", "show", path, "--slot", "3"]).status, 2);
    assert_eq!(mdtool(["bitmap", "show", path, "--peer", "2"]).status, 2);
}

#[test]
fn a_dump_has_the_same_ranges_as_the_disk() {
    let image = kernel_image("v08-stack-down");
    let of_disk = ["--level", "inner", "--apply-al", "--ranges"];
    let disk = mdtool([&["bitmap", "show", image.to_str().unwrap()][..], &of_disk].concat());
    let dump = testdata("dumps").join("v08-stack-down.inner.applied.md");
    let text = mdtool(["bitmap", "show", dump.to_str().unwrap(), "--ranges"]);
    assert_eq!(
        (text.status, &text.stdout),
        (0, &disk.stdout),
        "{text:?} {disk:?}"
    );
    assert_eq!(text.stdout.lines().count(), 2, "{}", text.stdout);
}

#[test]
fn the_log_counts_where_it_is_asked_for() {
    let image = kernel_image("v08-pair-a-crashed");
    let path = image.to_str().unwrap();
    let plain = mdtool(["bitmap", "show", path, "--ranges"]);
    assert_eq!((plain.stdout.as_str(), plain.status), ("", 0));
    assert!(plain.stderr.contains("unclean"), "{}", plain.stderr);
    let joined = mdtool(["bitmap", "show", path, "--ranges", "--apply-al"]);
    let extent = 4 << 20;
    let expected: String = [(0, 2), (3, 1), (9, 1), (17, 1), (21, 1), (30, 1)]
        .map(|(first, count): (u64, u64)| format!("{} {}\n", first * extent, count * extent))
        .concat();
    assert_eq!(joined.stdout, expected);
}
