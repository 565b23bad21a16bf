//! `repair`: broken by other hands, mended, and `check` has nothing more to say; what was out of sync still is.

use std::path::{Path, PathBuf};

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::surgery::repair::Mend;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos};
use mdtool::verdict::check::rules;
use tempfile::TempDir;

use crate::import::{difference, ok, save, text};
use crate::support::{Drbdmeta, Run, mdtool, patch, peek, scratch, sparse, testdata, tool};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 64 * MIB;
/// Where the superblock of that is, and the log and the bitmap of three slots.
const MD: u64 = SIZE - 4096;
const AL: u64 = MD - 32_768;
const BM: u64 = AL - 8192;
/// No multiple of anything: 16250 bits and a piece of one.
const LA_SIZE: u64 = 130_001;

/// v09 of three slots by drbdmeta: node 0, peer 1 in slot 0, bits in every slot.
fn healthy(drbdmeta: &Drbdmeta, dir: &TempDir) -> PathBuf {
    let image = dir.path().join("image");
    sparse(&image, SIZE);
    patch(&image, 12_288, &[1]);
    drbdmeta.ok("v09", &image, "internal", &["create-md", "3"]);
    let dump = drbdmeta.ok("v09", &image, "internal", &["dump-md"]);
    let head = dump
        .replace("node-id -1;", "node-id 0;")
        .replace("la-size-sect 0;", &format!("la-size-sect {LA_SIZE};"))
        .replace(
            "current-uuid 0x0000000000000004;",
            "current-uuid 0xC100000000000010;",
        )
        .replace("flags 0x00000080;", "flags 0x00000091;");
    let mut head = head.split("bitmap[0]").next().unwrap().to_owned();
    let peer = head.find("peer[1] {").unwrap();
    let block = head[peer..]
        .replacen("bitmap-index -1;", "bitmap-index 0;", 1)
        .replacen(
            "bitmap-uuid 0x0000000000000000;",
            "bitmap-uuid 0xB100000000000010;",
            1,
        )
        .replacen("flags 0x00000000;", "flags 0x00010010;", 1);
    head.truncate(peer);
    let slots = (0..3).map(|slot| {
        format!("bitmap[{slot}] {{\n 0x00000000000000F0; 0x0000000000000000;\n 252 times 0x0000000000000000;\n}}\n")
    });
    let body: String = slots.collect();
    let file = dir.path().join("start.md");
    save(&file, format!("{head}{block}{body}").as_bytes());
    drbdmeta.ok("v09", &image, "internal", &["restore-md", text(&file)]);
    image
}

fn check_ids(image: &Path) -> Vec<String> {
    let run = mdtool(["check", text(image), "--json", "--full"]);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let mut ids = Vec::new();
    collect(&document, &mut ids);
    ids
}

/// The id of every finding, wherever in the document.
fn collect(value: &serde_json::Value, ids: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(fields) => {
            if let (Some(id), true) = (fields.get("id"), fields.contains_key("severity")) {
                ids.push(id.as_str().unwrap().to_owned());
            }
            fields.values().for_each(|value| collect(value, ids));
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| collect(value, ids)),
        _ => {}
    }
}

/// Which bits below la-size each of three slots has, read without our program.
fn bits(image: &Path) -> Vec<Vec<bool>> {
    let area = peek(image, BM, 8192);
    let all = LA_SIZE.div_ceil(8);
    let bit = |slot: u64, bit: u64| {
        let byte = 4 * ((bit / 32) * 3 + slot) + (bit % 32) / 8;
        area[byte as usize] >> (bit % 8) & 1 == 1
    };
    (0..3)
        .map(|slot| (0..all).map(|at| bit(slot, at)).collect())
        .collect()
}

/// Breaks a healthy disk, has it mended, and looks at all that must hold then.
#[track_caller]
fn mended(rule: &str, breaking: impl FnOnce(&Path)) -> (TempDir, PathBuf, Run) {
    let drbdmeta = Drbdmeta::new().unwrap();
    let dir = scratch();
    let image = healthy(&drbdmeta, &dir);
    assert!(
        !check_ids(&image).contains(&rule.to_owned()),
        "{rule}: before"
    );
    breaking(&image);
    assert!(
        check_ids(&image).contains(&rule.to_owned()),
        "{rule}: {:?}",
        check_ids(&image)
    );
    let broken = dir.path().join("broken");
    std::fs::copy(&image, &broken).unwrap();
    let before = bits(&image);
    let words = ["repair", text(&image)];
    let shown = mdtool(words.iter().chain(&["--dry-run"]));
    assert_eq!(shown.status, 0, "{rule}: {shown:?}");
    assert_eq!(difference(&image, &broken, &[]), None, "--dry-run writes");
    let unasked = mdtool(words);
    assert_eq!(unasked.status, 2, "{unasked:?}");
    let undo = dir.path().join("undo");
    let more = ["--yes", "--undo", text(&undo)];
    let run = mdtool(words.iter().chain(&more));
    assert_eq!(run.status, 0, "{rule}: {run:?}");
    assert!(run.stdout.contains(rule), "{rule}: {run:?}");
    let after = check_ids(&image);
    let quiet = ["day0-current", "apply-al-needed"];
    assert!(
        after.iter().all(|id| quiet.contains(&id.as_str())),
        "{rule}: {after:?}"
    );
    for (slot, (old, new)) in before.iter().zip(&bits(&image)).enumerate() {
        let lost = old.iter().zip(new).position(|(old, new)| *old && !*new);
        assert_eq!(lost, None, "{rule}: slot {slot}");
    }
    // drbdmeta takes it, and nothing is left to be mended.
    drbdmeta.run("v09", &image, "internal", &["apply-al"]);
    drbdmeta.ok("v09", &image, "internal", &["dump-md"]);
    let again = mdtool(["repair", text(&image), "--yes"]);
    assert_eq!(again.status, 1, "{rule}: {again:?}");
    let mended = dir.path().join("mended");
    std::fs::copy(&broken, &mended).unwrap();
    ok(&["repair", text(&mended), rule, "--yes"]);
    ok(&["undo", text(&undo), "--target", text(&image), "--yes"]);
    assert_eq!(difference(&image, &broken, &[]), None, "{rule}: undone");
    (dir, mended, run)
}

fn tools() -> bool {
    Drbdmeta::new().is_some()
}

#[test]
fn a_magic_that_was_erased_comes_back() {
    if !tools() {
        return;
    }
    let (_dir, image, _) = mended("magic-erased", |image| {
        let seek = format!("seek={}", MD + 60);
        let of = format!("of={}", text(image));
        let dd = [
            "if=/dev/zero",
            &of,
            "bs=1",
            "count=4",
            &seek,
            "conv=notrunc",
            "status=none",
        ];
        tool("dd", &dd);
    });
    assert_eq!(peek(&image, MD + 60, 4), [0x83, 0x74, 0x02, 0x6D]);
}

#[test]
fn what_somebody_else_wrote_in_the_magic_s_place_is_not_overwritten() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = healthy(&drbdmeta, &dir);
    patch(&image, MD + 60, b"LVM2");
    let run = mdtool(["repair", text(&image), "--yes"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stderr.contains("magic-overwritten"), "{run:?}");
}

#[test]
fn a_log_that_is_needed_and_unusable_means_that_everything_is_out_of_sync() {
    if !tools() {
        return;
    }
    let (_dir, image, run) = mended("al-unusable", |image| {
        let seek = format!("seek={}", AL / 4096);
        let of = format!("of={}", text(image));
        let dd = [
            "if=/dev/urandom",
            &of,
            "bs=4096",
            "count=8",
            &seek,
            "conv=notrunc",
            "status=none",
        ];
        tool("dd", &dd);
        // MDF_PRIMARY_IND, and no MDF_AL_CLEAN.
        patch(image, MD + 59, &[0x13]);
    });
    assert!(
        run.stderr.contains("full sync") || run.stdout.contains("full sync"),
        "{run:?}"
    );
    assert!(bits(&image).iter().flatten().all(|bit| *bit));
    assert_eq!(peek(&image, MD + 59, 1), [0x93]);
}

#[test]
fn a_log_that_lacks_something_means_that_everything_is_out_of_sync() {
    if !tools() {
        return;
    }
    let (_dir, image, run) = mended("al-incomplete", |image| {
        patch(image, AL, &crate::check::broken::lost_log());
        // MDF_PRIMARY_IND, and no MDF_AL_CLEAN.
        patch(image, MD + 59, &[0x13]);
    });
    assert!(run.stdout.contains("full sync"), "{run:?}");
    assert!(!run.stderr.contains("for a person to decide"), "{run:?}");
    assert!(bits(&image).iter().flatten().all(|bit| *bit));
    assert_eq!(peek(&image, MD + 59, 1), [0x93]);
}

#[test]
fn what_was_not_named_is_told_from_what_a_person_decides() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = healthy(&drbdmeta, &dir);
    patch(&image, BM + 8, &[0xFF]);
    patch(&image, MD + 0x60, &[0; 8]);
    let named = mdtool(["repair", text(&image), "bits-beyond-end", "--yes"]);
    assert_eq!(named.status, 1, "{named:?}");
    for says in [
        "nothing to be mended of what was named",
        "mends al-striping-unset, free-slots-differ",
    ] {
        assert!(named.stderr.contains(says), "{named:?}");
    }
    let one = ok(&["repair", text(&image), "al-striping-unset", "--yes"]);
    assert!(
        one.stderr
            .contains("not named, and left as it is: free-slots-differ"),
        "{one:?}"
    );
    assert!(!one.stderr.contains("for a person"), "{one:?}");
}

#[test]
fn a_log_that_nobody_needs_is_initialised_and_no_bit_changes() {
    if !tools() {
        return;
    }
    let (_dir, image, _) = mended("al-not-initialised", |image| {
        patch(image, AL, &vec![0; 32_768]);
    });
    assert_eq!(bits(&image).concat().iter().filter(|bit| **bit).count(), 12);
}

#[test]
fn bits_beyond_the_end_are_cleared_and_no_others() {
    if !tools() {
        return;
    }
    let (_dir, image, _) = mended("bits-beyond-end", |image| {
        // The last word of each slot: 16251 bits are 27 in it.
        let word = 16_251 / 32;
        for slot in 0..3 {
            patch(image, BM + 4 * (word * 3 + slot), &[0, 0, 0, 0xFC]);
        }
    });
    // Bit 26 of that word is the device's last one, and stays.
    let set: Vec<usize> = bits(&image)
        .iter()
        .map(|slot| slot.iter().filter(|bit| **bit).count())
        .collect();
    assert_eq!(set, [5, 5, 5]);
}

#[test]
fn free_slots_that_differ_are_all_set() {
    if !tools() {
        return;
    }
    let (_dir, image, _) = mended("free-slots-differ", |image| {
        patch(image, BM + 8, &[0xFF]);
    });
    let bits = bits(&image);
    assert_eq!(bits[0].iter().filter(|bit| **bit).count(), 4, "a peer's");
    assert!(bits[1].iter().chain(&bits[2]).all(|bit| *bit));
}

#[test]
fn day_0_uuids_become_that_of_the_last_node() {
    if !tools() {
        return;
    }
    let (_dir, image, _) = mended("day0-uuids-differ", |image| {
        for node in 2..32_u64 {
            let uuid: u64 = if node < 7 { 0 } else { 0xDA00_0000_0000_0010 };
            patch(image, MD + 0x70 + node * 32, &uuid.to_be_bytes());
        }
    });
    for node in 2..32_u64 {
        let uuid = peek(&image, MD + 0x70 + node * 32, 8);
        assert_eq!(uuid, 0xDA00_0000_0000_0010_u64.to_be_bytes(), "{node}");
    }
    let peer = peek(&image, MD + 0x70 + 32, 8);
    assert_eq!(peer, 0xB100_0000_0000_0010_u64.to_be_bytes());
}

#[test]
fn striping_is_said_where_it_was_implied() {
    if !tools() {
        return;
    }
    let (_dir, image, _) = mended("al-striping-unset", |image| {
        patch(image, MD + 0x60, &[0; 8]);
    });
    assert_eq!(peek(&image, MD + 0x60, 8), [0, 0, 0, 1, 0, 0, 0, 8]);
}

#[test]
fn what_a_person_must_decide_is_left_and_named() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = healthy(&drbdmeta, &dir);
    let run = mdtool(["repair", text(&image), "--yes"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stderr.contains("nothing to be mended"), "{run:?}");
    // MDF_AL_DISABLED, and striping that is not said.
    patch(&image, MD + 58, &[1]);
    let run = mdtool(["repair", text(&image), "--yes"]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(run.stderr.contains("al-disabled-slots"), "{run:?}");
    patch(&image, MD + 0x60, &[0; 8]);
    for (rule, says) in [
        ("al-disabled-slots", "no one right answer"),
        ("nonsense", "no rule of `mdtool check`"),
    ] {
        let run = mdtool(["repair", text(&image), rule, "--yes"]);
        assert_eq!(run.status, 2, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
    }
    let run = mdtool(["repair", text(&image), "free-slots-differ", "--yes"]);
    assert_eq!(run.status, 1, "only what was named: {run:?}");
    let run = mdtool(["repair", text(&image), "--yes", "--json"]);
    assert_eq!(run.status, 0, "{run:?}");
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["mended"][0], "al-striping-unset");
    assert_eq!(document["left"][0], "al-disabled-slots");
    let blank = dir.path().join("blank");
    sparse(&blank, MIB);
    assert_eq!(mdtool(["repair", text(&blank), "--yes"]).status, 1);
}

#[test]
fn of_a_stack_the_level_that_is_broken_is_mended() {
    let dir = scratch();
    let image = dir.path().join("image");
    let size = Bytes::new(SIZE);
    let mut file = WritableFile::create_new(&image, size).unwrap();
    let range = DevPos::new(0)..DevPos::new(MIB);
    let inner = Level::v08().dirty(BitmapIndex::new(0), range);
    let built = build(&mut file, ImagePos::START, size, &[Level::v08(), inner]).unwrap();
    drop(file);
    patch(&image, 12_288, &[1]);
    let md = built[1].md().get();
    patch(&image, md + 0x58, &[0; 8]);
    let outer = peek(&image, MD, 4096);
    ok(&["repair", text(&image), "--yes"]);
    assert_eq!(peek(&image, md + 0x58, 8), [0, 0, 0, 1, 0, 0, 0, 8]);
    assert_eq!(peek(&image, MD, 4096), outer);
    let none = mdtool(["repair", text(&image), "--level", "0", "--yes"]);
    assert_eq!(none.status, 1, "{none:?}");
}

#[test]
fn the_page_says_of_each_rule_how_it_is_mended_or_why_not() {
    let page = std::fs::read_to_string(testdata("../docs/checks.md")).unwrap();
    let table = page.split("## What `mdtool repair` does").nth(1).unwrap();
    for rule in rules() {
        let row = format!("| `{}` | ", rule.id);
        let rows: Vec<&str> = table.split(&row).skip(1).collect();
        let [rest] = rows.as_slice() else {
            panic!("{}: {} rows", rule.id, rows.len())
        };
        let said = rest.starts_with("**mended**");
        assert_eq!(said, Mend::of(rule.id).is_some(), "{}", rule.id);
    }
}
