//! What every command owes its user: statuses, messages, and an image that is left as it was.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};
use tempfile::TempDir;

use crate::support::{Run, mdtool, mdtool_command, patch, peek, scratch, sparse, tool};

const MIB: u64 = 1 << 20;

/// A stack of v08 on v08 in 64 MiB, both clean.
fn stack(dir: &TempDir) -> String {
    let path = dir.path().join("stack.raw");
    let size = Bytes::new(64 * MIB);
    let mut image = WritableFile::create_new(&path, size).unwrap();
    build(
        &mut image,
        ImagePos::START,
        size,
        &[Level::v08(), Level::v08()],
    )
    .unwrap();
    path.to_str().unwrap().to_owned()
}

/// One line that says what is wrong, hints after it, nothing on stdout.
#[track_caller]
fn assert_refused(run: &Run, status: i32, says: &str) {
    assert_eq!(run.status, status, "{run:?}");
    assert_eq!(run.stdout, "", "stdout is data only");
    let first = run.stderr.lines().next().unwrap_or_default();
    assert!(
        first.starts_with("mdtool: ") || first.starts_with("error: "),
        "{run:?}"
    );
    assert!(run.stderr.contains(says), "{says:?} in {run:?}");
}

#[test]
fn bad_images_get_a_clear_answer() {
    let dir = scratch();
    let file = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        sparse(&path, content.len() as u64);
        patch(&path, 0, content);
        path.to_str().unwrap().to_owned()
    };
    let noise: Vec<u8> = (0..MIB as u32)
        .map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let zeros = dir.path().join("zeros");
    sparse(&zeros, 16 * MIB);
    let mut qcow2 = noise.clone();
    qcow2[..8].copy_from_slice(b"QFI\xFB\0\0\0\x03");
    let cases = [
        (
            file("empty", b""),
            2,
            "is empty, there is nothing to look at",
        ),
        (file("block", &[0; 4096]), 1, "no DRBD metadata"),
        (zeros.to_str().unwrap().to_owned(), 1, "no DRBD metadata"),
        (file("noise", &noise), 1, "no DRBD metadata"),
        (
            file("qcow2", &qcow2),
            2,
            "is a qcow2 image, expected a raw image",
        ),
        (
            file("dump", b"# DRBD meta data dump\n# 2026-11-22\n"),
            2,
            "is a DRBD metadata dump, expected a raw image",
        ),
        (file("gzip", b"\x1F\x8B\x08\0\0\0"), 2, "gzip"),
        (
            dir.path().to_str().unwrap().to_owned(),
            2,
            "is a directory, expected a regular file or a block device",
        ),
        (
            dir.path().join("missing").to_str().unwrap().to_owned(),
            2,
            "No such file",
        ),
        ("/dev/zero".to_owned(), 2, "is a character device"),
    ];
    for (image, status, says) in cases {
        assert_answers(&image, status, says);
    }
}

/// Every looking command says this of an image.
fn assert_answers(image: &str, status: i32, says: &str) {
    // These take dumps: this one ends too early.
    let whole = if says.contains("dump") {
        "found the end of the text, expected \"version\""
    } else {
        says
    };
    assert_refused(&mdtool(["export", image]), status, whole);
    assert_refused(&mdtool(["show", image]), status, whole);
    for (command, says) in [("locate", says), ("check", whole)] {
        let run = mdtool([command, image]);
        assert_eq!(run.status, status, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
        assert_eq!(run.stdout.is_empty(), status == 2, "{run:?}");
    }
}

#[test]
fn a_file_that_may_not_be_read_is_no_empty_answer() {
    let dir = scratch();
    let image = stack(&dir);
    let mut permissions = std::fs::metadata(&image).unwrap().permissions();
    permissions.set_mode(0o000);
    std::fs::set_permissions(&image, permissions).unwrap();
    if rustix::process::geteuid().is_root() {
        // Root reads everything; ask as nobody. The directory must let nobody in, and the program be reachable.
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).unwrap();
        let program = dir.path().join("mdtool");
        // By another process: one that is being forked just now would hold on to our file, and what is open for writing does not run.
        let copied = program.to_str().unwrap();
        tool("cp", &[env!("CARGO_BIN_EXE_mdtool"), copied]);
        let mut command = std::process::Command::new(&program);
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
        let run: Run = command.args(["locate", &image]).output().unwrap().into();
        assert_refused(&run, 2, "Permission denied");
        let mut command = std::process::Command::new(&program);
        std::os::unix::process::CommandExt::uid(&mut command, 65534);
        let run: Run = command.args(["probe", &image]).output().unwrap().into();
        assert_eq!(run.status, 2, "{run:?}");
        assert!(run.stdout.contains(": error - cannot open"), "{run:?}");
    } else {
        assert_refused(&mdtool(["locate", &image]), 2, "Permission denied");
    }
}

#[test]
fn bad_usage_ends_with_2() {
    let dir = scratch();
    let image = stack(&dir);
    let image = image.as_str();
    for (args, says) in [
        (&["locate", image, "--at", "64MiB"][..], "lies outside"),
        (
            &["locate", image, "--at", "0"],
            "magic is 0x00000000, expected",
        ),
        (
            &["locate", image, "--offset", "1GiB"],
            "lies outside the image",
        ),
        (
            &["locate", image, "--offset", "1MiB", "--size", "64MiB"],
            "leave the image",
        ),
        (
            &["locate", image, "--at", "4096", "--level", "0"],
            "cannot be used with",
        ),
        (
            &["locate", image, "--at", "4096", "--scan", "full"],
            "cannot be used with",
        ),
        (&["locate", image, "--index", "indexed:256"], "indexed:N"),
        (
            &["locate", image, "--level", "second"],
            "outer, inner or a number",
        ),
        (&["locate", image, "--size", "4M"], "MiB"),
        (
            &["check", image, "--at", "4096", "--level", "0"],
            "cannot be used with",
        ),
        (&["export", image, "--json"], "--output"),
        (
            &["export", image, "--compat", "nine"],
            "version of drbd-utils",
        ),
        (&["frobnicate"], "unrecognized subcommand"),
        (&["locate"], "required"),
    ] {
        assert_refused(&mdtool(args), 2, says);
    }
}

#[test]
fn a_level_that_is_not_there_is_a_no() {
    let dir = scratch();
    let image = stack(&dir);
    assert_refused(
        &mdtool(["export", &image, "--level", "7"]),
        1,
        "there is no level 7, levels 0 to 1 were found",
    );
    let single = dir.path().join("single.raw");
    let size = Bytes::new(64 * MIB);
    let mut file = WritableFile::create_new(&single, size).unwrap();
    build(&mut file, ImagePos::START, size, &[Level::v08()]).unwrap();
    drop(file);
    let single = single.to_str().unwrap();
    assert_refused(&mdtool(["export", single, "--stacked"]), 1, "no stack here");
    assert_refused(
        &mdtool(["export", single, "--stacked", "--level", "inner"]),
        1,
        "no stack here",
    );
    // The innermost of one is that one.
    for command in ["probe", "show", "check", "export"] {
        let run = mdtool([command, single, "--level", "inner"]);
        assert_eq!(run.status, 0, "{run:?}");
    }
    let run = mdtool(["locate", single, "--stacked"]);
    assert_eq!(
        (run.status, run.stdout.contains("single")),
        (1, true),
        "{run:?}"
    );
    assert_eq!(mdtool(["export", single]).status, 0);
}

#[test]
fn a_truncated_superblock_is_no_superblock() {
    let dir = scratch();
    let image = stack(&dir);
    #[expect(clippy::disallowed_types, reason = "tests damage images by hand")]
    std::fs::OpenOptions::new()
        .write(true)
        .open(&image)
        .unwrap()
        .set_len(64 * MIB - 1)
        .unwrap();
    let run = mdtool(["locate", &image, "--stacked", "--json"]);
    assert_eq!(run.status, 0, "the inner one is still whole: {run:?}");
    assert!(run.stdout.contains(r#""role": "inner""#), "{run:?}");
}

#[test]
fn unclean_metadata_is_refused_with_a_hint() {
    let dir = scratch();
    let path = dir.path().join("unclean.raw");
    let size = Bytes::new(64 * MIB);
    let mut image = WritableFile::create_new(&path, size).unwrap();
    build(
        &mut image,
        ImagePos::START,
        size,
        &[Level::v09(3).unclean()],
    )
    .unwrap();
    drop(image);
    let path = path.to_str().unwrap();
    let run = mdtool(["export", path]);
    assert_refused(
        &run,
        2,
        "metadata is unclean, expected the activity log to be applied",
    );
    assert!(run.stderr.contains("\nhint: "), "{run:?}");
    let run = mdtool(["export", path, "--force"]);
    assert_eq!(run.status, 0);
    assert!(
        run.stdout
            .contains("\nThis_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\n")
    );
}

#[test]
fn compat_writes_what_a_version_reads() {
    let dir = scratch();
    let path = dir.path().join("v09.raw");
    let size = Bytes::new(64 * MIB);
    let mut image = WritableFile::create_new(&path, size).unwrap();
    build(
        &mut image,
        ImagePos::START,
        size,
        &[Level::v09(3), Level::v08()],
    )
    .unwrap();
    drop(image);
    let path = path.to_str().unwrap();
    let has = |level: &str, version: &str, line: &str| {
        let run = mdtool(["export", path, "--level", level, "--compat", version]);
        assert_eq!(run.status, 0, "{run:?}");
        run.stdout.lines().any(|found| found.starts_with(line))
    };
    assert!(has("0", "9.27", "members ") && !has("0", "9.26.9", "members "));
    assert!(has("1", "8.4.3", "al-stripes ") && !has("1", "8.4.2", "al-stripes "));
    assert!(
        has("1", "8.4.0", "la-peer-max-bio-size ") && !has("1", "8.3.16", "la-peer-max-bio-size ")
    );
    let run = mdtool(["export", path, "--level", "0", "--compat", "8.4.11"]);
    assert_refused(
        &run,
        2,
        "does not read v09 metadata dumps, expected 8.9.2 or newer",
    );
}

#[test]
fn a_dump_goes_into_a_new_file_only() {
    let dir = scratch();
    let image = stack(&dir);
    let file = dir.path().join("inner.md");
    let name = file.to_str().unwrap();
    let run = mdtool(["export", &image, "--stacked", "-o", name]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""), "{run:?}");
    let dump = std::fs::read_to_string(&file).unwrap();
    assert!(dump.starts_with("# DRBD meta data dump\n") && dump.ends_with("# bits-set 0;\n"));
    assert_refused(
        &mdtool(["export", &image, "--stacked", "-o", name]),
        2,
        "exists already",
    );
    assert_refused(
        &mdtool(["export", &image, "-o", &image]),
        2,
        "exists already",
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), dump);
    let told = mdtool(["export", &image, "--stacked", "-o", "/dev/null", "--json"]);
    assert!(
        told.status == 0 && told.stdout.contains(r#""role": "inner""#),
        "{told:?}"
    );
    assert_refused(
        &mdtool(["export", &image, "-o", "/dev/full"]),
        2,
        "No space left",
    );
    assert_refused(
        &mdtool(["export", &image, "-o", "/nowhere/inner.md"]),
        2,
        "No such file",
    );
}

#[test]
fn a_closed_pipe_is_no_error() {
    let dir = scratch();
    let image = stack(&dir);
    for args in [
        &["export", image.as_str()][..],
        &["locate", image.as_str()],
        &["probe", image.as_str()],
        &["show", image.as_str()],
        &["check", image.as_str()],
        &["--help"],
    ] {
        let mut child = mdtool_command(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!(
            (output.status.code(), output.stderr.len()),
            (Some(0), 0),
            "{args:?} {output:?}"
        );
    }
}

#[test]
fn help_and_version_are_on_stdout() {
    for args in [
        &["--help"][..],
        &["--version"],
        &["locate", "--help"],
        &["check", "--help"],
        &["export", "-h"],
        &["probe", "--help"],
    ] {
        let run = mdtool(args);
        assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{args:?}");
        assert!(!run.stdout.is_empty());
    }
    assert!(mdtool(["--help"]).stdout.contains("Exit status"));
}

/// Sets the access time to long ago, which any reading would move.
fn age(path: &Path) {
    let old = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000_000);
    #[expect(clippy::disallowed_types, reason = "tests set time stamps by hand")]
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_times(std::fs::FileTimes::new().set_accessed(old))
        .unwrap();
}

fn stamps(path: &Path) -> [i64; 6] {
    let meta = std::fs::metadata(path).unwrap();
    [
        meta.atime(),
        meta.atime_nsec(),
        meta.mtime(),
        meta.mtime_nsec(),
        meta.ctime(),
        meta.ctime_nsec(),
    ]
}

#[test]
fn reading_commands_change_no_byte_and_no_time_stamp() {
    let dir = scratch();
    let image = stack(&dir);
    let path = Path::new(&image);
    let content = peek(path, 0, 64 << 20);
    for args in [
        &["locate", image.as_str(), "--scan", "full"][..],
        &["locate", image.as_str(), "--json"],
        &["probe", image.as_str(), "--scan", "full", "--json"],
        &["show", image.as_str()],
        &["show", image.as_str(), "--json"],
        &["check", image.as_str(), "--scan", "full", "--full"],
        &["check", image.as_str(), "--json"],
        &["export", image.as_str(), "--stacked"],
        &["export", image.as_str(), "--level", "0", "--force"],
    ] {
        age(path);
        let before = stamps(path);
        assert_eq!(mdtool(args).status, 0);
        assert_eq!(stamps(path), before, "{args:?}");
        assert!(
            peek(path, 0, 64 << 20) == content,
            "{args:?} changed the image"
        );
    }
    age(path);
    let before = stamps(path);
    peek(path, 0, 4096);
    if stamps(path) == before {
        eprintln!("WEAKER: no read moves an access time on this file system");
    }
}

#[test]
fn the_demo_shows_the_way() {
    let dir = scratch();
    let run = mdtool([Path::new("demo"), dir.path()]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
    for says in [
        "$ mdtool locate ",
        "$ mdtool export ",
        "inner     v08     clean",
        "adopt DISK --stacked",
        "next: ",
    ] {
        assert!(run.stdout.contains(says), "{says:?} in {}", run.stdout);
    }
    let image = std::fs::metadata(dir.path().join("truck.raw")).unwrap();
    assert!(
        image.blocks() * 512 < 4 * MIB,
        "the image is sparse: {} blocks",
        image.blocks()
    );
    assert!(dir.path().join("inner.md").exists());
    assert_refused_demo(&dir);
}

/// A second demo in the same place would replace files.
fn assert_refused_demo(dir: &TempDir) {
    assert_refused(&mdtool([Path::new("demo"), dir.path()]), 2, "File exists");
}
