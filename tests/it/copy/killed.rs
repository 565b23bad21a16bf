//! `kill -9` at any moment.

use std::process::Stdio;
use std::time::Duration;

use mdtool::builder::Level;

use super::{content, ok, stack, text};
use crate::adopt::MIB;
use crate::support::{mdtool, mdtool_command, peek};

/// Where a state says that all has arrived up to there.
pub(super) fn verified(state: &std::path::Path) -> usize {
    let text = std::fs::read_to_string(state).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("verified "));
    line.unwrap().parse().unwrap()
}

#[test]
fn a_copy_killed_at_any_moment_goes_on_and_says_no_more_than_is_there() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let expected = stack.expected();
    let (copy, state) = (stack.file("copy"), stack.file("copy.mdtool-copy"));
    // About a second, so that there is something to kill.
    let slow = [
        "copy",
        stack.source(),
        text(&copy),
        "--stacked",
        // Killed before anything was noted, it is a target that is there.
        "--yes",
        "--resume",
        "--rate",
        "2MiB",
        "--sync-every",
        "64KiB",
    ];
    let (mut killed, mut further) = (0, 0);
    for round in 0..12 {
        let mut child = mdtool_command(slow)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(40 + round * 37));
        child.kill().unwrap();
        killed += u32::from(child.wait().unwrap().code().is_none());
        if state.exists() && copy.exists() {
            let verified = verified(&state);
            further = further.max(verified);
            assert!(
                content(&copy)[..verified] == expected[..verified],
                "{round}"
            );
        }
        if round % 3 == 2 {
            // It may have come to its end before it was killed.
            if state.exists() || !copy.exists() {
                let words = ["copy", stack.source(), text(&copy), "--stacked"];
                ok(&[&words[..], &["--resume", "--yes"]].concat());
            }
            assert!(content(&copy) == expected, "{round}");
            assert!(!state.exists());
            std::fs::remove_file(&copy).unwrap();
        }
    }
    assert!(killed > 0 && further > 0, "{killed} {further}");
}

#[test]
fn a_sender_that_is_killed_and_a_receiver_that_goes_away_are_told() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let copy = stack.file("copy");
    let program = env!("CARGO_BIN_EXE_mdtool");
    // The sender is killed; the receiver must not take that for the end.
    let script = format!(
        "{{ {program} copy {} - --stacked --rate 1MiB & sleep 0.3; kill -9 $!; }} | {program} copy - {}",
        stack.source(),
        text(&copy)
    );
    let output = std::process::Command::new("bash")
        .args(["-c", &script])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.contains("the stream ends here"), "{stderr}");
    let words = ["copy", stack.source(), text(&copy), "--stacked"];
    ok(&[&words[..], &["--resume", "--yes"]].concat());
    assert!(content(&copy) == peek(&stack.image, 0, stack.inner as usize));
    // The receiver goes away: that is no success, as a closed pipe is elsewhere.
    let mut child = mdtool_command(["copy", stack.source(), "-", "--stacked"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        stderr.contains("the receiver closed the stream"),
        "{stderr}"
    );
    let run = mdtool(["copy", stack.source(), "/dev/full", "--stacked"]);
    assert_eq!(run.status, 2);
}
