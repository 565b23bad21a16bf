//! What the tests of images share: files with holes, loop devices, and skipping aloud.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use rustix::fs::Timespec;
use tempfile::NamedTempFile;

use super::ReadAt;
use crate::error::{Error, IoError};
use crate::units::{Bytes, ImagePos};

pub(super) const MIB: u64 = 1024 * 1024;

pub(super) fn bytes(size: u64) -> Bytes {
    Bytes::new(size)
}

pub(super) fn pos(at: u64) -> ImagePos {
    ImagePos::new(at)
}

/// A temporary file of these bytes.
pub(super) fn file_of(content: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content).unwrap();
    file
}

/// `len` bytes, each block of 512 of which says which it is.
pub(super) fn numbered(len: u64) -> Vec<u8> {
    let sector = |number: u64| number.to_be_bytes().repeat(64);
    (1..=len.div_ceil(512)).flat_map(sector).collect()
}

/// Every stretch that the image says may hold data.
pub(super) fn all_data(image: &dyn ReadAt) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let mut from = ImagePos::START;
    while let Some(data) = image.next_data(from).unwrap() {
        assert!(data.start >= from && data.end > data.start);
        found.push((data.start.get(), data.end.get()));
        from = data.end;
    }
    found
}

/// The system's refusal in an answer that has to be one.
pub(super) fn io_error<T: std::fmt::Debug>(answer: Result<T, Error>) -> IoError {
    match answer {
        Err(Error::Io(error)) => error,
        other => panic!("expected the system's refusal, got {other:?}"),
    }
}

/// Access and modification time.
pub(super) fn times(path: &Path) -> (i64, i64) {
    let found = rustix::fs::stat(path).unwrap();
    (found.st_atime, found.st_mtime)
}

/// Makes the last access older than the last change, so that with `relatime` the next access would be noted.
pub(super) fn set_old_access_time(file: &NamedTempFile) {
    let at = |seconds| Timespec {
        tv_sec: seconds,
        tv_nsec: 0,
    };
    let times = rustix::fs::Timestamps {
        last_access: at(1_000_000_000),
        last_modification: at(1_100_000_000),
    };
    rustix::fs::futimens(file, &times).unwrap();
}

/// Set for a process that runs one test.
const ALONE: &str = "MDTOOL_TEST_ALONE";

/// Whether this process runs one test, so that it may die of it or change what is the whole process's.
pub(super) fn is_alone() -> bool {
    std::env::var_os(ALONE).is_some()
}

/// Runs one test of the library, by its whole name, in a process of its own.
pub(super) fn run_alone(name: &str) -> ExitStatus {
    let ran = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(said.contains("running 1 test"), "{name}: {said}");
    ran.status
}

/// Says aloud that a test did not run; a failure where every tool is required.
#[expect(clippy::print_stderr, reason = "a skipped test is to be seen")]
pub(super) fn skip(why: &str) {
    assert!(
        std::env::var_os("MDTOOL_REQUIRE_TOOLS").is_none_or(|value| value != "1"),
        "MDTOOL_REQUIRE_TOOLS=1, but this test cannot run: {why}"
    );
    eprintln!("SKIPPED: {why}");
}

/// A block device over a file, until it is dropped.
pub(super) struct LoopDevice(PathBuf);

impl LoopDevice {
    /// `None`, and said aloud, where we may not make one.
    pub(super) fn over(file: &Path) -> Option<Self> {
        let made = Command::new("losetup")
            .args(["--find", "--show", "--read-only"])
            .arg(file)
            .output();
        match made {
            Ok(made) if made.status.success() => {
                let path = String::from_utf8(made.stdout).unwrap();
                Some(Self(path.trim_end().into()))
            }
            Ok(made) => {
                skip(String::from_utf8_lossy(&made.stderr).trim_end());
                None
            }
            Err(error) => {
                skip(&format!("losetup: {error}"));
                None
            }
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        let detached = Command::new("losetup").arg("-d").arg(&self.0).status();
        assert!(detached.unwrap().success());
    }
}
