//! The comparison of generations of DRBD 9: `drbd_uuid_compare` (`drbd_receiver.c`), a row for each way out.
//!
//! What only a running kernel knows is taken to be as after a cold start: nobody reconnects, nobody is a resync's target just now.

use super::decision::Strategy;
use super::node::{Node, same};
use super::options::Protocol;
use super::rules_8;

/// What one side knows.
pub(super) struct View<'a> {
    pub(super) me: &'a Node<'a>,
    pub(super) peer: &'a Node<'a>,
    /// `RESOLVE_CONFLICTS`: which data socket won.
    pub(super) wins: bool,
    pub(super) protocol: Protocol,
    /// Whether a finished resync without bits is seen as such: protocol 124.
    pub(super) tidy: bool,
    /// 8.4's protocol is spoken: before 110.
    pub(super) old: bool,
}

/// A rule: its name, when it holds, and what follows for this side.
struct Row(&'static str, fn(&View<'_>) -> bool, Strategy);

/// The rules in order; the first that holds counts, and the last always does.
const RULES: &[Row] = &[
    Row(
        "just-created-both",
        |v| v.me.is_fresh_9() && v.peer.is_fresh_9(),
        Strategy::NoSync,
    ),
    Row(
        "just-created-self",
        |v| v.me.is_fresh_9(),
        Strategy::TargetFull,
    ),
    Row(
        "just-created-peer",
        |v| v.peer.is_fresh_9(),
        Strategy::SourceFull,
    ),
    Row(
        "sync-source-missed-finish",
        |v| equal(v) && v.missed_end(v.me, v.peer),
        Strategy::Source,
    ),
    Row(
        "sync-source-peer-missed-finish",
        |v| v.old && equal(v) && rules_8::only(v.me, v.peer),
        Strategy::Source,
    ),
    Row(
        "sync-target-peer-missed-finish",
        |v| equal(v) && v.missed_end(v.peer, v.me),
        Strategy::Target,
    ),
    Row(
        "sync-target-missed-finish",
        |v| v.old && equal(v) && rules_8::only(v.peer, v.me),
        Strategy::Target,
    ),
    Row(
        "crashed-primary",
        |v| equal(v) && v.in_flight() && v.me.crashed && !v.peer.crashed,
        Strategy::Source,
    ),
    Row(
        "crashed-primary",
        |v| equal(v) && v.in_flight() && v.peer.crashed && !v.me.crashed,
        Strategy::Target,
    ),
    Row(
        "lost-quorum",
        |v| equal(v) && v.peer.lost_quorum && !v.me.lost_quorum,
        Strategy::TargetIfBothFailed,
    ),
    Row(
        "lost-quorum",
        |v| equal(v) && v.me.lost_quorum && !v.peer.lost_quorum,
        Strategy::SourceIfBothFailed,
    ),
    Row(
        "lost-quorum",
        |v| equal(v) && v.me.lost_quorum && v.wins,
        Strategy::SourceIfBothFailed,
    ),
    Row(
        "lost-quorum",
        |v| equal(v) && v.me.lost_quorum,
        Strategy::TargetIfBothFailed,
    ),
    Row(
        "both-off",
        |v| equal(v) && v.me.crashed && !(v.peer.crashed && v.wins),
        Strategy::SourceIfBothFailed,
    ),
    Row(
        "both-off",
        |v| equal(v) && (v.me.crashed || v.peer.crashed),
        Strategy::TargetIfBothFailed,
    ),
    Row("both-off", equal, Strategy::NoSync),
    Row(
        "bitmap-peer",
        |v| {
            v.peer
                .told(v.me.id)
                .is_some_and(|uuid| same(v.me.current, uuid))
        },
        Strategy::Target,
    ),
    Row(
        "bitmap-peer-other",
        |v| v.peer.told_any().any(|uuid| same(v.me.current, uuid)),
        Strategy::TargetCleared,
    ),
    Row(
        "sync-target-missed-start",
        |v| v.old && rules_8::missed_start(v.peer, v.me),
        Strategy::Target,
    ),
    Row(
        "bitmap-self",
        |v| same(v.me.bitmap, v.peer.current),
        Strategy::Source,
    ),
    Row(
        "bitmap-self-other",
        |v| v.other_slot().is_some(),
        Strategy::SourceCopy,
    ),
    Row(
        "sync-source-missed-start",
        |v| v.old && rules_8::missed_start(v.me, v.peer),
        Strategy::Source,
    ),
    Row(
        "history-peer",
        |v| v.me.is_past_of(v.peer) && !v.peer.is_past_of(v.me),
        Strategy::TargetFull,
    ),
    Row(
        "history-self",
        |v| v.peer.is_past_of(v.me) && !v.me.is_past_of(v.peer),
        Strategy::SourceFull,
    ),
    Row("bitmap-both", common_bitmap, Strategy::SplitBrain),
    Row(
        "history-both",
        common_history,
        Strategy::SplitBrainAmbiguous,
    ),
    Row("history-both", |_| true, Strategy::Unrelated),
];

impl View<'_> {
    /// Writes may have been under way that only one side has.
    fn in_flight(&self) -> bool {
        self.protocol != Protocol::C && !self.old
    }

    /// The node whose slot counts from the peer's generation; 8.4's protocol knows only nodes that have one of their own.
    fn other_slot(&self) -> Option<usize> {
        let node = self.me.other_slot_of(self.peer.current)?;
        (!self.old || self.me.has_slot(node)).then_some(node)
    }

    /// One of them was a resync's source and did not learn its end: `drbd_uuid_detect_finished_resyncs`.
    fn missed_end(&self, source: &Node<'_>, target: &Node<'_>) -> bool {
        if self.old {
            return rules_8::only(source, target) && rules_8::missed_finish(source, target);
        }
        let told = source.bitmap & !1;
        let nothing_left = source.bits == 0 && target.bits == 0;
        told != 0
            && target.bitmap & !1 == 0
            && !same(told, source.current)
            && !(self.tidy && nothing_left)
    }
}

fn equal(view: &View<'_>) -> bool {
    same(view.me.current, view.peer.current)
}

fn common_bitmap(view: &View<'_>) -> bool {
    let peers = view.peer.told(view.me.id);
    view.me.bitmap & !1 != 0 && peers.is_some_and(|uuid| same(uuid, view.me.bitmap))
}

/// A generation that both remember; each history ends at its first empty entry here, and only here.
fn common_history(view: &View<'_>) -> bool {
    let used = |node: &Node<'_>| {
        let end = node.history.iter().position(|uuid| uuid & !1 == 0);
        node.history
            .get(..end.unwrap_or(node.history.len()))
            .unwrap_or_default()
            .to_vec()
    };
    let (own, peers) = (used(view.me), used(view.peer));
    own.iter()
        .any(|one| peers.iter().any(|other| same(*one, *other)))
}

/// The rule that holds, and what follows.
pub(super) fn compare(view: &View<'_>) -> (&'static str, Strategy) {
    let found = RULES.iter().find(|Row(_, holds, _)| holds(view));
    // OK to expect: the last row always holds.
    found
        .map(|Row(rule, _, strategy)| (*rule, *strategy))
        .expect("a last row")
}
