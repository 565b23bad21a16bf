//! Probing in memory: what no image file can show.

use std::ops::{ControlFlow, Range};

use proptest::prelude::*;

use super::*;
use crate::builder::{Built, External, LaSize, Level as Spec, build, build_external};
use crate::error::{IoError, IoOp};
use crate::image::{Counted, MemImage, ReadAt, WriteAt};
use crate::units::{ImagePos, Sectors};

const MIB: u64 = 1 << 20;
const SIZE: u64 = 160 * MIB;

fn image_of(size: u64, levels: &[Spec]) -> (MemImage, Vec<Built>) {
    let mut image = MemImage::new(Bytes::new(size));
    let built = build(&mut image, ImagePos::START, Bytes::new(size), levels).unwrap();
    (image, built)
}

fn status_with(image: &dyn ReadAt, options: &ProbeOptions) -> Status {
    probe(Window::whole(image), options).map_or(Status::Error, |probed| probed.status())
}

fn status(image: &dyn ReadAt) -> Status {
    status_with(image, &ProbeOptions::default())
}

/// An image of which some bytes cannot be read.
struct Faulty<R> {
    image: R,
    bad: Range<u64>,
}

impl<R: ReadAt> Faulty<R> {
    fn check(&self, at: ImagePos, len: u64) -> Result<()> {
        if at.get() < self.bad.end && self.bad.start < at.get() + len {
            let source = std::io::Error::from_raw_os_error(5);
            return Err(IoError::at(IoOp::Read, at, Bytes::new(len), source).into());
        }
        Ok(())
    }
}

impl<R: ReadAt> ReadAt for Faulty<R> {
    fn size(&self) -> Bytes {
        self.image.size()
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        self.check(at, Bytes::of_len(buf.len()).get())?;
        self.image.read_exact_at(at, buf)
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        // A device has no holes.
        let size = ImagePos::at(self.image.size());
        Ok((from < size).then_some(from..size))
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        self.check(range.start, range.end.get() - range.start.get())?;
        self.image.visit(range, visit)
    }
}

#[test]
fn a_sector_that_cannot_be_read_is_never_nothing_there() {
    let blank = || MemImage::new(Bytes::new(16 * MIB));
    let whole = Faulty {
        image: blank(),
        bad: 0..0,
    };
    assert_eq!(status(&whole), Status::None, "the premise");
    for at in [0, 4096, 5 * MIB + 512, 16 * MIB - 40960, 16 * MIB - 512] {
        let faulty = Faulty {
            image: blank(),
            bad: at..at + 512,
        };
        assert_eq!(status(&faulty), Status::Error, "{at}");
    }
    let (image, built) = image_of(16 * MIB, &[Spec::v08().unclean().flags(0b11)]);
    let log = built[0].al().get();
    let faulty = Faulty {
        image,
        bad: log..log + 512,
    };
    assert_eq!(status(&faulty), Status::Error, "a log that matters");
}

#[test]
fn where_metadata_is_in_its_place_little_is_read() {
    let size = 9_000_000_000_000;
    // Two blocks are records of partitions, volumes and arrays, read once: they say whether the device begins with the disk.
    let cases = [
        (vec![Spec::v08()], 6),
        (vec![Spec::v09(7)], 6),
        (vec![Spec::v08(), Spec::v09(3)], 8),
        // Its log matters: every block of it, and twice.
        (vec![Spec::v09(3).unclean().flags(0b11)], 26),
    ];
    for (levels, most) in cases {
        let (image, _) = image_of(size, &levels);
        let image = Counted::new(image);
        let found = status(&image);
        assert!(
            matches!(found, Status::Clean | Status::Unclean),
            "{levels:?} {found:?}"
        );
        assert!(
            image.bytes() <= Bytes::new(most * 4096),
            "{} in {} reads",
            image.bytes(),
            image.reads()
        );
    }
}

/// Every placement of a healthy resource, and where its superblock is.
fn healthy() -> Vec<(&'static str, MemImage, u64)> {
    let mut cases = Vec::new();
    for (name, level) in [
        ("v07", Spec::v07()),
        ("v07 flex", Spec::v07_flex()),
        ("v08", Spec::v08()),
        ("v08 of 8.3", Spec::v08().striping(0, 0)),
        ("v09", Spec::v09(3)),
        ("v09 new", Spec::v09(1).just_created()),
    ] {
        let (image, built) = image_of(SIZE, &[level]);
        cases.push((name, image, built[0].md().get()));
    }
    for placement in [External::Flex, External::Indexed(0)] {
        let mut image = MemImage::new(Bytes::new(SIZE));
        let backing = Bytes::new(1 << 30);
        let size = Bytes::new(SIZE);
        let base = ImagePos::START;
        build_external(&mut image, base, size, placement, backing, &Spec::v08()).unwrap();
        cases.push(("external", image, 0));
    }
    cases
}

#[test]
fn no_changed_byte_of_a_superblock_makes_it_nothing() {
    for (name, mut image, at) in healthy() {
        assert_ne!(status(&image), Status::None, "{name}");
        for offset in 0..4096 {
            let place = ImagePos::new(at + offset);
            let mut byte = [0];
            image.read_exact_at(place, &mut byte).unwrap();
            for flip in [0x01, 0x80, 0xFF] {
                image.write_all_at(place, &[byte[0] ^ flip]).unwrap();
                let found = status(&image);
                assert!(
                    !matches!(found, Status::None | Status::Error),
                    "{name}: {found} with byte {offset} changed by {flip:#x}"
                );
            }
            image.write_all_at(place, &byte).unwrap();
        }
    }
}

#[test]
fn a_log_without_its_superblock_is_damage() {
    for level in [Spec::v08(), Spec::v09(3), Spec::v08().striping(4, 8)] {
        let (mut image, built) = image_of(SIZE, &[level]);
        let md = built[0].md();
        image
            .write_all_at(ImagePos::at(md.from_start()), &[0; 4096])
            .unwrap();
        let probed = probe(Window::whole(&image), &ProbeOptions::default()).unwrap();
        assert!(
            matches!(probed.answer, Answer::Damaged(Damage::LogAlone { superblock, .. }) if superblock == md),
            "{probed:?}"
        );
        // The log's blocks, and nothing is left but the bitmap.
        let al = ImagePos::at(built[0].al().from_start());
        let len = built[0].al_size().to_usize().unwrap();
        image.write_all_at(al, &vec![0; len]).unwrap();
        assert_eq!(status(&image), Status::None);
    }
}

#[test]
fn a_search_that_was_not_wanted_is_no_none() {
    let never = ProbeOptions {
        scan: ScanMode::Never,
        ..ProbeOptions::default()
    };
    let blank = MemImage::new(Bytes::new(SIZE));
    assert_eq!(status(&blank), Status::None);
    assert_eq!(status_with(&blank, &never), Status::Error);
    let (image, built) = image_of(SIZE, &[Spec::v08()]);
    assert_eq!(status_with(&image, &never), Status::Clean);
    let mut grown = MemImage::new(Bytes::new(SIZE + 64 * MIB));
    let md = built[0].md();
    let mut block = [0; 4096];
    Window::whole(&image).read_exact_at(md, &mut block).unwrap();
    grown
        .write_all_at(ImagePos::at(md.from_start()), &block)
        .unwrap();
    assert_eq!(status(&grown), Status::Moved);
    assert_eq!(status_with(&grown, &never), Status::Error);
}

#[test]
fn a_damaged_superblock_elsewhere_is_damage_too() {
    let (mut image, built) = image_of(SIZE, &[Spec::v09(3)]);
    let at = ImagePos::at(built[0].md().from_start());
    image
        .write_all_at(ImagePos::new(at.get() + 68), &[0x11])
        .unwrap();
    let mut block = [0; 4096];
    image.read_exact_at(at, &mut block).unwrap();
    let mut grown = MemImage::new(Bytes::new(2 * SIZE));
    grown.write_all_at(at, &block).unwrap();
    let probed = probe(Window::whole(&grown), &ProbeOptions::default()).unwrap();
    assert!(
        matches!(
            probed.answer,
            Answer::Damaged(Damage::Superblock {
                in_place: false,
                ..
            })
        ),
        "{probed:?}"
    );
}

#[test]
fn a_slot_of_a_meta_device_is_free_or_taken() {
    let size = 512 * MIB;
    let mut image = MemImage::new(Bytes::new(size));
    let slot = |number| ProbeOptions {
        index: IndexChoice::Indexed(number),
        ..ProbeOptions::default()
    };
    build_external(
        &mut image,
        ImagePos::START,
        Bytes::new(size),
        External::Indexed(1),
        Bytes::new(1 << 30),
        &Spec::v08(),
    )
    .unwrap();
    assert_eq!(status_with(&image, &slot(1)), Status::Clean);
    assert_eq!(status_with(&image, &slot(0)), Status::None);
    assert_eq!(status_with(&image, &slot(2)), Status::None);
    let flex = ProbeOptions {
        index: IndexChoice::FlexExternal,
        ..ProbeOptions::default()
    };
    assert_eq!(status_with(&image, &flex), Status::Moved);
    let (image, _) = image_of(size, &[Spec::v08()]);
    assert_eq!(status_with(&image, &slot(0)), Status::Moved, "internal");
}

#[test]
fn a_size_that_does_not_fit_is_damage() {
    let (mut image, built) = image_of(SIZE, &[Spec::v08()]);
    let said = built[0].usable().get() + 8;
    let at = ImagePos::at(built[0].md().from_start());
    image.write_all_at(at, &said.to_be_bytes()).unwrap();
    let probed = probe(Window::whole(&image), &ProbeOptions::default()).unwrap();
    assert_eq!(
        (probed.status(), probed.net_size()),
        (Status::Damaged, None)
    );
}

#[test]
fn the_inner_resource_is_looked_for_inside_the_outer_one() {
    let inner = ProbeOptions {
        which: Which::Innermost,
        ..ProbeOptions::default()
    };
    let second = ProbeOptions {
        which: Which::Number(2),
        ..ProbeOptions::default()
    };
    let (image, built) = image_of(SIZE, &[Spec::v08(), Spec::v09(3).unclean()]);
    let probed = probe(Window::whole(&image), &inner).unwrap();
    assert_eq!((probed.status(), probed.number), (Status::Unclean, 1));
    assert_eq!(probed.net_size(), Some(built[1].device()));
    assert_eq!(status_with(&image, &second), Status::None);
    let (single, _) = image_of(SIZE, &[Spec::v08()]);
    assert_eq!(status_with(&single, &inner), Status::None);
    let last = ProbeOptions {
        which: Which::Last,
        ..ProbeOptions::default()
    };
    assert_eq!(status_with(&single, &last), Status::Clean);
    assert_eq!(status_with(&image, &last), Status::Unclean);

    let smaller = Spec::v08().la_size(LaSize::Exactly(Sectors::new(200_000)));
    let (mut image, built) = image_of(SIZE, &[smaller, Spec::v08()]);
    let shrunk = Sectors::new(190_000).get().to_be_bytes();
    assert_eq!(status_with(&image, &inner), Status::Clean);
    let outer = ImagePos::at(built[0].md().from_start());
    image.write_all_at(outer, &shrunk).unwrap();
    assert_eq!(
        status_with(&image, &inner),
        Status::Moved,
        "the outer one shrank"
    );
    let erased = ImagePos::at(built[1].md().from_start());
    image
        .write_all_at(outer, &Sectors::new(200_000).get().to_be_bytes())
        .unwrap();
    image.write_all_at(erased, &[0; 4096]).unwrap();
    for which in [inner, last] {
        assert_eq!(
            status_with(&image, &which),
            Status::Damaged,
            "its log is there"
        );
    }
}

proptest! {
    #[test]
    fn any_bytes_have_one_status(
        content in prop::collection::vec(any::<u8>(), 0..20_000),
        magic in prop::sample::select(vec![0x8374_026A_u32, 0x8374_026B, 0x8374_026C, 0x8374_026D]),
        place in 0_usize..20_000,
        inner in any::<bool>(),
        never in any::<bool>(),
    ) {
        let mut content = content;
        if let Some(target) = content.get_mut(place / 4096 * 4096 + 60..).and_then(|rest| rest.first_chunk_mut()) {
            *target = magic.to_be_bytes();
        }
        let options = ProbeOptions {
            which: if inner { Which::Innermost } else { Which::Outermost },
            scan: if never { ScanMode::Never } else { ScanMode::Auto },
            ..ProbeOptions::default()
        };
        let found = status_with(&MemImage::from_bytes(&content), &options);
        prop_assert!(found != Status::Clean && found != Status::Unexpected);
        prop_assert!(!(never && found == Status::None));
    }

    #[test]
    fn a_healthy_resource_with_any_bytes_over_it_has_one_status(
        levels in 1_usize..3,
        patches in prop::collection::vec((0_u64..80_000, prop::collection::vec(any::<u8>(), 1..600)), 1..6),
        which in 0_usize..3,
    ) {
        let (mut image, _) = image_of(2 * MIB, &vec![Spec::v09(2).unclean().flags(0b11); levels]);
        for (before, content) in patches {
            let at = ImagePos::new(2 * MIB - 80_000 + before);
            let len = usize::try_from(80_000 - before).unwrap().min(content.len());
            image.write_all_at(at, &content[..len]).unwrap();
        }
        let options = ProbeOptions { which: Which::Number(which), ..ProbeOptions::default() };
        let _ = status_with(&image, &options);
    }
}
