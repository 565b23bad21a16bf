//! `check`'s answers for DRBD 8.4, held against what a kernel answered: testdata/attach, made by the kernel lab's
//! scenario attach-table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::support::{mdtool, patch, scratch, testdata, unpack};

/// Fields of a v08 superblock: name, first byte, how many bytes.
const FIELDS: [(&str, u64, usize); 18] = [
    ("la_size_sect", 0, 8),
    ("current_uuid", 8, 8),
    ("bitmap_uuid", 16, 8),
    ("history_0", 24, 8),
    ("history_1", 32, 8),
    ("device_uuid", 40, 8),
    ("reserved", 48, 8),
    ("flags", 56, 4),
    ("magic", 60, 4),
    ("md_size_sect", 64, 4),
    ("al_offset", 68, 4),
    ("al_nr_extents", 72, 4),
    ("bm_offset", 76, 4),
    ("bm_bytes_per_bit", 80, 4),
    ("la_peer_max_bio_size", 84, 4),
    ("al_stripes", 88, 4),
    ("al_stripe_size_4k", 92, 4),
    ("tail", 96, 4),
];

/// A line of cases.txt: a base, and what is changed in it.
struct Case {
    name: String,
    row: String,
    base: String,
    code: u64,
    changes: Vec<(u64, Vec<u8>)>,
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

fn table() -> String {
    std::fs::read_to_string(testdata("attach/cases.txt")).unwrap()
}

/// The lines of one kind, without their first word.
fn lines(kind: &str) -> Vec<Vec<String>> {
    let table = table();
    let lines = table.lines().map(words);
    lines
        .filter(|words| words.first().is_some_and(|word| word == kind))
        .map(|words| words[1..].to_vec())
        .collect()
}

fn change(word: &str) -> (u64, Vec<u8>) {
    let (name, value) = word.split_once('=').unwrap();
    let (_, at, len) = FIELDS
        .into_iter()
        .find(|(field, ..)| *field == name)
        .unwrap_or_else(|| panic!("no field {name}"));
    let value = match value.strip_prefix("0x") {
        Some(hex) => i128::from(u64::from_str_radix(hex, 16).unwrap()),
        None => value.parse().unwrap(),
    };
    (at, value.to_be_bytes()[16 - len..].to_vec())
}

fn cases() -> Vec<Case> {
    let case = |words: Vec<String>| Case {
        name: words[0].clone(),
        row: words[1].clone(),
        base: words[2].clone(),
        code: words[3].parse().unwrap(),
        changes: words[4..].iter().map(|word| change(word)).collect(),
    };
    lines("case").into_iter().map(case).collect()
}

/// What the kernel answered: code and words by case.
fn record() -> BTreeMap<String, (u64, String)> {
    let text = std::fs::read_to_string(testdata("attach/drbd-8.4.11.txt")).unwrap();
    text.lines()
        .map(|line| {
            let mut parts = line.split('\t');
            let mut part = || parts.next().unwrap().to_owned();
            (part(), (part().parse().unwrap(), part()))
        })
        .collect()
}

/// Where a base's superblock is: its index and its byte.
fn bases() -> BTreeMap<String, (String, u64)> {
    let base = |words: Vec<String>| {
        let at = words[2].parse().unwrap();
        (words[0].clone(), (words[1].clone(), at))
    };
    lines("base").into_iter().map(base).collect()
}

fn image(dir: &Path, case: &Case, superblock: u64) -> PathBuf {
    let image = dir.join(format!("{}.img", case.name));
    unpack(
        &testdata("attach/bases").join(format!("{}.blocks", case.base)),
        &image,
    );
    for (at, bytes) in &case.changes {
        patch(&image, superblock + at, bytes);
    }
    image
}

/// The level at `superblock` as check has it: the code of drbd 8.4, and the rows that it found something for.
fn judged(image: &Path, index: &str, superblock: u64) -> Option<(u64, Vec<u64>)> {
    let run = mdtool(["check", image.to_str().unwrap(), "--index", index, "--json"]);
    assert!(run.status < 2, "{}: {}", image.display(), run.stderr);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    let here = |value: &&serde_json::Value| value["md_offset"] == superblock;
    let level = document["levels"].as_array().unwrap().iter().find(here)?;
    let refused = |finding: &&serde_json::Value| finding["attach"]["8.4"].as_u64() > Some(0);
    let findings = document["findings"].as_array().unwrap().iter();
    let rows = findings
        .filter(here)
        .filter(refused)
        .filter_map(|finding| finding["row"].as_u64())
        .collect();
    Some((level["attach"]["8.4"].as_u64().unwrap(), rows))
}

/// Whether the case's row is among those that check tells of. That 8.4 does not read v09 is no finding.
fn is_told(rows: &[u64], case: &Case) -> bool {
    let named = rows.iter().any(|row| row.to_string() == case.row);
    named || (rows.is_empty() && case.name.contains("v09"))
}

#[test]
fn every_case_has_an_answer_of_the_kernel_and_it_is_the_expected_one() {
    let mut record = record();
    let cases = cases();
    assert!(cases.len() > 100);
    for case in &cases {
        let (code, words) = record
            .remove(&case.name)
            .unwrap_or_else(|| panic!("the kernel was not asked about {}", case.name));
        assert_eq!(code, case.code, "{}: {words}", case.name);
    }
    assert!(record.is_empty(), "no cases for {:?}", record.keys());
}

#[test]
fn check_answers_as_the_kernel_did_refused_and_accepted() {
    let dir = scratch();
    let (record, bases) = (record(), bases());
    let mut wrong = Vec::new();
    for case in cases() {
        let (index, superblock) = &bases[&case.base];
        let image = image(dir.path(), &case, *superblock);
        let judged = judged(&image, index, *superblock);
        // No kernel attaches what is not there.
        let (code, rows) = judged.unwrap_or((119, vec![7]));
        let (kernel, words) = &record[&case.name];
        if code != *kernel {
            wrong.push(format!("{}: {kernel} ({words}), not {code}", case.name));
        } else if code != 0 && !is_told(&rows, &case) {
            wrong.push(format!("{}: row {}, not {rows:?}", case.name, case.row));
        }
        std::fs::remove_file(image).unwrap();
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
