//! Disks that lose a write and say that it is done: what is half there is never attached.

use super::scenario::{SECTOR, Scenario, block, snapshot};
use crate::error::Result;
use crate::image::{MemImage, WriteAt, reads_as};
use crate::transaction::UndoFile;
use crate::transaction::superblock::is_attachable;
use crate::units::{Bytes, ImagePos};

type Undo = UndoFile<MemImage>;

/// A disk that loses one of its writes.
struct Losing {
    image: MemImage,
    writes: usize,
    lost: Option<usize>,
}

reads_as!([] Losing, this => this.image);

impl WriteAt for Losing {
    fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
        let number = self.writes;
        self.writes += 1;
        if self.lost == Some(number) {
            return Ok(());
        }
        self.image.write_all_at(at, bytes)
    }

    fn resize(&mut self, size: Bytes) -> Result<()> {
        WriteAt::resize(&mut self.image, size)
    }

    fn sync(&mut self) -> Result<()> {
        self.image.sync()
    }
}

impl Losing {
    fn of(image: MemImage, lost: Option<usize>) -> Self {
        Self {
            image,
            writes: 0,
            lost,
        }
    }
}

/// Runs an undoing that loses each of its writes in turn: where it does not say that it is done, nothing of the change is attachable, and the
/// same again brings it to its end.
fn loses_each(scenario: &Scenario, before: &MemImage, undo: &Undo, done: &[u8]) {
    let mut all = Losing::of(before.clone(), None);
    undo.undo(&mut all, false).unwrap();
    assert!(snapshot(&all) == done);
    let mut failed = 0;
    for lost in 0..all.writes {
        let mut disk = Losing::of(before.clone(), Some(lost));
        let undone = undo.undo(&mut disk, false);
        let now = snapshot(&disk);
        if undone.is_ok() {
            assert!(now == done, "write {lost} was lost");
            continue;
        }
        failed += 1;
        let places = scenario.places().into_iter();
        let within = places.filter(|at| at + 4096 <= now.len());
        // A mark that stays, where all else is done, hides nothing that is half there.
        let is_mark = |at: usize| {
            scenario
                .places()
                .iter()
                .any(|place| (*place..place + SECTOR).contains(&at))
        };
        if now.len() == done.len() && (0..now.len()).all(|at| now[at] == done[at] || is_mark(at)) {
            continue;
        }
        let attachable: Vec<usize> = within
            .filter(|at| is_attachable(&block(&now, *at)))
            .collect();
        assert!(
            attachable.is_empty(),
            "write {lost} of {}: {attachable:?}",
            all.writes
        );
        undo.undo(&mut disk, true).unwrap();
        assert!(snapshot(&disk) == done, "write {lost} was lost");
    }
    assert!(failed > 0, "some were missed");
}

#[test]
fn an_undoing_that_loses_a_write_leaves_nothing_to_attach() {
    for scenario in Scenario::each() {
        let mut changed = scenario.old_image();
        let prepared = scenario.prepare(&changed, Vec::new()).unwrap();
        let undo = prepared.apply(&mut changed).unwrap().unwrap();
        loses_each(&scenario, &changed, &undo, &scenario.old);
        let mut back = changed.clone();
        let prepared = undo.prepare_undo(&[&back], scenario.identity(), Vec::new());
        let (_, again) = prepared
            .unwrap()
            .apply_all(&mut [&mut back], false)
            .unwrap();
        loses_each(&scenario, &back, &again.unwrap(), &scenario.new);
    }
}
