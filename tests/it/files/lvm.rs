//! Logical volumes of every shape, with an ext4 in them whose blocks are where the shape puts them.

use std::path::Path;

use mdtool::survey::filesystems::{Class, Stretch};

use super::Answers;
use crate::support::{LoopDevice, patch, peek, require_tool, scratch, sparse, tool};

const MIB: u64 = 1 << 20;
const BLOCK: u64 = 4096;
const EXTENT: u64 = MIB;
const FIRST: u64 = MIB;
const ID: &str = "abcdef0123456789ABCDEF0123456789";

/// LVM's CRC, bit by bit.
fn crc(bytes: &[u8]) -> u32 {
    let mut crc = 0xF597_A6CF_u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 {
                crc >> 1 ^ 0xEDB8_8320
            } else {
                crc >> 1
            };
        }
    }
    crc
}

/// A physical volume whose group has these volumes; the text begins near the end of the ring, and goes on at its beginning.
fn physical_volume(path: &Path, extents: u64, volumes: &str) {
    let size = FIRST + extents * EXTENT;
    sparse(path, size);
    let mut label = vec![0; 512];
    label[..8].copy_from_slice(b"LABELONE");
    label[8] = 1;
    label[20] = 32;
    label[24..32].copy_from_slice(b"LVM2 001");
    label[32..64].copy_from_slice(ID.as_bytes());
    label[64..72].copy_from_slice(&size.to_le_bytes());
    // Data, an end, one metadata area, an end.
    for (at, number) in [(72, FIRST), (104, 4096), (112, FIRST - 4096)] {
        label[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    let sum = crc(&label[20..]);
    label[16..20].copy_from_slice(&sum.to_le_bytes());
    patch(path, 512, &label);
    let text = format!(
        "vg {{\nid = \"x\"\nseqno = 1\nextent_size = {}\nphysical_volumes {{\npv0 {{\nid = \"{}-{}\"\npe_start = {}\npe_count = {extents}\n}}\n}}\nlogical_volumes {{\n{volumes}}}\n}}\n\0",
        EXTENT / 512,
        &ID[..6],
        &ID[6..],
        FIRST / 512
    );
    let ring = FIRST - 4096;
    let offset = ring - 100;
    let mut header = vec![0; 512];
    header[4..20].copy_from_slice(b" LVM2 x[5A%r0N*>");
    header[20] = 1;
    for (at, number) in [
        (24, 4096),
        (32, ring),
        (40, offset),
        (48, text.len() as u64),
    ] {
        header[at..at + 8].copy_from_slice(&number.to_le_bytes());
    }
    header[56..60].copy_from_slice(&crc(text.as_bytes()).to_le_bytes());
    let sum = crc(&header[4..]);
    header[..4].copy_from_slice(&sum.to_le_bytes());
    patch(path, 4096, &header);
    patch(path, 4096 + offset, &text.as_bytes()[..100]);
    patch(path, 4096 + 512, &text.as_bytes()[100..]);
}

/// A segment's text.
fn segment(number: u64, start: u64, count: u64, body: &str) -> String {
    format!("segment{number} {{\nstart_extent = {start}\nextent_count = {count}\n{body}\n}}\n")
}

fn volume(name: &str, segments: &str) -> String {
    format!("{name} {{\nid = \"y\"\nstatus = [\"READ\", \"WRITE\"]\nflags = []\n{segments}}}\n")
}

fn linear(extent: u64) -> String {
    format!("type = \"striped\"\nstripe_count = 1\nstripes = [\n\"pv0\", {extent}\n]")
}

/// An ext4 of 8 MiB with some files.
fn ext4(path: &Path, dir: &Path) {
    sparse(path, 8 * MIB);
    tool(
        "mkfs.ext4",
        &["-q", "-F", "-b", "4096", path.to_str().unwrap()],
    );
    let source = dir.join("source");
    sparse(&source, 0);
    patch(&source, 0, &vec![9; 700_000]);
    let script = dir.join("script");
    sparse(&script, 0);
    let source = source.display();
    let commands =
        format!("mkdir d\nwrite {source} d/large\nwrite {source} d/other\nln d/large again\n");
    patch(&script, 0, commands.as_bytes());
    tool(
        "debugfs",
        &["-w", "-f", script.to_str().unwrap(), path.to_str().unwrap()],
    );
}

/// Inode, paths, place in it.
type SaidOwner = (u64, Vec<Vec<u8>>, u64);

/// What is said of a block: all but its place.
fn said(answers: &Answers, at: u64) -> Vec<(Class, String, Vec<SaidOwner>)> {
    let here = |stretch: &&Stretch| stretch.range.start.get() <= at && at < stretch.range.end.get();
    let words = |stretch: &Stretch| {
        let into = at - stretch.range.start.get();
        let owners = stretch.owners.iter();
        let owners = owners.map(|owner| {
            (
                owner.inode,
                owner.paths.clone(),
                owner.at.map_or(0, |at| at.get() + into),
            )
        });
        (stretch.class, stretch.detail.to_string(), owners.collect())
    };
    answers.stretches.iter().filter(here).map(words).collect()
}

/// Puts an ext4 where `places` says that each of its blocks lies, and insists that the answers are those of the file system alone.
fn compare(
    extents: u64,
    volumes: &str,
    name: &str,
    prepare: &dyn Fn(&Path),
    places: &dyn Fn(u64) -> Vec<u64>,
) {
    if !["mkfs.ext4", "debugfs"].into_iter().all(require_tool) {
        return;
    }
    let dir = scratch();
    let (alone, disk) = (dir.path().join("alone"), dir.path().join("disk"));
    ext4(&alone, dir.path());
    physical_volume(&disk, extents, volumes);
    prepare(&disk);
    let blocks = 8 * MIB / BLOCK;
    for block in 0..blocks {
        let bytes = peek(&alone, block * BLOCK, 4096);
        if bytes.iter().any(|byte| *byte != 0) {
            for place in places(block) {
                patch(&disk, place, &bytes);
            }
        }
    }
    let (alone, answers) = (Answers::of(&alone, BLOCK), Answers::of(&disk, BLOCK));
    assert!(
        alone
            .paths()
            .values()
            .any(|paths| paths.contains("/d/other"))
    );
    for block in 0..blocks {
        let expected = said(&alone, block * BLOCK);
        for place in places(block) {
            assert_eq!(said(&answers, place), expected, "block {block} at {place}");
        }
    }
    let named = answers.stretches.iter().any(|stretch| {
        stretch
            .place
            .volumes
            .iter()
            .any(|volume| volume.to_string() == format!("LV vg/{name}"))
    });
    assert!(named);
    assert_eq!(said(&answers, 0)[0].0, Class::Metadata);
    let last = said(&answers, FIRST + (extents - 1) * EXTENT);
    assert_eq!(
        (last[0].0, last[0].1.as_str()),
        (Class::Free, "not allocated to a logical volume of vg")
    );
}

#[test]
fn linear_of_two_segments() {
    let volumes = volume(
        "root",
        &(segment(1, 0, 3, &linear(7)) + &segment(2, 3, 5, &linear(1))),
    );
    let place = |block: u64| {
        let extent = block * BLOCK / EXTENT;
        let physical = if extent < 3 {
            7 + extent
        } else {
            extent - 3 + 1
        };
        vec![FIRST + physical * EXTENT + block * BLOCK % EXTENT]
    };
    compare(12, &volumes, "root", &|_| (), &place);
}

#[test]
fn stripes_in_turns() {
    let body = "type = \"striped\"\nstripe_count = 2\nstripe_size = 32\nstripes = [\n\"pv0\", 5,\n\"pv0\", 0\n]";
    let place = |block: u64| {
        let stripe = block * BLOCK / 16384;
        let area = if stripe.is_multiple_of(2) { 5 } else { 0 };
        vec![FIRST + area * EXTENT + stripe / 2 * 16384 + block * BLOCK % 16384]
    };
    compare(
        10,
        &volume("striped", &segment(1, 0, 8, body)),
        "striped",
        &|_| (),
        &place,
    );
}

#[test]
fn copies() {
    let body = "type = \"raid1\"\ndevice_count = 2\nraids = [\n\"r_rmeta_0\", \"r_rimage_0\", \"r_rmeta_1\", \"r_rimage_1\"\n]";
    let volumes = volume("r", &segment(1, 0, 8, body))
        + &volume("r_rmeta_0", &segment(1, 0, 1, &linear(0)))
        + &volume("r_rmeta_1", &segment(1, 0, 1, &linear(9)))
        + &volume("r_rimage_0", &segment(1, 0, 8, &linear(1)))
        + &volume("r_rimage_1", &segment(1, 0, 8, &linear(10)));
    let place = |block: u64| {
        vec![
            FIRST + EXTENT + block * BLOCK,
            FIRST + 10 * EXTENT + block * BLOCK,
        ]
    };
    compare(20, &volumes, "r", &|_| (), &place);
}

/// A node of a tree whose values have 64 bits.
fn node(number: u64, flags: u32, entries: &[(u64, u64)]) -> Vec<u8> {
    let room = 252_u32;
    let mut bytes = vec![0; 4096];
    bytes[4..8].copy_from_slice(&flags.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16..20].copy_from_slice(&(entries.len() as u32).to_le_bytes());
    bytes[20..24].copy_from_slice(&room.to_le_bytes());
    bytes[24..28].copy_from_slice(&8_u32.to_le_bytes());
    for (i, (key, value)) in entries.iter().enumerate() {
        bytes[32 + 8 * i..][..8].copy_from_slice(&key.to_le_bytes());
        bytes[32 + 8 * (room as usize + i)..][..8].copy_from_slice(&value.to_le_bytes());
    }
    bytes
}

#[test]
fn blocks_of_a_thin_pool() {
    let pool = "type = \"thin-pool\"\nmetadata = \"pool_tmeta\"\npool = \"pool_tdata\"\ntransaction_id = 1\nchunk_size = 128";
    let thin = "type = \"thin\"\nthin_pool = \"pool\"\ntransaction_id = 0\ndevice_id = 7";
    let volumes = volume("pool", &segment(1, 0, 10, pool))
        + &volume("thin", &segment(1, 0, 8, thin))
        + &volume("pool_tmeta", &segment(1, 0, 1, &linear(0)))
        + &volume("pool_tdata", &segment(1, 0, 10, &linear(2)));
    // 128 blocks of 64 KiB, in another order.
    let order = |block: u64| block * 37 % 128 + 5;
    let prepare = |disk: &Path| {
        let mut superblock = vec![0; 4096];
        superblock[32..40].copy_from_slice(&27_022_010_u64.to_le_bytes());
        superblock[320..328].copy_from_slice(&1_u64.to_le_bytes());
        superblock[336..340].copy_from_slice(&128_u32.to_le_bytes());
        patch(disk, FIRST, &superblock);
        let map: Vec<_> = (0..128)
            .map(|block| (block, order(block) << 24 | 1))
            .collect();
        let nodes = [
            node(1, 2, &[(7, 2)]),
            node(2, 1, &[(0, 3), (100, 4)]),
            node(3, 2, &map[..100]),
            node(4, 2, &map[100..]),
        ];
        for (at, node) in (1..).zip(nodes) {
            patch(disk, FIRST + at * 4096, &node);
        }
    };
    let place = |block: u64| {
        let of_pool = order(block * BLOCK / 65536) * 65536 + block * BLOCK % 65536;
        vec![FIRST + 2 * EXTENT + of_pool]
    };
    compare(14, &volumes, "thin", &prepare, &place);
}

#[test]
fn what_is_not_resolved_is_refused_by_name() {
    let dir = scratch();
    let disk = dir.path().join("disk");
    let body = "type = \"raid5\"\ndevice_count = 3\nraids = [\n\"r_rmeta_0\", \"r_rimage_0\"\n]";
    let volumes = volume("r", &segment(1, 0, 4, body))
        + &volume("r_rmeta_0", &segment(1, 0, 1, &linear(0)))
        + &volume("r_rimage_0", &segment(1, 0, 2, &linear(1)))
        + &volume(
            "far",
            &segment(
                1,
                0,
                4,
                "type = \"striped\"\nstripe_count = 2\nstripe_size = 8\nstripes = [\n\"pv0\", 4,\n\"pv1\", 0\n]",
            ),
        );
    physical_volume(&disk, 8, &volumes);
    let answers = Answers::of(&disk, BLOCK);
    let words = |extent: u64| said(&answers, FIRST + extent * EXTENT)[0].1.clone();
    assert_eq!(words(0), "metadata of a RAID");
    assert_eq!(words(1), "LVM segments of type raid5 are not resolved");
    assert_eq!(words(4), "parts of it are on other disks");
    patch(&disk, 4096 + 600, b"!");
    let answers = Answers::of(&disk, BLOCK);
    assert_eq!(
        said(&answers, FIRST)[0].1,
        "LVM physical volume: no copy of its group's description is whole"
    );
}

/// Makes a group on a device, a volume of two segments and another between them.
fn make_group(group: &str, device: &str) {
    let config = [
        "--config",
        "devices{use_devicesfile=0} activation{udev_sync=0 udev_rules=0}",
    ];
    let lvm = |name: &str, words: &[&str]| tool(name, &[&config, words].concat());
    lvm("vgcreate", &["-q", "-s", "256k", group, device]);
    let made = [
        "--driverloaded",
        "n",
        "-q",
        "-an",
        "-Zn",
        "-Wn",
        "-l",
        "4",
        "-n",
    ];
    lvm("lvcreate", &[&made[..], &["one", group]].concat());
    lvm("lvcreate", &[&made[..], &["two", group]].concat());
    lvm(
        "lvextend",
        &[
            "--driverloaded",
            "n",
            "-q",
            "-l",
            "+4",
            &format!("{group}/one"),
        ],
    );
}

/// What LVM's own tools write.
#[test]
fn a_group_that_lvm_made() {
    if !["vgcreate", "lvcreate", "lvextend", "mkswap"]
        .into_iter()
        .all(require_tool)
    {
        return;
    }
    let dir = scratch();
    let disk = dir.path().join("disk");
    sparse(&disk, 16 * MIB);
    let Some(device) = LoopDevice::over(&disk, &[]) else {
        return;
    };
    let group = format!("mdtool{}", std::process::id());
    make_group(&group, device.path());
    drop(device);
    let swap = dir.path().join("swap");
    sparse(&swap, 2 * MIB);
    tool("mkswap", &["-q", swap.to_str().unwrap()]);
    let header = peek(&swap, 0, 4096);
    // The second volume begins behind the first four extents, which begin at 1 MiB.
    patch(&disk, 2 * MIB, &header);
    patch(&disk, MIB, &header);
    let answers = Answers::of(&disk, BLOCK);
    let volume = |at: u64| {
        let stretch = answers
            .stretches
            .iter()
            .find(|one| one.range.start.get() <= at && at < one.range.end.get());
        let stretch = stretch.unwrap();
        (
            stretch.class,
            stretch.place.volumes.first().map(ToString::to_string),
        )
    };
    let named = |name: &str| Some(format!("LV {group}/{name}"));
    assert_eq!(volume(MIB), (Class::Swap, named("one")));
    assert_eq!(volume(2 * MIB - 1), (Class::Swap, named("one")));
    assert_eq!(volume(2 * MIB).1, named("two"));
    assert_eq!(volume(3 * MIB - 1).1, named("two"));
    assert_eq!(volume(3 * MIB), (Class::Swap, named("one")));
    assert_eq!(
        (volume(4 * MIB).0, volume(0).0),
        (Class::Free, Class::Metadata)
    );
}
