//! Where undo files and meta files may be, who may read them, and that their names are durable before anything depends on them.

use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};

use crate::adopt::{MIB, Stack, dirty, ok, stack, text, whole};
use crate::support::{Run, lengthen, mdtool, require_tool, scratch, tool};

fn prepared() -> Stack {
    stack(&[Level::v08(), dirty(Level::v08())], 64 * MIB, "v08")
}

/// What would wait for ever is killed, with status 124 or 137.
fn in_time(words: &[&str]) -> Run {
    let mdtool = env!("CARGO_BIN_EXE_mdtool");
    let output = Command::new("timeout")
        .args(["-k", "1", "60", mdtool])
        .args(words)
        .stdin(Stdio::null())
        .output();
    output.unwrap().into()
}

#[test]
fn what_cannot_be_read_back_is_no_undo_file() {
    let stack = prepared();
    let before = whole(&stack.image);
    let image = text(&stack.image);
    let (fifo, link) = (stack.file("fifo"), stack.file("link"));
    tool("mkfifo", &[text(&fifo)]);
    std::os::unix::fs::symlink(&fifo, &link).unwrap();
    let adopt = ["adopt", image, "--stacked", "--yes", "--undo"];
    for (undo, says) in [
        (
            text(&fifo),
            "is a named pipe, expected the name of a new file",
        ),
        (
            text(&link),
            "is a named pipe, expected the name of a new file",
        ),
        (
            "/dev/null",
            "is a character device, expected the name of a new file",
        ),
        (
            "/dev/stdout",
            "is a named pipe, expected the name of a new file",
        ),
        (image, "exists already"),
        (text(stack.dir.path()), "exists already"),
    ] {
        let run = in_time(&[&adopt[..], &[undo]].concat());
        assert_eq!(
            (run.status, run.stdout.as_str()),
            (2, ""),
            "{undo}: {run:?}"
        );
        let message = format!("mdtool: {undo}: {says}");
        assert!(run.stderr.contains(&message), "{undo}: {run:?}");
    }
    assert_eq!(whole(&stack.image), before);
    // Nothing came out of the pipe either, and nothing is left beside it.
    let names = std::fs::read_dir(stack.dir.path()).unwrap().count();
    assert_eq!(names, 3);
}

fn mode(path: &Path) -> u32 {
    let found = std::fs::metadata(path).unwrap();
    found.permissions().mode() & 0o777
}

#[test]
fn what_was_on_a_disk_is_its_owner_s_only() {
    for own in [0o600, 0o644] {
        let stack = prepared();
        std::fs::set_permissions(&stack.image, PermissionsExt::from_mode(own)).unwrap();
        ok(&["adopt", text(&stack.image), "--stacked", "--yes"]);
        let mut undo = std::fs::read_dir(stack.dir.path()).unwrap();
        let undo = undo.find_map(|entry| {
            let path = entry.unwrap().path();
            text(&path).contains("undo").then_some(path)
        });
        assert_eq!(mode(&undo.unwrap()), 0o600);
    }
    let stack = prepared();
    let (meta, undo) = (stack.file("meta"), stack.file("undo"));
    let adopt = ["adopt", text(&stack.image), "--stacked", "--yes"];
    let external = ["--strategy", "external", "--meta", text(&meta)];
    ok(&[&adopt[..], &external, &["--undo", text(&undo)]].concat());
    for name in std::fs::read_dir(stack.dir.path()).unwrap() {
        let path = name.unwrap().path();
        if text(&path).contains("undo") {
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
    }
}

/// A killed program leaves nothing behind; where the file system has no files without a name, it would be its owner's only.
#[test]
fn a_half_written_undo_file_is_not_left_behind() {
    if !require_tool("strace") {
        return;
    }
    let stack = prepared();
    let before = whole(&stack.image);
    let killed = Command::new("strace")
        .args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync"])
        .args(["-e", "inject=fsync:signal=KILL:when=1"])
        .arg(env!("CARGO_BIN_EXE_mdtool"))
        .args(["adopt", text(&stack.image), "--stacked", "--yes", "--undo"])
        .arg(stack.file("undo"))
        .status();
    assert!(!killed.unwrap().success());
    assert_eq!(whole(&stack.image), before);
    let left: Vec<_> = std::fs::read_dir(stack.dir.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| *path != stack.image)
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// The places of the first lines with these words, in that order.
#[track_caller]
fn in_order(log: &str, words: &[String]) {
    let lines: Vec<&str> = log.lines().collect();
    let mut from = 0;
    for word in words {
        let found = lines.iter().skip(from).position(|line| line.contains(word));
        let found = found.unwrap_or_else(|| panic!("no {word:?} after line {from} of:\n{log}"));
        from += found + 1;
    }
}

#[test]
fn names_are_durable_before_anything_depends_on_them() {
    if !require_tool("strace") {
        return;
    }
    let stack = prepared();
    let (there, undos) = (stack.file("there"), stack.file("undos"));
    for dir in [&there, &undos] {
        std::fs::create_dir(dir).unwrap();
    }
    let (meta, undo, log) = (there.join("meta"), undos.join("undo"), stack.file("log"));
    let done = Command::new("strace")
        .args(["-f", "-y", "-qq", "-o", text(&log)])
        .args(["-e", "trace=fsync,pwrite64,openat,renameat2,rename"])
        .arg(env!("CARGO_BIN_EXE_mdtool"))
        .args(["adopt", text(&stack.image), "--stacked", "--yes"])
        .args(["--strategy", "external", "--meta", text(&meta)])
        .args(["--undo", text(&undo)])
        .output();
    let done = Run::from(done.unwrap());
    assert_eq!(done.status, 0, "{done:?}");
    let log = std::fs::read_to_string(&log).unwrap();
    let write = |path: &Path| format!("<{}>, ", text(path));
    let sync = |path: &Path| format!("<{}>)", text(path));
    in_order(&log, &[sync(&there), write(&meta), write(&stack.image)]);
    in_order(&log, &[sync(&undos), write(&stack.image)]);
}

/// A limit of the shell's is an error as any other: everything is put back.
#[test]
fn a_limit_of_file_sizes_is_an_error() {
    let stack = prepared();
    let before = whole(&stack.image);
    let adopt = "exec \"$0\" adopt \"$1\" --stacked --yes --undo \"$2\"";
    for (blocks, of_undo) in [(16, true), (64 * 1024, false)] {
        let undo = stack.file(&format!("undo-{blocks}"));
        // In blocks of 512 bytes, where the shell is no bash.
        let script = format!("ulimit -f {blocks}; {adopt}");
        let output = Command::new("dash")
            .args(["-c", &script, env!("CARGO_BIN_EXE_mdtool")])
            .args([&stack.image, &undo])
            .stdin(Stdio::null())
            .output();
        let run = Run::from(output.unwrap());
        assert_eq!(run.status, 2, "{run:?}");
        assert!(run.stderr.contains("File too large"), "{run:?}");
        let first = run.stderr.contains("cannot write the undo file");
        assert_eq!(first, of_undo, "{run:?}");
        assert_eq!(whole(&stack.image), before, "{run:?}");
    }
    ok(&["adopt", text(&stack.image), "--stacked", "--yes"]);
}

/// The old superblocks lie before the limit, and the new one's place behind it: where nothing could be written, nothing is to be put back.
#[test]
fn a_limit_within_what_is_written_is_an_error() {
    let dir = scratch();
    let image = dir.path().join("image");
    let mut file = WritableFile::create_new(&image, Bytes::new(4 * MIB)).unwrap();
    let levels = [Level::v08(), Level::v08()];
    build(&mut file, ImagePos::START, Bytes::new(4 * MIB), &levels).unwrap();
    drop(file);
    lengthen(&image, &vec![0; 4 << 20]);
    let before = whole(&image);
    let script = "ulimit -f 12288; exec \"$0\" adopt \"$1\" --stacked --yes";
    let output = Command::new("dash")
        .args(["-c", script, env!("CARGO_BIN_EXE_mdtool")])
        .arg(&image)
        .stdin(Stdio::null())
        .output();
    let run = Run::from(output.unwrap());
    assert_eq!(run.status, 2, "{run:?}");
    let says = "what was changed is put back: cannot write";
    assert!(run.stderr.contains(says), "{run:?}");
    assert_eq!(whole(&image), before, "{run:?}");
    ok(&["adopt", text(&image), "--stacked", "--yes"]);
}

/// As a filter: what others read is still written to a pipe.
#[test]
fn a_dump_may_go_to_a_pipe() {
    let stack = prepared();
    let fifo = stack.file("fifo");
    tool("mkfifo", &[text(&fifo)]);
    let words = ["export", text(&stack.image), "--stacked", "-o", text(&fifo)];
    let mut reader = Command::new("cat")
        .arg(&fifo)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let run = mdtool(words);
    assert_eq!(run.status, 0, "{run:?}");
    let mut dump = String::new();
    let read = reader.stdout.as_mut().unwrap().read_to_string(&mut dump);
    read.unwrap();
    reader.wait().unwrap();
    assert!(dump.contains("version \"v08\";"), "{dump}");
}
