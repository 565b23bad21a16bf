//! What was said and was not so, once.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use super::{cases, json, run_in, said};
use crate::support::{mdtool, scratch, testdata};

/// Both orders of a recorded case, and the statuses.
fn both_orders(dir: &TempDir, family: &str, name: &str, more: &[&str]) -> [(i32, Value); 2] {
    assert!(cases(family, dir).iter().any(|case| case.name == name));
    let [a, b] = ["a", "b"].map(|side| dir.path().join(format!("{family}-{name}-{side}.md")));
    [[&a, &b], [&b, &a]].map(|[first, second]| {
        let files = [
            "compare",
            first.to_str().unwrap(),
            second.to_str().unwrap(),
            "--json",
        ];
        let run = mdtool([&files[..], more].concat());
        (run.status, json(&run)["pairs"][0].clone())
    })
}

fn codes(pair: &Value, list: &str) -> Vec<String> {
    let sentences = pair[list].as_array().unwrap().iter();
    sentences
        .map(|one| one["code"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_common_history_does_not_tell_what_was_written() {
    insta::assert_snapshot!("uncounted_8", said("ncu-both-twice", "84", &[]));
    insta::assert_snapshot!("uncounted_9", said("ncu-both-twice", "9", &[]));
    insta::assert_snapshot!("empty_history", said("e-unrelated-zero-history", "84", &[]));
}

/// 8.4 sends by bitmap there, which no common generation is counted from; the kernel synced 0 bits.
#[test]
fn discarding_by_a_bitmap_that_does_not_count_is_warned_of() {
    insta::assert_snapshot!(said(
        "ncu-both-twice",
        "84",
        &["--net=b:discard-my-data=yes"]
    ));
    let dir = scratch();
    for (status, pair) in both_orders(
        &dir,
        "84",
        "histboth-discard-my-data-b",
        &["--net=always-asbp=no"],
    ) {
        assert_eq!(
            (status, &pair["decision"]),
            (1, &Value::from("split-brain"))
        );
        assert!(codes(&pair, "notes").contains(&"uncounted".to_owned()));
    }
}

#[test]
fn before_9_3_a_bit_stands_for_4096_bytes() {
    let dir = scratch();
    let text = std::fs::read_to_string(testdata("dumps/v09-pair-a-synced.applied.md")).unwrap();
    let coarse = text.replace("bm-byte-per-bit 4096", "bm-byte-per-bit 65536");
    let a = dir.path().join("coarse.md");
    #[expect(clippy::disallowed_methods, reason = "tests make dumps by hand")]
    std::fs::write(&a, coarse).unwrap();
    let b = testdata("dumps/v09-pair-b-synced.applied.md");
    let with = |kernel: &str, files: [&PathBuf; 2]| {
        let [a, b] = files.map(|file| file.to_str().unwrap());
        let run = mdtool(["compare", a, b, "--json", kernel]);
        (run.status, json(&run)["pairs"][0].clone())
    };
    for kernel in ["--kernel=9.0", "--kernel=9.1", "--kernel=9.2"] {
        for files in [[&a, &b], [&b, &a]] {
            let (status, pair) = with(kernel, files);
            assert_eq!((status, &pair["decision"]), (1, &Value::from("refused")));
            assert_eq!(codes(&pair, "refused_by"), ["granularity"]);
        }
    }
    let (_, pair) = with("--kernel=9.3", [&a, &b]);
    assert_ne!(pair["decision"], "refused");
}

/// Promoted, both have what was current as their bitmap's generation.
#[test]
fn the_picture_shows_what_promoting_begins() {
    insta::assert_snapshot!(
        "both_promoted",
        said("clean-equal", "84", &["--primary=a", "--primary=b"])
    );
    insta::assert_snapshot!(
        "one_promoted",
        said("now-pri-a-b-newer", "84", &["--primary=a"])
    );
}

#[test]
fn a_size_of_0_is_none() {
    let dir = scratch();
    for family in ["84", "9"] {
        let without = both_orders(&dir, family, "grown-a-nosize", &[]);
        assert_eq!(
            both_orders(&dir, family, "grown-a-nosize", &["--size=0"]),
            without
        );
    }
}

#[test]
fn of_two_that_crashed_either_may_be_the_victim() {
    let dir = scratch();
    for family in ["84", "9"] {
        let [one, other] = both_orders(&dir, family, "crash-both-primary", &[]);
        assert_eq!((one.0, other.0), (1, 1));
        let text = one.1["lost"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("one of the two is overwritten"), "{text}");
        assert_eq!(codes(&one.1, "lost"), codes(&other.1, "lost"));
    }
}

#[test]
fn a_target_without_a_generation_never_had_data() {
    let dir = scratch();
    for (family, name) in [("84", "e-cur-zero-b"), ("9", "e-cur-zero-a")] {
        for (status, pair) in both_orders(&dir, family, name, &[]) {
            let notes = codes(&pair, "notes");
            assert!(notes.contains(&"initial-sync".to_owned()), "{notes:?}");
            assert!(!notes.contains(&"full-sync".to_owned()));
            assert_eq!(status, 0, "{pair}");
        }
    }
}

#[test]
fn what_drbd_takes_for_unrelated_may_be_known_to_both() {
    insta::assert_snapshot!(said("e-hist-mutual", "9", &[]));
}

#[test]
fn a_split_brain_without_its_log_is_at_least_so_large() {
    let dir = scratch();
    assert!(!cases("9", &dir).is_empty());
    let [a, b] = ["a", "b"].map(|side| format!("9-disc-writes-both-{side}.md"));
    let path = dir.path().join(&a);
    let text = std::fs::read_to_string(&path).unwrap();
    // PRIMARY_IND: it may have been writing, and its log is not in the dump.
    let flags = text
        .lines()
        .find(|line| line.starts_with("flags "))
        .unwrap();
    let number = flags.trim_start_matches("flags 0x").trim_end_matches(';');
    let number = u32::from_str_radix(number, 16).unwrap() | 2;
    #[expect(clippy::disallowed_methods, reason = "tests make dumps by hand")]
    std::fs::write(
        &path,
        text.replace(flags, &format!("flags 0x{number:08X};")),
    )
    .unwrap();
    insta::assert_snapshot!(run_in(&dir, &["compare", &a, &b]));
}

#[test]
fn one_full_sync_is_one_in_either_order() {
    let dir = scratch();
    for family in ["84", "9"] {
        for case in cases(family, &dir) {
            let options = super::options(&case.result);
            let turned = options
                .iter()
                .map(|option| swapped(option))
                .collect::<Vec<_>>();
            let [a, b] = &case.dumps;
            let run = |first: &PathBuf, second: &PathBuf, options: &[String]| {
                let files = [
                    "compare",
                    first.to_str().unwrap(),
                    second.to_str().unwrap(),
                    "--json",
                ];
                let files = files.map(str::to_owned);
                let run = mdtool([&files[..], options].concat());
                let pair = json(&run)["pairs"][0].clone();
                let mut said = codes(&pair, "notes");
                said.extend(codes(&pair, "lost"));
                said.extend(codes(&pair, "refused_by"));
                said.sort();
                (run.status, pair["sync_bits"].clone(), said)
            };
            assert_eq!(run(a, b, &options), run(b, a, &turned), "{}", case.name);
        }
    }
}

/// An option as it is where the two are named the other way round.
fn swapped(option: &str) -> String {
    match option {
        "--primary=a" => "--primary=b".to_owned(),
        "--primary=b" => "--primary=a".to_owned(),
        _ if option.starts_with("--net=a:") => option.replacen("a:", "b:", 1),
        _ if option.starts_with("--net=b:") => option.replacen("b:", "a:", 1),
        _ => option.to_owned(),
    }
}

/// v08 of a pair, by hand: current, bitmap and two past generations.
pub(super) fn v08(dir: &TempDir, name: &str, uuids: [u64; 4]) -> String {
    let uuids = uuids.map(|uuid| format!("0x{uuid:016X};")).join(" ");
    let text = format!(
        "version \"v08\";\n# md_offset 16773120\n# bm_offset 16736256\nuuid {{ {uuids} flags 0x00000091; }}\nla-size-sect 32688;\nbm-byte-per-bit 4096;\ndevice-uuid 0x0000000000000000;\nla-peer-max-bio-size 0;\nal-stripes 1;\nal-stripe-size-4k 8;\nbm {{ 0x00000000000000FF; 63 times 0x0000000000000000; }}\n"
    );
    #[expect(clippy::disallowed_methods, reason = "tests make dumps by hand")]
    std::fs::write(dir.path().join(name), text).unwrap();
    name.to_owned()
}

/// DRBD 9 talks to 8.4, by 8.4's protocol.
#[test]
fn v08_and_v09_meet() {
    let dir = scratch();
    assert!(!cases("9", &dir).is_empty());
    // a's current generation is what b's slot for it counts from, or in b's history.
    let behind = v08(&dir, "behind.md", [0xB1C4_F992_4DDD_9EE2, 0, 0, 0]);
    let b = "9-disc-writes-both-a.md";
    let files = |first: &str, second: &str, more: &[&str]| {
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        let words = [
            "compare".to_owned(),
            path(first),
            path(second),
            "--json".to_owned(),
        ];
        let more = more
            .iter()
            .map(|word| (*word).to_owned())
            .collect::<Vec<_>>();
        let run = mdtool([&words[..], &more].concat());
        json(&run)["pairs"][0].clone()
    };
    let pair = files(&behind, b, &[]);
    let rules = (&pair["rule"], &pair["rule_b"], &pair["decision"]);
    assert_eq!(
        rules,
        (&"50".into(), &"bitmap-self".into(), &"target-bitmap".into())
    );
    assert!(codes(&pair, "notes").contains(&"formats".to_owned()));
    let pair = files(b, &behind, &[]);
    assert_eq!(pair["decision"], "source-bitmap");
    for (kernel, side) in [("--kernel=8.4", "a"), ("--kernel=9.2", "b")] {
        let pair = files(b, &behind, &[kernel]);
        assert_eq!(codes(&pair, "refused_by"), ["kernel"]);
        let text = pair["refused_by"][0]["text"].as_str().unwrap();
        assert!(text.starts_with(&format!("{side} is v0")), "{text}");
    }
    insta::assert_snapshot!(run_in(&dir, &["compare", &behind, b]));
}
