//! `show`: every value that drbdmeta shows, and what it means.

use mdtool::builder::{LaSize, Level, Peer, build};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId, Sectors};
use serde_json::Value;

use crate::support::{kernel_image, mdtool, patch, scratch, testdata};

const MIB: u64 = 1 << 20;

fn show(args: &[&str]) -> Value {
    let run = mdtool(["show", "--json"].iter().chain(args));
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{args:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

/// Every value of theirs is ours, at the same place; how many values that are.
fn assert_contains(ours: &Value, theirs: &Value, place: &str) -> usize {
    match theirs {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| assert_contains(&ours[key], value, &format!("{place}.{key}")))
            .sum(),
        Value::Array(entries) => {
            assert_eq!(ours.as_array().unwrap().len(), entries.len(), "{place}");
            (0..)
                .zip(entries)
                .map(|(i, value): (usize, _)| {
                    assert_contains(&ours[i], value, &format!("{place}[{i}]"))
                })
                .sum()
        }
        value => {
            assert_eq!(ours, value, "{place}");
            1
        }
    }
}

#[test]
fn every_value_that_drbdmeta_9_34_shows_is_ours_too() {
    let mut compared = 0;
    for format in ["v08", "v09"] {
        for (state, levels) in [
            ("pair-a-crashed", &[""][..]),
            ("pair-a-synced", &[""]),
            ("pair-b-crashed", &[""]),
            ("pair-b-synced", &[""]),
            ("stack-down", &[".outer", ".inner"]),
            ("stack-live-copy", &[".outer", ".inner"]),
        ] {
            let name = format!("{format}-{state}");
            let image = kernel_image(&name);
            let ours = show(&[image.to_str().unwrap()]);
            assert_eq!(ours["levels"].as_array().unwrap().len(), levels.len());
            for (number, level) in levels.iter().enumerate() {
                let path = testdata("dumps").join(format!("{name}{level}.json"));
                let text = std::fs::read_to_string(path).unwrap();
                let mut theirs: Value = serde_json::from_str(&text).unwrap();
                let meta = theirs
                    .as_object_mut()
                    .unwrap()
                    .shift_remove("#meta")
                    .unwrap();
                let level = &ours["levels"][number];
                assert_eq!(level["md_offset"], meta["dump_offset"], "{name}");
                assert_eq!(level["backing_bytes"], meta["bd_size"], "{name}");
                if format == "v08" {
                    // Its fields end at byte 96; drbdmeta leaves four more bytes out.
                    assert_eq!(theirs["padding"]["start"], 100);
                    theirs["padding"]["start"] = 96.into();
                }
                compared += assert_contains(&level["superblock"], &theirs, &name);
            }
        }
    }
    assert!(compared > 1000, "{compared} values");
}

/// v09 on v08, with flags, peers and bits that are known.
fn stack(dir: &std::path::Path) -> String {
    let path = dir.join("stack.raw");
    let size = Bytes::new(64 * MIB);
    let mut image = WritableFile::create_new(&path, size).unwrap();
    let dirty = DevPos::new(7 * MIB)..DevPos::new(10 * MIB);
    let inner = Level::v09(3)
        .node_id(NodeId::new(3))
        .peer(
            NodeId::new(1),
            Peer {
                flags: 0x0001_0010,
                bitmap_uuid: 0xB17,
                ..Peer::in_slot(BitmapIndex::new(1))
            },
        )
        .dirty(BitmapIndex::new(1), dirty)
        .dirty(BitmapIndex::new(0), DevPos::new(0)..DevPos::new(1));
    let outer = Level::v08().la_size(LaSize::Exactly(Sectors::new(130_000)));
    build(&mut image, ImagePos::START, size, &[outer, inner]).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_the_numbers_mean_is_told() {
    let dir = scratch();
    let image = stack(dir.path());
    let shown = show(&[&image, "--rate", "1MiB/s"]);
    let inner = &shown["levels"][1];
    assert_eq!(inner["role"], "inner");
    assert_eq!(inner["out_of_sync_bytes"], 3 * MIB);
    let slots = inner["slots"].as_array().unwrap();
    let fill: Vec<_> = slots
        .iter()
        .map(|slot| {
            (
                slot["bits_set"].as_u64().unwrap(),
                slot["resync_seconds"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(fill, [(1, 1), (768, 3), (0, 0)]);
    assert_eq!(slots[1]["node_ids"], serde_json::json!([1]));
    assert_eq!(inner["day0"]["slot"], 0, "the lowest that nobody has");
    let peer = &inner["peers"][0];
    assert_eq!(peer["node_id"], 1);
    assert_eq!(peer["bitmap_uuid_primary"], true);
    assert_eq!(
        peer["flag_names"],
        serde_json::json!(["PEER_DEVICE_SEEN", "NODE_EXISTS"])
    );
    let run = mdtool(["show", &image, "--stacked"]);
    for says in [
        "set as Primary",
        "PEER_DEVICE_SEEN, NODE_EXISTS",
        "node 1",
        "nobody: day 0",
        "3145728 (3 MiB)",
    ] {
        assert!(run.stdout.contains(says), "{says:?} in {}", run.stdout);
    }
    assert!(
        !run.stdout.contains("outer resource,"),
        "one level only: {}",
        run.stdout
    );
}

#[test]
fn levels_are_chosen_as_everywhere() {
    let dir = scratch();
    let image = stack(dir.path());
    let count = |args: &[&str]| {
        let shown = show(&[&[image.as_str()], args].concat());
        let levels = shown["levels"].as_array().unwrap().clone();
        levels
            .iter()
            .map(|level| level["level"].as_u64().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(count(&[]), [0, 1]);
    assert_eq!(count(&["--stacked"]), [1]);
    assert_eq!(count(&["--level", "outer"]), [0]);
    assert_eq!(count(&["--level", "inner"]), [1]);
    assert_eq!(mdtool(["show", &image, "--level", "5"]).status, 1);
    assert_eq!(mdtool(["show", &image, "--rate", "0"]).status, 2);
}

#[test]
fn what_has_no_name_is_shown_as_it_is() {
    let dir = scratch();
    let path = dir.path().join("odd.raw");
    let size = Bytes::new(160 * MIB);
    for (level, flags_at) in [(Level::v07(), 8), (Level::v08(), 56), (Level::v09(2), 56)] {
        let _ = std::fs::remove_file(&path);
        let mut image = WritableFile::create_new(&path, size).unwrap();
        let built = build(&mut image, ImagePos::START, size, &[level]).unwrap();
        drop(image);
        let name = path.to_str().unwrap();
        let at = show(&[name])["levels"][0]["md_offset"].as_u64().unwrap();
        assert_eq!(built.len(), 1);
        patch(&path, at + flags_at, &0x4000_0081_u32.to_be_bytes());
        patch(&path, at + 4000, &[0, 0, 0, 0, 0, 0, 0, 0xEE]);
        let shown = show(&[name]);
        let level = &shown["levels"][0];
        assert!(
            level["unknown_flags"]
                .as_str()
                .unwrap()
                .starts_with("0x400000"),
            "{level}"
        );
        assert_eq!(
            level["superblock"]["padding"]["non-zero"]["4000"],
            "0x00000000000000EE"
        );
        assert_eq!(
            level["disk_state"],
            if flags_at == 8 {
                "Consistent"
            } else {
                "Outdated"
            }
        );
        let run = mdtool(["show", name]);
        assert!(run.stdout.contains(" unknown"), "{}", run.stdout);
    }
}
