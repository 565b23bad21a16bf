use super::*;
use crate::builder::{self, LaSize, Level as Spec};
use crate::error::UtilsVersion;
use crate::format::metadata::Header;
use crate::format::superblock::Uuid;
use crate::image::{MemImage, Window};
use crate::survey::locate::{LocateOptions, locate};
use crate::units::ImagePos;
use crate::verdict::forecast::{Forecast, forecast};
use crate::verdict::utils_bugs::{UtilsBug, utils_bugs};

const GIB: Bytes = Bytes::new(1 << 30);

fn found(image: &MemImage) -> Located {
    let options = LocateOptions {
        stacked: true,
        ..LocateOptions::default()
    };
    locate(Window::whole(image), &options).unwrap()
}

fn stack(size: Bytes, levels: &[Spec]) -> (MemImage, Located) {
    let mut image = MemImage::new(size);
    builder::build(&mut image, ImagePos::START, size, levels).unwrap();
    let located = found(&image);
    assert_eq!(located.levels.len(), levels.len());
    (image, located)
}

fn all(located: &Located, size: Bytes, extent: Option<Bytes>) -> Strategies {
    strategies(
        located.levels.last().unwrap(),
        located,
        Site { size, extent },
    )
}

#[test]
fn the_way_of_a_plain_stack_has_the_numbers_of_the_formulas() {
    let (_, located) = stack(GIB, &[Spec::v08(), Spec::v08()]);
    let strategies = all(&located, GIB, Some(Bytes::new(4 << 20)));
    let relocation = strategies.relocate.unwrap();
    // 1 GiB of v08: section 2.4 of the facts; the inner device is what was usable of 2097016 sectors.
    assert_eq!(relocation.layout.md.get(), 1_073_737_728);
    assert_eq!(relocation.data.get(), 2_096_880 * 512);
    assert_eq!(relocation.slack.get(), 1_073_672_192 - 2_096_880 * 512);
    assert!(!relocation.overlaps);

    let truncation = strategies.truncate.unwrap();
    assert_eq!(truncation.size.get(), 2_097_016 * 512);
    assert_eq!(truncation.cut.get(), (1 << 30) - 2_097_016 * 512);
    let beyond = truncation.extents.unwrap().beyond.get();
    assert_eq!(beyond, 2_097_016 * 512 % (4 << 20));

    let by = located.levels[0].layout.md;
    assert_eq!(strategies.check_resize, Err(Obstacle::Hidden { by }));
}

#[test]
fn on_a_larger_disk_check_resize_would_do_and_may_shift_the_bitmap() {
    let (_, located) = stack(GIB, &[Spec::v08(), Spec::v08()]);
    let resized = all(&located, Bytes::new(2 << 30), None)
        .check_resize
        .unwrap();
    assert_eq!(resized.old_size.get(), 2_097_016 * 512);
    assert!(resized.shifts);
    let little = GIB.checked_sub(Bytes::new(4096)).unwrap();
    assert!(!all(&located, little, None).check_resize.unwrap().shifts);
}

#[test]
fn a_disk_without_room_is_told_how_much_is_missing() {
    // Fewer slots outside than inside: the data of the inner reaches beyond where its metadata would begin.
    let (_, located) = stack(GIB, &[Spec::v08(), Spec::v08()]);
    let data = Bytes::new(2_096_880 * 512);
    let size = data.checked_add(Bytes::new(64 << 10)).unwrap();
    let Err(Obstacle::NoRoom {
        missing, metadata, ..
    }) = all(&located, size, None).relocate
    else {
        panic!("there is no room");
    };
    assert_eq!(missing.get(), metadata.get() - (64 << 10));
    // With what is missing it is the device that the metadata was made for; with a block more, one to move it on.
    let larger = size.checked_add(missing).unwrap();
    let at = located.levels[1].layout.md;
    assert_eq!(
        all(&located, larger, None).relocate,
        Err(Obstacle::AlreadyThere { at })
    );
    let larger = larger.checked_add(Bytes::new(4096)).unwrap();
    let relocation = all(&located, larger, None).relocate.unwrap();
    assert_eq!(relocation.slack.get(), 4096);
    assert!(relocation.overlaps);
    let Err(Obstacle::TooSmall { .. }) = all(&located, size, None).truncate else {
        panic!("there is no backing device to cut to");
    };
}

#[test]
fn what_is_in_its_place_needs_no_way() {
    let (_, located) = stack(GIB, &[Spec::v09(3)]);
    let at = located.levels[0].layout.md;
    let strategies = all(&located, GIB, None);
    assert_eq!(strategies.relocate, Err(Obstacle::AlreadyThere { at }));
    assert_eq!(strategies.truncate, Err(Obstacle::AlreadyThere { at }));
}

#[test]
fn a_meta_device_holds_the_bitmap_of_the_device() {
    for peers in [1, 2, 3, 7, 31] {
        for mib in [64, 1024, 1025, 7777] {
            let size = Bytes::new(mib << 20);
            let (_, located) = stack(size, &[Spec::v08(), Spec::v09(peers)]);
            let level = located.levels.last().unwrap();
            let external = all(&located, size, None).external.unwrap();
            for (meta, capacity) in [
                (external.least, level.drbd_device()),
                (external.whole, size.to_sectors_floor()),
            ] {
                let planned = |meta| {
                    let geometry = level.layout.geometry;
                    crate::format::layout::MdLayout::planned(
                        crate::format::layout::MdIndex::FlexExternal,
                        geometry,
                        meta,
                    )
                };
                assert!(planned(meta).unwrap().usable >= capacity);
                let less = Bytes::new(meta.get() - 4096);
                let smaller = planned(less).unwrap().usable;
                assert!(smaller < capacity || meta.get() == 1 << 20, "{peers} {mib}");
            }
        }
    }
}

#[test]
fn traps_are_told_by_version_and_metadata() {
    let version = |minor| UtilsVersion {
        major: 9,
        minor,
        patch: 0,
    };
    let told = |spec: Spec, size: Bytes, minor: Option<u16>| {
        let (_, located) = stack(size, &[spec]);
        let level = &located.levels[0];
        utils_bugs(
            &Header::of(&level.superblock),
            &level.layout,
            minor.map(version),
        )
    };
    assert_eq!(
        told(Spec::v08(), GIB, Some(22)),
        [UtilsBug::FlagsLost, UtilsBug::LogLeft]
    );
    assert_eq!(told(Spec::v08(), GIB, Some(34)), [UtilsBug::LogLeft]);
    let bitmap = Bytes::new(64 << 20);
    assert_eq!(
        told(Spec::v08(), Bytes::new(2 << 40), Some(22)),
        [
            UtilsBug::FlagsLost,
            UtilsBug::BitmapCut { bitmap },
            UtilsBug::LogLeft
        ]
    );
    assert_eq!(
        told(Spec::v09(1), GIB, Some(26)),
        [UtilsBug::Members, UtilsBug::LogLeft]
    );
    let coarse = || Spec::v09(1).bytes_per_bit(Bytes::new(65536));
    let bytes_per_bit = 65536;
    assert_eq!(
        told(coarse(), GIB, Some(34)),
        [UtilsBug::DataDamaged { bytes_per_bit }, UtilsBug::LogLeft]
    );
    assert_eq!(told(coarse(), GIB, None).len(), 5);
}

#[test]
fn peers_in_another_order_are_a_trap_of_old_versions_only() {
    let trapped = |spec: Spec, version| {
        let (_, located) = stack(GIB, &[spec]);
        let level = &located.levels[0];
        let header = Header::of(&level.superblock);
        utils_bugs(&header, &level.layout, version).contains(&UtilsBug::PeerOrder)
    };
    let version = |patch| {
        Some(UtilsVersion {
            major: 8,
            minor: 9,
            patch,
        })
    };
    assert!(trapped(Spec::v09(1), version(6)) && trapped(Spec::v09(1), None));
    assert!(!trapped(Spec::v09(1), version(7)) && !trapped(Spec::v08(), None));
}

#[test]
fn the_outlook_is_read_from_uuids_flags_and_bits() {
    let told = |spec: Spec| {
        let (image, located) = stack(GIB, &[Spec::v08(), spec]);
        let level = located.levels.last().unwrap();
        forecast(level, Window::whole(&image)).unwrap()
    };
    let bytes = Bytes::ZERO;
    assert_eq!(told(Spec::v08()), [Forecast::OutOfSync { bytes }]);
    assert_eq!(
        told(Spec::v08().just_created()),
        [
            Forecast::JustCreated,
            Forecast::Inconsistent,
            Forecast::NotCounted
        ]
    );
    assert_eq!(
        told(Spec::v08().flags(0x81).la_size(LaSize::Full)),
        [Forecast::Outdated, Forecast::OutOfSync { bytes }]
    );
    let dirty = DevPos::new(4096)..DevPos::new(12288);
    let slot = crate::units::BitmapIndex::new(0);
    let bytes = Bytes::new(8192);
    assert_eq!(
        told(Spec::v09(2).unclean().dirty(slot, dirty)),
        [
            Forecast::Unclean,
            Forecast::NodeId { own: 0 },
            Forecast::OutOfSync { bytes }
        ]
    );
    assert_ne!(Uuid::NONE, Uuid::JUST_CREATED);
}
