//! Metadata in good order, by drbdmeta, by the builder and by kernels: no finding of any weight, but that it is unclean where it is.

use mdtool::builder::{LaSize, Level, Peer};
use mdtool::image::ImageFile;
use mdtool::survey::locate::ScanMode;
use mdtool::units::{BitmapIndex, DevPos, NodeId, Sectors};
use mdtool::verdict::check::Severity;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Found, MIB, Made, found, found_at};
use crate::export_drbdmeta::{create, kind, size};
use crate::support::{Drbdmeta, kernel_image, scratch};

/// What was found, "unclean" aside, and those notes that such metadata may have.
fn alarms(found: Vec<Found>, allowed: &[&str]) -> Vec<Found> {
    let noted = |one: &Found| one.severity == Severity::Note && allowed.contains(&one.id);
    let alarm = |one: &Found| !["apply-al-needed", "format-v07"].contains(&one.id) && !noted(one);
    found.into_iter().filter(alarm).collect()
}

#[test]
fn what_kernels_left_is_in_order() {
    for format in ["v08", "v09"] {
        for name in [
            "pair-a-crashed",
            "pair-a-synced",
            "pair-b-crashed",
            "pair-b-synced",
            "stack-down",
            "stack-live-copy",
        ] {
            let image = ImageFile::open(&kernel_image(&format!("{format}-{name}"))).unwrap();
            let mut found = found(&image, ScanMode::Full);
            let unclean = found
                .iter()
                .filter(|one| one.id == "apply-al-needed")
                .count();
            assert_eq!(unclean, if name.starts_with("stack") { 2 } else { 1 });
            // This copy really is on a larger disk.
            let before = found.len();
            found.retain(|one| one.id != "not-where-drbd-looks");
            assert_eq!(before - found.len(), usize::from(name == "stack-live-copy"));
            // apply-al and resyncs mark whole extents, beyond the end of a device that is no multiple of them. And the data of these images was
            // taken out of them.
            let allowed = ["bits-beyond-end", "blank-up-to-date"];
            assert_eq!(alarms(found, &allowed), [], "{format}-{name}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::test_cases::cases(60), max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_drbdmeta_makes_is_in_order(kind in kind(), size in size()) {
        let Some(drbdmeta) = Drbdmeta::new() else { return Ok(()) };
        let dir = scratch();
        let path = dir.path().join("made.img");
        // drbdmeta makes a slot on a meta device that has not all of it; kernels refuse that.
        prop_assume!(kind.index.0 != "1" || size >= 256 * MIB);
        if create(&drbdmeta, &path, size, &kind).is_none() {
            return Ok(());
        }
        let image = ImageFile::open(&path).unwrap();
        let index = kind.index.1.parse().unwrap();
        let mut found = found_at(&image, ScanMode::Full, index);
        if kind.format == "v07" {
            prop_assert_eq!(found.remove(0).id, "format-v07");
        }
        prop_assert_eq!(alarms(found, &["flex-external-slots"]), vec![], "{:?} in {} bytes", kind, size);
    }
}

/// A peer that was there and is away: its slot counts from a generation.
fn connected_once() -> Peer {
    Peer {
        bitmap_uuid: 0xB17,
        flags: 0x1_0010,
        ..Peer::in_slot(BitmapIndex::new(0))
    }
}

fn level() -> impl Strategy<Value = Level> {
    let rest = (
        select(vec![(1, 8), (2, 8), (1, 64), (7, 16)]),
        select(vec![1_u8, 2, 3, 7, 31]),
        select(vec![500, 777, 999, 1000]),
        any::<bool>(),
        proptest::collection::vec((0.0..1.0, 0.0..0.01), 0..5),
    );
    (select(vec!["v07", "v08", "v09"]), rest).prop_map(
        |(format, (striping, peers, size, unclean, dirty))| {
            let level = match format {
                "v07" => Level::v07_flex(),
                "v08" => Level::v08()
                    .striping(striping.0, striping.1)
                    .bitmap_uuid(0xB17),
                _ => Level::v09(peers)
                    .striping(striping.0, striping.1)
                    .node_id(NodeId::new(0))
                    .peer(NodeId::new(1), connected_once()),
            };
            let level = level.la_size(LaSize::Exactly(Sectors::new(size * 100 + 17)));
            let level = if unclean { level.unclean() } else { level };
            // v07 has no place to say since which generation.
            let dirty = dirty.into_iter().filter(|_| format != "v07");
            dirty.fold(level, |level, (start, len): (f64, f64)| {
                let at = |part: f64| DevPos::new((part * 50e6) as u64);
                level.dirty(BitmapIndex::new(0), at(start)..at(start + len))
            })
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: crate::test_cases::cases(100), max_shrink_iters: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_stacks_are_in_order(outer in level(), inner in level(), size in 64 * MIB..90 * MIB) {
        let inner = inner.la_size(LaSize::Full);
        let made = Made::stack(size, &[outer, inner]);
        // Of a v08 device of whole 64-bit words DRBD 8.4 drops the last bits, and that is found.
        prop_assume!(!made.built[1].device().get().is_multiple_of(256 << 10));
        let found = made.found();
        let full = super::found(&made.image, ScanMode::Full);
        prop_assert_eq!(alarms(found, &["format-v07"]), vec![]);
        prop_assert_eq!(alarms(full, &["format-v07"]), vec![]);
    }
}
