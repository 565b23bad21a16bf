//! Reading against mapping, side by side: the numbers of `docs/reading.md`.
//!
//! `cargo bench --bench read -- GIB` writes dense files of that size (2 unless said) into `$TMPDIR` and removes them again;
//! `cargo bench --bench read -- PATH` measures a file or block device that is there, and changes nothing.
#![expect(clippy::print_stdout, reason = "the numbers are what it is for")]
#![expect(clippy::unwrap_used, reason = "a measurement that fails has no answer")]
#![expect(
    clippy::arithmetic_side_effects,
    reason = "a measurement may overflow: it fails then"
)]

use std::hint::black_box;
use std::io::Write;
use std::ops::ControlFlow;
use std::path::Path;
use std::time::{Duration, Instant};

use mdtool::image::{ImageFile, MappedImage, ReadAt};
use mdtool::units::{Bytes, ImagePos};
use rustix::fs::{Advice, Mode, OFlags};
use tempfile::NamedTempFile;

const GIB: u64 = 1 << 30;
const ROUNDS: usize = 7;

fn main() {
    // `cargo test --all-targets` runs this too, and shall not write gigabytes.
    if !std::env::args().any(|arg| arg == "--bench") {
        return;
    }
    let arg = std::env::args().skip(1).find(|arg| arg != "--bench");
    let arg = arg.unwrap_or_else(|| "2".to_owned());
    println!("| what | pages cached by | read | mapped | read / mapped |");
    println!("|---|---|---|---|---|");
    let Ok(gib) = arg.parse() else {
        return measure(Path::new(&arg));
    };
    for (by, piece) in [
        ("writing 4 KiB at a time", 4096),
        ("writing 1 MiB at a time", 1 << 20),
    ] {
        let file = dense_file(gib, piece);
        row("scan, warm", by, &scan, &open(file.path()), &|| ());
    }
    measure(dense_file(gib, 1 << 20).path());
}

/// Measures an image that is there, first out of the cache, then in it as reading puts it there.
fn measure(path: &Path) {
    let both = open(path);
    let file = rustix::fs::open(path, OFlags::RDONLY, Mode::empty()).unwrap();
    let forget = || rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).unwrap();
    row("scan, cold", "nothing", &scan, &both, &forget);
    row(
        "5 superblocks, cold",
        "nothing",
        &superblocks,
        &both,
        &forget,
    );
    forget();
    scan(&both.0);
    row("scan, warm", "reading", &scan, &both, &|| ());
    row(
        "5 superblocks, warm",
        "reading",
        &superblocks,
        &both,
        &|| (),
    );
}

/// Measures one task by reading and by mapping in turn, and prints the medians.
fn row(
    what: &str,
    by: &str,
    task: &dyn Fn(&dyn ReadAt),
    (read, mapped): &(ImageFile, MappedImage),
    prepare: &dyn Fn(),
) {
    let (mut reading, mut mapping) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        prepare();
        reading.push(time(|| task(read)));
        prepare();
        mapping.push(time(|| task(mapped)));
    }
    let (reading, mapping) = (median(reading), median(mapping));
    let ratio = reading.as_secs_f64() / mapping.as_secs_f64();
    println!("| {what} | {by} | {reading:.1?} | {mapping:.1?} | {ratio:.2} |");
}

fn time(task: impl FnOnce()) -> Duration {
    let start = Instant::now();
    task();
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap()
}

/// Looks at the 8 bytes of each 4 KiB block where a superblock has flags and magic.
fn scan(image: &dyn ReadAt) {
    let mut found = 0_u64;
    let mut look = |_, piece: &[u8]| {
        for block in piece.chunks_exact(4096) {
            let word = block.get(56..64).and_then(|word| word.try_into().ok());
            found = found.wrapping_add(word.map_or(0, u64::from_be_bytes));
        }
        ControlFlow::Continue(())
    };
    image
        .visit(ImagePos::START..ImagePos::at(image.size()), &mut look)
        .unwrap();
    black_box(found);
}

/// Shows a few blocks, far from each other.
fn superblocks(image: &dyn ReadAt) {
    let mut sum = 0_u64;
    for fifth in 1..=5 {
        let at = Bytes::new(image.size().get() / 5 * fifth).align_down(Bytes::new(4096));
        let start = ImagePos::at(at.checked_sub(Bytes::new(4096)).unwrap());
        let mut look = |_, piece: &[u8]| {
            sum = piece
                .iter()
                .fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)));
            ControlFlow::Continue(())
        };
        image.visit(start..ImagePos::at(at), &mut look).unwrap();
    }
    black_box(sum);
}

fn dense_file(gib: u64, piece: usize) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    let content: Vec<u8> = (1..=251).cycle().take(piece).collect();
    let mut left = gib * GIB;
    while left > 0 {
        file.write_all(&content).unwrap();
        left = left.saturating_sub(Bytes::of_len(piece).get());
    }
    file.as_file().sync_all().unwrap();
    file
}

fn open(path: &Path) -> (ImageFile, MappedImage) {
    let read = ImageFile::open(path).unwrap();
    (read, MappedImage::open(path).unwrap())
}
