//! Who lives on a disk already, and does not lose its end.

use std::path::Path;
use std::process::Command;

use super::{Case, MIB};
use crate::support::{patch, require_tool, sparse};

/// Puts something on a disk that says to end somewhere.
type Maker = Box<dyn Fn(&Path, u64)>;

/// A file system, swap space or partition table on a disk.
fn signature(target: &Path, at: u64, bytes: &[u8]) {
    patch(target, at, bytes);
}

#[test]
fn nobody_elses_end_is_overwritten() {
    let first = 64 * MIB - 40_960;
    let cases: [(&str, Maker); 5] = [
        (
            "XFS file system",
            Box::new(|disk, end| {
                signature(disk, 0, b"XFSB\x00\x00\x02\x00");
                signature(disk, 8, &(end / 512).to_be_bytes());
            }),
        ),
        (
            "Btrfs file system",
            Box::new(|disk, end| {
                signature(disk, 65_536 + 64, b"_BHRfS_M");
                signature(disk, 65_536 + 0xD1, &end.to_le_bytes());
            }),
        ),
        (
            "LVM physical volume",
            Box::new(|disk, end| {
                signature(
                    disk,
                    512,
                    b"LABELONE\x01\0\0\0\0\0\0\0\0\0\0\0\x20\0\0\0LVM2 001",
                );
                signature(disk, 512 + 64, &end.to_le_bytes());
            }),
        ),
        (
            "GUID partition table",
            Box::new(|disk, end| {
                signature(disk, 512, b"EFI PART");
                signature(disk, 512 + 32, &(end / 512 - 1).to_le_bytes());
            }),
        ),
        (
            "LUKS volume",
            Box::new(|disk, end| {
                signature(disk, 0, b"LUKS\xBA\xBE\x00\x02");
                let json = format!(
                    "{{\"segments\":{{\"0\":{{\"offset\":\"16384\",\"size\":\"{}\"}}}}}}",
                    end - 16_384
                );
                signature(disk, 4096, json.as_bytes());
            }),
        ),
    ];
    for (name, make) in cases {
        let case = Case::new();
        make(&case.target, first + 512);
        let says = format!(
            "{name}: ends at byte {}, expected to end by byte {first}",
            first + 512
        );
        case.refused(&["--yes"], &says);
        make(&case.target, first);
        let run = case.import(&[]);
        assert_eq!(run.status, 0, "{name}: {run:?}");
    }
}

#[test]
fn a_volume_of_unknown_end_is_told() {
    let case = Case::new();
    signature(&case.target, 0, b"LUKS\xBA\xBE\x00\x01");
    // It may well reach to the device's end, as most do: that is asked.
    case.refused(&[], "LUKS volume (which does not say where it ends)");
    let run = case.import(&["--yes"]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.stderr
            .contains("LUKS volume: does not say where it ends"),
        "{run:?}"
    );
    // As external metadata it would lie on the volume's very beginning.
    case.refused(
        &["--index", "flex-external", "--yes"],
        "LUKS volume: ends at",
    );
}

/// The real makers' work, where they are installed.
#[test]
fn real_file_systems_are_found_with_their_ends() {
    for (tool, name, fits, size) in [
        ("mkfs.ext4", "ext2/ext3/ext4 file system", "60M", 64 * MIB),
        ("mkswap", "swap space", "61440", 64 * MIB),
        // These two make no small ones.
        ("mkfs.xfs", "XFS file system", "", 512 * MIB),
        ("mkfs.btrfs", "Btrfs file system", "", 512 * MIB),
    ] {
        if !Path::new("/usr/sbin").join(tool).exists() && !require_tool(tool) {
            continue;
        }
        let case = Case::new();
        sparse(&case.target, size);
        let quiet = if tool.starts_with("mkfs.") {
            "-q"
        } else {
            "-f"
        };
        let made = Command::new(tool)
            .arg(quiet)
            .arg(&case.target)
            .output()
            .unwrap();
        assert!(made.status.success(), "{tool}: {made:?}");
        case.refused(&["--yes"], &format!("{name}: ends at byte {size}"));
        if fits.is_empty() {
            continue;
        }
        sparse(&case.target, 64 * MIB);
        let made = Command::new(tool)
            .arg(quiet)
            .arg(&case.target)
            .arg(fits)
            .output()
            .unwrap();
        assert!(made.status.success(), "{tool}: {made:?}");
        let run = case.import(&[]);
        assert_eq!(run.status, 0, "{tool}: {run:?}");
    }
}
