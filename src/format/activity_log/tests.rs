use super::*;
use crate::builder::activity_log::{KernelLog, Write};
use crate::units::AlSlot;

mod hostile;
mod properties;
mod sectors;

/// What a v09 superblock says of a log of this layout.
fn v09(stripes: u32, stripe_size_4k: u32) -> AlArea {
    AlArea {
        format: Format::V09,
        unclean_84: false,
        striping: AlStriping::on_disk(stripes, stripe_size_4k),
        al_nr_extents: 257,
    }
}

/// Replays a log in memory.
fn replay_bytes(area: &AlArea, bytes: &[u8]) -> Result<(Replay, Vec<Entry>)> {
    let mut entries = Vec::new();
    let mut read_block = |block: u64, to: &mut [u8; 4096]| {
        *to = bytes.as_chunks().0[usize::try_from(block).unwrap()];
        Ok(())
    };
    let replay = replay(area, &mut read_block, &mut |entry| {
        entries.push(entry.clone());
    })?;
    Ok((replay, entries))
}

fn replay_log(log: &KernelLog, stripes: u32, stripe_size_4k: u32) -> (Replay, Vec<Entry>) {
    replay_bytes(&v09(stripes, stripe_size_4k), log.area()).unwrap()
}

/// The active extents as plain numbers.
fn active(replay: &Replay) -> Vec<u32> {
    replay.active.iter().map(|extent| extent.get()).collect()
}

fn doubts(replay: &Replay) -> &[Doubt] {
    match &replay.verdict {
        Verdict::Incomplete(doubts) => doubts,
        other => panic!("{other:?} has no doubts"),
    }
}

/// A log of 8 blocks and `table` slots, of which `count` were filled by one transaction each.
fn filled(table: u16, first_number: u32, count: u16) -> KernelLog {
    let mut log = KernelLog::new(1, 8, table, first_number);
    for i in 0..count {
        log.activate(&[(i % table, 1000 + u32::from(i))], Write::Whole);
    }
    log
}

/// A log of 8 blocks whose table of `size` slots is full, by transactions of 64 updates; the next has number `count`.
fn full(size: u16, count: u32) -> KernelLog {
    let mut log = KernelLog::new(1, 8, size, 0);
    let mut changes = (0..size).cycle().zip(1000..);
    for _ in 0..count {
        let changes: Vec<(u16, u32)> = changes.by_ref().take(64).collect();
        log.activate(&changes, Write::Whole);
    }
    log
}

#[test]
fn positions_take_turns_among_the_stripes() {
    let geometry = AlStriping::on_disk(2, 4);
    let blocks: Vec<u64> = (0..9)
        .map(|position| geometry.block_of(position).unwrap())
        .collect();
    assert_eq!(blocks, [0, 4, 1, 5, 2, 6, 3, 7, 0]);
    assert_eq!(AlStriping::on_disk(0, 0), AlStriping::DEFAULT);
    assert_eq!(AlStriping::on_disk(0, 8).block_of(0), None);
    assert_eq!(
        AlStriping::on_disk(u32::MAX, u32::MAX).blocks(),
        Some(0xFFFF_FFFE_0000_0001)
    );
}

#[test]
fn a_fresh_log_has_nothing_to_apply() {
    let (replay, entries) = replay_log(&KernelLog::new(1, 8, 1237, 0), 1, 8);
    assert_eq!(replay.verdict, Verdict::Complete(Complete::Unused));
    assert!(replay.is_initialised());
    assert_eq!((replay.unwritten, entries.len()), (8, 8));
    assert_eq!(active(&replay), [0_u32; 0]);
}

#[test]
fn a_log_that_never_wrapped_is_complete_with_few_of_its_slots_told() {
    let log = filled(6433, 5, 2);
    let (replay, entries) = replay_log(&log, 1, 8);
    assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
    assert!(!replay.is_initialised());
    assert_eq!(active(&replay), [1000, 1001]);
    assert_eq!(replay.newest, Some(6));
    let last = entries.last().unwrap();
    assert_eq!((last.place, last.position), (AlPlace::Block(6), 6));
}

#[test]
fn places_are_shown_in_order_of_time() {
    let (_, entries) = replay_log(&filled(67, 100, 11), 1, 8);
    let numbers: Vec<u32> = entries
        .iter()
        .map(|entry| match &entry.content {
            Content::Transaction(transaction) => transaction.number,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(numbers, [103, 104, 105, 106, 107, 108, 109, 110]);
    assert_eq!(entries[0].place, AlPlace::Block(7));
}

#[test]
fn the_largest_table_survives_an_interrupted_transaction() {
    // Seven transactions cover seven times 919 slots, and not of one more.
    let mut log = full(6433, 124);
    let before = log.active();
    log.activate(&[(3, 77), (4, 78)], Write::Torn(1));
    let (replay, entries) = replay_log(&log, 1, 8);
    let torn = Complete::Torn {
        place: AlPlace::Block(4),
        number: Some(124),
    };
    assert_eq!(replay.verdict, Verdict::Complete(torn));
    assert_eq!(active(&replay), before);
    let last = entries.last().unwrap();
    assert_eq!(last.place, AlPlace::Block(4));
    assert!(matches!(
        last.content,
        Content::Invalid(Invalid::Checksum { .. })
    ));
}

#[test]
fn a_table_too_large_for_the_ring_is_not_complete_after_a_crash() {
    let mut log = full(6434, 124);
    log.block_mut(log.block_of(124))[4000] ^= 1;
    let (replay, _) = replay_log(&log, 1, 8);
    // The context's window moves in a cycle of 8, and the block that held number 116 had slots 3676 to 4594.
    let known = [Doubt::SlotsUnknown {
        unknown: 919,
        table: 6434,
        since: 117,
    }];
    assert_eq!(doubts(&replay), known);
}

#[test]
fn an_interrupted_first_transaction_leaves_nothing_active_wherever_it_belongs() {
    for number in 0..8 {
        let mut log = KernelLog::new(1, 8, 1237, number);
        log.activate(&[(0, 5)], Write::Torn(2));
        let (replay, _) = replay_log(&log, 1, 8);
        let torn = Complete::Torn {
            place: AlPlace::Block(u64::from(number)),
            number: None,
        };
        assert_eq!(replay.verdict, Verdict::Complete(torn));
        assert!(!replay.is_initialised());
    }
}

#[test]
fn old_transactions_may_be_lost_where_later_ones_tell_all_slots() {
    // 1237 slots take two transactions; of the ring's eight, number 12 to 19, all but the last two go.
    let mut log = filled(1237, 0, 20);
    for number in 12..18 {
        log.block_mut(log.block_of(number))[200] ^= 1;
    }
    // The next one's place must be valid, or it might be the one that is lost.
    let (replay, _) = replay_log(&log, 1, 8);
    assert_eq!(
        doubts(&replay),
        [Doubt::NewestUnknown {
            place: AlPlace::Block(4),
            number: 20,
            invalid: 6
        }]
    );
    log.block_mut(log.block_of(12))[200] ^= 1;
    let (replay, _) = replay_log(&log, 1, 8);
    assert_eq!(
        replay.verdict,
        Verdict::Complete(Complete::Damaged { invalid: 5 })
    );
    assert_eq!(active(&replay), log.active());
}

#[test]
fn a_lost_transaction_counts_where_later_ones_do_not_tell_all_slots() {
    let mut log = filled(1237, 0, 20);
    log.block_mut(log.block_of(18))[200] ^= 1;
    let (replay, _) = replay_log(&log, 1, 8);
    // Number 19 covers slots 919 to 1236, and updates slot 19.
    let known = [Doubt::SlotsUnknown {
        unknown: 918,
        table: 1237,
        since: 19,
    }];
    assert_eq!(doubts(&replay), known);
}

#[test]
fn a_log_that_was_never_initialised_is_not_taken_for_a_fresh_one() {
    let mut log = KernelLog::new(1, 8, 1237, 0);
    for block in 0..8 {
        log.block_mut(block).fill(0);
    }
    let (replay, entries) = replay_log(&log, 1, 8);
    assert_eq!(replay.verdict, Verdict::Unusable(Unusable::NothingValid));
    assert_eq!(entries[0].content, Content::Invalid(Invalid::Zero));
    log.activate(&[(0, 1)], Write::Whole);
    let (replay, _) = replay_log(&log, 1, 8);
    assert!(matches!(doubts(&replay)[0], Doubt::NewestUnknown { .. }));
    assert_eq!(active(&replay), [1]);
}

#[test]
fn blank_and_invalid_blocks_alone_are_unusable() {
    let mut log = KernelLog::new(1, 8, 1237, 0);
    log.block_mut(0)[5] = 1;
    log.block_mut(1)[5] = 1;
    let (replay, _) = replay_log(&log, 1, 8);
    let unusable = Unusable::NoTransaction { invalid: 2 };
    assert_eq!(replay.verdict, Verdict::Unusable(unusable));
}

#[test]
fn an_older_log_that_shows_through_is_noticed() {
    let mut log = filled(67, 0, 20);
    log.attach_over_old_log();
    log.activate(&[(0, 5)], Write::Whole);
    let (replay, _) = replay_log(&log, 1, 8);
    // Number 16 was there, and is not older than number 0.
    let stranger = Doubt::Stranger {
        place: AlPlace::Block(0),
        number: 0,
        newest: 19,
    };
    assert_eq!(doubts(&replay), [stranger]);
}

#[test]
fn an_older_log_whose_numbers_fit_is_noticed_by_its_context() {
    let mut log = filled(67, 0, 8);
    log.attach_over_old_log();
    log.activate(&[(0, 5)], Write::Whole);
    let (replay, _) = replay_log(&log, 1, 8);
    // Numbers 0 to 7 are all there, but number 1 is from before, and found extent 1000 where number 0 had put 5.
    let contradiction = Doubt::Contradiction {
        slot: AlSlot::new(0),
        number: 1,
    };
    assert_eq!(doubts(&replay), [contradiction]);
}

#[test]
fn a_table_that_was_emptied_or_resized_without_a_word_is_no_contradiction() {
    let mut log = filled(1237, 0, 11);
    log.resize_table(67);
    log.activate(&[(0, 5)], Write::Whole);
    let (replay, _) = replay_log(&log, 1, 8);
    assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
    // What was active before may still be: nothing says otherwise.
    assert_eq!(active(&replay)[0], 5);
    assert!(active(&replay).contains(&1010));
    log.reattach();
    log.activate(&[(1, 6)], Write::Whole);
    let (replay, _) = replay_log(&log, 1, 8);
    assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
    assert_eq!(active(&replay), [6]);
}

#[test]
fn numbers_wrap_around() {
    for first in (u32::MAX - 30)..=u32::MAX {
        let mut log = filled(6433, first, 31);
        let (replay, _) = replay_log(&log, 1, 8);
        assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
        assert_eq!(active(&replay), log.active());
        log.activate(&[(0, 1)], Write::Torn(0));
        assert_eq!(replay_log(&log, 1, 8).0, replay);
    }
}

/// 2^32 is no multiple of 12: numbers start over at position 0 when they have just used position 3. drbdmeta replays from the position of
/// the oldest transaction to that of the newest and misses those in between.
#[test]
fn numbers_wrap_around_in_a_ring_that_does_not_divide_them() {
    let mut log = KernelLog::new(3, 4, 1237, u32::MAX - 20);
    for i in 0..40 {
        log.activate(&[(i, u32::from(i))], Write::Whole);
        let (replay, entries) = replay_log(&log, 3, 4);
        assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
        assert_eq!(active(&replay), log.active(), "after {i}");
        let newest = entries.last().unwrap();
        assert_eq!(
            newest.content.state(),
            ring::State::Update(log.next_number().wrapping_sub(1))
        );
    }
}

/// The last number before 2^32 belongs at position 0 of a ring of 15, and so does the first after it.
#[test]
fn a_transaction_that_overwrites_the_one_before_it_may_not_be_interrupted() {
    let mut log = KernelLog::new(1, 15, 67, u32::MAX - 1);
    log.activate(&[(0, 5)], Write::Whole);
    log.activate(&[(40, 6)], Write::Whole);
    log.activate(&[(2, 7)], Write::Torn(1));
    let (replay, _) = replay_log(&log, 1, 15);
    let lost = Doubt::NewestUnknown {
        place: AlPlace::Block(0),
        number: u32::MAX,
        invalid: 1,
    };
    assert_eq!(doubts(&replay), [lost]);
}

#[test]
fn an_extent_stands_for_four_mebibytes_up_to_the_last_one() {
    for (extent, start) in [(0, 0), (3, 12 << 20), (u32::MAX, 0x003F_FFFF_FFC0_0000)] {
        let bytes = extent_range(AlExtent::new(extent));
        assert_eq!(bytes, DevPos::new(start)..DevPos::new(start + (4 << 20)));
    }
}
