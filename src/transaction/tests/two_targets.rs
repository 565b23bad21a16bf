//! One change of two targets: a disk whose metadata moves to a meta device.

use std::cell::Cell;
use std::rc::Rc;

use super::commands::{levels, metadata, stack};
use super::crash_disk::{CrashDisk, Faults};
use super::scenario::{block, snapshot};
use crate::builder::Level as Spec;
use crate::error::{EditRefusal, Error, Refused, Result};
use crate::format::superblock::{Mark, mark_of};
use crate::image::{MemImage, ReadAt, Window, WriteAt, reads_as};
use crate::surgery::adopt::{AdoptOptions, Adoption};
use crate::transaction::{
    Draft, Identity, Phase, TargetIdentity, UndoFile, UndoState, is_attachable, prepare_all,
};
use crate::units::{Bytes, ImagePos};

/// A disk whose events are counted together with those of others.
struct Clocked {
    disk: CrashDisk,
    clock: Rc<Cell<usize>>,
    /// When each of its events happened.
    times: Vec<usize>,
}

impl Clocked {
    fn new(start: &[u8], clock: &Rc<Cell<usize>>) -> Self {
        Self {
            disk: CrashDisk::new(start, Faults::default()),
            clock: Rc::clone(clock),
            times: Vec::new(),
        }
    }

    fn tick(&mut self) {
        while self.times.len() < self.disk.events() {
            self.times.push(self.clock.get());
            self.clock.set(self.clock.get() + 1);
        }
    }

    /// How many of its events were before `time`.
    fn events_before(&self, time: usize) -> usize {
        self.times.iter().filter(|one| **one < time).count()
    }
}

reads_as!([] Clocked, this => this.disk);

impl WriteAt for Clocked {
    fn write_all_at(&mut self, at: ImagePos, bytes: &[u8]) -> Result<()> {
        let done = self.disk.write_all_at(at, bytes);
        self.tick();
        done
    }

    fn resize(&mut self, size: Bytes) -> Result<()> {
        let done = self.disk.resize(size);
        self.tick();
        done
    }

    fn sync(&mut self) -> Result<()> {
        let done = self.disk.sync();
        self.tick();
        done
    }
}

/// A disk and a meta device, before and after.
struct Move {
    old: [Vec<u8>; 2],
    new: [Vec<u8>; 2],
    undo: UndoFile<MemImage>,
}

fn identity(sizes: [Bytes; 2]) -> Identity {
    let target = |path: &str, size| TargetIdentity {
        path: path.into(),
        block_device: false,
        size,
    };
    Identity {
        command: "test".to_owned(),
        targets: vec![target("disk", sizes[0]), target("meta", sizes[1])],
    }
}

/// Moves the inner resource of a stack to a meta device, and hands both disks to `see`.
fn moved(image: &MemImage, meta: &MemImage, see: impl FnOnce(&Move, &[Clocked; 2])) {
    let located = levels(image);
    let device = Window::whole(image);
    let inner = located.levels.last().unwrap();
    let mut adoption = Adoption::new(device, &located, inner, AdoptOptions::default()).unwrap();
    let old = [snapshot(image), snapshot(meta)];
    let clock = Rc::default();
    let mut disks = [Clocked::new(&old[0], &clock), Clocked::new(&old[1], &clock)];
    let of = identity([image.size(), meta.size()]);
    let draft = |draft: &mut Draft<'_>| adoption.draft_external(draft, 0, 1);
    let prepared = prepare_all(&[image, meta], &of, Vec::new(), draft).unwrap();
    let [one, two] = &mut disks;
    let undo = prepared.apply_all(&mut [one, two]).unwrap().unwrap();
    let new = [
        disks[0].disk.cache().to_vec(),
        disks[1].disk.cache().to_vec(),
    ];
    see(&Move { old, new, undo }, &disks);
}

impl Move {
    /// Where each target had a superblock before, or has one after.
    fn places(&self) -> Vec<(usize, usize)> {
        let superblock = |phase| matches!(phase, Phase::Retire | Phase::Commit);
        let regions = self.undo.regions().filter(|one| superblock(one.phase));
        let place = |region: &crate::transaction::Region| {
            (
                region.target,
                region.range.start.from_start().to_usize().unwrap(),
            )
        };
        regions.map(place).collect()
    }

    /// No superblock stands unless all that belongs to it is there, and never two; and where none does, a mark says why.
    fn judge(&self, disks: &[Vec<u8>; 2]) {
        let stand = |which: usize, places: &[Vec<u8>; 2]| {
            let found = levels(&MemImage::from_bytes(&places[which]));
            let whole = found.levels.iter().map(|level| metadata(&level.layout));
            whole.collect::<Vec<_>>()
        };
        let mut standing = 0;
        for which in [0, 1] {
            for (versions, name) in [(&self.old, "old"), (&self.new, "new")] {
                // DRBD comes to an inner resource through the outer one.
                for (at, whole) in stand(which, versions)
                    .into_iter()
                    .take_while(|(at, _)| is_attachable(&block(&disks[which], *at)))
                {
                    let is = disks[which][whole.clone()] == versions[which][whole];
                    let both = self.old[which][at..at + 4096] == self.new[which][at..at + 4096];
                    assert!(is || both, "{name}: a mixture is attachable at {at}");
                    standing += usize::from(at > 0 || which == 1);
                }
            }
        }
        let shows = |(target, at): &(usize, usize)| {
            let mark = mark_of(&block(&disks[*target], *at));
            mark.is_some_and(|marked| marked.mark == Mark::UnderWay)
        };
        let under_way = self.places().iter().any(shows);
        assert!(standing > 0 || under_way, "nothing says what goes on");
        let new_stands = is_attachable(&block(&disks[1], 0)) && disks[1] == self.new[1];
        let old_stands = self
            .places()
            .iter()
            .any(|(target, at)| *target == 0 && is_attachable(&block(&disks[0], *at)));
        assert!(!(new_stands && old_stands), "one resource, twice");
    }

    fn undoes(&self, disks: &[Vec<u8>; 2]) {
        let [mut image, mut meta] = [0, 1].map(|which: usize| MemImage::from_bytes(&disks[which]));
        self.undo
            .undo_all(&mut [&mut image, &mut meta], false)
            .unwrap();
        assert!(snapshot(&image) == self.old[0] && snapshot(&meta) == self.old[1]);
    }

    fn every_cut(&self, disks: &[Clocked; 2]) -> usize {
        let mut tried = 0;
        let end = disks[0].clock.get();
        for time in 0..=end {
            let mut odd = 0_u32;
            let mut by_chance = || {
                odd = odd.wrapping_mul(1_103_515_245).wrapping_add(12345);
                odd & 0x1_0000 == 0
            };
            for kind in 0..4 {
                let mut fate = || match kind {
                    0 => false,
                    1 => true,
                    _ => by_chance(),
                };
                let mut state = |disk: &Clocked| {
                    let cut = disk.events_before(time);
                    disk.disk.after_cut(cut, &[], &mut fate)
                };
                let state = [state(&disks[0]), state(&disks[1])];
                self.judge(&state);
                self.undoes(&state);
                tried += 1;
            }
        }
        tried
    }
}

fn used() -> MemImage {
    MemImage::from_bytes(&vec![0x5A; 1 << 20])
}

#[test]
fn moving_to_a_meta_device_cut_off_anywhere_is_old_or_new_and_undone_on_both() {
    for (outer, inner) in [(Spec::v08(), Spec::v08()), (Spec::v09(2), Spec::v08())] {
        let image = stack(outer, inner);
        moved(&image, &used(), |change, disks| {
            assert!(change.every_cut(disks) > 40);
            // The last event of the meta device before the disk's marks change is its commit.
            let retired = change.places().iter().all(|(target, at)| {
                *target == 1 || mark_of(&block(&change.new[0], *at)).unwrap().mark == Mark::Retired
            });
            assert!(retired, "what stays says that it came to its end");
            let clock = Rc::default();
            let mut undoing = [0, 1].map(|which: usize| Clocked::new(&change.new[which], &clock));
            let [one, two] = &mut undoing;
            change.undo.undo_all(&mut [one, two], false).unwrap();
            assert!(change.every_cut(&undoing) > 40);
        });
    }
}

#[test]
fn what_was_written_to_either_since_refuses_both() {
    let image = stack(Spec::v08(), Spec::v08());
    moved(&image, &used(), |change, _| {
        for (which, at) in [(1, 4096 + 100), (1, 8), (1, 40_000)] {
            let mut disks = change.new.clone();
            disks[which][at] ^= 0xFF;
            let [mut image, mut meta] = [0, 1].map(|i: usize| MemImage::from_bytes(&disks[i]));
            let check = change.undo.check_all(&[&image, &meta]).unwrap();
            assert_eq!(check.state, UndoState::ChangedSince, "{at}");
            assert_eq!(check.changed_target, Some(which));
            change
                .undo
                .undo_all(&mut [&mut image, &mut meta], false)
                .unwrap_err();
            assert!(snapshot(&image) == disks[0] && snapshot(&meta) == disks[1]);
        }
        // One target only, or none, is not what the file is of.
        let image = MemImage::from_bytes(&change.new[0]);
        let Err(Error::Refused(Refused::Edit(refusal))) = change.undo.check(&image) else {
            panic!("one target is taken for two");
        };
        let (found, expected) = (1, 2);
        assert_eq!(refusal, EditRefusal::Targets { found, expected });
    });
}

#[test]
fn the_undoing_of_a_move_is_undone_on_both() {
    let image = stack(Spec::v08(), Spec::v08());
    moved(&image, &used(), |change, _| {
        let [mut image, mut meta] = [0, 1].map(|i: usize| MemImage::from_bytes(&change.new[i]));
        let of = identity([image.size(), meta.size()]);
        let undo = &change.undo;
        let prepared = undo.prepare_undo(&[&image, &meta], of, Vec::new()).unwrap();
        let (_, kept) = prepared
            .apply_all(&mut [&mut image, &mut meta], false)
            .unwrap();
        assert!(snapshot(&image) == change.old[0] && snapshot(&meta) == change.old[1]);
        let kept = kept.unwrap();
        kept.undo_all(&mut [&mut image, &mut meta], false).unwrap();
        assert!(snapshot(&image) == change.new[0] && snapshot(&meta) == change.new[1]);
    });
}
