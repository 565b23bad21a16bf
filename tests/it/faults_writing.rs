//! Faults as a user meets them: a full disk, sectors that cannot be read, written or synced. A clear message, exit 2, and the target is as it
//! was, or `mdtool undo` makes it so.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mdtool::builder::Level;
use mdtool::units::{BitmapIndex, DevPos};

use crate::adopt::{MIB, Stack, ok, stack, text, v09, whole};
use crate::apply_al::{PRIMARY, image, one_extent};
use crate::support::{Mounted, Run, mdtool, require_tool, scratch};

/// Small: it is hashed for every fault.
const SIZE: u64 = 16 * MIB;

fn few_bits() -> Level {
    let range = DevPos::new(MIB)..DevPos::new(3 * MIB);
    v09(3).dirty(BitmapIndex::new(0), range)
}

/// A command that writes, and the file it writes to.
struct Case {
    stack: Stack,
    words: Vec<String>,
}

impl Case {
    fn of(stack: Stack, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { stack, words }
    }

    fn target(&self) -> &Path {
        &self.stack.image
    }

    fn undo(&self) -> PathBuf {
        self.stack.file("undo")
    }
}

fn adopting(strategy: &str) -> Case {
    let stack = stack(&[v09(1), few_bits()], SIZE, "v09");
    let undo = stack.file("undo");
    let words = stack.adopt(&["--strategy", strategy, "--undo", text(&undo)]);
    Case { stack, words }
}

fn importing() -> Case {
    let stack = stack(&[v09(1), few_bits()], SIZE, "v09");
    let (dump, undo) = (stack.file("dump.md"), stack.file("undo"));
    ok(&["export", text(&stack.image), "--stacked", "-o", text(&dump)]);
    let image = text(&stack.image).to_owned();
    let words = [
        "import",
        &image,
        text(&dump),
        "--yes",
        "--undo",
        text(&undo),
    ];
    let words = words.map(str::to_owned);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    Case::of(stack, &words)
}

fn applying() -> Case {
    let stack = stack(&[Level::v08()], SIZE, "v08");
    std::fs::remove_file(&stack.image).unwrap();
    let level = Level::v08().unclean().flags(PRIMARY).al_nr_extents(67);
    image(&stack.image, SIZE, level.activity_log(one_extent(2).area()));
    let image = text(&stack.image).to_owned();
    let undo = text(&stack.file("undo")).to_owned();
    Case::of(stack, &["apply-al", &image, "--yes", "--undo", &undo])
}

fn cases() -> [Case; 4] {
    [
        adopting("relocate"),
        adopting("truncate"),
        importing(),
        applying(),
    ]
}

/// Runs the program so that system calls of one kind on one file fail; `None` where it made none that was to fail.
fn injected(case: &Case, call: &str, when: &str) -> Option<Run> {
    let log = case.stack.file("trace");
    let output = Command::new("strace")
        .args(["-f", "-qq", "-o", text(&log), "-P", text(case.target())])
        .args(["-e", &format!("trace={call}")])
        .args(["-e", &format!("inject={call}:error=EIO:when={when}")])
        .arg(env!("CARGO_BIN_EXE_mdtool"))
        .args(&case.words)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let log = std::fs::read_to_string(log).unwrap();
    log.contains("(INJECTED)").then(|| output.into())
}

/// How often a target was left in which way.
#[derive(Debug, Default)]
struct Seen {
    untouched: u32,
    put_back: u32,
    undone: u32,
}

/// Lets every call of one kind fail in turn, alone or with all after it.
fn every(case: &Case, call: &str, rest: &str) -> Seen {
    let before = whole(case.target());
    let mut seen = Seen::default();
    for number in 1.. {
        std::fs::remove_file(case.undo()).unwrap_or(());
        let when = format!("{number}{rest}");
        let Some(run) = injected(case, call, &when) else {
            // The premise: without a fault it changes something.
            assert_ne!(whole(case.target()), before, "{:?}", case.words);
            ok(&["undo", text(&case.undo()), "--yes"]);
            break;
        };
        let what = format!("{call} {when}: {run:?}");
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{what}");
        assert!(run.stderr.contains("mdtool: "), "{what}");
        assert!(run.stderr.contains("Input/output error"), "{what}");
        if run.stderr.contains("half changed") {
            assert!(run.stderr.contains("puts it back"), "{what}");
            ok(&["undo", text(&case.undo()), "--yes"]);
            seen.undone += 1;
        } else if run.stderr.contains("what was changed is put back") {
            seen.put_back += 1;
        } else {
            seen.untouched += 1;
        }
        assert!(whole(case.target()) == before, "{what}");
        let half = run.stderr.contains("half changed");
        assert_eq!(
            case.undo().exists(),
            half,
            "nothing is to be undone: {what}"
        );
    }
    assert_eq!(whole(case.target()), before);
    seen
}

/// How often nothing was changed: the very first write changes nothing where it fails.
fn first_write(call: &str) -> u32 {
    u32::from(call == "pwrite64")
}

#[test]
fn what_cannot_be_read_ends_it_before_anything_changes_or_is_undone() {
    if !require_tool("strace") {
        return;
    }
    for case in cases() {
        // A read that fails once is tried again in smaller pieces: so all that follow fail too.
        let seen = every(&case, "pread64", "+");
        assert!(seen.untouched > 3 && seen.undone > 3, "{seen:?}");
    }
}

#[test]
fn what_cannot_be_written_half_way_is_put_back() {
    if !require_tool("strace") {
        return;
    }
    for case in cases() {
        let calls = ["pwrite64", "fsync"];
        for call in calls {
            let seen = every(&case, call, "");
            assert!(seen.put_back > 1, "{call}: {seen:?}");
            assert_eq!(seen.undone, 0, "{call}: {seen:?}");
            assert_eq!(seen.untouched, first_write(call), "{call}: {seen:?}");
        }
    }
    let seen = every(&adopting("truncate"), "ftruncate", "");
    assert_eq!(seen.put_back, 1, "{seen:?}");
}

#[test]
fn a_disk_that_takes_nothing_more_is_left_to_undo() {
    if !require_tool("strace") {
        return;
    }
    for case in cases() {
        for call in ["pwrite64", "fsync"] {
            let seen = every(&case, call, "+");
            assert!(seen.undone > 1, "{call}: {seen:?}");
            assert_eq!(seen.put_back, 0, "{call}: {seen:?}");
            assert_eq!(seen.untouched, first_write(call), "{call}: {seen:?}");
        }
    }
}

#[test]
fn an_undo_file_that_grows_too_large_leaves_the_target_untouched() {
    for case in cases() {
        let before = whole(case.target());
        // Nothing may be longer than 2 KiB; the shell ignores the signal, and so does what it becomes.
        let output = Command::new("sh")
            .args(["-c", "trap '' XFSZ; ulimit -f 4; exec \"$@\"", "sh"])
            .arg(env!("CARGO_BIN_EXE_mdtool"))
            .args(&case.words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let run = Run::from(output);
        assert_untouched(&case, &run, before, "File too large");
    }
}

#[test]
fn a_full_disk_under_the_undo_file_leaves_the_target_untouched() {
    for mut case in cases() {
        let before = whole(case.target());
        let dir = scratch();
        // The file system itself takes a page or two.
        let Some(small) = Mounted::small(dir.path(), "8k") else {
            return;
        };
        let undo = small.path().join("undo");
        *case.words.last_mut().unwrap() = text(&undo).to_owned();
        if case.words[0] == "adopt" {
            assert!(case.words.contains(&"--undo".to_owned()));
        }
        let run = mdtool(&case.words);
        assert_untouched(&case, &run, before, "No space left on device");
        let left = std::fs::read_dir(small.path()).unwrap().count();
        assert_eq!(left, 0, "no part of an undo file");
    }
}

#[track_caller]
fn assert_untouched(case: &Case, run: &Run, before: (usize, u32), says: &str) {
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{run:?}");
    let says = format!("nothing was changed: cannot write the undo file: {says}");
    assert!(run.stderr.contains(&says), "{run:?}");
    assert!(run.stderr.contains("\nhint: "), "{run:?}");
    assert_eq!(whole(case.target()), before);
    assert!(!case.undo().exists());
    // Whatever stands in the way gone, it works.
    let undo = case.words.iter().position(|word| word == "--undo").unwrap();
    let mut words = case.words.clone();
    text(&case.undo()).clone_into(&mut words[undo + 1]);
    assert_eq!(mdtool(&words).status, 0);
    assert_ne!(whole(case.target()), before);
}
