//! What fails half way: the target is untouched, or put back, or the undo file puts it back; and the message says which.

use std::io::{self, Write};

use proptest::prelude::*;

use super::crash_disk::{CrashDisk, Faults};
use super::crashes::judge;
use super::meddled::Meddled;
use super::random::scenario;
use super::scenario::{SECTOR, Scenario, block, pos, snapshot};
use crate::error::{EditError, EditRefusal, Error, IoError, IoOp, Refused, Result, TargetState};
use crate::image::MemImage;
use crate::transaction::{Store, UndoFile, Undone, is_attachable};

/// How a change ended that was to fail.
fn failure<T>(result: Result<T>) -> EditError {
    match result {
        Err(Error::Edit(error)) => error,
        Err(other) => panic!("{other:?}"),
        Ok(_) => panic!("it went well"),
    }
}

/// All of a message, as the command line prints it.
fn message(error: &EditError) -> String {
    let mut words = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        words = format!("{words}: {error}");
        source = error.source();
    }
    words
}

/// A journal in memory that stays when the change fails, on a medium that holds no more than `room`.
struct Shared<'a> {
    bytes: &'a mut Vec<u8>,
    room: usize,
    seals: bool,
}

impl Write for Shared<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.room - self.bytes.len());
        if count == 0 {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.extend(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Store for Shared<'_> {
    type Sealed = MemImage;

    fn seal(self) -> Result<MemImage> {
        if !self.seals {
            return Err(IoError::whole(IoOp::Sync, io::ErrorKind::StorageFull.into()).into());
        }
        Ok(MemImage::from_bytes(self.bytes))
    }
}

/// Makes the change on a disk with faults, and answers how it ended, the disk, and the undo file as far as it was written.
fn attempt(scenario: &Scenario, faults: Faults) -> (Result<bool>, CrashDisk, Vec<u8>) {
    let mut disk = CrashDisk::new(&scenario.old, Faults::default());
    let mut bytes = Vec::new();
    let store = Shared {
        bytes: &mut bytes,
        room: usize::MAX,
        seals: true,
    };
    let prepared = scenario.prepare(&disk, store).unwrap();
    // Reads are counted from here.
    disk = CrashDisk::new(&scenario.old, faults);
    let made = prepared.apply(&mut disk).map(|undo| undo.is_some());
    (made, disk, bytes)
}

#[test]
fn an_undo_file_that_does_not_fit_leaves_the_target_untouched() {
    let scenario = Scenario::relocation();
    let target = scenario.old_image();
    let mut whole = Vec::new();
    let room = usize::MAX;
    let store = Shared {
        bytes: &mut whole,
        room,
        seals: true,
    };
    scenario.prepare(&target, store).unwrap();
    assert!(whole.len() > 10_000);
    for room in [0, 20, 100, 4096, whole.len() - 1] {
        let bytes = &mut Vec::new();
        let store = Shared {
            bytes,
            room,
            seals: true,
        };
        let error = failure(scenario.prepare(&target, store));
        assert_eq!(error.state, TargetState::Untouched);
        insta::allow_duplicates! {
            insta::assert_snapshot!(
                message(&error),
                @"nothing was changed: cannot write the undo file: no storage space"
            );
        }
    }
    let store = Shared {
        bytes: &mut Vec::new(),
        room,
        seals: false,
    };
    let mut disk = CrashDisk::new(&scenario.old, Faults::default());
    let error = failure(scenario.prepare(&target, store).unwrap().apply(&mut disk));
    assert_eq!(
        message(&error),
        "nothing was changed: cannot sync: no storage space"
    );
    assert_eq!(disk.events(), 0, "not a byte was written");
}

#[test]
fn what_cannot_be_read_before_the_change_leaves_the_target_untouched() {
    let scenario = Scenario::relocation();
    let faults = |read| Faults {
        read: Some(read),
        ..Faults::default()
    };
    let mut failed = 0;
    loop {
        let disk = CrashDisk::new(&scenario.old, faults(failed));
        match scenario.prepare(&disk, Vec::new()) {
            Ok(_) => break,
            Err(error) => assert_eq!(failure::<()>(Err(error)).state, TargetState::Untouched),
        }
        assert_eq!(disk.events(), 0);
        failed += 1;
    }
    assert!(failed > 4, "superblocks and areas were read: {failed}");
    let disk = CrashDisk::new(&scenario.old, faults(2));
    insta::assert_snapshot!(
        message(&failure(scenario.prepare(&disk, Vec::new()))),
        @"nothing was changed: cannot read 20480 bytes at byte 40960: simulated"
    );
}

#[test]
fn a_write_that_fails_is_put_back_and_told() {
    let scenario = Scenario::relocation();
    let (_, disk, _) = attempt(&scenario, Faults::default());
    let [writes, ..] = disk.attempts();
    assert!(writes > 5);
    for number in 0..writes {
        for sectors in [0, 1, 3] {
            let write = Some((number, sectors));
            let faults = Faults {
                write,
                ..Faults::default()
            };
            let (made, disk, _) = attempt(&scenario, faults);
            let error = failure(made);
            // Where the very first write failed, and changed nothing, nothing is to be put back.
            let expected = if (number, sectors) == (0, 0) {
                TargetState::Untouched
            } else {
                TargetState::Undone
            };
            assert_eq!(error.state, expected, "{number}");
            assert!(disk.cache() == scenario.old);
            let on_disk = disk.after_cut(disk.events(), &[], &mut || false);
            assert!(on_disk == scenario.old, "put back, and synced");
        }
    }
    let write = Some((1, 1));
    let (made, ..) = attempt(
        &scenario,
        Faults {
            write,
            ..Faults::default()
        },
    );
    insta::assert_snapshot!(
        message(&failure(made)),
        @"what was changed is put back: cannot write 20480 bytes at byte 40960: simulated"
    );
}

#[test]
fn a_cut_that_fails_or_is_not_durable_is_put_back() {
    let scenario = Scenario::truncation();
    let (_, disk, _) = attempt(&scenario, Faults::default());
    let [writes, syncs, _] = disk.attempts();
    // The cut is the last that is written, and its sync the last one.
    for (write, sync) in [(Some((writes - 1, 0)), None), (None, Some(syncs - 1))] {
        let faults = Faults {
            write,
            sync,
            ..Faults::default()
        };
        let (made, disk, _) = attempt(&scenario, faults);
        let error = failure(made);
        assert_eq!(error.state, TargetState::Undone, "{}", message(&error));
        assert!(disk.cache() == scenario.old);
    }
}

#[test]
fn a_disk_that_fails_for_good_is_left_to_the_undo_file() {
    let scenario = Scenario::relocation();
    let write = Some((2, 1));
    let faults = Faults {
        write,
        for_good: true,
        ..Faults::default()
    };
    let (made, mut disk, bytes) = attempt(&scenario, faults);
    let error = failure(made);
    assert_eq!(error.state, TargetState::NeedsUndo);
    insta::assert_snapshot!(
        message(&error),
        @"half changed, expected to be undone by the undo file (putting it back at once: cannot write 512 bytes at byte 61440: simulated): cannot write 4096 bytes at byte 61440: simulated"
    );
    assert!(disk.cache() != scenario.old);
    judge(&scenario, disk.cache());

    let undo = UndoFile::open(MemImage::from_bytes(&bytes)).unwrap();
    let error = failure(undo.undo(&mut disk, false));
    assert_eq!(error.state, TargetState::NeedsUndo, "still broken");
    disk.repair();
    assert!(matches!(
        undo.undo(&mut disk, false),
        Ok(Undone::Restored { .. })
    ));
    assert!(disk.cache() == scenario.old);
}

#[test]
fn a_target_that_changed_since_the_draft_is_not_touched() {
    let scenario = Scenario::relocation();
    let prepared = scenario.prepare(&scenario.old_image(), Vec::new()).unwrap();
    let at = scenario.body[0].at + 3 * SECTOR + 7;
    let mut other = scenario.old.clone();
    other[at] ^= 1;
    let mut disk = CrashDisk::new(&other, Faults::default());
    let error = failure(prepared.apply(&mut disk));
    assert_eq!(error.state, TargetState::Untouched);
    assert_eq!(disk.events(), 0);
    insta::assert_snapshot!(
        message(&error),
        @"nothing was changed: 512 bytes at byte 42496: are not what they were when the change was planned, expected no other writer"
    );
}

#[test]
fn a_disk_that_does_not_keep_what_is_written_never_gets_a_superblock_that_stays() {
    let scenario = Scenario::relocation();
    let (_, whole, _) = attempt(&scenario, Faults::default());
    let [_, _, reads] = whole.attempts();
    let at = scenario.body[0].at + 5;
    let mut seen = [0; 3];
    for from in 0..reads {
        let prepared = scenario.prepare(&scenario.old_image(), Vec::new()).unwrap();
        let disk = CrashDisk::new(&scenario.old, Faults::default());
        let mut disk = Meddled { disk, at, from };
        let Err(Error::Edit(error)) = prepared.apply(&mut disk) else {
            // The byte was not read again.
            continue;
        };
        match error.state {
            TargetState::Untouched => seen[0] += 1,
            TargetState::Undone => seen[1] += 1,
            TargetState::NeedsUndo => seen[2] += 1,
        }
        let Error::Refused(Refused::Edit(refusal)) = *error.cause else {
            panic!("{error:?}");
        };
        let found = match refusal {
            EditRefusal::Changed { at, .. } | EditRefusal::ReadBack { at, .. } => at,
            other => panic!("{other:?}"),
        };
        assert_eq!(found, pos(scenario.body[0].at));
        let new = scenario.commit[0].at;
        assert!(
            !is_attachable(&block(disk.disk.cache(), new)) || disk.disk.cache() == scenario.old
        );
    }
    assert!(seen[0] > 0 && seen[2] > 0, "{seen:?}");
}

#[test]
fn a_superblock_that_reads_back_differently_never_gets_its_magic() {
    let scenario = Scenario::relocation();
    let commit = scenario.commit[0].at;
    let (_, whole, _) = attempt(&scenario, Faults::default());
    assert_eq!(whole.magics_given(commit), 1, "the premise");
    let mut noticed = 0;
    // Once the new superblock is written without its magic, something else is read there.
    for from in 0..whole.attempts()[2] {
        let prepared = scenario.prepare(&scenario.old_image(), Vec::new()).unwrap();
        let disk = CrashDisk::new(&scenario.old, Faults::default());
        let at = commit + 2000;
        let mut disk = Meddled { disk, at, from };
        let Err(Error::Edit(error)) = prepared.apply(&mut disk) else {
            continue;
        };
        let noticed_in_time = matches!(
            *error.cause,
            Error::Refused(Refused::Edit(EditRefusal::ReadBack { .. }))
        );
        // The old superblock is given back, which is none of the new one.
        let old_back = usize::from(error.state != TargetState::Untouched);
        if noticed_in_time && disk.disk.magics_given(commit) <= old_back {
            noticed += 1;
        }
    }
    assert!(noticed > 0);
}

/// What is to go wrong, and whether it stays wrong.
fn faults() -> impl Strategy<Value = Faults> {
    let some = |most: usize| prop::option::of(0..most);
    let write = prop::option::of((0_usize..40, 0_usize..10));
    (write, some(10), some(80), prop::bool::weighted(0.3)).prop_map(
        |(write, sync, read, for_good)| Faults {
            write,
            sync,
            read,
            for_good,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(800)))]

    #[test]
    fn whatever_fails_the_target_is_as_told_and_safe_against_a_power_cut(
        scenario in scenario(),
        faults in faults(),
        cut in any::<usize>(),
        fates in prop::collection::vec(any::<bool>(), 1..200),
    ) {
        let (made, mut disk, bytes) = attempt(&scenario, faults);
        let state = match made {
            Ok(_) => None,
            Err(Error::Edit(error)) => Some(error.state),
            Err(other) => panic!("{other:?}"),
        };
        match state {
            None => prop_assert!(disk.cache() == scenario.new),
            Some(TargetState::Untouched) => prop_assert!(disk.cache() == scenario.old),
            Some(TargetState::Undone) => prop_assert!(disk.cache() == scenario.old),
            Some(TargetState::NeedsUndo) => judge(&scenario, disk.cache()),
        }
        // A power cut on the way there, failed syncs having lost what they should have kept.
        let mut fates = fates.iter().cycle();
        let cut = disk.after_cut(cut % (disk.events() + 1), &[], &mut || *fates.next().unwrap());
        judge(&scenario, &cut);
        let undo = UndoFile::open(MemImage::from_bytes(&bytes)).unwrap();
        let mut image = MemImage::from_bytes(&cut);
        undo.undo(&mut image, false).unwrap();
        prop_assert!(snapshot(&image) == scenario.old);
        // No power cut: the disk is mended and goes on with what it has in memory.
        disk.repair();
        if state == Some(TargetState::NeedsUndo) {
            undo.undo(&mut disk, true).unwrap();
            prop_assert!(disk.cache() == scenario.old);
            let on_disk = disk.after_cut(disk.events(), &[], &mut || false);
            prop_assert!(on_disk == scenario.old, "also what failed syncs had lost");
        }
        for range in disk.written() {
            let planned = scenario.planned();
            let mut sectors = range.step_by(SECTOR);
            prop_assert!(sectors.all(|at| planned.iter().any(|one| one.contains(&at))));
        }
    }
}
