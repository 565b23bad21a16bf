//! `mdtool bitmap set` and `mdtool bitmap clear`, held against a model that knows one bit at a time, and against `drbdmeta`'s dumps.

/// By what the device holds.
mod content;
/// What the handshake does with bits, and making this replica the source.
mod source;

use std::ops::Range;
use std::path::{Path, PathBuf};

use mdtool::builder::{Built, LaSize, Level, Peer, build};
use mdtool::image::{MemImage, ReadAt};
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, NodeId, Sectors};
use proptest::prelude::*;
use serde_json::Value;
use tempfile::TempDir;

use crate::import::{difference, text};
use crate::support::{Drbdmeta, Run, kernel_image, mdtool, peek, put, scratch};

const SIZE: u64 = 24 << 20;
const CURRENT: u64 = 0xC100_0000_0000_0010;

fn write(path: &Path, level: Level) -> Built {
    let size = Bytes::new(SIZE);
    let mut image = MemImage::new(size);
    let built = build(&mut image, ImagePos::START, size, &[level]).unwrap();
    let mut bytes = vec![0; usize::try_from(SIZE).unwrap()];
    image.read_exact_at(ImagePos::START, &mut bytes).unwrap();
    put(path, &bytes);
    built.into_iter().next().unwrap()
}

/// What a case begins with.
#[derive(Clone, Debug)]
struct Case {
    /// 0 is v08.
    max_peers: u8,
    shift: u32,
    la_sect: u64,
    dirty: Vec<(u8, u64, u64)>,
    named: Vec<(u64, u64)>,
    set: bool,
    slot: u8,
    all_slots: bool,
}

impl Case {
    fn slots(&self) -> u8 {
        self.max_peers.max(1)
    }

    fn per_bit(&self) -> u64 {
        if self.max_peers == 0 {
            4096
        } else {
            1 << self.shift
        }
    }

    /// Peers in every other slot.
    fn assigned(&self) -> Vec<u8> {
        if self.max_peers == 0 {
            return vec![0];
        }
        (0..self.max_peers).step_by(2).collect()
    }

    fn level(&self) -> Level {
        let mut level = if self.max_peers == 0 {
            Level::v08()
        } else {
            let per_bit = Bytes::new(self.per_bit());
            let level = Level::v09(self.max_peers).bytes_per_bit(per_bit);
            level.node_id(NodeId::new(0))
        };
        level = level
            .current_uuid(CURRENT)
            .la_size(LaSize::Exactly(Sectors::new(self.la_sect)));
        if self.max_peers > 0 {
            for slot in self.assigned() {
                let peer = Peer::in_slot(BitmapIndex::new(slot));
                level = level.peer(NodeId::new(slot + 1), peer);
            }
        }
        for (slot, start, len) in &self.dirty {
            let device = self.la_sect * 512;
            let start = start % device;
            let end = (start + len).min(device);
            let slot = BitmapIndex::new(slot % self.slots());
            level = level.dirty(slot, DevPos::new(start)..DevPos::new(end));
        }
        level
    }

    /// The ranges, within the device.
    fn ranges(&self) -> Vec<Range<u64>> {
        let device = self.la_sect * 512;
        let range = |(start, len): &(u64, u64)| start % device..(start % device + len).min(device);
        self.named.iter().map(range).collect()
    }

    fn changed_slots(&self) -> Vec<u8> {
        if !self.all_slots {
            return vec![self.slot % self.slots()];
        }
        if self.set {
            (0..self.slots()).collect()
        } else {
            self.assigned()
        }
    }

    /// The bitmap's bytes as they are to be: a bit at a time, a byte of the device at a time.
    fn model(&self, before: &[u8]) -> Vec<u8> {
        let mut named = vec![false; usize::try_from(self.la_sect * 512).unwrap()];
        for range in self.ranges() {
            named[range.start as usize..range.end as usize].fill(true);
        }
        let mut after = before.to_vec();
        for (bit, bytes) in named.chunks(self.per_bit() as usize).enumerate() {
            let touched = bytes.iter().any(|byte| *byte);
            let covered = bytes.iter().all(|byte| *byte);
            if !(if self.set { touched } else { covered }) {
                continue;
            }
            for slot in self.changed_slots() {
                let word = bit / 32 * usize::from(self.slots()) + usize::from(slot);
                let (byte, mask) = (word * 4 + bit % 32 / 8, 1 << (bit % 8));
                if self.set {
                    after[byte] |= mask;
                } else {
                    after[byte] &= !mask;
                }
            }
        }
        after
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let place = prop_oneof![any::<u64>(), (0_u64..5000).prop_map(|block| block * 4096)];
    let len = prop_oneof![
        1_u64..9000,
        (1_u64..500).prop_map(|blocks| blocks * 4096),
        Just(SIZE)
    ];
    let named = proptest::collection::vec((place, len), 1..6);
    let dirty = proptest::collection::vec((0_u8..31, any::<u64>(), 1_u64..4_000_000), 0..8);
    let shape = (
        prop_oneof![Just(0_u8), 1_u8..=31],
        12_u32..=20,
        1_u64..40_000,
    );
    let how = (any::<bool>(), 0_u8..31, any::<bool>());
    (shape, dirty, named, how).prop_map(
        |((max_peers, shift, la_sect), dirty, named, (set, slot, all_slots))| Case {
            max_peers,
            shift,
            la_sect,
            dirty,
            named,
            set,
            slot,
            all_slots,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(24)))]

    #[test]
    fn the_bits_of_a_model_change_and_nothing_else(case in cases(), in_file in any::<bool>()) {
        let dir = scratch();
        let (image, list) = (dir.path().join("image"), dir.path().join("list"));
        let built = write(&image, case.level());
        let area = built.bm().get()..built.bm().get() + built.bm_size().get();
        let before = peek(&image, 0, SIZE as usize);
        let action = if case.set { "set" } else { "clear" };
        let mut words = vec!["bitmap".to_owned(), action.to_owned(), text(&image).to_owned()];
        if in_file {
            let lines = case.ranges().into_iter().map(|range| format!("{} {}\n", range.start, range.end - range.start));
            put(&list, lines.collect::<String>().as_bytes());
            words.extend(["--from".to_owned(), text(&list).to_owned()]);
        } else {
            words.extend(case.ranges().into_iter().map(|range| format!("{}..{}", range.start, range.end)));
        }
        if case.all_slots {
            words.push("--all-slots".to_owned());
        } else {
            words.extend(["--slot".to_owned(), (case.slot % case.slots()).to_string()]);
        }
        words.extend(["--yes".to_owned(), "--json".to_owned(), "--undo".to_owned(), text(&dir.path().join("undo")).to_owned()]);
        let run = mdtool(&words);
        prop_assert_eq!(run.status, 0, "{:?}: {}", words, run.stderr);
        let after = peek(&image, 0, SIZE as usize);
        let bytes = area.start as usize..area.end as usize;
        let expected = case.model(&before[bytes.clone()]);
        prop_assert!(after[bytes.clone()] == expected, "{:?}", words);
        prop_assert!(after[..bytes.start] == before[..bytes.start] && after[bytes.end..] == before[bytes.end..]);
        // What is counted is what changed.
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        let slots = document["slots"].as_array().unwrap();
        let field = if case.set { "set_bits" } else { "cleared_bits" };
        let counted: u64 = slots.iter().map(|slot| slot[field].as_u64().unwrap()).sum();
        let differing = before[bytes.clone()].iter().zip(&expected).map(|(old, new)| u64::from((old ^ new).count_ones()));
        prop_assert_eq!(counted, differing.sum::<u64>());
        if counted > 0 {
            prop_assert_eq!(mdtool(["undo", text(&dir.path().join("undo")), "--yes"]).status, 0);
            prop_assert!(peek(&image, 0, SIZE as usize) == before, "undone");
        }
    }
}

/// Node 0 with peers 1 and 4 in slots 0 and 2 of three.
fn two_peers() -> Level {
    let slot = |number| Peer::in_slot(BitmapIndex::new(number));
    Level::v09(3)
        .current_uuid(CURRENT)
        .node_id(NodeId::new(0))
        .peer(NodeId::new(1), slot(0))
        .peer(NodeId::new(4), slot(2))
        .dirty(BitmapIndex::new(1), DevPos::new(0)..DevPos::new(1 << 20))
}

fn image_of(level: Level) -> (TempDir, PathBuf) {
    let dir = scratch();
    let image = dir.path().join("image");
    write(&image, level);
    (dir, image)
}

fn change(action: &str, image: &Path, more: &[&str]) -> Run {
    mdtool([&["bitmap", action, text(image), "--yes"], more].concat())
}

/// What `bitmap show` has of a slot.
fn shown(image: &Path, slot: &str) -> String {
    mdtool(["bitmap", "show", text(image), "--ranges", "--slot", slot]).stdout
}

#[test]
fn which_slots_are_meant_is_said_or_plain() {
    let (_dir, image) = image_of(two_peers());
    let refused = change("set", &image, &["0..4096"]);
    assert_eq!(refused.status, 2);
    let listed = "0 (node 1), 2 (node 4)";
    assert!(refused.stderr.contains(listed), "{}", refused.stderr);
    assert_eq!(change("set", &image, &["0..4096", "--peer", "4"]).status, 0);
    let slots = ["0", "1", "2"].map(|slot| shown(&image, slot));
    assert_eq!(slots, ["", "0 1048576\n", "0 4096\n"]);
    // The slot without a peer is left alone, unless it is named.
    assert_eq!(change("clear", &image, &["--all", "--all-slots"]).status, 0);
    let slots = ["0", "1", "2"].map(|slot| shown(&image, slot));
    assert_eq!(slots, ["", "0 1048576\n", ""]);
    let named = change("clear", &image, &["--all", "--slot", "1"]);
    assert!(
        named.stderr.contains("belongs to no peer"),
        "{}",
        named.stderr
    );
    assert_eq!(shown(&image, "1"), "");
    let two = change("set", &image, &["--all", "--all-slots"]);
    assert!(two.stdout.contains("slot 1: "), "{}", two.stdout);
    let nobody = Peer::default();
    let free = Level::v09(2).node_id(NodeId::new(0));
    let free = free.peer(NodeId::new(1), nobody);
    let (_dir, free) = image_of(free);
    assert_eq!(change("clear", &free, &["--all", "--all-slots"]).status, 2);
}

#[test]
fn clear_says_who_does_not_get_it() {
    let level = two_peers().dirty(BitmapIndex::new(2), DevPos::new(0)..DevPos::new(65536));
    let (_dir, image) = image_of(level);
    let run = change("clear", &image, &["0..8192", "--peer", "4"]);
    let words = "node 4 will not get the 8192 bytes";
    assert!(run.stderr.contains(words), "{}", run.stderr);
    assert_eq!(shown(&image, "2"), "8192 57344\n");
    // A bit that stands for one byte more stays.
    assert_eq!(
        change("clear", &image, &["8193..65536", "--peer", "4"]).status,
        0
    );
    assert_eq!(shown(&image, "2"), "8192 4096\n");
    // Nothing is written where nothing changes.
    let before = peek(&image, 0, SIZE as usize);
    let again = change("clear", &image, &["12288..65536", "--peer", "4"]);
    assert!(
        again.stdout.starts_with("nothing to do"),
        "{}",
        again.stdout
    );
    assert!(peek(&image, 0, SIZE as usize) == before);
}

#[test]
fn unclean_metadata_is_changed_only_with_its_log_applied() {
    let dir = scratch();
    let (ours, theirs) = (dir.path().join("ours"), dir.path().join("theirs"));
    for copy in [&ours, &theirs] {
        std::fs::copy(kernel_image("v08-pair-a-crashed"), copy).unwrap();
    }
    let refused = change("set", &ours, &["0..4096"]);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("--apply-al"), "{}", refused.stderr);
    let range = "50MiB..50MiB+1";
    assert_eq!(change("set", &ours, &[range]).status, 2, "no range");
    let set = change("set", &ours, &["50MiB+1", "--apply-al"]);
    assert_eq!(set.status, 0, "{}", set.stderr);
    assert_eq!(mdtool(["apply-al", text(&theirs), "--yes"]).status, 0);
    assert_eq!(change("set", &theirs, &["50MiB+1"]).status, 0);
    assert_eq!(difference(&ours, &theirs, &[]), None);
    assert!(shown(&ours, "0").contains("52428800 4096\n"));
}

#[test]
fn drbdmeta_agrees_with_what_was_set() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let (_dir, image) = image_of(two_peers());
    let set = change("set", &image, &["1MiB+128KiB", "5MiB+1", "--peer", "4"]);
    assert_eq!(set.status, 0, "{}", set.stderr);
    let dump = drbdmeta.ok("v09", &image, "internal", &["dump-md"]);
    let mut expected = vec![0; words(&dump, 2).len()];
    // Bits 256 to 287, and bit 1280.
    (expected[4], expected[20]) = (0xFFFF_FFFF, 1);
    assert_eq!(words(&dump, 2), expected);
    assert!(words(&dump, 0).iter().all(|word| *word == 0));
}

/// The 64-bit words of a slot in a dump.
fn words(dump: &str, slot: u8) -> Vec<u64> {
    let body = dump.split(&format!("bitmap[{slot}] {{")).nth(1).unwrap();
    let body = body.split('}').next().unwrap();
    let lines = body.lines().filter(|line| !line.trim().starts_with('#'));
    let text: Vec<&str> = lines.collect();
    let text = text.join(" ");
    let items = text
        .split(';')
        .map(str::trim)
        .filter(|item| !item.is_empty());
    let word = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    items
        .flat_map(|item| {
            let (count, text) = item.split_once(" times ").unwrap_or(("1", item));
            std::iter::repeat_n(word(text), count.parse().unwrap())
        })
        .collect()
}
