//! What commands hold in memory at most, counted by the allocator: as much on 9 TB as on 1 TiB.
//!
//! A binary of its own with one test: whatever else ran would be counted with it.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and its numbers are for docs/performance.md"
)]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "a test may overflow or miss: it fails then"
)]

use std::ffi::OsString;
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use mdtool::builder::activity_log::{KernelLog, Write as LogWrite};
use mdtool::builder::{External, Level, Peer, build, build_external};
use mdtool::cli::{Streams, run};
use mdtool::image::{ReadAt, WritableFile};
use mdtool::units::{BitmapIndex, BmBit, Bytes, ImagePos, NodeId};
use peak_alloc::PeakAlloc;

#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

/// Half of what is promised: the rest is for the program itself, its stacks and its libraries.
const MOST: usize = 32 << 20;
/// The same where all of 31 slots are read at once, a part of each.
const MOST_OF_ALL_SLOTS: usize = 48 << 20;
/// What may differ between sizes: the capacities that vectors happen to grow to.
const SLACK: usize = 1 << 20;
/// `MDF_CONSISTENT`, `MDF_PRIMARY_IND` and `MDF_WAS_UP_TO_DATE`.
const PRIMARY: u32 = 0x13;

/// Random words, as many.
fn noise(words: usize) -> Vec<u32> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.rotate_left(13)
    };
    (0..words).map(next).collect()
}

/// A copy of a live Primary: every slot of the largest activity log is in use.
fn unclean(size: Bytes, words: usize) -> Level {
    let mut log = KernelLog::new(1, 128, 65534, 0);
    let slots: Vec<u16> = (0..65534).collect();
    let apart = u32::try_from(size.get() / (4 << 20) / 65536).unwrap();
    for part in slots.chunks(64) {
        let changes = part
            .iter()
            .map(|slot| (*slot, u32::from(*slot).saturating_mul(apart)));
        log.activate(&changes.collect::<Vec<_>>(), LogWrite::Whole);
    }
    let level = Level::v08().unclean().flags(PRIMARY).striping(1, 128);
    let level = level.al_nr_extents(65534).activity_log(log.area());
    level.words(BitmapIndex::new(0), BmBit::new(0), &noise(words))
}

/// As many slots as there can be.
fn many_slots(words: usize) -> Level {
    let noise = noise(words);
    let start = BmBit::new(0);
    (0..31).fold(Level::v09(31), |level, slot| {
        level.words(BitmapIndex::new(slot), start, &noise)
    })
}

fn make(path: &str, size: Bytes, level: Option<Level>) {
    let mut image = WritableFile::create_new(Path::new(path), size).unwrap();
    if let Some(level) = level {
        build(&mut image, ImagePos::START, size, &[level]).unwrap();
    }
}

/// Ranges in an order that has to be sorted: every other 4 KiB of 2 GiB, last to first, three times.
fn backwards(path: &str) {
    let mut lines = String::new();
    for round in [0, 1, 0] {
        for range in (0..1_u64 << 18).rev() {
            let start = (range << 13) | (round << 12);
            writeln!(lines, "{start} 4096").unwrap();
        }
    }
    save(path, &lines);
}

#[expect(clippy::disallowed_methods, reason = "a text, not an image")]
fn save(path: &str, text: &str) {
    std::fs::write(path, text).unwrap();
}

/// A reader that leaves after so many bytes.
struct Leaving(usize);

impl io::Write for Leaving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = self.0.checked_sub(bytes.len());
        self.0 = left.ok_or(io::ErrorKind::BrokenPipe)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Metadata of 1 PiB, every other bit set, as a dump: its bitmap has 32 GiB.
const PETABYTE: &str = r#"version "v08";
uuid {
    0x0431DFC3F183F6D4; 0x0000000000000000; 0x0000000000000000; 0x0000000000000000;
    flags 0x00000091;
}
la-size-sect 2199023255552;
bm-byte-per-bit 4096;
device-uuid 0x0000000000000000;
la-peer-max-bio-size 4096;
al-stripes 1;
al-stripe-size-4k 8;
bm {
    4294967296 times 0x5555555555555555;
}
"#;

/// The peak of printing the first 64 MiB of its ranges, which are 137 billion.
fn peak_of_petabyte() -> usize {
    let dir = tempfile::tempdir().unwrap();
    let dump = dir.path().join("petabyte.md");
    let dump = dump.to_str().unwrap();
    save(dump, PETABYTE);
    let words = ["bitmap", "show", dump, "--ranges"];
    let mut leaving = Leaving(64 << 20);
    let peak = peak_to(&mut leaving, &words, &[0]);
    assert!(leaving.0 < 1 << 20, "{} bytes are left", leaving.0);
    peak
}

/// Where external metadata has its bitmap: behind the superblock and a log of 32 KiB.
const BITMAP: u64 = 36_864;
/// Words of a slot of 1 PiB.
const PETABYTE_WORDS: u64 = 1 << 33;

/// A meta device of 1 PiB, two slots of which the second is free: a few words at both ends of each, and 64 GiB of holes between.
fn petabyte_on_a_meta_device(path: &str, words: &[u32]) {
    let size = Bytes::new(1 << 40);
    let peer = Peer::in_slot(BitmapIndex::new(0));
    let end = BmBit::new((PETABYTE_WORDS - u64::try_from(words.len()).unwrap()) * 32);
    let level = Level::v09(2).peer(NodeId::new(1), peer);
    let level = (0..2).map(BitmapIndex::new).fold(level, |level, slot| {
        let level = level.words(slot, BmBit::new(0), words);
        level.words(slot, end, words)
    });
    let mut image = WritableFile::create_new(Path::new(path), size).unwrap();
    let (kind, backing) = (External::Flex, Bytes::new(1 << 50));
    build_external(&mut image, ImagePos::START, size, kind, backing, &level).unwrap();
}

/// Whether the first and the last slot have these words at both ends, `coarser` old bits being one now, by positions of our own.
fn has_words(path: &str, slots: u64, words: &[u32], coarser: usize) {
    let image = WritableFile::open(Path::new(path)).unwrap();
    let bit = |bit: usize| words[bit / 32] >> (bit % 32) & 1 == 1;
    let any = |new: usize| (new * coarser..(new + 1) * coarser).any(bit);
    let count = words.len() / coarser;
    let end = PETABYTE_WORDS / u64::try_from(coarser).unwrap() - u64::try_from(count).unwrap();
    for (slot, start) in [(0, 0), (slots - 1, 0), (0, end), (slots - 1, end)] {
        for word in 0..count {
            let expected =
                (0..32).fold(0_u32, |all, at| all | u32::from(any(word * 32 + at)) << at);
            let at = start + u64::try_from(word).unwrap();
            let mut found = [0; 4];
            let at = ImagePos::new(BITMAP + 4 * (at * slots + slot));
            image.read_exact_at(at, &mut found).unwrap();
            assert_eq!(
                u32::from_le_bytes(found),
                expected,
                "slot {slot}, word {word}"
            );
        }
    }
}

/// The peaks of edits of all slots of 1 PiB, a bitmap of 992 GiB: more slots, coarser bits and finer ones, fewer slots.
fn peaks_of_petabyte_edits() -> Vec<(&'static str, usize)> {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let meta = path("meta");
    let noise = noise(1 << 14);
    // One bit of a word, about: enough that bits of 64 KiB are not all set.
    let thin = |at: usize| {
        (0..5).fold(u32::MAX, |word, more| {
            word & noise[(at * 7 + more) % noise.len()]
        })
    };
    let words: Vec<u32> = (0..1 << 13).map(thin).collect();
    petabyte_on_a_meta_device(&meta, &words);
    let edit = |name: &'static str, change: &[&str]| {
        let undo = path(&format!("undo{name}"));
        let words = [
            "edit",
            &meta,
            "--index",
            "flex-external",
            "--yes",
            "--undo",
            &undo,
        ];
        let started = std::time::Instant::now();
        let peak = peak_of(&[&words[..], change].concat(), &[0]);
        println!(
            "1 PiB: edit {name}: {} KiB, {:?}",
            peak >> 10,
            started.elapsed()
        );
        (name, peak)
    };
    let mut peaks = vec![edit("--max-peers 31", &["--max-peers", "31"])];
    has_words(&meta, 31, &words, 1);
    peaks.push(edit("--bytes-per-bit 64KiB", &["--bytes-per-bit", "64KiB"]));
    has_words(&meta, 31, &words, 16);
    peaks.push(edit("--bytes-per-bit 4KiB", &["--bytes-per-bit", "4KiB"]));
    peaks.push(edit("--max-peers 1", &["--max-peers", "1"]));
    peaks
}

/// Runs a command and tells its peak, less what was there before.
fn peak_of(words: &[&str], statuses: &[u8]) -> usize {
    peak_to(&mut io::sink(), words, statuses)
}

/// The same, its output going somewhere.
fn peak_to(stdout: &mut dyn io::Write, words: &[&str], statuses: &[u8]) -> usize {
    let args: Vec<OsString> = std::iter::once("mdtool")
        .chain(words.iter().copied())
        .map(OsString::from)
        .collect();
    let mut stderr = Vec::with_capacity(64 << 10);
    let mut out = Streams {
        stdout,
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

/// The peak of every command on images of this size, so many words of whose bitmap are random.
fn peaks(size: Bytes, words: usize) -> Vec<(&'static str, usize)> {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let (live, slots, target) = (path("live"), path("slots"), path("target"));
    let (copy, sums, list) = (path("copy"), path("sums"), path("list"));
    let (dump, applied, undo) = (path("dump.md"), path("applied"), path("undo"));
    make(&live, size, Some(unclean(size, words)));
    make(&slots, size, Some(many_slots(words / 32)));
    make(&target, size, None);
    let import = ["import", &target, &dump, "--yes", "--undo", &undo];
    let apply = ["apply-al", &live, "--yes", "--undo", &applied];
    let (ranges, undo_set) = (path("ranges"), path("undo.set"));
    backwards(&ranges);
    let show = ["bitmap", "show", &slots, "--ranges", "--slot", "0"];
    let set = ["bitmap", "set", &slots, "--from", &ranges, "--slot", "30"];
    let set = [&set[..], &["--yes", "--undo", &undo_set]].concat();
    vec![
        (
            "locate",
            peak_of(&["locate", &live, "--scan", "full"], &[0]),
        ),
        ("probe", peak_of(&["probe", &live], &[3])),
        ("show", peak_of(&["show", &live], &[0])),
        ("check", peak_of(&["check", &live], &[0, 1])),
        ("al", peak_of(&["al", &live], &[0, 1])),
        (
            "export --apply-al",
            peak_of(&["export", &live, "--apply-al"], &[0]),
        ),
        ("apply-al", peak_of(&apply, &[0])),
        ("bitmap show", peak_of(&show, &[0])),
        ("bitmap set", peak_of(&set, &[0])),
        ("export", peak_of(&["export", &slots, "-o", &dump], &[0])),
        ("import", peak_of(&import, &[0])),
        ("undo", peak_of(&["undo", &undo, "--yes"], &[0])),
        (
            "copy",
            peak_of(&["copy", &live, &copy, "--sums", &sums], &[0]),
        ),
        (
            "sum --check",
            peak_of(&["sum", "--check", &sums, &copy], &[0]),
        ),
        ("sum", peak_of(&["sum", &live, "-o", &list], &[0])),
    ]
}

#[test]
fn memory_is_bounded_whatever_the_size() {
    for (name, peak) in peaks_of_petabyte_edits() {
        assert!(peak <= MOST_OF_ALL_SLOTS, "1 PiB: {name}: {peak} bytes");
    }
    // 16 and 32 MiB of random bitmap: whoever held it all would show.
    let small = peaks(Bytes::new(1 << 40), 1 << 22);
    let large = peaks(Bytes::new(9_000_000_000_000), 1 << 23);
    let petabyte = peak_of_petabyte();
    println!("1 PiB of alternating bits: {} KiB", petabyte >> 10);
    assert!(petabyte <= MOST, "1 PiB: {petabyte} bytes");
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
