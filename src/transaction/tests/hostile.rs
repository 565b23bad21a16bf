//! Undo files that were damaged, cut off, or made to do harm.

use std::cell::Cell;

use proptest::prelude::*;

use super::crash_disk::{CrashDisk, Faults};
use super::random::scenario;
use super::scenario::Scenario;
use crate::error::{EditRefusal, Error, Result, UndoFault};
use crate::image::{MemImage, reads_as};
use crate::transaction::UndoFile;

type Undo = UndoFile<MemImage>;

fn journal(scenario: &Scenario) -> Vec<u8> {
    let target = scenario.old_image();
    let mut journal = Vec::new();
    let mut draft =
        crate::transaction::Draft::begin(&[&target], &scenario.identity(), &mut journal, None)
            .unwrap();
    scenario.draft(&mut draft).unwrap();
    draft.finish().unwrap();
    journal
}

fn open(bytes: &[u8]) -> Result<Undo, UndoFault> {
    match Undo::open(MemImage::from_bytes(bytes)) {
        Ok(undo) => Ok(undo),
        Err(Error::UndoFile(error)) => Err(error.fault),
        Err(other) => panic!("{other:?}"),
    }
}

/// Where the frames of a journal begin.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let tags = [b"REGN", b"RECD", b"END!"];
    (0..bytes.len() - 4)
        .filter(|at| tags.iter().any(|tag| bytes[*at..].starts_with(*tag)))
        .collect()
}

/// The checksums of header, frames and trailer made to fit what was changed; those of contents stay.
fn resealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let seal = |bytes: &mut [u8], start: usize, end: usize| {
        if end + 4 <= bytes.len() {
            let crc = crc32fast::hash(&bytes[start..end]);
            bytes[end..end + 4].copy_from_slice(&crc.to_be_bytes());
        }
    };
    let text =
        |bytes: &[u8], at: usize| usize::from(u16::from_be_bytes([bytes[at], bytes[at + 1]]));
    let header = 56 + text(&bytes, 50) + text(&bytes, 22);
    seal(&mut bytes, 0, header);
    for at in frames(&bytes) {
        match &bytes[at..at + 4] {
            b"REGN" if at + 24 <= bytes.len() => {
                let len = 24 + text(&bytes, at + 6);
                seal(&mut bytes, at, at + len);
            }
            b"RECD" => seal(&mut bytes, at, at + 28),
            _ => {
                let total = crc32fast::hash(&bytes[..at]).to_be_bytes();
                if at + 28 <= bytes.len() {
                    bytes[at + 24..at + 28].copy_from_slice(&total);
                }
                seal(&mut bytes, at, at + 28);
            }
        }
    }
    bytes
}

#[test]
fn every_flipped_bit_is_noticed() {
    let whole = journal(&Scenario::in_place());
    assert!(open(&whole).is_ok());
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        assert!(open(&bytes).is_err(), "byte {at}");
    }
}

#[test]
fn every_cut_is_noticed_and_so_is_what_is_put_behind() {
    let whole = journal(&Scenario::in_place());
    for len in 0..whole.len() {
        assert!(open(&whole[..len]).is_err(), "{len} bytes");
    }
    assert!(matches!(
        open(&[]),
        Err(UndoFault::Truncated { missing }) if missing.get() == 40
    ));
    let longer = [&whole[..], &[0]].concat();
    assert!(matches!(open(&longer), Err(UndoFault::Trailing { found }) if found.get() == 1));
    assert!(matches!(open(&[0; 100]), Err(UndoFault::Magic)));
}

/// Changes one field of a journal, with checksums that fit.
fn with(bytes: &[u8], at: usize, field: &[u8]) -> Result<Undo, UndoFault> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + field.len()].copy_from_slice(field);
    open(&resealed(bytes))
}

#[test]
fn a_journal_whose_checksums_fit_is_judged_by_what_it_would_do() {
    let scenario = Scenario::in_place();
    let whole = journal(&scenario);
    assert!(
        open(&resealed(whole.clone())).is_ok(),
        "resealing breaks nothing"
    );
    let frames = frames(&whole);
    let of = |tag: &[u8], number| {
        let mut found = frames.iter().filter(|at| whole[**at..].starts_with(tag));
        *found.nth(number).unwrap()
    };
    let version = with(&whole, 16, &3_u32.to_be_bytes());
    assert!(matches!(version, Err(UndoFault::Version { found: 3 })));
    let plan = |result| match result {
        Err(UndoFault::Plan(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    // The target is said to be smaller than what is written.
    let small = plan(with(&whole, 40, &45056_u64.to_be_bytes()));
    assert!(matches!(small, EditRefusal::Outside { .. }));
    // A region in an earlier phase than the one before it.
    let early = plan(with(&whole, of(b"REGN", 3) + 4, &[1]));
    assert!(matches!(early, EditRefusal::PhaseOver { .. }));
    // A record outside its region, and one that ends beyond all.
    for at in [0, 4096_u64, u64::MAX - 511] {
        let out = plan(with(&whole, of(b"RECD", 1) + 4, &at.to_be_bytes()));
        assert!(matches!(out, EditRefusal::Outside { .. }));
    }
    let long = with(&whole, of(b"RECD", 1) + 12, &u32::MAX.to_be_bytes());
    assert!(matches!(long, Err(UndoFault::Field { .. })));
    // A superblock that is not retired, but written as it is.
    let retired = of(b"RECD", 0);
    let mut bytes = whole.clone();
    bytes[retired + 32 + 4096 + 60..][..4].copy_from_slice(&0x8374_026D_u32.to_be_bytes());
    let crc = crc32fast::hash(&bytes[retired + 32 + 4096..retired + 32 + 8192]);
    bytes[retired + 24..retired + 28].copy_from_slice(&crc.to_be_bytes());
    let standing = plan(open(&resealed(bytes)));
    assert!(matches!(standing, EditRefusal::NotRetired { .. }));
    // Fewer records than there are.
    let count = with(&whole, of(b"END!", 0) + 12, &1_u64.to_be_bytes());
    assert!(matches!(count, Err(UndoFault::Field { .. })));
}

#[test]
fn what_is_cut_off_is_all_that_is_behind_and_zeros_afterwards() {
    let whole = journal(&Scenario::truncation());
    let frames = frames(&whole);
    let last = |tag: &[u8]| {
        let mut found = frames.iter().rev();
        *found.find(|at| whole[**at..].starts_with(tag)).unwrap()
    };
    assert!(open(&whole).is_ok());
    // The region ends before the target does.
    for end in [45056, 16 * 4096 + 512_u64] {
        let short = with(&whole, last(b"REGN") + 16, &end.to_be_bytes());
        let outside = matches!(short, Err(UndoFault::Plan(EditRefusal::Outside { .. })));
        assert!(outside, "{short:?}");
    }
    // The last record has 188 bytes more than whole sectors; any other must have whole ones.
    let record = last(b"RECD");
    assert!(matches!(
        with(&whole, record + 4, &(10 * 4096 + 512_u64).to_be_bytes()),
        Err(UndoFault::Plan(EditRefusal::Outside { .. }))
    ));
    // Anything but zeros behind the end.
    let mut bytes = whole.clone();
    let length = u32::from_be_bytes(whole[record + 12..][..4].try_into().unwrap());
    let length = usize::try_from(length).unwrap();
    assert_eq!(length % 512, 188);
    let after = last(b"END!") - length;
    bytes[after] = 1;
    let crc = crc32fast::hash(&bytes[after..after + length]);
    bytes[record + 24..record + 28].copy_from_slice(&crc.to_be_bytes());
    let fault = open(&resealed(bytes));
    assert!(matches!(fault, Err(UndoFault::Field { .. })), "{fault:?}");
}

#[test]
fn every_checksum_counts_where_the_others_fit() {
    let whole = journal(&Scenario::in_place());
    let record = *frames(&whole)
        .iter()
        .find(|at| whole[**at..].starts_with(b"RECD"))
        .unwrap();
    for content in [record + 32, record + 32 + 4096] {
        let changed = with(&whole, content + 100, &[whole[content + 100] ^ 1]);
        assert!(matches!(changed, Err(UndoFault::Checksum { .. })));
    }
    // A label is harmless, and yet all was to be as it was written.
    let label = frames(&whole)[0] + 24;
    let mut bytes = whole.clone();
    bytes[label] ^= 1;
    let end = frames(&whole)[1] - 4;
    let crc = crc32fast::hash(&bytes[frames(&whole)[0]..end]);
    bytes[end..end + 4].copy_from_slice(&crc.to_be_bytes());
    assert!(matches!(open(&bytes), Err(UndoFault::Checksum { .. })));
    assert!(open(&resealed(bytes)).is_ok());
}

#[test]
fn two_records_of_the_same_bytes_are_refused() {
    // One area of two kinds of blocks: two records.
    let mut scenario = Scenario::of(vec![0; 16384]);
    let bytes = [[1; 4096], [2; 4096]].concat();
    scenario.body = vec![super::scenario::Put { at: 0, bytes }];
    let whole = journal(&scenario);
    let frames = frames(&whole);
    assert!(whole[frames[2]..].starts_with(b"RECD"));
    for at in [0, 512, 3584_u64] {
        let again = with(&whole, frames[2] + 4, &at.to_be_bytes());
        assert!(matches!(
            again,
            Err(UndoFault::Plan(EditRefusal::Overlap { .. }))
        ));
    }
    assert!(with(&whole, frames[2] + 4, &4096_u64.to_be_bytes()).is_ok());
}

#[test]
fn a_file_that_changes_after_it_was_verified_is_not_believed() {
    let scenario = Scenario::in_place();
    let whole = journal(&scenario);
    let record = *frames(&whole)
        .iter()
        .find(|at| whole[**at..].starts_with(b"RECD"))
        .unwrap();
    for (at, field) in [
        (record + 32 + 7, vec![0xA5]),
        (record + 4, 512_u64.to_be_bytes().to_vec()),
    ] {
        let mut changed = whole.clone();
        changed[at..at + field.len()].copy_from_slice(&field);
        let file = Swapped {
            files: [&whole, &resealed(changed)].map(|one| MemImage::from_bytes(one)),
            second: Cell::new(false),
        };
        let undo = UndoFile::open(&file).unwrap();
        file.second.set(true);
        let mut disk = CrashDisk::new(&scenario.new, Faults::default());
        undo.undo(&mut disk, true).unwrap_err();
        assert_eq!(disk.events(), 0);
    }
}

/// A file that becomes another.
struct Swapped {
    files: [MemImage; 2],
    second: Cell<bool>,
}

impl Swapped {
    fn now(&self) -> &MemImage {
        &self.files[usize::from(self.second.get())]
    }
}

reads_as!([] Swapped, this => this.now());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(1000)))]

    #[test]
    fn a_hostile_file_is_refused_or_stays_within_what_it_announces(
        scenario in scenario(),
        damage in prop::collection::vec(
            (any::<prop::sample::Index>(), 0_usize..32, prop_oneof![any::<u8>(), Just(0), Just(1), Just(0xFF)]),
            1..4,
        ),
        force in any::<bool>(),
    ) {
        let mut bytes = journal(&scenario);
        let frames = frames(&bytes);
        for (which, offset, byte) in damage {
            // Mostly in the fixed parts, which say what is done.
            let at = (which.get(&frames) + offset).min(bytes.len() - 1);
            bytes[at] = byte;
        }
        if let Ok(undo) = open(&resealed(bytes)) {
            let mut disk = CrashDisk::new(&scenario.new, Faults::default());
            let regions: Vec<_> = undo.regions().cloned().collect();
            let refused = undo.undo(&mut disk, force).is_err();
            prop_assert!(!refused || disk.events() == 0);
            for range in disk.written() {
                prop_assert!(range.end <= scenario.old.len());
                let announced = |region: &crate::transaction::Region| {
                    let start = region.range.start.from_start().to_usize().unwrap();
                    let end = region.range.end.from_start().to_usize().unwrap();
                    start <= range.start && range.end <= end
                };
                prop_assert!(regions.iter().any(announced));
            }
        }
    }

    #[test]
    fn any_bytes_get_an_answer(
        bytes in prop::collection::vec(any::<u8>(), 0..300),
        magic in any::<bool>(),
    ) {
        let bytes = if magic {
            [b"mdtool undo file\0\0\0\x02", &bytes[..]].concat()
        } else {
            bytes
        };
        prop_assert!(open(&bytes).is_err());
    }
}
