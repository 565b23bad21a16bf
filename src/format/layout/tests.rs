use proptest::prelude::*;

use super::*;
use crate::units::range_len;

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

fn geometry(max_peers: u32, bytes_per_bit: u32) -> MdGeometry {
    MdGeometry {
        max_peers,
        bytes_per_bit,
        al: AlStriping::DEFAULT,
    }
}

fn planned(index: MdIndex, geometry: MdGeometry, device: u64) -> MdLayout {
    MdLayout::planned(index, geometry, Bytes::new(device)).unwrap()
}

/// `md_size_sect`, superblock, log, bitmap, usable sectors.
fn numbers(layout: &MdLayout) -> (u64, u64, u64, u64, u64) {
    (
        layout.md_size.get(),
        layout.md.get(),
        layout.al.start.get(),
        layout.bm.start.get(),
        layout.usable.get(),
    )
}

/// Numbers that drbdmeta was seen to write: the device's bytes, `max_peers`, bytes per bit; `md_size_sect`, superblock, log, bitmap, usable
/// sectors.
const FLEX_INTERNAL: &str = "
    1048576 1 4096 80 1044480 1011712 1007616 1968
    104857600 1 4096 80 104853504 104820736 104816640 204720
    134217728 1 4096 80 134213632 134180864 134176768 262064
    134218240 1 4096 88 134213632 134180864 134172672 262056
    1073741824 1 4096 136 1073737728 1073704960 1073672192 2097016
    1073741824 2 4096 200 1073737728 1073704960 1073639424 2096952
    1073741824 3 4096 264 1073737728 1073704960 1073606656 2096888
    1073741824 7 4096 520 1073737728 1073704960 1073475584 2096632
    1073741824 31 4096 2056 1073737728 1073704960 1072689152 2095096
    10737418240 1 4096 712 10737414144 10737381376 10737053696 20970808
    10737418240 7 4096 4552 10737414144 10737381376 10735087616 20966968
    1099511627776 1 4096 65608 1099511623680 1099511590912 1099478036480 2147418040
    1099511627776 3 65536 12360 1099511623680 1099511590912 1099505299456 2147471288
    1099511627776 3 1048576 840 1099511623680 1099511590912 1099511197696 2147482808
    1048576 3 4096 80 1044480 1011712 1007616 1968
";

#[test]
fn flex_internal_layouts_are_drbdmetas() {
    let rows: Vec<&str> = FLEX_INTERNAL.trim().lines().collect();
    assert_eq!(rows.len(), 15);
    for row in rows {
        let values: Vec<u64> = row
            .split_whitespace()
            .map(|value| value.parse().unwrap())
            .collect();
        let &[device, peers, granularity, md_size, md, al, bm, usable] = values.as_slice() else {
            panic!("{row}")
        };
        let geometry = geometry(peers.try_into().unwrap(), granularity.try_into().unwrap());
        let layout = planned(MdIndex::FlexInternal, geometry, device);
        assert_eq!(numbers(&layout), (md_size, md, al, bm, usable), "{row}");
    }
}

#[test]
fn a_striped_log_moves_the_bitmap() {
    let al = AlStriping {
        stripes: 7,
        stripe_size_4k: 16,
    };
    let layout = planned(
        MdIndex::FlexInternal,
        MdGeometry {
            al,
            ..geometry(1, 4096)
        },
        GIB,
    );
    assert_eq!(
        numbers(&layout),
        (968, 1_073_737_728, 1_073_278_976, 1_073_246_208, 2_096_184)
    );
}

#[test]
fn fixed_internal_layouts_are_drbdmetas() {
    let layout = planned(MdIndex::Internal, MdGeometry::DEFAULT, 256 * MIB);
    assert_eq!(
        numbers(&layout),
        (262_144, 134_217_728, 134_221_824, 134_254_592, 262_144)
    );
    let layout = planned(MdIndex::Internal, MdGeometry::DEFAULT, GIB);
    assert_eq!(
        numbers(&layout),
        (262_144, 939_524_096, 939_528_192, 939_560_960, 1_835_008)
    );
    let exactly = planned(MdIndex::Internal, MdGeometry::DEFAULT, 128 * MIB);
    assert_eq!(exactly.usable, Sectors::ZERO);
    assert!(
        MdLayout::planned(
            MdIndex::Internal,
            MdGeometry::DEFAULT,
            Bytes::new(128 * MIB - 1)
        )
        .is_err()
    );
}

#[test]
fn external_layouts_are_drbdmetas() {
    let usable = |peers, device| {
        planned(MdIndex::FlexExternal, geometry(peers, 4096), device)
            .usable
            .get()
    };
    assert_eq!((usable(1, MIB), usable(3, MIB)), (64_749_568, 21_582_848));
    assert_eq!(
        (usable(1, 8 * MIB), usable(3, 8 * MIB)),
        (534_511_616, 178_170_368)
    );
    assert_eq!(
        (usable(1, 128 * MIB), usable(3, 128 * MIB)),
        (8_587_575_296, 2_862_524_928)
    );
    let second = planned(MdIndex::Indexed(1), MdGeometry::DEFAULT, 256 * MIB);
    assert_eq!(
        numbers(&second),
        (
            262_144,
            134_217_728,
            134_221_824,
            134_254_592,
            8_587_575_296
        )
    );
    assert!(
        MdLayout::planned(
            MdIndex::Indexed(2),
            MdGeometry::DEFAULT,
            Bytes::new(256 * MIB)
        )
        .is_err()
    );
    let striped = MdGeometry {
        al: AlStriping {
            stripes: 2,
            stripe_size_4k: 8,
        },
        ..MdGeometry::DEFAULT
    };
    assert!(MdLayout::planned(MdIndex::Indexed(0), striped, Bytes::new(GIB)).is_err());
}

/// An inner device's metadata, from the size of the outer device around it.
#[test]
fn a_stacked_device_has_its_superblock_where_drbd_was_seen_to_put_it() {
    let outer = planned(MdIndex::FlexInternal, geometry(1, 4096), GIB);
    let inner_device = outer.usable.to_bytes().unwrap();
    let inner = |peers| {
        planned(
            MdIndex::FlexInternal,
            geometry(peers, 4096),
            inner_device.get(),
        )
    };
    assert_eq!(
        numbers(&inner(1)),
        (136, 1_073_668_096, 1_073_635_328, 1_073_602_560, 2_096_880)
    );
    assert_eq!(
        (inner(3).bm.start.get(), inner(3).usable.get()),
        (1_073_537_024, 2_096_752)
    );
    let outer = planned(MdIndex::FlexInternal, geometry(7, 4096), 10 * GIB)
        .usable
        .to_bytes()
        .unwrap();
    let inner = planned(MdIndex::FlexInternal, geometry(2, 4096), outer.get());
    assert_eq!(
        (inner.md.get(), inner.bm.start.get(), inner.usable.get()),
        (10_735_083_520, 10_734_395_392, 20_965_616)
    );
}

#[test]
fn one_pebibyte_and_31_slots_still_fit() {
    let layout = planned(MdIndex::FlexInternal, geometry(31, 4096), 1 << 50);
    let distance = layout
        .md
        .bytes_since(layout.bm.start)
        .unwrap()
        .to_sectors_exact()
        .unwrap();
    assert_eq!(distance.get(), 2_080_374_848);
    assert!(
        MdLayout::planned(
            MdIndex::FlexInternal,
            geometry(1, 4096),
            Bytes::new((1 << 50) + 512)
        )
        .is_err()
    );
}

#[test]
fn bad_geometry_is_named() {
    let field = |geometry: MdGeometry, format| geometry.check(format).unwrap_err().field;
    assert_eq!(field(geometry(0, 4096), Format::V09), Field::BmMaxPeers);
    assert_eq!(field(geometry(32, 4096), Format::V09), Field::BmMaxPeers);
    assert_eq!(field(geometry(1, 0), Format::V09), Field::BmBytesPerBit);
    assert_eq!(field(geometry(1, 5000), Format::V09), Field::BmBytesPerBit);
    assert_eq!(field(geometry(1, 8192), Format::V08), Field::BmBytesPerBit);
    assert_eq!(
        field(geometry(1, 2 << 20), Format::V09),
        Field::BmBytesPerBit
    );
    let striping = |stripes, stripe_size_4k| MdGeometry {
        al: AlStriping {
            stripes,
            stripe_size_4k,
        },
        ..MdGeometry::DEFAULT
    };
    assert_eq!(field(striping(0, 8), Format::V09), Field::AlStripes);
    assert_eq!(field(striping(1, 0), Format::V09), Field::AlStripeSize4k);
    assert_eq!(field(striping(1, 7), Format::V09), Field::AlBlocks);
    assert_eq!(
        field(striping(u32::MAX, u32::MAX), Format::V09),
        Field::AlBlocks
    );
    assert!(geometry(31, 1 << 20).check(Format::V09).is_ok());
}

fn any_geometry() -> impl Strategy<Value = MdGeometry> {
    (1..=31_u32, 12..=20_u32, 1..=4_u32, 8..=64_u32).prop_map(
        |(max_peers, shift, stripes, stripe_size_4k)| MdGeometry {
            max_peers,
            bytes_per_bit: 1 << shift,
            al: AlStriping {
                stripes,
                stripe_size_4k,
            },
        },
    )
}

proptest! {
    #[test]
    fn internal_regions_are_disjoint_aligned_and_inside(geometry in any_geometry(), device in 64 * KIB..(1 << 50)) {
        let Ok(layout) = MdLayout::planned(MdIndex::FlexInternal, geometry, Bytes::new(device)) else {
            prop_assert!(device < 64 * MIB, "only small devices have no room");
            return Ok(());
        };
        prop_assert_eq!((layout.bm.end, layout.al.end), (layout.al.start, layout.md));
        prop_assert!(layout.whole.end.get() <= device && device - layout.whole.end.get() < 4096);
        for start in [layout.bm.start, layout.al.start, layout.md] {
            prop_assert_eq!(start.get() % 4096, 0);
        }
        prop_assert_eq!(layout.usable.to_bytes(), Some(layout.bm.start.from_start()));
        prop_assert!(geometry.bitmap_capacity(range_len(&layout.bm)).unwrap() >= layout.usable);
    }

    #[test]
    fn external_capacity_is_the_most_that_the_area_holds(geometry in any_geometry(), device in MIB..GIB) {
        let layout = planned(MdIndex::FlexExternal, geometry, device);
        prop_assert!(geometry.bitmap_size(layout.usable).unwrap() <= range_len(&layout.bm));
        if layout.usable < MAX_DEVICE {
            // One 64-bit word of each slot more would no longer fit.
            let word = Bytes::new(u64::from(geometry.bytes_per_bit) * 64).to_sectors_floor();
            let more = layout.usable.checked_add(word).unwrap();
            prop_assert!(geometry.bitmap_size(more).unwrap() > range_len(&layout.bm).align_down(MD_BLOCK));
        }
    }
}
