//! Power cuts: at every write and sync, with what was not synced lost, torn at sectors, and reordered.

use std::ops::Range;

use proptest::prelude::*;

use super::crash_disk::{CrashDisk, Faults};
use super::random::scenario;
use super::scenario::{SECTOR, Scenario, block, snapshot};
use crate::format::superblock::{Mark, mark_of};
use crate::image::MemImage;
use crate::transaction::{UndoFile, Undone, is_attachable};

type Undo = UndoFile<MemImage>;

/// A disk on which the change was made, and its undo file; `None` where there is nothing to change.
fn applied(scenario: &Scenario) -> Option<(CrashDisk, Undo)> {
    let mut disk = CrashDisk::new(&scenario.old, Faults::default());
    let prepared = scenario.prepare(&disk, Vec::new()).unwrap();
    let undo = prepared.apply(&mut disk).unwrap()?;
    assert!(disk.cache() == scenario.new, "the change is made");
    Some((disk, undo))
}

/// Holds what a disk may hold after a power cut, whether while the change was made or while it was undone.
pub(super) fn judge(scenario: &Scenario, disk: &[u8]) {
    let length = disk.len();
    let (old, new) = (&scenario.old, &scenario.lengthened(&scenario.new));
    let disk = &scenario.lengthened(disk);
    let places = scenario.places();
    let standing: Vec<usize> = (places.iter().copied())
        .filter(|at| is_attachable(&block(disk, *at)))
        .collect();
    let within = |ranges: &[Range<usize>], at: usize| ranges.iter().any(|one| one.contains(&at));
    let magics =
        |places: &[usize]| -> Vec<_> { places.iter().map(|at| *at..*at + SECTOR).collect() };
    let differing = |which: &[u8]| -> Vec<usize> {
        let sectors = disk.chunks(SECTOR).zip(which.chunks(SECTOR)).enumerate();
        let differ = sectors.filter(|(_, (found, expected))| found != expected);
        differ.map(|(number, _)| number * SECTOR).collect()
    };
    let (not_old, not_new) = (differing(old), differing(new));
    let bare = magics(&places);
    let is_old = not_old.iter().all(|at| within(&bare, *at));
    // All else is there before a new superblock gets its magic.
    let is_new = not_new.iter().all(|at| within(&bare, *at));
    for at in standing {
        let found = block(disk, at);
        let old_stands = found == block(old, at) && is_old;
        let new_stands = found == block(new, at) && is_new;
        assert!(old_stands || new_stands, "a mixture is attachable at {at}");
    }
    assert!(
        length == old.len()
            || Some(length) == scenario.cut && not_new.iter().all(|at| within(&bare, *at)),
        "cut off before all else is done, or put back before the length"
    );
    recognisable(scenario, disk, not_old.is_empty() || not_new.is_empty());
    let planned = scenario.planned();
    assert!(
        not_old.iter().all(|at| within(&planned, *at)),
        "more changed"
    );
}

/// Holds that a change that is neither begun nor done shows in a place where DRBD looks: a superblock stands there, or a mark says so.
///
/// A place that becomes part of a bitmap shows it until the bitmap is there. Where all of them do, nothing is left that could: no command
/// drafts that, for the new superblock is never part of its own bitmap.
fn recognisable(scenario: &Scenario, disk: &[u8], whole: bool) {
    let covered = |at: &usize| scenario.body.iter().any(|put| put.range().contains(at));
    let places = scenario.places();
    let shows = |at: &usize| {
        let block = block(disk, *at);
        let mark = mark_of(&block).map(|marked| marked.mark);
        is_attachable(&block) || mark == Some(Mark::UnderWay)
    };
    assert!(
        whole || places.iter().all(covered) || places.iter().any(shows),
        "nothing says that a change is under way"
    );
}

/// Holds that undoing from here gives the old disk back, to the byte.
fn undoes(scenario: &Scenario, disk: &[u8], undo: &Undo) {
    let mut image = MemImage::from_bytes(disk);
    let done = undo.undo(&mut image, false).unwrap();
    assert!(
        snapshot(&image) == scenario.old,
        "undone, it is not as before"
    );
    assert!(done != Undone::Nothing || disk == scenario.old);
}

/// Tries a power cut after every event, and everywhere within each.
fn every_cut(scenario: &Scenario, disk: &CrashDisk, undo: &Undo) -> usize {
    let mut tried = 0;
    for cut in 0..=disk.events() {
        let mut states = vec![
            disk.after_cut(cut, &[], &mut || false),
            disk.after_cut(cut, &[], &mut || true),
        ];
        let sectors = disk.sectors_before(cut);
        states.extend((0..sectors).map(|sectors| disk.torn(cut, sectors)));
        for state in states {
            judge(scenario, &state);
            undoes(scenario, &state, undo);
            tried += 1;
        }
    }
    tried
}

#[test]
fn a_change_cut_off_anywhere_is_old_or_new_or_unattachable_and_can_be_undone() {
    for scenario in Scenario::each() {
        let (disk, undo) = applied(&scenario).unwrap();
        assert!(every_cut(&scenario, &disk, &undo) > 50);
    }
}

#[test]
fn undoing_cut_off_anywhere_is_as_safe_and_can_be_finished() {
    // What is there already is not written again: the fewer writes a change has got to, the fewer there are to be cut off when it is undone,
    // and a change whose superblock stays in its place has the fewest of all.
    for (scenario, least) in Scenario::each().into_iter().zip([600, 250, 600]) {
        let (changed, undo) = applied(&scenario).unwrap();
        let mut tried = 0;
        for cut in 0..=changed.events() {
            let state = changed.after_cut(cut, &[], &mut || true);
            let mut disk = CrashDisk::new(&state, Faults::default());
            undo.undo(&mut disk, false).unwrap();
            tried += every_cut(&scenario, &disk, &undo);
        }
        assert!(tried > least, "{tried}");
    }
}

/// What becomes of sectors that were not synced, and in which order the writes get there.
#[derive(Clone, Debug)]
struct Luck {
    cut: usize,
    order: Vec<u8>,
    fates: Vec<bool>,
}

fn luck() -> impl Strategy<Value = Luck> {
    let fates = prop_oneof![
        prop::collection::vec(any::<bool>(), 1..200),
        prop::collection::vec(prop::bool::weighted(0.9), 1..200),
        prop::collection::vec(prop::bool::weighted(0.1), 1..200),
    ];
    let order = prop::collection::vec(any::<u8>(), 0..40);
    (any::<usize>(), order, fates).prop_map(|(cut, order, fates)| Luck { cut, order, fates })
}

impl Luck {
    fn strike(&self, disk: &CrashDisk) -> Vec<u8> {
        let mut fates = self.fates.iter().cycle();
        let mut fate = || *fates.next().unwrap();
        disk.after_cut(self.cut % (disk.events() + 1), &self.order, &mut fate)
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(1000)))]

    #[test]
    fn no_luck_with_unsynced_writes_leaves_a_mixture(
        scenario in scenario(),
        first in luck(),
        more in prop::collection::vec(luck(), 0..3),
    ) {
        let Some((mut disk, undo)) = applied(&scenario) else {
            return Ok(());
        };
        let mut state = first.strike(&disk);
        judge(&scenario, &state);
        undoes(&scenario, &state, &undo);
        // The power fails while it is undone, again and again.
        for luck in more {
            disk = CrashDisk::new(&state, Faults::default());
            undo.undo(&mut disk, false).unwrap();
            state = luck.strike(&disk);
            judge(&scenario, &state);
            undoes(&scenario, &state, &undo);
        }
    }
}
