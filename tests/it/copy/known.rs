//! Disks are known by what is on them and by what they lie on, not by their names.

use mdtool::builder::Level;

use super::{content, feed, noise, ok, refused, stack, stream_of, text};
use crate::adopt::MIB;
use crate::support::{LoopDevice, cut, kernel_image, mdtool, put, scratch};

#[test]
fn another_disk_of_the_same_name_and_size_is_not_gone_on_with() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let stream = stream_of(&["copy", stack.source(), "-", "--stacked"]);
    let (copy, away) = (stack.file("copy"), stack.file("away"));
    let receive = ["copy", "-", text(&copy)];
    let resume = [&receive[..], &["--resume", "--yes"]].concat();
    let local = ["copy", stack.source(), text(&copy), "--stacked"];
    let local = [&local[..], &["--resume", "--yes"]].concat();
    assert_eq!(feed(&receive, &stream[..stream.len() / 2]).status, 2);
    std::fs::rename(&copy, &away).unwrap();
    let mut others = noise(stack.inner as usize, 5);
    // The second has the same beginning.
    for same in [0, 70_000] {
        others[..same].copy_from_slice(&content(&away)[..same]);
        put(&copy, &others);
        let run = feed(&resume, &stream);
        assert_eq!(run.status, 2, "{run:?}");
        let says = "is not the disk that the copy began on";
        assert!(run.stderr.contains(says), "{run:?}");
        assert!(run.stderr.contains("hint: find the disk"), "{run:?}");
        refused(&local, 2, says);
        assert!(content(&copy) == others);
    }
    // The disk itself goes on.
    std::fs::rename(&away, &copy).unwrap();
    let run = ok(&local);
    assert!(run.stdout.contains("resumed at"), "{run:?}");
    assert!(content(&copy) == stack.expected());
}

#[test]
fn where_nothing_has_arrived_going_on_asks_as_a_new_copy_does() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let stream = stream_of(&["copy", stack.source(), "-", "--stacked"]);
    let (copy, state) = (stack.file("copy"), stack.file("copy.mdtool-copy"));
    let receive = ["copy", "-", text(&copy)];
    assert_eq!(feed(&receive, &stream[..300]).status, 2);
    assert!(state.exists());
    let others = noise(stack.inner as usize, 6);
    put(&copy, &others);
    let resume = [&receive[..], &["--resume"]].concat();
    let run = feed(&resume, &stream);
    assert!(run.status == 2 && run.stderr.contains("--yes"), "{run:?}");
    assert!(content(&copy) == others);
    assert_eq!(feed(&[&resume[..], &["--yes"]].concat(), &stream).status, 0);
    assert!(content(&copy) == stack.expected());
}

#[test]
fn a_device_over_the_source_is_the_source_and_the_other_way_round() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let before = content(&stack.image);
    let device = LoopDevice::over(&stack.image, &["-o", "4096"]);
    let Some(device) = device else {
        return;
    };
    let says = "is the source and the target";
    let words = ["copy", stack.source(), device.path(), "--stacked", "--yes"];
    refused(&words, 2, says);
    let whole = LoopDevice::over(&stack.image, &[]).unwrap();
    let words = ["copy", whole.path(), stack.source(), "--stacked", "--yes"];
    refused(&words, 2, says);
    let words = ["copy", whole.path(), device.path(), "--stacked", "--yes"];
    refused(&words, 2, says);
    assert!(content(&stack.image) == before);
}

#[test]
fn a_name_where_devices_are_is_no_new_file() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let target = "/dev/mdtool-no-such-disk";
    let says = "mdtool-no-such-disk: there is no such device";
    refused(&["copy", stack.source(), target, "--stacked"], 2, says);
    let stream = stream_of(&["copy", stack.source(), "-", "--stacked"]);
    let run = feed(&["copy", "-", target, "--yes"], &stream);
    assert!(run.status == 2 && run.stderr.contains(says), "{run:?}");
    assert!(run.stderr.contains("lvchange -ay"), "{run:?}");
    let words = ["sum", stack.source(), "--stacked", "-o", target];
    refused(&words, 2, says);
    for name in [target.to_owned(), format!("{target}.mdtool-copy")] {
        assert!(!std::path::Path::new(&name).exists(), "{name}");
    }
}

#[test]
fn a_delta_is_for_a_copy_that_lacks_it_and_was_not_adopted() {
    let dir = scratch();
    let (source, copy) = (dir.path().join("source"), dir.path().join("copy"));
    std::fs::copy(kernel_image("v08-stack-down"), &source).unwrap();
    let older = kernel_image("v08-stack-live-copy");
    ok(&["copy", text(&older), text(&copy), "--stacked"]);
    let delta = [
        "copy",
        text(&source),
        text(&copy),
        "--stacked",
        "--changed",
        "--yes",
    ];
    refused(
        &[&delta[..], &["--peer", "1"]].concat(),
        2,
        "--peer: no slot is assigned to node 1",
    );
    let adopted = dir.path().join("adopted");
    std::fs::copy(&copy, &adopted).unwrap();
    let stream = stream_of(&["copy", text(&source), "-", "--stacked", "--changed"]);
    ok(&delta);

    // Once more.
    let arrived = content(&copy);
    let run = ok(&delta);
    let says = "has this generation already: nothing to do";
    assert!(run.stdout.contains(says), "{run:?}");
    let run = feed(&["copy", "-", text(&copy), "--yes"], &stream);
    assert!(run.status == 0 && run.stdout.contains(says), "{run:?}");
    // A stream that is damaged is still one.
    let run = feed(&["copy", "-", text(&copy)], &stream[..stream.len() - 1]);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(content(&copy) == arrived);

    // A copy on a larger disk, before and after adopt.
    cut(
        &adopted,
        std::fs::metadata(&adopted).unwrap().len() + 8 * MIB,
    );
    let larger = dir.path().join("larger");
    std::fs::copy(&adopted, &larger).unwrap();
    assert_eq!(
        feed(&["copy", "-", text(&larger), "--yes"], &stream).status,
        0
    );
    ok(&["adopt", text(&adopted), "--stacked", "--apply-al", "--yes"]);
    let before = content(&adopted);
    let run = feed(&["copy", "-", text(&adopted), "--yes"], &stream);
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("this copy was adopted"), "{run:?}");
    assert!(content(&adopted) == before);
}

#[test]
fn a_list_whose_chunks_contradict_its_first_line_is_refused() {
    let stack = stack(&[Level::v08()], 40 * MIB);
    let list = stack.file("list");
    let sum = ["sum", stack.source(), "--chunk", "8MiB"];
    let printed = ok(&sum).stdout;
    for (from, to, line) in [
        ("\"length\":8388608", "\"length\":8388607", 2),
        ("\"start\":8388608", "\"start\":8388609", 3),
        ("\"chunk_bytes\":8388608", "\"chunk_bytes\":16777216", 2),
    ] {
        assert!(printed.contains(from), "{printed}");
        put(&list, printed.replacen(from, to, 1).as_bytes());
        let says = format!("line {line}: expected a chunk of");
        refused(&["sum", "--check", text(&list), stack.source()], 2, &says);
    }
}

#[test]
fn a_configuration_that_was_cut_off_is_refused_with_the_line() {
    let stack = stack(&[Level::v08()], 40 * MIB);
    let config = stack.file("drbd.conf");
    let whole = "# a resource\nresource r0 {\n  device minor 0;\n  on alice {\n    disk \"/dev/a\";\n  }\n}\n";
    let words = [
        "plan",
        "--departure",
        stack.source(),
        "--config",
        text(&config),
    ];
    put(&config, whole.as_bytes());
    ok(&words);
    for (end, line) in [
        ("  }\n}", 4),
        (";\n  }", 5),
        ("a\";", 5),
        ("  on", 2),
        ("minor", 3),
    ] {
        let cut = whole.find(end).unwrap();
        put(&config, &whole.as_bytes()[..cut]);
        let says = format!("line {line}: what begins here does not end");
        refused(&words, 2, &says);
    }
}

#[test]
fn what_is_refused_is_named_as_it_was_given() {
    let stack = stack(&[Level::v08()], 40 * MIB);
    let copy = stack.file("copy");
    let copied = ["copy", stack.source()];
    let state = [&copied[..], &[text(&copy), "--state", text(&copy)]].concat();
    refused(&state, 2, "is TARGET, expected another file");
    refused(
        &[&copied[..], &["/nosuch/copy"]].concat(),
        2,
        "/nosuch/copy: cannot create",
    );
    refused(
        &["sum", stack.source(), "--chunk", "3MiB"],
        2,
        "--chunk: expected a power of two from 1024 bytes on for blake3, not 3145728 bytes",
    );
    let plan = [
        "plan",
        "--departure",
        stack.source(),
        "--target-size",
        "1MiB",
    ];
    let run = mdtool(plan);
    assert_eq!(run.status, 2, "{run:?}");
    let says = "--target-size: has 1048576 bytes, expected at least";
    assert!(run.stderr.contains(says), "{run:?}");
    assert!(!run.stderr.contains("remove the file"), "{run:?}");
}
