use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::format::bitmap::slot_len;
use crate::format::layout::{AlStriping, MdGeometry};
use crate::format::metadata::{Generation, GenerationV08, GenerationV09, PeerV09, Run, SlotWords};
use crate::format::superblock::{AlState, DeviceFlags, PeerFlags, Uuid};
use crate::image::{MemImage, ReadAt};
use crate::survey::bitmap::OnDiskBitmap;
use crate::transaction::{Identity, Phase, preview};
use crate::units::{BitmapIndex, Sectors};

/// Slots given as runs, each once and in order, as a dump gives them.
struct Given {
    slots: Vec<Vec<(u64, u32)>>,
    next: u8,
}

struct GivenSlot<'a> {
    runs: std::slice::Iter<'a, (u64, u32)>,
    words: Vec<u32>,
}

impl Bitmap for Given {
    fn slot(&mut self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        assert_eq!(slot.get(), self.next, "in order");
        self.next += 1;
        let runs = self.slots[usize::from(slot.get())].iter();
        let words = Vec::new();
        Ok(Box::new(GivenSlot { runs, words }))
    }
}

impl SlotWords for GivenSlot<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        let Some((count, word)) = self.runs.next() else {
            return Ok(None);
        };
        let (count, word) = (*count, *word);
        if !word.is_multiple_of(3) {
            return Ok(Some(Run::Repeat { count, word }));
        }
        let len = u32::try_from(count).unwrap();
        self.words = (0..len).map(|i| noise(word, i)).collect();
        Ok(Some(Run::Words(&self.words)))
    }
}

/// Words that are not all the same, where the run says so.
fn noise(word: u32, i: u32) -> u32 {
    word.wrapping_mul(i.wrapping_mul(2_654_435_761) | 1)
}

/// The same slot, word by word.
fn expand(runs: &[(u64, u32)], len: u64) -> Vec<u32> {
    let words = runs.iter().flat_map(|(count, word)| {
        (0..u32::try_from(*count).unwrap()).map(|i| {
            if word.is_multiple_of(3) {
                noise(*word, i)
            } else {
                *word
            }
        })
    });
    let len = usize::try_from(len).unwrap();
    words.chain(std::iter::repeat(0)).take(len).collect()
}

fn header(max_peers: u32, la_size: Sectors) -> Header {
    let peer = PeerV09 {
        bitmap_index: -1,
        bitmap_uuid: Uuid::NONE,
        bitmap_dagtag: 0,
        flags: PeerFlags(0),
    };
    Header {
        geometry: MdGeometry {
            max_peers,
            bytes_per_bit: 4096,
            al: AlStriping::DEFAULT,
        },
        la_size,
        al_nr_extents: 257,
        al_state: AlState::Clean,
        generation: Generation::V09(Box::new(GenerationV09 {
            node_id: 1,
            current_uuid: Uuid(7),
            flags: DeviceFlags(0x81),
            members: 0,
            peers: [peer; 32],
            history_uuids: [Uuid::NONE; 32],
            device_uuid: Uuid(9),
            la_peer_max_bio_size: 0,
        })),
    }
}

/// A disk of which every byte is something else than 0.
fn used(size: Bytes) -> MemImage {
    let bytes: Vec<u8> = (0..size.get())
        .map(|i| (i.wrapping_mul(0x9E37_79B9) >> 11).to_le_bytes()[0] | 1)
        .collect();
    MemImage::from_bytes(&bytes)
}

fn bytes_of(image: &MemImage) -> Vec<u8> {
    let mut bytes = vec![0; image.size().to_usize().unwrap()];
    image.read_exact_at(ImagePos::START, &mut bytes).unwrap();
    bytes
}

fn apply(target: &mut MemImage, draft: impl FnOnce(&mut Draft<'_>) -> Result<()>) -> Result<()> {
    let identity = Identity::of_file("disk", target.size(), "");
    let prepared = crate::transaction::prepare(&*target, &identity, Vec::new(), draft)?;
    prepared.apply(target).map(|_| ())
}

fn runs() -> impl Strategy<Value = Vec<(u64, u32)>> {
    let word = prop_oneof![select(vec![0, 0, 1, u32::MAX - 1]), any::<u32>()];
    proptest::collection::vec((1_u64..3000, word), 0..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::test_cases::cases(48), ..ProptestConfig::default() })]

    #[test]
    fn what_is_placed_is_there_and_all_else_is_as_it_was(
        slots in proptest::collection::vec(runs(), 1..8),
        index in select(vec![MdIndex::FlexInternal, MdIndex::FlexExternal]),
        sectors in 8000_u64..16_000,
        base in 0_u64..4,
        part in 0_u64..=100,
    ) {
        let device = Sectors::new(sectors).to_bytes().unwrap();
        let base = ImagePos::new(base * 512);
        let mut target = used(device.checked_add(base.from_start()).unwrap().checked_add(Bytes::new(700)).unwrap());
        let before = bytes_of(&target);
        let max_peers = u32::try_from(slots.len()).unwrap();
        let mut header = header(max_peers, Sectors::ZERO);
        let layout = MdLayout::planned(index, header.geometry, device).unwrap();
        header.la_size = Sectors::new(layout.usable.get() / 100 * part);
        let mut given = Given { slots: slots.clone(), next: 0 };
        apply(&mut target, |draft| {
            let window = Window::of(draft.target(), base, device).unwrap();
            place(draft, window, &layout, &header, &mut given)
        }).unwrap();

        let window = Window::of(&target, base, device).unwrap();
        let mut block = [0; SUPERBLOCK_LEN];
        window.read_exact_at(layout.md, &mut block).unwrap();
        let superblock = Superblock::decode(&block).unwrap();
        prop_assert_eq!(&Header::of(&superblock), &header);
        prop_assert_eq!(MdLayout::of(&superblock, index, device), Ok(layout.clone()));

        // The bitmap, word by word, from the definition. Where slots are interleaved, a last word without a partner is in no dump.
        let words = header.geometry.bitmap_size(header.la_size).unwrap().get() / 4;
        let slots: Vec<_> = slots.iter().enumerate().map(|(slot, runs)| {
            let len = slot_len(words, Bytes::of_len(slot).get(), u64::from(max_peers));
            expand(runs, len / 2 * 2)
        }).collect();
        let after = bytes_of(&target);
        let at = |pos: DevPos| usize::try_from(pos.get() + base.get()).unwrap();
        let width = slots.len();
        for (i, bytes) in after[at(layout.bm.start)..at(layout.bm.end)].chunks(4).enumerate() {
            let expected = slots[i % width].get(i / width).copied().unwrap_or(0);
            prop_assert_eq!(bytes, &expected.to_le_bytes()[..bytes.len()], "word {}", i);
        }
        for block in after[at(layout.al.start)..at(layout.al.end)].chunks(4096) {
            prop_assert_eq!(block, &initialised_block()[..]);
        }
        let (start, end) = (at(layout.whole.start), at(layout.whole.end));
        prop_assert!(before[..start] == after[..start] && before[end..] == after[end..]);
        let mut read = OnDiskBitmap::new(window, &layout, header.la_size);
        prop_assert_eq!(read.slot(BitmapIndex::new(0))?.next_run()?.is_some(), part > 0);
    }
}

#[test]
fn a_zero_area_of_a_sparse_target_is_neither_written_nor_kept() {
    let device = Bytes::new(1 << 40);
    let target = MemImage::new(device);
    let header = header(3, Sectors::new(1 << 20));
    let layout = MdLayout::planned(MdIndex::FlexExternal, header.geometry, device).unwrap();
    let mut given = Given {
        slots: vec![vec![(5, 1)]; 3],
        next: 0,
    };
    let summary = preview(&target, &mut |_| {}, |draft| {
        let window = Window::whole(draft.target());
        place(draft, window, &layout, &header, &mut given)
    })
    .unwrap();
    assert_eq!(summary.written(), Bytes::new(4096 + 32_768 + 4096));
}

fn labels(target: &MemImage, layout: &MdLayout, header: &Header) -> Vec<(Phase, u64)> {
    let slots = vec![vec![]; 1];
    let mut given = Given { slots, next: 0 };
    let summary = preview(target, &mut |_| {}, |draft| {
        let window = Window::whole(draft.target());
        place(draft, window, layout, header, &mut given)
    })
    .unwrap();
    let regions = summary.regions.iter();
    let retired = regions.filter(|region| region.phase == Phase::Retire);
    retired
        .map(|region| (region.phase, region.range.start.get()))
        .collect()
}

fn v08(la_size: u64) -> Header {
    Header {
        geometry: MdGeometry::DEFAULT,
        generation: Generation::V08(GenerationV08 {
            uuids: [Uuid(1); 4],
            flags: DeviceFlags(0x81),
            device_uuid: Uuid(2),
            la_peer_max_bio_size: 0,
        }),
        ..header(1, Sectors::new(la_size))
    }
}

/// Puts a superblock where `index` has it.
fn put(target: &mut MemImage, index: MdIndex, header: &Header) {
    let layout = MdLayout::planned(index, header.geometry, target.size()).unwrap();
    let block = header.compose(&layout).unwrap().to_bytes();
    let at = ImagePos::at(layout.md.from_start());
    target.write_at(at, &block).unwrap();
}

#[test]
fn superblocks_are_retired_where_drbd_looks_and_nowhere_else() {
    const MIB: u64 = 1 << 20;
    let size = Bytes::new(600 * MIB);
    let mut target = MemImage::new(size);
    let old = v08(1000);
    let v07 = Header {
        generation: Generation::V07(crate::format::metadata::CountersV07([1; 5])),
        ..old.clone()
    };
    for slot in 0..4 {
        put(&mut target, MdIndex::Indexed(slot), &old);
    }
    put(&mut target, MdIndex::FlexInternal, &old);
    let planned = |index| MdLayout::planned(index, MdGeometry::DEFAULT, size).unwrap();
    let found = |target: &MemImage, index| -> Vec<u64> {
        let labels = labels(target, &planned(index), &old).into_iter();
        labels.map(|(_, at)| at).collect()
    };
    let end = 600 * MIB - 4096;
    // Data of others: the other slots, and what is only like a superblock in the midst of internal data.
    assert_eq!(found(&target, MdIndex::FlexInternal), [end]);
    assert_eq!(found(&target, MdIndex::Indexed(1)), [128 * MIB]);
    assert_eq!(
        found(&target, MdIndex::FlexExternal),
        [0, 128 * MIB, 256 * MIB, 384 * MIB, end]
    );
    // v07's fixed place is retired where v07 would find itself there.
    put(&mut target, MdIndex::Internal, &v07);
    // What DRBD would attach goes first.
    assert_eq!(found(&target, MdIndex::FlexInternal), [end, 472 * MIB]);
    let at = ImagePos::new(472 * MIB + 44);
    target.write_at(at, &[1]).unwrap();
    assert_eq!(found(&target, MdIndex::FlexInternal), [end]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let size = Bytes::new(100 << 20);
    let target = MemImage::new(size);
    let layout = MdLayout::planned(MdIndex::FlexInternal, MdGeometry::DEFAULT, size).unwrap();
    let refused = |header: &Header| {
        let mut given = Given {
            slots: vec![vec![]],
            next: 0,
        };
        let answer = preview(&target, &mut |_| {}, |draft| {
            let window = Window::whole(draft.target());
            place(draft, window, &layout, header, &mut given)
        });
        match answer {
            Err(error) => error.refusal().copied(),
            _ => None,
        }
    };
    assert_eq!(refused(&v08(204_720)), None);
    let (la_size, usable) = (Sectors::new(204_721), Sectors::new(204_720));
    let too_large = PlaceRefusal::LaSize { la_size, usable };
    assert_eq!(refused(&v08(204_721)), Some(too_large));
    let other = header(2, Sectors::ZERO);
    assert_eq!(refused(&other), Some(PlaceRefusal::Geometry));
}
