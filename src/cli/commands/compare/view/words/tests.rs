//! Every sentence, once, to be read.

use super::*;
use crate::format::superblock::Uuid;
use crate::terms::Format;
use crate::verdict::check::Kernel;
use crate::verdict::handshake::{Disk, compare};

const NAMES: Names = Names { a: 0, b: 1 };

fn listed(sentences: impl IntoIterator<Item = Sentence>) -> String {
    let lines = sentences.into_iter().map(|one| format!("{}: {}", one.code, one.text));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_stands_in_the_way_is_said() {
    let all = [
        Obstacle::OldFormat { side: 1 },
        Obstacle::Formats,
        Obstacle::NotRead { side: 0, kernel: Kernel::V8_4, format: Format::V09 },
        Obstacle::SameNodeId { id: 3 },
        Obstacle::NoSlot { side: 0, slots: 1 },
        Obstacle::TooSmall {
            side: 0,
            agreed: Sectors::new(16384),
            current: Sectors::new(32768),
            configured: false,
        },
        Obstacle::TooSmall {
            side: 1,
            agreed: Sectors::new(16384),
            current: Sectors::new(32768),
            configured: true,
        },
        Obstacle::Settings { name: "after-sb-0pri" },
        Obstacle::DiscardAsPrimary { side: 1 },
        Obstacle::TwoPrimaries,
        Obstacle::InconsistentSource { side: 1 },
        Obstacle::PrimaryTarget { side: 0 },
    ];
    insta::assert_snapshot!(listed(all.iter().map(|one| obstacle(one, NAMES))));
}

#[test]
fn what_is_lost_is_said() {
    let all = [
        Loss::Unsent { side: 0, bits: 50, kept: false },
        Loss::Unsent { side: 1, bits: 50, kept: true },
        Loss::Discarded { side: 1, bits: 0 },
        Loss::Discarded { side: 0, bits: 7 },
        Loss::LastBits { side: 0, bits: 6 },
    ];
    insta::assert_snapshot!(listed(all.iter().map(|one| loss(one, NAMES))));
}

#[test]
fn what_else_there_is_to_know_is_said() {
    let (from, to) = (Sectors::new(16384), Sectors::new(32768));
    let all = [
        Note::Unclean { side: 0 },
        Note::LogMissing { side: 1 },
        Note::Clone { uuid: Uuid(0xAB) },
        Note::NeverSized { side: 0 },
        Note::MayGrow { side: 1, from, to },
        Note::SizeNotKnown { side: 0 },
        Note::Grows { side: 1, from, to },
        Note::Granularity { bytes: [4096, 65536] },
        Note::NotPromoted { side: 0, disk: Disk::Outdated },
        Note::NewGeneration { side: 0 },
        Note::QuorumAssumed { side: 1 },
        Note::UnknownPeer { side: 1, id: 0, slot: 2 },
        Note::FullSync { avoidable: true },
        Note::FullSync { avoidable: false },
        Note::Hangs { side: 0 },
        Note::ForcedBoth,
        Note::EmptyHistory,
        Note::NotMirrored,
        Note::CrashDecides { side: 1 },
    ];
    insta::assert_snapshot!(listed(all.iter().map(|one| note(one, NAMES))));
}

#[test]
fn what_had_a_say_is_said() {
    let replica = crate::verdict::handshake::Replica {
        header: crate::format::metadata::Header {
            geometry: crate::terms::MdGeometry::DEFAULT,
            la_size: Sectors::new(8),
            al_nr_extents: 257,
            al_state: crate::format::superblock::AlState::Clean,
            generation: crate::format::metadata::Generation::V07(
                crate::format::metadata::CountersV07([0; 5]),
            ),
        },
        capacity: None,
        slots: vec![0],
        last_bits: 0,
        log: crate::verdict::handshake::Log::Applied,
    };
    let mut pair = compare(&replica, &replica, &crate::verdict::handshake::Options::default());
    pair.steps = vec![
        Step::DiskStates,
        Step::Quorum,
        Step::Policy,
        Step::Discarded,
        Step::Reversed,
        Step::NotReversed,
        Step::GivesUpPrimary,
        Step::PrimarySends,
        Step::Violent,
        Step::AutoDiscarded,
        Step::Skipped,
    ];
    insta::assert_snapshot!(listed(steps(&pair, NAMES)));
}
