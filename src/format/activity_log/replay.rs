//! The replay: once over the ring for the order, once in that order for the table.

use crate::error::{Refused, Result};
use crate::units::AlExtent;

use super::record::{AlPlace, Content, Entry, Transaction};
use super::ring::{Counts, Course, Numbering, Ring, Spot, State, Tail};
use super::table::{MOST_SLOTS, Table};
use super::verdict::{Complete, Doubt, Unusable, Verdict};

/// A ring of transactions, wherever it is and however wide its places are.
pub(super) struct Places<'a> {
    /// How many.
    pub(super) len: u32,
    pub(super) numbering: Numbering,
    /// The size of the table, where the transactions do not say it themselves.
    pub(super) table_size: Option<u32>,
    /// The place on disk of a position of the ring.
    pub(super) place_of: &'a dyn Fn(u32) -> AlPlace,
    pub(super) read: &'a mut dyn FnMut(u32) -> Result<Content>,
}

/// What a ring amounts to.
pub(super) struct Outcome {
    pub(super) counts: Counts,
    pub(super) newest: Option<u32>,
    pub(super) active: Vec<AlExtent>,
    pub(super) verdict: Verdict,
}

/// Replays a ring and shows every place to `visit`, in order of time.
pub(super) fn replay(mut places: Places<'_>, visit: &mut dyn FnMut(&Entry)) -> Result<Outcome> {
    let ring = places.survey()?;
    let counts = ring.counts();
    let Some(course) = ring.course() else {
        for position in 0..places.len {
            visit(&places.entry(position)?);
        }
        return Ok(Outcome {
            counts,
            newest: None,
            active: Vec::new(),
            verdict: places.without_transactions(&ring, counts),
        });
    };
    let mut walk = Walk::new(places.table_size);
    for position in &course.sequence {
        let entry = places.entry(*position)?;
        if ring.state(*position) != Some(entry.content.state()) {
            return Err(Refused::ActivityLogChanged { place: entry.place }.into());
        }
        if let Content::Transaction(transaction) = &entry.content {
            walk.apply(&course, &entry, transaction);
        }
        visit(&entry);
    }
    Ok(Outcome {
        counts,
        newest: Some(course.newest.number),
        verdict: walk.verdict(&course, counts, places.place_of),
        active: walk.table.active(),
    })
}

impl Places<'_> {
    /// What each place holds; nothing else is kept of it.
    fn survey(&mut self) -> Result<Ring> {
        let mut states = Vec::new();
        // Exactly as many as there are, since the largest log has millions.
        states.reserve_exact(usize::try_from(self.len).unwrap_or(0));
        for position in 0..self.len {
            states.push((self.read)(position)?.state());
        }
        Ok(Ring {
            numbering: self.numbering,
            states,
        })
    }

    fn entry(&mut self, position: u32) -> Result<Entry> {
        Ok(Entry {
            place: (self.place_of)(position),
            position,
            content: (self.read)(position)?,
        })
    }

    /// A log that was never written to, or that is no log.
    ///
    /// One invalid place among fresh ones is the first transaction, interrupted. `drbdmeta` expects that in block 0 only; but numbers go on
    /// where a device is detached and attached again, so the first transaction after `apply-al` may belong anywhere.
    fn without_transactions(&self, ring: &Ring, counts: Counts) -> Verdict {
        match (counts.unwritten, counts.invalid) {
            (0, _) => Verdict::Unusable(Unusable::NothingValid),
            (_, 0) => Verdict::Complete(Complete::Unused),
            (_, 1) => {
                let torn = (0_u32..).zip(&ring.states);
                let torn = torn.filter(|(_, state)| **state == State::Invalid);
                let position = torn.map(|(position, _)| position).next();
                Verdict::Complete(Complete::Torn {
                    place: (self.place_of)(position.unwrap_or(0)),
                    number: None,
                })
            }
            (_, invalid) => Verdict::Unusable(Unusable::NoTransaction { invalid }),
        }
    }
}

/// The table as the transactions so far leave it.
struct Walk {
    table: Table,
    /// As the superblock or the latest transaction has it.
    table_size: u32,
    fixed_size: bool,
    odd: Option<Doubt>,
}

impl Walk {
    fn new(table_size: Option<u32>) -> Self {
        Self {
            table: Table::new(),
            table_size: table_size.unwrap_or(0).min(MOST_SLOTS),
            fixed_size: table_size.is_some(),
            odd: None,
        }
    }

    fn apply(&mut self, course: &Course, entry: &Entry, transaction: &Transaction) {
        let number = transaction.number;
        let table_size = transaction
            .context_size
            .map_or(self.table_size, |size| u32::from(size).min(MOST_SLOTS));
        if number == course.run_start {
            self.table.begin_run();
        } else if table_size != self.table_size {
            // DRBD makes a table of another size anew (`drbd_check_al_size`, `drbd_nl.c`).
            self.table.was_empty();
        }
        self.table_size = table_size;
        // The 512-byte format never says that a slot is free: `replay_al_07` (`drbdmeta.c`) and 8.3 leave it as it was.
        let clears = !self.fixed_size;
        for (slot, extent) in &transaction.context {
            self.table.saw(number, *slot, *extent, clears);
        }
        for (slot, extent) in &transaction.updates {
            self.table.put(*slot, *extent, clears);
        }
        let oddity = transaction.oddity.or_else(|| {
            let size = self.fixed_size.then_some(self.table_size)?;
            transaction.slot_beyond(size)
        });
        if let Some(oddity) = oddity {
            self.odd.get_or_insert(Doubt::Odd {
                place: entry.place,
                number,
                oddity,
            });
        }
    }

    fn verdict(
        &self,
        course: &Course,
        counts: Counts,
        place_of: &dyn Fn(u32) -> AlPlace,
    ) -> Verdict {
        let place = |spot: Spot| place_of(spot.position);
        let newest_unknown = match course.tail {
            Tail::Unknown(next) => Some(Doubt::NewestUnknown {
                place: place(next),
                number: next.number,
                invalid: counts.invalid,
            }),
            Tail::NotWritten | Tail::Torn(_) => None,
        };
        let unknown = self.table.unnamed(self.table_size);
        let slots_unknown = (unknown > 0 && !course.from_start).then_some(Doubt::SlotsUnknown {
            unknown,
            table: self.table_size,
            since: course.run_start,
        });
        let stranger = course.stranger.map(|spot| Doubt::Stranger {
            place: place(spot),
            number: spot.number,
            newest: course.newest.number,
        });
        let contradiction = self
            .table
            .contradiction()
            .map(|(slot, number)| Doubt::Contradiction { slot, number });
        let doubts = [
            newest_unknown,
            slots_unknown,
            stranger,
            contradiction,
            self.odd,
        ];
        let doubts: Vec<Doubt> = doubts.into_iter().flatten().collect();
        if !doubts.is_empty() {
            return Verdict::Incomplete(doubts);
        }
        Verdict::Complete(match (course.tail, counts.invalid) {
            (Tail::Torn(torn), _) => Complete::Torn {
                place: place(torn),
                number: Some(torn.number),
            },
            (_, 0) => Complete::Whole,
            (_, invalid) => Complete::Damaged { invalid },
        })
    }
}
