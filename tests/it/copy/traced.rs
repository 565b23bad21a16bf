//! Killed at every system call that changes something: nothing is believed that is not there, and going on leads to the same end.

use std::path::Path;
use std::process::{Command, Stdio};

use mdtool::builder::Level;

use super::killed::verified;
use super::{Stack, content, feed, ok, stack, stream_of, text};
use crate::adopt::MIB;
use crate::support::{mdtool, peek, put, require_tool};

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
fn goes_on(copy: &Path, expected: &[u8], resume: impl Fn(), what: &str) {
    let state = copy.with_extension("mdtool-copy");
    let found = |len: usize| peek(copy, 0, len);
    if state.exists() && copy.exists() {
        let verified = verified(&state);
        assert!(found(verified) == expected[..verified], "{what}");
    }
    let untouched = copy.exists() && found(OLD.len()) == OLD;
    if state.exists() || !copy.exists() || untouched {
        resume();
    }
    assert!(found(expected.len()) == expected, "{what}");
    assert!(!state.exists(), "{what}");
    std::fs::remove_file(copy).unwrap();
}

/// What an older target begins with, other than the source.
const OLD: &[u8] = &[0xEE; 4096];

#[test]
fn a_receiver_killed_at_any_call_goes_on_to_the_same_end() {
    if !require_tool("strace") {
        return;
    }
    let stack = small();
    let expected = stack.expected();
    let (copy, kept) = (stack.file("copy"), stack.file("stream"));
    let stream = stream_of(&["copy", stack.source(), "-", "--stacked"]);
    crate::import::save(&kept, &stream);
    let receive = ["copy", "-", text(&copy), "--sync-every", "300KiB", "--yes"];
    let resume = || {
        let run = feed(&["copy", "-", text(&copy), "--resume", "--yes"], &stream);
        assert_eq!(run.status, 0, "{run:?}");
    };
    // A new file; and one that is there, in which holes are made.
    for (call, old) in [
        ("fsync", false),
        ("write", false),
        ("/^rename", false),
        ("/^unlink", false),
        ("pwrite64", true),
        ("fallocate", true),
    ] {
        for number in 1.. {
            if old {
                crate::import::save(&copy, &vec![0xEE; 16 << 20]);
            }
            let killed = killed_at(call, number, &receive, from(&kept), Stdio::null());
            goes_on(&copy, &expected, resume, &format!("{call} {number}"));
            if !killed {
                assert!(number > 1, "{call}");
                break;
            }
        }
    }
}

#[test]
fn a_copy_from_disk_to_disk_killed_at_any_call_goes_on_to_the_same_end() {
    if !require_tool("strace") {
        return;
    }
    let stack = small();
    let expected = stack.expected();
    let copy = stack.file("copy");
    let words = ["copy", stack.source(), text(&copy), "--stacked"];
    let killing = [&words[..], &["--sync-every", "300KiB"]].concat();
    let resume = || {
        // Killed before anything was noted, it is a target that is there.
        ok(&[&words[..], &["--resume", "--yes"]].concat());
    };
    for call in ["fsync", "/^rename", "/^unlink"] {
        for number in 1.. {
            let killed = killed_at(call, number, &killing, Stdio::null(), Stdio::null());
            goes_on(&copy, &expected, resume, &format!("{call} {number}"));
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
    let (copy, cut) = (stack.file("copy"), stack.file("stream"));
    let send = ["copy", stack.source(), "-", "--stacked"];
    let receive = ["copy", "-", text(&copy)];
    let whole = stream_of(&send);
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
        let resume = || {
            let run = feed(&[&receive[..], &["--resume"]].concat(), &whole);
            assert_eq!(run.status, 0, "{run:?}");
        };
        goes_on(&copy, &expected, resume, &format!("write {number}"));
    }
}

/// A disk with an older copy: at no moment is its metadata, or the new one, over data that is not its own.
#[test]
fn an_older_copy_is_no_resource_until_the_new_one_is_there() {
    if !require_tool("strace") {
        return;
    }
    let stack = stack(&[Level::v08()], 16 * MIB);
    let expected = stack.expected();
    let mut old = expected.clone();
    for at in [0, 5_000_000, 9_000_000] {
        old[at..at + 70_000].fill(0xEE);
    }
    let (copy, ranges) = (stack.file("copy"), stack.file("ranges"));
    crate::import::save(&ranges, b"0 70000\n5000000 70000\n9000000 70000\n");
    let whole = [
        "copy",
        stack.source(),
        text(&copy),
        "--yes",
        "--sync-every",
        "300KiB",
    ];
    for words in [
        whole.to_vec(),
        [&whole[..], &["--ranges", text(&ranges)]].concat(),
    ] {
        for number in 1.. {
            put(&copy, &old);
            let killed = killed_at("pwrite64", number, &words, Stdio::null(), Stdio::null());
            let found = content(&copy);
            let probed = mdtool(["probe", text(&copy)]);
            let name = format!("{words:?}, killed at {number}: {probed:?}");
            if found == old || found == expected {
                assert_eq!(probed.status, 0, "{name}");
            } else {
                assert!(killed && probed.status == 4, "{name}");
                let check = mdtool(["check", text(&copy)]);
                let said = format!("{}{}", check.stdout, check.stderr);
                assert!(said.contains("--resume"), "{name}: {check:?}");
            }
            if killed {
                ok(&[&words[..], &["--resume"]].concat());
            }
            assert!(content(&copy) == expected, "{name}");
            assert_eq!(mdtool(["probe", text(&copy)]).status, 0, "{name}");
            if !killed {
                assert!(number > 3, "{number}");
                break;
            }
        }
    }
}
