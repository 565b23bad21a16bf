use mdtool::builder::activity_log::{KernelLog, SectorLog, Write};
use mdtool::format::activity_log::{Complete, Verdict, initialised_block};

use super::crashed::{Image, replayed};
use crate::support::{Drbdmeta, peek, scratch};

/// drbdmeta 9.22 replays from the position of the oldest transaction to that of the newest. Where numbers start over, which they do in the
/// middle of a ring of 12, newer ones lie outside.
#[test]
fn drbdmeta_misses_extents_where_numbers_start_over() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = Image::create(&drbdmeta, dir.path(), ("v09", 1), (3, 4));
    let mut log = KernelLog::new(3, 4, 1237, u32::MAX - 11);
    for i in 0..13 {
        log.activate(&[(1000 + i, u32::from(i))], Write::Whole);
    }
    image.crash(log.area());
    let ours = replayed(&image.area(), log.area());
    drbdmeta.ok("v09", &image.path, "internal", &["apply-al"]);
    let theirs = peek(&image.path, image.start(76), image.bitmap_len());
    assert_eq!(ours.verdict, Verdict::Complete(Complete::Whole));
    let active: Vec<u32> = ours.active.iter().map(|extent| extent.get()).collect();
    assert_eq!(active, log.active());
    assert_eq!(active.len(), 13);
    let missed: Vec<u32> = (0..13)
        .filter(|i| theirs[usize::try_from(*i).unwrap() * 128] == 0)
        .collect();
    assert_eq!(missed, [8, 9, 10, 11]);
}

/// drbdmeta 9.22 means to take the sign of a 32-bit difference, but what it does is a comparison of signed numbers: right where numbers
/// start over, and wrong half-way there. It replays the newer ones first, and what the older ones say wins.
#[test]
fn drbdmeta_misses_extents_where_numbers_pass_half_way() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = Image::create(&drbdmeta, dir.path(), ("v09", 1), (1, 8));
    let mut log = KernelLog::new(1, 8, 67, (1 << 31) - 6);
    for i in 0..8 {
        log.activate(&[(0, i)], Write::Whole);
    }
    image.crash(log.area());
    let ours = replayed(&image.area(), log.area());
    drbdmeta.ok("v09", &image.path, "internal", &["apply-al"]);
    let theirs = peek(&image.path, image.start(76), image.bitmap_len());
    assert_eq!(ours.verdict, Verdict::Complete(Complete::Whole));
    assert_eq!(
        ours.active
            .iter()
            .map(|extent| extent.get())
            .collect::<Vec<u32>>(),
        [7]
    );
    let marked: Vec<usize> = (0..8).filter(|i| theirs[i * 128] == 0xff).collect();
    assert_eq!(marked, [5]);
}

/// The first transaction after `apply-al` may belong anywhere, since numbers go on; drbdmeta 9.22 knows an interrupted first one in block 0
/// only.
#[test]
fn drbdmeta_stops_at_an_interrupted_first_transaction_beyond_block_0() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let image = Image::create(&drbdmeta, dir.path(), ("v09", 1), (1, 8));
    for number in 0..8 {
        let mut log = KernelLog::new(1, 8, 1237, number);
        log.activate(&[(0, 1)], Write::Torn(1));
        let (ours, status) = image.compare(&drbdmeta, log.area());
        assert!(ours.verdict.is_complete());
        assert_eq!(status, i32::from(number != 0));
    }
}

/// An 8.3 kernel writes its sectors over blocks that newer tools initialised; drbdmeta 9.22 finds those in blocks 1 to 7 and nothing to do.
#[test]
fn drbdmeta_drops_what_an_old_kernel_wrote_over_an_initialised_log() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let mut image = Image::create(&drbdmeta, dir.path(), ("v08", 1), (1, 8));
    image.superblock[63] = 0x6b;
    image.superblock[72..76].copy_from_slice(&127_u32.to_be_bytes());
    let mut log = SectorLog::new(127, 0, Some(initialised_block().repeat(8)));
    for i in 0..5 {
        log.activate(i, 100 + u32::from(i));
    }
    image.crash(log.area());
    let ours = replayed(&image.area(), log.area());
    drbdmeta.ok("v08", &image.path, "internal", &["apply-al"]);
    let theirs = peek(&image.path, image.start(76), image.bitmap_len());
    assert!(theirs.iter().all(|byte| *byte == 0));
    assert_eq!(ours.verdict, Verdict::Complete(Complete::Whole));
    assert_eq!(ours.active.len(), 5);
}
