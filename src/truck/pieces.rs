//! A source taken apart: data in pieces, holes and zeros as lengths, read by one thread while another does something with it.

use std::ops::Range;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, channel, sync_channel};

use crate::error::{Error, Result};
use crate::image::{PageBuffer, ReadAt, Window, is_zeros};
use crate::units::{Bytes, DevPos, ImagePos, MD_BLOCK, range_len};

/// As much data as is held in one piece.
pub const PIECE: Bytes = Bytes::new(1 << 20);
/// Pieces that wait between the two threads.
const WAITING: usize = 4;

/// A part of a copy, with positions from its start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Bytes, of which some are zeros.
    Data(Data),
    /// Nothing but zeros.
    Zeros(Range<DevPos>),
}

/// Bytes, and where among them the zeros are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Data {
    /// Where they begin.
    pub at: DevPos,
    /// The bytes.
    pub bytes: PageBuffer,
    /// Stretches one after the other, each all zeros or without a whole block of them.
    pub spans: Vec<Span>,
}

/// A stretch of some bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span {
    /// Where in the bytes.
    pub range: Range<usize>,
    /// Whether it is all zeros.
    pub zeros: bool,
}

/// What a piece consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part<'a> {
    /// Bytes at a position.
    Data(DevPos, &'a [u8]),
    /// So many zeros at a position.
    Zeros(DevPos, Bytes),
}

impl Piece {
    /// Shows each stretch in order.
    ///
    /// # Errors
    ///
    /// What `visit` answers.
    pub fn parts(&self, visit: &mut dyn FnMut(Part<'_>) -> Result<()>) -> Result<()> {
        let data = match self {
            Self::Zeros(range) => return visit(Part::Zeros(range.start, range_len(range))),
            Self::Data(data) => data,
        };
        for span in &data.spans {
            let bytes = data.bytes.get(span.range.clone()).unwrap_or_default();
            let at = data.at.checked_add(Bytes::of_len(span.range.start));
            // Pieces lie within 64 bits: their source does.
            let at = at.unwrap_or(data.at);
            visit(if span.zeros {
                Part::Zeros(at, Bytes::of_len(bytes.len()))
            } else {
                Part::Data(at, bytes)
            })?;
        }
        Ok(())
    }

    /// How much of the copy it is.
    #[must_use]
    pub fn len(&self) -> Bytes {
        match self {
            Self::Zeros(range) => range_len(range),
            Self::Data(data) => Bytes::of_len(data.bytes.len()),
        }
    }

    /// Whether it is none of it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Bytes::ZERO
    }

    /// Where it ends.
    #[must_use]
    pub fn end(&self) -> DevPos {
        match self {
            Self::Zeros(range) => range.end,
            Self::Data(data) => data.at.saturating_add(self.len()),
        }
    }
}

/// What is copied, so that any thread may read it.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    image: &'a (dyn ReadAt + Sync),
    base: ImagePos,
    len: Bytes,
}

impl<'a> Source<'a> {
    /// The `len` bytes of an image that begin at `base`; `None` where it does not have them.
    #[must_use]
    pub fn of(image: &'a (dyn ReadAt + Sync), base: ImagePos, len: Bytes) -> Option<Self> {
        Window::of(image, base, len)?;
        Some(Self { image, base, len })
    }

    /// How much there is.
    #[must_use]
    pub const fn size(&self) -> Bytes {
        self.len
    }

    /// The same as a device.
    #[must_use]
    pub fn window(&self) -> Window<'a> {
        let image: &'a dyn ReadAt = self.image;
        // OK to fall back: the window was tried before, and an image's size does not change.
        Window::of(image, self.base, self.len).unwrap_or_else(|| Window::whole(image))
    }
}

/// Where the reading thread puts its pieces.
pub struct Emitter {
    pieces: SyncSender<Piece>,
    used: Receiver<PageBuffer>,
}

/// Nobody wants more pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// Why the reading thread ended early.
#[derive(Debug)]
pub enum Stop {
    /// Nobody wants more.
    Stopped,
    /// Something failed.
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<Stopped> for Stop {
    fn from(_: Stopped) -> Self {
        Self::Stopped
    }
}

impl Emitter {
    /// Gives a piece to the other thread.
    ///
    /// # Errors
    ///
    /// [`Stopped`] where nobody wants it.
    pub fn emit(&mut self, piece: Piece) -> Result<(), Stopped> {
        self.pieces.send(piece).map_err(|_| Stopped)
    }

    /// Memory for a piece, empty: what the other thread is done with, if there is any.
    pub fn buffer(&mut self) -> PageBuffer {
        match self.used.try_recv() {
            Ok(mut buffer) => {
                buffer.clear();
                buffer
            }
            Err(TryRecvError::Empty | TryRecvError::Disconnected) => PageBuffer::default(),
        }
    }

    /// Reads a range of a source and emits it; holes are not read.
    ///
    /// # Errors
    ///
    /// [`Stop`].
    pub fn read(&mut self, source: &Source<'_>, range: Range<DevPos>) -> Result<(), Stop> {
        let window = source.window();
        let mut at = range.start;
        while at < range.end {
            let data = window.next_data(at)?;
            let data = data.filter(|data| data.start < range.end);
            let Some(data) = data else {
                self.emit(Piece::Zeros(at..range.end))?;
                return Ok(());
            };
            if data.start > at {
                self.emit(Piece::Zeros(at..data.start))?;
            }
            let end = data.end.min(range.end);
            self.read_data(window, data.start.max(at)..end)?;
            at = end;
        }
        Ok(())
    }

    /// Reads data piece by piece, each but the first beginning at a multiple of [`PIECE`].
    fn read_data(&mut self, window: Window<'_>, range: Range<DevPos>) -> Result<(), Stop> {
        let mut at = range.start;
        while at < range.end {
            let end = at.from_start().align_down(PIECE).checked_add(PIECE);
            let end = end.map_or(range.end, DevPos::at).min(range.end);
            let len = range_len(&(at..end)).to_usize().unwrap_or(0);
            let mut bytes = self.buffer();
            bytes.resize(len);
            window.read_exact_at(at, &mut bytes)?;
            let spans = spans(at, &bytes);
            self.emit(Piece::Data(Data { at, bytes, spans }))?;
            at = end;
        }
        Ok(())
    }
}

/// Where zeros are, by blocks of the copy.
fn spans(at: DevPos, bytes: &[u8]) -> Vec<Span> {
    let block = MD_BLOCK.to_usize().unwrap_or(usize::MAX);
    let off = at
        .from_start()
        .saturating_sub(at.from_start().align_down(MD_BLOCK));
    let first = MD_BLOCK.saturating_sub(off).to_usize().unwrap_or(block);
    let (first, rest) = bytes.split_at(first.min(bytes.len()));
    let mut spans: Vec<Span> = Vec::new();
    let mut start = 0_usize;
    for block in std::iter::once(first).chain(rest.chunks(block)) {
        let end = start.saturating_add(block.len());
        let zeros = is_zeros(block);
        match spans.last_mut() {
            Some(last) if last.zeros == zeros => last.range.end = end,
            _ if block.is_empty() => {}
            _ => spans.push(Span {
                range: start..end,
                zeros,
            }),
        }
        start = end;
    }
    spans
}

/// Runs `produce` in a thread of its own while this one does with each piece what `consume` says.
///
/// # Errors
///
/// The consumer's error, or else the producer's.
pub fn overlapped(
    produce: impl FnOnce(&mut Emitter) -> Result<(), Stop> + Send,
    mut consume: impl FnMut(&Piece) -> Result<()>,
) -> Result<()> {
    std::thread::scope(|scope| {
        let (pieces, arriving) = sync_channel(WAITING);
        let (done, used) = channel();
        let mut emitter = Emitter { pieces, used };
        let producer = scope.spawn(move || produce(&mut emitter));
        let mut consumed = Ok(());
        for piece in &arriving {
            consumed = consume(&piece);
            if let Piece::Data(data) = piece {
                // The producer may have ended.
                let _ = done.send(data.bytes);
            }
            if consumed.is_err() {
                break;
            }
        }
        drop(arriving);
        let joined = producer.join();
        consumed?;
        match joined {
            Ok(Err(Stop::Failed(error))) => Err(error),
            Ok(_) => Ok(()),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::MemImage;

    fn dev(at: u64) -> DevPos {
        DevPos::new(at)
    }

    #[test]
    fn holes_are_not_read_and_zeros_are_seen_block_by_block() {
        let mut image = MemImage::new(Bytes::new(4 << 20));
        image.write_at(ImagePos::new(5 * 4096), &[1; 4096]).unwrap();
        image.write_at(ImagePos::new(6 * 4096), &[0; 8192]).unwrap();
        image.write_at(ImagePos::new(8 * 4096), &[2; 100]).unwrap();
        image.write_at(ImagePos::new(3 << 20), &[3]).unwrap();
        let source = Source::of(&image, ImagePos::new(4096), Bytes::new((3 << 20) + 500)).unwrap();
        let mut seen = Vec::new();
        let produce = |emitter: &mut Emitter| emitter.read(&source, dev(100)..dev((3 << 20) + 500));
        overlapped(produce, |piece| {
            piece.parts(&mut |part| {
                seen.push(match part {
                    Part::Data(at, bytes) => (at.get(), Bytes::of_len(bytes.len()).get(), true),
                    Part::Zeros(at, len) => (at.get(), len.get(), false),
                });
                Ok(())
            })
        })
        .unwrap();
        assert_eq!(
            seen,
            [
                (100, 4 * 4096 - 100, false),
                (4 * 4096, 4096, true),
                (5 * 4096, 8192, false),
                (7 * 4096, 4096, true),
                (8 * 4096, (3 << 20) - 9 * 4096, false),
                ((3 << 20) - 4096, 4096, true),
                (3 << 20, 500, false),
            ]
        );
    }

    #[test]
    fn an_error_on_either_side_ends_both() {
        let image = MemImage::new(Bytes::new(64 << 20));
        let source = Source::of(&image, ImagePos::START, Bytes::new(64 << 20)).unwrap();
        let refused = || Error::from(crate::truck::TruckRefusal::SameFile);
        let failed = overlapped(
            |emitter| loop {
                emitter.read(&source, dev(0)..dev(64 << 20))?;
            },
            |_| Err(refused()),
        );
        assert!(failed.is_err());
        let failed = overlapped(|_| Err(Stop::Failed(refused())), |_| Ok(()));
        assert!(failed.is_err());
    }
}
