//! What no kernel would attach is not written.

use mdtool::builder::Level;

use super::{Disk, SIZE, ok, text};
use crate::import::save;
use crate::support::{mdtool, patch};

/// Where v09 has the `bitmap_index` of a peer, in its superblock.
const fn bitmap_index(node: u64) -> u64 {
    112 + 32 * node + 20
}

/// A disk that grew, with v09 metadata in which one field is something that DRBD refuses.
fn broken(at: u64, value: &[u8]) -> Disk {
    let disk = Disk::grown(Level::v09(3));
    let md = disk.end() - 65_536;
    patch(&disk.path, md + at, value);
    disk
}

#[test]
fn what_no_kernel_attaches_is_not_written() {
    for (at, value, says) in [
        (
            bitmap_index(5),
            &256_i32.to_be_bytes()[..],
            "bitmap_index is 256",
        ),
        (bitmap_index(7), &31_i32.to_be_bytes(), "bitmap_index is 31"),
        (
            bitmap_index(5),
            &(-2_i32).to_be_bytes(),
            "bitmap_index is -2",
        ),
    ] {
        let disk = broken(at, value);
        let words = ["adopt", disk.name(), "--node-id", "1"];
        for more in [&["--yes"][..], &["--dry-run"]] {
            let run = disk.refuses(&[&words[..], more].concat(), says);
            assert!(run.stderr.contains("would refuse"), "{run:?}");
            assert!(run.stderr.contains("--force"), "{run:?}");
        }
        let run = ok(&[&words[..], &["--yes", "--force"]].concat());
        assert!(run.stderr.contains("warning"), "{run:?}");
        assert!(run.stderr.contains("as it was before"), "{run:?}");
    }
}

#[test]
fn what_a_dump_has_wrong_is_not_imported_unless_forced() {
    let disk = Disk::of(&[Level::v09(3)]);
    let dump = disk.file("dump.md");
    let exported = ok(&["export", disk.name(), "--force"]).stdout;
    let wrong = exported.replacen("bitmap-index -1;", "bitmap-index 77;", 1);
    assert_ne!(wrong, exported, "the premise: there is a free one");
    save(&dump, wrong.as_bytes());
    let words = ["import", disk.name(), dump.to_str().unwrap(), "--yes"];
    let run = mdtool(words);
    // The dump's reader may refuse it before.
    assert_eq!(run.status, 2, "{run:?}");
    assert!(run.stderr.contains("77"), "{run:?}");
}

/// Kernels attach it, and so it is written; whoever is asked knows it before.
#[test]
fn two_peers_on_one_slot_are_told_of() {
    let disk = broken(bitmap_index(5), &0_i32.to_be_bytes());
    patch(
        &disk.path,
        disk.end() - 65_536 + bitmap_index(7),
        &0_i32.to_be_bytes(),
    );
    let dump = disk.file("dump.md");
    ok(&["export", disk.name(), "-o", text(&dump), "--force"]);
    let other = Disk::of_size(SIZE, &[]);
    for words in [
        ["adopt", disk.name(), "--dry-run", "--node-id", "1"],
        ["import", other.name(), text(&dump), "--dry-run", "--force"],
    ] {
        let run = ok(&words);
        let says = "peers[7].bitmap_index is 0, expected another than peers[";
        assert!(run.stderr.contains(says), "{run:?}");
        assert!(
            run.stderr.contains("taken for synced to the other"),
            "{run:?}"
        );
    }
}
