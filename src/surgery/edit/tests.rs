//! Edits against a model that holds every bit by itself.

mod grain;

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
