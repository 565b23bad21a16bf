//! `compare`: decisions of real kernels, images and dumps together, what is said.

mod advice;
mod never_sized;
mod sentences;
mod untrue;

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{Run, kernel_image, mdtool, mdtool_command, scratch, testdata};

/// A case of testdata/handshake: what the kernels decided, and both dumps as files.
struct Case {
    name: String,
    result: Value,
    dumps: [PathBuf; 2],
}

#[expect(clippy::disallowed_methods, reason = "tests make dumps by hand")]
fn cases(family: &str, dir: &TempDir) -> Vec<Case> {
    let path = testdata(&format!("handshake/{family}.txt"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut parts = text
        .split("=== ")
        .skip(1)
        .map(|part| part.split_once('\n').unwrap());
    let mut cases = Vec::new();
    while let Some((title, json)) = parts.next() {
        let name = title.split(' ').next().unwrap().to_owned();
        let dumps = ["a", "b"].map(|side| {
            let path = dir.path().join(format!("{family}-{name}-{side}.md"));
            std::fs::write(&path, parts.next().unwrap().1).unwrap();
            path
        });
        cases.push(Case {
            name,
            result: serde_json::from_str(json).unwrap(),
            dumps,
        });
    }
    cases
}

/// The options that a case says in words.
fn options(result: &Value) -> Vec<String> {
    let mut options = vec![format!(
        "--protocol={}",
        result["protocol"].as_str().unwrap()
    )];
    let promoted = result["before_connect"].as_str().unwrap_or_default();
    for (words, side) in [("a promoted", "a"), ("b promoted", "b")] {
        if promoted == words || promoted == "both promoted" {
            options.push(format!("--primary={side}"));
        }
    }
    for (field, side) in [("net_a", "a"), ("net_b", "b")] {
        for setting in result[field].as_str().unwrap().split_whitespace() {
            options.push(format!("--net={side}:{}", setting.trim_start_matches("--")));
        }
    }
    for note in result["notes"].as_array().unwrap() {
        let note = note.as_str().unwrap();
        if note.contains("quorum=2 on both") {
            options.push("--quorum=on".to_owned());
        }
        if note.contains("both had size 8 MiB") && !note.contains("no size configured now") {
            options.push("--size=8MiB".to_owned());
        }
    }
    options
}

fn json(run: &Run) -> Value {
    assert!(run.status < 2, "{}", run.stderr);
    serde_json::from_str(&run.stdout).unwrap()
}

/// All of them are a test of the library; these go the whole way.
#[test]
fn what_kernels_decided_is_told() {
    let dir = scratch();
    let mut tried = 0;
    for family in ["84", "9"] {
        for case in cases(family, &dir).iter().step_by(6) {
            let [a, b] = &case.dumps;
            let words: Vec<String> = [
                "compare",
                a.to_str().unwrap(),
                b.to_str().unwrap(),
                "--json",
            ]
            .into_iter()
            .map(str::to_owned)
            .chain(options(&case.result))
            .collect();
            let pair = json(&mdtool(&words))["pairs"][0].clone();
            assert_eq!(pair["rule"], case.result["rule"], "{}", case.name);
            if pair["arbitrary"] == false {
                assert_eq!(pair["decision"], case.result["decision"], "{}", case.name);
            }
            if pair["sync_bits_at_least"] == false {
                assert_eq!(pair["sync_bits"], case.result["sync_bits"], "{}", case.name);
            }
            tried += 1;
        }
    }
    assert_eq!(tried, 36);
}

/// The kernels synced 7168 bits: five extents, and two more that both logs name.
#[test]
fn images_tell_what_their_logs_add_and_dumps_of_them_at_least_the_rest() {
    for (format, rules) in [
        ("v08", ["70", "50"]),
        ("v09", ["bitmap-self", "bitmap-peer"]),
    ] {
        let [a, b] = ["a", "b"].map(|side| kernel_image(&format!("{format}-pair-{side}-crashed")));
        let [a, b] = [a.to_str().unwrap(), b.to_str().unwrap()];
        let run = mdtool(["compare", a, b, "--json"]);
        let pair = &json(&run)["pairs"][0];
        assert_eq!(pair["rule"], rules[0]);
        assert_eq!(pair["rule_b"], rules[1]);
        assert_eq!(pair["decision"], "source-bitmap");
        assert_eq!(pair["sync_bits"], 7168);
        assert_eq!(pair["sync_bytes"], 7168 * 4096);
        assert_eq!(pair["sync_bits_at_least"], false);
        let turned = json(&mdtool(["compare", b, a, "--json"]));
        assert_eq!(turned["pairs"][0]["decision"], "target-bitmap");
        assert_eq!(turned["pairs"][0]["sync_bits"], 7168);
        let dump = testdata(&format!("dumps/{format}-pair-a-crashed.forced.md"));
        let mixed = json(&mdtool(["compare", dump.to_str().unwrap(), b, "--json"]));
        assert_eq!(mixed["pairs"][0]["decision"], "source-bitmap");
        assert_eq!(mixed["pairs"][0]["sync_bits_at_least"], true);
        assert!(mixed["pairs"][0]["sync_bits"].as_u64().unwrap() < 7168);
    }
}

#[test]
fn a_level_is_named_behind_the_path_unless_a_file_is_called_so() {
    let stack = kernel_image("v08-stack-down");
    let copy = kernel_image("v08-stack-live-copy");
    let inner = |path: &PathBuf| format!("{}@inner", path.display());
    let found = json(&mdtool([
        "compare",
        &inner(&stack),
        &inner(&copy),
        "--json",
    ]));
    assert_eq!(found["replicas"][0]["level"], 1);
    assert_eq!(found["pairs"][0]["rule"], "70");
    assert_eq!(found["pairs"][0]["decision"], "source-bitmap");
    let dir = scratch();
    let odd = dir.path().join("odd@1");
    std::fs::copy(testdata("dumps/v08-pair-b-synced.applied.md"), &odd).unwrap();
    let found = json(&mdtool([
        "compare",
        odd.to_str().unwrap(),
        &inner(&copy),
        "--json",
    ]));
    assert_eq!(found["replicas"][0]["level"], Value::Null);
    let missing = mdtool(["compare", "no-such-file@1", &inner(&copy)]);
    assert_eq!(missing.status, 2);
    let nowhere = mdtool(["compare", &format!("{}@7", copy.display()), &inner(&copy)]);
    assert_eq!(nowhere.status, 1);
}

#[test]
fn a_dump_may_come_from_standard_input_once() {
    let dump = testdata("dumps/v09-pair-b-synced.applied.md");
    let a = kernel_image("v09-pair-a-synced");
    let mut command = mdtool_command(["compare", a.to_str().unwrap(), "-", "--json"]);
    let text = std::fs::read_to_string(&dump).unwrap();
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["replicas"][1]["source"], "-");
    assert_eq!(found["pairs"][0]["mirrored"], true);
    assert_eq!(mdtool(["compare", "-", "-"]).status, 2);
}

/// Runs it where the dumps are, so that no path is in what it says.
fn run_in(dir: &TempDir, words: &[&str]) -> String {
    let run = Run::from(
        mdtool_command(words)
            .current_dir(dir.path())
            .output()
            .unwrap(),
    );
    format!("{}exit {}\n", run.stdout, run.status)
}

fn said(name: &str, family: &str, more: &[&str]) -> String {
    let dir = scratch();
    assert!(cases(family, &dir).iter().any(|case| case.name == name));
    let [a, b] = ["a", "b"].map(|side| format!("{family}-{name}-{side}.md"));
    run_in(&dir, &[&["compare", &a, &b], more].concat())
}

#[test]
fn a_resync_is_said() {
    insta::assert_snapshot!(said("disc-writes-b", "84", &[]));
}

#[test]
fn a_split_brain_is_said_with_both_ways_out() {
    insta::assert_snapshot!(said("disc-writes-both", "9", &[]));
}

#[test]
fn what_the_handshake_drops_is_said() {
    insta::assert_snapshot!(said("verify-oos", "9", &["--rate=1MiB"]));
}

#[test]
fn a_side_that_is_too_small_is_said() {
    insta::assert_snapshot!(said("b-smaller-fresh", "9", &[]));
}

#[test]
fn an_arbitrary_direction_is_said() {
    insta::assert_snapshot!(said("crash-both-primary", "84", &[]));
}

#[test]
fn unrelated_data_is_said() {
    insta::assert_snapshot!(said("forced-both", "9", &[]));
}

/// A v08 pair of which both wrote, with a Primary: the rule, and what comes of it.
fn with_primary(dir: &TempDir, net: &[&str]) -> (Value, Value) {
    assert!(!cases("84", dir).is_empty());
    let [a, b] = ["a", "b"].map(|side| dir.path().join(format!("84-disc-writes-both-{side}.md")));
    let files = ["compare", a.to_str().unwrap(), b.to_str().unwrap()];
    let words = [&files[..], &["--json", "--primary=a"], net].concat();
    let pair = json(&mdtool(words))["pairs"][0].clone();
    (
        pair["decision"].clone(),
        pair["refused_by"][0]["code"].clone(),
    )
}

#[test]
fn a_primary_that_loses_gives_up_where_a_policy_says_so() {
    let dir = scratch();
    let loses = [
        "--net=a:after-sb-0pri=discard-local",
        "--net=b:after-sb-0pri=discard-remote",
    ];
    let with = |policy: &str| {
        let policy = format!("--net=after-sb-1pri={policy}");
        with_primary(&dir, &[&loses[..], &[&policy]].concat())
    };
    let target = (Value::from("target-bitmap"), Value::Null);
    assert_eq!(with("call-pri-lost-after-sb"), target);
    let refused = (Value::from("refused"), Value::from("primary-target"));
    assert_eq!(with("violently-as0p"), refused);
    let split = (Value::from("split-brain"), Value::Null);
    assert_eq!(with("consensus"), split);
}

#[test]
fn a_primary_does_not_discard_its_data() {
    let dir = scratch();
    let refused = (Value::from("refused"), Value::from("discard-as-primary"));
    assert_eq!(
        with_primary(&dir, &["--net=a:discard-my-data=yes"]),
        refused
    );
    let source = (Value::from("source-bitmap"), Value::Null);
    assert_eq!(with_primary(&dir, &["--net=b:discard-my-data=yes"]), source);
}

#[test]
fn three_replicas_are_a_matrix_with_the_newest_named() {
    let dir = scratch();
    assert!(!cases("84", &dir).is_empty());
    let words = [
        "compare",
        "84-e-bitmap-self-a.md",
        "84-e-bitmap-self-b.md",
        "84-clean-equal-a.md",
    ];
    insta::assert_snapshot!(run_in(&dir, &words));
}

#[test]
fn bad_options_are_refused() {
    let dump = testdata("dumps/v09-pair-b-synced.applied.md");
    let dump = dump.to_str().unwrap();
    for bad in [
        &["compare", dump][..],
        &["compare", dump, dump, "--net=c:always-asbp=yes"],
        &["compare", dump, dump, "--net=no-such=yes"],
        &["compare", dump, dump, "--protocol=D"],
        &["compare", dump, dump, "--kernel=8.3"],
        &["compare", dump, dump, "--size=100"],
        // Each option has values of its own.
        &["compare", dump, dump, "--net=after-sb-0pri=consensus"],
        &["compare", dump, dump, "--net=after-sb-0pri=violently-as0p"],
        &["compare", dump, dump, "--net=after-sb-1pri=discard-local"],
        &["compare", dump, dump, "--net=after-sb-1pri=violently"],
        &[
            "compare",
            dump,
            dump,
            "--net=after-sb-2pri=discard-secondary",
        ],
        &["compare", dump, dump, "--net=after-sb-2pri=consensus"],
        &["compare", dump, dump, "--net=rr-conflict=violently-as0p"],
        &["compare", dump, dump, "--net=rr-conflict=panic"],
        &["compare", dump, "/nonexistent"],
        &["compare", dump, "/"],
    ] {
        let run = mdtool(bad);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{bad:?}");
    }
}
