//! Where the data of two devices differs.
//!
//! ```text
//! thread A:  reads A ──┐ pieces
//! thread B:  reads B ──┴── compares ── units that differ
//! ```
//!
//! Each device is read once, front to back, by a thread of its own, as a scan: the system's cache is left as it was found. What is a hole on
//! both sides is passed over, and a hole on one side is compared as zeros without being read.

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};

use crate::error::Result;
use crate::image::{ReadAt, Window};
use crate::units::{Bytes, DevPos, ImagePos, range_len};

/// What is compared at once: a bit stands for a multiple of it.
const BLOCK: usize = 4096;
/// Pieces of A that wait to be compared.
const WAITING: usize = 4;
/// Stretches that A is told of before they are compared.
const AHEAD: usize = 64;
const ZEROS: [u8; BLOCK] = [0; BLOCK];

/// A stretch, and on which side it may have data.
#[derive(Clone, Debug)]
struct Stretch {
    range: Range<DevPos>,
    in_a: bool,
    in_b: bool,
}

/// The first `len` bytes of both devices.
#[non_exhaustive]
pub struct Comparison<'a> {
    /// One device: where it has data and holes is asked here.
    pub a: Window<'a>,
    /// The other.
    pub b: Window<'a>,
    /// How much is compared.
    pub len: Bytes,
    /// What differences are rounded to: a multiple of 4096 bytes.
    pub unit: Bytes,
}

impl Comparison<'_> {
    /// Shows the ranges that differ to `visit`, in order and apart from each other; `open_a` opens A once more, for its thread.
    ///
    /// # Errors
    ///
    /// What reading either device reported, and what `visit` returned.
    pub fn run(
        &self,
        open_a: impl FnOnce() -> Result<Box<dyn ReadAt>> + Send,
        visit: &mut dyn FnMut(Range<DevPos>) -> Result<()>,
    ) -> Result<()> {
        let base = self.a.image_pos(DevPos::START).unwrap_or(ImagePos::START);
        std::thread::scope(|scope| {
            let (to_a, stretches) = channel();
            let (pieces, from_a) = sync_channel(WAITING);
            let (return_buffer, buffers) = channel();
            scope.spawn(move || read_a(open_a, base, &stretches, &pieces, &buffers));
            let mut side = SideA {
                pieces: from_a,
                buffers: return_buffer,
                piece: Vec::new(),
                used: 0,
            };
            let mut runs = Runs {
                unit: self.unit,
                len: self.len,
                run: None,
                visit,
            };
            let mut ahead = VecDeque::new();
            let mut at = DevPos::START;
            loop {
                while ahead.len() < AHEAD
                    && let Some(stretch) = self.next(at)?
                {
                    at = stretch.range.end;
                    if stretch.in_a {
                        // Where the thread has ended, its error is found below.
                        let _ = to_a.send(stretch.range.clone());
                    }
                    ahead.push_back(stretch);
                }
                let Some(stretch) = ahead.pop_front() else {
                    break;
                };
                self.compare(&stretch, &mut side, &mut runs)?;
            }
            runs.finish()
        })
    }

    /// The first stretch at or after `at` where either side may have data, and each side all or nothing.
    fn next(&self, at: DevPos) -> Result<Option<Stretch>> {
        let end = DevPos::at(self.len);
        if at >= end {
            return Ok(None);
        }
        let none = || end..end;
        let a = self.a.next_data(at)?.unwrap_or_else(none);
        let b = self.b.next_data(at)?.unwrap_or_else(none);
        let start = a.start.min(b.start);
        if start >= end {
            return Ok(None);
        }
        let side = |data: &Range<DevPos>| {
            let here = data.start <= start;
            (here, if here { data.end } else { data.start })
        };
        let ((in_a, end_a), (in_b, end_b)) = (side(&a), side(&b));
        Ok(Some(Stretch {
            range: start..end_a.min(end_b).min(end),
            in_a,
            in_b,
        }))
    }

    fn compare(&self, stretch: &Stretch, side: &mut SideA, runs: &mut Runs<'_>) -> Result<()> {
        let mut failed = None;
        let mut step = |at: DevPos, b: Option<&[u8]>, len: usize| -> Result<()> {
            let mut done = 0_usize;
            while done < len {
                let left = len.saturating_sub(done);
                let place = at.saturating_add(Bytes::of_len(done));
                let b = b.and_then(|b| b.get(done..));
                let count = if stretch.in_a {
                    let a = side.take()?;
                    let count = a.len().min(left);
                    let a = a.get(..count).unwrap_or_default();
                    runs.compare(place, a, b.and_then(|b| b.get(..count)))?;
                    count
                } else {
                    runs.compare(place, b.unwrap_or_default(), None)?;
                    left
                };
                side.pass(if stretch.in_a { count } else { 0 });
                done = done.saturating_add(count);
            }
            Ok(())
        };
        if !stretch.in_b {
            // Only A has data here: its pieces are compared with zeros.
            let len = range_len(&stretch.range);
            return step(
                stretch.range.start,
                None,
                len.to_usize().unwrap_or(usize::MAX),
            );
        }
        self.b
            .visit(
                stretch.range.clone(),
                &mut |at, piece| match step(at, Some(piece), piece.len()) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(error) => {
                        failed = Some(error);
                        ControlFlow::Break(())
                    }
                },
            )?;
        failed.map_or(Ok(()), Err)
    }
}

/// Reads the stretches of A that are asked for, piece by piece, until nobody wants more.
fn read_a(
    open: impl FnOnce() -> Result<Box<dyn ReadAt>>,
    base: ImagePos,
    stretches: &Receiver<Range<DevPos>>,
    pieces: &SyncSender<Result<Vec<u8>>>,
    buffers: &Receiver<Vec<u8>>,
) {
    let read = || -> Result<()> {
        let image = open()?;
        let there = |at: DevPos| base.saturating_add(at.from_start());
        while let Ok(range) = stretches.recv() {
            image.visit(there(range.start)..there(range.end), &mut |_, piece| {
                let mut buffer = buffers.try_recv().unwrap_or_default();
                buffer.clear();
                buffer.extend_from_slice(piece);
                match pieces.send(Ok(buffer)) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                }
            })?;
        }
        Ok(())
    };
    if let Err(error) = read() {
        // Who would want to know is gone where this fails.
        let _ = pieces.send(Err(error));
    }
}

/// What comes from the thread that reads A.
struct SideA {
    pieces: Receiver<Result<Vec<u8>>>,
    buffers: Sender<Vec<u8>>,
    piece: Vec<u8>,
    /// How much of the piece was compared.
    used: usize,
}

impl SideA {
    /// The bytes that are next, at least one.
    fn take(&mut self) -> Result<&[u8]> {
        while self.used >= self.piece.len() {
            let Ok(next) = self.pieces.recv() else {
                let gone = std::io::Error::other("the thread that reads has ended");
                return Err(crate::error::IoError::whole(crate::error::IoOp::Read, gone).into());
            };
            let before = std::mem::replace(&mut self.piece, next?);
            // The thread may have ended, having read all.
            let _ = self.buffers.send(before);
            self.used = 0;
        }
        Ok(self.piece.get(self.used..).unwrap_or_default())
    }

    fn pass(&mut self, count: usize) {
        self.used = self.used.saturating_add(count);
    }
}

/// Differences, rounded to units and joined.
struct Runs<'v> {
    unit: Bytes,
    len: Bytes,
    run: Option<Range<Bytes>>,
    visit: &'v mut dyn FnMut(Range<DevPos>) -> Result<()>,
}

impl Runs<'_> {
    /// Compares bytes at `at` of the devices; without others, with zeros.
    fn compare(&mut self, at: DevPos, one: &[u8], other: Option<&[u8]>) -> Result<()> {
        if other.is_some_and(|other| other == one) {
            return Ok(());
        }
        for (index, block) in one.chunks(BLOCK).enumerate() {
            let start = index.saturating_mul(BLOCK);
            let end = start.saturating_add(block.len());
            let other = match other {
                Some(other) => other.get(start..end),
                None => ZEROS.get(..block.len()),
            };
            if other != Some(block) {
                let place = at.saturating_add(Bytes::of_len(start));
                self.add(place.from_start(), Bytes::of_len(block.len()))?;
            }
        }
        Ok(())
    }

    /// Something differs.
    fn add(&mut self, at: Bytes, len: Bytes) -> Result<()> {
        let end = at.checked_add(len).and_then(|end| end.align_up(self.unit));
        let range = at.align_down(self.unit)..end.unwrap_or(self.len).min(self.len);
        match &mut self.run {
            Some(run) if run.end >= range.start => {
                run.end = run.end.max(range.end);
                Ok(())
            }
            _ => {
                let before = self.run.replace(range);
                before.map_or(Ok(()), |before| self.show(&before))
            }
        }
    }

    fn show(&mut self, run: &Range<Bytes>) -> Result<()> {
        (self.visit)(DevPos::at(run.start)..DevPos::at(run.end))
    }

    fn finish(mut self) -> Result<()> {
        self.run.take().map_or(Ok(()), |run| self.show(&run))
    }
}

#[cfg(test)]
mod tests;
