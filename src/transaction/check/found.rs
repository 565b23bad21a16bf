//! Places on targets, of which the first are named.

use std::collections::BTreeSet;

use crate::units::ImagePos;

/// How many places are named.
const MOST_NAMED: usize = 16;

/// A target, and a position there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place(pub(super) usize, pub(super) ImagePos);

/// The first of many places, and how many they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) first: BTreeSet<Place>,
    pub(super) count: u64,
}

impl Found {
    pub(super) fn join(&mut self, other: Self) {
        let more = self.count.saturating_add(other.count);
        for at in other.first {
            self.note(at);
        }
        self.count = more;
    }

    pub(super) fn note(&mut self, at: Place) {
        self.count = self.count.saturating_add(1);
        self.first.insert(at);
        if self.first.len() > MOST_NAMED {
            self.first.pop_last();
        }
    }
}
