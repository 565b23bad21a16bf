//! Logs that no kernel writes.

use super::*;
use crate::builder::activity_log::seal;
use crate::error::{Error, Refused};

/// A log with one good transaction, number 0, and one of whatever `change` makes of it, number 1.
fn odd(change: impl Fn(&mut [u8])) -> Replay {
    let mut log = filled(67, 0, 2);
    let block = log.block_mut(1);
    change(block);
    seal(block);
    replay_log(&log, 1, 8).0
}

fn put_u16(block: &mut [u8], at: usize, value: u16) {
    block[at..at + 2].copy_from_slice(&value.to_be_bytes());
}

/// The oddity of transaction 1.
fn oddity(replay: &Replay) -> Oddity {
    let odd = doubts(replay).iter().find_map(|doubt| match doubt {
        Doubt::Odd {
            place: AlPlace::Block(1),
            number: 1,
            oddity,
        } => Some(*oddity),
        _ => None,
    });
    odd.unwrap()
}

#[test]
fn the_builder_makes_no_odd_transactions() {
    let replay = odd(|_| {});
    assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
    assert_eq!(active(&replay), [1000, 1001]);
}

#[test]
fn slots_that_no_table_has_are_ignored_and_named() {
    for slot in [67, 65533, 65534, 65535] {
        let replay = odd(|block| put_u16(block, 36, slot));
        let expected = Oddity::Slot {
            slot: u32::from(slot),
            size: 67,
        };
        assert_eq!(oddity(&replay), expected);
        // drbdmeta's table has 65534 slots, whatever the transaction says of its size.
        assert_eq!(active(&replay).contains(&1001), slot < 65534);
    }
}

#[test]
fn more_updates_than_there_is_room_for_are_no_more_than_that() {
    let replay = odd(|block| put_u16(block, 14, 65535));
    assert_eq!(oddity(&replay), Oddity::Updates(65535));
    assert_eq!(active(&replay), [1000, 1001]);
    // An update beyond their number counts as drbdmeta counts it.
    let replay = odd(|block| put_u16(block, 14, 0));
    assert_eq!(oddity(&replay), Oddity::Updates(0));
    assert_eq!(active(&replay), [1000, 1001]);
}

#[test]
fn a_table_of_no_size_is_named() {
    for size in [0, 65535] {
        let replay = odd(|block| put_u16(block, 16, size));
        assert_eq!(oddity(&replay), Oddity::ContextSize(size));
    }
}

#[test]
fn an_unknown_type_counts_as_an_update_and_is_named() {
    let replay = odd(|block| put_u16(block, 12, 1));
    assert_eq!(oddity(&replay), Oddity::Type(1));
    assert_eq!(active(&replay), [1000, 1001]);
}

#[test]
fn context_may_start_anywhere() {
    for start in [68, 65533, 65535] {
        let replay = odd(|block| put_u16(block, 18, start));
        assert!(!replay.verdict.is_complete());
        // The slots' earlier content is ignored beyond the 65534th, and replaces nothing here.
        assert!(active(&replay).contains(&1001));
    }
}

#[test]
fn extents_beyond_any_device_are_reported_as_they_are() {
    let mut log = KernelLog::new(1, 8, 67, 0);
    log.activate(&[(0, u32::MAX - 1), (1, 0), (2, u32::MAX)], Write::Whole);
    let (replay, _) = replay_log(&log, 1, 8);
    assert_eq!(active(&replay), [0, u32::MAX - 1]);
}

#[test]
fn numbers_that_occur_twice_are_not_one_history() {
    let log = filled(67, 0, 8);
    let mut bytes = log.area().to_vec();
    let newest = bytes[7 * 4096..].to_vec();
    for block in 0..7 {
        bytes[block * 4096..][..4096].copy_from_slice(&newest);
        let (replay, _) = replay_bytes(&v09(1, 8), &bytes).unwrap();
        assert!(matches!(
            doubts(&replay),
            [.., Doubt::Stranger { number: 7, .. }]
        ));
    }
}

#[test]
fn layouts_of_no_blocks_and_of_too_many_are_refused() {
    for (stripes, stripe_size_4k) in [(0, 8), (1, 0), (u32::MAX, u32::MAX), (1024, 4097)] {
        let area = v09(stripes, stripe_size_4k);
        let found = replay_bytes(&area, &[]).unwrap_err();
        let expected = Unsupported::ActivityLogSize {
            stripes,
            stripe_size_4k,
        };
        assert!(matches!(found, Error::Unsupported(found) if found == expected));
    }
}

#[test]
fn small_rings_are_replayed() {
    for (stripes, stripe_size_4k) in [(1, 1), (2, 1), (1, 3)] {
        let mut log = KernelLog::new(stripes, stripe_size_4k, 67, 0);
        for i in 0..7 {
            let (replay, _) = replay_log(&log, stripes, stripe_size_4k);
            assert_eq!(active(&replay), log.active());
            assert!(replay.verdict.is_complete());
            log.activate(&[(i, u32::from(i))], Write::Whole);
        }
        log.block_mut(0).fill(0);
        let (replay, _) = replay_log(&log, stripes, stripe_size_4k);
        assert_eq!(replay.invalid, 1);
    }
}

#[test]
fn the_largest_log_is_replayed() {
    // Of 16 GiB, the two newest transactions are enough.
    let area = v09(1024, 4096);
    let log = filled(1237, 4_194_303, 2);
    let mut read_block = |block: u64, to: &mut [u8; 4096]| {
        // 4194303 is 7 modulo 8, and in the last block of the large log.
        let block = match block {
            4_194_303 => 7,
            0 => 0,
            _ => 1,
        };
        *to = log.area().as_chunks().0[block];
        Ok(())
    };
    let mut shown = 0_u64;
    let replay = replay(&area, &mut read_block, &mut |_| shown += 1).unwrap();
    assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
    assert_eq!((replay.unwritten, shown), (4_194_302, 4_194_304));
    assert_eq!(active(&replay), [1000, 1001]);
}

#[test]
fn a_log_that_changes_while_it_is_read_is_refused() {
    let before = filled(67, 0, 20);
    let mut after = before.clone();
    after.activate(&[(1, 1)], Write::Whole);
    // The magic of block 0 and the first look at the eight blocks.
    let mut reads = 0;
    let mut read_block = |block: u64, to: &mut [u8; 4096]| {
        reads += 1;
        let log = if reads > 9 { &after } else { &before };
        *to = log.area().as_chunks().0[usize::try_from(block).unwrap()];
        Ok(())
    };
    let found = replay(&v09(1, 8), &mut read_block, &mut |_| {}).unwrap_err();
    assert!(matches!(
        found,
        Error::Refused(Refused::ActivityLogChanged {
            place: AlPlace::Block(4)
        })
    ));
}

#[test]
fn what_the_reader_fails_with_is_passed_on() {
    let failure = Unsupported::ActivityLogSize {
        stripes: 7,
        stripe_size_4k: 7,
    };
    let mut read_block = |_: u64, _: &mut [u8; 4096]| Err(failure.into());
    let found = replay(&v09(1, 8), &mut read_block, &mut |_| {}).unwrap_err();
    assert!(matches!(found, Error::Unsupported(found) if found == failure));
}
