//! What holds of any two replicas, whatever their metadata says.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::format::metadata::{
    Generation, GenerationV08, GenerationV09, HISTORY_UUIDS, Header, NODE_IDS, PeerV09,
};
use crate::format::superblock::{AlState, DeviceFlags, PeerFlags, Uuid};
use crate::terms::MdGeometry;
use crate::units::Sectors;
use crate::verdict::check::Kernel;
use crate::verdict::handshake::{
    Decision, Log, Loss, Mark, NetOptions, Options, Pair, Protocol, Replica, SideOptions, compare,
};

/// Few generations, so that they meet.
fn uuid() -> impl Strategy<Value = Uuid> {
    prop_oneof![
        3 => Just(0_u64),
        1 => Just(4),
        6 => (1_u64..6, 0_u64..2).prop_map(|(number, primary)| number << 20 | primary),
        1 => (1_u64..6).prop_map(|number| (number << 20) + (1 << 48)),
    ]
    .prop_map(Uuid)
}

fn flags() -> impl Strategy<Value = u32> {
    prop_oneof![
        Just(0x11_u32),
        Just(0x51),
        Just(0x01),
        Just(0x13),
        0_u32..0x800
    ]
}

fn size() -> impl Strategy<Value = Sectors> {
    prop_oneof![
        4 => Just(32_688_u64),
        1 => Just(0),
        1 => Just(32_768),
        1 => 1_u64..100_000,
    ]
    .prop_map(Sectors::new)
}

fn peer() -> impl Strategy<Value = PeerV09> {
    let flags = prop_oneof![Just(0_u32), Just(0x10), Just(0x1_0000), 0_u32..0x20];
    (-1_i32..3, uuid(), flags).prop_map(|(bitmap_index, bitmap_uuid, flags)| PeerV09 {
        bitmap_index,
        bitmap_uuid,
        bitmap_dagtag: 0,
        flags: PeerFlags(flags),
    })
}

fn v08() -> impl Strategy<Value = Generation> {
    (vec(uuid(), 4), flags()).prop_map(|(uuids, flags)| {
        Generation::V08(GenerationV08 {
            uuids: uuids.try_into().unwrap(),
            flags: DeviceFlags(flags),
            device_uuid: Uuid::NONE,
            la_peer_max_bio_size: 0,
        })
    })
}

fn v09(node_id: i32) -> impl Strategy<Value = Generation> {
    (uuid(), flags(), vec(peer(), 4), vec(uuid(), 3)).prop_map(
        move |(current_uuid, flags, some, past)| {
            let mut peers = [PeerV09 {
                bitmap_index: -1,
                bitmap_uuid: Uuid::NONE,
                bitmap_dagtag: 0,
                flags: PeerFlags(0),
            }; NODE_IDS];
            peers[..4].copy_from_slice(&some);
            let mut history_uuids = [Uuid::NONE; HISTORY_UUIDS];
            history_uuids[..3].copy_from_slice(&past);
            Generation::V09(Box::new(GenerationV09 {
                node_id,
                current_uuid,
                flags: DeviceFlags(flags),
                members: 0,
                peers,
                history_uuids,
                device_uuid: Uuid::NONE,
                la_peer_max_bio_size: 0,
            }))
        },
    )
}

fn replica(generation: impl Strategy<Value = Generation> + 'static) -> BoxedStrategy<Replica> {
    let capacity = proptest::option::of(size());
    (
        generation,
        size(),
        capacity,
        prop_oneof![9 => vec(0_u64..4, 3), 1 => Just(Vec::new())],
        any::<bool>(),
    )
        .prop_map(|(generation, la_size, capacity, slots, unclean)| Replica {
            header: Header {
                geometry: MdGeometry {
                    max_peers: if matches!(generation, Generation::V09(_)) {
                        3
                    } else {
                        1
                    },
                    ..MdGeometry::DEFAULT
                },
                la_size,
                al_nr_extents: 257,
                al_state: if unclean {
                    AlState::Unclean
                } else {
                    AlState::Clean
                },
                generation,
            },
            capacity,
            last_bits: slots.first().map_or(0, |bits| *bits.min(&1)),
            slots,
            refusals: Vec::new(),
            flags: crate::verdict::handshake::FlagsTold::Known,
            log: if unclean { Log::Missing } else { Log::Applied },
        })
        .boxed()
}

fn pair() -> BoxedStrategy<(Replica, Replica)> {
    prop_oneof![
        (replica(v08()), replica(v08())),
        (replica(v09(0)), replica(v09(1))),
        (replica(v09(1)), replica(v09(3))),
        (replica(v09(-1)), replica(v09(1))),
        (replica(v09(-1)), replica(v09(-1))),
        (replica(v08()), replica(v09(1))),
        (replica(v08()), replica(v09(-1))),
    ]
    .boxed()
}

fn side() -> BoxedStrategy<SideOptions> {
    let none = prop_oneof![
        Just("disconnect"),
        Just("discard-younger-primary"),
        Just("discard-older-primary"),
        Just("discard-zero-changes"),
        Just("discard-least-changes"),
    ];
    let one = prop_oneof![
        Just("disconnect"),
        Just("consensus"),
        Just("discard-secondary"),
        Just("call-pri-lost-after-sb"),
        Just("violently-as0p"),
    ];
    let two = prop_oneof![Just("disconnect"), Just("violently-as0p")];
    let conflict = prop_oneof![Just("disconnect"), Just("violently"), Just("auto-discard")];
    let policies = (none, one, two, conflict, any::<bool>());
    (any::<bool>(), any::<bool>(), policies)
        .prop_map(|(primary, discard, (none, one, two, conflict, always))| {
            let mut net = NetOptions {
                discard_my_data: discard,
                allow_two_primaries: true,
                always_asbp: always,
                ..NetOptions::default()
            };
            net.set("after-sb-0pri", none).unwrap();
            net.set("after-sb-1pri", one).unwrap();
            net.set("after-sb-2pri", two).unwrap();
            net.set("rr-conflict", conflict).unwrap();
            SideOptions { primary, net }
        })
        .boxed()
}

/// Mostly with the same policies, as DRBD insists.
fn sides() -> impl Strategy<Value = [SideOptions; 2]> {
    (side(), side(), 0..8).prop_map(|(a, mut b, often)| {
        if often > 0 {
            b.net = NetOptions {
                discard_my_data: b.net.discard_my_data && !a.net.discard_my_data,
                ..a.net.clone()
            };
        }
        [a, b]
    })
}

fn options() -> BoxedStrategy<Options> {
    let protocol = prop_oneof![Just(Protocol::A), Just(Protocol::C)];
    let size = proptest::option::of(size());
    let kernel = prop_oneof![
        4 => Just(None),
        1 => Just(Some(Kernel::V8_4)),
        1 => Just(Some(Kernel::V9_0)),
        2 => Just(Some(Kernel::V9_3)),
    ];
    (kernel, protocol, size, any::<Option<bool>>(), sides())
        .prop_map(|(kernel, protocol, size, quorum, sides)| Options {
            kernel,
            protocol,
            size,
            quorum,
            sides,
        })
        .boxed()
}

/// All that is said of a pair, in no order; where it is turned, as from the other side.
fn said(pair: &Pair, turned: bool) -> Vec<String> {
    let turn = |mut loss: Loss| {
        if let Loss::OneDiscarded { bits } = &mut loss
            && turned
        {
            bits.reverse();
        }
        format!("{loss:?}")
    };
    let lost = pair.lost.iter().copied().map(turn);
    let notes = pair.notes.iter().map(|note| format!("{note:?}"));
    let refused = pair.refused_by.iter().map(|why| format!("{why:?}"));
    let steps = pair.steps.iter().map(|step| format!("{step:?}"));
    let mut all: Vec<String> = lost.chain(notes).chain(refused).chain(steps).collect();
    if turned {
        for text in &mut all {
            let (one, other) = ("side: 1", "side: 0");
            *text = text
                .replace(one, "side: -")
                .replace(other, one)
                .replace("side: -", other);
        }
    }
    all.sort();
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(2048)))]

    #[test]
    fn either_order_tells_the_same((a, b) in pair(), options in options()) {
        let mut turned = options.clone();
        turned.sides.reverse();
        let (one, other) = (compare(&a, &b, &options), compare(&b, &a, &turned));
        prop_assert_eq!(one.family, other.family);
        prop_assert_eq!(one.mirrored, other.mirrored);
        prop_assert_eq!(one.arbitrary, other.arbitrary);
        prop_assert_eq!(one.is_fine(), other.is_fine(), "{:?} {:?}", one, other);
        prop_assert_eq!(one.rule, other.sides[1].rule);
        prop_assert_eq!(one.decision.connects(), other.decision.connects());
        prop_assert_eq!(one.otherwise.is_some(), other.otherwise.is_some());
        if !one.arbitrary {
            prop_assert_eq!(said(&one, true), said(&other, false));
        }
        let same = a.header == b.header && a.slots == b.slots;
        if one.mirrored && !(one.arbitrary && same) {
            prop_assert_eq!(one.decision.mirrored(), other.decision);
            let marks = |pair: &crate::verdict::handshake::Pair| pair.marks.as_ref().map(|marks| marks.sides);
            let turned = marks(&other).map(|[a, b]| [b, a]);
            prop_assert_eq!(marks(&one), turned);
        }
    }

    #[test]
    fn what_does_not_connect_sends_nothing_and_says_why((a, b) in pair(), options in options()) {
        let pair = compare(&a, &b, &options);
        if !pair.decision.connects() {
            prop_assert!(pair.marks.is_none());
            prop_assert!(!pair.is_fine());
        }
        prop_assert_eq!(pair.decision == Decision::Refused && pair.refused_by.is_empty(), false);
        if let Some(marks) = &pair.marks && pair.decision.is_full() {
            prop_assert!(marks.sides.contains(&Mark::All));
        }
    }
}
