//! What is undone where nothing shows which disk it is, what is undone again, and what force goes on from.

#![expect(clippy::disallowed_methods, reason = "images of a few MiB")]

use mdtool::builder::{Level, build};
use mdtool::image::{MemImage, ReadAt, WritableFile};
use mdtool::units::{Bytes, ImagePos};

use super::since::under;
use super::{Disk, INNER, SIZE, ok, some_bits, text};
use crate::adopt::MIB;
use crate::support::{LoopDevice, cut, mdtool, patch};

fn single() -> Level {
    some_bits(Level::v08().current_uuid(INNER))
}

/// A disk with an old copy of another resource in its data.
fn with_stale_copy(disk: &Disk) {
    let mut file = WritableFile::open(&disk.path).unwrap();
    let stale = Level::v08()
        .device_uuid(0xCCCC)
        .current_uuid(0xBBBB_0000_0000_0000);
    build(&mut file, ImagePos::START, Bytes::new(8 * MIB), &[stale]).unwrap();
}

#[test]
fn force_goes_on_from_nothing_that_a_search_found() {
    let (stack, one) = (Disk::stack(), Disk::of(&[single()]));
    let cases = [
        (&stack, &["adopt", "--stacked"][..]),
        (&stack, &["wipe", "--level", "outer"]),
        (&one, &["wipe"]),
        (&one, &["edit", "--new-generation"]),
    ];
    for disk in [&stack, &one] {
        with_stale_copy(disk);
    }
    for (disk, words) in cases {
        let whole = disk.bytes();
        for when in 1..=6 {
            cut(&disk.path, 0);
            patch(&disk.path, 0, &whole);
            let undo = disk.file("undo");
            let _ = std::fs::remove_file(&undo);
            let command = [&words[..1], &[disk.name()], &words[1..], &["--yes"]].concat();
            let kill = format!("inject=pwrite64:signal=KILL:when={when}");
            let with_undo = [&command[..], &["--undo", text(&undo)]].concat();
            let Some(_) = under(&with_undo, &kill) else {
                return;
            };
            if mdtool(["probe", disk.name()]).status != 4 {
                continue;
            }
            let half = disk.bytes();
            let refused = mdtool(&command);
            assert_eq!(refused.status, 2, "{words:?} {when}: {refused:?}");
            let promised = refused.stderr.contains("--force goes on all the same");
            let other = disk.file("other");
            let _ = std::fs::remove_file(&other);
            let forced = mdtool([&command[..], &["--force", "--undo", text(&other)]].concat());
            assert_eq!(forced.status == 0, promised, "{words:?} {when}: {forced:?}");
            if forced.status == 0 {
                let locate = mdtool(["locate", disk.name(), "--json"]);
                let says = "0xBBBB000000000000";
                let stood = words[0] != "wipe" && locate.stdout.contains(says);
                assert!(!stood, "{words:?} {when}: {locate:?}");
                ok(&["undo", text(&other), "--yes"]);
            }
            assert!(disk.bytes() == half, "{words:?} {when}");
            ok(&["undo", text(&undo), "--yes"]);
            assert!(disk.bytes() == whole, "{words:?} {when}");
        }
    }
}

/// What was wiped left nothing to know the disk by.
#[test]
fn what_was_wiped_does_not_come_back_on_another_disk_unasked() {
    let disk = Disk::of(&[single()]);
    let whole = disk.bytes();
    let (undo, blank) = (disk.file("undo"), disk.file("blank"));
    ok(&["wipe", disk.name(), "--yes", "--undo", text(&undo)]);
    let wiped = disk.bytes();
    cut_new(&blank);
    for yes in [&[][..], &["--yes"]] {
        let words = ["undo", text(&undo), "--target", text(&blank)];
        let run = mdtool([&words[..], yes].concat());
        assert_eq!(run.status, 2, "{run:?}");
        assert!(run.stderr.contains("nothing on it shows"), "{run:?}");
        assert!(run.stderr.contains("--force"), "{run:?}");
        assert!(std::fs::read(&blank).unwrap().iter().all(|byte| *byte == 0));
    }
    // The file itself is known by its name; a block device's name may be another disk's since, and there it is asked.
    assert!(disk.bytes() == wiped);
    ok(&["undo", text(&undo)]);
    assert!(disk.bytes() == whole);
    ok(&["undo", text(&undo), "--target", text(&blank), "--force"]);
    assert_eq!(mdtool(["probe", text(&blank)]).status, 0);
}

fn cut_new(path: &std::path::Path) {
    let file = WritableFile::create_new(path, Bytes::new(SIZE)).unwrap();
    drop(file);
}

#[test]
fn what_was_undone_is_undone_again_with_an_undo_file_or_without() {
    let (stack, one) = (Disk::stack(), Disk::of(&[single()]));
    for (disk, words) in [
        (
            &stack,
            &["adopt", "--stacked", "--strategy", "truncate"][..],
        ),
        (&stack, &["wipe", "--level", "outer"]),
        (&stack, &["wipe", "--level", "inner"]),
        (&one, &["wipe"]),
    ] {
        let whole = disk.bytes();
        let file = |name: &str| {
            let path = disk.file(name);
            let _ = std::fs::remove_file(&path);
            path
        };
        let (undo, kept) = (file("undo"), file("kept"));
        let command = [&words[..1], &[disk.name()], &words[1..], &["--yes"]].concat();
        ok(&[&command[..], &["--undo", text(&undo)]].concat());
        let changed = disk.bytes();
        ok(&["undo", text(&undo), "--yes", "--undo", text(&kept)]);
        assert!(disk.bytes() == whole, "{words:?}");
        // All is as before: that is no mistake, and by force it is written once more.
        for how in ["--yes", "--force"] {
            let third = file("third");
            ok(&["undo", text(&undo), how, "--undo", text(&third)]);
            assert!(disk.bytes() == whole, "{words:?} {how}");
        }
        ok(&["undo", text(&kept), "--yes"]);
        assert!(disk.bytes() == changed, "{words:?}");
        ok(&["undo", text(&undo), "--yes"]);
        assert!(disk.bytes() == whole, "{words:?}");
    }
}

/// New metadata where the old was wiped: what is there now is kept, each superblock and what lies beside it.
#[test]
fn what_came_after_a_wipe_is_kept_when_that_is_undone() {
    let disk = Disk::of(&[single()]);
    let whole = disk.bytes();
    let (undo, kept) = (disk.file("undo"), disk.file("kept"));
    ok(&["wipe", disk.name(), "--yes", "--undo", text(&undo)]);
    let superblock = &whole[usize::try_from(SIZE - 4096).unwrap()..];
    patch(&disk.path, SIZE - 4096, superblock);
    patch(&disk.path, SIZE - 4096 - 32_768, b"another log");
    let since = disk.bytes();
    ok(&["undo", text(&undo), "--yes", "--undo", text(&kept)]);
    assert!(disk.bytes() == whole);
    ok(&["undo", text(&kept), "--yes"]);
    assert!(disk.bytes() == since);
}

/// Whether the disk of that name is still the same one, nothing shows any more: so it is asked.
#[test]
fn a_wipe_of_a_block_device_is_undone_when_that_is_confirmed() {
    let disk = Disk::of(&[single()]);
    let whole = disk.bytes();
    let Some(device) = LoopDevice::over(&disk.path, &[]) else {
        return;
    };
    let undo = disk.file("undo");
    ok(&["wipe", device.path(), "--yes", "--undo", text(&undo)]);
    let wiped = disk.bytes();
    let asked = mdtool(["undo", text(&undo)]);
    assert_eq!(asked.status, 2, "{asked:?}");
    assert!(
        asked.stderr.contains("does not show that it is the disk"),
        "{asked:?}"
    );
    assert!(disk.bytes() == wiped && wiped != whole);
    // Without a name, that of a device goes to the working directory.
    let kept = disk.file("kept");
    ok(&["undo", text(&undo), "--yes", "--undo", text(&kept)]);
    assert!(disk.bytes() == whole);
}

/// The mark that the move left says that the metadata is elsewhere, which it is no more.
#[test]
fn what_was_moved_and_then_wiped_is_told_as_maybe_wiped() {
    let disk = Disk::grown(single());
    let (moved, wiped) = (disk.file("moved"), disk.file("wiped"));
    ok(&["relocate", disk.name(), "--yes", "--undo", text(&moved)]);
    ok(&["wipe", disk.name(), "--yes", "--undo", text(&wiped)]);
    for command in ["probe", "locate"] {
        let run = mdtool([command, disk.name()]);
        assert!(
            run.stderr.contains("wiped or overwritten there since"),
            "{run:?}"
        );
    }
}

/// More old copies than are told apart are not wiped in part, with the rest passed over in silence.
#[test]
fn more_old_copies_than_are_known_are_not_wiped_in_part() {
    let of_size = |size: u64| {
        let mut image = MemImage::new(Bytes::new(size));
        let level = Level::v08().current_uuid(INNER);
        build(&mut image, ImagePos::START, Bytes::new(size), &[level]).unwrap();
        let mut superblock = vec![0; 4096];
        let at = ImagePos::new(size - 4096);
        image.read_exact_at(at, &mut superblock).unwrap();
        superblock
    };
    for (copies, status) in [(200, 0), (300, 2)] {
        let disk = Disk::of(&[single()]);
        patch(&disk.path, SIZE - 4096, &of_size(SIZE));
        for number in 0..copies {
            let size = (4 << 20) + number * 45056;
            patch(&disk.path, size - 4096, &of_size(size));
        }
        let before = disk.bytes();
        let undo = disk.file("undo");
        let words = [
            "wipe",
            disk.name(),
            "--stale",
            "--yes",
            "--undo",
            text(&undo),
        ];
        let run = mdtool(words);
        assert_eq!(run.status, status, "{copies}: {run:?}");
        if status == 0 {
            let run = mdtool(["probe", disk.name()]);
            assert_eq!(run.status, 1, "{run:?}");
        } else {
            assert!(run.stderr.contains("nothing was written"), "{run:?}");
            assert!(disk.bytes() == before);
        }
    }
}
