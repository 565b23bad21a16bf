//! Makes the images that `benches/versus-drbdmeta.sh` measures on: `cargo bench --bench images -- dense|al FILE [BYTES]`.
#![expect(clippy::unwrap_used, reason = "without its images nothing is measured")]

use std::path::Path;

use mdtool::builder::activity_log::{KernelLog, Write};
use mdtool::builder::{self, Level};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, BmBit, Bytes, ImagePos};

/// The size of the disk that GitLab moved, about.
const DENSE: u64 = 9_000_000_000_000;
/// ext4 has no file of this size, tmpfs has.
const LARGE: u64 = 30 << 40;
/// `MDF_CONSISTENT`, `MDF_PRIMARY_IND` and `MDF_WAS_UP_TO_DATE`.
const PRIMARY: u32 = 0x13;

fn main() {
    // Cargo adds options of its own.
    let given = std::env::args().skip(1);
    let args: Vec<String> = given.filter(|arg| !arg.starts_with("--")).collect();
    // `cargo test --all-targets` runs this too, and shall make nothing.
    let [what, path, rest @ ..] = args.as_slice() else {
        return;
    };
    let bytes = rest.first().map(|bytes| bytes.parse().unwrap());
    let (size, level) = match what.as_str() {
        "dense" => {
            let size = bytes.unwrap_or(DENSE);
            (size, dense(size))
        }
        "al" => (LARGE, every_slot_active()),
        _ => return,
    };
    let file = Path::new(path);
    std::process::Command::new("truncate")
        .args(["-s", &size.to_string(), path])
        .status()
        .unwrap();
    let mut image = WritableFile::open(file).unwrap();
    builder::build(&mut image, ImagePos::START, Bytes::new(size), &[level]).unwrap();
}

/// Every word of the bitmap random: what compresses worst, and prints longest.
fn dense(size: u64) -> Level {
    let bits = size / 4096;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let words: Vec<u32> = (0..bits / 32)
        .map(|_| {
            // xorshift64: the same image every time.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            u32::try_from(state >> 32).unwrap()
        })
        .collect();
    Level::v08().words(BitmapIndex::new(0), BmBit::new(0), &words)
}

/// Every slot of the largest table active, all over the device.
fn every_slot_active() -> Level {
    let mut log = KernelLog::new(1, 128, 65534, 0);
    let slots: Vec<u16> = (0..65534).collect();
    for slots in slots.chunks(64) {
        let changes: Vec<(u16, u32)> = slots
            .iter()
            .map(|slot| (*slot, u32::from(*slot).saturating_mul(119)))
            .collect();
        log.activate(&changes, Write::Whole);
    }
    let level = Level::v08().unclean().flags(PRIMARY).striping(1, 128);
    level.al_nr_extents(65534).activity_log(log.area())
}
