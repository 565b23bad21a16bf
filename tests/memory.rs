//! What commands hold in memory at most, counted by the allocator: as much on 9 TB as on 64 GiB.
//!
//! A binary of its own with one test: whatever else ran would be counted with it.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::ffi::OsString;
use std::io;
use std::path::Path;

use mdtool::builder::activity_log::{KernelLog, Write};
use mdtool::builder::{Level, build};
use mdtool::cli::{Streams, run};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, BmBit, Bytes, ImagePos};
use peak_alloc::PeakAlloc;

#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

/// A quarter of what is promised: the rest is for the program itself, its stacks and its libraries.
const MOST: usize = 16 << 20;
/// What may differ between sizes: the capacities that vectors happen to grow to.
const SLACK: usize = 1 << 20;
/// `MDF_CONSISTENT`, `MDF_PRIMARY_IND` and `MDF_WAS_UP_TO_DATE`.
const PRIMARY: u32 = 0x13;

/// A copy of a live Primary, so much of whose bitmap is random words; every slot of its activity log is in use.
fn unclean(path: &Path, size: Bytes, slots: u8, words: usize) {
    let mut log = KernelLog::new(1, 128, 65534, 0);
    let all: Vec<u16> = (0..65534).collect();
    let extents = u32::try_from(size.get() / (4 << 20)).unwrap() - 200;
    for part in all.chunks(64) {
        let changes = part
            .iter()
            .map(|slot| (*slot, u32::from(*slot) * (extents / 65534).max(1) % extents));
        log.activate(&changes.collect::<Vec<_>>(), Write::Whole);
    }
    let mut state = 1_u32;
    let words: Vec<u32> = (0..words)
        .map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.rotate_left(13)
        })
        .collect();
    let level = Level::v09(slots).unclean().flags(PRIMARY).striping(1, 128);
    let mut level = level.al_nr_extents(65534).activity_log(log.area());
    for slot in 0..slots {
        level = level.words(BitmapIndex::new(slot), BmBit::new(0), &words);
    }
    let mut image = WritableFile::create_new(path, size).unwrap();
    build(&mut image, ImagePos::START, size, &[level]).unwrap();
}

/// Runs a command and tells its peak, less what was there before.
fn peak_of(words: &[&str], statuses: &[u8]) -> usize {
    let args: Vec<OsString> = std::iter::once("mdtool")
        .chain(words.iter().copied())
        .map(OsString::from)
        .collect();
    let mut stderr = Vec::with_capacity(64 << 10);
    let mut out = Streams {
        stdout: &mut io::sink(),
        stderr: &mut stderr,
    };
    let before = COUNTED.current_usage();
    COUNTED.reset_peak_usage();
    let outcome = run(&args, &mut out);
    let peak = COUNTED.peak_usage().saturating_sub(before);
    let said = String::from_utf8_lossy(&stderr);
    assert!(statuses.contains(&outcome.code()), "{words:?}: {said}");
    peak
}

/// The peak of every command on an image of this size.
fn peaks(size: Bytes, words: usize) -> Vec<(&'static str, usize)> {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (image, dump, target) = (path("image"), path("dump.md"), path("target"));
    let (undo, applied) = (path("undo"), path("applied"));
    unclean(Path::new(&image), size, 3, words);
    drop(WritableFile::create_new(Path::new(&target), size).unwrap());
    let export = ["export", &image, "--apply-al", "-o", &dump];
    let import = ["import", &target, &dump, "--yes", "--undo", &undo];
    vec![
        (
            "locate",
            peak_of(&["locate", &image, "--scan", "full"], &[0]),
        ),
        ("probe", peak_of(&["probe", &image], &[3])),
        ("show", peak_of(&["show", &image], &[0])),
        ("check", peak_of(&["check", &image], &[0, 1])),
        ("al", peak_of(&["al", &image], &[0, 1])),
        ("export --apply-al", peak_of(&export, &[0])),
        ("import", peak_of(&import, &[0])),
        ("undo", peak_of(&["undo", &undo, "--yes"], &[0])),
        (
            "apply-al",
            peak_of(&["apply-al", &image, "--yes", "--undo", &applied], &[0]),
        ),
        ("export", peak_of(&["export", &image], &[0])),
    ]
}

#[test]
fn memory_is_bounded_whatever_the_size() {
    // 6 and 96 MiB of random bitmap: whoever held it all would show.
    let small = peaks(Bytes::new(64 << 30), 1 << 19);
    let large = peaks(Bytes::new(9_000_000_000_000), 1 << 23);
    let row = |name: &str, small: usize, large: usize| {
        println!("{name:18} {:6} KiB {:6} KiB", small >> 10, large >> 10);
    };
    for ((name, small), (_, large)) in small.iter().zip(&large) {
        row(name, *small, *large);
    }
    for ((name, small), (_, large)) in small.into_iter().zip(large) {
        // A count of nothing would pass as well.
        assert!(small > 1000, "{name}: {small} bytes are too few to be true");
        assert!(
            large <= MOST,
            "{name}: {large} bytes, expected at most {MOST}"
        );
        assert!(
            large <= small + SLACK,
            "{name}: {small} bytes grew to {large}"
        );
    }
}
