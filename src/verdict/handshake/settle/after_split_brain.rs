//! The policies for split brain: `drbd_asb_recover_0p`, `_1p` and `_2p` (`drbd_receiver.c`).

use std::cmp::Ordering;

use super::Side;
use crate::verdict::handshake::decision::{Direction, Strategy};
use crate::verdict::handshake::options::AfterSplitBrain as Policy;

/// Not solved.
const UNSOLVED: Strategy = Strategy::SplitBrainAmbiguous;

/// What the policy for so many Primaries says.
pub(super) fn solve(side: &Side<'_>) -> Strategy {
    match (side.me.primary, side.peer.primary) {
        (false, false) => no_primary(side),
        (true, true) => two_primaries(side),
        _ => one_primary(side),
    }
}

/// Whether the policy tells a Primary that loses to give up its role.
pub(super) fn loser_gives_up(side: &Side<'_>) -> bool {
    let policy = match (side.me.primary, side.peer.primary) {
        (false, false) => return false,
        (true, true) => side.net.after_sb_2pri,
        _ => side.net.after_sb_1pri,
    };
    policy == Policy::CallPriLost
}

fn no_primary(side: &Side<'_>) -> Strategy {
    match side.net.after_sb_0pri {
        Policy::DiscardYoungerPrimary => {
            by_age(side, Strategy::Source).unwrap_or_else(|| by_changes(side))
        }
        Policy::DiscardOlderPrimary => {
            by_age(side, Strategy::Target).unwrap_or_else(|| by_changes(side))
        }
        Policy::DiscardZeroChanges => by_no_changes(side).unwrap_or(UNSOLVED),
        Policy::DiscardLeastChanges => by_least_changes(side),
        Policy::DiscardLocal => Strategy::Target,
        Policy::DiscardRemote => Strategy::Source,
        // The others are none for this case.
        _ => UNSOLVED,
    }
}

/// Bit 0 of the bitmap UUIDs tells who was Primary when they parted; what that side becomes.
const fn by_age(side: &Side<'_>, older: Strategy) -> Option<Strategy> {
    let was = (side.me.bitmap & 1 == 1, side.peer.bitmap & 1 == 1);
    match (was, older) {
        ((true, false), Strategy::Source) | ((false, true), Strategy::Target) => {
            Some(Strategy::Source)
        }
        ((true, false) | (false, true), _) => Some(Strategy::Target),
        _ => None,
    }
}

fn by_changes(side: &Side<'_>) -> Strategy {
    by_no_changes(side).unwrap_or_else(|| by_least_changes(side))
}

/// Whoever wrote nothing is discarded.
const fn by_no_changes(side: &Side<'_>) -> Option<Strategy> {
    match (side.me.bits, side.peer.bits) {
        (0, 0) => Some(tossed(side)),
        (_, 0) => Some(Strategy::Source),
        (0, _) => Some(Strategy::Target),
        _ => None,
    }
}

fn by_least_changes(side: &Side<'_>) -> Strategy {
    match side.me.bits.cmp(&side.peer.bits) {
        Ordering::Less => Strategy::Target,
        Ordering::Greater => Strategy::Source,
        Ordering::Equal => tossed(side),
    }
}

/// Nothing speaks for either.
const fn tossed(side: &Side<'_>) -> Strategy {
    if side.wins {
        Strategy::Target
    } else {
        Strategy::Source
    }
}

fn one_primary(side: &Side<'_>) -> Strategy {
    match side.net.after_sb_1pri {
        Policy::Consensus => {
            let solved = no_primary(side);
            let agrees = match solved.direction() {
                Some(Direction::Target) => !side.me.primary,
                Some(Direction::Source) => side.me.primary,
                None => false,
            };
            if agrees { solved } else { UNSOLVED }
        }
        // A Primary that loses is told to give up its role, and is taken to do so.
        Policy::Violently | Policy::CallPriLost => no_primary(side),
        Policy::DiscardSecondary if side.me.primary => Strategy::Source,
        Policy::DiscardSecondary => Strategy::Target,
        _ => UNSOLVED,
    }
}

fn two_primaries(side: &Side<'_>) -> Strategy {
    match side.net.after_sb_2pri {
        Policy::Violently | Policy::CallPriLost => no_primary(side),
        _ => UNSOLVED,
    }
}
