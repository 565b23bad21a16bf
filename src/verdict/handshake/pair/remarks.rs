//! What stands in the way, what is lost, and what else is worth knowing of a pair.

use super::losses::{self, Outcomes, is_ambiguous};
use super::marks::Marks;
use super::remark::{Loss, Note, Obstacle};
use super::{Answer, Meeting};
use crate::format::metadata::Generation;
use crate::format::superblock::{AlState, Uuid};
use crate::terms::{Format, MdGeometry};
use crate::units::Sectors;
use crate::verdict::check::{Code, Kernel};
use crate::verdict::handshake::Family;
use crate::verdict::handshake::decision::Decision;
use crate::verdict::handshake::disk::Disk;
use crate::verdict::handshake::node::{Node, same};
use crate::verdict::handshake::options::{AfterSplitBrain as Policy, Options};
use crate::verdict::handshake::replica::{FlagsTold, Log, Replica};
use crate::verdict::handshake::settle::Drop;
use crate::verdict::handshake::sizes::{Sizes, TooSmall};

/// All remarks of a pair.
#[derive(Default)]
pub(super) struct Remarks {
    pub(super) refused_by: Vec<Obstacle>,
    pub(super) lost: Vec<Loss>,
    pub(super) notes: Vec<Note>,
}

/// What keeps these formats from being attached by the kernels that are meant.
pub(super) fn formats(replicas: [&Replica; 2], options: &Options) -> Vec<Obstacle> {
    let sides = replicas.iter().enumerate();
    sides
        .filter_map(|(side, replica)| {
            not_attached(side, replica, options.kernel).or_else(|| refused(side, replica, options))
        })
        .collect()
}

/// What the kernel that is meant finds wrong at attach: without one the newest that the format is of.
fn refused(side: usize, replica: &Replica, options: &Options) -> Option<Obstacle> {
    let kernel = options
        .kernel
        .unwrap_or_else(|| Family::of(replica.header.format()).newest());
    // A size that is configured lets a disk that shrank be attached; whether it fits the other is asked later.
    let sized = options.configured_size().is_some();
    let mut refusals = replica.refusals.iter();
    let refusal = refusals
        .find(|one| one.kernel == kernel && !(sized && one.code == Code::ImplicitShrink))?;
    Some(Obstacle::Attach {
        side,
        refusal: *refusal,
    })
}

fn not_attached(side: usize, replica: &Replica, kernel: Option<Kernel>) -> Option<Obstacle> {
    let format = replica.header.format();
    if format == Format::V07 {
        return Some(Obstacle::OldFormat { side });
    }
    if let Some(kernel) = kernel.filter(|kernel| !kernel.knows(format)) {
        return Some(Obstacle::NotRead {
            side,
            kernel,
            format,
        });
    }
    is_foreign(replica, kernel).then_some(Obstacle::BytesPerBit {
        side,
        format,
        bytes: replica.header.geometry.bytes_per_bit,
    })
}

/// Whether a bit stands for what the kernel does not know: only 9.3 knows other granularities than 4096, and of v09 only.
fn is_foreign(replica: &Replica, kernel: Option<Kernel>) -> bool {
    let old = kernel.is_some_and(|kernel| kernel != Kernel::V9_3);
    let one = old || replica.header.format() == Format::V08;
    one && replica.header.geometry.bytes_per_bit != MdGeometry::DEFAULT.bytes_per_bit
}

/// What the connection's options keep from meeting: `receive_protocol` (`drbd_receiver.c`).
pub(super) fn settings(options: &Options) -> Option<Obstacle> {
    let [a, b] = options.sides.each_ref().map(|side| &side.net);
    let turned = |policy: Policy| match policy {
        Policy::DiscardLocal => Policy::DiscardRemote,
        Policy::DiscardRemote => Policy::DiscardLocal,
        other => other,
    };
    let differ = [
        ("after-sb-0pri", turned(b.after_sb_0pri) != a.after_sb_0pri),
        ("after-sb-1pri", turned(b.after_sb_1pri) != a.after_sb_1pri),
        ("after-sb-2pri", turned(b.after_sb_2pri) != a.after_sb_2pri),
        ("discard-my-data", a.discard_my_data && b.discard_my_data),
        (
            "allow-two-primaries",
            a.allow_two_primaries != b.allow_two_primaries,
        ),
    ];
    let first = differ.into_iter().find(|(_, differ)| *differ);
    first.map(|(name, _)| Obstacle::Settings { name })
}

/// One side, and what it comes to.
struct One<'a> {
    side: usize,
    node: &'a Node<'a>,
    peer: &'a Node<'a>,
    answer: &'a Answer,
    too_small: Option<TooSmall>,
    current: Option<Sectors>,
}

/// What there is to say of a pair that attaches.
pub(super) fn of(
    meeting: &Meeting<'_>,
    outcomes: Outcomes<'_>,
    sizes: &Sizes,
    decision: Decision,
    marks: Option<&Marks>,
) -> Remarks {
    let answers = outcomes.answers;
    let mut remarks = Remarks::default();
    let [a, b] = &meeting.nodes;
    let [first, second] = answers;
    let both = [
        One {
            side: 0,
            node: a,
            peer: b,
            answer: first,
            too_small: sizes.too_small[0],
            current: sizes.current[0],
        },
        One {
            side: 1,
            node: b,
            peer: a,
            answer: second,
            too_small: sizes.too_small[1],
            current: sizes.current[1],
        },
    ];
    for one in &both {
        let side = one.side;
        of_disk(&mut remarks, one);
        of_node(&mut remarks, meeting, (side, one.node, one.peer));
        of_size(&mut remarks, meeting, sizes, one);
        if decision.connects() {
            of_source(&mut remarks, one);
        }
        // Sizes come first: where they do not meet, roles are not looked at.
        let fits = sizes.too_small.iter().all(Option::is_none);
        if let Some(why) = one.answer.settled.dropped.filter(|_| fits) {
            remarks.refused_by.push(match why {
                Drop::InconsistentSource => Obstacle::InconsistentSource { side },
                Drop::PrimaryTarget => Obstacle::PrimaryTarget { side },
            });
        }
    }
    losses::of(&mut remarks, meeting, outcomes, decision);
    of_pair(&mut remarks, meeting, answers, sizes, decision, marks);
    remarks
}

/// What its metadata is like.
fn of_disk(remarks: &mut Remarks, one: &One<'_>) {
    let (side, node) = (one.side, one.node);
    let header = &node.replica.header;
    let notes = &mut remarks.notes;
    if header.al_state == AlState::Unclean {
        notes.push(Note::Unclean { side });
    }
    if node.replica.flags != FlagsTold::Known {
        let assumed = node.replica.flags == FlagsTold::Assumed;
        notes.push(Note::FlagsNotInDump { side, assumed });
    }
    if node.replica.log == Log::Missing {
        notes.push(Note::LogMissing { side });
    }
    if let Some(bitmap) = node.never_sized {
        notes.push(Note::NeverSized { side, bitmap });
    }
}

/// What it is at connect.
fn of_node(
    remarks: &mut Remarks,
    meeting: &Meeting<'_>,
    (side, node, peer): (usize, &Node<'_>, &Node<'_>),
) {
    let notes = &mut remarks.notes;
    if node.not_promoted {
        notes.push(Note::NotPromoted {
            side,
            disk: node.disk,
        });
    }
    let rotated = node.family == Family::V8 && node.primary && promoted_anew(node);
    if rotated {
        notes.push(Note::NewGeneration { side });
    }
    if node.lost_quorum && meeting.options.quorum.is_none() {
        notes.push(Note::QuorumAssumed { side });
    }
    let Generation::V09(generation) = &node.replica.header.generation else {
        return;
    };
    let known = generation
        .peers
        .get(peer.id)
        .is_some_and(|entry| entry.bitmap_index >= 0);
    match node.slot {
        None => remarks.refused_by.push(Obstacle::NoSlot {
            side,
            slots: node.replica.header.geometry.max_peers,
        }),
        Some(slot) if !known => notes.push(Note::UnknownPeer {
            side,
            id: peer.id,
            slot,
        }),
        Some(_) => {}
    }
}

/// Whether promoting it began a generation: what it has is not what its metadata says.
pub(super) fn promoted_anew(node: &Node<'_>) -> bool {
    match &node.replica.header.generation {
        Generation::V08(generation) => !same(generation.uuids[0].0, node.current),
        _ => false,
    }
}

fn of_size(remarks: &mut Remarks, meeting: &Meeting<'_>, sizes: &Sizes, one: &One<'_>) {
    let (side, node) = (one.side, one.node);
    if let Some(small) = one.too_small {
        remarks.refused_by.push(Obstacle::TooSmall {
            side,
            agreed: small.agreed,
            current: small.current,
            configured: meeting.options.configured_size() == Some(small.agreed),
        });
    }
    let was = node.replica.header.la_size;
    if node.replica.capacity.is_none() {
        remarks.notes.push(Note::SizeNotKnown { side });
    }
    if was == Sectors::ZERO {
        return;
    }
    let current = one.current.unwrap_or(was);
    if node.family == Family::V9 && current > was {
        remarks.notes.push(Note::MayGrow {
            side,
            from: was,
            to: current,
        });
    }
    if let Some(agreed) = sizes.agreed.filter(|agreed| *agreed > current) {
        remarks.notes.push(Note::Grows {
            side,
            from: current,
            to: agreed,
        });
    }
}

/// It sends though its data is not whole.
fn of_source(remarks: &mut Remarks, one: &One<'_>) {
    let sends = one.node.family == Family::V9 && one.answer.settled.decision.is_source();
    if sends && one.node.disk == Disk::Inconsistent {
        let turns =
            one.peer.disk > Disk::Inconsistent && one.answer.settled.strategy.reversed().is_some();
        remarks.notes.push(Note::Hangs {
            side: one.side,
            turns,
        });
    }
}

fn of_pair(
    remarks: &mut Remarks,
    meeting: &Meeting<'_>,
    answers: &[Answer; 2],
    sizes: &Sizes,
    decision: Decision,
    marks: Option<&Marks>,
) {
    let [a, b] = &meeting.nodes;
    if decision == Decision::Refused
        && meeting.too_many_primaries()
        && remarks.refused_by.is_empty()
    {
        remarks.refused_by.push(Obstacle::TwoPrimaries);
    }
    let devices = [a, b].map(|node| device_uuid(node.replica));
    if devices[0] == devices[1] && devices[0] != Uuid::NONE {
        remarks.notes.push(Note::Clone { uuid: devices[0] });
    }
    let bytes = [a, b].map(|node| node.replica.header.geometry.bytes_per_bit);
    if meeting.is_mixed() {
        remarks.notes.push(Note::Formats);
    }
    if bytes[0] != bytes[1] {
        remarks.notes.push(Note::Granularity { bytes });
    }
    losses::why_full(remarks, meeting, answers, decision, marks);
    if !meeting.mirrored(answers, sizes) {
        remarks.notes.push(Note::NotMirrored);
    }
    let known = |answer: &Answer| {
        answer.settled.decision.is_full() || answer.settled.decision == Decision::Refused
    };
    if answers.iter().any(is_ambiguous) && !answers.iter().any(known) {
        remarks.notes.push(Note::Uncounted {
            family: meeting.family,
        });
    }
    let rule = answers[0].rule;
    if meeting.family == Family::V8 && rule == "90" && same(a.bitmap, Uuid::JUST_CREATED.0) {
        remarks.notes.push(Note::ForcedBoth);
    }
    let common = |past: &u64| past & !1 != 0 && b.history.iter().any(|other| same(*past, *other));
    if meeting.family == Family::V8
        && rule == "100"
        && answers[0].asked == Decision::SplitBrain
        && !a.history.iter().any(common)
    {
        remarks.notes.push(Note::EmptyHistory);
    }
    let one_crashed = a.crashed != b.crashed;
    if same(a.current, b.current)
        && one_crashed
        && moves(decision)
        && answers
            .iter()
            .all(|answer| matches!(answer.rule, "40" | "both-off"))
    {
        remarks.notes.push(Note::CrashDecides {
            side: usize::from(b.crashed),
        });
    }
}

const fn moves(decision: Decision) -> bool {
    decision.is_source() || decision.is_target()
}

fn device_uuid(replica: &Replica) -> Uuid {
    match &replica.header.generation {
        Generation::V07(_) => Uuid::NONE,
        Generation::V08(generation) => generation.device_uuid,
        Generation::V09(generation) => generation.device_uuid,
    }
}
