//! What holds for every history.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// What may happen to a log.
#[derive(Clone, Debug)]
enum Event {
    Activate(Vec<(u16, u32)>),
    Context,
    Resize(u16),
    Reattach,
}

fn event() -> impl Strategy<Value = Event> {
    let change = (any::<u16>(), 0..5000_u32);
    prop_oneof![
        20 => vec(change, 1..=64).prop_map(Event::Activate),
        1 => Just(Event::Context),
        1 => (1..7000_u16).prop_map(Event::Resize),
        1 => Just(Event::Reattach),
    ]
}

/// A log of a table that fits its ring, somewhere in its life, and the layout.
fn log() -> impl Strategy<Value = (KernelLog, u32, u32)> {
    let number = prop_oneof![Just(0), (u32::MAX - 40)..=u32::MAX, any::<u32>()];
    let start = (1..=4_u32, 2..=9_u32, 1..9000_u16, number);
    (start, vec(event(), 0..40)).prop_map(|((stripes, stripe_size_4k, size, number), events)| {
        let blocks = stripes * stripe_size_4k;
        let most = u16::try_from((blocks - 1) * 919).unwrap();
        let mut size = size.min(most);
        let mut log = KernelLog::new(stripes, stripe_size_4k, size, number);
        for event in events {
            match event {
                Event::Activate(mut changes) => {
                    for (slot, _) in &mut changes {
                        *slot %= size;
                    }
                    log.activate(&changes, Write::Whole);
                }
                Event::Context => log.write_context_everywhere(),
                Event::Resize(new) => {
                    size = new.min(most);
                    log.resize_table(size);
                }
                Event::Reattach => log.reattach(),
            }
        }
        (log, stripes, stripe_size_4k)
    })
}

/// Whether numbers just started over in mid-ring, or are about to. The kernel then overwrites transactions before their time, and with them
/// what only they tell.
fn started_over(log: &KernelLog, blocks: u32) -> bool {
    log.next_number().wrapping_add(1) <= blocks && !(1_u64 << 32).is_multiple_of(u64::from(blocks))
}

/// Whether every extent of `some` is in `all`.
fn contains(all: &[u32], some: &[u32]) -> bool {
    some.iter().all(|extent| all.binary_search(extent).is_ok())
}

proptest! {
    #[test]
    fn an_undamaged_log_tells_the_whole_table((log, stripes, stripe_size_4k) in log()) {
        let (replay, entries) = replay_log(&log, stripes, stripe_size_4k);
        let complete = replay.verdict.is_complete();
        let started_over = started_over(&log, stripes * stripe_size_4k);
        prop_assert!(complete || started_over, "{:?}", replay.verdict);
        prop_assert!(!complete || contains(&active(&replay), &log.active()));
        prop_assert_eq!(entries.len(), log.area().len() / 4096);
    }

    #[test]
    fn an_interrupted_transaction_changes_nothing(
        (mut log, stripes, stripe_size_4k) in log(),
        extent in 6000..7000_u32,
        sectors in 0..8_usize,
    ) {
        log.activate(&[(0, extent)], Write::Torn(sectors));
        let (replay, _) = replay_log(&log, stripes, stripe_size_4k);
        if replay.invalid == 0 {
            // The sectors that were not written would not have changed.
            prop_assert!(sectors == 0 || active(&replay).contains(&extent));
        } else {
            let complete = replay.verdict.is_complete();
            let started_over = started_over(&log, stripes * stripe_size_4k);
            prop_assert!(complete || started_over, "{:?}", replay.verdict);
            prop_assert!(!complete || contains(&active(&replay), &log.active()));
        }
    }

    #[test]
    fn a_complete_verdict_never_lacks_an_extent(
        (mut log, stripes, stripe_size_4k) in log(),
        damaged in vec(any::<prop::sample::Index>(), 1..6),
    ) {
        let blocks = log.area().len() / 4096;
        let damaged: std::collections::BTreeSet<usize> =
            damaged.into_iter().map(|block| block.index(blocks)).collect();
        for block in &damaged {
            log.block_mut(*block)[9] ^= 1;
        }
        let (replay, _) = replay_log(&log, stripes, stripe_size_4k);
        // One block alone, the newest transaction's, cannot be told from the next one's, interrupted.
        let newest = log.block_of(log.next_number().wrapping_sub(1));
        let alone = damaged.len() == 1 && damaged.contains(&newest);
        if replay.verdict.is_complete() && !alone {
            prop_assert!(contains(&active(&replay), &log.active()));
        }
    }

    #[test]
    fn any_bytes_have_an_answer(
        mut bytes in vec(any::<u8>(), 8 * 4096),
        valid in any::<u8>(),
        unclean_84 in any::<bool>(),
        al_nr_extents in any::<u32>(),
    ) {
        for (i, block) in bytes.chunks_exact_mut(4096).enumerate() {
            if valid & (1 << i) != 0 {
                block[..4].copy_from_slice(&0x69cb_65a2_u32.to_be_bytes());
                crate::builder::activity_log::seal(block);
            }
        }
        for format in [Format::V07, Format::V08, Format::V09] {
            let area = AlArea { format, unclean_84, striping: AlStriping::DEFAULT, al_nr_extents };
            let (replay, _) = replay_bytes(&area, &bytes).unwrap();
            prop_assert!(!replay.is_initialised());
        }
    }
}
