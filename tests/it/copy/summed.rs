//! `mdtool sum`: the values that other tools print, and what is not as listed.

use std::path::Path;

use mdtool::builder::Level;

use super::{Stack, content, noise, ok, refused, stack, text};
use crate::adopt::MIB;
use crate::support::{cut, mdtool, patch, require_tool, scratch, sparse, tool};

fn lines(text: &str) -> Vec<serde_json::Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// 5 MiB and a bit: noise, zeros, a hole.
fn image(path: &Path) {
    sparse(path, 5 * MIB + 777);
    patch(path, 0, &noise((2 * MIB) as usize, 1));
    patch(path, MIB, &vec![0; 1 << 20]);
    patch(path, 5 * MIB, &noise(777, 2));
}

#[test]
fn values_are_those_of_dd_and_the_usual_tools() {
    let dir = scratch();
    let path = dir.path().join("image");
    image(&path);
    for (algorithm, program) in [("md5", "md5sum"), ("sha256", "sha256sum")] {
        // 800 MiB are 100 blocks of 8 MiB; here it is 800 KiB in 100 of 8 KiB.
        let printed = ok(&[
            "sum",
            text(&path),
            "--algorithm",
            algorithm,
            "--chunk",
            "800KiB",
        ]);
        let printed = lines(&printed.stdout);
        assert_eq!(printed.len(), 1 + 7 + 1);
        for (skip, line) in printed[1..8].iter().enumerate() {
            let dd = format!(
                "dd if={} bs=8K count=100 skip={} status=none | {program}",
                text(&path),
                skip * 100
            );
            let expected = tool("sh", &["-c", &dd]);
            assert_eq!(line["value"], expected.split(' ').next().unwrap());
            assert_eq!(line["start"], skip * 800 * 1024);
        }
        assert_eq!(printed[8]["whole"], serde_json::Value::Null);
    }
}

#[test]
fn chunks_of_blake3_combine_to_what_b3sum_prints() {
    let dir = scratch();
    let path = dir.path().join("image");
    image(&path);
    let expected = blake3::hash(&content(&path)).to_string();
    if require_tool("b3sum") {
        assert_eq!(tool("b3sum", &["--no-names", text(&path)]), expected);
    }
    for chunk in ["1KiB", "64KiB", "1MiB", "64MiB"] {
        for threads in ["1", "3"] {
            let words = [
                "sum",
                text(&path),
                "--chunk",
                chunk,
                "--whole",
                "--threads",
                threads,
            ];
            let printed = lines(&ok(&words).stdout);
            assert_eq!(printed.last().unwrap()["whole"], expected, "{chunk}");
        }
    }
    // Chunks of zeros are named, not hashed.
    let printed = lines(&ok(&["sum", text(&path), "--chunk", "1MiB"]).stdout);
    let zeros: Vec<bool> = printed[1..7]
        .iter()
        .map(|line| line["zeros"] == true)
        .collect();
    assert_eq!(zeros, [false, true, true, true, true, false]);
    assert_eq!(printed[2]["value"], serde_json::Value::Null);
    assert_eq!(printed[0]["what"], "image");
    refused(&["sum", text(&path), "--chunk", "3KiB"], 2, "power of two");
    refused(
        &["sum", text(&path), "--algorithm", "crc"],
        2,
        "blake3, sha256 or md5",
    );
    let empty = dir.path().join("empty");
    sparse(&empty, 0);
    let printed = lines(&ok(&["sum", text(&empty)]).stdout);
    assert_eq!(printed[1]["whole"], blake3::hash(b"").to_string());
}

#[test]
fn bad_and_missing_chunks_are_ranges_that_copy_sends_again() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let (copy, list, made) = (stack.file("copy"), stack.file("list"), stack.file("made"));
    ok(&[
        "copy",
        stack.source(),
        text(&copy),
        "--stacked",
        "--sums",
        text(&made),
    ]);
    ok(&[
        "sum",
        stack.source(),
        "--stacked",
        "--chunk",
        "1MiB",
        "-o",
        text(&list),
    ]);
    let check = |list: &Path| mdtool(["sum", "--check", text(list), text(&copy)]);
    for list in [&list, &made] {
        let run = check(list);
        assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{run:?}");
    }
    // What was made while copying is what is made later.
    let later = ok(&["sum", stack.source(), "--stacked"]).stdout;
    assert_eq!(std::fs::read_to_string(&made).unwrap(), later);
    patch(&copy, 5 * MIB + 9, b"broken");
    patch(&copy, 6 * MIB, &[1]);
    patch(&copy, 40 * MIB, &[1]);
    let run = check(&list);
    let expected = format!("{} {MIB}\n{} {MIB}\n{} {MIB}\n", 5 * MIB, 6 * MIB, 40 * MIB);
    assert_eq!(
        (run.status, run.stdout.as_str()),
        (1, expected.as_str()),
        "{run:?}"
    );
    let ranges = stack.file("ranges");
    crate::import::save(&ranges, run.stdout.as_bytes());
    let words = [
        "copy",
        stack.source(),
        text(&copy),
        "--stacked",
        "--ranges",
        text(&ranges),
    ];
    refused(&words, 2, "expected --yes");
    let run = ok(&[&words[..], &["--yes"]].concat());
    assert!(run.stdout.contains("next: mdtool sum --check "), "{run:?}");
    assert_eq!(check(&list).status, 0);
    assert!(content(&copy) == stack.expected());

    no_mixture(&stack, &copy, &words);
}

/// A source that began another generation since would make a mixture of the two.
fn no_mixture(stack: &Stack, copy: &Path, words: &[&str]) {
    ok(&[
        "edit",
        stack.source(),
        "--level",
        "inner",
        "--current-uuid",
        "new",
        "--yes",
    ]);
    patch(copy, 5 * MIB, b"broken");
    let before = content(copy);
    refused(&[words, &["--yes"]].concat(), 2, "make no copy");
    assert!(content(copy) == before);
}

#[test]
fn what_a_copy_or_a_list_lacks_is_not_taken_for_good() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let (copy, list, ranges) = (stack.file("copy"), stack.file("list"), stack.file("ranges"));
    ok(&["copy", stack.source(), text(&copy), "--stacked"]);
    ok(&[
        "sum",
        stack.source(),
        "--stacked",
        "--chunk",
        "1MiB",
        "-o",
        text(&list),
    ]);
    let check = |list: &Path| mdtool(["sum", "--check", text(list), text(&copy)]);
    assert_eq!(check(&list).status, 0);
    // A copy that is too short lacks what is behind its end.
    cut(&copy, 62 * MIB + 5);
    let run = check(&list);
    assert_eq!(run.status, 1);
    let rest = stack.inner - 63 * MIB;
    assert_eq!(
        run.stdout,
        format!("{} {MIB}\n{} {rest}\n", 62 * MIB, 63 * MIB)
    );
    let json = mdtool(["sum", "--check", text(&list), text(&copy), "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(json["bad_chunks"], 2);
    assert_eq!(json["missing_bytes"], stack.inner - 62 * MIB - 5);
    // A list that was cut off proves nothing of what it lacks.
    let text_of_list = std::fs::read_to_string(&list).unwrap();
    let first: String = text_of_list.split_inclusive('\n').take(61).collect();
    crate::import::save(&ranges, first.as_bytes());
    let run = check(&ranges);
    assert!(
        run.status == 1 && run.stderr.contains("the list was cut off"),
        "{run:?}"
    );
    for wrong in [
        "",
        "{}\n",
        "DRBD\n",
        &text_of_list.replacen("blake3", "crc", 1),
    ] {
        crate::import::save(&ranges, wrong.as_bytes());
        assert_eq!(check(&ranges).status, 2, "{wrong:.50}");
    }
}
