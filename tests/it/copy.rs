//! `mdtool copy` and `mdtool sum`: one level and nothing around it, and nothing believed that did not arrive.

mod departed;
mod guarded;
mod killed;
mod known;
mod nodes;
mod random;
mod resumed;
mod ssh;
mod summed;
mod traced;
mod walked;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use mdtool::builder::{self, External, LaSize, Level};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos, Sectors};
use tempfile::TempDir;

use crate::adopt::{MIB, ok, text};
use crate::support::{
    LoopDevice, Run, kernel_image, lengthen, mdtool, mdtool_command, patch, peek, scratch, sparse,
    tool,
};

/// A stack, and how long the backing device of its innermost level is.
struct Stack {
    dir: TempDir,
    image: PathBuf,
    inner: u64,
}

fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..len).map(next).collect()
}

/// Noise here and there, holes, zeros that are written, and marks before and behind the end of each level.
fn stack(levels: &[Level], size: u64) -> Stack {
    let dir = scratch();
    let image = dir.path().join("image.raw");
    let mut file = WritableFile::create_new(&image, Bytes::new(size)).unwrap();
    let built = builder::build(&mut file, ImagePos::START, Bytes::new(size), levels).unwrap();
    drop(file);
    let device = |n: usize| built[n].device().get();
    let inner = levels.len().checked_sub(2).map_or(size, device);
    let data = device(levels.len() - 1);
    for part in 0..16 {
        let at = data / 16 * part;
        patch(
            &image,
            at,
            &noise(70_000.min((data - at) as usize), part as u32 + 1),
        );
    }
    patch(&image, data / 16 + 100_000, &[0; 9000]);
    Stack { dir, image, inner }
}

impl Stack {
    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn source(&self) -> &str {
        text(&self.image)
    }

    fn expected(&self) -> Vec<u8> {
        peek(&self.image, 0, self.inner as usize)
    }
}

fn content(path: &Path) -> Vec<u8> {
    peek(path, 0, std::fs::metadata(path).unwrap().len() as usize)
}

#[track_caller]
fn refused(words: &[&str], status: i32, says: &str) {
    let run = mdtool(words);
    assert_eq!(run.status, status, "{words:?}: {run:?}");
    assert!(run.stderr.contains(says), "{words:?}: {run:?}");
    assert!(run.stdout.is_empty(), "{words:?}: {run:?}");
}

/// What `copy` writes to a pipe.
fn stream_of(words: &[&str]) -> Vec<u8> {
    let output = mdtool_command(words).output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    output.stdout
}

/// Runs a receiver on a stream.
fn feed(words: &[&str], stream: &[u8]) -> Run {
    let mut child = mdtool_command(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A receiver that refuses does not read to the end.
    let _ = child.stdin.take().unwrap().write_all(stream);
    child.wait_with_output().unwrap().into()
}

/// Stacks of every shape, and what the disk has.
fn shapes() -> Vec<(Vec<Level>, u64)> {
    let of = |sectors| Level::v08().la_size(LaSize::Exactly(Sectors::new(sectors)));
    vec![
        (vec![Level::v08(), Level::v08()], 64 * MIB),
        (vec![Level::v09(1), Level::v09(3)], 64 * MIB),
        (
            vec![Level::v09(31), Level::v08().unclean()],
            150 * MIB + 512,
        ),
        (vec![Level::v08()], 40 * MIB),
        (vec![Level::v08(), Level::v08(), Level::v09(2)], 90 * MIB),
        // A device that ends where a page of the bitmap does, and a few sectors behind: one page more or less.
        (vec![of(262_145), Level::v08()], 140 * MIB),
        (vec![of(262_151), Level::v08()], 140 * MIB),
        (vec![of(100_003), Level::v08()], 64 * MIB),
    ]
}

#[test]
fn a_copy_is_the_level_and_nothing_around_it() {
    for (number, (levels, size)) in shapes().iter().enumerate() {
        let stack = stack(levels, *size);
        let innermost = (levels.len() - 1).to_string();
        let local = stack.file("local");
        let run = ok(&["copy", stack.source(), text(&local), "--level", &innermost]);
        let found = content(&local);
        // A level ends with its metadata; fewer than 8 sectors behind it are no one's.
        assert!(
            (stack.inner - 4095..=stack.inner).contains(&(found.len() as u64)),
            "{number}: {} of {}",
            found.len(),
            stack.inner
        );
        assert!(found == stack.expected()[..found.len()], "{number}");
        let located = ok(&["locate", text(&local), "--json", "--scan", "full"]).stdout;
        let located: serde_json::Value = serde_json::from_str(&located).unwrap();
        assert_eq!(located["levels"].as_array().unwrap().len(), 1, "{number}");
        assert_eq!(located["levels"][0]["found_by"], "expected-position");
        assert_eq!(located["rejected"], serde_json::json!([]), "{number}");
        // A v09 copy still has the source's node id.
        let is_v09 = located["levels"][0]["format"] == "v09";
        let next = if is_v09 {
            "next: mdtool edit "
        } else {
            "next: mdtool check "
        };
        assert!(run.stdout.contains(next), "{run:?}");

        let piped = stack.file("piped");
        let stream = stream_of(&["copy", stack.source(), "-", "--level", &innermost]);
        let run = feed(&["copy", "-", text(&piped)], &stream);
        assert_eq!(run.status, 0, "{run:?}");
        assert!(content(&piped) == found, "{number}");
        assert!(
            stream.len() < 3 * (MIB as usize),
            "holes and zeros are not sent"
        );
        let blocks = std::os::unix::fs::MetadataExt::blocks(&std::fs::metadata(&piped).unwrap());
        assert!(blocks * 512 < 4 * MIB, "{blocks} blocks");
        let left = std::fs::read_dir(stack.dir.path()).unwrap().count();
        assert_eq!(left, 3, "no state is left");
    }
}

#[test]
fn the_copy_of_a_disk_that_a_kernel_wrote_is_its_inner_device() {
    let dir = scratch();
    for name in [
        "v08-stack-down",
        "v09-stack-down",
        "v08-stack-live-copy",
        "v09-stack-live-copy",
    ] {
        let image = kernel_image(name);
        let located = ok(&["locate", text(&image), "--stacked", "--json"]).stdout;
        let located: serde_json::Value = serde_json::from_str(&located).unwrap();
        // What the kernel wrote into the outer superblock as the size of its device.
        let size = located["levels"][0]["la_size_sect"].as_u64().unwrap() as usize * 512;
        let copy = dir.path().join(name);
        ok(&["copy", text(&image), text(&copy), "--stacked"]);
        assert!(content(&copy) == peek(&image, 0, size), "{name}");
        let data = dir.path().join("data");
        ok(&[
            "copy",
            text(&image),
            text(&data),
            "--stacked",
            "--data-only",
        ]);
        let device = located["levels"][1]["device_bytes"].as_u64().unwrap() as usize;
        assert!(content(&data) == peek(&image, 0, device), "{name}");
        std::fs::remove_file(&data).unwrap();
    }
}

#[test]
fn the_outer_device_is_not_taken_for_the_inner_one() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let target = stack.file("copy");
    let target = text(&target);
    let says = "is a stack of 2 resources, expected --stacked (the inner one) or --level";
    refused(&["copy", stack.source(), target], 2, says);
    refused(&["copy", stack.source(), "-"], 2, says);
    refused(
        &["copy", stack.source(), target, "--level", "7"],
        1,
        "there is no level 7",
    );
    assert!(!Path::new(target).exists());
    ok(&["copy", stack.source(), target, "--level", "outer"]);
    assert!(content(Path::new(target)) == content(&stack.image));
}

#[test]
fn targets_that_must_not_be_overwritten_are_not() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let small = stack.file("small");
    sparse(&small, stack.inner - 4097);
    let copy = |target: &Path| [stack.source().to_owned(), text(target).to_owned()];
    let run = |target: &Path, more: &[&str]| {
        let [source, target] = copy(target);
        let mut words = vec!["copy", &source, &target, "--stacked"];
        words.extend(more);
        mdtool(words)
    };
    let ran = run(&small, &["--yes"]);
    assert_eq!(ran.status, 2, "{ran:?}");
    assert!(ran.stderr.contains("expected at least"), "{ran:?}");
    let ran = run(&stack.image, &["--yes"]);
    assert!(
        ran.status == 2 && ran.stderr.contains("is the source and the target"),
        "{ran:?}"
    );
    let there = stack.file("there");
    sparse(&there, stack.inner);
    patch(&there, 5000, b"somebody's");
    let before = content(&there);
    for more in [&[][..], &["--resume"]] {
        let ran = run(&there, more);
        assert_eq!(ran.status, 2, "{ran:?}");
        assert!(
            ran.stderr
                .contains("which cannot be undone, expected --yes")
                && ran.stderr.contains("\nhint: "),
            "{ran:?}"
        );
    }
    assert!(content(&there) == before);
    let held = WritableFile::open(&there).unwrap();
    assert_eq!(run(&there, &["--yes"]).status, 2);
    drop(held);
    if let Some(device) = LoopDevice::over(&there, &[]) {
        let ran = run(&there, &["--yes"]);
        assert!(
            ran.status == 2 && ran.stderr.contains("is in use as /dev/loop"),
            "{ran:?}"
        );
        drop(device);
    }
    assert!(content(&there) == before);
    // What was never written to is nobody's.
    let blank = stack.file("blank");
    sparse(&blank, stack.inner);
    assert_eq!(run(&blank, &[]).status, 0);
    assert!(content(&blank) == stack.expected());
    assert_eq!(run(&stack.file("no/where"), &[]).status, 2);
    refused(&["copy", "-", "-"], 2, "expected a disk at one end");
    refused(
        &["copy", "-", text(&blank), "--stacked"],
        2,
        "the level was chosen already",
    );
}

#[test]
fn a_larger_disk_keeps_what_is_behind_and_is_adopted_next() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let disk = stack.file("disk");
    std::fs::copy(&stack.image, &disk).unwrap();
    let old = noise((stack.inner) as usize, 99);
    patch(&disk, 0, &old);
    lengthen(&disk, &vec![0x77; 8 << 20]);
    let behind = peek(&disk, stack.inner, (72 * MIB - stack.inner) as usize);
    let words = ["copy", stack.source(), text(&disk), "--stacked", "--yes"];
    let run = ok(&words);
    let next = format!(
        "mdtool adopt {} --at {}",
        text(&disk),
        stack.inner / 4096 * 4096 - 4096
    );
    assert!(
        run.stdout.contains(&format!("\nnext: {next}    (")),
        "{run:?}"
    );
    assert!(peek(&disk, 0, stack.inner as usize) == stack.expected());
    assert!(peek(&disk, stack.inner, behind.len()) == behind);
    let json = ok(&[&words[..], &["--json"]].concat()).stdout;
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["bytes"], stack.inner);
    assert_eq!(json["target_bytes"], 72 * MIB);
    assert_eq!(json["level"], 1);
    assert_eq!(json["contents"], "level");
}

#[test]
fn block_devices_are_copied_from_and_to() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let disk = stack.file("disk");
    sparse(&disk, 64 * MIB);
    patch(&disk, 0, &noise(64 << 20, 5));
    let Some(source) = LoopDevice::over(&stack.image, &[]) else {
        return;
    };
    let Some(target) = LoopDevice::over(&disk, &[]) else {
        return;
    };
    for more in [&[][..], &["--discard"]] {
        let state = stack.file("state");
        let words = [
            "copy",
            source.path(),
            target.path(),
            "--stacked",
            "--state",
            text(&state),
            "--yes",
        ];
        ok(&[&words[..], more].concat());
        assert!(peek(Path::new(target.path()), 0, stack.inner as usize) == stack.expected());
        assert!(!state.exists());
    }
    let behind = peek(&disk, stack.inner, (64 * MIB - stack.inner) as usize);
    assert!(behind == noise(64 << 20, 5)[stack.inner as usize..]);
    // Mounted, nobody writes to it, and what is read from it is said to change.
    let mount = stack.file("mnt");
    std::fs::create_dir(&mount).unwrap();
    tool("mkfs.ext4", &["-q", "-F", target.path()]);
    let mounted = crate::support::Mounted::of("ext4", target.path(), &mount);
    let run = mdtool(["copy", source.path(), target.path(), "--stacked", "--yes"]);
    assert_eq!(run.status, 2, "{run:?}");
    let run = mdtool(["sum", target.path()]);
    assert!(run.status == 0 && run.stderr.contains("in use"), "{run:?}");
    drop(mounted);
}

#[test]
fn something_else_than_a_stream_is_refused_and_makes_no_target() {
    let stack = stack(&[Level::v08(), Level::v08()], 64 * MIB);
    let target = stack.file("copy");
    let stream = stream_of(&["copy", stack.source(), "-", "--stacked"]);
    for (input, says) in [
        (&b""[..], "the stream ends here"),
        (&stream[..200], "the stream ends here"),
        (
            &content(&stack.image)[..],
            "this is no stream of `mdtool copy`",
        ),
        (b"# DRBD meta data dump\n", "the stream ends here"),
    ] {
        let run = feed(&["copy", "-", text(&target)], input);
        assert_eq!(run.status, 2, "{run:?}");
        assert!(run.stderr.contains(says), "{run:?}");
        assert!(!target.exists());
    }
    refused(
        &[
            "copy",
            stack.source(),
            text(&target),
            "--stacked",
            "--ranges",
            "/dev/null",
        ],
        2,
        "does not exist, expected the copy",
    );
}

#[test]
fn external_metadata_has_no_data_to_copy() {
    let dir = scratch();
    let meta = dir.path().join("meta");
    let size = Bytes::new(2 * MIB);
    let mut file = WritableFile::create_new(&meta, size).unwrap();
    let level = Level::v08().la_size(LaSize::Exactly(Sectors::new(20_000)));
    let backing = Bytes::new(64 * MIB);
    builder::build_external(
        &mut file,
        ImagePos::START,
        size,
        External::Flex,
        backing,
        &level,
    )
    .unwrap();
    drop(file);
    let target = dir.path().join("copy");
    refused(
        &["copy", text(&meta), text(&target)],
        2,
        "has external metadata",
    );
}
