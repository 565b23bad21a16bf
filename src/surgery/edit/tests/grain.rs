//! Slots of another granularity, number or size, bit by bit.

use super::*;

/// The old bits in the new granularity, one by one.
fn model(bits: &[bool], old: u64, new: u64, la_size: u64) -> Vec<bool> {
    let sectors = |bytes: u64| bytes / 512;
    let count = la_size.div_ceil(sectors(new));
    (0..count)
        .map(|bit| {
            let range = bit * new..(bit + 1) * new;
            let first = usize::try_from(range.start / old).unwrap();
            let last = usize::try_from((range.end - 1) / old).unwrap();
            (first..=last).any(|at| bits.get(at).copied().unwrap_or(false))
        })
        .collect()
}

fn some_bits(seed: &[(u16, bool)], count: usize) -> Vec<bool> {
    let mut bits = Vec::new();
    for (len, set) in seed.iter().cycle() {
        bits.extend(std::iter::repeat_n(*set, usize::from(*len) + 1));
        if bits.len() >= count {
            break;
        }
    }
    bits.truncate(count);
    bits
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(cases(2000)))]

    #[test]
    fn a_regrained_slot_has_the_bits_that_cover_what_was_out_of_sync(
        seed in prop::collection::vec((0_u16..3000, any::<bool>()), 1..12),
        // From one word to more than a piece of them.
        la_size in prop_oneof![1_u64..3000, 1_u64..100_000],
        old in 0_u32..9,
        new in 0_u32..9,
    ) {
        let (old, new) = (4096_u32 << old, 4096_u32 << new);
        let header = v09(1, old, la_size);
        let count = usize::try_from(header.geometry.bits(header.la_size).unwrap()).unwrap();
        let slots = Bits(vec![some_bits(&seed, count)]);
        let edited = edit(&header, &slots, &[Change::BytesPerBit(new)]).unwrap();
        let expected = model(&slots.0[0], old.into(), new.into(), la_size);
        let found = read(&edited, &slots, 0);
        prop_assert_eq!(&found[..expected.len()], &expected[..]);
        prop_assert!(found[expected.len()..].iter().all(|bit| !bit), "bits beyond the end");
        // All slots together are rounded up to 4 KiB.
        prop_assert_eq!(found.len() % (4096 * 8), 0);
    }

    #[test]
    fn slots_keep_their_bits_whatever_their_number_and_granularity(
        seeds in prop::collection::vec(prop::collection::vec((0_u16..500, any::<bool>()), 1..6), 1..6),
        slots in 1_u32..=31,
        la_size in 1_u64..20_000,
        grains in prop_oneof![Just((0_u32, 0_u32)), (0_u32..9, 0_u32..9)],
    ) {
        let before = u32::try_from(seeds.len()).unwrap();
        let (old, new) = (4096_u32 << grains.0, 4096_u32 << grains.1);
        let header = v09(before, old, la_size);
        let count = usize::try_from(header.geometry.bits(header.la_size).unwrap()).unwrap();
        let bits = Bits(seeds.iter().map(|seed| some_bits(seed, count)).collect());
        let more = Change::MaxPeers { slots, new: NewSlots::Auto };
        let edited = edit(&header, &bits, &[more, Change::BytesPerBit(new)]).unwrap();
        for slot in 0..u8::try_from(slots).unwrap() {
            // Slot 0 is a peer's; 1 is the first free one.
            let like = if u32::from(slot) < before { Some(usize::from(slot)) } else if before > 1 { Some(1) } else { None };
            let like = like.map_or_else(|| vec![true; count], |like| bits.0[like].clone());
            let expected = model(&like, old.into(), new.into(), la_size);
            let found = read(&edited, &bits, slot);
            prop_assert_eq!(&found[..expected.len()], &expected[..], "slot {}", slot);
            prop_assert!(found[expected.len()..].iter().all(|bit| !bit), "bits beyond the end");
        }
    }

    #[test]
    fn a_larger_device_has_what_is_added_out_of_sync(
        seed in prop::collection::vec((0_u16..300, any::<bool>()), 1..6),
        old in 1_u64..30_000,
        new in 1_u64..60_000,
    ) {
        let header = v09(1, 4096, old);
        let count = |size: u64| usize::try_from(size.div_ceil(8)).unwrap();
        let slots = Bits(vec![some_bits(&seed, count(old))]);
        let edited = edit(&header, &slots, &[Change::LaSize(Sectors::new(new))]).unwrap();
        let found = read(&edited, &slots, 0);
        for (at, bit) in found.iter().enumerate() {
            let expected = at < count(new) && slots.0[0].get(at).copied().unwrap_or(true);
            prop_assert_eq!(*bit, expected, "bit {}", at);
        }
        prop_assert!(found.len() >= count(new));
    }
}
