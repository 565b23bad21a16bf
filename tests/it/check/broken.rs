//! Each rule, broken by one thing, gives just that finding.

use std::collections::BTreeSet;

use mdtool::builder::activity_log::{KernelLog, Write, initialised_block};
use mdtool::builder::{External, LaSize, Level, Peer, stale_superblock};
use mdtool::image::{MemImage, ReadAt, WriteAt};
use mdtool::survey::locate::ScanMode;
use mdtool::units::{BitmapIndex, BmBit, Bytes, DevPos, ImagePos, NodeId, Sectors};
use mdtool::verdict::check::{Severity, rules};

use super::{DATA, MIB, Made};

/// Broken metadata, the rule that it breaks, and what each kernel answers to that.
type Case = (&'static str, Option<[u16; 4]>, fn() -> Made);

const V08: Option<[u16; 4]> = Some([119, 0, 0, 119]);
const V09: Option<[u16; 4]> = Some([0, 119, 119, 119]);
const ALL: Option<[u16; 4]> = Some([119; 4]);

fn v08(level: Level) -> Made {
    Made::stack(64 * MIB, &[level])
}

fn good_v08() -> Made {
    v08(Level::v08())
}

fn good_v09() -> Made {
    Made::stack(64 * MIB, &[Level::v09(3)])
}

/// What a superblock's word is plus a little.
fn plus(made: Made, at: u64, by: i32) -> Made {
    let mut word = [0; 4];
    let place = made.built[0].md().get() + at;
    made.image
        .read_exact_at(ImagePos::new(place), &mut word)
        .unwrap();
    let value = i32::from_be_bytes(word).wrapping_add(by);
    made.word(0, at, value.cast_unsigned())
}

fn sized(level: Level, more_than_fits: u64) -> Made {
    let usable = Made::stack(64 * MIB, std::slice::from_ref(&level)).built[0].usable();
    v08(level.la_size(LaSize::Exactly(Sectors::new(usable.get() + more_than_fits))))
}

/// A log that a kernel wrote, whose newest transactions are lost.
pub(crate) fn lost_log() -> Vec<u8> {
    let mut log = KernelLog::new(1, 8, 300, 0);
    for extent in 0..12 {
        log.activate(&[(extent, u32::from(extent))], Write::Whole);
    }
    let mut area = log.area().to_vec();
    let newest = log.block_of(log.next_number() - 1);
    area[newest * 4096 + 40] ^= 1;
    let next = log.block_of(log.next_number());
    area[next * 4096 + 40] ^= 1;
    area
}

fn whole_log() -> Vec<u8> {
    let mut log = KernelLog::new(1, 8, 300, 0);
    log.activate(&[(0, 3)], Write::Whole);
    log.area().to_vec()
}

fn spotted_log() -> Vec<u8> {
    let mut area = initialised_block().repeat(8);
    area[3 * 4096 + 9] ^= 1;
    area[5 * 4096 + 9] ^= 1;
    area
}

/// The superblock of an ext4 of so many blocks of 4 KiB.
fn ext4(mut made: Made, blocks: u32) -> Made {
    made.put(1024 + 0x38, &0xEF53_u16.to_le_bytes());
    made.put(1024 + 4, &blocks.to_le_bytes());
    made.put(1024 + 0x18, &2_u32.to_le_bytes());
    made
}

/// The superblock of an XFS that is larger than any disk: its damage is none of DRBD's.
fn absurd_xfs(mut made: Made) -> Made {
    made.put(0, b"XFSB\0\0\x10\0\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF");
    made
}

fn longer(made: &Made, size: u64) -> Made {
    let mut image = MemImage::new(Bytes::new(size));
    let mut bytes = vec![0; made.image.size().to_usize().unwrap()];
    made.image
        .read_exact_at(ImagePos::START, &mut bytes)
        .unwrap();
    image.write_all_at(ImagePos::START, &bytes).unwrap();
    Made {
        image,
        built: made.built.clone(),
        scan: ScanMode::Auto,
    }
}

fn with_stale(levels: &[Level], stale: &Level) -> Made {
    let mut made = Made::stack(64 * MIB, levels);
    stale_superblock(&mut made.image, &made.built[0], Bytes::new(16 * MIB), stale).unwrap();
    made.scan = ScanMode::Full;
    made
}

fn all_exist() -> Level {
    let exists = Peer {
        flags: 0x1_0000,
        ..Peer::default()
    };
    (1..32).fold(Level::v09(3), |level, node| {
        level.peer(NodeId::new(node), exists)
    })
}

const GEOMETRY: &[Case] = &[
    ("apply-al-needed", Some([165; 4]), || {
        v08(Level::v08().unclean())
    }),
    ("apply-al-needed", Some([0, 165, 165, 165]), || {
        v08(Level::v09(3).unclean())
    }),
    ("format-v07", ALL, || {
        Made::stack(256 * MIB, &[Level::v07()])
    }),
    ("bytes-per-bit-v08", V08, || good_v08().word(0, 80, 8192)),
    ("bytes-per-bit", V09, || good_v09().word(0, 80, 4097)),
    ("bytes-per-bit-9.3", Some([0, 119, 119, 0]), || {
        v08(Level::v09(3).bytes_per_bit(Bytes::new(65536)))
    }),
    ("al-striping-half", V09, || good_v09().word(0, 96, 0)),
    ("al-striping-half", V08, || good_v08().word(0, 92, 0)),
    ("al-size", V09, || good_v09().word(0, 100, 7)),
    ("al-size", V08, || good_v08().word(0, 88, 0x8000_0000)),
    ("max-peers", V09, || good_v09().word(0, 88, 33)),
    ("bm-offset-after-log", V09, || plus(good_v09(), 76, 8 * 8)),
    ("al-offset", V08, || good_v08().word(0, 68, 16)),
    ("bm-offset-in-log", V09, || {
        Made::external(2 * MIB, External::Flex, &Level::v09(1)).word(0, 76, 64)
    }),
    ("indexed-layout", V08, || {
        Made::external(256 * MIB, External::Indexed(0), &Level::v08()).word(0, 76, 80)
    }),
    ("indexed-layout", Some([0, 0, 0, 119]), || {
        let level = Level::v08().striping(0, 0);
        Made::external(256 * MIB, External::Indexed(0), &level)
    }),
    ("md-size", V08, || good_v08().word(0, 64, 0x7FFF_FFFF)),
    ("md-size-leaves-device", V08, || plus(good_v08(), 64, 8)),
    ("md-size-leaves-device", V08, || {
        good_v08().word(0, 76, 0x8000_0000)
    }),
    ("al-area", V08, || plus(good_v08(), 68, -8)),
    ("al-area", V09, || good_v09().word(0, 100, 9)),
    ("bm-offset-unaligned", V08, || plus(good_v08(), 76, -1)),
    ("bitmap-area", Some([119, 0, 0, 119]), || {
        let size = LaSize::Exactly(Sectors::new(1 << 30));
        v08(Level::v08().flags(0x90).la_size(size))
    }),
    ("bitmap-area", Some([0, 0, 119, 119]), || {
        let size = LaSize::Exactly(Sectors::new(1 << 30));
        v08(Level::v09(3).flags(0x90).la_size(size))
    }),
    ("node-id", V09, || good_v09().word(0, 92, 40)),
    ("own-bitmap-slot", V09, || good_v09().word(0, 92, 1)),
    ("bitmap-slot-range", V09, || {
        good_v09().word(0, 112 + 9 * 32 + 20, 77)
    }),
    ("bitmap-slot-range", V09, || {
        good_v09().word(0, 112 + 32 + 20, 0xFFFF_FFFE)
    }),
    ("no-bitmap-slots", Some([0, 122, 122, 122]), || {
        v08(Level::v09(1).peer(NodeId::new(1), Peer::default())).word(0, 88, 0)
    }),
    ("device-too-small", Some([112, 0, 0, 112]), || {
        Made::stack(600 * 1024, &[Level::v08()])
    }),
    ("implicit-shrink", Some([170, 0, 0, 170]), || {
        sized(Level::v08(), 8)
    }),
    ("implicit-shrink", Some([0, 170, 170, 170]), || {
        sized(Level::v09(3), 8)
    }),
];

const MORE: &[Case] = &[
    ("layout", None, || {
        let size = LaSize::Exactly(Sectors::new(1000));
        plus(v08(Level::v08().la_size(size)), 76, -8)
    }),
    ("layout", None, || {
        let size = LaSize::Exactly(Sectors::new(1000));
        v08(Level::v09(3).la_size(size)).word(0, 88, 32)
    }),
    ("layout", None, || plus(good_v08(), 64, -8)),
    ("layout-8.9.1", None, || {
        let level = Level::v09(31).la_size(LaSize::Exactly(Sectors::new(1000)));
        let made = Made::stack(4_325_376, &[level]).word(0, 64, 80);
        made.word(0, 76, (-72_i32).cast_unsigned())
    }),
    ("al-striping-unset", None, || {
        v08(Level::v08().striping(0, 0))
    }),
    ("la-size-clipped", None, || {
        sized(Level::v08().flags(0x90), 8)
    }),
    ("la-size-unset", None, || {
        v08(Level::v08().la_size(LaSize::Zero))
    }),
    ("flags-unset", None, || v08(Level::v08().flags(0x80))),
    ("full-sync-flags", None, || v08(Level::v08().flags(0x199))),
    (
        "al-disabled-slots",
        None,
        || v08(Level::v09(3).flags(0x191)),
    ),
    ("al-disabled-crashed", None, || {
        v08(Level::v08().flags(0x1D1))
    }),
    ("node-exists-everywhere", None, || v08(all_exist())),
    ("flags-unknown", None, || {
        v08(Level::v09(3).flags(0x8000_0091))
    }),
    ("flex-external-slots", None, || {
        Made::external(MIB, External::Flex, &Level::v09(3))
    }),
    ("internal-beyond-128-tib", None, || {
        Made::stack((128 << 40) + 4096, &[Level::v09(1)])
    }),
    ("slot-twice", None, || {
        good_v09().word(0, 112 + 9 * 32 + 20, 0)
    }),
    ("current-uuid-unset", None, || {
        v08(Level::v08().current_uuid(0))
    }),
    ("bitmap-uuid-fresh", None, || {
        v08(Level::v08().current_uuid(4).bitmap_uuid(0x1234))
    }),
    ("day0-uuids-differ", None, || {
        good_v09().wide(0, 112 + 20 * 32, 5)
    }),
    ("day0-current", None, || {
        v08(Level::v09(3).history_uuids(&[]))
    }),
    ("al-unusable", None, || {
        v08(Level::v09(3).flags(0x93).activity_log(&[0; 32768]))
    }),
    ("al-incomplete", None, || {
        v08(Level::v09(3)
            .flags(0x13)
            .unclean()
            .activity_log(&lost_log()))
    }),
    ("al-not-initialised", None, || {
        v08(Level::v09(3).activity_log(&[0; 32768]))
    }),
    ("al-damaged", None, || {
        v08(Level::v09(3).activity_log(&spotted_log()))
    }),
    ("al-not-empty", None, || {
        v08(Level::v09(3).activity_log(&whole_log()))
    }),
    ("bits-beyond-end", None, || {
        let size = LaSize::Exactly(Sectors::new(8 * 1001));
        v08(Level::v08()
            .la_size(size)
            .words(BitmapIndex::new(0), BmBit::new(992), &[0xFFFF_FE00]))
    }),
    ("bits-without-uuid", None, || {
        v08(Level::v08().dirty(BitmapIndex::new(0), DevPos::START..DevPos::new(9000)))
    }),
    ("last-extent", None, || {
        Made::stack(1024 * MIB, &[Level::v08().flags(0x93)])
    }),
    ("not-where-drbd-looks", ALL, || {
        longer(&good_v08(), 80 * MIB)
    }),
    ("outer-grown", ALL, || {
        let size = LaSize::Exactly(Sectors::new(100_000));
        let made = Made::stack(64 * MIB, &[Level::v08().la_size(size), Level::v08()]);
        made.wide(0, 0, 110_000)
    }),
    ("outer-shrunk", ALL, || {
        Made::stack(64 * MIB, &[Level::v08(), Level::v08()]).wide(0, 0, 110_000)
    }),
    ("outer-size-unset", None, || {
        let outer = Level::v08().la_size(LaSize::Zero).history_uuids(&[]);
        Made::stack(64 * MIB, &[outer, Level::v08()])
    }),
    ("stale-copy", None, || {
        with_stale(&[Level::v08()], &Level::v08())
    }),
    ("leftover", None, || {
        let other = Level::v08()
            .device_uuid(1)
            .current_uuid(0x77)
            .history_uuids(&[]);
        with_stale(&[Level::v08(), Level::v08()], &other)
    }),
    ("data-cut-off", None, || ext4(good_v08(), 16 * 1024)),
    ("seeded", None, || {
        let unset = u32::MAX;
        let made = Made::stack(64 * MIB, &[Level::v09(3).history_uuids(&[])]);
        made.wide(0, 0, 0)
            .word(0, 92, unset)
            .word(0, 112 + 32 + 20, unset)
            .word(0, 112 + 2 * 32 + 20, unset)
            .word(0, 112 + 3 * 32 + 20, unset)
    }),
    ("free-slots-differ", None, || {
        let gone = |level: Level, node| {
            let exists = Peer {
                flags: 0x1_0000,
                ..Peer::default()
            };
            level.peer(NodeId::new(node), exists)
        };
        let level = gone(gone(Level::v09(3), 2), 3);
        v08(level.words(BitmapIndex::new(2), BmBit::new(0), &[0xFF]))
    }),
    ("last-64-bits", None, || {
        let size = LaSize::Exactly(Sectors::new(512 * 200));
        let level = Level::v08().la_size(size).bitmap_uuid(0x1234);
        v08(level.words(BitmapIndex::new(0), BmBit::new(12_800 - 32), &[1 << 31]))
    }),
    ("al-disabled-primary", None, || {
        v08(Level::v08().flags(0x193))
    }),
    ("blank-up-to-date", None, || {
        let mut made = good_v08();
        made.put(DATA, &[0]);
        made
    }),
    ("magic-erased", ALL, || good_v08().word(0, 60, 0)),
    ("magic-erased", ALL, || good_v09().word(0, 60, 0)),
    ("magic-overwritten", ALL, || {
        good_v08().word(0, 60, 0x1174_026B)
    }),
    ("magic-overwritten", ALL, || {
        good_v09().word(0, 60, 0x1174_026D)
    }),
    ("superblock-gone", None, || {
        let mut made = good_v08();
        made.put(made.built[0].md().get(), &[0; 4096]);
        made
    }),
    ("change-interrupted", ALL, || {
        good_v08().word(0, 60, u32::from_be_bytes(*b"mdU\x6B"))
    }),
    ("retired", ALL, || {
        good_v09().word(0, 60, u32::from_be_bytes(*b"mdR\x6D"))
    }),
    ("retired-copy", None, || {
        let mut made = with_stale(&[Level::v08()], &Level::v08());
        made.put(16 * MIB - 4096 + 60, b"mdR\x6B");
        made
    }),
    ("created-over", None, || {
        let fresh = Level::v08().current_uuid(4).history_uuids(&[]);
        with_stale(&[fresh], &Level::v08().device_uuid(1))
    }),
];

#[test]
fn each_rule_broken_gives_that_finding_and_no_other() {
    let (mut seen, mut wrong) = (BTreeSet::new(), Vec::new());
    for (i, (id, attach, make)) in GEOMETRY.iter().chain(MORE).enumerate() {
        let made = make();
        let mut found = made.found();
        // A log that is incomplete matters only where it is unclean.
        if *id == "al-incomplete" {
            found.retain(|found| found.id != "apply-al-needed");
        }
        match found.as_slice() {
            [only] if (only.id, only.attach) == (*id, *attach) => {}
            _ => wrong.push(format!("case {i}, {id} {attach:?}: {found:#?}")),
        }
        seen.insert(*id);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let all: BTreeSet<&str> = rules().map(|rule| rule.id).collect();
    assert_eq!(seen, all, "every rule has a case");
}

/// What was broken above is in order otherwise.
#[test]
fn what_the_cases_start_from_is_in_order() {
    for made in [
        good_v08(),
        good_v09(),
        Made::stack(64 * MIB, &[Level::v08(), Level::v09(3)]),
        Made::external(2 * MIB, External::Flex, &Level::v09(1)),
        Made::external(256 * MIB, External::Indexed(0), &Level::v08()),
        ext4(good_v08(), 16 * 1024 - 10),
        absurd_xfs(good_v08()),
        Made::stack(128 << 40, &[Level::v09(1)]),
        Made::stack((128 << 40) + 4096, &[Level::v08()]),
    ] {
        assert_eq!(made.found(), []);
    }
}

/// An unclean superblock with wrong offsets is refused as unclean first.
#[test]
fn kernels_stop_at_their_first_refusal() {
    let made = plus(v08(Level::v08().unclean()), 76, -1);
    let found = made.found();
    let ids: Vec<_> = found.iter().map(|found| found.id).collect();
    assert_eq!(ids, ["bm-offset-unaligned", "apply-al-needed"]);
    assert!(found[0].severity == Severity::Error && found[1].severity == Severity::Warning);
}
