//! The loops that take the time: `cargo bench --bench hot`.
#![expect(clippy::unwrap_used, reason = "a measurement that fails has no answer")]

use divan::Bencher;
use divan::counter::BytesCount;
use mdtool::builder::activity_log::{KernelLog, Write};
use mdtool::builder::{self, Level};
use mdtool::dump::{Compat, DumpReader, Preamble, print};
use mdtool::format::metadata::{Bitmap, Header};
use mdtool::image::{MemImage, Window};
use mdtool::survey::locate::{LocateOptions, Located, ScanMode, locate};
use mdtool::survey::log::LogState;
use mdtool::units::{BitmapIndex, BmBit, Bytes, ImagePos};

/// Its bitmap has 8 MiB, which no cache near a processor holds together with the text.
const DEVICE: u64 = 256 << 30;

fn main() {
    divan::main();
}

/// A device in memory whose bitmap is random.
fn dense() -> MemImage {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let words: Vec<u32> = (0..DEVICE / 4096 / 32)
        .map(|_| {
            // xorshift64: the same image every time.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u32::try_from(state >> 32).unwrap()
        })
        .collect();
    build(&Level::v08().words(BitmapIndex::new(0), BmBit::new(0), &words))
}

fn build(level: &Level) -> MemImage {
    let size = Bytes::new(DEVICE);
    let mut image = MemImage::new(size);
    builder::build(
        &mut image,
        ImagePos::START,
        size,
        std::slice::from_ref(level),
    )
    .unwrap();
    image
}

fn find(image: &MemImage, scan: ScanMode) -> Located {
    let options = LocateOptions {
        scan,
        ..LocateOptions::default()
    };
    locate(Window::whole(image), &options).unwrap()
}

/// The dump of an image's only resource.
fn dump(image: &MemImage) -> Vec<u8> {
    let located = find(image, ScanMode::Never);
    let level = located.levels.first().unwrap();
    let mut text = Vec::new();
    let preamble = Preamble {
        time: String::new(),
        origin: String::new(),
    };
    print(
        &mut text,
        &Header::of(&level.superblock),
        &level.layout,
        &mut level.bitmap(Window::whole(image)),
        &preamble,
        Compat::NEWEST,
    )
    .unwrap();
    text
}

#[divan::bench]
fn print_a_dense_dump(bencher: Bencher<'_, '_>) {
    let image = dense();
    let len = dump(&image).len();
    bencher
        .counter(BytesCount::new(len))
        .bench_local(|| dump(&image).len());
}

#[divan::bench]
fn parse_a_dense_dump(bencher: Bencher<'_, '_>) {
    let text = dump(&dense());
    bencher
        .counter(BytesCount::new(text.len()))
        .bench_local(|| {
            let mut reader = DumpReader::new(text.as_slice()).unwrap();
            let mut runs = 0_usize;
            {
                let mut slot = reader.slot(BitmapIndex::new(0)).unwrap();
                while slot.next_run().unwrap().is_some() {
                    runs = runs.saturating_add(1);
                }
            }
            reader.finish().unwrap();
            runs
        });
}

#[divan::bench]
fn locate_in_the_plain_case(bencher: Bencher<'_, '_>) {
    let image = build(&Level::v09(3));
    bencher.bench_local(|| find(&image, ScanMode::Auto).levels.len());
}

#[divan::bench]
fn scan_a_bitmap_for_superblocks(bencher: Bencher<'_, '_>) {
    let image = dense();
    bencher
        .counter(BytesCount::new(DEVICE / 4096 / 8))
        .bench_local(|| find(&image, ScanMode::Full).levels.len());
}

#[divan::bench]
fn replay_the_largest_table(bencher: Bencher<'_, '_>) {
    let mut log = KernelLog::new(1, 128, 65534, 0);
    let slots: Vec<u16> = (0..65534).collect();
    for slots in slots.chunks(64) {
        let changes: Vec<(u16, u32)> = slots.iter().map(|slot| (*slot, u32::from(*slot))).collect();
        log.activate(&changes, Write::Whole);
    }
    let level = Level::v08().unclean().striping(1, 128);
    let image = build(&level.al_nr_extents(65534).activity_log(log.area()));
    let located = find(&image, ScanMode::Never);
    let level = located.levels.first().unwrap();
    bencher
        .counter(BytesCount::new(log.area().len()))
        .bench_local(|| LogState::read(Window::whole(&image), level, &mut |_| {}).unwrap());
}
