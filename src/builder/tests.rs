use proptest::prelude::*;

use super::*;
use crate::error::{Error, Expected, Field};
use crate::image::{MemImage, ReadAt, WritableFile};
use crate::units::{BitmapIndex, BmBit, NodeId, Sectors};

const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

/// Device bytes, slots, bytes per bit, stripes, their size; then what drbdmeta makes of it: `md_size_sect`, superblock, log, bitmap, usable
/// sectors.
const FLEX_INTERNAL: &str = "
    4325376       31     4096 1  8       88       4321280       4288512       4280320       8360
    1048576        1     4096 1  8       80       1044480       1011712       1007616       1968
    104857600      1     4096 1  8       80     104853504     104820736     104816640     204720
    134217728      1     4096 1  8       80     134213632     134180864     134176768     262064
    134218240      1     4096 1  8       88     134213632     134180864     134172672     262056
    1073741824     1     4096 1  8      136    1073737728    1073704960    1073672192    2097016
    1073741824     2     4096 1  8      200    1073737728    1073704960    1073639424    2096952
    1073741824     3     4096 1  8      264    1073737728    1073704960    1073606656    2096888
    1073741824     7     4096 1  8      520    1073737728    1073704960    1073475584    2096632
    1073741824    31     4096 1  8     2056    1073737728    1073704960    1072689152    2095096
    1073741824     1     4096 7 16      968    1073737728    1073278976    1073246208    2096184
    10737418240    1     4096 1  8      712   10737414144   10737381376   10737053696   20970808
    10737418240    7     4096 1  8     4552   10737414144   10737381376   10735087616   20966968
    1099511627776  1     4096 1  8    65608 1099511623680 1099511590912 1099478036480 2147418040
    1099511627776  3    65536 1  8    12360 1099511623680 1099511590912 1099505299456 2147471288
    1099511627776  3  1048576 1  8      840 1099511623680 1099511590912 1099511197696 2147482808
";

fn numbers(built: &Built) -> [u64; 5] {
    [
        built.md_size_sect().get(),
        built.md().get(),
        built.al().get(),
        built.bm().get(),
        built.usable().get(),
    ]
}

fn one(image: &mut MemImage, level: &Level) -> Built {
    let size = image.size();
    let levels = std::slice::from_ref(level);
    build(image, ImagePos::START, size, levels)
        .unwrap()
        .remove(0)
}

fn bytes<const N: usize>(image: &dyn ReadAt, at: u64) -> [u8; N] {
    let mut found = [0; N];
    image.read_exact_at(ImagePos::new(at), &mut found).unwrap();
    found
}

fn word(image: &dyn ReadAt, at: u64) -> u32 {
    u32::from_be_bytes(bytes(image, at))
}

fn misfit(result: Result<Vec<Built>>) -> (u8, Field, Expected) {
    match result {
        Err(Error::Refused(Refused::Spec { level, misfit })) => {
            (level, misfit.field, misfit.expected)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn flex_internal_positions_are_drbdmetas() {
    for row in FLEX_INTERNAL.trim().lines() {
        let row: Vec<u64> = row.split_whitespace().map(|n| n.parse().unwrap()).collect();
        let (small, peers) = (
            |n: u64| u32::try_from(n).unwrap(),
            row[1].try_into().unwrap(),
        );
        let mut image = MemImage::new(Bytes::new(row[0]));
        let level = Level::v09(peers)
            .bytes_per_bit(Bytes::new(row[2]))
            .striping(small(row[3]), small(row[4]));
        assert_eq!(numbers(&one(&mut image, &level)), row[5..], "{row:?}");
        if row[1..3] == [1, 4096] {
            let level = Level::v08().striping(small(row[3]), small(row[4]));
            assert_eq!(numbers(&one(&mut image, &level)), row[5..], "{row:?}");
        }
    }
}

#[test]
fn an_inner_resource_ends_the_outer_ones_device() {
    let stack = |size, levels: &[Level]| {
        let mut image = MemImage::new(Bytes::new(size));
        let built = build(&mut image, ImagePos::START, Bytes::new(size), levels).unwrap();
        let [_, md, al, bm, usable] = numbers(&built[1]);
        (md, al, bm, usable)
    };
    assert_eq!(
        stack(GIB, &[Level::v08(), Level::v08()]),
        (1_073_668_096, 1_073_635_328, 1_073_602_560, 2_096_880)
    );
    assert_eq!(
        stack(GIB, &[Level::v08(), Level::v09(3)]),
        (1_073_668_096, 1_073_635_328, 1_073_537_024, 2_096_752)
    );
    assert_eq!(
        stack(GIB, &[Level::v09(3), Level::v09(3)]),
        (1_073_602_560, 1_073_569_792, 1_073_471_488, 2_096_624)
    );
    assert_eq!(
        stack(10 * GIB, &[Level::v09(7), Level::v08()]),
        (10_735_083_520, 10_735_050_752, 10_734_723_072, 20_966_256)
    );
    assert_eq!(
        stack(10 * GIB, &[Level::v09(7), Level::v09(2)]),
        (10_735_083_520, 10_735_050_752, 10_734_395_392, 20_965_616)
    );
    // The outer one agreed on less than fits, and not on whole blocks.
    let smaller = Level::v08().la_size(LaSize::Exactly(Sectors::new(2_000_007)));
    let (md, ..) = stack(GIB, &[smaller, Level::v08()]);
    assert_eq!(md, (2_000_000 - 8) * 512);
}

#[test]
fn fixed_v07_positions_are_drbdmetas() {
    let v07 = |size| {
        let mut image = MemImage::new(Bytes::new(size));
        numbers(&one(&mut image, &Level::v07()))
    };
    assert_eq!(
        v07(256 * MIB),
        [262_144, 134_217_728, 134_221_824, 134_254_592, 262_144]
    );
    assert_eq!(
        v07(GIB),
        [262_144, 939_524_096, 939_528_192, 939_560_960, 1_835_008]
    );
    assert_eq!(v07(128 * MIB)[4], 0);
}

#[test]
fn external_limits_are_drbdmetas() {
    let usable = |meta: u64, placement, level: Level| {
        let mut image = MemImage::new(Bytes::new(meta));
        let meta = image.size();
        let backing = Bytes::new(1 << 50);
        let at = ImagePos::START;
        build_external(&mut image, at, meta, placement, backing, &level).unwrap()
    };
    for (meta, single, third) in [
        (MIB, 64_749_568, 21_582_848),
        (8 * MIB, 534_511_616, 178_170_368),
        (128 * MIB, 8_587_575_296, 2_862_524_928),
    ] {
        let flex = usable(meta, External::Flex, Level::v08());
        assert_eq!(numbers(&flex), [meta / 512, 0, 4096, 36_864, single]);
        let flex = usable(meta, External::Flex, Level::v09(3));
        assert_eq!(numbers(&flex), [meta / 512, 0, 4096, 36_864, third]);
    }
    let second = usable(256 * MIB, External::Indexed(1), Level::v08());
    let start = 134_217_728;
    assert_eq!(
        numbers(&second),
        [262_144, start, start + 4096, start + 36_864, 8_587_575_296]
    );
    assert_eq!(second.bm_size(), Bytes::new(134_180_864));
}

#[test]
fn the_largest_device_costs_next_to_nothing() {
    let mut image = MemImage::new(Bytes::new(1 << 50));
    let end = DevPos::new(u64::MAX);
    let slot = BitmapIndex::new(30);
    let level = Level::v09(31).dirty(slot, DevPos::new(1 << 49)..DevPos::new((1 << 49) + 1));
    let built = one(&mut image, &level);
    let md = built.md().get();
    assert_eq!(word(&image, md + 0x4c).cast_signed(), -2_080_374_848);
    // Bit 2^37: word 2^32 of the slot.
    let at = built.bm().get() + 4 * (31 * (1 << 32) + 30);
    assert_eq!(bytes(&image, at), [1, 0, 0, 0]);
    let block = image
        .next_data(ImagePos::at(built.bm().from_start()))
        .unwrap();
    assert_eq!(block.unwrap().start.get(), at / 4096 * 4096);

    // The last bit of all, and no other beyond the device's end.
    let level = Level::v09(31).dirty(slot, DevPos::at(Bytes::new(built.device().get() - 1))..end);
    let mut image = MemImage::new(Bytes::new(1 << 50));
    let built = one(&mut image, &level);
    let last = built.device().get().div_ceil(4096) - 1;
    let at = built.bm().get() + 4 * ((last / 32) * 31 + 30);
    assert_eq!(u32::from_le_bytes(bytes(&image, at)), 1 << (last % 32));
    assert_eq!(bytes(&image, at + 124), [0; 4]);
}

#[test]
fn an_image_may_be_longer_or_shorter_than_the_device_and_begin_elsewhere() {
    let backing = Bytes::new(MIB);
    let base = ImagePos::new(4096 * 7);
    let levels = [Level::v08(), Level::v08()];
    let mut longer = MemImage::new(Bytes::new(3 * MIB));
    let built = build(&mut longer, base, backing, &levels).unwrap();
    let outer = built[0].image_pos(built[0].md()).unwrap();
    let inner = built[1].image_pos(built[1].md()).unwrap();
    assert_eq!(outer.get(), 4096 * 7 + 1_044_480);
    assert_eq!(word(&longer, outer.get() + 0x3c), MAGIC_V08);
    assert_eq!(word(&longer, inner.get() + 0x3c), MAGIC_V08);

    let mut cut_off = MemImage::new(Bytes::new(inner.get() + 4096 + 100));
    assert_eq!(build(&mut cut_off, base, backing, &levels).unwrap(), built);
    let size = usize::try_from(cut_off.size().get()).unwrap();
    let (mut whole, mut part) = (vec![0; size], vec![0; size]);
    longer.read_exact_at(ImagePos::START, &mut whole).unwrap();
    cut_off.read_exact_at(ImagePos::START, &mut part).unwrap();
    assert!(whole == part);
}

#[test]
fn a_file_takes_what_memory_takes() {
    let dir = tempfile::tempdir().unwrap();
    let size = Bytes::new(9_000_000_000_000);
    let levels = [Level::v08(), Level::v08().unclean()];
    let mut file = WritableFile::create_new(&dir.path().join("9tb.img"), size).unwrap();
    let built = build(&mut file, ImagePos::START, size, &levels).unwrap();
    let mut memory = MemImage::new(size);
    assert_eq!(
        build(&mut memory, ImagePos::START, size, &levels).unwrap(),
        built
    );
    for built in built {
        let at = built.md().get();
        assert_eq!(bytes::<4096>(&file, at), bytes::<4096>(&memory, at));
        let at = built.al().get();
        assert_eq!(bytes::<4096>(&file, at), bytes::<4096>(&memory, at));
    }
}

#[test]
fn what_was_left_behind_can_be_added() {
    let mut image = MemImage::new(Bytes::new(4 * MIB));
    let level = Level::v08();
    let built = one(&mut image, &level);
    let stale = stale_superblock(&mut image, &built, Bytes::new(2 * MIB), &level).unwrap();
    assert_eq!(stale.md().get(), 2 * MIB - 4096);
    assert_eq!(bytes(&image, stale.md().get()), 4016_u64.to_be_bytes());
    assert_eq!(word(&image, stale.md().get() + 0x3c), MAGIC_V08);
    assert_eq!(
        word(&image, stale.al().get()),
        0,
        "nothing but a superblock"
    );

    erase_superblock(&mut image, &built).unwrap();
    assert_eq!(bytes::<4096>(&image, built.md().get()), [0; 4096]);
    assert_eq!(word(&image, built.al().get()), 0x69cb_65a2);

    plant_magic(&mut image, ImagePos::new(8192), MAGIC_V09).unwrap();
    plant_magic(&mut image, ImagePos::new(4096), MAGIC_V07).unwrap();
    assert_eq!(word(&image, 8192 + 60), MAGIC_V09);
    assert_eq!(word(&image, 4096 + 28), MAGIC_V07);
}

#[test]
fn what_contradicts_itself_or_its_device_is_refused_and_nothing_written() {
    let refused = |size: u64, levels: &[Level]| {
        let mut image = MemImage::new(Bytes::new(size));
        let at = ImagePos::START;
        let result = build(&mut image, at, Bytes::new(size), levels);
        assert_eq!(image.next_data(at).unwrap(), None);
        misfit(result)
    };
    let least = Expected::AtLeast;
    let (v08, v09) = (Level::v08, Level::v09);
    let between = Expected::Between;
    let size = Field::DeviceSize;
    assert_eq!(refused(39_000, &[v08()]), (0, size, least(40_960)));
    assert_eq!(refused(80_000, &[v08(), v08()]), (1, size, least(40_960)));
    assert_eq!(refused(MIB, &[Level::v07()]), (0, size, least(134_217_728)));
    let peers = (0, Field::BmMaxPeers, between(1, 31));
    assert_eq!(refused(MIB, &[v09(0)]), peers);
    assert_eq!(refused(MIB, &[v09(32)]), peers);
    let coarse = |level: Level| refused(MIB, &[level.bytes_per_bit(Bytes::new(8192))]);
    let only = Expected::PowerOfTwo(4096, 4096);
    assert_eq!(coarse(v08()), (0, Field::BmBytesPerBit, only));
    let blocks = (0, Field::AlBlocks, between(8, 4_194_304));
    assert_eq!(refused(MIB, &[v08().striping(1, 7)]), blocks);
    let log = v08().activity_log(&vec![0; 32_769]);
    assert_eq!(
        refused(MIB, &[log]),
        (0, Field::AlBlocks, Expected::AtMost(8))
    );
    let slot = v09(3).dirty(BitmapIndex::new(3), DevPos::START..DevPos::new(1));
    let at_most = |most| Expected::AtMost(most);
    assert_eq!(refused(MIB, &[slot]), (0, Field::BitmapSlot, at_most(2)));
    let words = v08().words(BitmapIndex::new(0), BmBit::new(1024 * 32), &[1]);
    assert_eq!(
        refused(MIB, &[words]),
        (0, Field::BitmapWords, at_most(1024))
    );
    let node = v09(1).peer(NodeId::new(32), Peer::default());
    assert_eq!(refused(MIB, &[node]), (0, Field::NodeId, at_most(31)));
}

#[test]
fn only_the_default_striping_fits_where_the_size_is_fixed() {
    let mut image = MemImage::new(Bytes::new(128 * MIB));
    let meta = image.size();
    let level = Level::v08().striping(2, 4);
    let (at, placement) = (ImagePos::START, External::Indexed(0));
    let result = build_external(&mut image, at, meta, placement, meta, &level);
    let result = misfit(result.map(|built| vec![built]));
    assert_eq!(result, (0, Field::AlStripes, Expected::Exactly(1)));
}

proptest! {
    #[test]
    fn levels_never_overlap_and_stay_on_blocks(
        size in 200_000_u64..(1 << 50),
        outer in 1_u8..=31,
        inner in 1_u8..=31,
        shift in 12_u32..=20,
        stripes in 1_u32..=8,
    ) {
        let size = Bytes::new(size);
        let mut image = MemImage::new(size);
        let coarse = Level::v09(inner).bytes_per_bit(Bytes::new(1 << shift));
        let levels = [Level::v09(outer).striping(stripes, 8), coarse];
        if let Ok(all) = build(&mut image, ImagePos::START, size, &levels) {
            let mut end = size.get();
            for built in &all {
                let md_size = built.md_size_sect().get() * 512;
                prop_assert_eq!(built.bm().get() + md_size, end / 4096 * 4096);
                prop_assert_eq!(built.bm().get() + built.bm_size().get(), built.al().get());
                prop_assert_eq!(built.al().get() + built.al_size().get(), built.md().get());
                prop_assert_eq!(built.bm().get() % 4096, 0);
                prop_assert_eq!(built.device().get(), built.bm().get());
                end = built.device().get();
            }
        } else {
            prop_assert!(size.get() < 20 * MIB, "{size}");
        }
    }
}
