//! Images such as the cases that were found wrong once are about: what stands around the metadata, or on it, is what counts.

use std::path::Path;

use mdtool::builder::{LaSize, Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, Sectors};
use tempfile::TempDir;

use super::images::{Image, MIB, SIZE, SUPERBLOCK, blank, changed, resized, stack};
use crate::base::{group, md_member, physical_volume};
use crate::support::{patch, require_tool, sparse, tool};

/// All of them; without its tool an image is left out, and that is said aloud.
pub(super) fn of_cases(dir: &TempDir) -> Vec<Image> {
    let mut found = around(dir);
    found.extend(erased(dir));
    found.extend(numbers(dir));
    found.extend(partitions(dir));
    found.extend(container(dir));
    found
}

fn put(disk: &Path, base: u64, size: u64, level: Level) {
    let mut file = WritableFile::open(disk).unwrap();
    build(&mut file, ImagePos::new(base), Bytes::new(size), &[level]).unwrap();
}

/// Metadata of what begins later than the disk.
fn around(dir: &TempDir) -> Vec<Image> {
    let volume = blank(dir, "in-a-volume", 600 * MIB);
    physical_volume(&volume.path, 600 * MIB, None);
    put(&volume.path, MIB, 100 * MIB, Level::v09(7));
    let named = blank(dir, "in-a-named-volume", 600 * MIB);
    physical_volume(
        &named.path,
        600 * MIB,
        Some(&group(&[("a", 0, 25, 0), ("b", 0, 25, 25)])),
    );
    put(&named.path, MIB, 100 * MIB, Level::v08());
    put(&named.path, 101 * MIB, 100 * MIB, Level::v09(2));
    let larger = LaSize::Exactly(Sectors::new(160 * MIB / 512));
    let no_room = blank(dir, "no-room-in-a-named-volume", 600 * MIB);
    let volumes = group(&[("a", 0, 10, 0), ("b", 0, 25, 10)]);
    physical_volume(&no_room.path, 600 * MIB, Some(&volumes));
    put(
        &no_room.path,
        41 * MIB,
        100 * MIB,
        Level::v08().la_size(larger),
    );
    let no_room_at_all = blank(dir, "no-room-in-a-volume", 600 * MIB);
    physical_volume(&no_room_at_all.path, 600 * MIB, None);
    put(
        &no_room_at_all.path,
        MIB,
        100 * MIB,
        Level::v09(7).la_size(larger),
    );
    let member = blank(dir, "in-an-array", 201 * MIB);
    md_member(&member.path, 4096, 1, MIB, 200 * MIB);
    put(&member.path, MIB, 200 * MIB, Level::v08());
    let on_drbd = stack(dir, "volume-on-drbd", &[Level::v08()]);
    physical_volume(&on_drbd.path, SIZE - MIB, None);
    vec![volume, named, no_room, no_room_at_all, member, on_drbd]
}

/// What other programs left of it.
fn erased(dir: &TempDir) -> Vec<Image> {
    let mut found = Vec::new();
    for (name, program, words) in [
        ("wiped-v08", "wipefs", &["-q", "-a", "-t", "drbd"][..]),
        ("wiped-v09", "wipefs", &["-q", "-a", "-t", "drbd"]),
        ("swap-v08", "mkswap", &["-q"]),
        ("ext4-v09", "mkfs.ext4", &["-q", "-F"]),
        ("xfs-v09", "mkfs.xfs", &["-q", "-f"]),
    ] {
        if !require_tool(program) {
            continue;
        }
        let level = if name.ends_with("v08") {
            Level::v08()
        } else {
            Level::v09(2)
        };
        let size = 512 * MIB;
        let image = blank(dir, name, size);
        put(&image.path, 0, size, level);
        tool(program, &[words, &[image.path.to_str().unwrap()]].concat());
        found.push(image);
    }
    found
}

/// What is written in it.
fn numbers(dir: &TempDir) -> Vec<Image> {
    let slot = BitmapIndex::new;
    let dirty =
        |level: Level, number| level.dirty(slot(number), DevPos::new(MIB)..DevPos::new(3 * MIB));
    let disabled = 0x93;
    let old = blank(dir, "v07", 256 * MIB);
    put(&old.path, 0, 256 * MIB, Level::v07());
    vec![
        stack(
            dir,
            "never-attached",
            &[Level::v09(7).just_created().flags(0)],
        ),
        stack(dir, "forgotten-slot", &[dirty(Level::v09(4), 3)]),
        stack(dir, "dirty-v08", &[dirty(Level::v08(), 0)]),
        stack(dir, "unclean-dirty", &[dirty(Level::v09(2), 0).unclean()]),
        stack(
            dir,
            "no-la-size",
            &[dirty(Level::v08(), 0).la_size(LaSize::Zero)],
        ),
        stack(
            dir,
            "log-disabled",
            &[dirty(Level::v08(), 0).flags(disabled)],
        ),
        old,
        resized(
            changed(
                stack(dir, "created-over", &[Level::v08()]),
                SUPERBLOCK + 16,
                &[7; 8],
            ),
            SIZE,
        ),
        resized(stack(dir, "shrunk", &[Level::v09(3)]), SIZE - 2 * MIB),
        resized(
            stack(dir, "shrunk-stack", &[Level::v08(), Level::v08()]),
            SIZE - 4096,
        ),
    ]
}

/// Metadata at the end of a partition, and of two.
fn partitions(dir: &TempDir) -> Vec<Image> {
    if !require_tool("sfdisk") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for (name, label, in_second) in [
        ("dos", "dos", false),
        ("gpt", "gpt", false),
        ("gpt-two", "gpt", true),
    ] {
        let image = blank(dir, name, 300 * MIB);
        let table = dir.path().join("table");
        sparse(&table, 0);
        let script = format!("label: {label}\nstart=2048,size=204800\nstart=206848,size=204800\n");
        patch(&table, 0, script.as_bytes());
        let (disk, table) = (image.path.to_str().unwrap(), table.to_str().unwrap());
        tool("sh", &["-c", &format!("sfdisk -q {disk} < {table}")]);
        put(&image.path, MIB, 100 * MIB, Level::v08());
        if in_second {
            put(&image.path, 101 * MIB, 100 * MIB, Level::v09(2));
        }
        found.push(image);
    }
    found
}

/// A container whose file ends with metadata.
fn container(dir: &TempDir) -> Vec<Image> {
    if !require_tool("qemu-img") {
        return Vec::new();
    }
    let mut found = Vec::new();
    for form in ["qcow2", "vmdk", "vdi"] {
        let raw = stack(dir, "raw", &[Level::v08()]);
        let path = dir.path().join(form);
        let (from, to) = (raw.path.to_str().unwrap(), path.to_str().unwrap());
        tool("qemu-img", &["convert", "-f", "raw", "-O", form, from, to]);
        std::fs::remove_file(&raw.path).unwrap();
        let len = std::fs::metadata(&path)
            .unwrap()
            .len()
            .next_multiple_of(4096);
        let image = Image {
            name: form.to_owned(),
            path,
        };
        found.push(resized(image, len + 4096));
    }
    found
}
