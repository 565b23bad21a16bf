//! Edits against a model that holds every bit by itself.

use proptest::prelude::*;

use super::*;
use crate::error::Error;
use crate::format::layout::{AlStriping, MdGeometry};
use crate::format::metadata::{
    Bitmap, GenerationV08, HISTORY_UUIDS, NODE_IDS, PeerV09, Run, SlotWords,
};
use crate::test_cases::cases;

/// Slots as bits, given in runs of a few words.
struct Bits(Vec<Vec<bool>>);

struct Words {
    words: Vec<u32>,
    at: usize,
}

impl SlotWords for Words {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        let Some(word) = self.words.get(self.at).copied() else {
            return Ok(None);
        };
        let rest = &self.words[self.at..];
        let same = rest.iter().take_while(|other| **other == word).count();
        if same >= 4 {
            self.at += same;
            let count = u64::try_from(same).unwrap();
            return Ok(Some(Run::Repeat { count, word }));
        }
        let from = self.at;
        self.at = (from + 3).min(self.words.len());
        Ok(Some(Run::Words(&self.words[from..self.at])))
    }
}

fn packed(bits: &[bool]) -> Vec<u32> {
    bits.chunks(32)
        .map(|chunk| {
            chunk
                .iter()
                .enumerate()
                .fold(0, |word, (at, set)| word | u32::from(*set) << at)
        })
        .collect()
}

impl SlotSource for Bits {
    fn open(&self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        let words = packed(&self.0[usize::from(slot.get())]);
        Ok(Box::new(Words { words, at: 0 }))
    }
}

/// All bits of an edited slot.
fn read(edited: &Edited, slots: &Bits, slot: u8) -> Vec<bool> {
    let mut bitmap = edited.bitmap(slots);
    let mut words = bitmap.slot(BitmapIndex::new(slot)).unwrap();
    let mut found = Vec::new();
    while let Some(run) = words.next_run().unwrap() {
        match run {
            Run::Words(words) => {
                for word in words {
                    found.extend((0..32).map(|bit| word >> bit & 1 == 1));
                }
            }
            Run::Repeat { count, word } => {
                for _ in 0..count {
                    found.extend((0..32).map(|bit| word >> bit & 1 == 1));
                }
            }
        }
    }
    found
}

fn v09(max_peers: u32, bytes_per_bit: u32, la_size: u64) -> Header {
    let free = PeerV09 {
        bitmap_index: -1,
        bitmap_uuid: Uuid(0xDA0),
        bitmap_dagtag: 3,
        flags: PeerFlags(0),
    };
    let mut peers = [free; NODE_IDS];
    peers[0].bitmap_uuid = Uuid::NONE;
    peers[1] = PeerV09 {
        bitmap_index: 0,
        bitmap_uuid: Uuid(0xB10),
        bitmap_dagtag: 7,
        flags: PeerFlags(0x10010),
    };
    Header {
        geometry: MdGeometry {
            max_peers,
            bytes_per_bit,
            al: AlStriping::DEFAULT,
        },
        la_size: Sectors::new(la_size),
        al_nr_extents: 1237,
        al_state: AlState::Clean,
        generation: Generation::V09(Box::new(GenerationV09 {
            node_id: 0,
            current_uuid: Uuid(0xC10),
            flags: DeviceFlags(0x491),
            members: 3,
            peers,
            history_uuids: [Uuid::NONE; HISTORY_UUIDS],
            device_uuid: Uuid(0xD),
            la_peer_max_bio_size: 1 << 20,
        })),
    }
}

fn v08(la_size: u64) -> Header {
    Header {
        generation: Generation::V08(GenerationV08 {
            uuids: [Uuid(0xC10), Uuid(0xB10), Uuid(0xA10), Uuid(0x910)],
            flags: DeviceFlags(0x9D),
            device_uuid: Uuid(0xD),
            la_peer_max_bio_size: 1 << 20,
        }),
        ..v09(1, 4096, la_size)
    }
}

fn edit_with(header: &Header, slots: &Bits, force: bool, changes: &[Change]) -> Result<Edited> {
    let mut next = 0x1000;
    let mut random = || {
        next += 0x10;
        Ok(next)
    };
    let mut needs = Needs {
        slots,
        random: &mut random,
        force,
    };
    Edited::new(header, changes, &mut needs)
}

fn edit(header: &Header, slots: &Bits, changes: &[Change]) -> Result<Edited> {
    edit_with(header, slots, false, changes)
}

fn refused(answer: Result<Edited>) -> ChangeRefusal {
    let error: Error = answer.unwrap_err();
    let refusal: Option<&ChangeRefusal> = error.refusal();
    refusal.cloned().unwrap_or_else(|| panic!("{error}"))
}

fn generation(edited: &Edited) -> &GenerationV09 {
    match &edited.header.generation {
        Generation::V09(generation) => generation,
        other => panic!("{other:?}"),
    }
}

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

#[test]
fn a_slot_of_a_peer_is_not_dropped() {
    let slots = Bits(vec![vec![false; 100]; 3]);
    let mut header = v09(3, 4096, 800);
    if let Generation::V09(generation) = &mut header.generation {
        generation.peers[7].bitmap_index = 2;
    }
    let fewer = |slots| Change::MaxPeers {
        slots,
        new: NewSlots::Auto,
    };
    let expected = ChangeRefusal::SlotInUse {
        slot: BitmapIndex::new(2),
        node: NodeId::new(7),
        slots: 2,
    };
    assert_eq!(refused(edit(&header, &slots, &[fewer(2)])), expected);
    let forgotten = [Change::Forget(NodeId::new(7)), fewer(2)];
    assert!(edit(&header, &slots, &forgotten).is_ok());
}

#[test]
fn a_forgotten_peer_s_slot_is_what_a_free_one_is() {
    let marked = |at: usize| (0..100).map(|bit| bit == at).collect::<Vec<_>>();
    let header = v09(3, 4096, 800);
    let node = NodeId::new(1);
    let agreeing = Bits(vec![marked(5), marked(9), marked(9)]);
    let edited = edit(&header, &agreeing, &[Change::Forget(node)]).unwrap();
    assert_eq!(read(&edited, &agreeing, 0)[..100], marked(9)[..]);
    let entry = generation(&edited).peers[1];
    assert_eq!((entry.bitmap_index, entry.bitmap_uuid), (-1, Uuid(0xDA0)));
    assert_eq!((entry.bitmap_dagtag, entry.flags.0), (3, 0));

    let differing = Bits(vec![marked(5), marked(9), marked(8)]);
    let edited = edit(&header, &differing, &[Change::Forget(node)]).unwrap();
    for slot in 0..3 {
        assert_eq!(read(&edited, &differing, slot)[..100], [true; 100]);
    }
    let none_free = Bits(vec![marked(5)]);
    let edited = edit(&v09(1, 4096, 800), &none_free, &[Change::Forget(node)]).unwrap();
    assert_eq!(read(&edited, &none_free, 0)[..100], [true; 100]);
    let again = [Change::Forget(node), Change::Forget(node)];
    assert_eq!(
        refused(edit(&header, &agreeing, &again)),
        ChangeRefusal::HasNoSlot { node }
    );
}

#[test]
fn a_new_generation_is_what_the_kernel_makes() {
    let slots = Bits(vec![vec![false; 100]]);
    let change = [Change::NewGeneration { clear_bitmap: true }];
    let edited = edit(&v09(1, 4096, 800), &slots, &change).unwrap();
    let after = generation(&edited);
    assert_eq!(after.current_uuid, Uuid(0x1010));
    assert!(
        after.peers[1..]
            .iter()
            .all(|peer| peer.bitmap_uuid == Uuid(0xC10))
    );
    // Pushed one after the other, by node id: the day-0 UUID of the last is the newest.
    assert_eq!(
        after.history_uuids[..3],
        [Uuid(0xDA0), Uuid(0xB10), Uuid::NONE]
    );
    assert_eq!(
        after.peers[0].bitmap_uuid,
        Uuid::NONE,
        "the own entry stays"
    );

    let edited = edit(&v08(800), &slots, &change).unwrap();
    let Generation::V08(after) = edited.header.generation else {
        panic!("v08");
    };
    assert_eq!(
        after.uuids,
        [Uuid(0x1010), Uuid(0xC10), Uuid(0xB10), Uuid(0xA10)]
    );
    assert_eq!(after.flags, DeviceFlags(0x9D), "8.4 leaves the flags");
}

#[test]
fn bits_are_not_cleared_unless_forced() {
    let slots = Bits(vec![(0..100).map(|bit| bit % 50 == 0).collect()]);
    let change = [Change::NewGeneration { clear_bitmap: true }];
    let header = v09(1, 4096, 800);
    let expected = ChangeRefusal::BitsLost {
        lost: vec![LostBits {
            slot: BitmapIndex::new(0),
            bits: 2,
            bytes: crate::units::Bytes::new(8192),
        }],
        size: false,
    };
    assert_eq!(refused(edit(&header, &slots, &change)), expected);
    let edited = edit_with(&header, &slots, true, &change).unwrap();
    assert!(read(&edited, &slots, 0).iter().all(|bit| !bit));
}

#[test]
fn a_generation_is_not_made_of_what_is_inconsistent_or_unclean() {
    let slots = Bits(vec![vec![false; 100]]);
    let change = [Change::NewGeneration {
        clear_bitmap: false,
    }];
    let mut header = v08(800);
    header.al_state = AlState::Unclean;
    assert_eq!(
        refused(edit(&header, &slots, &change)),
        ChangeRefusal::Unclean
    );
    let mut header = v08(800);
    if let Generation::V08(generation) = &mut header.generation {
        generation.flags = DeviceFlags(0x90);
    }
    assert_eq!(
        refused(edit(&header, &slots, &change)),
        ChangeRefusal::Inconsistent
    );
}

#[test]
fn v08_to_v09_and_back_is_the_same() {
    let slots = Bits(vec![(0..100).map(|bit| bit % 7 == 0).collect()]);
    let (own, peer) = (NodeId::new(2), NodeId::new(5));
    let there = Change::ToV09 {
        node_id: own,
        peer,
        max_peers: 4,
    };
    let back = Change::ToV08 {
        peer,
        merge_slots: false,
    };
    let header = v08(800);
    let edited = edit(&header, &slots, std::slice::from_ref(&there)).unwrap();
    assert_eq!(read(&edited, &slots, 0)[..100], slots.0[0][..]);
    assert_eq!(read(&edited, &slots, 3)[..100], [true; 100]);
    // What v08 could not know, it lacks; so the others' bits keep it from going back unasked.
    let answer = edit(&header, &slots, &[there.clone(), back]);
    assert!(matches!(refused(answer), ChangeRefusal::OtherSlots { .. }));
    let one = Change::ToV09 {
        node_id: own,
        peer,
        max_peers: 1,
    };
    let back = Change::ToV08 {
        peer,
        merge_slots: false,
    };
    let edited = edit(&header, &slots, &[one, back]).unwrap();
    assert_eq!(edited.header, header);
    assert_eq!(read(&edited, &slots, 0)[..100], slots.0[0][..]);
}

#[test]
fn a_clone_is_nobody_s_peer() {
    let slots = Bits(vec![vec![false; 100]; 2]);
    let change = Change::Rebrand {
        generation: Rebrand::Keep,
        node_id: None,
    };
    let edited = edit(&v09(2, 4096, 800), &slots, &[change]).unwrap();
    let after = generation(&edited);
    assert_eq!((after.node_id, after.current_uuid), (-1, Uuid(0xC10)));
    assert_ne!(after.device_uuid, Uuid(0xD));
    assert!(after.peers.iter().all(|peer| peer.bitmap_index == -1));
    let fresh = Change::Rebrand {
        generation: Rebrand::Fresh,
        node_id: Some(NodeId::new(9)),
    };
    let edited = edit(&v09(2, 4096, 800), &slots, &[fresh]).unwrap();
    let after = generation(&edited);
    assert_eq!(after.node_id, 9);
    assert!(after.current_uuid.names_a_generation() && after.current_uuid != Uuid(0xC10));
    assert!(after.history_uuids.iter().all(|uuid| *uuid == Uuid::NONE));
}
