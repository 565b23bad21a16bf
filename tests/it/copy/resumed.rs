//! Going on: what has arrived is known, and what is known is on disk.

use mdtool::builder::Level;

use super::{content, feed, ok, refused, stack, stream_of, text};
use crate::adopt::MIB;
use crate::support::patch;

#[test]
fn a_stream_cut_off_anywhere_is_gone_on_with() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let whole = ["copy", stack.source(), "-", "--stacked"];
    let stream = stream_of(&whole);
    let (copy, state) = (stack.file("copy"), stack.file("copy.mdtool-copy"));
    let receive = ["copy", "-", text(&copy)];
    for part in 1..8 {
        let cut = stream.len() / 8 * part + part;
        let run = feed(&receive, &stream[..cut]);
        assert_eq!(run.status, 2, "{run:?}");
        let says = format!("stream, byte {cut}: the stream ends here");
        assert!(run.stderr.contains(&says), "{run:?}");
        assert!(run.stderr.contains("with --resume goes on"), "{run:?}");
        assert!(state.exists());
        // Without --resume it is a target that somebody has.
        assert_eq!(feed(&receive, &stream).status, 2);
        let resume = [&receive[..], &["--resume"]].concat();
        if part % 2 == 0 {
            // The sender sends it all again.
            assert_eq!(feed(&resume, &stream).status, 0);
        } else {
            // The sender has the state, and reads only what is missing.
            let send = [&whole[..], &["--resume", "--state", text(&state)]].concat();
            let rest = stream_of(&send);
            assert!(rest.len() < stream.len() - cut / 2, "{part}");
            // That alone is no copy.
            let other = stack.file("other");
            let run = feed(&["copy", "-", text(&other)], &rest);
            assert!(
                run.status == 2 && run.stderr.contains("the target has it only up to byte 0"),
                "{run:?}"
            );
            let run = feed(&resume, &rest);
            assert_eq!(run.status, 0, "{run:?}");
            assert!(run.stdout.contains("resumed at byte"), "{run:?}");
        }
        assert!(content(&copy) == stack.expected(), "{part}");
        assert!(!state.exists());
        std::fs::remove_file(&copy).unwrap();
    }
}

#[test]
fn the_state_of_another_copy_is_not_gone_on_with() {
    let one = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let two = stack(&[Level::v08(), Level::v08().current_uuid(0x77)], 64 * MIB);
    let stream = stream_of(&["copy", one.source(), "-", "--stacked"]);
    let other = stream_of(&["copy", two.source(), "-", "--stacked"]);
    let (copy, state) = (one.file("copy"), one.file("copy.mdtool-copy"));
    let resume = ["copy", "-", text(&copy), "--resume"];
    assert_eq!(feed(&resume, &stream[..stream.len() / 2]).status, 2);
    let before = (content(&copy), content(&state));
    let run = feed(&resume, &other);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(
        run.stderr
            .contains("the state is of another copy: current UUID is"),
        "{run:?}"
    );
    refused(
        &[
            "copy",
            two.source(),
            "-",
            "--stacked",
            "--resume",
            "--state",
            text(&state),
        ],
        2,
        "the state is of another copy",
    );
    // Nor is one that was changed.
    patch(&state, 30, b"9");
    let run = feed(&resume, &stream);
    assert!(
        run.status == 2 && run.stderr.contains("mdtool-copy"),
        "{run:?}"
    );
    patch(&state, 0, &before.1);
    assert!(content(&copy) == before.0);
    assert_eq!(feed(&resume, &stream).status, 0);
    assert!(content(&copy) == one.expected());
    // From disk to disk it is the same.
    let words = [
        "copy",
        one.source(),
        text(&copy),
        "--stacked",
        "--yes",
        "--resume",
    ];
    ok(&words);
}
