//! The comparison of generations of DRBD 8: `drbd_uuid_compare` (8.4's `drbd_receiver.c`), a row for each way out.

use super::decision::Strategy;
use super::node::{Node, same};

/// The least of a sync UUID's distance from the bitmap UUID it was made of: `UUID_NEW_BM_OFFSET`.
const NEW_BM_OFFSET: u64 = 1 << 48;

/// What one side knows.
pub(super) struct View<'a> {
    pub(super) me: &'a Node<'a>,
    pub(super) peer: &'a Node<'a>,
    /// `RESOLVE_CONFLICTS`: which data socket won.
    pub(super) wins: bool,
}

/// A rule: its number, when it holds, and what follows for this side.
pub(super) struct Row(
    pub(super) &'static str,
    fn(&View<'_>) -> bool,
    pub(super) Strategy,
);

/// The rules in order; the first that holds counts, and the last always does.
pub(super) const RULES: &[Row] = &[
    Row(
        "10",
        |v| v.me.is_fresh() && v.peer.is_fresh(),
        Strategy::NoSync,
    ),
    Row(
        "20",
        |v| (v.me.is_fresh() || v.me.is_none()) && !v.peer.is_fresh(),
        Strategy::TargetFull,
    ),
    Row(
        "30",
        |v| !v.me.is_fresh() && (v.peer.is_fresh() || v.peer.is_none()),
        Strategy::SourceFull,
    ),
    Row(
        "34",
        |v| equal(v) && only(v.me, v.peer) && missed_finish(v.me, v.peer),
        Strategy::Source,
    ),
    Row("36", |v| equal(v) && only(v.me, v.peer), Strategy::Source),
    Row(
        "35",
        |v| equal(v) && only(v.peer, v.me) && missed_finish(v.peer, v.me),
        Strategy::Target,
    ),
    Row("37", |v| equal(v) && only(v.peer, v.me), Strategy::Target),
    Row(
        "40",
        |v| equal(v) && !v.me.crashed && !v.peer.crashed,
        Strategy::NoSync,
    ),
    Row(
        "41",
        |v| equal(v) && v.me.primary && v.peer.primary,
        Strategy::SplitBrainAmbiguous,
    ),
    Row("41", |v| equal(v) && v.me.primary, Strategy::Source),
    Row("41", |v| equal(v) && v.peer.primary, Strategy::Target),
    Row("40", |v| equal(v) && !v.peer.crashed, Strategy::Source),
    Row("40", |v| equal(v) && !v.me.crashed, Strategy::Target),
    Row("40", |v| equal(v) && v.wins, Strategy::Target),
    Row("40", equal, Strategy::Source),
    Row(
        "50",
        |v| same(v.me.current, v.peer.bitmap),
        Strategy::Target,
    ),
    Row("51", |v| missed_start(v.peer, v.me), Strategy::Target),
    Row("60", |v| in_history(v.me, v.peer), Strategy::TargetFull),
    Row(
        "70",
        |v| same(v.me.bitmap, v.peer.current),
        Strategy::Source,
    ),
    Row("71", |v| missed_start(v.me, v.peer), Strategy::Source),
    Row("80", |v| in_history(v.peer, v.me), Strategy::SourceFull),
    Row(
        "90",
        |v| same(v.me.bitmap, v.peer.bitmap) && v.me.bitmap & !1 != 0,
        Strategy::SplitBrain,
    ),
    Row(
        "100",
        |v| {
            v.me.history
                .iter()
                .any(|own| v.peer.history.iter().any(|peers| same(*own, *peers)))
        },
        Strategy::SplitBrainAmbiguous,
    ),
    Row("100", |_| true, Strategy::Unrelated),
];

fn equal(view: &View<'_>) -> bool {
    same(view.me.current, view.peer.current)
}

/// Only the first has a bitmap UUID.
pub(super) const fn only(first: &Node<'_>, second: &Node<'_>) -> bool {
    first.bitmap != 0 && second.bitmap == 0
}

/// The source did not learn that the resync finished: what it has as bitmap and history, the target has as history.
pub(super) fn missed_finish(source: &Node<'_>, target: &Node<'_>) -> bool {
    same(source.bitmap, target.past(0)) && same(source.past(0), target.past(1))
}

/// The target did not learn that a resync began: it still is what the source's bitmap UUID was made of.
pub(super) fn missed_start(source: &Node<'_>, target: &Node<'_>) -> bool {
    let before = source.past(0) & !1;
    same(target.current, before) && before.wrapping_add(NEW_BM_OFFSET) == source.bitmap & !1
}

/// One's current generation is in the other's history.
fn in_history(one: &Node<'_>, other: &Node<'_>) -> bool {
    other.history.iter().any(|past| same(*past, one.current))
}

/// The rule that holds, and what follows.
pub(super) fn compare(view: &View<'_>) -> (&'static str, Strategy) {
    let found = RULES.iter().find(|Row(_, holds, _)| holds(view));
    // OK to expect: the last row always holds.
    found
        .map(|Row(rule, _, strategy)| (*rule, *strategy))
        .expect("a last row")
}
