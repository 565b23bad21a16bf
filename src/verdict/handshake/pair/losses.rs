//! What is lost where a pair connects, and why everything is sent.

use super::marks::{Mark, Marks};
use super::remark::{Counted, Loss, Note, WhyFull};
use super::remarks::Remarks;
use super::{Answer, Meeting};
use crate::verdict::handshake::Family;
use crate::verdict::handshake::decision::{Decision, Strategy};
use crate::verdict::handshake::node::{NeverSized, Node, loses_last_bits, same};
use crate::verdict::handshake::settle::Step;

/// What both sides come to, and what they would where the other connection won the race, if that differs.
#[derive(Clone, Copy)]
pub(super) struct Outcomes<'a> {
    pub(super) answers: &'a [Answer; 2],
    pub(super) otherwise: Option<&'a [Answer; 2]>,
}

/// Whether only a past generation is common to both, so that no bitmap counts from it.
pub(super) fn is_ambiguous(answer: &Answer) -> bool {
    matches!(answer.rule, "100" | "history-both") && answer.asked == Decision::SplitBrain
}

/// All that is lost.
pub(super) fn of(
    remarks: &mut Remarks,
    meeting: &Meeting<'_>,
    outcomes: Outcomes<'_>,
    decision: Decision,
) {
    let full = outcomes
        .answers
        .iter()
        .any(|answer| answer.settled.decision.is_full());
    let [a, b] = &meeting.nodes;
    for (side, node, peer) in [(0, a, b), (1, b, a)] {
        at_attach(remarks, (side, node, peer), full);
    }
    if !decision.connects() {
        return;
    }
    for ((side, node), answer) in meeting.nodes.iter().enumerate().zip(outcomes.answers) {
        unsent(remarks, (side, node), answer);
    }
    discarded(remarks, meeting, outcomes);
}

/// What is lost before anything is compared.
fn at_attach(remarks: &mut Remarks, (side, node, peer): (usize, &Node<'_>, &Node<'_>), full: bool) {
    // Where the peer was smaller, it marks all that is new to it, and what was lost here is among that.
    let covered = peer.replica.header.la_size < node.replica.header.la_size;
    let cut = loses_last_bits(node.replica, node.family) && !covered;
    if cut && node.replica.last_bits > 0 && node.all_set.is_none() {
        remarks.lost.push(Loss::LastBits {
            side,
            bits: node.replica.last_bits,
        });
    }
    if full {
        return;
    }
    if node.unread > 0 {
        remarks.lost.push(Loss::NotRead {
            side,
            bits: node.unread,
        });
    }
    let dropped = node.never_sized == Some(NeverSized::Dropped);
    if !node.replica.has_bitmap() && (dropped || node.reads_bitmap()) {
        remarks.notes.push(Note::NoBitmap {
            side,
            read: !dropped,
        });
    }
}

/// Equal generations: what is marked stays here.
fn unsent(remarks: &mut Remarks, (side, node): (usize, &Node<'_>), answer: &Answer) {
    let bits = counted(node);
    let marked = bits.bits > 0 || bits.at_least;
    let fresh = node.is_fresh() || node.is_none();
    if answer.settled.decision == Decision::NoSync && marked && !fresh {
        remarks.lost.push(Loss::Unsent {
            side,
            bits,
            kept: node.family == Family::V8,
        });
    }
}

/// Bits toward the peer.
pub(super) fn counted(node: &Node<'_>) -> Counted {
    Counted {
        bits: node.bits,
        at_least: node.may_have_more(),
    }
}

/// What was written on a side that is overwritten.
fn discarded(remarks: &mut Remarks, meeting: &Meeting<'_>, outcomes: Outcomes<'_>) {
    let victims = victims(meeting, outcomes.answers);
    let bits = |side: usize| {
        let answer = outcomes.answers.get(side)?;
        let known = !is_ambiguous(answer) && !answer.settled.decision.is_full();
        meeting.nodes.get(side).filter(|_| known).map(counted)
    };
    let others = outcomes
        .otherwise
        .map_or(victims, |other| self::victims(meeting, other));
    let either = [victims[0] || others[0], victims[1] || others[1]];
    if either == [true, true] && victims != either {
        remarks.lost.push(Loss::OneDiscarded {
            bits: [bits(0), bits(1)],
        });
        return;
    }
    let sides = either.iter().enumerate().filter(|(_, is)| **is);
    let lost = sides.map(|(side, _)| Loss::Discarded {
        side,
        bits: bits(side),
    });
    remarks.lost.extend(lost);
}

/// Which sides are overwritten though the generations do not say that they are older.
fn victims(meeting: &Meeting<'_>, answers: &[Answer; 2]) -> [bool; 2] {
    let equal = same(meeting.nodes[0].current, meeting.nodes[1].current);
    let is = |node: &Node<'_>, answer: &Answer| {
        let chosen = answer.settled.steps.iter().any(|step| {
            matches!(
                step,
                Step::Policy
                    | Step::Discarded
                    | Step::Reversed
                    | Step::Quorum
                    | Step::AutoDiscarded
                    | Step::Violent
            )
        });
        answer.settled.decision.is_target() && (chosen || equal && node.crashed)
    };
    let [a, b] = &meeting.nodes;
    [is(a, &answers[0]), is(b, &answers[1])]
}

/// Why everything is sent, where it is.
pub(super) fn why_full(
    remarks: &mut Remarks,
    meeting: &Meeting<'_>,
    answers: &[Answer; 2],
    decision: Decision,
    marks: Option<&Marks>,
) {
    let Some(marks) = marks.filter(|_| decision.is_source() || decision.is_target()) else {
        return;
    };
    if decision.is_full() {
        let why = of_rules(meeting, answers, decision);
        return remarks.notes.push(Note::FullSync { why });
    }
    let whole = |side: usize| marks.sides.get(side).filter(|mark| **mark == Mark::All);
    let marked = meeting.nodes.iter().enumerate().filter_map(|(side, node)| {
        whole(side)?;
        node.all_set.map(|why| WhyFull::Marked { side, why })
    });
    let notes = marked.map(|why| Note::FullSync { why });
    remarks.notes.extend(notes);
}

fn of_rules(meeting: &Meeting<'_>, answers: &[Answer; 2], decision: Decision) -> WhyFull {
    let fresh = |node: &Node<'_>| node.is_fresh() || node.is_none();
    let copies = |answer: &Answer| answer.settled.strategy == Strategy::SourceCopy;
    // Where neither has any, the target is meant.
    let sides = if decision.is_source() { [1, 0] } else { [0, 1] };
    let is_fresh = |side: &usize| meeting.nodes.get(*side).is_some_and(fresh);
    if let Some(side) = sides.into_iter().find(is_fresh) {
        WhyFull::Fresh { side }
    } else if answers.iter().any(copies) {
        WhyFull::NoSlot
    } else if answers.iter().any(is_ambiguous) {
        WhyFull::Ambiguous
    } else {
        WhyFull::History
    }
}
