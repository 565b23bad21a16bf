//! Files that are no raw image, with metadata in them by chance: what a file is comes before what is in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use mdtool::builder::{Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{Bytes, ImagePos};
use tempfile::TempDir;

use crate::support::{mdtool, patch, peek, require_tool, scratch, sparse, tool};

const MIB: u64 = 1 << 20;

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// All bytes of a file.
fn all(path: &Path) -> Vec<u8> {
    let len = std::fs::metadata(path).unwrap().len();
    peek(path, 0, usize::try_from(len).unwrap())
}

/// A raw disk full of data, with metadata at its end.
fn raw(dir: &TempDir, size: u64) -> PathBuf {
    let path = dir.path().join("raw");
    let mut file = WritableFile::create_new(&path, Bytes::new(size)).unwrap();
    build(
        &mut file,
        ImagePos::START,
        Bytes::new(size),
        &[Level::v08()],
    )
    .unwrap();
    drop(file);
    let run = mdtool(["probe", "--net-size", text(&path)]);
    let data = run.stdout.trim().parse::<usize>().unwrap();
    let noise: Vec<u8> = (0..data).map(|at| (at * 7 / 3) as u8 | 1).collect();
    patch(&path, 0, &noise);
    path
}

/// Every command that looks at an image refuses it by what it is.
fn refused(path: &Path, what: &str, hint: &str) {
    let before = all(path);
    let name = text(path);
    let undo = format!("{name}.undo");
    let commands: [&[&str]; 11] = [
        &["probe", name],
        &["probe", "--net-size", name],
        &["locate", name],
        &["show", name],
        &["check", name],
        &["plan", name],
        &["al", name],
        &["export", name],
        &["adopt", name, "--dry-run"],
        &["adopt", name, "--yes", "--undo", &undo],
        &["apply-al", name, "--yes", "--undo", &undo],
    ];
    for words in commands {
        let run = mdtool(words);
        assert_eq!(run.status, 2, "{words:?}: {run:?}");
        if what.contains("dump") && ["show", "check", "export"].contains(&words[0]) {
            // These take dumps, and say what is wrong with this one.
            assert!(run.stderr.contains("line "), "{words:?}: {run:?}");
            continue;
        }
        let says = format!("is {what}, expected a raw image");
        assert!(
            run.stderr.contains(&says) || run.stdout.contains(&says),
            "{words:?}: {run:?}"
        );
        assert!(run.stderr.contains(hint), "{words:?}: {run:?}");
    }
    assert!(all(path) == before, "{name} is as it was");
}

#[test]
fn what_is_packed_is_told_of_where_its_own_bytes_are_summed() {
    let dir = scratch();
    let packed = dir.path().join("disk.gz");
    sparse(&packed, MIB);
    patch(&packed, 0, &[0x1F, 0x8B, 8, 0]);
    let run = mdtool(["sum", text(&packed)]);
    assert_eq!(run.status, 0, "{run:?}");
    let said = "begins like a gzip-compressed file: its own bytes are summed";
    assert!(run.stderr.contains(said), "{run:?}");
    // A raw disk with one at its beginning is a raw disk.
    let disk = raw(&dir, 16 * MIB);
    patch(&disk, 0, &[0x1F, 0x8B, 8, 0]);
    let run = mdtool(["sum", text(&disk)]);
    assert_eq!((run.status, run.stderr.as_str()), (0, ""), "{run:?}");
}

#[test]
fn every_container_of_qemu_is_refused_by_name() {
    if !require_tool("qemu-img") {
        return;
    }
    let dir = scratch();
    let disk = raw(&dir, 16 * MIB);
    let kinds: [(&str, &[&str], &str); 12] = [
        ("qcow2", &[], "a qcow2 image"),
        ("qcow2", &["-o", "preallocation=metadata"], "a qcow2 image"),
        ("qcow2", &["-o", "compat=0.10"], "a qcow2 image"),
        ("qcow2", &["-o", "cluster_size=4096"], "a qcow2 image"),
        ("vdi", &[], "a VDI image"),
        ("vmdk", &[], "a VMDK image"),
        ("vmdk", &["-o", "subformat=streamOptimized"], "a VMDK image"),
        ("vhdx", &[], "a VHDX image"),
        ("vpc", &[], "a VHD image"),
        ("vpc", &["-o", "subformat=fixed"], "a VHD image"),
        ("qed", &[], "a QED image"),
        ("parallels", &[], "a Parallels image"),
    ];
    for (number, (format, words, what)) in kinds.iter().enumerate() {
        let file = dir.path().join(format!("{number}.{format}"));
        let mut all = vec!["convert", "-O", format];
        all.extend(*words);
        all.extend([text(&disk), text(&file)]);
        tool("qemu-img", &all);
        refused(&file, what, "qemu-img convert -O raw");
    }
}

/// A container that ends with the guest's metadata, so that it is where DRBD would look.
#[test]
fn metadata_where_drbd_would_look_in_the_container_s_file_does_not_count() {
    if !require_tool("qemu-img") {
        return;
    }
    let dir = scratch();
    let disk = raw(&dir, 16 * MIB);
    let file = dir.path().join("fixed.vhd");
    tool(
        "qemu-img",
        &[
            "convert",
            "-O",
            "vpc",
            "-o",
            "subformat=fixed,force_size",
            text(&disk),
            text(&file),
        ],
    );
    let superblock = peek(&disk, 16 * MIB - 4096, 4096);
    assert!(
        peek(&file, 16 * MIB - 4096, 4096) == superblock,
        "the premise"
    );
    refused(&file, "a VHD image", "qemu-img convert -O raw");
}

/// What a raw disk of DRBD has among its data is no reason to refuse it.
#[test]
fn a_container_on_a_drbd_device_is_that_disk_s_data() {
    if !require_tool("qemu-img") {
        return;
    }
    for format in ["qcow2", "vpc"] {
        let dir = scratch();
        let disk = raw(&dir, 16 * MIB);
        let (small, inner) = (dir.path().join("small"), dir.path().join("inner"));
        sparse(&small, 4 * MIB);
        patch(&small, MIB, &vec![7; 65_536]);
        tool(
            "qemu-img",
            &["convert", "-O", format, text(&small), text(&inner)],
        );
        patch(&disk, 0, &all(&inner));
        for words in [
            &["probe", text(&disk)][..],
            &["locate", text(&disk)],
            &["check", text(&disk)],
        ] {
            let run = mdtool(words);
            assert_eq!(run.status, 0, "{format} {words:?}: {run:?}");
        }
    }
}

const FORMS: [(usize, &[u8], &str, &str); 14] = [
    (
        0,
        b"\x04\x22\x4D\x18",
        "an lz4-compressed file",
        "decompress",
    ),
    (0, b"\x1F\x8B\x08", "a gzip-compressed file", "decompress"),
    (0, b"\xFD7zXZ\0", "an xz-compressed file", "decompress"),
    (
        0,
        b"\x28\xB5\x2F\xFD",
        "a zstd-compressed file",
        "decompress",
    ),
    (0, b"BZh9", "a bzip2-compressed file", "decompress"),
    (257, b"ustar\0", "a tar archive", "unpack"),
    (0, b"PK\x03\x04", "a zip archive", "unpack"),
    (
        0,
        b"partclone-image",
        "a partclone image",
        "partclone.restore",
    ),
    (
        0,
        b"EVF\x09\x0D\x0A\xFF\0",
        "an EnCase (E01) image",
        "ewfmount",
    ),
    (
        0,
        b"\x3A\xFF\x26\xED\x01\0",
        "an Android sparse image",
        "simg2img",
    ),
    (0, b"VMA\0\0\0\0\x01", "a VMA backup", "vma extract"),
    (
        0,
        b"\xEF\xBB\xBFversion \"v08\";\n",
        "a DRBD metadata dump",
        "that the dump was taken from",
    ),
    (
        0,
        b"\xFF\xFEv\0e\0r\0s\0i\0o\0n\0 \0\"\0v\x000\x008\0\"\0;\0\n\0",
        "a DRBD metadata dump",
        "that the dump was taken from",
    ),
    (
        0,
        b"# drbdadm dump-md r0\n# DRBD meta data dump\nversion \"v08\";\n",
        "a DRBD metadata dump",
        "that the dump was taken from",
    ),
];

/// What begins so is refused wherever it has no metadata in its place.
#[test]
fn archives_and_other_forms_are_refused_by_name() {
    for (at, magic, what, hint) in FORMS {
        let dir = scratch();
        let file = dir.path().join("file");
        sparse(&file, 0);
        patch(&file, u64::try_from(at).unwrap(), magic);
        if !what.contains("dump") {
            patch(&file, 3000, &[9; 5000]);
        }
        refused(&file, what, hint);
    }
}

/// The tools' own, where they are there.
#[test]
fn what_the_packers_make_of_a_disk_is_refused_by_name() {
    let dir = scratch();
    let disk = raw(&dir, 4 * MIB);
    for (packer, words, what) in [
        ("tar", &["-cf", "@", "raw"][..], "a tar archive"),
        (
            "tar",
            &["--format=posix", "-cf", "@", "raw"],
            "a tar archive",
        ),
        (
            "gzip",
            &["-k", "--suffix=.packed", "raw"],
            "a gzip-compressed file",
        ),
        (
            "xz",
            &["-k0", "--suffix=.packed", "raw"],
            "an xz-compressed file",
        ),
    ] {
        if !require_tool(packer) {
            continue;
        }
        let packed = dir.path().join("raw.packed");
        let words = words
            .iter()
            .map(|word| if *word == "@" { text(&packed) } else { word });
        let status = Command::new(packer)
            .args(words)
            .current_dir(dir.path())
            .status();
        assert!(status.unwrap().success(), "{packer}");
        let run = mdtool(["probe", text(&packed)]);
        assert_eq!(run.status, 2, "{packer}: {run:?}");
        assert!(run.stdout.contains(what), "{packer}: {run:?}");
        std::fs::remove_file(packed).unwrap();
    }
    assert_eq!(mdtool(["probe", text(&disk)]).status, 0, "the disk itself");
}
