//! Checksums of a source by chunk: while it is copied, or by reading it with several threads.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::Duration;

use super::hash::{Algorithm, ChunkHasher, Hashed, Tree, Value};
use super::pieces::{Part, Piece, Source};
use crate::error::Result;
use crate::image::PageBuffer;
use crate::units::{Bytes, DevPos, range_len};

/// The usual chunk.
pub const CHUNK: Bytes = Bytes::new(64 << 20);
/// As much is read at once by a thread: it stays in the processor's own cache.
const READ: Bytes = Bytes::new(64 << 10);

/// Chunks that threads may be ahead of the one that is printed next: holes are passed by much faster than data is hashed.
const AHEAD: u64 = 4096;
/// How long a thread that is ahead waits before it looks again.
const PAUSE: Duration = Duration::from_millis(1);

/// How a source is summed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summing {
    /// The algorithm.
    pub algorithm: Algorithm,
    /// The size of all chunks but the last; one that the algorithm takes.
    pub chunk: Bytes,
    /// Whether chunks of zeros get a value with BLAKE3, too, so that the whole has one.
    pub hash_zeros: bool,
}

/// A chunk and its checksum.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChunkSum {
    /// Where it is.
    pub range: Range<DevPos>,
    /// What became of it.
    pub hashed: Hashed,
}

/// The chunk with this number, of a source of `size`; `None` behind its end. An empty source has no chunk.
#[must_use]
pub fn chunk_range(number: u64, chunk: Bytes, size: Bytes) -> Option<Range<DevPos>> {
    let start = chunk.checked_mul(number)?;
    if start >= size {
        return None;
    }
    let end = start.saturating_add(chunk).min(size);
    Some(DevPos::at(start)..DevPos::at(end))
}

/// Checksums of a copy, made of its pieces as they come, from a position on.
pub struct PieceSums<F> {
    summing: Summing,
    size: Bytes,
    /// The chunk that is being hashed, if it is seen from its start.
    current: Option<(Range<DevPos>, ChunkHasher)>,
    emit: F,
}

impl<F: FnMut(&ChunkSum) -> Result<()>> PieceSums<F> {
    /// Begins; `emit` gets each chunk that was seen whole.
    pub const fn new(summing: Summing, size: Bytes, emit: F) -> Self {
        Self {
            summing,
            size,
            current: None,
            emit,
        }
    }

    /// A piece, behind those before.
    ///
    /// # Errors
    ///
    /// What `emit` answers.
    pub fn piece(&mut self, piece: &Piece) -> Result<()> {
        piece.parts(&mut |part| match part {
            Part::Data(at, bytes) => self.data(at, bytes),
            Part::Zeros(at, len) => self.zeros(at, len),
        })
    }

    fn data(&mut self, mut at: DevPos, mut bytes: &[u8]) -> Result<()> {
        while !bytes.is_empty() {
            let range = self.enter(at);
            let room = range_len(&(at..range.end)).to_usize().unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            if let Some((_, hasher)) = &mut self.current {
                hasher.update(now);
            }
            at = self.leave(at, Bytes::of_len(now.len()))?;
            bytes = later;
        }
        Ok(())
    }

    fn zeros(&mut self, mut at: DevPos, mut len: Bytes) -> Result<()> {
        while len > Bytes::ZERO {
            let range = self.enter(at);
            let now = range_len(&(at..range.end)).min(len);
            if let Some((_, hasher)) = &mut self.current {
                hasher.zeros(now);
            }
            at = self.leave(at, now)?;
            len = len.saturating_sub(now);
        }
        Ok(())
    }

    /// The chunk around `at`; its checksum begins where it does.
    fn enter(&mut self, at: DevPos) -> Range<DevPos> {
        if let Some((range, _)) = &self.current
            && range.contains(&at)
        {
            return range.clone();
        }
        let number = at.from_start().whole_units(self.summing.chunk);
        let range = chunk_range(number, self.summing.chunk, self.size).unwrap_or(at..at);
        self.current = (range.start == at).then(|| {
            let summing = self.summing;
            let hasher = ChunkHasher::new(summing.algorithm, at, summing.hash_zeros);
            (range.clone(), hasher)
        });
        // Behind the end of what was announced there is no chunk.
        if range.is_empty() {
            at..DevPos::new(u64::MAX)
        } else {
            range
        }
    }

    /// So much of a chunk was seen; it is finished at its end.
    fn leave(&mut self, at: DevPos, len: Bytes) -> Result<DevPos> {
        let end = at.saturating_add(len);
        if let Some((range, hasher)) = self.current.take_if(|(range, _)| range.end == end) {
            let hashed = hasher.finish();
            (self.emit)(&ChunkSum { range, hashed })?;
        }
        Ok(end)
    }
}

/// BLAKE3's value of an empty source.
#[must_use]
pub fn of_nothing() -> Option<Value> {
    ChunkHasher::new(Algorithm::Blake3, DevPos::START, true)
        .finish()
        .root
}

/// Sums a source with so many threads, and gives each chunk in order to `emit`; the whole's BLAKE3 value, where it has one.
///
/// # Errors
///
/// What reading says, and what `emit` answers.
pub fn sum(
    source: &Source<'_>,
    summing: Summing,
    threads: usize,
    advance: &(dyn Fn(Bytes) + Sync),
    emit: &mut dyn FnMut(&ChunkSum) -> Result<()>,
) -> Result<Option<Value>> {
    if source.size() == Bytes::ZERO {
        return Ok(of_nothing().filter(|_| summing.algorithm == Algorithm::Blake3));
    }
    let work = Work {
        source,
        summing,
        next: AtomicU64::new(0),
        emitted: AtomicU64::new(0),
        stop: AtomicBool::new(false),
    };
    let mut tree = Tree::default();
    std::thread::scope(|scope| {
        let (sender, results) = sync_channel(threads.saturating_mul(4).max(1));
        for _ in 0..threads.max(1) {
            let (sender, work) = (sender.clone(), &work);
            scope.spawn(move || work.run(advance, &sender));
        }
        drop(sender);
        let answer = in_order(&results, &work, &mut |sum| {
            tree.push(&sum.hashed);
            emit(sum)
        });
        work.stop.store(true, Ordering::Relaxed);
        drop(results);
        answer
    })?;
    let blake3 = summing.algorithm == Algorithm::Blake3;
    Ok(tree.finish().filter(|_| blake3))
}

/// Chunks that follow one another and came to the same, by number.
type Outcome = (Range<u64>, Result<Hashed>);

/// What threads share.
struct Work<'a> {
    source: &'a Source<'a>,
    summing: Summing,
    /// The first chunk that nobody has taken.
    next: AtomicU64,
    /// As many were given on.
    emitted: AtomicU64,
    stop: AtomicBool,
}

impl Work<'_> {
    /// Hashes chunk after chunk until none is left.
    fn run(&self, advance: &(dyn Fn(Bytes) + Sync), sender: &SyncSender<Outcome>) {
        let mut buffer = PageBuffer::default();
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(range) = self.range(number) else {
                return;
            };
            while number > self.emitted.load(Ordering::Relaxed).saturating_add(AHEAD)
                && !self.stop.load(Ordering::Relaxed)
            {
                std::thread::sleep(PAUSE);
            }
            if self.stop.load(Ordering::Relaxed) {
                return;
            }
            let outcome = match self.hole(number, &range) {
                Ok(Some(hole)) => {
                    let last = self
                        .range(hole.end.saturating_sub(1))
                        .unwrap_or(range.clone());
                    advance(range_len(&(range.start..last.end)));
                    let empty = ChunkHasher::new(self.summing.algorithm, range.start, false);
                    (hole, Ok(empty.finish()))
                }
                Ok(None) => {
                    let one = number..number.saturating_add(1);
                    let (source, summing) = (self.source, self.summing);
                    (
                        one,
                        hash_chunk(source, &range, summing, advance, &mut buffer),
                    )
                }
                Err(error) => (number..number.saturating_add(1), Err(error)),
            };
            let failed = outcome.1.is_err();
            if sender.send(outcome).is_err() || failed {
                return;
            }
        }
    }

    fn range(&self, number: u64) -> Option<Range<DevPos>> {
        chunk_range(number, self.summing.chunk, self.source.size())
    }

    /// The chunks from this one on that are in one hole, taken for this thread as far as nobody else has them; nothing where this one is
    /// not, or where zeros are hashed.
    fn hole(&self, number: u64, range: &Range<DevPos>) -> Result<Option<Range<u64>>> {
        if self.summing.hash_zeros || self.summing.algorithm != Algorithm::Blake3 {
            return Ok(None);
        }
        let (size, chunk) = (self.source.size(), self.summing.chunk);
        let data = self.source.window().next_data(range.start)?;
        let data = data.map_or(size, |data| data.start.from_start().min(size));
        if DevPos::at(data) < range.end {
            return Ok(None);
        }
        let whole = data.whole_units(chunk);
        // The last chunk may be shorter.
        let rest = data == size && chunk.checked_mul(whole) != Some(size);
        let after = number.saturating_add(1);
        let end = whole.saturating_add(u64::from(rest)).max(after);
        let taken = self
            .next
            .compare_exchange(after, end, Ordering::Relaxed, Ordering::Relaxed);
        Ok(Some(number..if taken.is_ok() { end } else { after }))
    }
}

/// Gives on what threads found, in the order of the chunks.
fn in_order(
    results: &Receiver<Outcome>,
    work: &Work<'_>,
    emit: &mut dyn FnMut(&ChunkSum) -> Result<()>,
) -> Result<()> {
    let mut waiting = BTreeMap::new();
    let mut expected = 0_u64;
    for (numbers, hashed) in results {
        waiting.insert(numbers.start, (numbers.end, hashed));
        while let Some((end, hashed)) = waiting.remove(&expected) {
            let hashed = hashed?;
            for range in (expected..end).filter_map(|number| work.range(number)) {
                let hashed = hashed.clone();
                emit(&ChunkSum { range, hashed })?;
            }
            expected = end;
            work.emitted.store(expected, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// Hashes one chunk, without reading its holes.
fn hash_chunk(
    source: &Source<'_>,
    range: &Range<DevPos>,
    summing: Summing,
    advance: &(dyn Fn(Bytes) + Sync),
    buffer: &mut PageBuffer,
) -> Result<Hashed> {
    let window = source.window();
    let mut hasher = ChunkHasher::new(summing.algorithm, range.start, summing.hash_zeros);
    let mut at = range.start;
    while at < range.end {
        let data = window.next_data(at)?;
        let data = data.map_or(range.end..range.end, |data| {
            data.start.max(at).min(range.end)..data.end.min(range.end)
        });
        hasher.zeros(range_len(&(at..data.start)));
        advance(range_len(&(at..data.start)));
        at = data.start;
        while at < data.end {
            let len = range_len(&(at..data.end)).min(READ);
            buffer.resize(len.to_usize().unwrap_or(0));
            window.read_exact_at(at, buffer)?;
            hasher.update(buffer);
            advance(len);
            at = at.saturating_add(len);
        }
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::super::pieces::overlapped;
    use super::*;
    use crate::image::{MemImage, ReadAt};
    use crate::units::ImagePos;

    fn image() -> MemImage {
        let mut image = MemImage::new(Bytes::new(700_000));
        for (at, byte) in [(0, 1), (5000, 2), (300_000, 3), (699_990, 4)] {
            image.write_at(ImagePos::new(at), &[byte; 10]).unwrap();
        }
        image
    }

    #[test]
    fn sums_are_the_same_while_copying_and_by_any_number_of_threads() {
        let image = image();
        let source = Source::of(&image, ImagePos::START, Bytes::new(700_000)).unwrap();
        let mut content = vec![0; 700_000];
        image.read_exact_at(ImagePos::START, &mut content).unwrap();
        let expected = blake3::hash(&content).to_string();
        for (algorithm, chunk, hash_zeros) in [
            (Algorithm::Blake3, 16384, true),
            (Algorithm::Blake3, 16384, false),
            (Algorithm::Md5, 10_000, false),
            (Algorithm::Sha256, 1 << 20, false),
        ] {
            let chunk = Bytes::new(chunk);
            let summing = Summing {
                algorithm,
                chunk,
                hash_zeros,
            };
            let mut copied = Vec::new();
            let mut sums = PieceSums::new(summing, source.size(), |sum: &ChunkSum| {
                copied.push(sum.clone());
                Ok(())
            });
            let all = DevPos::START..DevPos::at(source.size());
            overlapped(
                |emitter| emitter.read(&source, all),
                |piece| sums.piece(piece),
            )
            .unwrap();
            for threads in [1, 3] {
                let mut found = Vec::new();
                let whole = sum(&source, summing, threads, &|_| {}, &mut |sum| {
                    found.push(sum.clone());
                    Ok(())
                });
                let whole = whole.unwrap().map(|value| value.to_string());
                let has_whole = hash_zeros && algorithm == Algorithm::Blake3;
                assert_eq!(whole, has_whole.then(|| expected.clone()));
                assert!(found == copied, "{algorithm}");
                assert_eq!(found.last().unwrap().range.end, DevPos::new(700_000));
            }
            let expected = 700_000_u64.div_ceil(chunk.get());
            assert_eq!(Bytes::of_len(copied.len()).get(), expected);
        }
    }
}
