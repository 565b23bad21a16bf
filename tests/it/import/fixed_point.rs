//! Export, import, export: the same dump, whatever the target's size and the bitmap's granularity, and nothing else of the target changes.

use std::ops::Range;
use std::path::Path;

use mdtool::builder::{LaSize, Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, Sectors};
use proptest::prelude::*;
use proptest::sample::select;

use super::{MIB, difference, ok, save, text};
use crate::import_drbdmeta::content_of;
use crate::support::scratch;

/// A disk full of noise, and where DRBD's own sectors could be found, of nothing that could be taken for them.
fn noise(path: &Path, size: u64, seed: u32) {
    let mut state = seed;
    let mut bytes = Vec::new();
    while bytes.len() < size as usize {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        bytes.extend_from_slice(&(state >> 8).to_be_bytes());
    }
    bytes.truncate(size as usize);
    save(path, &bytes);
}

fn dump(image: &Path, index: &str) -> String {
    ok(&["export", text(image), "--index", index]).stdout
}

/// What a dump says of the resource. How many extents its log has places for is no part of a dump, but for a comment.
fn resource_of(dump: &str) -> Vec<&str> {
    let lines = content_of(dump).into_iter();
    lines
        .filter(|line| !line.starts_with("# al-extents"))
        .collect()
}

/// The ranges that a document says are written, by position and none twice.
fn announced(document: &str) -> Vec<Range<u64>> {
    let document: serde_json::Value = serde_json::from_str(document).unwrap();
    let regions = document["changes"][0]["regions"].as_array().unwrap();
    let mut ranges: Vec<Range<u64>> = regions
        .iter()
        .map(|region| {
            let start = region["offset"].as_u64().unwrap();
            start..start + region["bytes"].as_u64().unwrap()
        })
        .collect();
    ranges.sort_by_key(|range| (range.start, range.end));
    ranges.dedup();
    ranges
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::test_cases::cases(24), max_shrink_iters: 10, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_imported_is_exported_again_and_nothing_else_changes(
        peers in 1_u8..5,
        granularity in select(vec![4096_u64, 8192, 65_536, 1 << 20]),
        v08 in prop::bool::weighted(0.2),
        index in select(vec!["internal", "flex-external", "indexed:0"]),
        sizes in (24 * MIB..40 * MIB, 24 * MIB..40 * MIB, 8 * MIB..20 * MIB),
        dirty in prop::collection::vec((0_u8..4, 0..20 * MIB, 1..4 * MIB), 0..5),
        seed in any::<u32>(),
    ) {
        let dir = scratch();
        let path = |name: &str| dir.path().join(name);
        let (source, target, before, text_of) = (path("source"), path("target"), path("before"), path("dump.md"));
        let (from, to, device) = sizes;
        // An indexed slot takes 128 MiB, has one bitmap, and its granularity is DRBD's own.
        let indexed = index == "indexed:0";
        let to = if indexed { to + 128 * MIB } else { to / 512 * 512 };
        let mut level = match (v08 || indexed, indexed) {
            (true, _) => Level::v08(),
            (false, _) => Level::v09(peers).bytes_per_bit(Bytes::new(granularity)),
        };
        level = level.la_size(LaSize::Exactly(Sectors::new(device / 512)));
        for (slot, start, length) in dirty {
            let slot = if v08 || indexed { 0 } else { slot % peers };
            let end = (start + length).min(device / 512 * 512);
            if start < end {
                level = level.dirty(BitmapIndex::new(slot), DevPos::new(start)..DevPos::new(end));
            }
        }
        let size = Bytes::new(from / 512 * 512);
        let mut file = WritableFile::create_new(&source, size).unwrap();
        build(&mut file, ImagePos::START, size, &[level]).unwrap();
        drop(file);
        let exported = dump(&source, "internal");
        save(&text_of, exported.as_bytes());
        noise(&target, to, seed);
        noise(&before, to, seed);

        let undo = path("undo");
        let words = ["import", text(&target), text(&text_of), "--index", index, "--yes", "--json"];
        let done = ok(&[&words[..], &["--undo", text(&undo)]].concat()).stdout;
        let ranges = announced(&done);
        prop_assert!(ranges.len() >= 3 && difference(&target, &before, &[]).is_some());
        prop_assert_eq!(difference(&target, &before, &ranges), None, "{}", done);
        let again = dump(&target, index);
        prop_assert_eq!(resource_of(&again), resource_of(&exported));

        save(&text_of, again.as_bytes());
        let second = ok(&words).stdout;
        prop_assert!(second.contains("\"outcome\": \"nothing\""), "{}", second);
        ok(&["undo", text(&undo)]);
        prop_assert_eq!(difference(&target, &before, &[]), None);
    }
}

/// Seven slots share a page unevenly: two of them have room for a 147th word, which no dump carries.
#[test]
fn a_clipped_bitmap_is_a_fixed_point_too() {
    let dir = scratch();
    let path = |name: &str| dir.path().join(name);
    let (source, target, text_of) = (path("source"), path("target"), path("dump.md"));
    let (size, whole) = (Bytes::new(64 * MIB), DevPos::new(0)..DevPos::new(40 * MIB));
    let level = (0..7).fold(Level::v09(7), |level, slot| {
        level.dirty(BitmapIndex::new(slot), whole.clone())
    });
    let mut file = WritableFile::create_new(&source, size).unwrap();
    build(&mut file, ImagePos::START, size, &[level]).unwrap();
    drop(file);
    save(&text_of, dump(&source, "internal").as_bytes());
    noise(&target, 9_302_528, 1);

    let import = |more: &[&str]| ok(&[&["import", text(&target), text(&text_of)], more].concat());
    let first = import(&["--clip", "--yes"]);
    assert!(first.stderr.contains("clipped"), "{first:?}");
    save(&text_of, dump(&target, "internal").as_bytes());
    let second = import(&["--yes", "--json"]).stdout;
    assert!(second.contains("\"outcome\": \"nothing\""), "{second}");
}
