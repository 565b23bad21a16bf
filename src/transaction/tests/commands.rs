//! What the commands draft, against power cuts: judged by where DRBD looks and what belongs to a superblock there, whatever the draft says.

use std::ops::Range;

use super::crash_disk::{CrashDisk, Faults};
use super::scenario::{block, snapshot};
use crate::builder::{self, Level as Spec};
use crate::error::Result;
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::metadata::{Bitmap, Header};
use crate::image::{MemImage, ReadAt, Window};
use crate::surgery::adopt::{AdoptOptions, Adoption, relocate};
use crate::surgery::apply_al::{self, Marking};
use crate::surgery::place::place;
use crate::survey::locate::{LocateOptions, Located, locate};
use crate::transaction::{Draft, Identity, UndoFile, is_attachable, prepare};
use crate::units::{AlExtent, BitmapIndex, Bytes, DevPos, ImagePos, NodeId};

const SIZE: Bytes = Bytes::new(3 << 20);

/// A disk on which one resource is stacked on another, each with bits set.
pub(super) fn stack(outer: Spec, inner: Spec) -> MemImage {
    let mut image = MemImage::new(SIZE);
    let slot = BitmapIndex::new(0);
    let dirty =
        |spec: Spec, from: u64, to: u64| spec.dirty(slot, DevPos::new(from)..DevPos::new(to));
    let levels = [dirty(outer, 0, 1 << 20), dirty(inner, 1 << 19, 1 << 21)];
    builder::build(&mut image, ImagePos::START, SIZE, &levels).unwrap();
    image
}

pub(super) fn levels(image: &dyn ReadAt) -> Located {
    let options = LocateOptions {
        stacked: true,
        ..LocateOptions::default()
    };
    locate(Window::whole(image), &options).unwrap()
}

/// Where a superblock lies, and all that belongs to it.
pub(super) type Metadata = (usize, Range<usize>);

pub(super) fn metadata(layout: &MdLayout) -> Metadata {
    let at = |position: DevPos| position.from_start().to_usize().unwrap();
    (at(layout.md), at(layout.whole.start)..at(layout.whole.end))
}

/// Makes the change, tries every power cut while it is made and while it is undone, and answers how many were tried.
fn exhaust(image: &MemImage, draft: impl Fn(&mut Draft<'_>) -> Result<()>) -> usize {
    let old = snapshot(image);
    let identity = Identity::of_file("disk", image.size(), "test");
    let mut disk = CrashDisk::new(&old, Faults::default());
    let prepared = prepare(&disk, &identity, Vec::new(), draft).unwrap();
    let undo = prepared.apply(&mut disk).unwrap().expect("it changes");
    let new = disk.cache().to_vec();
    let all = |image: &[u8]| -> Vec<Metadata> {
        let found = levels(&MemImage::from_bytes(image));
        found
            .levels
            .iter()
            .map(|level| metadata(&level.layout))
            .collect()
    };
    let durable = disk.after_cut(disk.events(), &[], &mut || false);
    assert!(durable == new, "all of it is synced when it is done");
    let judge = Judge {
        old_levels: all(&old),
        new_levels: all(&new),
        new: lengthened(&new, old.len()),
        old,
    };
    let mut undoing = CrashDisk::new(&new, Faults::default());
    undo.undo(&mut undoing, false).unwrap();
    assert!(undoing.cache() == judge.old);
    judge.every_cut(&disk, &undo) + judge.every_cut(&undoing, &undo)
}

/// What a disk holds, as if it had not been cut off.
fn lengthened(disk: &[u8], len: usize) -> Vec<u8> {
    let mut disk = disk.to_vec();
    disk.resize(len, 0);
    disk
}

struct Judge {
    old: Vec<u8>,
    new: Vec<u8>,
    old_levels: Vec<Metadata>,
    new_levels: Vec<Metadata>,
}

impl Judge {
    /// No superblock, old or new, is attachable unless all that belongs to it is there.
    fn judge(&self, disk: &[u8]) {
        let disk = lengthened(disk, self.old.len());
        let disk = disk.as_slice();
        let stands = |at: usize| is_attachable(&block(disk, at));
        let belongs = |at: usize, levels: &[Metadata], which: &[u8]| {
            let mut of_it = levels.iter().filter(|(md, _)| *md == at);
            of_it.any(|(_, whole)| disk[whole.clone()] == which[whole.clone()])
        };
        for levels in [&self.old_levels, &self.new_levels] {
            // DRBD comes to an inner resource through the outer one.
            for (at, _) in levels.iter().take_while(|(at, _)| stands(*at)) {
                let old = belongs(*at, &self.old_levels, &self.old);
                let new = belongs(*at, &self.new_levels, &self.new);
                assert!(old || new, "a mixture is attachable at {at}");
            }
        }
    }

    fn every_cut(&self, disk: &CrashDisk, undo: &UndoFile<MemImage>) -> usize {
        let mut tried = 0;
        for cut in 0..=disk.events() {
            let mut odd = 0_u32;
            let mut by_chance = || {
                odd = odd.wrapping_mul(1_103_515_245).wrapping_add(12345);
                odd & 0x1_0000 == 0
            };
            let mut states = vec![disk.after_cut(cut, &[], &mut || false)];
            states.extend((0..3).map(|_| disk.after_cut(cut, &[], &mut by_chance)));
            let sectors = disk.sectors_before(cut).min(12);
            states.extend((0..=sectors).map(|sectors| disk.torn(cut, sectors)));
            for state in states {
                self.judge(&state);
                let mut image = MemImage::from_bytes(&state);
                undo.undo(&mut image, false).unwrap();
                assert!(snapshot(&image) == self.old, "undone at {cut}");
                tried += 1;
            }
        }
        tried
    }
}

#[test]
fn adopting_cut_off_anywhere_leaves_no_mixture() {
    let options = AdoptOptions {
        node_id: None,
        apply_al: true,
        same_node: false,
    };
    for (outer, inner, node_id) in [
        (Spec::v08(), Spec::v08(), None),
        (Spec::v08(), Spec::v09(3), Some(NodeId::new(1))),
        (Spec::v09(2), Spec::v08(), None),
    ] {
        let options = AdoptOptions { node_id, ..options };
        let image = stack(outer, inner);
        let located = levels(&image);
        let inner = &located.levels[1];
        let device = Window::whole(&image);
        let new = || Adoption::new(device, &located, inner, options).unwrap();
        let tried = exhaust(&image, |draft| {
            let layout = relocate(inner, SIZE).unwrap().layout;
            new().draft_here(draft, &layout)
        });
        assert!(tried > 100, "{tried}");
        let end = metadata(&inner.layout).1.end;
        let tried = exhaust(&image, |draft| new().draft_cut(draft, Bytes::of_len(end)));
        assert!(tried > 50, "{tried}");
        let tried = exhaust(&image, |draft| new().draft_retirement(draft));
        assert!(tried > 10, "{tried}");
    }
}

/// The meta device first, and when all of that is durable, the image: till then it is as before, and from then on the meta device has it all.
#[test]
fn moving_to_a_meta_device_cut_off_anywhere_leaves_no_mixture_on_either() {
    let image = stack(Spec::v09(2), Spec::v08());
    let located = levels(&image);
    let device = Window::whole(&image);
    let options = AdoptOptions::default();
    let new = || Adoption::new(device, &located, &located.levels[1], options).unwrap();
    // One that holds something else, and one that holds metadata already.
    let mut used = MemImage::from_bytes(&vec![0x5A; 1 << 20]);
    let draft_meta = |draft: &mut Draft<'_>| {
        let meta = Window::whole(draft.target());
        new().draft_meta(draft, meta)
    };
    assert!(exhaust(&used, draft_meta) > 30);
    let identity = Identity::of_file("meta", used.size(), "test");
    let prepared = prepare(&used.clone(), &identity, Vec::new(), draft_meta).unwrap();
    prepared.apply(&mut used).unwrap().expect("it changes");
    let at = levels(&used).levels[0].layout.bm.start;
    used.write_at(ImagePos::at(at.from_start()), &[0xFF; 4096])
        .unwrap();
    assert!(exhaust(&used, draft_meta) > 30);
    assert!(exhaust(&image, |draft| new().draft_retirement(draft)) > 10);
}

#[test]
fn applying_the_log_cut_off_anywhere_leaves_no_mixture() {
    for spec in [Spec::v08().unclean(), Spec::v09(3).unclean()] {
        let image = stack(spec.clone(), spec);
        let located = levels(&image);
        let device = Window::whole(&image);
        for level in &located.levels {
            let geometry = level.superblock.geometry();
            let marking = Marking::of(&[AlExtent::new(0)], &geometry);
            let tried = exhaust(&image, |draft| {
                apply_al::draft(draft, device, level, &marking).map(|_| ())
            });
            assert!(tried > 50, "{tried}");
        }
    }
}

#[test]
fn importing_over_other_metadata_cut_off_anywhere_leaves_no_mixture() {
    let dump = stack(Spec::v08(), Spec::v08());
    let other = levels(&dump);
    let header = Header::of(&other.levels[1].superblock);
    let image = stack(Spec::v09(2), Spec::v08());
    for index in [MdIndex::FlexInternal, MdIndex::FlexExternal] {
        let layout = MdLayout::planned(index, header.geometry, SIZE).unwrap();
        let tried = exhaust(&image, |draft| {
            let mut bitmap: Box<dyn Bitmap> =
                Box::new(other.levels[1].bitmap(Window::whole(&dump)));
            place(draft, Window::whole(&image), &layout, &header, &mut *bitmap)
        });
        assert!(tried > 50, "{tried}");
    }
}
