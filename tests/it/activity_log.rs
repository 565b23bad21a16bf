//! Replaying an activity log finds what `drbdmeta apply-al` marks out of sync, and what kernels had put there.

/// Images with an unclean log, for drbdmeta to apply.
mod crashed;
/// Where drbdmeta 9.22 is wrong.
mod mistakes;

use mdtool::builder::activity_log::{KernelLog, SectorLog, Write};
use mdtool::format::activity_log::{AlArea, Complete, Unusable, Verdict, initialised_block};
use mdtool::format::layout::AlStriping;
use mdtool::format::superblock::Format;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::TestRunner;

use crate::support::{Drbdmeta, kernel_image, peek, scratch};
use crashed::{Image, replayed};

/// What drbdmeta's exit status is for a log in blocks, the primary having crashed.
fn expected_status(verdict: &Verdict, log: &[u8]) -> i32 {
    match verdict {
        Verdict::Unusable(Unusable::NothingValid | Unusable::NoTransaction { .. }) => 1,
        // The first transaction was interrupted: drbdmeta expects that in block 0 only.
        Verdict::Complete(Complete::Torn { number: None, .. }) => {
            i32::from(log[..4096] == initialised_block())
        }
        Verdict::Complete(_) | Verdict::Incomplete(_) => 0,
    }
}

/// A history, and what became of the log.
#[derive(Clone, Debug)]
struct Case {
    image: usize,
    table_size: u16,
    number: u32,
    fill: bool,
    transactions: Vec<Vec<(u16, u32)>>,
    torn: Option<usize>,
    damaged: Vec<Index>,
}

/// Where drbdmeta goes wrong; another test has that.
const MIDDLE: u32 = (1 << 31) - 2000;

fn case() -> impl Strategy<Value = Case> {
    let size = prop_oneof![
        1..=65534_u16,
        1..=7000_u16,
        select(vec![67, 1237, 6433, 65534])
    ];
    let number = prop_oneof![
        0..20_u32,
        0..MIDDLE,
        MIDDLE + 2000..=u32::MAX,
        (u32::MAX - 60)..=u32::MAX
    ];
    let extent = prop_oneof![
        20 => 0..=2047_u32,
        1 => 2048..=2050_u32,
        1 => select(vec![u32::MAX, u32::MAX - 1, 1 << 31]),
    ];
    let transactions = vec(vec((any::<u16>(), extent), 0..=64), 0..40);
    let damaged = prop_oneof![3 => Just(Vec::new()), 1 => vec(any::<Index>(), 1..20)];
    let torn = proptest::option::of(0..8_usize);
    (
        0..IMAGES.len(),
        size,
        number,
        any::<bool>(),
        transactions,
        torn,
        damaged,
    )
        .prop_map(
            |(image, table_size, number, fill, transactions, torn, damaged)| Case {
                image,
                table_size,
                number,
                fill,
                transactions,
                torn,
                damaged,
            },
        )
}

/// A format and its peers, stripes and blocks in a stripe.
type Shape = ((&'static str, usize), (u32, u32));

const IMAGES: [Shape; 9] = [
    (("v08", 1), (1, 8)),
    (("v08", 1), (1, 80)),
    (("v08", 1), (2, 4)),
    (("v08", 1), (4, 4)),
    (("v09", 1), (1, 8)),
    (("v09", 1), (3, 27)),
    (("v09", 2), (4, 20)),
    (("v09", 3), (3, 3)),
    (("v09", 7), (2, 8)),
];

impl Case {
    fn log(&self, striping: AlStriping) -> KernelLog {
        let blocks = u32::try_from(striping.blocks().unwrap()).unwrap();
        let most = u16::try_from((blocks - 1) * 919).unwrap_or(65534);
        let size = self.table_size.min(most).min(65534);
        // Where numbers start over in mid-ring, drbdmeta goes wrong; another test has that.
        let number = if blocks.is_power_of_two() {
            self.number
        } else {
            self.number % MIDDLE
        };
        let (stripes, stripe_size_4k) = (striping.stripes, striping.stripe_size_4k);
        let mut log = KernelLog::new(stripes, stripe_size_4k, size, number);
        if self.fill {
            let slots: Vec<(u16, u32)> = (0..size).map(|i| (i, u32::from(i) % 2000)).collect();
            for changes in slots.chunks(64) {
                log.activate(changes, Write::Whole);
            }
        }
        for changes in &self.transactions {
            let changes: Vec<(u16, u32)> =
                changes.iter().map(|(slot, e)| (slot % size, *e)).collect();
            log.activate(&changes, Write::Whole);
        }
        if let Some(sectors) = self.torn {
            log.activate(&[(0, 3), (size / 2, 4)], Write::Torn(sectors));
        }
        for block in &self.damaged {
            let block = block.index(log.area().len() / 4096);
            log.block_mut(block)[77] ^= 0x10;
        }
        log
    }
}

#[test]
fn random_logs_are_replayed_as_drbdmeta_applies_them() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let create = |(format, layout)| Image::create(&drbdmeta, dir.path(), format, layout);
    let images = IMAGES.map(create);
    let mut config = ProptestConfig::with_cases(crate::test_cases::cases(300));
    config.failure_persistence = None;
    let seen = std::cell::RefCell::new(std::collections::BTreeMap::new());
    TestRunner::new(config)
        .run(&case(), |case| {
            let image = &images[case.image];
            let log = case.log(image.striping);
            let (ours, status) = image.compare(&drbdmeta, log.area());
            prop_assert_eq!(
                status,
                expected_status(&ours.verdict, log.area()),
                "{:?}",
                ours
            );
            let kind = match ours.verdict {
                Verdict::Complete(Complete::Unused) => "unused",
                Verdict::Complete(Complete::Whole) => "whole",
                Verdict::Complete(Complete::Torn { .. }) => "torn",
                Verdict::Complete(_) => "damaged",
                Verdict::Incomplete(_) => "incomplete",
                Verdict::Unusable(_) => "unusable",
            };
            *seen.borrow_mut().entry(kind).or_insert(0) += 1;
            Ok(())
        })
        .unwrap();
    // Otherwise the cases were not the ones that matter.
    for kind in ["whole", "torn", "damaged", "incomplete"] {
        assert!(seen.borrow().contains_key(kind), "{kind}: {seen:?}");
    }
}

#[test]
fn random_logs_of_old_kernels_are_replayed_as_drbdmeta_applies_them() {
    let Some(drbdmeta) = Drbdmeta::new() else {
        return;
    };
    let dir = scratch();
    let mut image = Image::create(&drbdmeta, dir.path(), ("v08", 1), (1, 8));
    image.superblock[63] = 0x6b;
    let cases = (
        7..=3833_u16,
        vec((any::<u16>(), 0..=2047_u32), 1..200),
        prop_oneof![Just(0), 0..MIDDLE, MIDDLE + 2000..=u32::MAX],
        proptest::option::of(0..64_usize),
    );
    let mut config = ProptestConfig::with_cases(crate::test_cases::cases(150));
    config.failure_persistence = None;
    TestRunner::new(config)
        .run(&cases, |(size, changes, number, damaged)| {
            let mut log = SectorLog::new(size, number, None);
            for (slot, extent) in changes {
                log.activate(slot % size, extent);
                if slot % 37 == 0 {
                    log.empty_table();
                }
            }
            if let Some(sector) = damaged {
                log.sector_mut(sector)[3] ^= 1;
            }
            let mut image = Image {
                path: image.path.clone(),
                superblock: image.superblock.clone(),
                ..image
            };
            image.superblock[72..76].copy_from_slice(&u32::from(size).to_be_bytes());
            let (ours, status) = image.compare(&drbdmeta, log.area());
            prop_assert_eq!(status, 0, "{:?}", ours);
            Ok(())
        })
        .unwrap();
}

/// What testdata/README.md says of these images.
#[test]
fn logs_that_kernels_wrote_are_complete() {
    for (name, format, number) in [
        ("v08-pair-a-crashed", Format::V08, 14),
        ("v09-pair-a-crashed", Format::V09, 6),
    ] {
        let log = peek(&kernel_image(name), 137_363_456 - 4096 - 32768, 32768);
        let area = AlArea {
            format,
            unclean_84: true,
            striping: AlStriping::DEFAULT,
            al_nr_extents: 1237,
        };
        let replay = replayed(&area, &log);
        assert_eq!(replay.verdict, Verdict::Complete(Complete::Whole));
        assert_eq!(replay.newest, Some(number));
        let active: Vec<u32> = replay.active.iter().map(|extent| extent.get()).collect();
        assert_eq!(active, [0, 1, 3, 9, 17, 21, 30]);
    }
}
