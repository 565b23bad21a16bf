//! Running the program and drbdmeta, and making images for them.

use std::ffi::OsStr;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock};

use tempfile::TempDir;

/// What a run of the program gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs the program.
pub(crate) fn mdtool<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    mdtool_command(args).output().unwrap().into()
}

/// The program, ready to be run.
pub(crate) fn mdtool_command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mdtool"));
    command.args(args).stdin(Stdio::null());
    command
}

/// Whether a test may be skipped where a tool is missing: said aloud, and not in CI.
pub(crate) fn require_tool(tool: &str) -> bool {
    let found = std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|dir| dir.join(tool).is_file()));
    let required = std::env::var("MDTOOL_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(
        found || !required,
        "MDTOOL_REQUIRE_TOOLS=1, and {tool} is not in PATH"
    );
    if !found {
        eprintln!("SKIPPED: {tool} is not in PATH");
    }
    found
}

/// Whether a test that needs to be root may be skipped: said aloud, and not in CI.
pub(crate) fn require_root() -> bool {
    let root = rustix::process::geteuid().is_root();
    let required = std::env::var("MDTOOL_REQUIRE_TOOLS").is_ok_and(|value| value == "1");
    assert!(root || !required, "MDTOOL_REQUIRE_TOOLS=1, and not root");
    if !root {
        eprintln!("SKIPPED: not root");
    }
    root
}

/// Runs a tool that must succeed, and answers what it printed.
#[track_caller]
pub(crate) fn tool(name: &str, args: &[&str]) -> String {
    let output = Command::new(name).args(args).output().unwrap();
    let run = Run::from(output);
    assert_eq!(run.status, 0, "{name} {args:?}: {run:?}");
    run.stdout.trim_end().to_owned()
}

/// A block device over a file, until it is dropped.
pub(crate) struct LoopDevice(PathBuf);

impl LoopDevice {
    /// `None`, and said aloud, where it cannot be made and need not be.
    pub(crate) fn over(file: &Path, options: &[&str]) -> Option<Self> {
        if !require_tool("losetup") || !require_root() {
            return None;
        }
        let file = file.to_str().unwrap();
        let args = [&["--find", "--show"], options, &[file]].concat();
        Some(Self(tool("losetup", &args).into()))
    }

    pub(crate) fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        tool("losetup", &["-d", self.path()]);
    }
}

/// A mounted file system, until it is dropped.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// A file system in memory that holds no more than `size`; `None`, and said aloud, where it cannot be mounted and need not be.
    pub(crate) fn small(on: &Path, size: &str) -> Option<Self> {
        if !require_tool("mount") || !require_root() {
            return None;
        }
        let size = format!("size={size}");
        let on_text = on.to_str().unwrap();
        tool("mount", &["-t", "tmpfs", "-o", &size, "none", on_text]);
        Some(Self(on.to_owned()))
    }

    /// The file system of this kind on `device`.
    pub(crate) fn of(kind: &str, device: &str, on: &Path) -> Self {
        tool("mount", &["-t", kind, device, on.to_str().unwrap()]);
        Self(on.to_owned())
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // A process that another test forks just now holds on to our files until it runs its program.
        let busy = |run: &Run| run.stderr.contains("busy");
        let umount = || Run::from(Command::new("umount").arg(&self.0).output().unwrap());
        let mut runs = (0..100).map(|_| {
            let run = umount();
            if busy(&run) {
                std::thread::sleep(std::time::Duration::from_millis(100));
            }
            run
        });
        let last = runs.find(|run| !busy(run));
        assert!(
            last.as_ref().is_some_and(|run| run.status == 0),
            "{}: {last:?}",
            self.0.display()
        );
    }
}

/// drbdmeta, one at a time: every run on a plain file writes the same state file.
#[expect(clippy::disallowed_types, reason = "a lock, not an image")]
pub(crate) struct Drbdmeta(
    #[expect(dead_code, reason = "held, not looked at")] MutexGuard<'static, ()>,
    /// The tests of another checkout wait as well.
    #[expect(dead_code, reason = "held, not looked at")]
    Option<std::fs::File>,
);

impl Drbdmeta {
    /// The tool, or `None` where it is missing and need not be there.
    pub(crate) fn new() -> Option<Self> {
        static ONE: Mutex<()> = Mutex::new(());
        require_tool("drbdmeta").then(|| {
            let guard = ONE
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            Self(guard, Self::lock())
        })
    }

    /// A lock between processes; `None` where another user's file is in the way.
    #[expect(clippy::disallowed_types, reason = "a lock, not an image")]
    fn lock() -> Option<std::fs::File> {
        let path = std::env::temp_dir().join("mdtool-test-drbdmeta.lock");
        let mut options = std::fs::OpenOptions::new();
        let file = options.create(true).append(true).open(path).ok()?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).ok()?;
        Some(file)
    }

    /// Runs it on a plain file: `drbdmeta --force - FORMAT FILE INDEX WORDS…`.
    #[expect(clippy::unused_self, reason = "who has it is the only one to run it")]
    pub(crate) fn run(&self, format: &str, image: &Path, index: &str, words: &[&str]) -> Run {
        let output = Command::new("drbdmeta")
            .args(["--force", "-", format])
            .arg(image)
            .arg(index)
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        output.into()
    }

    /// Runs it and insists that it succeeds.
    pub(crate) fn ok(&self, format: &str, image: &Path, index: &str, words: &[&str]) -> String {
        let run = self.run(format, image, index, words);
        assert_eq!(
            run.status, 0,
            "drbdmeta {format} {index} {words:?}: {}",
            run.stderr
        );
        run.stdout
    }
}

/// A directory for one test's images.
pub(crate) fn scratch() -> TempDir {
    tempfile::Builder::new()
        .prefix("mdtool-test-")
        .tempdir()
        .unwrap()
}

/// A sparse file of `size`, all zeros; an older one of that name is replaced.
pub(crate) fn sparse(path: &Path, size: u64) {
    create(path).set_len(size).unwrap();
}

#[expect(clippy::disallowed_types, reason = "tests make images by hand")]
fn create(path: &Path) -> std::fs::File {
    std::fs::File::create(path).unwrap()
}

/// Overwrites bytes of an image.
#[expect(clippy::disallowed_types, reason = "tests make images by hand")]
pub(crate) fn patch(path: &Path, at: u64, bytes: &[u8]) {
    std::fs::OpenOptions::new()
        .write(true)
        .open(path)
        .unwrap()
        .write_all_at(bytes, at)
        .unwrap();
}

/// Cuts an image off.
#[expect(clippy::disallowed_types, reason = "tests make images by hand")]
pub(crate) fn cut(path: &Path, size: u64) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    file.set_len(size).unwrap();
}

/// Puts bytes behind an image's end.
#[expect(clippy::disallowed_types, reason = "tests make images by hand")]
pub(crate) fn lengthen(path: &Path, bytes: &[u8]) {
    let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
    let end = file.metadata().unwrap().len();
    file.write_all_at(bytes, end).unwrap();
}

/// A file of just these bytes; an older one of that name is replaced.
pub(crate) fn put(path: &Path, bytes: &[u8]) {
    sparse(path, 0);
    lengthen(path, bytes);
}

/// Reads bytes of an image.
#[expect(clippy::disallowed_types, reason = "tests read images by hand")]
pub(crate) fn peek(path: &Path, at: u64, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    std::fs::File::open(path)
        .unwrap()
        .read_exact_at(&mut bytes, at)
        .unwrap();
    bytes
}

/// An image that kernels wrote, unpacked once: `v08-stack-down` and the like.
pub(crate) fn kernel_image(name: &str) -> PathBuf {
    static UNPACKED: OnceLock<TempDir> = OnceLock::new();
    static ONE: Mutex<()> = Mutex::new(());
    let _guard = ONE
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let image = UNPACKED
        .get_or_init(scratch)
        .path()
        .join(format!("{name}.img"));
    if !image.exists() {
        unpack(&testdata("images").join(format!("{name}.blocks")), &image);
    }
    image
}

/// A file or directory of testdata.
pub(crate) fn testdata(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("testdata")
        .join(name)
}

/// Makes a sparse image from a list of its blocks that are not zero; testdata/README.md has the form.
pub(crate) fn unpack(blocks: &Path, image: &Path) {
    let text = std::fs::read_to_string(blocks).unwrap();
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    let size = lines
        .next()
        .and_then(|line| line.strip_prefix("size "))
        .unwrap()
        .parse()
        .unwrap();
    sparse(image, size);
    for line in lines {
        let (at, hex) = line.split_once(' ').unwrap();
        patch(image, at.parse().unwrap(), &hex::decode(hex).unwrap());
    }
}

/// Whether this process is the one to run a test in: with 512 MiB of address space, so that whoever asks for as much as an input says is
/// killed. Another process starts such a one, waits for it, and insists that all went well.
pub(crate) fn alone_in_little_memory(test: &str) -> bool {
    const CHILD: &str = "MDTOOL_TEST_CHILD";
    if std::env::var_os(CHILD).is_some_and(|name| name == test) {
        return true;
    }
    let ran = Command::new("sh")
        .args([
            "-c",
            "ulimit -v 524288; exec \"$0\" --exact --nocapture --test-threads 1 \"$1\"",
        ])
        .arg(std::env::current_exe().unwrap())
        .arg(test)
        .env(CHILD, test)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    let complained = String::from_utf8_lossy(&ran.stderr);
    assert!(said.contains("running 1 test"), "{test}: {said}");
    assert!(ran.status.success(), "{test}: {said}\n{complained}");
    eprint!("{complained}");
    false
}
