//! Killed at every system call that changes something: nothing is believed that is not there, and going on leads to the same end.

use std::path::Path;
use std::process::{Command, Stdio};

use mdtool::builder::Level;

use super::killed::verified;
use super::{Stack, content, feed, ok, stack, stream_of, text};
use crate::adopt::MIB;
use crate::support::require_tool;

/// Every call that writes, makes holes, makes durable, or names.
const CALLS: [&str; 6] = [
    "pwrite64",
    "fallocate",
    "fsync",
    "write",
    "/^rename",
    "unlink",
];

/// Runs the program and kills it at one system call of a kind; whether it came so far.
fn killed_at(call: &str, number: u32, words: &[&str], stdin: Stdio, stdout: Stdio) -> bool {
    let inject = format!("inject={call}:signal=KILL:when={number}");
    let status = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null"])
        .args(["-e", &format!("trace={call}"), "-e", &inject])
        .arg(env!("CARGO_BIN_EXE_mdtool"))
        .args(words)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(
        matches!(status.code(), None | Some(0)),
        "{words:?}: {status}"
    );
    status.code().is_none()
}

#[expect(
    clippy::disallowed_types,
    reason = "a stream that a shell would redirect"
)]
fn from(path: &Path) -> Stdio {
    std::fs::File::open(path).unwrap().into()
}

#[expect(
    clippy::disallowed_types,
    reason = "a stream that a shell would redirect"
)]
fn into(path: &Path) -> Stdio {
    std::fs::File::create(path).unwrap().into()
}

fn small() -> Stack {
    stack(&[Level::v08(), Level::v08()], 16 * MIB)
}

/// What the state says is there; goes on with `resume` where the copy is not complete.
fn goes_on(copy: &Path, state: &Path, expected: &[u8], resume: impl Fn(), what: &str) {
    let half = state.exists();
    if half && copy.exists() {
        let verified = verified(state);
        assert!(content(copy)[..verified] == expected[..verified], "{what}");
    }
    if half || !copy.exists() {
        resume();
    }
    assert!(content(copy) == expected, "{what}");
    assert!(!state.exists(), "{what}");
    std::fs::remove_file(copy).unwrap();
}

#[test]
fn a_receiver_killed_at_any_call_goes_on_to_the_same_end() {
    if !require_tool("strace") {
        return;
    }
    let stack = small();
    let expected = stack.expected();
    let (copy, state, kept) = (
        stack.file("copy"),
        stack.file("copy.mdtool-copy"),
        stack.file("stream"),
    );
    let stream = stream_of(&["copy", stack.source(), "-", "--stacked"]);
    crate::import::save(&kept, &stream);
    let receive = ["copy", "-", text(&copy), "--sync-every", "300KiB"];
    let resume = || {
        let run = feed(&["copy", "-", text(&copy), "--resume"], &stream);
        assert_eq!(run.status, 0, "{run:?}");
    };
    for call in CALLS {
        let mut kills = 0;
        for number in 1.. {
            let killed = killed_at(call, number, &receive, from(&kept), Stdio::null());
            goes_on(
                &copy,
                &state,
                &expected,
                resume,
                &format!("{call} {number}"),
            );
            if !killed {
                break;
            }
            kills += 1;
        }
        assert!(kills > 0, "{call}");
    }
}

#[test]
fn a_copy_from_disk_to_disk_killed_at_any_call_goes_on_to_the_same_end() {
    if !require_tool("strace") {
        return;
    }
    let stack = small();
    let expected = stack.expected();
    let (copy, state) = (stack.file("copy"), stack.file("copy.mdtool-copy"));
    let words = ["copy", stack.source(), text(&copy), "--stacked"];
    let killing = [&words[..], &["--sync-every", "300KiB"]].concat();
    let resume = || {
        ok(&[&words[..], &["--resume"]].concat());
    };
    for call in ["fsync", "/^rename", "unlink"] {
        for number in 1.. {
            let killed = killed_at(call, number, &killing, Stdio::null(), Stdio::null());
            goes_on(
                &copy,
                &state,
                &expected,
                resume,
                &format!("{call} {number}"),
            );
            if !killed {
                assert!(number > 1, "{call}");
                break;
            }
        }
    }
}

#[test]
fn a_sender_killed_at_any_write_leaves_a_stream_that_is_not_taken_for_whole() {
    if !require_tool("strace") {
        return;
    }
    let stack = small();
    let expected = stack.expected();
    let (copy, state, cut) = (
        stack.file("copy"),
        stack.file("copy.mdtool-copy"),
        stack.file("stream"),
    );
    let send = ["copy", stack.source(), "-", "--stacked"];
    let receive = ["copy", "-", text(&copy)];
    for number in 1.. {
        let killed = killed_at("write", number, &send, Stdio::null(), into(&cut));
        let part = content(&cut);
        let run = feed(&receive, &part);
        if !killed {
            assert_eq!(run.status, 0, "{run:?}");
            assert!(number > 10, "{number} writes");
            break;
        }
        // The last write may have come through before the signal did, or the report to standard error was the one.
        if run.status == 0 {
            assert!(content(&copy) == expected, "{number}");
            std::fs::remove_file(&copy).unwrap();
            continue;
        }
        assert_eq!(run.status, 2, "{number}: {run:?}");
        assert!(run.stderr.contains("the stream ends here"), "{run:?}");
        let whole = stream_of(&send);
        let resume = || {
            let run = feed(&[&receive[..], &["--resume"]].concat(), &whole);
            assert_eq!(run.status, 0, "{run:?}");
        };
        goes_on(&copy, &state, &expected, resume, &format!("write {number}"));
    }
}
