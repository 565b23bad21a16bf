//! The images that every command looks at.

use std::path::PathBuf;

use mdtool::builder::{External, LaSize, Level, build, build_external};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos, Sectors};
use tempfile::TempDir;

use crate::support::{cut, kernel_image, patch, sparse, testdata};

pub(super) const MIB: u64 = 1 << 20;
pub(super) const SIZE: u64 = 64 * MIB;
pub(super) const SUPERBLOCK: u64 = SIZE - 4096;

/// An image, and what it is called in a failure.
pub(super) struct Image {
    pub(super) name: String,
    pub(super) path: PathBuf,
}

pub(super) fn stack(dir: &TempDir, name: &str, levels: &[Level]) -> Image {
    sized(dir, name, SIZE, levels)
}

pub(super) fn sized(dir: &TempDir, name: &str, size: u64, levels: &[Level]) -> Image {
    let path = dir.path().join(name);
    let size = Bytes::new(size);
    let mut image = WritableFile::create_new(&path, size).unwrap();
    build(&mut image, ImagePos::START, size, levels).unwrap();
    patch(&path, 0x3000, &[1]);
    let name = name.to_owned();
    Image { name, path }
}

fn external(dir: &TempDir, name: &str, size: u64, placement: External, level: &Level) -> Image {
    let path = dir.path().join(name);
    let size = Bytes::new(size);
    let mut image = WritableFile::create_new(&path, size).unwrap();
    let (start, backing) = (ImagePos::START, Bytes::new(1 << 30));
    build_external(&mut image, start, size, placement, backing, level).unwrap();
    let name = name.to_owned();
    Image { name, path }
}

pub(super) fn changed(image: Image, at: u64, bytes: &[u8]) -> Image {
    patch(&image.path, at, bytes);
    image
}

pub(super) fn resized(image: Image, size: u64) -> Image {
    cut(&image.path, size);
    image
}

/// Every image that kernels wrote.
pub(super) fn of_kernels() -> Vec<Image> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(testdata("images")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let path = kernel_image(&name);
        found.push(Image { name, path });
    }
    assert!(found.len() > 10, "the images are here");
    found
}

/// An image of each kind that a person may have.
pub(super) fn of_each_kind(dir: &TempDir) -> Vec<Image> {
    let mut found = good(dir);
    found.extend(without(dir));
    found.extend(bad(dir));
    found.extend(outer_gone(dir));
    found.extend(meta_devices(dir));
    found
}

fn v08() -> Level {
    Level::v08()
}

fn v09() -> Level {
    Level::v09(3)
}

/// Metadata in order, where DRBD looks and elsewhere.
fn good(dir: &TempDir) -> Vec<Image> {
    vec![
        stack(dir, "v08", &[v08()]),
        stack(dir, "v09", &[v09()]),
        stack(dir, "v08-unclean", &[v08().unclean()]),
        stack(dir, "v09-unclean", &[v09().unclean()]),
        stack(dir, "stack", &[v08(), v09()]),
        stack(dir, "fresh", &[v09().just_created()]),
        resized(stack(dir, "grown", &[v09()]), 80 * MIB),
        resized(stack(dir, "grown-unclean", &[v08().unclean()]), 80 * MIB),
        resized(stack(dir, "cut-stack", &[v08(), v08()]), SIZE - 8192),
    ]
}

pub(super) fn blank(dir: &TempDir, name: &str, size: u64) -> Image {
    let path = dir.path().join(name);
    sparse(&path, size);
    let name = name.to_owned();
    Image { name, path }
}

/// No metadata: a blank disk, no disk, and one whose end is missing.
fn without(dir: &TempDir) -> Vec<Image> {
    let mut ext4_cut = blank(dir, "cut-off", 32 * MIB);
    ext4_cut = changed(ext4_cut, 1024 + 0x38, &0xEF53_u16.to_le_bytes());
    ext4_cut = changed(ext4_cut, 1024 + 4, &(60 * 256_u32).to_le_bytes());
    ext4_cut = changed(ext4_cut, 1024 + 0x18, &2_u32.to_le_bytes());
    vec![blank(dir, "blank", MIB), blank(dir, "empty", 0), ext4_cut]
}

/// The inner resource of a stack, and what is left of the outer one.
pub(super) fn outer_gone(dir: &TempDir) -> Vec<Image> {
    let stack = |name: &str| stack(dir, name, &[v08(), v09()]);
    vec![
        changed(stack("outer-zeroed"), SUPERBLOCK, &[0; 4096]),
        changed(stack("outer-erased"), SUPERBLOCK + 60, &[0; 4]),
        changed(stack("outer-under-way"), SUPERBLOCK + 60, b"mdU"),
        changed(stack("outer-retired"), SUPERBLOCK + 60, b"mdR"),
    ]
}

/// Metadata that DRBD does not see or does not take.
fn bad(dir: &TempDir) -> Vec<Image> {
    let small = LaSize::Exactly(Sectors::new(50_000));
    vec![
        changed(stack(dir, "erased-v08", &[v08()]), SUPERBLOCK + 60, &[0; 4]),
        changed(stack(dir, "erased-v09", &[v09()]), SUPERBLOCK + 60, &[0; 4]),
        changed(
            stack(dir, "wrong-magic", &[v09()]),
            SUPERBLOCK + 60,
            &[0x11],
        ),
        changed(stack(dir, "under-way", &[v08()]), SUPERBLOCK + 60, b"mdU"),
        changed(stack(dir, "retired", &[v09()]), SUPERBLOCK + 60, b"mdR"),
        changed(stack(dir, "log-alone", &[v08()]), SUPERBLOCK, &[0; 4096]),
        changed(
            stack(dir, "bad-bm-offset", &[v08()]),
            SUPERBLOCK + 76,
            &[0x11],
        ),
        changed(
            stack(dir, "bad-al-offset", &[v09()]),
            SUPERBLOCK + 68,
            &[0x11],
        ),
        changed(
            stack(dir, "la-size", &[v09()]),
            SUPERBLOCK,
            &[0, 0, 0, 0, 0, 2, 0, 0],
        ),
        changed(
            stack(dir, "own-slot", &[v09()]),
            SUPERBLOCK + 112 + 20,
            &[0; 4],
        ),
        changed(
            stack(dir, "slot-77", &[v09()]),
            SUPERBLOCK + 112 + 2 * 32 + 20,
            &[0, 0, 0, 77],
        ),
        stack(
            dir,
            "no-log",
            &[v09().flags(0x93).activity_log(&[0; 32768])],
        ),
        stack(dir, "small", &[v08().la_size(small)]),
    ]
}

/// Metadata on devices of its own.
fn meta_devices(dir: &TempDir) -> Vec<Image> {
    vec![
        external(dir, "flex", 4 * MIB, External::Flex, &v09()),
        external(dir, "indexed-0", 256 * MIB, External::Indexed(0), &v08()),
        external(dir, "indexed-1", 384 * MIB, External::Indexed(1), &v08()),
        changed(
            external(
                dir,
                "flex-too-small",
                2 * MIB,
                External::Flex,
                &Level::v09(1),
            ),
            0,
            &[0, 0, 0, 0, 0x7F, 0, 0, 0],
        ),
    ]
}
