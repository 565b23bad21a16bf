//! What an edited slot is made of.

use crate::units::BitmapIndex;

/// What one slot's bits are after the edit, in terms of the slots before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Recipe {
    /// Slots as they were, united; none is all clear.
    pub of: Vec<BitmapIndex>,
    /// Everything is out of sync, whatever the slots say.
    pub all_set: bool,
}

impl Recipe {
    /// One slot as it was.
    #[must_use]
    pub fn of(slot: BitmapIndex) -> Self {
        Self {
            of: vec![slot],
            all_set: false,
        }
    }

    /// Nothing out of sync.
    #[must_use]
    pub const fn clear() -> Self {
        Self {
            of: Vec::new(),
            all_set: false,
        }
    }

    /// Everything out of sync.
    #[must_use]
    pub const fn all() -> Self {
        Self {
            of: Vec::new(),
            all_set: true,
        }
    }

    /// The bits of another added.
    pub fn add(&mut self, other: &Self) {
        self.all_set |= other.all_set;
        for slot in &other.of {
            if !self.of.contains(slot) {
                self.of.push(*slot);
            }
        }
    }
}
