//! What was printed is read, and printed again as it was.

use proptest::array::{uniform4, uniform5, uniform32};
use proptest::collection::vec;
use proptest::prelude::*;

use super::compat::Compat;
use super::examples::slot_words;
use super::print::{Preamble, print};
use super::read::DumpReader;
use crate::error::{Error, Result};
use crate::format::layout::{AlStriping, MdGeometry, MdIndex, MdLayout};
use crate::format::metadata::{
    Bitmap, CountersV07, Generation, GenerationV08, GenerationV09, Header, PeerV09, Run, SlotWords,
};
use crate::format::superblock::{AlState, DeviceFlags, PeerFlags, Uuid};
use crate::units::{BitmapIndex, Bytes, Sectors};

/// Runs of words, given one by one.
#[derive(Clone, Debug)]
enum Piece {
    Words(Vec<u32>),
    Repeat(u64, u32),
}

#[derive(Debug)]
struct Made(Vec<Vec<Piece>>);

struct MadeSlot<'a>(std::slice::Iter<'a, Piece>);

impl Bitmap for Made {
    fn slot(&mut self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        Ok(Box::new(MadeSlot(self.0[usize::from(slot.get())].iter())))
    }
}

impl SlotWords for MadeSlot<'_> {
    fn next_run(&mut self) -> Result<Option<Run<'_>>> {
        Ok(self.0.next().map(|piece| match piece {
            Piece::Words(words) => Run::Words(words),
            Piece::Repeat(count, word) => Run::Repeat {
                count: *count,
                word: *word,
            },
        }))
    }
}

fn words_like_drbds() -> impl Strategy<Value = u32> {
    prop_oneof![Just(0), Just(u32::MAX), Just(1), any::<u32>()]
}

/// An even number of words: drbdmeta does not print the last one of an odd number.
fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let words = vec(words_like_drbds(), 0..40).prop_map(|mut words| {
        words.truncate(words.len() / 2 * 2);
        Piece::Words(words)
    });
    let repeat =
        (1_u64..3000, words_like_drbds()).prop_map(|(count, word)| Piece::Repeat(count * 2, word));
    vec(prop_oneof![words, repeat], 0..12)
}

fn geometry(max_peers: u32) -> impl Strategy<Value = MdGeometry> {
    let al = (1_u32..20, 8_u32..100).prop_map(|(stripes, stripe_size_4k)| AlStriping {
        stripes,
        stripe_size_4k,
    });
    (12_u32..=20, al).prop_map(move |(shift, al)| MdGeometry {
        max_peers,
        bytes_per_bit: 1 << shift,
        al,
    })
}

fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u64>().prop_map(Uuid)
}

fn v07() -> impl Strategy<Value = (MdGeometry, Generation)> {
    uniform5(any::<u32>()).prop_map(|gc| (MdGeometry::DEFAULT, Generation::V07(CountersV07(gc))))
}

fn v08() -> impl Strategy<Value = (MdGeometry, Generation)> {
    let fields = (uniform4(uuid()), any::<u32>(), uuid(), any::<u32>());
    let generation = fields.prop_map(|(uuids, flags, device_uuid, la_peer_max_bio_size)| {
        Generation::V08(GenerationV08 {
            uuids,
            flags: DeviceFlags(flags),
            device_uuid,
            la_peer_max_bio_size,
        })
    });
    (geometry(1), generation)
}

fn peer() -> impl Strategy<Value = PeerV09> {
    (any::<i32>(), uuid(), any::<u64>(), any::<u32>()).prop_map(
        |(bitmap_index, bitmap_uuid, bitmap_dagtag, flags)| PeerV09 {
            bitmap_index,
            bitmap_uuid,
            bitmap_dagtag,
            flags: PeerFlags(flags),
        },
    )
}

fn v09() -> impl Strategy<Value = (MdGeometry, Generation)> {
    let own = (-1..=31, uuid(), any::<u32>(), any::<u64>());
    let fields = (
        own,
        uniform32(peer()),
        uniform32(uuid()),
        uuid(),
        any::<u32>(),
    );
    let generation = fields.prop_map(|(own, peers, history_uuids, device_uuid, bio_size)| {
        let (node_id, current_uuid, flags, members) = own;
        Generation::V09(Box::new(GenerationV09 {
            node_id,
            current_uuid,
            flags: DeviceFlags(flags),
            members,
            peers,
            history_uuids,
            device_uuid,
            la_peer_max_bio_size: bio_size,
        }))
    });
    ((1_u32..=31).prop_flat_map(geometry), generation)
}

fn header() -> impl Strategy<Value = Header> {
    let la_size = prop_oneof![Just(0), 0..1_u64 << 33];
    (prop_oneof![v07(), v08(), v09()], la_size).prop_map(|((geometry, generation), la_size)| {
        Header {
            geometry,
            la_size: Sectors::new(la_size),
            al_nr_extents: 257,
            al_state: AlState::Clean,
            generation,
        }
    })
}

fn metadata() -> impl Strategy<Value = (Header, Made)> {
    header().prop_flat_map(|header| {
        let slots = usize::try_from(header.geometry.max_peers).unwrap();
        (Just(header), vec(pieces(), slots).prop_map(Made))
    })
}

/// The newest drbdmeta's text, for a meta device that is large enough for any la-size here.
fn printed(header: &Header, bitmap: &mut dyn Bitmap) -> String {
    let device = Bytes::new(1 << 40);
    let layout = MdLayout::planned(MdIndex::FlexExternal, header.geometry, device).unwrap();
    let preamble = Preamble {
        time: "2012-06-01 00:00:00 +0000 [1338508800]".to_owned(),
        origin: "host> mdtool export x".to_owned(),
    };
    let mut out = Vec::new();
    print(&mut out, header, &layout, bitmap, &preamble, Compat::NEWEST).unwrap();
    String::from_utf8(out).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(crate::test_cases::cases(200)))]

    #[test]
    fn what_was_printed_is_read_and_printed_again((header, mut made) in metadata()) {
        let text = printed(&header, &mut made);
        let mut reader = DumpReader::new(text.as_bytes()).unwrap();
        prop_assert_eq!(reader.header(), &header);
        for slot in 0..u8::try_from(header.geometry.max_peers).unwrap() {
            let expected = slot_words(&mut made, slot).unwrap();
            prop_assert!(slot_words(&mut reader, slot).unwrap() == expected, "slot {}", slot);
        }
        reader.finish().unwrap();

        let mut reader = DumpReader::new(text.as_bytes()).unwrap();
        let again = printed(&header, &mut reader);
        reader.finish().unwrap();
        prop_assert!(again == text, "{}\n{}", text, again);
    }

    #[test]
    fn a_damaged_text_gets_an_answer((header, mut made) in metadata(), at: prop::sample::Index, byte: u8, cut: bool) {
        let mut text = printed(&header, &mut made).into_bytes();
        let at = at.index(text.len());
        text[at] = byte;
        if cut {
            text.truncate(at);
        }
        match DumpReader::new(&*text).and_then(DumpReader::finish) {
            Ok(()) => {}
            Err(Error::Syntax(error)) => {
                prop_assert!(error.at.get() <= u64::try_from(text.len()).unwrap());
                prop_assert!(error.line_text.chars().count() <= 120 && error.mark <= 60);
            }
            Err(error) => return Err(TestCaseError::fail(error.to_string())),
        }
    }
}

#[test]
fn v07_counters_are_printed_signed() {
    let header = Header {
        geometry: MdGeometry::DEFAULT,
        la_size: Sectors::ZERO,
        al_nr_extents: 257,
        al_state: AlState::Clean,
        generation: Generation::V07(CountersV07([u32::MAX, 0x8000_0000, 3, 4, 5])),
    };
    let text = printed(&header, &mut Made(vec![vec![]]));
    assert!(
        text.contains("\ngc {\n    -1; -2147483648; 3; 4; 5;\n}\n"),
        "{text}"
    );
}
