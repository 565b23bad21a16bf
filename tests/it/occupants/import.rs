//! No occupant's end is overwritten.

use std::path::Path;

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};
use tempfile::TempDir;

use super::signatures::{self, make};
use super::{MIB, image, md_1, tool_path};
use crate::support::{Run, cut, mdtool, patch, peek, scratch};

const SIZE: u64 = 64 * MIB;
/// Where metadata begins on a disk of that size.
const FIRST: u64 = SIZE - 40_960;

/// What import calls it, and what makes it end at a byte of a disk.
type Made = (&'static str, fn(&Path, u64));

const MADE: [Made; 4] = [
    ("DOS partition table", dos),
    ("NTFS file system", ntfs),
    ("FAT file system", fat),
    ("md RAID member", |disk, end| {
        patch(disk, 4096, &md_1(4096, 2048, end / 512 - 2048));
    }),
];

fn sectors(end: u64) -> [u8; 4] {
    u32::try_from(end / 512).unwrap().to_le_bytes()
}

fn dos(disk: &Path, end: u64) {
    patch(disk, 450, &[0x83]);
    patch(disk, 454, &8_u32.to_le_bytes());
    patch(disk, 458, &sectors(end - 8 * 512));
    patch(disk, 510, &[0x55, 0xAA]);
}

fn ntfs(disk: &Path, end: u64) {
    patch(disk, 3, b"NTFS    \0\x02");
    patch(disk, 40, &(end / 512 - 1).to_le_bytes());
}

fn fat(disk: &Path, end: u64) {
    patch(disk, 11, &[0, 2, 4]);
    patch(disk, 16, &[2]);
    patch(disk, 32, &sectors(end));
    patch(disk, 82, b"FAT32   ");
}

/// Plans the import of a small resource on a disk that somebody made something on.
fn import(dir: &TempDir, make: impl Fn(&Path)) -> Run {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (source, dump) = (dir.path().join("source"), dir.path().join("dump.md"));
    if !dump.exists() {
        let small = Bytes::new(16 * MIB);
        let mut file = WritableFile::create_new(&source, small).unwrap();
        build(&mut file, ImagePos::START, small, &[Level::v08()]).unwrap();
        drop(file);
        let run = mdtool(["export", &text(&source), "-o", &text(&dump)]);
        assert_eq!(run.status, 0, "{run:?}");
    }
    let disk = image(dir, SIZE);
    make(&disk);
    mdtool(["import", &text(&disk), &text(&dump), "--yes", "--dry-run"])
}

/// Imports a small resource for real on a disk that somebody made something on, with or without being asked.
fn import_for_real(dir: &TempDir, words: &[&str], make: impl Fn(&Path)) -> (Run, bool) {
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let dump = dir.path().join("dump.md");
    if !dump.exists() {
        import(dir, |_| ());
    }
    let disk = image(dir, SIZE);
    make(&disk);
    let all = |disk: &Path| peek(disk, 0, usize::try_from(SIZE).unwrap());
    let before = all(&disk);
    let undo = dir.path().join("undo");
    let _ = std::fs::remove_file(&undo);
    let mut arguments = vec!["import".to_owned(), text(&disk), text(&dump)];
    arguments.extend(["--undo".to_owned(), text(&undo)]);
    arguments.extend(words.iter().map(|word| (*word).to_owned()));
    let run = mdtool(arguments);
    (run, all(&disk) != before)
}

/// Where something is, and what it is called.
type There = (u64, &'static [u8], &'static str);

/// Nobody knows up to where these reach, or what they are.
const DOUBTFUL: [There; 9] = [
    (0, b"dmvdo001\x05\0\0\0", "VDO volume"),
    (0, b"bluestore block device\n", "Ceph BlueStore device"),
    (0, b"integrt\0\x01", "dm-integrity device"),
    (
        65_536,
        b"\x01\x16\x19\x70\0\0\0\x01",
        "GFS or GFS2 file system",
    ),
    (0, b"LUKS\xBA\xBE\0\x01", "LUKS volume"),
    (
        SIZE - 1024,
        b"Intel Raid ISM Cfg Sig. 1.3.00",
        "Intel (isw) RAID member",
    ),
    (SIZE - 512, b"\xDE\x11\xDE\x11", "DDF RAID member"),
    (SIZE - 512, b"EFI PART", "backup of a GUID partition table"),
    (12_345, b"a database of its own", "something unknown"),
];

#[test]
fn whoever_is_there_is_asked_about_by_name() {
    let dir = scratch();
    for (at, bytes, name) in DOUBTFUL {
        let (run, changed) = import_for_real(&dir, &[], |disk| patch(disk, at, bytes));
        assert_eq!((run.status, changed), (2, false), "{name}: {run:?}");
        assert!(run.stderr.contains(name), "{name}: {run:?}");
    }
    let (run, changed) = import_for_real(&dir, &[], |_| ());
    assert_eq!((run.status, changed), (0, true), "a blank disk: {run:?}");
}

/// Its beginning is not all of a disk.
#[test]
fn what_lies_far_behind_a_blank_beginning_is_asked_about() {
    let dir = scratch();
    let size = 300 * MIB;
    for at in [65 * MIB, 150 * MIB, 299 * MIB] {
        let (run, _) = import_for_real(&dir, &[], |disk| {
            cut(disk, size);
            patch(disk, at, b"x");
        });
        assert_eq!(run.status, 2, "{at}: {run:?}");
        assert!(run.stderr.contains("something unknown"), "{at}: {run:?}");
    }
    let (run, _) = import_for_real(&dir, &[], |disk| cut(disk, size));
    assert_eq!(run.status, 0, "a blank disk: {run:?}");
}

#[test]
fn whoever_is_known_and_overwritten_unasked_is_named_in_a_warning() {
    let dir = scratch();
    for (at, bytes, name) in DOUBTFUL {
        let (run, changed) = import_for_real(&dir, &["--yes"], |disk| patch(disk, at, bytes));
        assert_eq!((run.status, changed), (0, true), "{name}: {run:?}");
        let warned = run
            .stderr
            .lines()
            .any(|line| line.contains("warning: ") && line.contains(name));
        // Of what is not known there is nothing to tell who said yes.
        assert_eq!(warned, name != "something unknown", "{name}: {run:?}");
    }
}

#[test]
fn import_cuts_off_the_end_of_none_of_them() {
    let dir = scratch();
    for (name, make) in MADE {
        for (end, status) in [(FIRST, 0), (FIRST + 512, 2)] {
            let run = import(&dir, |disk| make(disk, end));
            assert_eq!(run.status, status, "{name} to {end}: {run:?}");
            let says = format!("{name}: ends at byte {end}, expected to end by byte {FIRST}");
            assert_eq!(run.stderr.contains(&says), status == 2, "{name}: {run:?}");
        }
    }
}

#[test]
fn import_does_not_overwrite_an_array_s_superblock() {
    let dir = scratch();
    let run = import(&dir, |disk| {
        patch(disk, SIZE - 8192, &md_1(SIZE - 8192, 0, 100));
    });
    assert_eq!(run.status, 2, "{run:?}");
    let says = format!(
        "md RAID member with its superblock at the end: ends at byte {}",
        SIZE - 4096
    );
    assert!(run.stderr.contains(&says), "{run:?}");
}

/// What fills a disk, as its own maker leaves it: mostly with zeros at its end.
#[test]
fn what_fills_a_disk_is_not_overwritten_unasked() {
    let dir = scratch();
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    import(&dir, |_| ());
    let dump = dir.path().join("dump.md");
    for (tool, words, mib, word, _) in signatures::MADE {
        let Some(program) = tool_path(tool).filter(|_| mib > 0) else {
            continue;
        };
        let disk = image(&dir, mib * MIB);
        make(&dir, &disk, &program, words);
        let tail = |disk: &Path| peek(disk, (mib - 1) * MIB, 1 << 20);
        let before = tail(&disk);
        let undo = dir.path().join("undo");
        let run = mdtool(["import", &text(&disk), &text(&dump), "--undo", &text(&undo)]);
        // 4 MiB have no room for the resource at all.
        assert_eq!(run.status, 2, "{word}: {run:?}");
        assert!(tail(&disk) == before, "{word}");
    }
}
