//! Grown disks, each held against one of its size that was made anew: the builder has formulas of its own.

use super::*;
use crate::builder::{LaSize, Level as Spec, Peer, build};
use crate::format::superblock::{Mark, mark_of};
use crate::image::{MemImage, ReadAt, WriteAt};
use crate::surgery::adopt::relocate;
use crate::survey::locate::{LocateOptions, locate};
use crate::transaction::{Identity, prepare};
use crate::units::{BitmapIndex, BmBit, ImagePos, MD_BLOCK, NodeId, range_len};

const MIB: u64 = 1 << 20;
/// Four slots of this fill two pages of bitmap; of a page more, and of up to a MiB more, they have three.
const SIZE: Bytes = Bytes::new(64 * MIB);
const PAGE: u64 = 4096;

/// Four slots, no two of the same bits, of which some are in the last word.
fn four_slots(la_size: Sectors) -> Spec {
    let bits = la_size.get() / 8;
    let level = Spec::v09(4).la_size(LaSize::Exactly(la_size));
    (0..4_u8).fold(level, |level, slot| {
        let index = BitmapIndex::new(slot);
        let number = u32::from(slot) + 1;
        let words: Vec<u32> = (1..300_u32)
            .map(|word| word.wrapping_mul(0x0101_0107 * number))
            .collect();
        let last = (bits - 1) / 32 * 32;
        let mark = if slot.is_multiple_of(2) {
            1 << ((bits - 1) % 32)
        } else {
            1
        };
        let peer = Peer {
            bitmap_uuid: 0x1000 * u64::from(number),
            ..Peer::in_slot(index)
        };
        level
            .peer(NodeId::new(slot + 3), peer)
            .words(index, BmBit::new(32), &words)
            .words(index, BmBit::new(last), &[mark])
    })
}

/// What a disk has from a place on; holes are zeros.
fn bytes(image: &MemImage, from: ImagePos, end: ImagePos) -> Vec<u8> {
    let length = end.bytes_since(from).unwrap().to_usize().unwrap();
    let mut bytes = vec![0; length];
    image.read_exact_at(from, &mut bytes).unwrap();
    bytes
}

/// Grows a disk to `size` and relocates what was at its end.
fn grown(start: &MemImage, size: Bytes) -> (MemImage, MdLayout) {
    let mut image = start.clone();
    image.resize(size).unwrap();
    let looked = image.clone();
    let device = Window::whole(&looked);
    let located = locate(device, &LocateOptions::default()).unwrap();
    let [level] = located.levels.as_slice() else {
        panic!("{size}: {} levels", located.levels.len());
    };
    let layout = relocate(level, size).unwrap().layout;
    let mut adoption = relocating(device, &located, level).unwrap();
    let of = Identity::of_file("disk", size, "test");
    let prepared = prepare(&looked, &of, Vec::new(), |draft| {
        adoption.draft_here(draft, &layout)
    });
    prepared.unwrap().apply(&mut image).unwrap();
    (image, level.layout.clone())
}

#[test]
fn a_grown_disk_of_every_size_is_as_if_it_had_been_made_so() {
    // The largest device of 64 MiB, and one that leaves room.
    let full = MdLayout::planned(
        MdIndex::FlexInternal,
        crate::format::layout::MdGeometry {
            max_peers: 4,
            bytes_per_bit: 4096,
            al: crate::format::layout::AlStriping::DEFAULT,
        },
        SIZE,
    );
    let full = full.unwrap().usable;
    for la_size in [full, Sectors::new(130_000)] {
        let spec = four_slots(la_size);
        let mut start = MemImage::new(SIZE);
        build(
            &mut start,
            ImagePos::START,
            SIZE,
            std::slice::from_ref(&spec),
        )
        .unwrap();
        let data_end = la_size.to_bytes().unwrap();
        let last = ImagePos::at(data_end.saturating_sub(MD_BLOCK));
        start.write_at(last, &[0xDA; 4096]).unwrap();
        for page in 1..=256 {
            let size = SIZE.checked_add(Bytes::new(page * PAGE)).unwrap();
            let mut made = MemImage::new(size);
            let built = build(
                &mut made,
                ImagePos::START,
                size,
                std::slice::from_ref(&spec),
            )
            .unwrap();
            let bitmap = ImagePos::at(built[0].bm().from_start());
            let (image, old) = grown(&start, size);
            let end = ImagePos::at(size);
            assert!(
                bytes(&image, bitmap, end) == bytes(&made, bitmap, end),
                "{size}: metadata"
            );
            let first = image.next_data(ImagePos::START).unwrap().unwrap();
            assert_eq!(first.start, last, "{size}: data");
            let data = ImagePos::at(data_end);
            assert_eq!(bytes(&image, last, data), [0xDA; 4096], "{size}: data");
            // What was the superblock is none that DRBD would attach, and says so where nothing lies over it.
            let stale = ImagePos::at(old.md.from_start());
            if let Some(after) = stale.checked_add(MD_BLOCK)
                && after <= bitmap
            {
                let block = bytes(&image, stale, after).try_into().unwrap();
                let mark = mark_of(&block).map(|marked| marked.mark);
                assert_eq!(mark, Some(Mark::Retired), "{size}");
            }
            // The premise: the bitmap has a page more.
            let more = Bytes::new(PAGE).checked_add(range_len(&old.whole));
            assert_eq!(Some(end.bytes_since(bitmap).unwrap()), more, "{size}");
        }
    }
}
