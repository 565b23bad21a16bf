//! Every sentence, once, to be read.

use super::*;
use crate::format::superblock::Uuid;
use crate::terms::Format;
use crate::verdict::check::Kernel;
use crate::verdict::handshake::{Disk, Family, NeverSized, Note, WhyFull, Whole, compare};

const NAMES: Names = Names { a: 0, b: 1 };

fn listed(sentences: impl IntoIterator<Item = Sentence>) -> String {
    let lines = sentences.into_iter().map(|one| format!("{}: {}", one.code, one.text));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn what_stands_in_the_way_is_said() {
    let all = [
        Obstacle::OldFormat { side: 1 },
        Obstacle::BytesPerBit { side: 0, format: Format::V09, bytes: 65536 },
        Obstacle::BytesPerBit { side: 1, format: Format::V08, bytes: 65536 },
        Obstacle::NotRead { side: 0, kernel: Kernel::V8_4, format: Format::V09 },
        Obstacle::Attach {
            side: 1,
            refusal: crate::verdict::check::AttachRefusal {
                kernel: Kernel::V9_3,
                rule: "own-bitmap-slot",
                title: "the node has a bitmap slot toward itself",
                code: crate::verdict::check::Code::MdInvalid,
            },
        },
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

const fn exactly(bits: u64) -> Counted {
    Counted { bits, at_least: false }
}

const fn at_least(bits: u64) -> Counted {
    Counted { bits, at_least: true }
}

#[test]
fn what_is_lost_is_said() {
    let all = [
        Loss::Unsent { side: 0, bits: exactly(50), kept: false },
        Loss::Unsent { side: 1, bits: exactly(50), kept: true },
        Loss::Unsent { side: 1, bits: at_least(1), kept: true },
        Loss::Unsent { side: 0, bits: at_least(0), kept: false },
        Loss::Unsent { side: 1, bits: at_least(0), kept: true },
        Loss::Discarded { side: 1, bits: Some(exactly(0)) },
        Loss::Discarded { side: 0, bits: Some(exactly(7)) },
        Loss::Discarded { side: 0, bits: Some(at_least(0)) },
        Loss::Discarded { side: 0, bits: Some(at_least(7)) },
        Loss::Discarded { side: 1, bits: None },
        Loss::OneDiscarded { bits: [Some(at_least(0)), Some(exactly(7))] },
        Loss::OneDiscarded { bits: [None, None] },
        Loss::LastBits { side: 0, bits: 6 },
        Loss::NotRead { side: 1, bits: 50 },
    ];
    insta::assert_snapshot!(listed(all.iter().map(|one| loss(one, NAMES))));
}

const fn full(why: WhyFull) -> Note {
    Note::FullSync { why }
}

#[test]
fn what_else_there_is_to_know_is_said() {
    let (from, to) = (Sectors::new(16384), Sectors::new(32768));
    let all = [
        Note::Unclean { side: 0 },
        Note::FlagsNotInDump { side: 0, assumed: true },
        Note::FlagsNotInDump { side: 1, assumed: false },
        Note::LogMissing { side: 1 },
        Note::Clone { uuid: Uuid(0xAB) },
        Note::NeverSized { side: 0, bitmap: NeverSized::AllSet8 },
        Note::NeverSized { side: 0, bitmap: NeverSized::AllSet9 },
        Note::NeverSized { side: 0, bitmap: NeverSized::Dropped },
        Note::NeverSized { side: 1, bitmap: NeverSized::Read },
        Note::NoBitmap { side: 0, read: false },
        Note::NoBitmap { side: 1, read: true },
        Note::Formats,
        Note::MayGrow { side: 1, from, to },
        Note::SizeNotKnown { side: 0 },
        Note::Grows { side: 1, from, to },
        Note::Granularity { bytes: [4096, 65536] },
        Note::NotPromoted { side: 0, disk: Disk::Outdated },
        Note::NewGeneration { side: 0 },
        Note::QuorumAssumed { side: 1 },
        Note::UnknownPeer { side: 1, id: 0, slot: 2 },
        full(WhyFull::Fresh { side: 1 }),
        full(WhyFull::History),
        full(WhyFull::Ambiguous),
        full(WhyFull::NoSlot),
        full(WhyFull::Marked { side: 0, why: Whole::NeverSized }),
        full(WhyFull::Marked { side: 1, why: Whole::Flag }),
        full(WhyFull::Marked { side: 1, why: Whole::CrashedWithoutLog }),
        Note::Uncounted { family: Family::V8 },
        Note::Uncounted { family: Family::V9 },
        Note::Hangs { side: 0, turns: false },
        Note::Hangs { side: 1, turns: true },
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
        refusals: Vec::new(),
        flags: crate::verdict::handshake::FlagsTold::Known,
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
    let told = listed(steps(&pair, NAMES));
    pair.arbitrary = true;
    pair.steps = vec![Step::Policy, Step::GivesUpPrimary];
    insta::assert_snapshot!([told, listed(steps(&pair, NAMES))].join("\n"));
}
