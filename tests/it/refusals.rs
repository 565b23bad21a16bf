//! What surgery refuses: every reason has a test, and says what would work.

use std::path::{Path, PathBuf};

use mdtool::builder::{External, LaSize, Level, Peer, build, build_external};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, ImagePos, NodeId, Sectors};
use tempfile::TempDir;

use crate::import::{ok, save, text};
use crate::support::{mdtool, patch, peek, scratch, sparse, testdata};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 64 * MIB;

/// A disk with this at its end.
fn disk(level: Level) -> (TempDir, PathBuf) {
    let dir = scratch();
    let image = dir.path().join("disk");
    let size = Bytes::new(SIZE);
    let mut file = WritableFile::create_new(&image, size).unwrap();
    build(&mut file, ImagePos::START, size, &[level]).unwrap();
    (dir, image)
}

/// A meta device with this in a slot, or with all of it its own.
fn meta(level: &Level, index: External) -> (TempDir, PathBuf) {
    let dir = scratch();
    let image = dir.path().join("meta");
    let size = Bytes::new(256 * MIB);
    let mut file = WritableFile::create_new(&image, size).unwrap();
    let backing = Bytes::new(SIZE);
    build_external(&mut file, ImagePos::START, size, index, backing, level).unwrap();
    (dir, image)
}

/// The command is refused with these words, and nothing is written.
#[track_caller]
fn refused(image: &Path, words: &[&str], says: &[&str]) {
    let len = std::fs::metadata(image).unwrap().len() as usize;
    let before = crc32fast::hash(&peek(image, 0, len));
    let run = mdtool(words);
    assert_eq!(run.status, 2, "{words:?}: {run:?}");
    for says in says {
        assert!(run.stderr.contains(says), "{words:?}: {says}: {run:?}");
    }
    let after = crc32fast::hash(&peek(image, 0, len));
    assert_eq!(after, before, "{words:?}");
}

#[test]
fn v07_is_not_edited_whatever_the_change() {
    let (_dir, image) = disk(Level::v07_flex());
    for change in [
        &["--node-id", "1"][..],
        &["--swap-nodes", "1,2"],
        &["--max-peers", "2"],
        &["--assign", "1"],
        &["--forget", "1"],
        &["--al-stripes", "2"],
        &["--al-stripe-size", "64KiB"],
        &["--bytes-per-bit", "8KiB"],
        &["--la-size", "1MiB"],
        &["--flag", "+CONSISTENT"],
        &["--peer-flag", "1:+PEER_FULL_SYNC"],
        &["--current-uuid", "new"],
        &["--bitmap-uuid", "new"],
        &["--history", "0x0000000000000010"],
        &["--device-uuid", "new"],
        &["--new-generation"],
        &["--rebrand", "keep"],
        &["--format", "v08", "--peer", "1"],
    ] {
        let words = [&["edit", text(&image), "--yes"], change].concat();
        let says = ["v07 is exported and imported, not edited", "make v08 of it"];
        refused(&image, &words, &says);
    }
}

#[test]
fn a_node_whose_own_entry_has_a_slot_is_told_how_to_free_it() {
    for (node, freed) in [(Some(0), "0"), (None, "1")] {
        let own = Peer::in_slot(BitmapIndex::new(1));
        let level = Level::v09(3).peer(NodeId::new(node.unwrap_or(1)), own);
        let (_dir, image) = disk(level);
        if node.is_none() {
            // Nobody's, and the entry of the node that it is to become has a slot.
            patch(&image, SIZE - 4096 + 0x5C, &[0xFF; 4]);
        }
        let words = ["edit", text(&image), "--node-id", "1", "--yes"];
        let says = format!("peers[{freed}].bitmap_index is 1, expected -1");
        refused(&image, &words, &[&says, "--forget"]);
        ok(&["edit", text(&image), "--forget", freed, "--yes"]);
        ok(&words);
        assert_eq!(mdtool(["probe", text(&image)]).status, 0);
    }
}

#[test]
fn a_flag_that_the_format_lacks_is_not_set() {
    for (level, flag, says) in [
        (
            Level::v09(1),
            "+FULL_SYNC",
            "whose device has no flag FULL_SYNC",
        ),
        (Level::v09(1), "-PEER_OUT_DATED", "no flag PEER_OUT_DATED"),
        (Level::v08(), "+HAVE_QUORUM", "no flag HAVE_QUORUM"),
    ] {
        let (_dir, image) = disk(level);
        let words = ["edit", text(&image), "--flag", flag, "--yes"];
        refused(&image, &words, &[says, "--peer-flag"]);
    }
}

#[test]
fn bits_are_not_lost_with_the_size() {
    let range = mdtool::units::DevPos::new(0)..mdtool::units::DevPos::new(8192);
    let level = Level::v09(1).dirty(BitmapIndex::new(0), range);
    let (_dir, image) = disk(level);
    let words = ["edit", text(&image), "--la-size", "0", "--yes"];
    let says = [
        "slot 0 has 2 bits set, 8192 bytes out of sync",
        "with a size the bits stay",
    ];
    refused(&image, &words, &says);
    let smaller = ok(&["edit", text(&image), "--la-size", "1MiB", "--dry-run"]);
    assert!(smaller.stderr.contains("behind its new end"), "{smaller:?}");
    ok(&[&words[..], &["--force"]].concat());
}

#[test]
fn a_dump_is_imported_as_the_node_that_it_is_for() {
    let own = Peer::in_slot(BitmapIndex::new(1));
    let (_dir, image) = disk(Level::v09(3).peer(NodeId::new(0), own));
    let dump = image.with_extension("md");
    ok(&["export", text(&image), "-o", text(&dump), "--force"]);
    let words = [
        "import",
        text(&image),
        text(&dump),
        "--node-id",
        "1",
        "--yes",
    ];
    let says = ["expected -1", "the one in the metadata is its source's"];
    refused(&image, &words, &says);
}

#[test]
fn there_is_no_source_without_a_generation() {
    let level = Level::v09(1).current_uuid(4);
    let (_dir, image) = disk(level);
    let words = ["bitmap", "set", text(&image), "0..1", "--peer", "1"];
    let words = [&words[..], &["--sync-source", "--yes"]].concat();
    let says = [
        "the current UUID is 0x0000000000000004",
        "--current-uuid new",
    ];
    refused(&image, &words, &says);
}

#[test]
fn v07_moves_to_the_end_of_its_disk_only() {
    let (_dir, image) = meta(&Level::v07(), External::Indexed(0));
    let data = image.with_extension("data");
    sparse(&data, 512 * MIB);
    let here = ["relocate", text(&image), "--index", "indexed:0", "--yes"];
    let says = ["v07 is moved to the end of its disk only", "mdtool export"];
    let inside = [&here[..], &["--data", text(&data)]].concat();
    refused(&image, &inside, &says);
}

#[test]
fn an_import_refuses_what_the_format_has_no_place_for() {
    let (_dir, image) = disk(Level::v08());
    let dump = image.with_extension("md");
    ok(&["export", text(&image), "-o", text(&dump)]);
    let import = ["import", text(&image), text(&dump), "--yes"];
    let node = [&import[..], &["--node-id", "1"]].concat();
    let says = ["no other has node ids", "leave out --node-id"];
    refused(&image, &node, &says);
    let small = image.with_extension("small");
    sparse(&small, 8192);
    let layout = ["import", text(&small), text(&dump), "--yes"];
    let says = ["metadata to be placed", "mdtool fit"];
    refused(&small, &layout, &says);

    let (_dir, image) = disk(Level::v07_flex());
    let dump = image.with_extension("md");
    // v07 has no place to say that its log is applied.
    let printed = ok(&["export", text(&image), "--force"]).stdout;
    let clean = printed
        .lines()
        .filter(|line| !line.starts_with("This_is_an_unclean"));
    save(&dump, clean.collect::<Vec<_>>().join("\n").as_bytes());
    let flags = [
        "import",
        text(&image),
        text(&dump),
        "--yes",
        "--flags",
        "CONSISTENT",
    ];
    refused(
        &image,
        &flags,
        &["no other has such flags", "leave out --flags"],
    );
}

#[test]
fn adoption_refuses_what_is_not_on_the_disk_or_not_at_its_end() {
    let (_dir, image) = meta(&Level::v08(), External::Flex);
    let words = ["adopt", text(&image), "--index", "flex-external", "--yes"];
    let says = ["on a meta device, and the data is elsewhere", "mdtool plan"];
    refused(&image, &words, &says);

    let dir = scratch();
    let image = dir.path().join("disk");
    let size = Bytes::new(SIZE);
    let mut file = WritableFile::create_new(&image, size).unwrap();
    let levels = [Level::v08(), Level::v08()];
    build(&mut file, ImagePos::START, size, &levels).unwrap();
    drop(file);
    crate::support::cut(&image, SIZE + MIB);
    let cut = ["adopt", text(&image), "--stacked", "--strategy", "truncate"];
    let window = [&cut[..], &["--size", "64MiB", "--yes"]].concat();
    refused(
        &image,
        &window,
        &["lie behind the part that was looked at", "mdtool plan"],
    );
}

#[test]
fn a_plan_says_why_a_way_is_none() {
    let (_dir, image) = disk(Level::v07_flex());
    let plan = mdtool(["plan", text(&image), "--target-size", "70MiB"]);
    let says = "no record of where v07 metadata was";
    assert!(plan.stdout.contains(says), "{plan:?}");
    // Little of the disk is in use, and its metadata is behind what it is to be cut to.
    let size = LaSize::Exactly(Sectors::new(2048));
    let (_dir, image) = disk(Level::v08().la_size(size));
    let plan = mdtool(["plan", text(&image), "--target-size", "32MiB"]);
    let says = "export it first, cut, then import";
    assert!(plan.stdout.contains(says), "{plan:?}");
}

/// Each reason, and the test that comes to it: the file, and a part of it that only that test has.
const TESTED: [(&str, &str, &str); 55] = [
    ("ChangeRefusal::OnlyV09", "it/edit.rs", "--format v09"),
    (
        "ChangeRefusal::V07",
        "it/refusals.rs",
        "v07 is exported and imported, not edited",
    ),
    ("ChangeRefusal::Geometry", "it/edit.rs", "power of two"),
    (
        "ChangeRefusal::NoRoom",
        "it/edit.rs",
        "\"are missing\", \"mdtool relocate\"",
    ),
    ("ChangeRefusal::Unclean", "it/edit.rs", "mdtool apply-al"),
    (
        "ChangeRefusal::Inconsistent",
        "it/edit.rs",
        "--flag +CONSISTENT",
    ),
    (
        "ChangeRefusal::NoGeneration",
        "it/refusals.rs",
        "the current UUID is",
    ),
    (
        "ChangeRefusal::SlotInUse",
        "it/edit.rs",
        "slot 2 belongs to node 2",
    ),
    (
        "ChangeRefusal::NoFreeSlot",
        "it/edit.rs",
        "no bitmap slot is free",
    ),
    (
        "ChangeRefusal::SlotTaken",
        "it/edit.rs",
        "slot 0 is not free",
    ),
    (
        "ChangeRefusal::NoSuchSlot",
        "it/edit.rs",
        "slot 7 does not exist",
    ),
    (
        "ChangeRefusal::HasSlot",
        "it/edit.rs",
        "node 1 has slot 0 already",
    ),
    (
        "ChangeRefusal::HasNoSlot",
        "it/edit.rs",
        "node 9 has no bitmap slot",
    ),
    ("ChangeRefusal::OwnNode", "it/edit.rs", "\"own node\""),
    ("ChangeRefusal::BitsLost", "it/edit.rs", "8 bits set"),
    (
        "ChangeRefusal::OtherSlots",
        "it/edit.rs",
        "contains(\"--merge-slots\")",
    ),
    (
        "ChangeRefusal::History",
        "it/edit.rs",
        "leave out the oldest",
    ),
    (
        "ChangeRefusal::WhichPeer",
        "it/edit.rs",
        "expected the node's id",
    ),
    ("ChangeRefusal::SameFormat", "it/edit.rs", "v09 already"),
    (
        "ChangeRefusal::NoSuchFlag",
        "it/refusals.rs",
        "whose device has no flag FULL_SYNC",
    ),
    (
        "ChangeRefusal::OwnSlot",
        "it/refusals.rs",
        "bitmap_index is 1, expected -1",
    ),
    (
        "RelocateRefusal::NoSize",
        "it/relocate.rs",
        "\"la-size-sect is 0\"",
    ),
    (
        "RelocateRefusal::BitsWithoutSize",
        "it/relocate.rs",
        "bits are set from",
    ),
    (
        "RelocateRefusal::Unaligned",
        "it/relocate.rs",
        "no whole sectors",
    ),
    (
        "RelocateRefusal::Larger",
        "it/relocate.rs",
        "expected a smaller size",
    ),
    (
        "RelocateRefusal::NotInternal",
        "it/relocate.rs",
        "on a meta device",
    ),
    (
        "RelocateRefusal::V07",
        "it/refusals.rs",
        "v07 is moved to the end of its disk only",
    ),
    (
        "RelocateRefusal::Shared",
        "it/relocate.rs",
        "another resource's metadata",
    ),
    (
        "RelocateRefusal::LaSize",
        "it/relocate.rs",
        "leave the metadata on a meta device",
    ),
    (
        "RelocateRefusal::ForeignDisk",
        "it/relocate/neighbours.rs",
        "or an older state of the metadata",
    ),
    (
        "PlaceRefusal::Disk",
        "it/relocate/neighbours.rs",
        "DRBD device of the v09 metadata",
    ),
    (
        "PlaceRefusal::Shared",
        "it/relocate/neighbours.rs",
        "has its superblock at byte 134217728",
    ),
    (
        "PlaceRefusal::Layout",
        "it/refusals.rs",
        "metadata to be placed",
    ),
    (
        "PlaceRefusal::LaSize",
        "../src/surgery/place/tests.rs",
        "PlaceRefusal::LaSize",
    ),
    (
        "PlaceRefusal::Occupied",
        "it/occupants/import.rs",
        "expected to end by",
    ),
    (
        "PlaceRefusal::NoNodeIds",
        "it/refusals.rs",
        "no other has node ids",
    ),
    (
        "PlaceRefusal::OwnSlot",
        "it/refusals.rs",
        "the one in the metadata is its source's",
    ),
    (
        "PlaceRefusal::NoFlags",
        "it/refusals.rs",
        "no other has such flags",
    ),
    (
        "PlaceRefusal::Geometry",
        "../src/surgery/place/tests.rs",
        "PlaceRefusal::Geometry",
    ),
    (
        "AdoptRefusal::Obstacle",
        "it/refusals.rs",
        "the data is elsewhere",
    ),
    (
        "AdoptRefusal::NodeId",
        "it/adopt/refused.rs",
        "which is the source's",
    ),
    (
        "AdoptRefusal::BlockDevice",
        "it/devices.rs",
        "is a block device, expected a regular file",
    ),
    (
        "AdoptRefusal::NotTheEnd",
        "it/refusals.rs",
        "lie behind the part that was looked at",
    ),
    (
        "AdoptRefusal::MetaSize",
        "it/adopt/refused.rs",
        "meta device has 8192 bytes",
    ),
    (
        "Obstacle::OtherDevice",
        "it/refusals.rs",
        "the data is elsewhere",
    ),
    (
        "Obstacle::CutOff",
        "it/refusals.rs",
        "export it first, cut, then import",
    ),
    ("Obstacle::Shifts", "it/adopt/plan.rs", "shift the bitmap"),
    (
        "Obstacle::AlreadyThere",
        "../src/surgery/adopt/tests.rs",
        "Obstacle::AlreadyThere",
    ),
    (
        "Obstacle::NoRoom",
        "it/relocate.rs",
        "4096 bytes are missing",
    ),
    (
        "Obstacle::TooSmall",
        "../src/surgery/adopt/tests.rs",
        "Obstacle::TooSmall",
    ),
    (
        "Obstacle::Layout",
        "it/relocate.rs",
        "do not fit into 4096 bytes",
    ),
    (
        "Obstacle::Instead",
        "it/answers/same_question.rs",
        "comes first",
    ),
    ("Obstacle::Hidden", "it/adopt/plan.rs", "looks for another"),
    (
        "Obstacle::NotKept",
        "it/refusals.rs",
        "no record of where v07",
    ),
    (
        "Obstacle::Occupied",
        "it/adopt/refused.rs",
        "expected to end within",
    ),
];

/// The reasons of an enum in a source text.
fn reasons(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in source.split("pub enum ").skip(1) {
        let (name, body) = part.split_once(" {\n").unwrap();
        if !name.ends_with("Refusal") && name != "Obstacle" {
            continue;
        }
        let body = body.split("\n}\n").next().unwrap();
        let variants = body.lines().filter_map(|line| line.strip_prefix("    "));
        let variants = variants.filter(|line| line.starts_with(|first: char| first.is_uppercase()));
        let name_of = |line: &str| {
            line.split(|c: char| !c.is_alphanumeric())
                .next()
                .map(str::to_owned)
        };
        found.extend(
            variants
                .filter_map(name_of)
                .map(|variant| format!("{name}::{variant}")),
        );
    }
    found
}

/// All texts of a room, whatever the folder.
fn sources(folder: &Path, texts: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, texts);
        } else {
            texts.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

#[test]
fn every_reason_has_a_test() {
    let mut texts = Vec::new();
    sources(&testdata("../src/surgery"), &mut texts);
    let mut there: Vec<String> = texts.iter().flat_map(|text| reasons(text)).collect();
    there.sort();
    let mut tested: Vec<String> = TESTED
        .iter()
        .map(|(reason, _, _)| (*reason).to_owned())
        .collect();
    tested.sort();
    assert_eq!(there, tested);
    for (reason, file, says) in TESTED {
        let text = std::fs::read_to_string(testdata("../tests").join(file)).unwrap();
        // But for the table itself, where it is in this file.
        let text = text.split("const TESTED").next().unwrap();
        let there = says.split("\", \"").all(|part| text.contains(part));
        assert!(there, "{reason}: {file} has no {says:?}");
    }
}
