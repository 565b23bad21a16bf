//! What else lives on a disk, made by the real makers and held against `blkid -p`.

/// What adopt says of them.
mod adopt;
/// What import says of them.
mod import;
/// Those who are known by a signature.
mod signatures;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mdtool::image::{Window, open_for_scan};
use mdtool::survey::occupants::{OccupantKind, occupants};
use tempfile::TempDir;

use crate::support::{mdtool, patch, require_tool, scratch, sparse};

const MIB: u64 = 1 << 20;

/// How an image is made: a tool with its words, the image's name last, and what it reads.
struct Maker {
    tool: &'static str,
    words: &'static [&'static str],
    input: &'static str,
    size: u64,
    kind: OccupantKind,
    /// What blkid calls it: `TYPE` or `PTTYPE`.
    blkid: &'static str,
    /// Where it ends, where that is known beforehand.
    end: Option<u64>,
}

const fn file_system(
    tool: &'static str,
    words: &'static [&'static str],
    size: u64,
    kind: OccupantKind,
    blkid: &'static str,
) -> Maker {
    Maker {
        tool,
        words,
        input: "",
        size,
        kind,
        blkid,
        end: Some(size),
    }
}

const MAKERS: [Maker; 14] = [
    file_system(
        "mkfs.ext4",
        &["-q", "-F"],
        64 * MIB,
        OccupantKind::Ext,
        "ext4",
    ),
    file_system(
        "mkfs.ext4",
        &["-q", "-F", "-t", "ext2", "-b", "1024"],
        64 * MIB,
        OccupantKind::Ext,
        "ext2",
    ),
    file_system("mkfs.xfs", &["-q"], 512 * MIB, OccupantKind::Xfs, "xfs"),
    file_system(
        "mkfs.btrfs",
        &["-q"],
        512 * MIB,
        OccupantKind::Btrfs,
        "btrfs",
    ),
    file_system("mkswap", &["-q"], 64 * MIB, OccupantKind::Swap, "swap"),
    file_system(
        "mkfs.ntfs",
        &["-q", "-Q", "-F"],
        64 * MIB,
        OccupantKind::Ntfs,
        "ntfs",
    ),
    file_system(
        "mkfs.vfat",
        &["-F", "12"],
        4 * MIB,
        OccupantKind::Fat,
        "vfat",
    ),
    file_system(
        "mkfs.vfat",
        &["-F", "16"],
        64 * MIB,
        OccupantKind::Fat,
        "vfat",
    ),
    file_system(
        "mkfs.vfat",
        &["-F", "32", "-S", "4096"],
        512 * MIB,
        OccupantKind::Fat,
        "vfat",
    ),
    file_system("mkfs.exfat", &[], 64 * MIB, OccupantKind::ExFat, "exfat"),
    Maker {
        tool: "sfdisk",
        words: &["-q"],
        input: "label: dos\nstart=2048, size=4096, type=83\nstart=8192, size=8192, type=5\nstart=10240, size=2048, type=82\n",
        size: 64 * MIB,
        kind: OccupantKind::Mbr,
        blkid: "dos",
        end: Some(16384 * 512),
    },
    Maker {
        tool: "sfdisk",
        words: &["-q"],
        input: "label: gpt\nstart=2048, size=4096\n",
        size: 64 * MIB,
        kind: OccupantKind::Gpt,
        blkid: "gpt",
        end: Some(64 * MIB),
    },
    Maker {
        tool: "cryptsetup",
        words: &[
            "luksFormat",
            "-q",
            "--type",
            "luks1",
            "--pbkdf-force-iterations",
            "1000",
            "--key-file",
            "-",
        ],
        input: "secret",
        size: 64 * MIB,
        kind: OccupantKind::Luks,
        blkid: "crypto_LUKS",
        end: None,
    },
    Maker {
        tool: "cryptsetup",
        words: &[
            "luksFormat",
            "-q",
            "--type",
            "luks2",
            "--pbkdf",
            "pbkdf2",
            "--pbkdf-force-iterations",
            "1000",
            "--key-file",
            "-",
        ],
        input: "secret",
        size: 64 * MIB,
        kind: OccupantKind::Luks,
        blkid: "crypto_LUKS",
        end: None,
    },
];

fn tool_path(tool: &str) -> Option<PathBuf> {
    let sbin = Path::new("/usr/sbin").join(tool);
    if sbin.exists() {
        return Some(sbin);
    }
    require_tool(tool).then(|| tool.into())
}

/// Runs a program with its input, and insists that it succeeds.
fn run(program: &Path, words: &[&str], image: &Path, input: &str) -> String {
    use std::io::Write;
    let mut child = Command::new(program)
        .args(words)
        .arg(image)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // Whoever reads nothing closes the pipe.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    assert!(
        output.status.success(),
        "{} {words:?}: {output:?}",
        program.display()
    );
    String::from_utf8(output.stdout).unwrap()
}

fn found(image: &Path) -> Vec<(OccupantKind, Option<u64>)> {
    let image = open_for_scan(image).unwrap();
    let found = occupants(Window::whole(&image)).unwrap();
    found
        .iter()
        .map(|one| (one.kind, one.end.map(mdtool::units::DevPos::get)))
        .collect()
}

/// What blkid sees: the values of `TYPE` and `PTTYPE`.
fn blkid(image: &Path) -> Vec<String> {
    // OK to unwrap: util-linux is on every Linux.
    let blkid = tool_path("blkid").unwrap();
    let text = run(&blkid, &["-p", "-o", "export"], image, "");
    let wanted = ["TYPE=", "PTTYPE="];
    text.lines()
        .filter_map(|line| wanted.iter().find_map(|key| line.strip_prefix(key)))
        .map(str::to_owned)
        .collect()
}

fn image(dir: &TempDir, size: u64) -> PathBuf {
    let image = dir.path().join("disk");
    sparse(&image, size);
    image
}

#[test]
fn what_the_real_makers_make_is_found_as_blkid_finds_it() {
    for maker in MAKERS {
        let Some(program) = tool_path(maker.tool) else {
            continue;
        };
        let dir = scratch();
        let image = image(&dir, maker.size);
        run(&program, maker.words, &image, maker.input);
        let what = format!("{} {:?}", maker.tool, maker.words);
        let found = found(&image);
        assert_eq!(found, [(maker.kind, maker.end)], "{what}");
        // Of an exFAT, blkid 2.38 says that it is a DOS partition table, too.
        assert_eq!(
            blkid(&image).first().map(String::as_str),
            Some(maker.blkid),
            "{what}"
        );
    }
}

/// `struct mdp_superblock_1` with its checksum, as mdadm makes it: there is no md without a kernel's help.
fn md_1(at: u64, data_offset: u64, data_size: u64) -> Vec<u8> {
    let mut sb = vec![0_u8; 256 + 2 * 2];
    let mut put = |at: usize, bytes: &[u8]| sb[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &0xA92B_4EFC_u32.to_le_bytes());
    put(4, &1_u32.to_le_bytes());
    put(16, b"0123456789abcdef");
    put(32, b"host:0");
    put(72, &1_u32.to_le_bytes());
    put(80, &data_size.to_le_bytes());
    put(92, &2_u32.to_le_bytes());
    put(128, &data_offset.to_le_bytes());
    put(136, &data_size.to_le_bytes());
    put(144, &(at / 512).to_le_bytes());
    put(168, b"fedcba9876543210");
    put(220, &2_u32.to_le_bytes());
    let sum: u64 = sb
        .chunks(4)
        .map(|word| u64::from(u32::from_le_bytes(word.try_into().unwrap())))
        .sum();
    let folded = (sum & 0xFFFF_FFFF) + (sum >> 32);
    sb[216..220].copy_from_slice(&(folded as u32).to_le_bytes());
    sb
}

#[test]
fn md_members_are_found_as_blkid_finds_them() {
    let size = 64 * MIB;
    for (at, kind, end) in [
        (0, OccupantKind::Md, 40 * MIB),
        (4096, OccupantKind::Md, 40 * MIB),
        (size - 8192, OccupantKind::MdAtEnd, size - 4096),
    ] {
        let dir = scratch();
        let image = image(&dir, size);
        let data_offset = if at < 8192 { 2048 } else { 0 };
        patch(
            &image,
            at,
            &md_1(at, data_offset, 40 * MIB / 512 - data_offset),
        );
        assert_eq!(found(&image), [(kind, Some(end))], "at {at}");
        assert_eq!(blkid(&image), ["linux_raid_member"], "at {at}");
        if let Some(mdadm) = tool_path("mdadm") {
            let text = run(&mdadm, &["--examine"], &image, "");
            assert!(text.contains("Magic : a92b4efc"), "{text}");
            assert!(text.contains("correct"), "the checksum: {text}");
        }
    }
}

/// `struct mdp_superblock_s` with its checksum, in either byte order.
fn md_0_90(word: fn(u32) -> [u8; 4], kib: u32) -> Vec<u8> {
    let mut words = [0_u32; 1024];
    words[..11].copy_from_slice(&[0xA92B_4EFC, 0, 90, 0, 0, 7, 1, 1, kib, 2, 2]);
    words[13..16].copy_from_slice(&[8, 9, 10]);
    let sum: u64 = words.iter().map(|word| u64::from(*word)).sum();
    words[38] = ((sum & 0xFFFF_FFFF) + (sum >> 32)) as u32;
    words.into_iter().flat_map(word).collect()
}

#[test]
fn md_members_of_the_oldest_kind_are_found_as_blkid_finds_them() {
    let size = 64 * MIB + 8192;
    let at = 64 * MIB - 65_536;
    for word in [u32::to_le_bytes, u32::to_be_bytes] {
        let dir = scratch();
        let image = image(&dir, size);
        patch(&image, at, &md_0_90(word, 40 << 10));
        assert_eq!(found(&image), [(OccupantKind::MdAtEnd, Some(64 * MIB))]);
        assert_eq!(blkid(&image), ["linux_raid_member"]);
    }
}

/// What `pvcreate` makes: a label with its checksum, and a header with the size behind it.
#[test]
fn a_physical_volume_is_found_as_blkid_finds_it() {
    let dir = scratch();
    let image = image(&dir, 64 * MIB);
    for sector in 0..4 {
        let mut label = vec![0_u8; 512];
        label[..8].copy_from_slice(b"LABELONE");
        label[8] = sector;
        label[20] = 32;
        label[24..32].copy_from_slice(b"LVM2 001");
        label[32..64].copy_from_slice(b"0123456789abcdef0123456789abcdef");
        label[64..72].copy_from_slice(&(60 * MIB).to_le_bytes());
        let crc = label[20..].iter().fold(0xF597_A6CF_u32, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
                (crc >> 1) ^ (0xEDB8_8320 * (crc & 1))
            })
        });
        label[16..20].copy_from_slice(&crc.to_le_bytes());
        patch(&image, 0, &[0; 2048]);
        patch(&image, u64::from(sector) * 512, &label);
        assert_eq!(found(&image), [(OccupantKind::Lvm, Some(60 * MIB))]);
        assert_eq!(blkid(&image), ["LVM2_member"], "in sector {sector}");
    }
}

#[test]
fn the_file_system_in_an_array_is_found_with_it() {
    let Some(mkfs) = tool_path("mkfs.ext4") else {
        return;
    };
    let size = 64 * MIB;
    let dir = scratch();
    let image = image(&dir, size);
    run(&mkfs, &["-q", "-F", "-E", "nodiscard"], &image, "");
    patch(&image, size - 8192, &md_1(size - 8192, 0, 40 * MIB / 512));
    assert_eq!(
        found(&image),
        [
            (OccupantKind::Ext, Some(size)),
            (OccupantKind::MdAtEnd, Some(size - 4096))
        ]
    );
}

#[test]
fn locate_tells_what_lives_on_a_disk_without_metadata() {
    let Some(mkfs) = tool_path("mkfs.ext4") else {
        return;
    };
    let dir = scratch();
    let image = image(&dir, 64 * MIB);
    run(&mkfs, &["-q", "-F"], &image, "");
    let run = mdtool(["locate", image.to_str().unwrap()]);
    assert_eq!(run.status, 1, "{run:?}");
    assert!(
        run.stdout
            .contains("ext2/ext3/ext4 file system, 67108864 bytes (64 MiB)"),
        "{run:?}"
    );
    let run = mdtool(["locate", image.to_str().unwrap(), "--json"]);
    assert!(
        run.stdout.contains(r#""kind": "ext""#)
            && run.stdout.contains(r#""ends_inside_level": null"#),
        "{run:?}"
    );
}
