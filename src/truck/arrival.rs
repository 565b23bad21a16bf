//! Pieces put on a target, and a state that never says more than is on disk.

use std::ops::Range;

use super::pieces::{Part, Piece};
use super::state::State;
use super::stream::Totals;
use crate::error::Result;
use crate::format::superblock::{Mark, marked, unmarked};
use crate::image::Zeroing;
use crate::units::{Bytes, DevPos, ImagePos, SECTOR_SIZE};

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
    sealed: Option<Sealed>,
}

/// A superblock that carries a mark until all else is on disk.
struct Sealed {
    at: DevPos,
    /// What its first sector, which has the magic, is to be then: what was there, and over it what comes.
    sector: Box<[u8; SECTOR]>,
}

/// [`SECTOR_SIZE`], as a length.
const SECTOR: usize = 512;

impl Sealed {
    /// Keeps what of `bytes` belongs to the sector.
    fn take(&mut self, at: DevPos, bytes: &[u8]) {
        let before = at
            .saturating_since(self.at)
            .to_usize()
            .unwrap_or(usize::MAX);
        let left_out = self
            .at
            .saturating_since(at)
            .to_usize()
            .unwrap_or(usize::MAX);
        let room = self.sector.iter_mut().skip(before);
        for (to, from) in room.zip(bytes.iter().skip(left_out)) {
            *to = *from;
        }
    }

    fn end(&self) -> DevPos {
        self.at.saturating_add(SECTOR_SIZE)
    }
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
            sealed: None,
        }
    }

    /// Before anything else is written: puts a mark, durably, in the place of the magic of the superblock at `at`, which DRBD would attach. The
    /// sector gets what it is to have when all else is on disk: what arrives for it, or what it had.
    ///
    /// # Errors
    ///
    /// What reading and writing say.
    pub fn seal(&mut self, at: DevPos) -> Result<()> {
        let mut block = [0; 4096];
        self.target.read_exact_at(place(at), &mut block)?;
        // Where an earlier run was cut off, the mark is there.
        let before = unmarked(&block).unwrap_or(block);
        let Some(under_way) = marked(&before, Mark::UnderWay) else {
            return Ok(());
        };
        let first = |block: &[u8; 4096]| block.first_chunk().copied().unwrap_or([0; SECTOR]);
        self.target.write_all_at(place(at), &first(&under_way))?;
        self.target.sync()?;
        let sector = Box::new(first(&before));
        self.sealed = Some(Sealed { at, sector });
        Ok(())
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
        let len = Bytes::of_len(bytes.len());
        self.totals.add_data(len);
        self.since = self.since.saturating_add(len);
        let Some(sealed) = &mut self.sealed else {
            self.target.write_all_at(place(at), bytes)?;
            self.last = Some((at, len));
            return Ok(());
        };
        sealed.take(at, bytes);
        let upto = |end: DevPos| {
            let len = end.saturating_since(at).to_usize();
            len.map_or(bytes.len(), |len| len.min(bytes.len()))
        };
        let before = bytes.split_at(upto(sealed.at)).0;
        let (skipped, behind) = bytes.split_at(upto(sealed.end()));
        if !before.is_empty() {
            self.target.write_all_at(place(at), before)?;
            self.last = Some((at, Bytes::of_len(before.len())));
        }
        if behind.is_empty() {
            return Ok(());
        }
        let at = at.saturating_add(Bytes::of_len(skipped.len()));
        self.target.write_all_at(place(at), behind)
    }

    fn add_zeros(&mut self, at: DevPos, len: Bytes) -> Result<()> {
        if len == Bytes::ZERO {
            return Ok(());
        }
        self.totals.add_zeros(len);
        let end = at.saturating_add(len);
        let Some(sealed) = &mut self.sealed else {
            return self.note_zeros(at..end);
        };
        let (seal, behind) = (sealed.at, sealed.end());
        let zeros = behind.min(end).saturating_since(at.max(seal)).to_usize();
        sealed.take(
            at.max(seal),
            [0; SECTOR].split_at(zeros.unwrap_or(0).min(SECTOR)).0,
        );
        self.note_zeros(at..end.min(seal))?;
        self.note_zeros(at.max(behind)..end)
    }

    fn note_zeros(&mut self, range: Range<DevPos>) -> Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let (start, end) = (place(range.start), place(range.end));
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
        // What is behind comes once more where this is cut off.
        let sealed = self.sealed.as_ref().map(|sealed| sealed.at);
        self.state.verified = sealed.map_or(self.reached, |at| at.min(self.reached));
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
        if let Some(sealed) = self.sealed.take() {
            self.target
                .write_all_at(place(sealed.at), &sealed.sector[..])?;
            self.keep()?;
        }
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
