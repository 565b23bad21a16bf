//! Pieces put on a target, and a state that never says more than is on disk.

use std::ops::Range;

use super::pieces::{Part, Piece};
use super::state::State;
use super::stream::Totals;
use crate::error::Result;
use crate::image::Zeroing;
use crate::units::{Bytes, DevPos, ImagePos};

/// After so much the target is synced, and the state says so.
pub const EVERY: Bytes = Bytes::new(256 << 20);

/// How pieces are put on a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Putting {
    /// The target is one hole: its zeros need nothing.
    pub blank: bool,
    /// A block device may give back the room of zeros.
    pub discard: bool,
    /// After so much it is synced.
    pub every: Bytes,
}

/// A target while a copy arrives.
pub struct Arrival<'a, T, S> {
    target: &'a mut T,
    state: State,
    save: S,
    putting: Putting,
    /// Zeros that may go on.
    zeros: Option<Range<ImagePos>>,
    /// How far pieces came; what is durable of them is in the state.
    reached: DevPos,
    since: Bytes,
    /// The data that was written last, since the state was saved.
    last: Option<(DevPos, Bytes)>,
    totals: Totals,
}

impl<'a, T: Zeroing, S: FnMut(&State) -> Result<()>> Arrival<'a, T, S> {
    /// Goes on from what the state says. `save` makes a state durable.
    pub fn new(target: &'a mut T, state: State, putting: Putting, save: S) -> Self {
        Self {
            target,
            reached: state.verified,
            state,
            save,
            putting,
            zeros: None,
            since: Bytes::ZERO,
            last: None,
            totals: Totals::default(),
        }
    }

    /// A piece, behind those before. What the state says is there already is not written again.
    ///
    /// # Errors
    ///
    /// What writing says.
    pub fn piece(&mut self, piece: &Piece) -> Result<()> {
        let verified = self.state.verified;
        piece.parts(&mut |part| match part {
            Part::Data(at, bytes) => {
                let known = verified.bytes_since(at).and_then(Bytes::to_usize);
                let known = known.unwrap_or(0).min(bytes.len());
                let at = at.saturating_add(Bytes::of_len(known));
                self.data(at, bytes.split_at(known).1)
            }
            Part::Zeros(at, len) => {
                let known = verified.saturating_since(at).min(len);
                let at = at.saturating_add(known);
                self.add_zeros(at, len.saturating_sub(known))
            }
        })?;
        self.reached = self.reached.max(piece.end());
        if self.since >= self.putting.every {
            self.keep()?;
        }
        Ok(())
    }

    fn data(&mut self, at: DevPos, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        self.flush_zeros()?;
        self.target.write_all_at(place(at), bytes)?;
        let len = Bytes::of_len(bytes.len());
        self.totals.add_data(len);
        self.last = Some((at, len));
        self.since = self.since.saturating_add(len);
        Ok(())
    }

    fn add_zeros(&mut self, at: DevPos, len: Bytes) -> Result<()> {
        if len == Bytes::ZERO {
            return Ok(());
        }
        self.totals.add_zeros(len);
        let start = place(at);
        let end = start.saturating_add(len);
        match &mut self.zeros {
            Some(zeros) if zeros.end == start => zeros.end = end,
            _ => {
                self.flush_zeros()?;
                self.zeros = Some(start..end);
            }
        }
        Ok(())
    }

    fn flush_zeros(&mut self) -> Result<()> {
        match self.zeros.take() {
            Some(zeros) if !self.putting.blank => self.target.zero(zeros, self.putting.discard),
            _ => Ok(()),
        }
    }

    /// Makes durable what came, and then the state that says so. To be called, too, where no more will come.
    ///
    /// # Errors
    ///
    /// What the system says; the state then says what it said before.
    pub fn keep(&mut self) -> Result<()> {
        self.flush_zeros()?;
        self.target.sync()?;
        if let Some((at, len)) = self.last.take() {
            self.state.add_mark(self.target, at, len)?;
        }
        self.target
            .let_go(place(self.state.verified)..place(self.reached));
        self.state.verified = self.reached;
        self.since = Bytes::ZERO;
        (self.save)(&self.state)
    }

    /// All has come: makes it durable.
    ///
    /// # Errors
    ///
    /// As [`Self::keep`].
    pub fn finish(&mut self) -> Result<Totals> {
        self.reached = self.reached.max(DevPos::at(self.state.size));
        self.keep()?;
        Ok(self.totals)
    }

    /// How far the copy is, durably.
    #[must_use]
    pub const fn verified(&self) -> DevPos {
        self.state.verified
    }
}

/// A copy begins where its target does.
const fn place(at: DevPos) -> ImagePos {
    ImagePos::at(at.from_start())
}

#[cfg(test)]
mod tests;
