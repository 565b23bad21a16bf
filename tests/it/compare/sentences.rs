//! Sentences that no recorded case has, each once, to be read.

use tempfile::TempDir;

use super::untrue::v08;
use super::{cases, run_in, said};
use crate::support::scratch;

/// Two that wrote as much since they parted, of which nothing tells who is to be discarded.
fn alike(dir: &TempDir, since: u64) -> [String; 2] {
    [("one.md", 0x1111_0000), ("other.md", 0x2222_0000)]
        .map(|(name, current)| v08(dir, name, [current, since, 0, 0]))
}

#[test]
fn a_race_may_decide_whether_they_connect_at_all() {
    let dir = scratch();
    let [a, b] = alike(&dir, 0x5555_0000);
    let pair = [
        "compare",
        &a,
        &b,
        "--net=after-sb-0pri=discard-least-changes",
    ];
    let policy = "--net=after-sb-1pri=violently-as0p";
    let mut all = run_in(&dir, &pair);
    for primary in ["--primary=a", "--primary=b"] {
        all += &run_in(&dir, &[&pair[..], &[primary, policy]].concat());
    }
    insta::assert_snapshot!(all);
}

#[test]
fn two_that_were_made_primary_by_force_have_nothing_in_common() {
    let dir = scratch();
    let [a, b] = alike(&dir, 4);
    insta::assert_snapshot!(run_in(&dir, &["compare", &a, &b]));
}

#[test]
fn everything_is_sent_to_what_has_no_generation() {
    insta::assert_snapshot!("all", said("e-cur-zero-b", "84", &[]));
    insta::assert_snapshot!(
        "tentative",
        said("disc-writes-b", "84", &["--net=tentative=yes"])
    );
}

#[test]
fn the_newest_of_three_is_named_where_it_can_be_told() {
    let dir = scratch();
    assert!(!cases("84", &dir).is_empty());
    let newest = |names: [&str; 3]| {
        let files = names.map(|name| format!("84-{name}.md"));
        let [a, b, c] = files.each_ref().map(String::as_str);
        let text = run_in(&dir, &["compare", a, b, c]);
        // The table at the end; the pairs have tests of their own.
        let table = text.rfind("\n    a ").unwrap();
        text[table..].to_owned()
    };
    let all = [
        newest(["disc-writes-b-b", "disc-writes-b-a", "disc-writes-b-a"]),
        newest(["clean-equal-a", "clean-equal-b", "clean-equal-a"]),
        newest([
            "crash-both-primary-a",
            "crash-both-primary-b",
            "clean-equal-a",
        ]),
    ];
    insta::assert_snapshot!(all.concat());
}
