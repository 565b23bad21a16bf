//! Whether a replay knows every extent that may have been written to.

use std::fmt;

use crate::units::AlSlot;

use super::record::AlPlace;

/// Whether the active extents are all that may have been written to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They are.
    Complete(Complete),
    /// It cannot be shown that they are: each reason, of each kind the first.
    Incomplete(Vec<Doubt>),
    /// There is nothing to replay, and yet the log is not a fresh one.
    Unusable(Unusable),
}

impl Verdict {
    /// Whether the active extents are all that may have been written to.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        matches!(self, Self::Complete(_))
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Complete(complete) => complete.fmt(f),
            Self::Incomplete(doubts) => {
                for (i, doubt) in doubts.iter().enumerate() {
                    if i > 0 {
                        f.write_str("; ")?;
                    }
                    doubt.fmt(f)?;
                }
                Ok(())
            }
            Self::Unusable(unusable) => unusable.fmt(f),
        }
    }
}

/// Why the active extents are all that may have been written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Complete {
    /// No transaction was written since the log was initialised.
    Unused,
    /// Every place of the log is as a kernel left it.
    Whole,
    /// A crash interrupted one transaction. DRBD writes to an extent only once its transaction is on disk, so nothing was written to the
    /// extents of this one; and a log holds the whole table without the one transaction that it replaced.
    Torn {
        /// Where it is.
        place: AlPlace,
        /// Its number, where it is not the log's first.
        number: Option<u32>,
    },
    /// Some places are invalid, but every transaction that matters is not among them.
    Damaged {
        /// How many places.
        invalid: u64,
    },
    /// A log in persistent memory: each slot is written in place.
    Pmem,
}

impl fmt::Display for Complete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unused => f.write_str("no transaction since the log was initialised"),
            Self::Whole => f.write_str("every transaction is valid"),
            Self::Torn {
                place,
                number: Some(number),
            } => write!(
                f,
                "{place} is not valid: a crash interrupted transaction {number}, and nothing was written to its extents yet"
            ),
            Self::Torn {
                place,
                number: None,
            } => write!(
                f,
                "{place} is not valid: a crash interrupted the first transaction, and nothing was written to its extents yet"
            ),
            Self::Damaged { invalid } => write!(
                f,
                "{invalid} places are not valid, but later transactions cover the whole table"
            ),
            Self::Pmem => f.write_str("a log in persistent memory has no transactions to lose"),
        }
    }
}

/// Why extents that were written to may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Doubt {
    /// The place of the next transaction is invalid, and a crash while that one was written does not explain it: other places are invalid
    /// too, or the transaction after that goes to the same place.
    NewestUnknown {
        /// Where the next transaction belongs.
        place: AlPlace,
        /// Its number.
        number: u32,
        /// How many places are invalid.
        invalid: u64,
    },
    /// The transactions since the last break in the log do not cover all slots.
    SlotsUnknown {
        /// How many slots no transaction covers.
        unknown: u32,
        /// Slots in the table.
        table: u32,
        /// The first transaction after the break.
        since: u32,
    },
    /// A transaction that the newest one's kernel would have overwritten: an older log shows through.
    Stranger {
        /// Where it is.
        place: AlPlace,
        /// Its number.
        number: u32,
        /// The newest one's.
        newest: u32,
    },
    /// A transaction saw an extent in a slot where no earlier one had put it: DRBD changed the table without writing to the log.
    Contradiction {
        /// The slot.
        slot: AlSlot,
        /// The transaction that saw it.
        number: u32,
    },
    /// A valid transaction has something that no kernel writes.
    Odd {
        /// Where it is.
        place: AlPlace,
        /// Its number.
        number: u32,
        /// What it has.
        oddity: Oddity,
    },
    /// A newer transaction lies beyond the ring, so that the table is larger than the superblock says.
    BeyondRing {
        /// Where it is.
        place: AlPlace,
        /// Its number.
        number: u32,
    },
    /// `al_nr_extents` is more than a log of this format and size can cover.
    TableTooLarge {
        /// The superblock's number.
        al_nr_extents: u32,
        /// The most that this log can cover.
        most: u32,
    },
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NewestUnknown {
                place,
                number,
                invalid,
            } => write!(
                f,
                "transaction {number} may be lost: {place}, where it belongs, is not valid ({invalid} such in all), and a crash in writing it does not explain that"
            ),
            Self::SlotsUnknown {
                unknown,
                table,
                since,
            } => write!(
                f,
                "{unknown} of {table} slots are unknown: transactions from {since} on do not cover them, and the one before is lost"
            ),
            Self::Stranger {
                place,
                number,
                newest,
            } => write!(
                f,
                "{place}: transaction number is {number}, which cannot stand beside {newest}: two logs are mixed"
            ),
            Self::Contradiction { slot, number } => write!(
                f,
                "transaction {number} found in slot {} what no transaction had put there: changes were not logged",
                slot.get()
            ),
            Self::Odd {
                place,
                number,
                oddity,
            } => write!(f, "{place}, transaction {number}: {oddity}"),
            Self::BeyondRing { place, number } => write!(
                f,
                "{place}, beyond what al_nr_extents allows, has the newer transaction {number}"
            ),
            Self::TableTooLarge {
                al_nr_extents,
                most,
            } => write!(
                f,
                "al_nr_extents is {al_nr_extents}, expected at most {most} in a log of this size"
            ),
        }
    }
}

/// What a transaction has that no kernel writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Oddity {
    /// `transaction_type` is neither update nor initialised.
    Type(u16),
    /// `n_updates` is not the number of updates in the list.
    Updates(u16),
    /// `context_size` is no size of a table.
    ContextSize(u16),
    /// A slot beyond the table.
    Slot {
        /// The slot.
        slot: u32,
        /// Slots in the table.
        size: u32,
    },
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type(found) => write!(
                f,
                "transaction_type is 0x{found:04X}, expected 0x0000 or 0xFFFF"
            ),
            Self::Updates(found) => {
                write!(f, "n_updates is {found}, expected the updates listed")
            }
            Self::ContextSize(found) => write!(f, "context_size is {found}, expected 1 to 65534"),
            Self::Slot { slot, size } => {
                write!(f, "slot is {slot}, expected less than {size}")
            }
        }
    }
}

/// Why there is nothing to replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unusable {
    /// Not one place is valid (`drbdmeta`: "No usable activity log found").
    NothingValid,
    /// Some places are as initialised, others are invalid (`drbdmeta`: "No valid AL update transaction found").
    NoTransaction {
        /// How many are invalid.
        invalid: u64,
    },
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NothingValid => f.write_str("no block of the activity log is valid"),
            Self::NoTransaction { invalid } => write!(
                f,
                "the activity log has no valid transaction, and {invalid} places that are not valid"
            ),
        }
    }
}
