//! The statuses, and which of several counts.

use std::fmt;

/// What a script acts on; the numbers and words are a contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// 0: metadata, where DRBD looks, its activity log applied.
    Clean,
    /// 1: no metadata; looked everywhere that it could be.
    None,
    /// 2: could not look, or not everywhere.
    Error,
    /// 3: metadata, where DRBD looks, its activity log to be applied.
    Unclean,
    /// 4: metadata, or what is left of it, that DRBD would not take or not wholly.
    Damaged,
    /// 5: metadata, but not where DRBD will look.
    Moved,
    /// 6: metadata, but not what was expected.
    Unexpected,
}

/// From the one that counts most to the one that counts least.
const BY_WEIGHT: [Status; 7] = [
    Status::Error,
    Status::Damaged,
    Status::Unexpected,
    Status::Moved,
    Status::Unclean,
    Status::None,
    Status::Clean,
];

impl Status {
    /// The number that the shell gets.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Clean => 0,
            Self::None => 1,
            Self::Error => 2,
            Self::Unclean => 3,
            Self::Damaged => 4,
            Self::Moved => 5,
            Self::Unexpected => 6,
        }
    }

    /// The one of several that counts: not looked, damaged, unexpected, moved, unclean, none, clean, in this order.
    ///
    /// [`Self::None`] weighs least but for [`Self::Clean`]: it is what others act on by writing, so it must hide nothing. Of no statuses
    /// it is [`Self::Error`]: nothing was looked at.
    #[must_use]
    pub fn worst(statuses: &[Self]) -> Self {
        let found = BY_WEIGHT
            .into_iter()
            .find(|status| statuses.contains(status));
        found.unwrap_or(Self::Error)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean",
            Self::None => "none",
            Self::Error => "error",
            Self::Unclean => "unclean",
            Self::Damaged => "damaged",
            Self::Moved => "moved",
            Self::Unexpected => "unexpected",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn none_never_hides_another_status_but_clean() {
        for status in BY_WEIGHT {
            let worst = Status::worst(&[Status::None, status, Status::Clean]);
            if status == Status::Clean {
                assert_eq!(worst, Status::None);
            } else {
                assert_eq!(worst, status);
            }
        }
        assert_eq!(Status::worst(&[]), Status::Error);
    }

    #[test]
    fn each_status_has_a_number_of_its_own() {
        let mut codes = BY_WEIGHT.map(Status::code);
        codes.sort_unstable();
        assert_eq!(codes, [0, 1, 2, 3, 4, 5, 6]);
    }
}
