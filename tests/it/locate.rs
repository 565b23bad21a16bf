//! `locate` on every shape of stack that the builder can make.

use mdtool::builder::{
    Built, LaSize, Level, build, erase_superblock, plant_magic, stale_superblock,
};
use mdtool::format::superblock::Format;
use mdtool::image::{Counted, MemImage, ReadAt, Window, WriteAt};
use mdtool::survey::locate::{FoundBy, LocateOptions, Located, Role, ScanMode, Why, locate};
use mdtool::units::{BitmapIndex, Bytes, DevPos, ImagePos, Sectors};

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

fn bytes(size: u64) -> Bytes {
    Bytes::new(size)
}

fn stack(image: u64, backing: u64, levels: &[Level]) -> (MemImage, Vec<Built>) {
    let mut mem = MemImage::new(bytes(image));
    let built = build(&mut mem, ImagePos::START, bytes(backing), levels).unwrap();
    (mem, built)
}

const PLAIN: LocateOptions = LocateOptions {
    index: mdtool::survey::locate::IndexChoice::Auto,
    scan: ScanMode::Auto,
    stacked: false,
};
const STACKED: LocateOptions = LocateOptions {
    stacked: true,
    ..PLAIN
};
const FULL: LocateOptions = LocateOptions {
    scan: ScanMode::Full,
    ..PLAIN
};

fn find(image: &dyn ReadAt, options: LocateOptions) -> Located {
    locate(Window::whole(image), &options).unwrap()
}

/// Whether just these levels were found, everything of them where the builder put it.
fn assert_levels(located: &Located, built: &[&Built], found_by: &[FoundBy]) {
    let places: Vec<_> = located.levels.iter().map(|level| level.layout.md).collect();
    assert_eq!(
        places,
        built.iter().map(|built| built.md()).collect::<Vec<_>>(),
        "{:#?}",
        located.rejected
    );
    for (level, built) in located.levels.iter().zip(built) {
        assert_eq!(
            (level.layout.al.start, level.layout.bm.start),
            (built.al(), built.bm())
        );
        assert_eq!(
            (level.layout.md_size, level.layout.usable),
            (built.md_size_sect(), built.usable())
        );
        assert_eq!(level.drbd_device().to_bytes(), Some(built.device()));
    }
    assert_eq!(
        located
            .levels
            .iter()
            .map(|level| level.found_by)
            .collect::<Vec<_>>(),
        found_by
    );
}

use FoundBy::{ExpectedPosition as Expected, OuterSize, Scan};

fn every_format() -> Vec<(Format, Level)> {
    vec![
        (Format::V07, Level::v07()),
        (Format::V07, Level::v07_flex()),
        (Format::V08, Level::v08()),
        (Format::V08, Level::v08().unclean()),
        (Format::V09, Level::v09(1)),
        (Format::V09, Level::v09(7).bytes_per_bit(bytes(65536))),
    ]
}

#[test]
fn outer_and_inner_of_any_two_formats() {
    for (outer_format, outer) in every_format() {
        for (inner_format, inner) in every_format() {
            let (image, built) = stack(GIB, GIB, &[outer.clone(), inner]);
            let located = find(&image, PLAIN);
            assert_levels(&located, &[&built[0], &built[1]], &[Expected, OuterSize]);
            let formats: Vec<_> = located
                .levels
                .iter()
                .map(|level| level.superblock.format())
                .collect();
            assert_eq!(formats, [outer_format, inner_format]);
            let roles: Vec<_> = located.levels.iter().map(|level| level.role).collect();
            assert_eq!(roles, [Role::Outer, Role::Inner]);
            assert_eq!(located.rejected, []);
        }
    }
}

#[test]
fn one_resource_is_single() {
    for (_, level) in every_format() {
        let (image, built) = stack(GIB, GIB, &[level]);
        let located = find(&image, PLAIN);
        assert_levels(&located, &[&built[0]], &[Expected]);
        assert_eq!(located.levels[0].role, Role::Single);
    }
}

#[test]
fn three_levels() {
    let (image, built) = stack(GIB, GIB, &[Level::v08(), Level::v09(3), Level::v08()]);
    let located = find(&image, PLAIN);
    assert_levels(
        &located,
        &[&built[0], &built[1], &built[2]],
        &[Expected, OuterSize, OuterSize],
    );
    assert_eq!(located.levels[1].role, Role::Middle);
}

#[test]
fn slack_between_the_inner_end_and_the_outer_bitmap() {
    for sectors in [2_000_000, 2_000_001, 1_048_576] {
        let outer = Level::v08().la_size(LaSize::Exactly(Sectors::new(sectors)));
        let (image, built) = stack(GIB, GIB, &[outer, Level::v08()]);
        assert_levels(
            &find(&image, PLAIN),
            &[&built[0], &built[1]],
            &[Expected, OuterSize],
        );
    }
}

#[test]
fn an_outer_that_never_agreed_on_a_size() {
    let (image, built) = stack(
        GIB,
        GIB,
        &[Level::v08().la_size(LaSize::Zero), Level::v09(2)],
    );
    assert_levels(
        &find(&image, PLAIN),
        &[&built[0], &built[1]],
        &[Expected, OuterSize],
    );
}

#[test]
fn an_outer_that_forgot_its_smaller_size() {
    let given = LaSize::Exactly(Sectors::new(2_000_000));
    let (mut image, built) = stack(GIB, GIB, &[Level::v08().la_size(given), Level::v08()]);
    let la_size = built[0].image_pos(built[0].md()).unwrap();
    image.write_all_at(la_size, &[0; 8]).unwrap();
    let located = find(&image, PLAIN);
    let places: Vec<_> = located.levels.iter().map(|level| level.layout.md).collect();
    assert_eq!(places, [built[0].md(), built[1].md()]);
    assert_eq!(located.levels[1].found_by, Scan);
}

#[test]
fn an_image_longer_than_the_disk() {
    for more in [4096, 4 * MIB, 700 * MIB] {
        for (_, outer) in every_format() {
            let (image, built) = stack(GIB + more, GIB, &[outer, Level::v08()]);
            let located = find(&image, PLAIN);
            assert_levels(&located, &[&built[0], &built[1]], &[Scan, OuterSize]);
        }
    }
}

/// One sector more, and the formulas ask for one more page of bitmap than there is: DRBD would not take it either.
#[test]
fn a_disk_one_sector_longer() {
    let (image, built) = stack(GIB + 512, GIB, &[Level::v08()]);
    let located = find(&image, PLAIN);
    assert_levels(&located, &[&built[0]], &[Scan]);
    assert_eq!(located.rejected, [], "it was found after all");
    let (image, built) = stack(GIB - 4096 + 512, GIB - 4096, &[Level::v08()]);
    assert_levels(&find(&image, PLAIN), &[&built[0]], &[Expected]);
}

#[test]
fn an_image_cut_off_after_the_inner_superblock() {
    let (image, built) = stack(GIB, GIB, &[Level::v08(), Level::v09(3)]);
    let end = built[1].md().get() + 4096;
    for cut in [end, end + 512, end + 4095, end + 4096, GIB - 4096, GIB - 1] {
        let mut part = MemImage::new(bytes(cut));
        copy(&image, &mut part);
        let located = find(&part, STACKED);
        let exactly = cut < end + 4096;
        assert_levels(
            &located,
            &[&built[1]],
            &[if exactly { Expected } else { Scan }],
        );
        // Where it is found as the outermost, nothing says that there was another.
        let role = if exactly { Role::Single } else { Role::Inner };
        assert_eq!(located.levels[0].role, role, "cut at {cut}");
    }
}

/// Copies what fits.
fn copy(from: &MemImage, to: &mut MemImage) {
    let mut at = ImagePos::START;
    while let Some(data) = from.next_data(at).unwrap() {
        let end = data.end.min(ImagePos::at(to.size()));
        if data.start >= end {
            break;
        }
        let mut piece = vec![0; usize::try_from(end.get() - data.start.get()).unwrap()];
        from.read_exact_at(data.start, &mut piece).unwrap();
        to.write_all_at(data.start, &piece).unwrap();
        at = data.end;
    }
}

#[test]
fn an_outer_superblock_zeroed_or_overwritten() {
    for junk in [0_u8, 0x83, 0xFF] {
        let (mut image, built) = stack(GIB, GIB, &[Level::v09(7), Level::v08()]);
        let at = built[0].image_pos(built[0].md()).unwrap();
        image.write_all_at(at, &[junk; 4096]).unwrap();
        for options in [PLAIN, STACKED] {
            let located = find(&image, options);
            assert_levels(&located, &[&built[1]], &[Scan]);
            let role = if options.stacked {
                Role::Inner
            } else {
                Role::Single
            };
            assert_eq!(located.levels[0].role, role);
        }
        assert_eq!(
            find(
                &image,
                LocateOptions {
                    scan: ScanMode::Never,
                    ..STACKED
                }
            )
            .levels,
            []
        );
    }
}

#[test]
fn an_erased_outer_of_three_levels() {
    let (mut image, built) = stack(GIB, GIB, &[Level::v08(), Level::v08(), Level::v09(2)]);
    erase_superblock(&mut image, &built[0]).unwrap();
    assert_levels(
        &find(&image, STACKED),
        &[&built[1], &built[2]],
        &[Scan, OuterSize],
    );
}

/// The image of an outer resource whose metadata is elsewhere holds nothing but the inner device.
#[test]
fn an_outer_with_external_metadata() {
    let (image, built) = stack(GIB, GIB, &[Level::v08()]);
    assert_levels(&find(&image, PLAIN), &[&built[0]], &[Expected]);
    // And where the outer device is smaller than its disk:
    let (image, built) = stack(GIB + 12 * MIB + 512, GIB, &[Level::v08()]);
    let located = find(&image, STACKED);
    assert_levels(&located, &[&built[0]], &[Scan]);
    assert_eq!(located.levels[0].role, Role::Inner);
}

/// The outer grew, the inner was not yet resized: it is where the old outer device ended.
#[test]
fn an_inner_that_was_not_resized() {
    let mut image = MemImage::new(bytes(2 * GIB));
    let old = build(
        &mut image,
        ImagePos::START,
        bytes(GIB),
        &[Level::v08(), Level::v09(3)],
    )
    .unwrap();
    let new = build(&mut image, ImagePos::START, bytes(2 * GIB), &[Level::v08()]).unwrap();
    let located = find(&image, STACKED);
    assert_levels(&located, &[&new[0], &old[1]], &[Expected, Scan]);
    // A kernel leaves the outer's old superblock behind, between the two.
    let full = find(&image, FULL);
    let stale = Why::Stale {
        level: 0,
        device: bytes(GIB),
    };
    assert_eq!(
        full.rejected
            .iter()
            .map(|one| (one.at, one.why))
            .collect::<Vec<_>>(),
        [(old[0].md(), stale)]
    );
    assert_eq!(full.levels.len(), 2);
}

#[test]
fn an_inner_close_to_where_it_should_be_is_found_without_being_asked_for() {
    let mut image = MemImage::new(bytes(GIB + 32 * MIB));
    let old = build(
        &mut image,
        ImagePos::START,
        bytes(GIB),
        &[Level::v08(), Level::v08()],
    )
    .unwrap();
    let new = build(
        &mut image,
        ImagePos::START,
        bytes(GIB + 32 * MIB),
        &[Level::v08()],
    )
    .unwrap();
    assert_levels(&find(&image, PLAIN), &[&new[0], &old[1]], &[Expected, Scan]);
}

#[test]
fn stale_superblocks_of_an_older_size_are_rejected() {
    let (mut image, built) = stack(GIB, GIB, &[Level::v08(), Level::v09(2)]);
    for (level, backing) in [(0, 700 * MIB), (1, 300 * MIB)] {
        let levels = [Level::v08(), Level::v09(2)];
        stale_superblock(&mut image, &built[level], bytes(backing), &levels[level]).unwrap();
    }
    let located = find(&image, FULL);
    assert_levels(&located, &[&built[0], &built[1]], &[Expected, OuterSize]);
    let whys: Vec<_> = located.rejected.iter().map(|one| one.why).collect();
    assert_eq!(
        whys,
        [
            Why::Stale {
                level: 1,
                device: bytes(300 * MIB)
            },
            Why::Stale {
                level: 0,
                device: bytes(700 * MIB)
            }
        ]
    );
}

#[test]
fn magics_in_user_data_are_rejected() {
    let (mut image, built) = stack(GIB, GIB, &[Level::v08(), Level::v08()]);
    let mut expected = Vec::new();
    for (n, magic) in [0x8374_026A_u32, 0x8374_026B, 0x8374_026C, 0x8374_026D]
        .into_iter()
        .enumerate()
    {
        let at = ImagePos::new(8192 * (n as u64 + 1));
        plant_magic(&mut image, at, magic).unwrap();
        expected.push(DevPos::new(at.get()));
    }
    // What is not at a block's place is not even looked at.
    image
        .write_all_at(
            ImagePos::new(MIB + 512 + 60),
            &0x8374_026B_u32.to_be_bytes(),
        )
        .unwrap();
    let located = find(&image, FULL);
    assert_levels(&located, &[&built[0], &built[1]], &[Expected, OuterSize]);
    assert_eq!(
        located
            .rejected
            .iter()
            .map(|one| one.at)
            .collect::<Vec<_>>(),
        expected
    );
    assert!(
        located
            .rejected
            .iter()
            .all(|one| matches!(one.why, Why::Misfit(_)))
    );
}

#[test]
fn another_resource_left_in_the_data_is_no_third_level() {
    let mut image = MemImage::new(bytes(GIB));
    let left = build(
        &mut image,
        ImagePos::START,
        bytes(512 * MIB),
        &[Level::v08().device_uuid(77)],
    )
    .unwrap();
    let built = build(
        &mut image,
        ImagePos::START,
        bytes(GIB),
        &[Level::v08(), Level::v09(2)],
    )
    .unwrap();
    let located = find(&image, FULL);
    assert_levels(&located, &[&built[0], &built[1]], &[Expected, OuterSize]);
    assert_eq!(located.rejected.len(), 1);
    assert_eq!(
        (located.rejected[0].at, located.rejected[0].why),
        (left[0].md(), Why::Leftover { level: 1 })
    );
}

#[test]
fn a_partition_inside_a_disk() {
    let mut image = MemImage::new(bytes(3 * GIB));
    let base = ImagePos::new(2048 * 512);
    let built = build(&mut image, base, bytes(GIB), &[Level::v08(), Level::v08()]).unwrap();
    let window = Window::of(&image, base, bytes(GIB)).unwrap();
    let located = locate(window, &PLAIN).unwrap();
    assert_levels(&located, &[&built[0], &built[1]], &[Expected, OuterSize]);
    assert_eq!(
        window.image_pos(located.levels[1].layout.md),
        built[1].image_pos(built[1].md())
    );
}

#[test]
fn an_image_full_of_superblocks_is_an_answer_too() {
    let mut image = MemImage::new(bytes(64 * MIB));
    for at in (0..64 * MIB).step_by(4096) {
        plant_magic(&mut image, ImagePos::new(at), 0x8374_026D).unwrap();
    }
    let located = find(&image, FULL);
    assert_eq!(located.levels, []);
    assert_eq!(
        located.rejected.len() as u64 + located.rejected_more,
        64 * MIB / 4096
    );
    assert!(located.rejected.len() <= 256);
}

/// 9 TB of which nothing is a hole: every byte that is looked at is read.
struct NoHoles(MemImage);

impl ReadAt for NoHoles {
    fn size(&self) -> Bytes {
        self.0.size()
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> mdtool::error::Result<()> {
        self.0.read_exact_at(at, buf)
    }

    fn next_data(
        &self,
        from: ImagePos,
    ) -> mdtool::error::Result<Option<std::ops::Range<ImagePos>>> {
        let end = ImagePos::at(self.size());
        Ok((from < end).then_some(from..end))
    }

    fn visit(
        &self,
        range: std::ops::Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> std::ops::ControlFlow<()>,
    ) -> mdtool::error::Result<()> {
        self.0.visit(range, visit)
    }
}

/// The demo's image, without its holes.
fn nine_terabytes() -> (NoHoles, Vec<Built>) {
    let size = 9_000_000_000_000;
    let inner = Level::v08().dirty(
        BitmapIndex::new(0),
        DevPos::new(5 * GIB)..DevPos::new(6 * GIB),
    );
    let (image, built) = stack(size, size, &[Level::v08(), inner]);
    (NoHoles(image), built)
}

#[test]
fn the_plain_case_reads_a_handful_of_blocks() {
    let (image, built) = nine_terabytes();
    let counted = Counted::new(image);
    for options in [PLAIN, STACKED] {
        counted.reset();
        assert_levels(
            &find(&counted, options),
            &[&built[0], &built[1]],
            &[Expected, OuterSize],
        );
        assert!(counted.bytes() > Bytes::ZERO, "the counter counts");
        assert!(
            counted.bytes() <= bytes(8 * 4096),
            "read {}",
            counted.bytes()
        );
    }
}

#[test]
fn without_the_outer_superblock_less_than_a_thousandth_is_read() {
    let (mut image, built) = nine_terabytes();
    erase_superblock(&mut image.0, &built[0]).unwrap();
    let counted = Counted::new(image);
    assert_levels(&find(&counted, STACKED), &[&built[1]], &[Scan]);
    let thousandth = bytes(9_000_000_000);
    assert!(
        counted.bytes() > bytes(200 << 20),
        "the outer's bitmap was read through: {}",
        counted.bytes()
    );
    assert!(counted.bytes() < thousandth, "read {}", counted.bytes());
}
