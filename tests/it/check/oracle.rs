//! Damaged superblocks: drbdmeta for an oracle, and no bytes that make a check stop.

use mdtool::builder::{External, Level, build, build_external};
use mdtool::format::layout::MdIndex;
use mdtool::format::superblock::Superblock;
use mdtool::image::{ImageFile, MemImage, ReadAt, Window, WritableFile, WriteAt};
use mdtool::survey::locate::{IndexChoice, LocateOptions, ScanMode, locate};
use mdtool::units::{Bytes, DevPos, ImagePos, NodeId};
use mdtool::verdict::check::{Candidate, CheckOptions, attach, check, in_place};
use proptest::prelude::*;
use proptest::sample::select;

use super::MIB;
use crate::support::{Drbdmeta, patch, scratch};

/// Words of a superblock that someone's rule looks at, and what may be written there.
fn patches() -> impl Strategy<Value = (u64, u32)> {
    let at = prop_oneof![
        select(vec![64_u64, 68, 72, 76, 80, 84, 88, 92, 96, 100]),
        select(vec![112_u64 + 20, 112 + 52, 112 + 84, 112 + 9 * 32 + 20]),
        (0_u64..40).prop_map(|word| 100 + 4 * word),
    ];
    let value = prop_oneof![
        select(vec![
            0_u32, 1, 2, 3, 7, 8, 9, 31, 32, 33, 64, 72, 77, 80, 128, 4096, 8192, 65536
        ]),
        select(vec![
            0x7FFF_FFFF,
            0x8000_0000,
            0xFFFF_FFFF,
            0xFFFF_FFFE,
            0xFFFF_FFC0,
            0xFFFF_FF80
        ]),
        any::<u32>(),
    ];
    (at, value)
}

/// Whether our judgement of what stands at a place is that drbdmeta refuses it.
fn we_say_refused(path: &std::path::Path, index: IndexChoice) -> bool {
    let image = ImageFile::open(path).unwrap();
    let device = Window::whole(&image);
    let options = LocateOptions {
        index,
        scan: ScanMode::Never,
        ..LocateOptions::default()
    };
    let located = locate(device, &options).unwrap();
    let in_place = in_place(device, &located, index).unwrap();
    let judged = check(device, &located, &in_place, CheckOptions::default()).unwrap();
    judged.first().unwrap().drbdmeta.is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::test_cases::cases(150), max_shrink_iters: 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_drbdmeta_refuses_is_said_to_be_refused(
        v09 in any::<bool>(),
        placement in select(vec![None, Some(External::Flex), Some(External::Indexed(0))]),
        (at, value) in patches(),
    ) {
        let Some(drbdmeta) = Drbdmeta::new() else { return Ok(()) };
        // A granularity that drbdmeta 9.22 does not know is 9.33's.
        prop_assume!(!(at == 80 && v09 && value.is_power_of_two()));
        let dir = scratch();
        let path = dir.path().join("patched.img");
        let size = Bytes::new(130 * MIB);
        let mut file = WritableFile::create_new(&path, size).unwrap();
        let (format, level) = if v09 { ("v09", Level::v09(3).node_id(NodeId::new(0))) } else { ("v08", Level::v08()) };
        let (built, index, words) = match placement {
            None => {
                let built = build(&mut file, ImagePos::START, size, &[level]).unwrap().remove(0);
                (built, IndexChoice::Internal, "internal")
            }
            Some(placement) => {
                let built = build_external(&mut file, ImagePos::START, size, placement, size, &level).unwrap();
                match placement {
                    External::Flex => (built, IndexChoice::FlexExternal, "flex-external"),
                    External::Indexed(_) => (built, IndexChoice::Indexed(0), "0"),
                }
            }
        };
        drop(file);
        prop_assert_eq!(drbdmeta.run(format, &path, words, &["dump-md"]).status, 0);
        prop_assert!(!we_say_refused(&path, index));
        patch(&path, built.md().get() + at, &value.to_be_bytes());
        let theirs = drbdmeta.run(format, &path, words, &["dump-md"]);
        prop_assert_eq!(we_say_refused(&path, index), theirs.status != 0, "{} {} at {} = {:#x}: {}", format, words, at, value, theirs.stderr);
    }
}

/// A block with a magic and anything else.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let word = prop_oneof![
        3 => any::<u32>(),
        2 => select(vec![0, 1, 8, 31, 64, 72, 4096, u32::MAX, 0x8000_0000, 0xFFFF_FFC0, 0xFFFF_FF80]),
    ];
    let magic = select(vec![0x8374_026A_u32, 0x8374_026B, 0x8374_026C, 0x8374_026D]);
    (proptest::collection::vec(word, 1024), magic).prop_map(|(words, magic)| {
        let mut block: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        let at = if magic == 0x8374_026A { 28 } else { 60 };
        block[at..at + 4].copy_from_slice(&magic.to_be_bytes());
        block
    })
}

proptest! {
    #[test]
    fn no_superblock_makes_a_check_stop(block in hostile(), size in 8_u64..4096, tail in 0_u64..4096, at_start in any::<bool>()) {
        let size = size * 4096 + tail;
        let mut image = MemImage::new(Bytes::new(size));
        let at = if at_start { 0 } else { size / 4096 * 4096 - 4096 };
        image.write_all_at(ImagePos::new(at), &block).unwrap();
        let device = Window::whole(&image);
        for scan in [ScanMode::Never, ScanMode::Full] {
            let options = LocateOptions { scan, stacked: true, ..LocateOptions::default() };
            let located = locate(device, &options).unwrap();
            let in_place = in_place(device, &located, IndexChoice::Auto).unwrap();
            let judged = check(device, &located, &in_place, CheckOptions { full: true, of_dump: false });
            prop_assert!(!judged.unwrap().is_empty() || block[60..64] != [0x83, 0x74, 2, 0x6D]);
        }
    }

    /// Attach rules read nothing, so that any place and any size will do.
    #[test]
    fn attach_rules_take_any_numbers(block in hostile(), at in any::<u64>(), device in prop_oneof![any::<u64>(), 0..10_000_000_u64], slot in any::<u8>()) {
        let block: &[u8; 4096] = block.as_slice().try_into().unwrap();
        let superblock = Superblock::decode(block).unwrap();
        for index in [MdIndex::FlexInternal, MdIndex::Internal, MdIndex::FlexExternal, MdIndex::Indexed(slot)] {
            let candidate = Candidate { superblock: &superblock, at: DevPos::new(at), index, device: Bytes::new(device) };
            for finding in attach(&candidate) {
                prop_assert!(!finding.found.is_empty() && finding.attach.is_some_and(|attach| attach.refuses()));
            }
        }
    }
}

/// Nothing that is read depends on the disk's size, unless that is asked for.
#[test]
fn a_bitmap_is_counted_only_as_far_as_the_budget_goes() {
    let mut image = MemImage::new(Bytes::new(1 << 44));
    let size = image.size();
    let built = build(&mut image, ImagePos::START, size, &[Level::v08()]).unwrap();
    // Something in every MiB of the bitmap's first 64.
    for mib in 0..64 {
        let at = ImagePos::new(built[0].bm().get() + mib * MIB);
        image.write_all_at(at, &vec![1; 1 << 20]).unwrap();
    }
    // Somebody's data at its beginning: a blank disk has a note of its own.
    image.write_all_at(ImagePos::START, &[1; 4096]).unwrap();
    let counted = mdtool::image::Counted::new(&image);
    let device = Window::whole(&counted);
    let located = locate(device, &LocateOptions::default()).unwrap();
    counted.reset();
    let judged = check(device, &located, &[], CheckOptions::default()).unwrap();
    assert!(counted.bytes() < Bytes::new(MIB), "{}", counted.bytes());
    assert_eq!(judged[0].not_looked.len(), 1, "{:?}", judged[0].not_looked);
    assert!(judged[0].findings.is_empty());
    let judged = check(
        device,
        &located,
        &[],
        CheckOptions {
            full: true,
            of_dump: false,
        },
    )
    .unwrap();
    assert!(judged[0].not_looked.is_empty());
    assert_eq!(judged[0].findings[0].rule.id, "bits-without-uuid");
}
