//! Undoing: what is refused, what is forced, what is found done already.

use proptest::prelude::*;

use super::crash_disk::{CrashDisk, Faults};
use super::random::scenario;
use super::scenario::{SECTOR, Scenario, pos, snapshot, superblock};
use crate::error::{EditRefusal, Error, Places, Refused, Result, TargetState};
use crate::image::{ImageFile, MemImage, NewFile, ReadAt, WritableFile, WriteAt};
use crate::transaction::{Identity, UndoFile, UndoState, Undone, prepare};
use crate::units::{Bytes, ImagePos};

type Undo = UndoFile<MemImage>;

/// A change that was made.
fn applied(scenario: &Scenario) -> (MemImage, Undo) {
    let mut target = scenario.old_image();
    let prepared = scenario.prepare(&target, Vec::new()).unwrap();
    let undo = prepared.apply(&mut target).unwrap().unwrap();
    (target, undo)
}

fn refusal(result: Result<Undone>) -> EditRefusal {
    match result {
        Err(Error::Edit(error)) => {
            assert_eq!(error.state, TargetState::Untouched);
            match *error.cause {
                Error::Refused(Refused::Edit(refusal)) => refusal,
                other => panic!("{other:?}"),
            }
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_target_that_went_on_is_refused_unless_forced() {
    let scenario = Scenario::relocation();
    let (mut target, undo) = applied(&scenario);
    let [first, second] = [
        scenario.body[0].at + SECTOR,
        scenario.body[0].at + 9 * SECTOR,
    ];
    for at in [second, first + 7] {
        target.write_at(pos(at), &[0xA5]).unwrap();
    }
    let before = snapshot(&target);
    let check = undo.check(&target).unwrap();
    assert_eq!(check.state, UndoState::ChangedSince);
    assert_eq!(check.changed, [pos(first), pos(second)]);
    let refused = refusal(undo.undo(&mut target, false));
    let (first, places) = (pos(first), Places(2));
    assert_eq!(refused, EditRefusal::ChangedSince { first, places });
    assert!(snapshot(&target) == before, "looking changes nothing");
    undo.undo(&mut target, true).unwrap();
    assert!(snapshot(&target) == scenario.old);
}

#[test]
fn a_superblock_that_drbd_wrote_since_is_noticed() {
    let scenario = Scenario::in_place();
    let (mut target, undo) = applied(&scenario);
    // Attaching changes the magic of v08, and nothing else at first.
    let at = scenario.commit[0].at;
    let mut since = superblock(0x8374_026C, 9);
    since[40..48].fill(6);
    target.write_at(pos(at), &since).unwrap();
    let refused = refusal(undo.undo(&mut target, false));
    let (first, places) = (pos(at), Places(8));
    assert_eq!(refused, EditRefusal::ChangedSince { first, places });
}

#[test]
fn old_bits_under_a_new_superblock_are_no_interrupted_change() {
    let scenario = Scenario::relocation();
    let (mut target, undo) = applied(&scenario);
    let body = scenario.body[0].range();
    target
        .write_at(
            pos(body.start),
            &scenario.old[body.start..body.start + SECTOR],
        )
        .unwrap();
    let check = undo.check(&target).unwrap();
    assert_eq!(check.state, UndoState::ChangedSince);
    assert_eq!(check.changed, [pos(body.start)]);
    // The same without the superblock is what a power cut leaves.
    let at = scenario.commit[0].at;
    target.write_at(pos(at + 60), b"mdU\x6B").unwrap();
    assert_eq!(undo.check(&target).unwrap().state, UndoState::Interrupted);
}

#[test]
fn an_old_superblock_over_new_bits_is_no_interrupted_undoing() {
    let scenario = Scenario::relocation();
    let (mut target, undo) = applied(&scenario);
    let at = scenario.retire[0];
    target
        .write_at(pos(at), &scenario.old[at..at + 4096])
        .unwrap();
    let check = undo.check(&target).unwrap();
    assert_eq!(check.state, UndoState::ChangedSince);
    assert_eq!(check.changed[0], pos(scenario.body[0].at));
}

#[test]
fn looking_at_a_file_that_was_cut_off_changes_nothing_of_it() {
    let scenario = Scenario::truncation();
    let (mut target, undo) = applied(&scenario);
    assert_eq!(undo.check(&target).unwrap().state, UndoState::Applied);
    assert!(snapshot(&target) == scenario.new);
    // Somebody went on with it: undoing without force leaves it as short as it is.
    let at = scenario.body[0].at;
    target.write_at(pos(at), b"since").unwrap();
    let since = snapshot(&target);
    let refused = refusal(undo.undo(&mut target, false));
    let (first, places) = (pos(at), Places(1));
    assert_eq!(refused, EditRefusal::ChangedSince { first, places });
    assert!(snapshot(&target) == since);
    undo.undo(&mut target, true).unwrap();
    assert!(snapshot(&target) == scenario.old);
    // Any other length is none that the undo file knows.
    let (found, expected) = (Bytes::new(8192), target.size());
    target.resize(found).unwrap();
    let refused = refusal(undo.undo(&mut target, true));
    assert_eq!(refused, EditRefusal::TargetSize { found, expected });
}

#[test]
fn a_disk_that_cannot_be_lengthened_is_as_it_was() {
    let scenario = Scenario::truncation();
    let (_, undo) = applied(&scenario);
    // The new superblock is marked before that, and gets its magic back.
    for write in [0, 1] {
        let faults = Faults {
            write: Some((write, 0)),
            ..Faults::default()
        };
        let mut disk = CrashDisk::new(&scenario.new, faults);
        match undo.undo(&mut disk, false) {
            Err(Error::Edit(error)) => assert_eq!(error.state, TargetState::Untouched),
            other => panic!("{other:?}"),
        }
        assert!(disk.cache() == scenario.new);
        let durable = disk.after_cut(disk.events(), &[], &mut || false);
        assert!(durable == scenario.new);
    }
}

#[test]
fn another_target_is_refused_even_by_force() {
    let scenario = Scenario::relocation();
    let (_, undo) = applied(&scenario);
    let expected = Bytes::of_len(scenario.old.len());
    for size in [0, expected.get() - 1, expected.get() + 1] {
        let found = Bytes::new(size);
        let mut other = MemImage::new(found);
        for force in [false, true] {
            let refused = refusal(undo.undo(&mut other, force));
            assert_eq!(refused, EditRefusal::TargetSize { found, expected });
        }
    }
    for byte in [0, 0x77] {
        let mut other = MemImage::from_bytes(&vec![byte; scenario.old.len()]);
        for force in [false, true] {
            let refused = refusal(undo.undo(&mut other, force));
            assert_eq!(refused, EditRefusal::OtherTarget);
        }
        assert!(snapshot(&other).iter().all(|found| *found == byte));
    }
}

#[test]
fn a_change_that_was_never_made_needs_no_undoing() {
    let scenario = Scenario::relocation();
    let (_, undo) = applied(&scenario);
    let mut disk = CrashDisk::new(&scenario.old, Faults::default());
    assert_eq!(undo.check(&disk).unwrap().state, UndoState::NothingToDo);
    assert_eq!(undo.undo(&mut disk, false).unwrap(), Undone::Nothing);
    assert_eq!(disk.events(), 0);
}

#[test]
fn an_undo_file_appears_under_its_name_when_it_is_whole_and_not_before() {
    let dir = tempfile::tempdir().unwrap();
    let (path, image) = (dir.path().join("x.undo"), dir.path().join("x.img"));
    let scenario = Scenario::relocation();
    let size = Bytes::of_len(scenario.old.len());
    let mut target = WritableFile::create_new(&image, size).unwrap();
    target.write_all_at(ImagePos::START, &scenario.old).unwrap();

    let dropped = scenario
        .prepare(&target, NewFile::create(&path).unwrap())
        .unwrap();
    assert!(!path.exists());
    drop(dropped);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "the image"
    );

    let store = NewFile::create(&path).unwrap();
    let prepared = scenario.prepare(&target, store).unwrap();
    let length = prepared.summary().undo_file;
    assert!(prepared.apply(&mut target).unwrap().is_some());
    assert!(snapshot(&target) == scenario.new);
    let undo = UndoFile::open(ImageFile::open(&path).unwrap()).unwrap();
    assert_eq!(ImageFile::open(&path).unwrap().size(), length);
    assert_eq!(undo.identity(), &scenario.identity());
    undo.undo(&mut target, false).unwrap();
    assert!(snapshot(&target) == scenario.old);

    // Where nothing is to be changed there is no undo file.
    let nothing = dir.path().join("nothing.undo");
    let store = NewFile::create(&nothing).unwrap();
    let identity = Identity::of_file("/dev/simulated", size, "test");
    let prepared = prepare(&target, &identity, store, |_| Ok(())).unwrap();
    assert!(prepared.apply(&mut target).unwrap().is_none());
    assert!(!nothing.exists());
}

proptest! {
    #[test]
    fn a_journal_tells_what_was_drafted(scenario in scenario()) {
        let mut target = scenario.old_image();
        let prepared = scenario.prepare(&target, Vec::new()).unwrap();
        let summary = prepared.summary().clone();
        let Some(undo) = prepared.apply(&mut target).unwrap() else {
            return Ok(());
        };
        let regions: Vec<_> = undo.regions().cloned().collect();
        prop_assert_eq!(&regions, &summary.regions);
        let mut made = scenario.old.clone();
        let mut written = Bytes::ZERO;
        undo.changes(&mut |change| {
            let at = change.at.from_start().to_usize().unwrap();
            let range = at..at + change.after.len();
            assert_eq!(change.before, &scenario.old[range.clone()]);
            made[range].copy_from_slice(change.after);
            written = written.checked_add(Bytes::of_len(change.after.len())).unwrap();
            Ok(())
        }).unwrap();
        made.truncate(scenario.new.len());
        prop_assert!(made == scenario.new);
        prop_assert_eq!(written, summary.written());
        prop_assert!(snapshot(&target) == scenario.new);
    }

    #[test]
    fn one_byte_changed_since_is_always_noticed(
        scenario in scenario(),
        which in any::<prop::sample::Index>(),
        flip in 1_u8..,
    ) {
        let mut target = scenario.old_image();
        let prepared = scenario.prepare(&target, Vec::new()).unwrap();
        let Some(undo) = prepared.apply(&mut target).unwrap() else {
            return Ok(());
        };
        let mut covered = Vec::new();
        undo.changes(&mut |change| {
            let at = change.at.from_start().to_usize().unwrap();
            covered.extend(at..at + change.after.len());
            Ok(())
        }).unwrap();
        // What was cut off is not there to be changed.
        covered.retain(|at| *at < scenario.new.len());
        prop_assume!(!covered.is_empty());
        let at = *which.get(&covered);
        let mut byte = [0];
        target.read_exact_at(pos(at), &mut byte).unwrap();
        target.write_at(pos(at), &[byte[0] ^ flip]).unwrap();
        let state = undo.check(&target).unwrap().state;
        prop_assert_ne!(state, UndoState::Applied);
        // A flip may give the old byte back, or take a magic away: no more than a power cut does.
        if state != UndoState::ChangedSince {
            undo.undo(&mut target, false).unwrap();
            prop_assert!(snapshot(&target) == scenario.old);
        }
    }
}
