//! la-size 0: what attach makes of the bitmap, by kernel.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tempfile::TempDir;

use super::json;
use crate::support::{kernel_image, mdtool, patch, scratch, testdata};

/// A copy of a kernel's image whose superblock says that no size was ever agreed on.
fn never_sized(dir: &TempDir, name: &str) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::copy(kernel_image(name), &path).unwrap();
    let size = std::fs::metadata(&path).unwrap().len();
    patch(&path, size - 4096, &[0; 8]);
    path
}

fn codes(list: &Value) -> Vec<&str> {
    let sentences = list.as_array().unwrap().iter();
    sentences.map(|one| one["code"].as_str().unwrap()).collect()
}

fn pair(a: &Path, b: &Path, more: &[&str]) -> (i32, Value) {
    let files = [
        "compare",
        a.to_str().unwrap(),
        b.to_str().unwrap(),
        "--json",
    ];
    let run = mdtool([&files[..], more].concat());
    (run.status, json(&run)["pairs"][0].clone())
}

/// From drbd-facts: 9.2.18, 9.3.2 and later do not read such a bitmap; earlier ones trust it.
#[test]
fn bits_that_attach_does_not_read_are_lost_by_the_kernel_s_version() {
    let dir = scratch();
    let a = never_sized(&dir, "v09-pair-a-crashed");
    let b = kernel_image("v09-pair-b-crashed");
    let (status, newest) = pair(&a, &b, &[]);
    assert_eq!(status, 1);
    assert_eq!(newest["decision"], "source-bitmap");
    assert!(
        codes(&newest["lost"]).contains(&"bitmap-not-read"),
        "{newest}"
    );
    assert!(codes(&newest["notes"]).contains(&"never-sized"));
    let lost = newest["lost"][0]["text"].as_str().unwrap();
    for version in ["9.2.18", "9.3.2", "9.0", "9.1"] {
        assert!(lost.contains(version), "{lost}");
    }
    // 9.2 and 9.3 mean the newest of them.
    for kernel in ["--kernel=9.2", "--kernel=9.3"] {
        assert_eq!(pair(&a, &b, &[kernel]), (1, newest.clone()));
    }
    let (_, read) = pair(&a, &b, &["--kernel=9.1"]);
    assert_eq!(codes(&read["lost"]), [""; 0]);
    // As where the size is known.
    assert_eq!(read["sync_bits"], 7168);
    let (turned_status, turned) = pair(&b, &a, &[]);
    assert_eq!(
        (turned_status, &turned["lost"][0]["code"]),
        (1, &Value::from("bitmap-not-read"))
    );
}

#[test]
fn a_dump_without_a_bitmap_cannot_promise_that_nothing_is_lost() {
    let dir = scratch();
    let dump = testdata("dumps/v09-pair-a-crashed.applied.md");
    let text = std::fs::read_to_string(dump).unwrap();
    let start = text.find("la-size-sect").unwrap();
    let end = start + text[start..].find(';').unwrap();
    let text = [&text[..start], "la-size-sect 0", &text[end..]].concat();
    // What drbdmeta prints there: no words.
    let bitmap = text.find("bitmap[0]").unwrap();
    let empty = "bitmap[0] {\n}\nbitmap[1] {\n}\nbitmap[2] {\n}\n";
    let a = dir.path().join("a.md");
    #[expect(clippy::disallowed_methods, reason = "tests make dumps by hand")]
    std::fs::write(&a, [&text[..bitmap], empty].concat()).unwrap();
    let b = kernel_image("v09-pair-b-crashed");
    let (status, newest) = pair(&a, &b, &[]);
    assert_eq!(status, 1);
    assert!(codes(&newest["notes"]).contains(&"no-bitmap"), "{newest}");
    let (_, read) = pair(&a, &b, &["--kernel=9.0"]);
    assert_eq!(read["sync_bits_at_least"], true, "{read}");
}

/// 8.4 marks everything, though a bitmap is there.
#[test]
fn a_full_sync_of_8_4_has_its_reason() {
    let dir = scratch();
    let a = never_sized(&dir, "v08-pair-a-synced");
    let b = kernel_image("v08-pair-b-synced");
    let (_, sized) = pair(&kernel_image("v08-pair-a-synced"), &b, &[]);
    let partial = sized["sync_bits"].as_u64().unwrap();
    for (first, second) in [(&a, &b), (&b, &a)] {
        let (status, found) = pair(first, second, &[]);
        assert_eq!(status, 1, "{found}");
        assert!(found["sync_bits"].as_u64().unwrap() > partial);
        let notes = codes(&found["notes"]);
        assert!(
            notes.contains(&"full-sync") && notes.contains(&"never-sized"),
            "{found}"
        );
    }
}
