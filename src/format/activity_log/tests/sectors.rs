//! The 512-byte format, the one in persistent memory, and the choice between them.

use super::*;
use crate::builder::activity_log::{SectorLog, initialised_block};

/// What a v08 superblock of an 8.3 kernel says.
fn v08(al_nr_extents: u32) -> AlArea {
    AlArea {
        format: Format::V08,
        unclean_84: false,
        striping: AlStriping::DEFAULT,
        al_nr_extents,
    }
}

/// A log of 127 slots, DRBD 8.3's default, in a ring of four sectors, after `count` transactions.
fn filled_sectors(count: u16) -> SectorLog {
    let mut log = SectorLog::new(127, 0, None);
    for i in 0..count {
        log.activate(i % 127, 500 + u32::from(i));
    }
    log
}

fn replay_sectors(log: &SectorLog, al_nr_extents: u32) -> Replay {
    let (replay, _) = replay_bytes(&v08(al_nr_extents), log.area()).unwrap();
    assert_eq!(replay.kind, AlKind::Sectors);
    replay
}

#[test]
fn sectors_are_replayed() {
    let fresh = replay_sectors(&filled_sectors(0), 127);
    assert_eq!(fresh.verdict, Verdict::Complete(Complete::Unused));
    for count in [1, 2, 3, 4, 5, 62, 126, 127, 128, 300] {
        let log = filled_sectors(count);
        let replay = replay_sectors(&log, 127);
        assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
        assert_eq!(active(&replay), log.active());
    }
}

#[test]
fn sectors_are_shown_by_number() {
    let (_, entries) = replay_bytes(&v08(127), filled_sectors(5).area()).unwrap();
    let places: Vec<AlPlace> = entries.iter().map(|entry| entry.place).collect();
    assert_eq!(places, [1, 2, 3, 0].map(AlPlace::Sector));
    assert_eq!(places[2].from_start().unwrap().get(), 3 * 512);
}

/// drbdmeta and 8.3 take a slot that is said to be free for one that nothing is said of.
#[test]
fn sectors_never_free_a_slot() {
    let mut log = filled_sectors(50);
    log.empty_table();
    for slot in 60..63 {
        log.activate(slot, 9);
    }
    let replay = replay_sectors(&log, 127);
    assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
    // Of the ring's four sectors, the oldest is number 49, which told of slots 61 to 121 and put an extent into slot 49.
    assert_eq!(active(&replay), [9, 549]);
}

#[test]
fn one_interrupted_sector_is_expected_and_two_are_not() {
    let mut log = filled_sectors(200);
    let next = log.next_sector();
    log.sector_mut(next)[300] ^= 4;
    let replay = replay_sectors(&log, 127);
    let torn = Complete::Torn {
        place: AlPlace::Sector(u64::try_from(next).unwrap()),
        number: Some(200),
    };
    assert_eq!(replay.verdict, Verdict::Complete(torn));
    assert_eq!(active(&replay), log.active());
    log.sector_mut((next + 1) % 4)[300] ^= 4;
    let replay = replay_sectors(&log, 127);
    assert!(matches!(
        doubts(&replay),
        [
            Doubt::NewestUnknown { invalid: 2, .. },
            Doubt::SlotsUnknown { .. }
        ]
    ));
}

#[test]
fn a_lost_sector_is_noticed() {
    let mut log = filled_sectors(200);
    // The one before the newest: the newest alone covers 61 slots at most.
    log.sector_mut(198 % 4).fill(7);
    let replay = replay_sectors(&log, 127);
    assert!(matches!(
        doubts(&replay),
        [Doubt::SlotsUnknown { since: 199, .. }]
    ));
}

#[test]
fn a_wrong_table_size_is_noticed() {
    let log = filled_sectors(200);
    for wrong in [0, 1, 60, 100, 126, 200, 3843] {
        let replay = replay_sectors(&log, wrong);
        assert!(
            !replay.verdict.is_complete(),
            "{wrong}: {:?}",
            replay.verdict
        );
    }
    let replay = replay_sectors(&log, u32::MAX);
    assert!(doubts(&replay).contains(&Doubt::TableTooLarge {
        al_nr_extents: u32::MAX,
        most: 3843
    }));
}

#[test]
fn newer_sectors_beyond_the_ring_are_noticed() {
    // Of four sectors, only two are in a ring for 61 slots; those two are a good log of such a ring.
    let mut bytes = vec![0; 32768];
    for (sector, number) in [(0_usize, 4), (1, 5), (2, 6)] {
        let mut log = SectorLog::new(61, number, None);
        log.activate(0, 9);
        bytes[sector * 512..][..512].copy_from_slice(&log.area()[..512]);
    }
    let (replay, _) = replay_bytes(&v08(61), &bytes).unwrap();
    let beyond = Doubt::BeyondRing {
        place: AlPlace::Sector(2),
        number: 6,
    };
    assert!(doubts(&replay).contains(&beyond));
}

#[test]
fn v07_metadata_has_sectors_whatever_they_begin_with() {
    let mut area = v08(127);
    area.format = Format::V07;
    let (replay, _) = replay_bytes(&area, &initialised_block().repeat(8)).unwrap();
    assert_eq!(replay.kind, AlKind::Sectors);
    assert_eq!(replay.verdict, Verdict::Complete(Complete::Unused));
}

#[test]
fn v08_metadata_has_blocks_where_its_magic_striping_or_blocks_say_so() {
    let kind = |change: &dyn Fn(&mut AlArea), bytes: &[u8]| {
        let mut area = v08(127);
        change(&mut area);
        replay_bytes(&area, bytes).unwrap().0.kind
    };
    let zeros = vec![0; 32768];
    let blank = initialised_block().repeat(8);
    let mut second = zeros.clone();
    second[4096..8192].copy_from_slice(&initialised_block());
    assert_eq!(kind(&|_| {}, &zeros), AlKind::Sectors);
    assert_eq!(kind(&|_| {}, &blank), AlKind::Blocks);
    assert_eq!(kind(&|_| {}, &second), AlKind::Blocks);
    assert_eq!(kind(&|area| area.unclean_84 = true, &zeros), AlKind::Blocks);
    assert_eq!(
        kind(&|area| area.striping = AlStriping::on_disk(2, 4), &zeros),
        AlKind::Blocks
    );
    assert_eq!(
        kind(&|area| area.format = Format::V09, &zeros),
        AlKind::Blocks
    );
}

/// An 8.3 kernel on metadata that newer tools made. drbdmeta says "nothing to do" here until the ninth transaction.
#[test]
fn sectors_written_over_an_initialised_log_are_found() {
    let mut log = SectorLog::new(127, 0, Some(initialised_block().repeat(8)));
    for i in 0..20 {
        log.activate(i, u32::from(i));
        let replay = replay_sectors(&log, 127);
        assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
        assert_eq!(active(&replay), log.active());
    }
}

#[test]
fn persistent_memory_has_every_slot_in_its_place() {
    let mut words = vec![u32::MAX; 8 * 1024];
    words[0] = 0x6aa6_67a6;
    for (slot, extent) in [(0, 7), (1022, 5), (1023, 3), (8190, 7)] {
        words[slot + 1] = extent;
    }
    let bytes: Vec<u8> = words.iter().copied().flat_map(u32::to_be_bytes).collect();
    let mut area = v09(1, 8);
    area.al_nr_extents = 8191;
    let (replay, entries) = replay_bytes(&area, &bytes).unwrap();
    assert_eq!(replay.kind, AlKind::Pmem);
    assert_eq!(replay.verdict, Verdict::Complete(Complete::Pmem));
    assert_eq!(active(&replay), [3, 5, 7]);
    assert_eq!(entries, []);
    // A larger log does not make the table larger.
    words.resize(65 * 1024, u32::MAX);
    (words[65534], words[65535]) = (11, 13);
    let large: Vec<u8> = words.into_iter().flat_map(u32::to_be_bytes).collect();
    let (replay, _) = replay_bytes(&v09(1, 65), &large).unwrap();
    assert_eq!(active(&replay), [3, 5, 7, 11]);
    area.al_nr_extents = 8192;
    let (replay, _) = replay_bytes(&area, &bytes).unwrap();
    let most = 8191;
    let al_nr_extents = 8192;
    assert_eq!(
        doubts(&replay),
        [Doubt::TableTooLarge {
            al_nr_extents,
            most
        }]
    );
}
