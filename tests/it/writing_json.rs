//! `--json` of the commands that write: one document on stdout, which agrees with what `locate` finds afterwards.

use std::path::Path;

use mdtool::builder::Level;
use serde_json::Value;

use crate::adopt::{MIB, dirty, ok, stack, text, v09, whole};
use crate::apply_al::{PRIMARY, image, one_extent};
use crate::support::scratch;

/// Runs a command with `--json`: stdout is one document.
#[track_caller]
fn document(words: &[&str]) -> Value {
    let run = ok(&[words, &["--json"]].concat());
    serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{words:?}: {error}: {run:?}"))
}

/// Holds what a document says of the metadata against what is found there.
#[track_caller]
fn assert_found(document: &Value, image: &Path, index: &str) {
    let found = &self::document(&["locate", text(image), "--index", index])["levels"][0];
    let metadata = &document["metadata"];
    assert_eq!(metadata["image"], text(image));
    for key in [
        "format",
        "index",
        "state",
        "md_offset",
        "al_offset",
        "bm_offset",
        "md_size_sect",
        "la_size_sect",
        "usable_sect",
        "current_uuid",
        "device_uuid",
    ] {
        assert_eq!(metadata[key], found[key], "{key}: {document:#} {found:#}");
    }
}

/// The sum of what the regions of a document's changes say.
fn written(document: &Value) -> u64 {
    let changes = document["changes"].as_array().unwrap();
    let mut sum = 0;
    for change in changes {
        let regions = change["regions"].as_array().unwrap();
        let bytes = regions
            .iter()
            .map(|region| region["written_bytes"].as_u64().unwrap());
        let bytes: u64 = bytes.sum();
        assert_eq!(change["written_bytes"], bytes);
        sum += bytes;
    }
    sum
}

#[test]
fn adopting_tells_what_is_planned_and_what_was_written() {
    for strategy in ["relocate", "truncate", "external"] {
        let stack = stack(&[v09(1), dirty(v09(3))], 64 * MIB, "v09");
        let before = whole(&stack.image);
        let (undo, meta) = (stack.file("undo"), stack.file("meta"));
        let external = ["--strategy", strategy, "--meta", text(&meta)];
        let more = if strategy == "external" {
            &external[..]
        } else {
            &external[..2]
        };
        let words = stack.adopt(&[more, &["--undo", text(&undo)]].concat());
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let dry = document(&[&words[..], &["--dry-run"]].concat());
        assert_eq!(dry["outcome"], "dry-run");
        assert_eq!(dry["changes"][0]["undo_file"], Value::Null);
        assert_eq!(whole(&stack.image), before);
        let done = document(&words);
        assert_eq!(done["outcome"], "done");
        assert_eq!(done["metadata"], dry["metadata"]);
        assert_eq!(done["metadata"]["node_id"], 1);
        assert!(written(&done) > 0 && written(&done) == written(&dry));
        let last = done["changes"].as_array().unwrap().last().unwrap();
        assert_eq!(last["target"], text(&stack.image));
        assert_eq!(last["undo_file"], text(&undo));
        assert_eq!(last["target_bytes"], before.0);
        assert_eq!(last["target_bytes_after"], whole(&stack.image).0);
        if strategy == "external" {
            assert_found(&done, &meta, "flex-external");
        } else {
            assert_found(&done, &stack.image, "auto");
        }

        let undone = document(&["undo", text(&undo)]);
        assert_eq!(undone["outcome"], "done");
        assert_eq!(undone["regions"], last["regions"]);
        assert_eq!(undone["target_bytes"], before.0);
        let found = document(&["locate", text(&stack.image)]);
        let stands = undone["superblocks"].as_array().unwrap();
        let outer = &found["levels"][0];
        let again = stands
            .iter()
            .find(|one| one["md_offset"] == outer["md_offset"]);
        assert_eq!(again.unwrap()["current_uuid"], outer["current_uuid"]);
        assert_eq!(document(&["undo", text(&undo)])["outcome"], "nothing");
        assert_eq!(whole(&stack.image), before);
    }
}

#[test]
fn importing_tells_whether_anything_was_written() {
    let stack = stack(&[Level::v08(), dirty(Level::v08())], 64 * MIB, "v08");
    let (dump, undo) = (stack.file("dump.md"), stack.file("undo"));
    ok(&["export", text(&stack.image), "--stacked", "-o", text(&dump)]);
    let words = ["import", text(&stack.image), text(&dump), "--yes"];
    let dry = document(&[&words[..], &["--dry-run"]].concat());
    assert_eq!(dry["outcome"], "dry-run");
    let done = document(&[&words[..], &["--undo", text(&undo)]].concat());
    assert_eq!(
        (&done["outcome"], &done["metadata"]),
        (&"done".into(), &dry["metadata"])
    );
    assert_eq!(done["changes"][0]["undo_file"], text(&undo));
    assert_found(&done, &stack.image, "auto");
    let again = document(&words);
    assert_eq!(again["outcome"], "nothing");
    assert_eq!(
        (written(&again), &again["metadata"]),
        (0, &done["metadata"])
    );
    assert_eq!(again["changes"][0]["undo_file"], Value::Null);
}

#[test]
fn applying_the_log_tells_what_each_slot_gains() {
    let dir = scratch();
    let path = dir.path().join("unclean.img");
    let level = Level::v09(2).unclean().flags(PRIMARY).al_nr_extents(67);
    image(&path, 64 * MIB, level.activity_log(one_extent(2).area()));
    let words = ["apply-al", text(&path), "--yes"];
    let dry = document(&[&words[..], &["--dry-run"]].concat());
    let done = document(&words);
    assert_eq!(
        (&dry["outcome"], &done["outcome"]),
        (&"dry-run".into(), &"done".into())
    );
    for document in [&dry, &done] {
        for slot in 0..2 {
            let expected =
                serde_json::json!({ "slot": slot, "gained_bits": 1024, "gained_bytes": 4 * MIB });
            assert_eq!(document["slots"][slot], expected);
        }
    }
    assert_found(&done, &path, "auto");
    let again = document(&words);
    assert_eq!((&again["outcome"], written(&again)), (&"nothing".into(), 0));
}
