//! `mdtool files`.

use serde_json::Value;

use mdtool::builder::{Level, build};
use mdtool::image::{MemImage, ReadAt};
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos};

use crate::support::{mdtool, patch, require_tool, scratch, sparse, tool};

const MIB: u64 = 1 << 20;

fn json(args: &[&str]) -> Value {
    let run = mdtool(args);
    assert_eq!(run.status, 0, "{run:?}");
    serde_json::from_str(&run.stdout).unwrap()
}

/// A disk with DRBD metadata at its end, an ext4 before it, and these bytes out of sync.
fn disk(path: &std::path::Path, dirty: std::ops::Range<u64>) {
    let size = Bytes::new(64 * MIB);
    let mut image = MemImage::new(size);
    let dirty = DevPos::new(dirty.start)..DevPos::new(dirty.end);
    let level = Level::v08().dirty(BitmapIndex::new(0), dirty);
    build(&mut image, ImagePos::START, size, &[level]).unwrap();
    sparse(path, size.get());
    tool(
        "mkfs.ext4",
        &["-q", "-F", "-b", "4096", path.to_str().unwrap(), "60M"],
    );
    let mut tail = vec![0; usize::try_from(2 * MIB).unwrap()];
    image
        .read_exact_at(ImagePos::new(62 * MIB), &mut tail)
        .unwrap();
    patch(path, 62 * MIB, &tail);
}

#[test]
fn what_is_out_of_sync_is_named() {
    if !["mkfs.ext4", "debugfs"].into_iter().all(require_tool) {
        return;
    }
    let dir = scratch();
    let image = dir.path().join("disk");
    let path = image.to_str().unwrap();
    disk(&image, 0..60 * MIB + 8192);
    let source = dir.path().join("source");
    sparse(&source, 0);
    patch(&source, 0, &[1; 10_000]);
    let write = format!("write {} a\\ name", source.display()).replace("\\ ", "_");
    tool("debugfs", &["-w", "-R", &write, path]);
    let document = json(&["files", "--json", path]);
    let stretches = document["stretches"].as_array().unwrap();
    let named = stretches
        .iter()
        .find(|one| one["owners"][0]["paths"][0] == "/a_name")
        .unwrap();
    assert_eq!(named["class"], "file");
    assert_eq!(named["bytes"], 12288);
    assert_eq!(named["owners"][0]["offset_in_file"], 0);
    assert_eq!(named["file_system"], "ext4");
    let last = stretches.last().unwrap();
    assert_eq!(
        (&last["class"], &last["bytes"]),
        (&"outside".into(), &8192.into())
    );
    let sum: u64 = stretches
        .iter()
        .map(|one| one["bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(sum, 60 * MIB + 8192);
    assert_eq!(document["totals"]["outside"]["bytes"], 8192);

    let at = named["offset"].as_u64().unwrap();
    let run = mdtool(["files", path, &format!("{}+512", at + 4096)]);
    let expected = format!(
        "1 range, in 1 stretch:\n  file              1       512 B\n\n{}..{}  file       ext4\n    4096..4608 of /a_name\n",
        at + 4096,
        at + 4096 + 512
    );
    assert_eq!((run.stdout.as_str(), run.status), (expected.as_str(), 0));
    let run = mdtool(["files", path, "0..1PiB"]);
    assert_eq!(run.status, 2);
    assert!(run.stderr.contains("leaves the device"), "{}", run.stderr);
}

#[test]
fn a_partition_is_named_and_what_is_around_it() {
    if !["mkfs.ext4", "sfdisk"].into_iter().all(require_tool) {
        return;
    }
    let dir = scratch();
    for (label, table) in [("gpt", 34 * 512), ("dos", 512)] {
        let image = dir.path().join(label);
        let path = image.to_str().unwrap();
        sparse(&image, 64 * MIB);
        let part = dir.path().join("part");
        sparse(&part, 32 * MIB);
        tool("mkfs.ext4", &["-q", "-F", part.to_str().unwrap()]);
        let words = format!(
            "printf 'label: {label}\\nstart=4096, size=1\\nstart=8192, size=65536\\n' | sfdisk -q {path}"
        );
        tool("sh", &["-c", &words]);
        let copy = format!(
            "dd if={} of={path} bs=1M seek=4 conv=notrunc,sparse status=none",
            part.display()
        );
        tool("sh", &["-c", &copy]);
        let document = json(&["files", "--json", path, "0..64MiB"]);
        let stretches = document["stretches"].as_array().unwrap();
        let first = &stretches[0];
        assert_eq!(
            (&first["class"], &first["bytes"]),
            (&"metadata".into(), &table.into())
        );
        let class_at = |at: u64| {
            let found = stretches.iter().find(|one| {
                let start = one["offset"].as_u64().unwrap();
                (start..start + one["bytes"].as_u64().unwrap()).contains(&at)
            });
            found.unwrap().clone()
        };
        assert_eq!(class_at(MIB)["class"], "outside");
        assert_eq!(class_at(40 * MIB)["class"], "outside");
        assert_eq!(class_at(2 * MIB)["class"], "unknown");
        let superblock = class_at(4 * MIB + 1024);
        assert_eq!(superblock["detail"], "superblock");
        assert_eq!(superblock["volumes"][0], "partition 2");
        assert_eq!(superblock["file_system"], "ext4");
    }
}

/// What a file system that is known by class only is answered of.
fn classes(maker: &str, words: &[&str], size: u64) -> Option<Vec<Value>> {
    if !require_tool(maker) {
        return None;
    }
    let dir = scratch();
    let image = dir.path().join("image");
    let path = image.to_str().unwrap();
    sparse(&image, size);
    tool(maker, &[words, &[path]].concat());
    let document = json(&["files", "--json", path, &format!("0..{size}")]);
    let sum: u64 = document["stretches"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["bytes"].as_u64().unwrap())
        .sum();
    assert_eq!(sum, size);
    assert!(
        document["notes"]
            .to_string()
            .contains("names are not resolved"),
        "{document}"
    );
    Some(document["stretches"].as_array().unwrap().clone())
}

#[test]
fn btrfs_is_known_by_its_chunks() {
    let size = 512 * MIB;
    let Some(stretches) = classes("mkfs.btrfs", &["-q"], size) else {
        return;
    };
    let sum = |class: &str| -> u64 {
        let of = stretches
            .iter()
            .filter(|one| one["class"] == class && one["file_system"] == "btrfs");
        of.map(|one| one["bytes"].as_u64().unwrap()).sum()
    };
    // What mkfs says: 8 MiB of data, twice 8 MiB of system, twice 32 MiB of metadata; and two superblocks, one of them in no chunk.
    assert!(
        (8 * MIB - 4096..=8 * MIB).contains(&sum("unknown")),
        "{}",
        sum("unknown")
    );
    assert!(
        (80 * MIB..80 * MIB + 8192).contains(&sum("metadata")),
        "{}",
        sum("metadata")
    );
    assert!(sum("free") > 400 * MIB);
}

#[test]
fn ntfs_is_known_by_its_map() {
    let Some(stretches) = classes("mkfs.ntfs", &["-q", "-Q", "-F"], 64 * MIB) else {
        return;
    };
    let has = |class: &str| {
        stretches
            .iter()
            .any(|one| one["class"] == class && one["file_system"] == "ntfs")
    };
    assert!(
        has("metadata") && has("journal") && has("free") && has("unknown"),
        "{stretches:?}"
    );
}
