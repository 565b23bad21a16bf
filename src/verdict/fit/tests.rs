//! DRBD's own numbers, and the two directions held against each other.

use proptest::prelude::*;

use super::*;
use crate::terms::AlStriping;

fn shape(max_peers: u32, bytes_per_bit: u32, al: AlStriping) -> Shape {
    Shape {
        format: Format::V09,
        geometry: MdGeometry {
            max_peers,
            bytes_per_bit,
            al,
        },
        external: false,
    }
}

/// Sizes that drbdmeta makes, as LINBIT's formulas and the tool have them: disk, slots, bytes per bit, `md_size_sect`, DRBD device.
const MADE: [(u64, u32, u32, u64, u64); 14] = [
    (1 << 20, 1, 4096, 80, 1968),
    (100 << 20, 1, 4096, 80, 204_720),
    (128 << 20, 1, 4096, 80, 262_064),
    ((128 << 20) + 512, 1, 4096, 88, 262_056),
    (1 << 30, 1, 4096, 136, 2_097_016),
    (1 << 30, 2, 4096, 200, 2_096_952),
    (1 << 30, 3, 4096, 264, 2_096_888),
    (1 << 30, 7, 4096, 520, 2_096_632),
    (1 << 30, 31, 4096, 2056, 2_095_096),
    (10 << 30, 1, 4096, 712, 20_970_808),
    (10 << 30, 7, 4096, 4552, 20_966_968),
    (1 << 40, 1, 4096, 65_608, 2_147_418_040),
    (1 << 40, 3, 65_536, 12_360, 2_147_471_288),
    (1 << 40, 3, 1 << 20, 840, 2_147_482_808),
];

#[test]
fn a_disk_leaves_what_drbd_makes_of_it() {
    for (disk, slots, per_bit, md_size, usable) in MADE {
        let room = shape(slots, per_bit, AlStriping::DEFAULT)
            .leaves(Bytes::new(disk))
            .unwrap();
        assert_eq!(
            room.usable,
            Sectors::new(usable),
            "{disk} {slots} {per_bit}"
        );
        assert_eq!(room.layout.unwrap().md_size, Sectors::new(md_size));
    }
    let al = AlStriping {
        stripes: 7,
        stripe_size_4k: 16,
    };
    let room = shape(1, 4096, al).leaves(Bytes::new(1 << 30)).unwrap();
    assert_eq!(room.usable, Sectors::new(2_096_184));
}

#[test]
fn what_is_too_large_needs_no_disk() {
    let shape = shape(1, 4096, AlStriping::DEFAULT);
    assert_eq!(shape.needs(MAX_DEVICE, SECTOR_SIZE), None);
    assert_eq!(shape.needs(Sectors::new(u64::MAX), SECTOR_SIZE), None);
    assert!(shape.leaves(Bytes::new(4096)).is_err());
    assert_eq!(shape.needs(Sectors::new(1), SECTOR_SIZE), Some(LEAST_DISK));
}

#[test]
fn no_disk_is_named_that_no_kernel_attaches() {
    let shape = shape(1, 4096, AlStriping::DEFAULT);
    // What the smallest disk leaves, and a sector more.
    let most = Sectors::new(1968);
    assert_eq!(shape.leaves(LEAST_DISK).unwrap().usable, most);
    assert_eq!(shape.needs(most, SECTOR_SIZE), Some(LEAST_DISK));
    let more = Bytes::new((1 << 20) + 4096);
    assert_eq!(shape.needs(Sectors::new(1969), SECTOR_SIZE), Some(more));
    let odd = Bytes::new(3 * (128 << 10));
    assert_eq!(
        shape.needs(Sectors::new(1), odd),
        Some(Bytes::new(9 * (128 << 10)))
    );
}

#[test]
fn a_page_of_bitmap_more_may_leave_less() {
    let shape = shape(1, 4096, AlStriping::DEFAULT);
    let net = Sectors::new(262_064);
    assert_eq!(shape.needs(net, SECTOR_SIZE), Some(Bytes::new(128 << 20)));
    // A unit of more than that disk has to leave as much.
    let rounded = shape.needs(net, Bytes::new((128 << 20) + 512)).unwrap();
    assert!(shape.leaves(rounded).unwrap().usable >= net);
    assert_eq!(rounded, Bytes::new(2 * ((128 << 20) + 512)));
}

#[test]
fn external_metadata_takes_nothing_of_the_disk() {
    let shape = Shape {
        external: true,
        ..shape(3, 4096, AlStriping::DEFAULT)
    };
    let room = shape.leaves(Bytes::new((1 << 30) + 513)).unwrap();
    assert_eq!(room.usable, Sectors::new(2_097_153));
    assert_eq!(room.meta, Some(LEAST_DISK));
    let meta = shape.meta(Sectors::new(178_170_368)).unwrap();
    let made = MdLayout::planned(MdIndex::FlexExternal, shape.geometry, meta).unwrap();
    assert!(made.usable >= Sectors::new(178_170_368));
    assert!(meta <= Bytes::new(8 << 20));
}

/// `drbd_capacity_to_on_disk_bm_sect` and `drbd_md_set_sector_offsets` (`drbd_nl.c`), written out: the first sector of the bitmap.
fn first_bitmap_sector(capacity: u64, slots: u64, per_bit: u64, log_blocks: u64) -> Option<u64> {
    let bits = capacity.div_ceil(per_bit / 512).next_multiple_of(64);
    let bitmap = (bits / 8 * slots).next_multiple_of(4096) / 512;
    (capacity & !7).checked_sub(8 + 8 * log_blocks + bitmap)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(512)))]

    #[test]
    fn a_disk_leaves_what_the_kernel_s_formula_says(
        sectors in prop_oneof![136_u64..1 << 23, 1_u64 << 23..1 << 37],
        slots in 1_u32..32,
        shift in 12_u32..21,
        stripes in 1_u32..9,
        blocks in 8_u32..65,
    ) {
        let al = AlStriping { stripes, stripe_size_4k: blocks };
        let shape = shape(slots, 1 << shift, al);
        let log = u64::from(stripes * blocks);
        let first = first_bitmap_sector(sectors, u64::from(slots), 1 << shift, log);
        let room = shape.leaves(Bytes::new(sectors * 512)).ok();
        prop_assert_eq!(room.map(|room| room.usable), first.map(Sectors::new));
    }

    #[test]
    fn there_and_back_never_needs_a_larger_disk(
        disk in prop_oneof![1_u64 << 20..1 << 32, 1_u64 << 32..1 << 46],
        slots in 1_u32..32,
        shift in 12_u32..21,
        stripes in 1_u32..9,
        blocks in 8_u32..65,
    ) {
        let al = AlStriping { stripes, stripe_size_4k: blocks };
        let shape = shape(slots, 1 << shift, al);
        if let Ok(room) = shape.leaves(Bytes::new(disk)) && room.usable > Sectors::ZERO {
            let needed = shape.needs(room.usable, SECTOR_SIZE).unwrap();
            prop_assert!(needed <= Bytes::new(disk));
            prop_assert!(shape.leaves(needed).unwrap().usable >= room.usable);
            let less = needed.checked_sub(MD_BLOCK).unwrap();
            let enough = shape.leaves(less).is_ok_and(|room_less| room_less.usable >= room.usable);
            prop_assert!(!enough || needed == LEAST_DISK);
            let extent = Bytes::new(4 << 20);
            let extents = shape.needs(room.usable, extent).unwrap();
            prop_assert_eq!(extents.align_down(extent), extents);
            prop_assert!(shape.leaves(extents).unwrap().usable >= room.usable);
        }
    }
}
