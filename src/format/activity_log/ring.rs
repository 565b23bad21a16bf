//! The order of time in a ring of transactions, and whether it is unbroken up to the newest.

use std::cmp::Reverse;

/// What one place of the ring holds, as far as the order matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// A valid transaction of this number.
    Update(u32),
    /// Nothing was written here since the log was initialised.
    Unwritten,
    /// Neither.
    Invalid,
}

/// How transactions find their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Numbering {
    /// By number modulo the ring's length: 8.4 and 9.
    Modulo,
    /// After the one before: 0.7 to 8.3, whose numbers may start anywhere.
    Chained,
}

/// A transaction and where it is, or would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) number: u32,
    pub(super) position: u32,
}

/// What is known of the transaction after the newest valid one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tail {
    /// It was never written: its place holds what it would have replaced.
    NotWritten,
    /// Its place is the one invalid one: a crash interrupted it.
    Torn(Spot),
    /// Its place is invalid, and is not alone.
    Unknown(Spot),
}

/// A ring's places, in the ring's order.
#[derive(Debug)]
pub(super) struct Ring {
    pub(super) numbering: Numbering,
    pub(super) states: Vec<State>,
}

/// How many places hold what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) updates: u64,
    pub(super) unwritten: u64,
    pub(super) invalid: u64,
}

/// The order of time.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) newest: Spot,
    /// The first number of the longest unbroken run that ends with the newest.
    pub(super) run_start: u32,
    /// Nothing was written between the initialisation of the log and the run.
    pub(super) from_start: bool,
    pub(super) tail: Tail,
    /// The oldest transaction that no kernel that wrote the newest would have left where it is.
    pub(super) stranger: Option<Spot>,
    /// Every position, oldest first; what is no transaction stands where the ring's order puts it, a torn one last.
    pub(super) sequence: Vec<u32>,
}

impl Ring {
    /// Places in the ring.
    fn len(&self) -> u32 {
        // OK to expect: `replay` refuses logs of more than `MAX_BLOCKS`.
        u32::try_from(self.states.len()).expect("a ring has at most MAX_BLOCKS places")
    }

    pub(super) fn state(&self, position: u32) -> Option<State> {
        self.states.get(usize::try_from(position).ok()?).copied()
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for state in &self.states {
            let count = match state {
                State::Update(_) => &mut counts.updates,
                State::Unwritten => &mut counts.unwritten,
                State::Invalid => &mut counts.invalid,
            };
            *count = count.saturating_add(1);
        }
        counts
    }

    /// Positions and numbers of the transactions, in the ring's order.
    fn updates(&self) -> impl Iterator<Item = Spot> + '_ {
        (0_u32..)
            .zip(&self.states)
            .filter_map(|(position, state)| match *state {
                State::Update(number) => Some(Spot { number, position }),
                State::Unwritten | State::Invalid => None,
            })
    }

    /// The transaction that no other is newer than, by the sign of the 32-bit difference.
    fn newest(&self) -> Option<Spot> {
        self.updates().reduce(|newest, spot| {
            let ahead = spot.number.wrapping_sub(newest.number).cast_signed();
            if ahead > 0 { spot } else { newest }
        })
    }

    /// Where transaction `number` belongs.
    fn position_of(&self, newest: Spot, number: u32) -> u32 {
        let len = i64::from(self.len());
        let position = match self.numbering {
            Numbering::Modulo => i64::from(number).checked_rem(len),
            Numbering::Chained => {
                let ahead = number.wrapping_sub(newest.number).cast_signed();
                i64::from(newest.position)
                    .saturating_add(i64::from(ahead))
                    .checked_rem_euclid(len)
            }
        };
        position
            .and_then(|position| u32::try_from(position).ok())
            .unwrap_or(0)
    }

    /// How many transactions later the place of `number` is written again.
    ///
    /// That is the ring's length, except where numbers wrap around 2^32 and the length does not divide it: the numbers then start over at
    /// the first place, wherever the last one was.
    fn lifetime(&self, number: u32) -> u64 {
        let len = u64::from(self.len());
        let left = (1_u64 << 32).saturating_sub(u64::from(number));
        match self.numbering {
            Numbering::Modulo if left <= len => {
                left.saturating_add(u64::from(number).checked_rem(len).unwrap_or(0))
            }
            Numbering::Modulo | Numbering::Chained => len,
        }
    }

    /// Whether a kernel that just wrote `newest` would have left `spot` where it is.
    fn belongs(&self, newest: Spot, spot: Spot) -> bool {
        self.position_of(newest, spot.number) == spot.position
            && u64::from(newest.number.wrapping_sub(spot.number)) < self.lifetime(spot.number)
    }

    /// The number that begins the unbroken run up to the newest.
    fn run_start(&self, newest: Spot) -> u32 {
        let mut first = newest.number;
        for _ in 1..self.len() {
            let before = first.wrapping_sub(1);
            if self.state(self.position_of(newest, before)) != Some(State::Update(before)) {
                break;
            }
            first = before;
        }
        first
    }

    /// Whether nothing was written between the initialisation of the log and transaction `first`.
    fn is_start(&self, newest: Spot, first: u32) -> bool {
        let before = self.position_of(newest, first.wrapping_sub(1));
        let unwritten = self.state(before) == Some(State::Unwritten);
        match self.numbering {
            Numbering::Modulo => unwritten,
            // A ring that grew has unwritten places in its middle; only the very first transaction is known to be that.
            Numbering::Chained => unwritten && first == 0 && self.position_of(newest, first) == 0,
        }
    }

    fn tail(&self, newest: Spot, invalid: u64) -> Tail {
        let number = newest.number.wrapping_add(1);
        let position = self.position_of(newest, number);
        let next = Spot { number, position };
        match self.state(position) {
            // Where its place is written again at once, it may be that later write which was interrupted.
            Some(State::Invalid) if invalid == 1 && self.lifetime(number) > 1 => Tail::Torn(next),
            Some(State::Invalid) | None => Tail::Unknown(next),
            Some(State::Update(_) | State::Unwritten) => Tail::NotWritten,
        }
    }

    /// The order of time, or `None` where there is no transaction.
    pub(super) fn course(&self) -> Option<Course> {
        let newest = self.newest()?;
        let tail = self.tail(newest, self.counts().invalid);
        let run_start = self.run_start(newest);
        let stranger = self
            .updates()
            .filter(|spot| !self.belongs(newest, *spot))
            .max_by_key(|spot| newest.number.wrapping_sub(spot.number));
        Some(Course {
            newest,
            run_start,
            from_start: self.is_start(newest, run_start),
            tail,
            stranger,
            sequence: self.sequence(newest, tail),
        })
    }

    fn sequence(&self, newest: Spot, tail: Tail) -> Vec<u32> {
        let age = |position: u32| match (self.state(position), tail) {
            (Some(State::Update(number)), _) => i64::from(newest.number.wrapping_sub(number)),
            (_, Tail::Torn(torn)) if torn.position == position => -1,
            _ => i64::from(newest.position)
                .saturating_sub(i64::from(position))
                .checked_rem_euclid(i64::from(self.len()))
                .unwrap_or(0),
        };
        let mut sequence: Vec<u32> = (0..self.len()).collect();
        sequence.sort_unstable_by_key(|position| (Reverse(age(*position)), *position));
        sequence
    }
}
