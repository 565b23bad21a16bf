//! Undoing as a change like any other: what it overwrites comes back when the undoing is undone, and no power cut leaves a mixture.

use super::crash_disk::{CrashDisk, Faults};
use super::crashes::judge;
use super::scenario::{SECTOR, Scenario, pos, snapshot, superblock};
use crate::error::{EditRefusal, Error, Refused};
use crate::image::{MemImage, ReadAt, WriteAt};
use crate::transaction::{Doing, UndoFile, UndoState, Undone};

type Undo = UndoFile<MemImage>;

/// A change that was made.
fn applied(scenario: &Scenario) -> (MemImage, Undo) {
    let mut target = scenario.old_image();
    let prepared = scenario.prepare(&target, Vec::new()).unwrap();
    let undo = prepared.apply(&mut target).unwrap().unwrap();
    (target, undo)
}

/// Undoes what `undo` holds, and gives the undo file of that.
fn undone(undo: &Undo, target: &mut dyn WriteAt, force: bool) -> Undo {
    let of = undo.identity().clone();
    let readers: [&dyn ReadAt; 1] = [&*target];
    let prepared = undo.prepare_undo(&readers, of, Vec::new()).unwrap();
    let shown = undo.preview_undo(&readers, &mut |_| {}).unwrap();
    assert_eq!(shown.regions, prepared.summary().regions);
    let (done, kept) = prepared.apply_all(&mut [target], force).unwrap();
    assert!(matches!(done, Undone::Restored { .. }));
    kept.unwrap()
}

#[test]
fn an_undoing_is_undone_again_and_again() {
    for scenario in Scenario::each() {
        let (mut target, first) = applied(&scenario);
        let second = undone(&first, &mut target, false);
        assert!(snapshot(&target) == scenario.old, "as before");
        assert_eq!(second.doing(), Doing::Undoing);
        assert_eq!(second.check(&target).unwrap().state, UndoState::Applied);
        let third = undone(&second, &mut target, false);
        assert!(snapshot(&target) == scenario.new, "as the change left it");
        assert_eq!(third.doing(), Doing::Redoing);
        assert_eq!(second.check(&target).unwrap().state, UndoState::NothingToDo);
        let fourth = undone(&third, &mut target, false);
        assert!(snapshot(&target) == scenario.old, "as before, again");
        fourth.undo(&mut target, false).unwrap();
        assert!(snapshot(&target) == scenario.new);
    }
}

#[test]
fn what_an_undoing_by_force_overwrites_is_kept() {
    for scenario in Scenario::each() {
        let (mut target, undo) = applied(&scenario);
        // DRBD went on: its superblock, its bitmap, and the mark of a retired one is somebody's data now.
        let at = scenario.commit[0].at;
        target.write_at(pos(at + 512), &[0xEE; 700]).unwrap();
        target
            .write_at(pos(scenario.body[0].at + SECTOR), b"bits")
            .unwrap();
        if let Some(at) = scenario.clean_up.first() {
            target.write_at(pos(at + 100), b"data").unwrap();
        }
        let since = snapshot(&target);
        assert!(undo.undo(&mut target, false).is_err());
        let kept = undone(&undo, &mut target, true);
        assert!(snapshot(&target) == scenario.old);
        kept.undo(&mut target, false).unwrap();
        assert!(snapshot(&target) == since);
    }
}

#[test]
fn an_undoing_by_force_cut_off_anywhere_is_taken_back_unasked() {
    for scenario in Scenario::each() {
        let (mut target, undo) = applied(&scenario);
        // DRBD's superblock has other UUIDs by now, in the sector that has the magic.
        target
            .write_at(pos(scenario.commit[0].at + 8), &[0x77; 8])
            .unwrap();
        let since = snapshot(&target);
        let mut disk = CrashDisk::new(&since, Faults::default());
        let kept = undone(&undo, &mut disk, true);
        assert!(disk.cache() == scenario.old);
        for cut in 0..=disk.events() {
            let state = disk.after_cut(cut, &[], &mut || true);
            let mut image = MemImage::from_bytes(&state);
            kept.undo(&mut image, false).unwrap();
            assert!(snapshot(&image) == since, "{cut}");
        }
    }
}

#[test]
fn an_undoing_that_is_prepared_and_too_late_changes_nothing() {
    let scenario = Scenario::relocation();
    let (mut target, undo) = applied(&scenario);
    let of = undo.identity().clone();
    let prepared = undo.prepare_undo(&[&target], of, Vec::new()).unwrap();
    let at = scenario.body[0].at + SECTOR;
    target.write_at(pos(at), b"since").unwrap();
    let since = snapshot(&target);
    match prepared.apply_all(&mut [&mut target], true) {
        Err(Error::Edit(error)) => assert!(matches!(
            *error.cause,
            Error::Refused(Refused::Edit(EditRefusal::Changed { .. }))
        )),
        other => panic!("{other:?}"),
    }
    assert!(snapshot(&target) == since);
}

#[test]
fn redoing_cut_off_anywhere_leaves_no_mixture_and_can_be_finished() {
    for scenario in Scenario::each() {
        let (mut target, undo) = applied(&scenario);
        let kept = undone(&undo, &mut target, false);
        let mut disk = CrashDisk::new(&scenario.old, Faults::default());
        kept.undo(&mut disk, false).unwrap();
        assert!(disk.cache() == scenario.new);
        for cut in 0..=disk.events() {
            let mut states = vec![
                disk.after_cut(cut, &[], &mut || false),
                disk.after_cut(cut, &[], &mut || true),
            ];
            let sectors = disk.sectors_before(cut);
            states.extend((0..sectors).map(|sectors| disk.torn(cut, sectors)));
            for state in states {
                judge(&scenario, &state);
                let mut image = MemImage::from_bytes(&state);
                kept.undo(&mut image, false).unwrap();
                assert!(snapshot(&image) == scenario.new);
                let mut image = MemImage::from_bytes(&state);
                undo.undo(&mut image, false).unwrap();
                assert!(snapshot(&image) == scenario.old);
            }
        }
    }
}

#[test]
fn what_the_change_left_equal_is_seen_where_it_changed_since() {
    let mut scenario = Scenario::relocation();
    // The second block of the body is there already.
    let second = scenario.body[0].at + 4096;
    let bytes = scenario.body[0].bytes[4096..8192].to_vec();
    scenario.old[second..second + 4096].copy_from_slice(&bytes);
    let scenario = scenario.finished();
    let (mut target, undo) = applied(&scenario);
    assert_eq!(undo.check(&target).unwrap().state, UndoState::Applied);
    target.write_at(pos(second + 7), &[0xA5]).unwrap();
    let check = undo.check(&target).unwrap();
    assert_eq!(check.state, UndoState::ChangedSince);
    assert_eq!(check.changed, [pos(second)]);
}

#[test]
fn another_disk_is_told_by_the_superblock_in_the_new_ones_place() {
    let scenario = Scenario::relocation();
    let (target, undo) = applied(&scenario);
    // All is the same but whose superblock it is.
    let mut other = MemImage::from_bytes(&snapshot(&target));
    let at = scenario.commit[0].at;
    for magic in [0x8374_026B, 0x8374_026C, 0x8374_026D] {
        other.write_at(pos(at), &superblock(magic, 77)).unwrap();
        let before = snapshot(&other);
        for force in [false, true] {
            match undo.undo(&mut other, force) {
                Err(Error::Edit(error)) => assert!(matches!(
                    *error.cause,
                    Error::Refused(Refused::Edit(EditRefusal::OtherTarget))
                )),
                other => panic!("{other:?}"),
            }
        }
        assert!(snapshot(&other) == before);
    }
}
