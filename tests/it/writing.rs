//! The one way in which every command writes: what it locks, what it refuses, what it shows and asks, and how it can be taken back.

mod asked;
mod held;
mod judged;
mod moved_in;
mod named;
mod race;
mod resource;
mod room;
mod since;
mod taken_back;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos};
use tempfile::TempDir;

use crate::adopt::MIB;
use crate::support::{Run, lengthen, mdtool, peek, require_tool, scratch};

/// Small: it is compared again and again.
pub(crate) const SIZE: u64 = 16 * MIB;
/// The current UUIDs of what [`Disk`] makes.
pub(crate) const OUTER: u64 = 0x0A0A_0A0A_0A0A_0A0A;
pub(crate) const INNER: u64 = 0x1122_3344_5566_7788;

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A disk in a directory of its own.
pub(crate) struct Disk {
    pub(crate) dir: TempDir,
    pub(crate) path: PathBuf,
}

impl Disk {
    /// A disk with this stack.
    pub(crate) fn of(levels: &[Level]) -> Self {
        Self::of_size(SIZE, levels)
    }

    /// A disk of another size.
    pub(crate) fn of_size(size: u64, levels: &[Level]) -> Self {
        let dir = scratch();
        let path = dir.path().join("disk");
        let mut file = WritableFile::create_new(&path, Bytes::new(size)).unwrap();
        build(&mut file, ImagePos::START, Bytes::new(size), levels).unwrap();
        Self { dir, path }
    }

    /// An outer resource and an inner one.
    pub(crate) fn stack() -> Self {
        let outer = Level::v08().device_uuid(0xAAAA).current_uuid(OUTER);
        let inner = some_bits(Level::v08().device_uuid(0xBBBB).current_uuid(INNER));
        Self::of(&[outer, inner])
    }

    /// One resource on a disk that grew since.
    pub(crate) fn grown(level: Level) -> Self {
        let disk = Self::of(&[level]);
        lengthen(&disk.path, &vec![0; 65_536]);
        disk
    }

    pub(crate) fn name(&self) -> &str {
        text(&self.path)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let len = std::fs::metadata(&self.path).unwrap().len();
        peek(&self.path, 0, len as usize)
    }

    /// Where the outermost superblock is.
    pub(crate) fn end(&self) -> u64 {
        std::fs::metadata(&self.path).unwrap().len() - 4096
    }

    /// The current UUID of what DRBD finds at the end.
    pub(crate) fn current_uuid(&self) -> u64 {
        u64::from_be_bytes(peek(&self.path, self.end() + 8, 8).try_into().unwrap())
    }

    /// Runs the program, and insists that it refuses with these words and leaves the disk as it is.
    #[track_caller]
    pub(crate) fn refuses(&self, words: &[&str], says: &str) -> Run {
        let before = self.bytes();
        let run = mdtool(words);
        assert_eq!(
            (run.status, run.stdout.as_str()),
            (2, ""),
            "{words:?}: {run:?}"
        );
        assert!(run.stderr.contains(says), "{words:?}: {run:?}");
        assert!(self.bytes() == before, "{words:?}: it was written to");
        run
    }
}

/// A level with some bits set.
pub(crate) fn some_bits(level: Level) -> Level {
    level.dirty(BitmapIndex::new(0), DevPos::new(MIB)..DevPos::new(3 * MIB))
}

/// Runs the program and insists that it succeeds.
#[track_caller]
pub(crate) fn ok(words: &[&str]) -> Run {
    let run = mdtool(words);
    assert_eq!(run.status, 0, "{words:?}: {run:?}");
    run
}

/// The program on a terminal.
pub(crate) struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: ChildStdout,
    shown: String,
}

impl Terminal {
    /// `None`, and said aloud, where there is no tool for it.
    pub(crate) fn run(words: &[&str]) -> Option<Self> {
        if !require_tool("script") {
            return None;
        }
        let words: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
        let line = format!("'{}' {}", env!("CARGO_BIN_EXE_mdtool"), words.join(" "));
        // Whoever starts the tests in the background has them ignore Ctrl-C, and what they start.
        let mut child = Command::new("env")
            .args(["--default-signal=INT", "script"])
            .args(["--quiet", "--return", "--command", &line, "/dev/null"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Some(Self {
            keyboard: child.stdin.take().unwrap(),
            screen: child.stdout.take().unwrap(),
            child,
            shown: String::new(),
        })
    }

    /// Waits until the question is asked: nothing is written before it is answered.
    #[track_caller]
    pub(crate) fn asks(&mut self) {
        let mut bytes = [0; 4096];
        while !self.shown.contains("Type yes to go on: ") {
            let count = self.screen.read(&mut bytes).unwrap();
            assert!(count > 0, "it ended without a question: {}", self.shown);
            self.shown += &String::from_utf8_lossy(&bytes[..count]);
        }
    }

    /// Answers, and returns the exit status and all that was shown.
    pub(crate) fn answer(mut self, line: &str) -> (i32, String) {
        self.keyboard.write_all(line.as_bytes()).unwrap();
        self.keyboard.flush().unwrap();
        let mut rest = Vec::new();
        self.screen.read_to_end(&mut rest).unwrap();
        let status = self.child.wait().unwrap().code().unwrap();
        let shown = self.shown + &String::from_utf8_lossy(&rest);
        (status, shown.replace('\r', ""))
    }
}
