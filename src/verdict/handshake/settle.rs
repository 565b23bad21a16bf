//! What disk states, roles and options make of a comparison: `drbd_sync_handshake` (`drbd_receiver.c`), of 8.4 and of 9.

mod after_split_brain;

use super::decision::{Decision, Direction, Strategy};
use super::disk::Disk;
use super::node::Node;
use super::options::{NetOptions, RrConflict};
use after_split_brain::{loser_gives_up, solve};

/// One side at connect.
pub(super) struct Side<'a> {
    pub(super) me: &'a Node<'a>,
    pub(super) peer: &'a Node<'a>,
    pub(super) net: &'a NetOptions,
    pub(super) peers_net: &'a NetOptions,
    /// `RESOLVE_CONFLICTS`.
    pub(super) wins: bool,
    /// 8.4's protocol is spoken.
    pub(super) old: bool,
    pub(super) rule: &'static str,
}

/// What had a say besides the generations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// The disk states decide: the better one sends.
    DiskStates,
    /// The side that has quorum sends.
    Quorum,
    /// A policy for split brain solves it.
    Policy,
    /// `discard-my-data` solves a split brain.
    Discarded,
    /// `discard-my-data` turns a resync around.
    Reversed,
    /// `discard-my-data` has no effect: what would be sent is Inconsistent, or there is no way back.
    NotReversed,
    /// The policy has the one that loses give up being Primary.
    GivesUpPrimary,
    /// A Primary sends, whoever crashed.
    PrimarySends,
    /// A Primary gets data that it did not write.
    Violent,
    /// A crashed Primary is discarded for the one that is Primary now.
    AutoDiscarded,
    /// A resync whose end was missed is not done again: what would send is not `UpToDate`.
    Skipped,
}

/// Why a side drops the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Drop {
    /// It would send, and is Inconsistent.
    InconsistentSource,
    /// It would get data, and is Primary.
    PrimaryTarget,
}

/// What comes of it for one side.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    pub(super) strategy: Strategy,
    pub(super) decision: Decision,
    pub(super) dropped: Option<Drop>,
    /// It was Primary, and gave that up.
    demoted: bool,
    pub(super) steps: Vec<Step>,
}

impl Settled {
    const fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            decision: strategy.decision(),
            dropped: None,
            demoted: false,
            steps: Vec::new(),
        }
    }

    fn go(&mut self, strategy: Strategy, step: Step) {
        self.strategy = strategy;
        self.decision = strategy.decision();
        self.steps.push(step);
    }

    fn drop(mut self, why: Drop) -> Self {
        self.decision = Decision::Refused;
        self.dropped = Some(why);
        self
    }
}

/// Which side `discard-my-data` makes the source.
const fn wanted(side: &Side<'_>) -> Option<Strategy> {
    match (side.net.discard_my_data, side.peers_net.discard_my_data) {
        (true, false) => Some(Strategy::Target),
        (false, true) => Some(Strategy::Source),
        _ => None,
    }
}

/// The better disk sends.
fn by_disks(side: &Side<'_>) -> Strategy {
    if side.me.disk > side.peer.disk {
        Strategy::Source
    } else {
        Strategy::Target
    }
}

/// Exactly one disk is Inconsistent.
fn one_inconsistent(side: &Side<'_>) -> bool {
    (side.me.disk == Disk::Inconsistent) != (side.peer.disk == Disk::Inconsistent)
}

/// As DRBD 8.4 does it.
pub(super) fn settle_8(side: &Side<'_>, strategy: Strategy) -> Settled {
    let mut now = Settled::new(strategy);
    if strategy == Strategy::Unrelated {
        return now;
    }
    if one_inconsistent(side) {
        let whole = matches!(
            strategy,
            Strategy::SplitBrainAmbiguous | Strategy::SourceFull | Strategy::TargetFull
        );
        let better = by_disks(side);
        let better = better.full().filter(|_| whole).unwrap_or(better);
        now.go(better, Step::DiskStates);
    }
    let ambiguous = now.strategy == Strategy::SplitBrainAmbiguous;
    if now.strategy == Strategy::SplitBrain || ambiguous && side.net.always_asbp {
        solve_by_policy(side, &mut now, ambiguous);
    }
    if now.strategy == Strategy::SplitBrainAmbiguous
        && let Some(wanted) = wanted(side)
    {
        now.go(wanted, Step::Discarded);
    }
    if now.strategy.direction() == Some(Direction::Source) && side.me.disk == Disk::Inconsistent {
        return now.drop(Drop::InconsistentSource);
    }
    let usable = side.me.primary && !now.demoted && side.me.disk >= Disk::Consistent;
    if usable && now.strategy.direction() == Some(Direction::Target) {
        if side.net.rr_conflict != RrConflict::Violently {
            return now.drop(Drop::PrimaryTarget);
        }
        now.steps.push(Step::Violent);
    }
    now
}

/// As DRBD 9 does it.
pub(super) fn settle_9(side: &Side<'_>, strategy: Strategy, quorum_policy: bool) -> Settled {
    let mut now = Settled::new(strategy);
    if strategy == Strategy::Unrelated {
        return now;
    }
    let arbitrary = strategy.if_both_failed();
    let better = if side.old {
        (side.rule == "both-off" || strategy == Strategy::NoSync) && one_inconsistent(side)
    } else {
        arbitrary || strategy == Strategy::NoSync && one_inconsistent(side)
    };
    if side.me.disk != side.peer.disk && better {
        now.go(by_disks(side), Step::DiskStates);
    }
    let ambiguous = now.strategy == Strategy::SplitBrainAmbiguous;
    if now.strategy == Strategy::SplitBrain || ambiguous && side.net.always_asbp {
        solve_with_quorum(side, &mut now, ambiguous, quorum_policy);
    }
    if now.strategy.is_split_brain()
        && let Some(wanted) = wanted(side)
    {
        let whole = wanted.full().filter(|_| ambiguous);
        now.go(whole.unwrap_or(wanted), Step::Discarded);
    }
    if now.strategy.is_split_brain() {
        return now;
    }
    reverse(side, &mut now);
    if let Some(why) = conflict(side, &mut now) {
        return now.drop(why);
    }
    skip_missed(side, &mut now);
    follow_primary(side, &mut now);
    now
}

fn solve_by_policy(side: &Side<'_>, now: &mut Settled, whole: bool) {
    let solved = solve(side);
    now.strategy = Strategy::SplitBrainAmbiguous;
    if solved.direction().is_some() {
        let full = solved.full().filter(|_| whole);
        now.go(full.unwrap_or(solved), Step::Policy);
    }
    let loser = match solved.direction() {
        Some(Direction::Target) => side.me,
        Some(Direction::Source) => side.peer,
        None => return,
    };
    if loser.primary && loser_gives_up(side) {
        now.demoted = solved.direction() == Some(Direction::Target);
        now.steps.push(Step::GivesUpPrimary);
    }
}

fn solve_with_quorum(side: &Side<'_>, now: &mut Settled, whole: bool, quorum_policy: bool) {
    let has = |node: &Node<'_>| node.quorum != Some(false);
    let solved = match (has(side.me), has(side.peer)) {
        (true, false) if quorum_policy => Strategy::Source,
        (false, true) if quorum_policy => Strategy::Target,
        _ => return solve_by_policy(side, now, whole),
    };
    let full = solved.full().filter(|_| whole);
    now.go(full.unwrap_or(solved), Step::Quorum);
}

/// `discard-my-data` turns around what would overwrite the other side.
fn reverse(side: &Side<'_>, now: &mut Settled) {
    let Some(wanted) = wanted(side).filter(|wanted| {
        now.strategy != Strategy::NoSync && wanted.direction() != now.strategy.direction()
    }) else {
        return;
    };
    let source = match wanted.direction() {
        Some(Direction::Source) => side.me,
        _ => side.peer,
    };
    match now.strategy.reversed() {
        Some(reversed) if source.disk > Disk::Inconsistent => now.go(reversed, Step::Reversed),
        _ => now.steps.push(Step::NotReversed),
    }
}

/// `rr-conflict`: a Primary would get data.
fn conflict(side: &Side<'_>, now: &mut Settled) -> Option<Drop> {
    let marked = side.me.bits > 0 || side.peer.bits > 0;
    let crashed = side.rule == "crashed-primary";
    let usable = |node: &Node<'_>| node.primary && node.disk >= Disk::Consistent;
    let target = now.strategy.direction() == Some(Direction::Target)
        && now.strategy != Strategy::TargetIfBothFailed;
    if target && usable(side.me) && !now.demoted && marked {
        match side.net.rr_conflict {
            RrConflict::Disconnect | RrConflict::CallPriLost | RrConflict::RetryConnect => {
                return Some(Drop::PrimaryTarget);
            }
            RrConflict::Violently => now.steps.push(Step::Violent),
            RrConflict::AutoDiscard if crashed && now.strategy == Strategy::Target => {
                now.go(Strategy::Source, Step::AutoDiscarded);
            }
            RrConflict::AutoDiscard => {}
        }
    } else if now.strategy == Strategy::Source
        && crashed
        && usable(side.peer)
        && marked
        && side.net.rr_conflict == RrConflict::AutoDiscard
    {
        now.go(Strategy::Target, Step::AutoDiscarded);
    }
    None
}

/// A resync whose end one side missed is not repeated from a disk that is not `UpToDate`.
fn skip_missed(side: &Side<'_>, now: &mut Settled) {
    if !side.rule.ends_with("missed-finish") {
        return;
    }
    let source = match now.strategy {
        Strategy::Source => side.me,
        Strategy::Target => side.peer,
        _ => return,
    };
    if source.disk != Disk::UpToDate {
        now.go(Strategy::NoSync, Step::Skipped);
    }
}

/// Where only crash flags decide, a side that is Primary now sends: `strategy_to_repl_state`.
fn follow_primary(side: &Side<'_>, now: &mut Settled) {
    if !now.strategy.if_both_failed() {
        return;
    }
    match (side.me.primary, side.peer.primary) {
        (false, false) => {}
        (true, false) => now.go(Strategy::Source, Step::PrimarySends),
        (false, true) => now.go(Strategy::Target, Step::PrimarySends),
        (true, true) => now.go(Strategy::NoSync, Step::PrimarySends),
    }
}
