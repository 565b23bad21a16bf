//! What copy and sum must not touch, leave behind, or leave unsaid.

use std::path::Path;
use std::process::Command;

use mdtool::builder::Level;

use super::{content, feed, noise, ok, refused, stack, stream_of, text};
use crate::adopt::MIB;
use crate::support::{
    LoopDevice, cut, kernel_image, mdtool, patch, put, require_tool, scratch, sparse, tool,
};

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn list(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn a_list_of_a_resumed_copy_has_what_came_before_too() {
    let stack = stack(&[Level::v08(), Level::v08()], 200 * MIB);
    let expected = ok(&["sum", stack.source(), "--stacked"]).stdout;
    assert_eq!(expected.lines().count(), 6);
    let whole = ["copy", stack.source(), "-", "--stacked"];
    let stream = stream_of(&whole);
    let (copy, state) = (stack.file("copy"), stack.file("copy.mdtool-copy"));
    let cut_off = || {
        let _ = std::fs::remove_file(&copy);
        let run = feed(&["copy", "-", text(&copy)], &stream[..stream.len() * 3 / 4]);
        assert_eq!(run.status, 2, "{run:?}");
    };
    let sums = stack.file("sums");
    let resume = ["--resume", "--sums", text(&sums)];

    // From disk to disk.
    cut_off();
    let words = ["copy", stack.source(), text(&copy), "--stacked"];
    let run = ok(&[&words[..], &resume].concat());
    assert!(
        run.stdout.contains("read again for the checksums only"),
        "{run:?}"
    );
    assert_eq!(list(&sums), expected);
    assert!(content(&copy) == stack.expected());
    std::fs::remove_file(&sums).unwrap();

    // The sender goes on where the receiver is.
    cut_off();
    let send = [&whole[..], &["--state", text(&state)], &resume].concat();
    let rest = stream_of(&send);
    assert!(
        rest.len() < stream.len() / 2,
        "it is read again, and not sent"
    );
    assert_eq!(list(&sums), expected);
    let receive = ["copy", "-", text(&copy), "--resume"];
    // The receiver has not seen it all.
    let other = stack.file("other");
    let run = feed(&[&receive[..], &["--sums", text(&other)]].concat(), &rest);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(
        run.stderr
            .contains("what came before is not in it: expected --sums at the sender"),
        "{run:?}"
    );
    assert!(!other.exists());
    assert_eq!(feed(&receive, &rest).status, 0);
    assert!(content(&copy) == stack.expected());

    // A sender that sends all again lets the receiver see all.
    cut_off();
    let run = feed(&[&receive[..], &["--sums", text(&other)]].concat(), &stream);
    assert_eq!(run.status, 0, "{run:?}");
    let first_line = |text: &str| text.split_once('\n').unwrap().1.to_owned();
    assert_eq!(first_line(&list(&other)), first_line(&expected));
}

#[test]
fn what_is_refused_leaves_nothing_behind() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let (taken, target) = (stack.file("taken"), stack.file("copy"));
    put(&taken, b"somebody's");
    let before = names(stack.dir.path());
    let stream = stream_of(&["copy", stack.source(), "-", "--stacked"]);
    let copy = |more: &[&str], says: &str| {
        let words = [&["copy", stack.source(), text(&target), "--stacked"], more].concat();
        refused(&words, 2, says);
        let run = feed(&[&["copy", "-", text(&target)], more].concat(), &stream);
        assert_eq!(run.status, 2, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
        assert_eq!(names(stack.dir.path()), before, "{more:?}");
        assert_eq!(content(&taken), b"somebody's");
    };
    copy(&["--sums", text(&taken)], "exists");
    copy(
        &["--sums", text(&target)],
        "is TARGET, expected another file",
    );
    let one = stack.file("one");
    copy(
        &["--sums", text(&one), "--state", text(&one)],
        "is what --state names, expected another file",
    );
    // What is no state is not replaced by one.
    copy(
        &["--state", text(&taken)],
        "exists, and is not the state of a copy",
    );
    copy(
        &["--state", text(stack.dir.path())],
        "exists, and is not the state of a copy",
    );
    copy(
        &["--state", "/dev/null"],
        "exists, and is not the state of a copy",
    );
    copy(
        &["--state", stack.source()],
        "exists, and is not the state of a copy",
    );
    copy(&["--rate", "0"], "--rate: 0 would never end");
    // Nor beside a target that is there.
    sparse(&target, stack.inner);
    let mut name = target.clone().into_os_string();
    name.push(".mdtool-copy");
    put(Path::new(&name), b"notes of mine");
    for more in [&[][..], &["--resume"]] {
        let words = [&["copy", stack.source(), text(&target), "--stacked"], more].concat();
        refused(&words, 2, "exists, and is not the state of a copy");
        assert_eq!(content(Path::new(&name)), b"notes of mine");
    }
    assert!(content(&target).iter().all(|byte| *byte == 0));
}

#[test]
fn a_target_that_cannot_be_one_is_refused() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let (fifo, link) = (stack.file("fifo"), stack.file("link"));
    tool("mkfifo", &[text(&fifo)]);
    std::fs::hard_link(&stack.image, &link).unwrap();
    let before = names(stack.dir.path());
    let source = content(&stack.image);
    for (target, says) in [
        (text(&fifo), "expected a regular file or a block device"),
        ("/dev/full", "expected a regular file or a block device"),
        (
            text(stack.dir.path()),
            "expected a regular file or a block device",
        ),
        (text(&link), "is the source and the target"),
        ("/nosuch/copy", "/nosuch/copy"),
    ] {
        let words = ["copy", stack.source(), target, "--stacked", "--yes"];
        refused(&words, 2, says);
        assert_eq!(names(stack.dir.path()), before, "{target}");
    }
    // A list that cannot be written is an error, and the copy can be gone on with.
    let copy = stack.file("copy");
    let words = [
        "copy",
        stack.source(),
        text(&copy),
        "--stacked",
        "--sums",
        "/dev/full",
    ];
    let run = mdtool(words);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("/dev/full"), "{run:?}");
    ok(&["copy", stack.source(), text(&copy), "--stacked", "--resume"]);
    assert!(content(&copy) == stack.expected());
    assert!(content(&stack.image) == source);
}

/// How many times a command called `write`.
fn writes(words: &[&str], log: &Path) -> usize {
    let status = Command::new("strace")
        .args(["-f", "-qq", "-e", "trace=write", "-o", text(log)])
        .arg(env!("CARGO_BIN_EXE_mdtool"))
        .args(words)
        .stdout(std::process::Stdio::null())
        .status()
        .unwrap();
    assert!(status.success(), "{words:?}");
    list(log)
        .lines()
        .filter(|line| line.contains("write("))
        .count()
}

#[test]
fn a_list_is_written_in_large_pieces() {
    if !require_tool("strace") {
        return;
    }
    let stack = stack(&[Level::v08()], 256 << 30);
    let (log, sums) = (stack.file("log"), stack.file("sums"));
    let target = stack.file("copy");
    // 4096 chunks.
    let sum = ["sum", stack.source()];
    let count = |words: &[&str]| {
        let count = writes(words, &log);
        assert!(count < 200, "{words:?}: {count} writes");
    };
    count(&sum);
    count(&[&sum[..], &["-o", text(&sums)]].concat());
    assert_eq!(list(&sums).lines().count(), 4098);
    std::fs::remove_file(&sums).unwrap();
    count(&["copy", stack.source(), text(&target), "--sums", text(&sums)]);
    assert_eq!(list(&sums).lines().count(), 4098);
    // A quarter of a million ranges, 16 bytes or so each.
    let dump = mdtool(["export", stack.source()]).stdout;
    let bitmap = dump
        .lines()
        .find_map(|line| line.strip_prefix("# bm_offset "));
    patch(
        &stack.image,
        bitmap.unwrap().parse().unwrap(),
        &vec![0xAA; 65_536],
    );
    count(&["bitmap", "show", stack.source(), "--ranges"]);
}

#[test]
fn scripts_are_told_how_far_it_is() {
    let stack = stack(&[Level::v08()], 40 * MIB);
    patch(&stack.image, 8 * MIB, &noise(3 << 20, 9));
    let target = stack.file("copy");
    let words = [
        "copy",
        stack.source(),
        text(&target),
        "--json",
        "--rate",
        "1500KiB",
    ];
    let run = ok(&words);
    let document: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(document["bytes"], 40 * MIB);
    let lines: Vec<serde_json::Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!((1..=10).contains(&lines.len()), "{run:?}");
    let mut before = 0;
    for line in &lines {
        let progress = &line["progress"];
        let number = |name: &str| progress[name].as_u64().unwrap();
        assert_eq!(number("total_bytes"), 40 * MIB);
        let bytes = number("bytes");
        assert!(before < bytes && bytes <= 40 * MIB, "{line}");
        let left = (40 * MIB - bytes) / number("bytes_per_second").max(1);
        assert_eq!(number("seconds_left"), left, "{line}");
        before = bytes;
    }
}

#[test]
fn what_was_written_is_not_asked_of_a_log_that_was_off_or_of_a_disk_in_use() {
    let dir = scratch();
    let source = dir.path().join("source");
    std::fs::copy(kernel_image("v08-stack-down"), &source).unwrap();
    let copy = dir.path().join("copy");
    ok(&[
        "copy",
        text(&kernel_image("v08-stack-live-copy")),
        text(&copy),
        "--stacked",
    ]);
    let before = content(&copy);
    let words = [
        "copy",
        text(&source),
        text(&copy),
        "--stacked",
        "--changed",
        "--yes",
    ];
    if let Some(device) = LoopDevice::over(&source, &[]) {
        let run = mdtool(words);
        assert_eq!(run.status, 2, "{run:?}");
        assert!(
            run.stderr
                .contains("is in use: its bitmap and activity log would not be of one moment"),
            "{run:?}"
        );
        assert!(run.stderr.contains("hint: copy from a snapshot"), "{run:?}");
        drop(device);
    }
    // Big endian, at 0x38 of the inner superblock.
    let located = ok(&["locate", text(&source), "--stacked", "--json"]).stdout;
    let located: serde_json::Value = serde_json::from_str(&located).unwrap();
    let superblock = located["levels"][1]["md_offset"].as_u64().unwrap();
    let flags = content(&source)[superblock as usize + 0x3a];
    patch(&source, superblock + 0x3a, &[flags | 0x01]);
    let run = mdtool(words);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(
        run.stderr
            .contains("the activity log was disabled (AL_DISABLED)"),
        "{run:?}"
    );
    assert!(run.stderr.contains("hint: make a whole copy"), "{run:?}");
    assert!(content(&copy) == before);
    patch(&source, superblock + 0x3a, &[flags]);
    ok(&words);
}

#[test]
fn what_is_said_to_come_next_can_be_run() {
    let two = [Level::v08(), Level::v08()];
    let three = [Level::v08(), Level::v08(), Level::v08()];
    let newer = [Level::v09(3), Level::v09(3)];
    for (levels, level, more) in [
        (&two[..], 0, 0),
        (&two, 0, 8 * MIB),
        (&two, 1, 8 * MIB),
        (&three, 1, 8 * MIB),
        (&newer, 0, 0),
        (&newer, 1, 0),
        (&newer, 1, 8 * MIB),
    ] {
        let stack = stack(levels, 64 * MIB);
        let target = stack.file("copy");
        let number = level.to_string();
        let copy = |more: &[&str]| {
            let words = [
                &[
                    "copy",
                    stack.source(),
                    text(&target),
                    "--level",
                    &number,
                    "--json",
                ],
                more,
            ]
            .concat();
            let document: serde_json::Value = serde_json::from_str(&ok(&words).stdout).unwrap();
            document
        };
        let size = copy(&[])["bytes"].as_u64().unwrap();
        cut(&target, size + more);
        let next = copy(&["--yes"])["next"][0].as_str().unwrap().to_owned();
        let command = next.split("    ").next().unwrap();
        let command = command
            .strip_prefix("mdtool ")
            .unwrap()
            .replace("node-id N", "node-id 2");
        let mut words: Vec<&str> = command.split(' ').collect();
        if words[0] != "check" {
            words.push("--yes");
        }
        ok(&words);
        // The copied level is the outermost now, where DRBD looks.
        let found = shown(&[text(&target)]);
        let expected = shown(&[stack.source(), "--level", &number]);
        let name = format!("{number} of {}, {more} more: {next}", levels.len());
        assert_eq!(found["current_uuid"], expected["current_uuid"], "{name}");
        assert_eq!(found["found_by"], "expected-position", "{name}");
    }
}

/// The first level that is shown.
fn shown(words: &[&str]) -> serde_json::Value {
    let shown = ok(&[&["show", "--json"], words].concat()).stdout;
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    shown["levels"][0].clone()
}

/// Metadata where DRBD looks that a copy does not write is in the way: cut off, the disk would be that resource over data of two.
#[test]
fn metadata_behind_the_copy_is_taken_away_first() {
    let two = [Level::v08(), Level::v08()];
    for (levels, level, data_only) in [
        (&two[..1], "0", false),
        (&two, "0", false),
        (&two, "1", false),
        (&two, "1", true),
        (&[Level::v09(3), Level::v08()], "1", false),
    ] {
        let stack = stack(levels, 48 * MIB);
        let other = super::stack(levels, 64 * MIB);
        let disk = text(&other.image);
        let mut words = vec!["copy", stack.source(), disk, "--level", level, "--yes"];
        words.extend(data_only.then_some("--data-only"));
        let before = content(&other.image);
        let name = format!("{words:?}");
        for more in [None, Some("--resume")] {
            let words: Vec<&str> = words.iter().copied().chain(more).collect();
            refused(&words, 2, "has DRBD metadata at byte ");
        }
        assert!(content(&other.image) == before, "{name}");
        assert!(!other.file("image.raw.mdtool-copy").exists(), "{name}");
        let stderr = mdtool(&words).stderr;
        let wipe = stderr.split("hint: `mdtool ").nth(1).unwrap();
        let wipe = wipe.split('`').next().unwrap();
        let undo = other.file("undo");
        let wipe: Vec<&str> = wipe
            .split(' ')
            .chain(["--yes", "--undo", text(&undo)])
            .collect();
        ok(&wipe);
        let run = ok(&words);
        if data_only {
            assert!(run.stdout.contains("next: mdtool import "), "{run:?}");
            continue;
        }
        // What is left of the others is not taken for what was copied.
        let next = run.stdout.split("next: mdtool ").nth(1).unwrap();
        let next = next
            .split("    ")
            .next()
            .unwrap()
            .replace("--node-id N", "--node-id 2");
        let undo = other.file("undo-adopt");
        let adopt: Vec<&str> = next
            .split(' ')
            .chain(["--yes", "--undo", text(&undo)])
            .collect();
        ok(&adopt);
        let found = shown(&[disk]);
        let expected = shown(&[stack.source(), "--level", level]);
        assert_eq!(found["current_uuid"], expected["current_uuid"], "{name}");
        assert_eq!(found["found_by"], "expected-position", "{name}");
    }
}

#[test]
fn data_that_ends_with_other_metadata_is_said_to_be_that() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let words = |level: &'static str, name: &str| {
        let target = stack.file(name);
        let words = [
            "copy",
            stack.source(),
            text(&target),
            "--level",
            level,
            "--data-only",
        ];
        ok(&words).stdout
    };
    assert!(words("0", "outer").contains("note: other DRBD metadata is at its end"));
    assert!(!words("1", "inner").contains("note: "));
}
