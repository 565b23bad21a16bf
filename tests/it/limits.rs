//! Numbers at their limits, in every field of a superblock and of a dump, alone and in pairs: an answer, soon, and without much memory.

use std::time::Instant;

use mdtool::builder::{Level, Peer, build};
use mdtool::dump::{Compat, DumpReader, Preamble, print};
use mdtool::format::layout::{MdIndex, MdLayout};
use mdtool::format::metadata::{Bitmap, Header, Run, SlotWords};
use mdtool::format::superblock::Superblock;
use mdtool::image::{MemImage, ReadAt, Window};
use mdtool::surgery::apply_al::{Marking, superblock_after};
use mdtool::surgery::import::{ImportOptions, plan};
use mdtool::survey::locate::{IndexChoice, LocateOptions, ScanMode, locate, locate_at};
use mdtool::survey::log::LogState;
use mdtool::units::{BitmapIndex, Bytes, ImagePos, NodeId};

use crate::support::alone_in_little_memory;

/// Where counts, sizes and signs end, by 32 and by 64 bits.
pub(crate) const LIMITS: [u64; 12] = [
    0,
    1,
    (1 << 31) - 1,
    1 << 31,
    (1 << 31) + 1,
    (1 << 32) - 1,
    1 << 32,
    (1 << 41) + 1,
    (1 << 63) - 1,
    1 << 63,
    (1 << 63) + 1,
    u64::MAX,
];

/// A field of a superblock: its name, its place, its width in bytes.
pub(crate) type Field = (&'static str, usize, usize);

pub(crate) const V07: &[Field] = &[
    ("la_kb", 0, 8),
    ("gc[Flags]", 8, 4),
    ("gc[Human]", 12, 4),
    ("gc[Timeout]", 16, 4),
    ("gc[Connected]", 20, 4),
    ("gc[Arbitrary]", 24, 4),
    ("md_size_kb", 32, 4),
    ("al_offset", 36, 4),
    ("al_nr_extents", 40, 4),
    ("bm_offset", 44, 4),
];
pub(crate) const V08: &[Field] = &[
    ("la_size_sect", 0, 8),
    ("uuid[0]", 8, 8),
    ("uuid[1]", 16, 8),
    ("uuid[2]", 24, 8),
    ("uuid[3]", 32, 8),
    ("device_uuid", 40, 8),
    ("flags", 56, 4),
    ("md_size_sect", 64, 4),
    ("al_offset", 68, 4),
    ("al_nr_extents", 72, 4),
    ("bm_offset", 76, 4),
    ("bm_bytes_per_bit", 80, 4),
    ("la_peer_max_bio_size", 84, 4),
    ("al_stripes", 88, 4),
    ("al_stripe_size_4k", 92, 4),
];
pub(crate) const V09: &[Field] = &[
    ("effective_size", 0, 8),
    ("current_uuid", 8, 8),
    ("members", 16, 8),
    ("device_uuid", 48, 8),
    ("flags", 56, 4),
    ("md_size_sect", 64, 4),
    ("al_offset", 68, 4),
    ("al_nr_extents", 72, 4),
    ("bm_offset", 76, 4),
    ("bm_bytes_per_bit", 80, 4),
    ("la_peer_max_bio_size", 84, 4),
    ("bm_max_peers", 88, 4),
    ("node_id", 92, 4),
    ("al_stripes", 96, 4),
    ("al_stripe_size_4k", 100, 4),
    ("peers[1].bitmap_uuid", 144, 8),
    ("peers[1].bitmap_dagtag", 152, 8),
    ("peers[1].flags", 160, 4),
    ("peers[1].bitmap_index", 164, 4),
    // One beyond the slots, and the last ones.
    ("peers[31].bitmap_uuid", 1104, 8),
    ("peers[31].flags", 1120, 4),
    ("peers[31].bitmap_index", 1124, 4),
    ("history_uuids[0]", 1136, 8),
    ("history_uuids[31]", 1384, 8),
];

/// A bitmap of which nothing is told: only the header is of interest.
struct Nothing;

impl Bitmap for Nothing {
    fn slot(&mut self, _: BitmapIndex) -> mdtool::error::Result<Box<dyn SlotWords + '_>> {
        Ok(Box::new(Self))
    }
}

impl SlotWords for Nothing {
    fn next_run(&mut self) -> mdtool::error::Result<Option<Run<'_>>> {
        Ok(None)
    }
}

fn preamble() -> Preamble {
    Preamble {
        time: String::new(),
        origin: String::new(),
    }
}

/// Everything that looks, at a superblock where it is expected.
fn look(image: &dyn ReadAt, at: ImagePos, scan: ScanMode) -> usize {
    let device = Window::whole(image);
    let found = locate(
        device,
        &LocateOptions {
            scan,
            ..LocateOptions::default()
        },
    )
    .unwrap();
    let given = locate_at(
        device,
        mdtool::units::DevPos::at(at.from_start()),
        IndexChoice::Auto,
    );
    let mut looked = 0;
    for level in found.levels.iter().chain(&given.ok()) {
        looked += 1;
        assert!(level.layout.whole.end.from_start() <= device.size());
        let _ = level.out_of_sync(device, Bytes::new(64 << 10)).unwrap();
        // The largest log takes seconds to read; whether one of 16 GiB is fast is not asked here.
        let log = LogState::read(device, level, &mut |_| ()).unwrap();
        let marking = Marking::of(&log.replay.active, &level.layout.geometry);
        assert!(marking.marks().len() <= log.replay.active.len());
        let after = superblock_after(&level.superblock);
        assert!(Superblock::decode(&after).is_some());
        let header = Header::of(&level.superblock);
        let mut text = Vec::new();
        print(
            &mut text,
            &header,
            &level.layout,
            &mut Nothing,
            &preamble(),
            Compat::NEWEST,
        )
        .unwrap();
        assert!(text.len() < 20_000);
        place(device, &header);
    }
    looked
}

/// Everything that plans to write a header somewhere.
fn place(device: Window<'_>, header: &Header) {
    for index in [
        IndexChoice::Auto,
        IndexChoice::FlexExternal,
        IndexChoice::Indexed(255),
    ] {
        for (clip, node_id) in [(false, None), (true, Some(NodeId::new(31)))] {
            let options = ImportOptions {
                index,
                clip,
                node_id,
                flags: None,
            };
            if let Ok(import) = plan(device, header.clone(), &options) {
                assert!(import.header.la_size <= import.layout.usable);
                assert!(import.layout.whole.end.from_start() <= device.size());
                if let Ok(superblock) = import.header.compose(&import.layout) {
                    let again =
                        MdLayout::of(&superblock, import.layout.index, device.size()).unwrap();
                    assert_eq!(again.bm, import.layout.bm);
                }
            }
        }
    }
}

/// An image of one resource, where its superblock is, and that superblock.
fn one(level: &Level, size: Bytes) -> (MemImage, ImagePos, Vec<u8>) {
    let mut image = MemImage::new(size);
    let built = build(
        &mut image,
        ImagePos::START,
        size,
        std::slice::from_ref(level),
    )
    .unwrap();
    let at = built[0].image_pos(built[0].md()).unwrap();
    let mut block = vec![0; 4096];
    image.read_exact_at(at, &mut block).unwrap();
    (image, at, block)
}

/// A number cut to a field's width.
pub(crate) fn put(block: &mut [u8], (_, at, width): Field, number: u64) {
    block[at..at + width].copy_from_slice(&number.to_be_bytes()[8 - width..]);
}

/// Limits that differ in so many bytes.
fn limits(width: usize) -> impl Iterator<Item = u64> + Clone {
    let least = if width == 8 {
        u64::MAX
    } else {
        (1 << (8 * width)) - 1
    };
    LIMITS.into_iter().filter(move |limit| *limit <= least)
}

fn superblocks(fields: &[Field], level: &Level, small: u64) {
    let begun = Instant::now();
    let (mut cases, mut accepted) = (0, 0);
    for size in [small, 1 << 50] {
        let (mut image, at, block) = one(level, Bytes::new(size));
        assert!(look(&image, at, ScanMode::Full) > 0, "found as it is");
        // Beyond what DRBD addresses, where the same superblock would be.
        let beyond = Bytes::new((1 << 63) + 4096 + 512);
        let end = MdIndex::FlexInternal.superblock_pos(beyond).unwrap();
        let mut enormous = MemImage::new(beyond);
        for (i, first) in fields.iter().enumerate() {
            for one in limits(first.2) {
                let mut once = block.clone();
                put(&mut once, *first, one);
                for second in &fields[i..] {
                    for other in limits(second.2) {
                        let mut twice = once.clone();
                        put(&mut twice, *second, other);
                        image.write_at(at, &twice).unwrap();
                        cases += 1;
                        accepted += usize::from(look(&image, at, ScanMode::Never) > 0);
                    }
                }
                image.write_at(at, &once).unwrap();
                look(&image, at, ScanMode::Full);
                let end = ImagePos::at(end.from_start());
                enormous.write_at(end, &once).unwrap();
                look(&enormous, end, ScanMode::Auto);
            }
        }
    }
    assert!(accepted > 0 && accepted < cases, "{accepted} of {cases}");
    eprintln!(
        "{cases} superblocks, {accepted} accepted, {} ms",
        begun.elapsed().as_millis()
    );
}

#[test]
fn superblocks_of_v07_with_numbers_at_their_limits_get_an_answer() {
    if alone_in_little_memory(
        "limits::superblocks_of_v07_with_numbers_at_their_limits_get_an_answer",
    ) {
        superblocks(V07, &Level::v07(), 256 << 20);
        superblocks(V07, &Level::v07_flex(), 1 << 20);
    }
}

#[test]
fn superblocks_of_v08_with_numbers_at_their_limits_get_an_answer() {
    if alone_in_little_memory(
        "limits::superblocks_of_v08_with_numbers_at_their_limits_get_an_answer",
    ) {
        superblocks(V08, &Level::v08(), 1 << 20);
    }
}

#[test]
fn superblocks_of_v09_with_numbers_at_their_limits_get_an_answer() {
    if alone_in_little_memory(
        "limits::superblocks_of_v09_with_numbers_at_their_limits_get_an_answer",
    ) {
        superblocks(V09, &v09(), 1 << 20);
    }
}

fn v09() -> Level {
    let peer = Peer::in_slot(BitmapIndex::new(0));
    Level::v09(3)
        .node_id(NodeId::new(0))
        .peer(NodeId::new(1), peer)
}

/// Where the numbers of a text are: their places, outside of comments and strings, and whether each is hexadecimal.
pub(crate) fn numbers(text: &str) -> Vec<(std::ops::Range<usize>, bool)> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'"');
    let mut found = Vec::new();
    let mut start = 0;
    while start < text.len() {
        let len = text[start..].bytes().take_while(|byte| word(*byte)).count();
        let token = &text[start..start + len];
        if token.starts_with(|first: char| first.is_ascii_digit() || first == '-') {
            found.push((start..start + len, token.starts_with("0x")));
        }
        start += len.max(1);
    }
    found
}

/// A number as the grammar writes it.
pub(crate) fn written(number: u64, old: &str, hexadecimal: bool) -> String {
    match (hexadecimal, old.len()) {
        (true, 10) => format!("0x{:08X}", number & 0xFFFF_FFFF),
        (true, _) => format!("0x{number:016X}"),
        (false, _) => number.to_string(),
    }
}

/// Reads a dump to its end, and plans to place it.
fn read(text: &str, devices: &[MemImage]) -> bool {
    let Ok(reader) = DumpReader::new(text.as_bytes()) else {
        return false;
    };
    let header = reader.header().clone();
    for device in devices {
        place(Window::whole(device), &header);
    }
    reader.finish().is_ok()
}

/// A dump without comments.
fn dump(level: &Level) -> String {
    let (image, ..) = one(level, Bytes::new(1 << 20));
    let device = Window::whole(&image);
    let found = locate(device, &LocateOptions::default()).unwrap();
    let level = &found.levels[0];
    let mut header = Header::of(&level.superblock);
    header.al_state = mdtool::format::superblock::AlState::Clean;
    let mut text = Vec::new();
    let mut bitmap = level.bitmap(device);
    print(
        &mut text,
        &header,
        &level.layout,
        &mut bitmap,
        &preamble(),
        Compat::NEWEST,
    )
    .unwrap();
    let text = String::from_utf8(text).unwrap();
    let lines = text
        .lines()
        .map(|line| line.split('#').next().unwrap().trim_end());
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join("\n")
}

/// `most`: how many of the numbers are tried in pairs.
fn dumps(level: &Level, most: usize) {
    let begun = Instant::now();
    let text = dump(level);
    let devices = [1 << 20, 1 << 50, (1 << 63) + 512].map(|size| MemImage::new(Bytes::new(size)));
    assert!(read(&text, &devices), "{text}");
    let numbers = numbers(&text);
    let (mut cases, mut accepted) = (0, 0);
    for (i, (first, hexadecimal)) in numbers.iter().enumerate() {
        for one in LIMITS {
            let one = written(one, &text[first.clone()], *hexadecimal);
            let changed = [&text[..first.start], &one, &text[first.end..]].concat();
            cases += 1;
            accepted += usize::from(read(&changed, &devices));
            // Head and tail: of v09's many peers, one is as good as another.
            let few = |i: usize| i < most / 2 || i + most / 2 >= numbers.len();
            for (j, (second, hexadecimal)) in numbers.iter().enumerate().skip(i + 1) {
                if !few(i) || !few(j) {
                    continue;
                }
                for other in LIMITS {
                    let other = written(other, &text[second.clone()], *hexadecimal);
                    let between = &text[first.end..second.start];
                    let twice = [
                        &text[..first.start],
                        &one,
                        between,
                        &other,
                        &text[second.end..],
                    ]
                    .concat();
                    cases += 1;
                    accepted += usize::from(read(&twice, &devices));
                }
            }
        }
    }
    assert!(accepted > 0 && accepted < cases, "{accepted} of {cases}");
    eprintln!(
        "{cases} dumps, {accepted} accepted, {} ms",
        begun.elapsed().as_millis()
    );
}

#[test]
fn dumps_with_numbers_at_their_limits_get_an_answer() {
    if alone_in_little_memory("limits::dumps_with_numbers_at_their_limits_get_an_answer") {
        dumps(&Level::v07_flex(), 100);
        dumps(&Level::v08(), 100);
        dumps(&v09(), 28);
    }
}
