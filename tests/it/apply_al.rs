//! `mdtool apply-al`, `export --apply-al` and `al`, held against drbdmeta and the kernels' own images.

mod off;

use std::path::Path;

use mdtool::builder::activity_log::{KernelLog, Write};
use mdtool::builder::{LaSize, Level, build};
use mdtool::image::WritableFile;
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, Sectors};
use proptest::prelude::*;
use proptest::sample::select;

use crate::support::{Drbdmeta, Run, kernel_image, mdtool, peek, scratch, testdata};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;
/// `MDF_CONSISTENT`, `MDF_PRIMARY_IND`, `MDF_WAS_UP_TO_DATE`.
pub(crate) const PRIMARY: u32 = 0x13;

fn comparable(dump: &str) -> Vec<&str> {
    dump.lines()
        .enumerate()
        .filter(|(i, _)| ![1, 2].contains(i))
        .map(|(_, line)| line)
        .collect()
}

#[test]
fn kernels_images_are_exported_as_drbdmeta_9_34_dumps_them_after_its_apply_al() {
    for format in ["v08", "v09"] {
        for (image, dump, level) in [
            ("pair-a-crashed", "pair-a-crashed", "0"),
            ("pair-a-synced", "pair-a-synced", "0"),
            ("pair-b-crashed", "pair-b-crashed", "0"),
            ("pair-b-synced", "pair-b-synced", "0"),
            ("stack-down", "stack-down.inner", "inner"),
            ("stack-down", "stack-down.outer", "outer"),
            ("stack-live-copy", "stack-live-copy.inner", "inner"),
            ("stack-live-copy", "stack-live-copy.outer", "outer"),
        ] {
            let path = kernel_image(&format!("{format}-{image}"));
            let run = mdtool([
                "export",
                path.to_str().unwrap(),
                "--apply-al",
                "--level",
                level,
            ]);
            assert_eq!(run.status, 0, "{image}: {}", run.stderr);
            let theirs = testdata("dumps").join(format!("{format}-{dump}.applied.md"));
            let theirs = std::fs::read_to_string(theirs).unwrap();
            assert_eq!(
                comparable(&run.stdout),
                comparable(&theirs),
                "{format} {dump}"
            );
        }
    }
}

/// An image with this level only.
pub(crate) fn image(path: &Path, size: u64, level: Level) {
    let mut file = WritableFile::create_new(path, Bytes::new(size)).unwrap();
    build(&mut file, ImagePos::START, Bytes::new(size), &[level]).unwrap();
}

fn copy(from: &Path, to: &Path) {
    let status = std::process::Command::new("cp")
        .arg("--sparse=always")
        .args([from, to])
        .status()
        .unwrap();
    assert!(status.success());
}

fn apply(path: &Path) -> Run {
    mdtool([Path::new("apply-al"), path, Path::new("--yes")])
}

/// Whether two images are the same, to the byte, where metadata may be: in the last 16 MiB.
#[track_caller]
fn assert_same(ours: &Path, theirs: &Path, what: &str) {
    let size = std::fs::metadata(ours).unwrap().len();
    let start = size.saturating_sub(16 * MIB);
    let len = usize::try_from(size - start).unwrap();
    let (a, b) = (peek(ours, start, len), peek(theirs, start, len));
    let differ: Vec<u64> = (0..)
        .zip(a.chunks(512).zip(b.chunks(512)))
        .filter(|(_, (a, b))| a != b)
        .map(|(i, _)| start + i * 512)
        .collect();
    assert!(differ.is_empty(), "{what}: sectors at {differ:?} differ");
}

#[derive(Clone, Debug)]
struct Case {
    format: &'static str,
    max_peers: u8,
    size: u64,
    stripes: u32,
    table: u16,
    number: u32,
    transactions: Vec<Vec<(u16, u32)>>,
    torn: Option<usize>,
    primary: bool,
    dirty: u64,
}

fn case() -> impl Strategy<Value = Case> {
    let layout = (
        select(vec![
            ("v08", 1_u8),
            ("v09", 1),
            ("v09", 2),
            ("v09", 3),
            ("v09", 7),
        ]),
        20 * MIB..700 * MIB,
        1..=4_u32,
    );
    let log = (
        select(vec![7_u16, 67, 127, 1237, 6433]),
        select(vec![0_u32, 3, 1000, u32::MAX - 3, u32::MAX - 40]),
    );
    let update = (
        any::<u16>(),
        prop_oneof![8 => 0..180_u32, 1 => select(vec![4_000_u32, u32::MAX - 1, u32::MAX])],
    );
    let transactions = proptest::collection::vec(proptest::collection::vec(update, 0..64), 0..30);
    (
        layout,
        log,
        transactions,
        proptest::option::weighted(0.3, 0..8_usize),
        proptest::bool::weighted(0.8),
        any::<u64>(),
    )
        .prop_map(
            |(
                ((format, max_peers), size, stripes),
                (table, number),
                transactions,
                torn,
                primary,
                dirty,
            )| Case {
                format,
                max_peers,
                size: size / 512 * 512,
                stripes,
                table,
                number,
                transactions,
                torn,
                primary,
                dirty,
            },
        )
}

impl Case {
    fn level(&self) -> Level {
        // Where numbers start over and the ring's length is no power of two, drbdmeta 9.22 misses the newest transactions: the tests of the
        // activity log show that it does, and that we do not.
        let number = if self.stripes == 3 {
            self.number % 1000
        } else {
            self.number
        };
        let mut log = KernelLog::new(self.stripes, 8, self.table, number);
        for (i, transaction) in self.transactions.iter().enumerate() {
            let mut changes: Vec<(u16, u32)> = transaction
                .iter()
                .map(|(slot, extent)| (slot % self.table, *extent))
                .collect();
            changes.sort_unstable();
            changes.dedup_by_key(|(slot, _)| *slot);
            let last = i + 1 == self.transactions.len();
            log.activate(
                &changes,
                self.torn.filter(|_| last).map_or(Write::Whole, Write::Torn),
            );
        }
        let level = if self.format == "v08" {
            Level::v08()
        } else {
            Level::v09(self.max_peers)
        };
        let start = self.dirty % self.size;
        level
            .unclean()
            .flags(if self.primary { PRIMARY } else { 0x11 })
            .striping(self.stripes, 8)
            .al_nr_extents(u32::from(self.table))
            .activity_log(log.area())
            .dirty(
                BitmapIndex::new(0),
                DevPos::new(start)..DevPos::new(start + 3 * MIB),
            )
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::test_cases::cases(120), max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_metadata_area_is_drbdmetas_to_the_byte(case in case()) {
        let Some(drbdmeta) = Drbdmeta::new() else { return Ok(()) };
        let dir = scratch();
        let (ours, theirs) = (dir.path().join("ours.img"), dir.path().join("theirs.img"));
        image(&ours, case.size, case.level());
        copy(&ours, &theirs);
        let exported = mdtool([Path::new("export"), &ours, Path::new("--apply-al"), Path::new("--compat"), Path::new("9.22")]);
        let run = apply(&ours);
        let theirs_run = drbdmeta.run(case.format, &theirs, "internal", &["apply-al"]);
        if run.status == 2 {
            // What may be missing is refused, and nothing changes: drbdmeta goes on with what is left, or stops as well.
            prop_assert!(run.stderr.contains("the activity log is incomplete"), "{run:?}");
            prop_assert!(case.primary);
            prop_assert_eq!(exported.status, 2);
            return Ok(());
        }
        prop_assert_eq!(run.status, 0, "{:?}", run);
        if case.transactions.len() == 1 && case.torn.is_some() {
            // The first transaction since the log was initialised was torn: nothing was written to its extents yet. drbdmeta expects that
            // in block 0 only, where it leaves the block as it is; elsewhere it stops. Here the log is applied, adds nothing, and is emptied.
            let expected = theirs_run.status == 0 || theirs_run.stderr.contains("No valid AL update transaction found");
            prop_assert!(expected, "{:?}", theirs_run);
            prop_assert!(run.stdout.lines().filter(|line| line.starts_with("slot ")).all(|line| line.contains(" gained 0 bits")), "{:?}", run);
            return Ok(());
        }
        prop_assert_eq!(theirs_run.status, 0, "{:?}", theirs_run);
        assert_same(&ours, &theirs, &format!("{case:?}"));
        // The exported text is that of drbdmeta's own copy.
        let theirs_dump = drbdmeta.ok(case.format, &theirs, "internal", &["dump-md"]);
        let flags = |dump: &str| -> Vec<String> {
            comparable(dump).into_iter().filter(|line| case.format == "v09" || !line.starts_with("    flags")).map(str::to_owned).collect()
        };
        let (exported, theirs_dump) = (flags(&exported.stdout), flags(&theirs_dump));
        let difference = exported.iter().zip(&theirs_dump).find(|(ours, theirs)| ours != theirs);
        prop_assert_eq!((difference, exported.len()), (None, theirs_dump.len()));
        // A second run finds nothing to do.
        let before = peek(&ours, 0, usize::try_from(case.size).unwrap().min(1 << 16));
        let again = apply(&ours);
        prop_assert_eq!((again.status, again.stdout.starts_with("nothing to do")), (0, true), "{:?}", again);
        assert_same(&ours, &theirs, "the second run");
        prop_assert!(before == peek(&ours, 0, before.len()));
    }
}

/// A log with one active extent.
pub(crate) fn one_extent(extent: u32) -> KernelLog {
    let mut log = KernelLog::new(1, 8, 67, 0);
    log.activate(&[(0, extent)], Write::Whole);
    log
}

/// Since 9.33 drbdmeta leaves out the last extent of just these devices, and exits 0; 9.22 does not, and comes to the same as we.
#[test]
fn the_last_extent_is_never_left_out() {
    let dir = scratch();
    let drbdmeta = Drbdmeta::new();
    for (i, (level, size)) in [
        (Level::v08(), GIB),
        (Level::v09(1), GIB),
        (Level::v09(3), GIB),
        (Level::v09(7), 18 * MIB),
        (Level::v08(), 10 * GIB),
    ]
    .into_iter()
    .enumerate()
    {
        let path = dir.path().join(format!("{i}.img"));
        let mut probe = mdtool::image::MemImage::new(Bytes::new(size));
        let device = build(
            &mut probe,
            ImagePos::START,
            Bytes::new(size),
            std::slice::from_ref(&level),
        )
        .unwrap()[0]
            .device();
        let last = u32::try_from((device.get() - 1) >> 22).unwrap();
        image(
            &path,
            size,
            level
                .unclean()
                .flags(PRIMARY)
                .al_nr_extents(67)
                .activity_log(one_extent(last).area()),
        );
        let theirs = dir.path().join("theirs.img");
        copy(&path, &theirs);
        assert_eq!(apply(&path).status, 0);
        let dump = mdtool([Path::new("export"), &path]).stdout;
        if let Some(drbdmeta) = &drbdmeta {
            let format = if dump.contains("version \"v08\"") {
                "v08"
            } else {
                "v09"
            };
            drbdmeta.ok(format, &theirs, "internal", &["apply-al"]);
            let theirs = mdtool([Path::new("export"), &theirs]).stdout;
            assert_eq!(comparable(&dump), comparable(&theirs), "{i}");
        }
        let set = dump.lines().last().unwrap();
        // All bits of the last extent up to the bitmap's end; on a device's own last bit at least.
        let set: u64 = set
            .trim_start_matches("# bits-set ")
            .trim_end_matches(';')
            .parse()
            .unwrap();
        let own = (device.get() - (u64::from(last) << 22)).div_ceil(4096);
        assert!(
            set >= own && set <= 1024,
            "{i}: {set} bits set, {own} of the device"
        );
        let slots = dump.matches("bitmap[").count().max(1);
        assert!(dump.matches("FFFF").count() >= slots, "{i}: in every slot");
    }
}

/// Extents beyond the end made drbdmeta abort once; here they are named, and nothing is written for them.
#[test]
fn extents_beyond_the_end_are_named() {
    let dir = scratch();
    let path = dir.path().join("beyond.img");
    let mut log = KernelLog::new(1, 8, 67, 0);
    log.activate(
        &[(0, 3), (1, 4), (2, 4000), (3, u32::MAX - 1)],
        Write::Whole,
    );
    image(
        &path,
        64 * MIB,
        Level::v08()
            .unclean()
            .flags(PRIMARY)
            .al_nr_extents(67)
            .activity_log(log.area()),
    );
    let run = mdtool([Path::new("al"), &path]);
    assert_eq!(run.status, 0, "{run:?}");
    for says in [
        "extents 3 to 4: byte 12582912 up to byte 20971520\n",
        "extent 4000: byte 16777216000 up to byte 16781410304, beyond",
        "complete: ",
    ] {
        assert!(run.stdout.contains(says), "{says:?} in {}", run.stdout);
    }
    let json = mdtool([Path::new("al"), &path, Path::new("--json")]).stdout;
    assert!(
        json.contains(r#""beyond_device""#) && json.contains("4294967294"),
        "{json}"
    );
    assert_eq!(apply(&path).status, 0);
    assert!(
        mdtool([Path::new("export"), &path])
            .stdout
            .contains("# bits-set 2048;")
    );
}

#[test]
fn a_dry_run_tells_what_each_slot_gains_and_writes_nothing() {
    let dir = scratch();
    let path = dir.path().join("dry.img");
    let level = Level::v09(2)
        .unclean()
        .flags(PRIMARY)
        .al_nr_extents(67)
        .activity_log(one_extent(2).area());
    image(
        &path,
        64 * MIB,
        level.dirty(
            BitmapIndex::new(1),
            DevPos::new(8 * MIB)..DevPos::new(9 * MIB),
        ),
    );
    let before = peek(&path, 0, 64 << 20);
    let run = mdtool([Path::new("apply-al"), &path, Path::new("--dry-run")]);
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.stdout
            .contains("slot 0 would gain 1024 bits, 4194304 bytes (4 MiB) out of sync\n"),
        "{run:?}"
    );
    assert!(
        run.stdout
            .contains("slot 1 would gain 768 bits, 3145728 bytes (3 MiB) out of sync\n"),
        "{run:?}"
    );
    assert!(peek(&path, 0, 64 << 20) == before);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "no undo file"
    );
    let run = mdtool([Path::new("apply-al"), &path]);
    assert_eq!(
        (run.status, run.stderr.contains("--yes")),
        (2, true),
        "{run:?}"
    );
    assert!(peek(&path, 0, 64 << 20) == before);
}

/// A Primary's log that nobody can read: drbdmeta stops, and so do we, until told to mark everything.
#[test]
fn a_log_that_tells_too_little_is_refused() {
    let dir = scratch();
    let path = dir.path().join("lost.img");
    let level = Level::v09(2)
        .unclean()
        .flags(PRIMARY)
        .la_size(LaSize::Exactly(Sectors::new(100_000)));
    image(&path, 64 * MIB, level.activity_log(&vec![0xEE; 32768]));
    let before = peek(&path, 0, 64 << 20);
    for args in [&["apply-al", "--yes"][..], &["export", "--apply-al"]] {
        let run = mdtool(args.iter().map(Path::new).chain([path.as_path()]));
        assert_eq!(run.status, 2, "{run:?}");
        assert!(
            run.stderr.contains("the activity log is incomplete")
                && run.stderr.contains("--mark-all"),
            "{run:?}"
        );
        assert!(peek(&path, 0, 64 << 20) == before);
    }
    assert_eq!(mdtool([Path::new("al"), &path]).status, 1);
    let run = mdtool([
        Path::new("apply-al"),
        &path,
        Path::new("--mark-all"),
        Path::new("--yes"),
    ]);
    assert_eq!(run.status, 0, "{run:?}");
    let run = mdtool([Path::new("locate"), &path]);
    assert!(
        run.stdout.contains("48.83 MiB") && run.stdout.contains(" clean "),
        "all of the device: {run:?}"
    );
}

/// Where the node was not Primary, its log does not matter: it is emptied, whatever it holds.
#[test]
fn a_secondarys_log_is_emptied() {
    let dir = scratch();
    let path = dir.path().join("secondary.img");
    image(
        &path,
        64 * MIB,
        Level::v08()
            .unclean()
            .flags(0x11)
            .activity_log(&vec![0xEE; 32768]),
    );
    assert_eq!(apply(&path).status, 0);
    assert!(
        mdtool([Path::new("export"), &path])
            .stdout
            .contains("# bits-set 0;")
    );
    assert_eq!(mdtool([Path::new("al"), &path]).status, 0);
}

/// 30 TiB, where drbdmeta once crashed: every slot of the largest table active, all over the device, in 64 MiB of address space.
#[test]
fn thirty_tebibytes_with_every_slot_active() {
    let size = 30 << 40;
    // ext4 has no files of that size; tmpfs has.
    let dir = tempfile::Builder::new()
        .prefix("mdtool-test-")
        .tempdir_in("/dev/shm")
        .unwrap();
    let path = dir.path().join("large.img");
    let extents = u32::try_from((size >> 22) - 100).unwrap();
    let mut log = KernelLog::new(1, 128, 65534, 0);
    let slots: Vec<u16> = (0..65534).collect();
    for slots in slots.chunks(64) {
        let changes: Vec<(u16, u32)> = slots
            .iter()
            .map(|slot| (*slot, u32::from(*slot) * (extents / 65534)))
            .collect();
        log.activate(&changes, Write::Whole);
    }
    let level = Level::v08()
        .unclean()
        .flags(PRIMARY)
        .striping(1, 128)
        .al_nr_extents(65534);
    image(&path, size, level.activity_log(log.area()));
    let command = format!(
        "ulimit -v 65536; exec {} apply-al {} --yes",
        env!("CARGO_BIN_EXE_mdtool"),
        path.display()
    );
    let run: Run = std::process::Command::new("sh")
        .args(["-c", &command])
        .output()
        .unwrap()
        .into();
    assert_eq!(run.status, 0, "{run:?}");
    assert!(
        run.stdout
            .contains("slot 0 gained 67106816 bits, 274869518336 bytes"),
        "{run:?}"
    );
}
