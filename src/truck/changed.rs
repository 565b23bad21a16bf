//! What was written since a copy was made: a second truck that carries only that.
//!
//! ```text
//! source, when the first truck left    current A                         copy: A
//! new-current-uuid                     current B, bitmap A, bits from now on
//! down; a second copy, of what the bits and the activity log name        copy: B
//! up; new-current-uuid --clear-bitmap  current C, bitmap B, no bits
//! ```
//!
//! The source's bitmap UUID is the copy's current one: its bits are what the copy lacks. With them comes the metadata, as it is after that:
//! the source's generation, its log applied and empty, its bitmap without a bit, since the copy has all that they stood for. So the source
//! must clear its own before it is written to again.

use std::ops::Range;

use super::TruckRefusal;
use super::pieces::{Data, Emitter, Piece, Source, Span, Stop};
use crate::error::Result;
use crate::format::activity_log::initialised_block;
use crate::format::bitmap::WORD_BITS;
use crate::format::metadata::{Bitmap, Generation, Header as Metadata, Run};
use crate::format::superblock::{DeviceFlags, PeerFlags, Uuid};
use crate::image::PageBuffer;
use crate::surgery::apply_al::{Applied, Marking, superblock_after};
use crate::survey::locate::Level;
use crate::units::{BitmapIndex, Bytes, DevPos, NodeId};

/// What a copy of an older generation lacks.
#[derive(Clone, Debug)]
pub struct Changed {
    level: Level,
    marking: Marking,
    slot: BitmapIndex,
    since: Uuid,
    end: DevPos,
}

impl Changed {
    /// What was written of a level since the bitmap toward `peer` counts; `marking` is what its activity log stands for.
    ///
    /// # Errors
    ///
    /// [`TruckRefusal`] where the bitmap does not show it all, or not since when.
    pub fn of(
        level: &Level,
        mut marking: Marking,
        peer: Option<NodeId>,
    ) -> Result<Self, TruckRefusal> {
        if !level.layout.index.is_internal() {
            return Err(TruckRefusal::External);
        }
        if level.superblock.flags().contains(DeviceFlags::AL_DISABLED) {
            return Err(TruckRefusal::LogDisabled);
        }
        let metadata = Metadata::of(&level.superblock);
        let (slot, since, full) = match &metadata.generation {
            Generation::V07(_) => return Err(TruckRefusal::NoGeneration),
            Generation::V08(generation) => {
                if let Some(peer) = peer {
                    return Err(TruckRefusal::NoSlot { peer });
                }
                let [_, bitmap, ..] = generation.uuids;
                let full = generation.flags.contains(DeviceFlags::FULL_SYNC);
                (BitmapIndex::new(0), bitmap, full)
            }
            Generation::V09(generation) => {
                let mut assigned = generation
                    .peers
                    .iter()
                    .enumerate()
                    .filter(|(_, entry)| entry.bitmap_index >= 0);
                let (_, entry) = match peer {
                    Some(peer) => assigned.find(|(node, _)| *node == usize::from(peer.get())),
                    None => assigned.next().filter(|_| assigned.next().is_none()),
                }
                .ok_or_else(|| {
                    peer.map_or(TruckRefusal::Peer, |peer| TruckRefusal::NoSlot { peer })
                })?;
                let slot = u8::try_from(entry.bitmap_index);
                let slot = slot.map_err(|_| TruckRefusal::Peer)?;
                let full = entry.flags.0 & PeerFlags::FULL_SYNC.0 != 0;
                (BitmapIndex::new(slot), entry.bitmap_uuid, full)
            }
        };
        if !since.names_a_generation() {
            return Err(TruckRefusal::NoGeneration);
        }
        if full {
            marking = Marking::everything();
        }
        let end = level.drbd_device().to_bytes().unwrap_or(Bytes::ZERO);
        Ok(Self {
            level: level.clone(),
            marking,
            slot,
            since,
            end: DevPos::at(end),
        })
    }

    /// The generation that a copy must have.
    #[must_use]
    pub const fn since(&self) -> Uuid {
        self.since
    }

    /// Shows each stretch of data that was written, in order; `visit` answers whether to go on.
    ///
    /// # Errors
    ///
    /// What reading the bitmap says, and what `visit` answers.
    fn ranges(
        &self,
        source: &Source<'_>,
        visit: &mut dyn FnMut(Range<DevPos>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let mut bitmap = Applied::new(self.level.bitmap(source.window()), &self.marking);
        let mut words = bitmap.slot(self.slot)?;
        let bit = Bytes::new(u64::from(self.level.layout.geometry.bytes_per_bit));
        let mut stretch = Stretch::default();
        let mut number = 0_u64;
        while let Some(run) = words.next_run()? {
            match run {
                Run::Repeat {
                    count,
                    word: word @ (0 | u32::MAX),
                } => {
                    let bits = count.saturating_mul(WORD_BITS);
                    stretch.add(number, bits, word != 0, &mut |bits| {
                        self.show(bits, bit, visit)
                    })?;
                    number = number.saturating_add(bits);
                }
                Run::Repeat { count, word } => {
                    for _ in 0..count {
                        stretch.word(number, word, &mut |bits| self.show(bits, bit, visit))?;
                        number = number.saturating_add(WORD_BITS);
                    }
                }
                Run::Words(words) => {
                    for word in words {
                        stretch.word(number, *word, &mut |bits| self.show(bits, bit, visit))?;
                        number = number.saturating_add(WORD_BITS);
                    }
                }
            }
        }
        match stretch.set.take() {
            Some(bits) => self.show(bits, bit, visit),
            None => Ok(()),
        }
    }

    fn show(
        &self,
        bits: Range<u64>,
        bit: Bytes,
        visit: &mut dyn FnMut(Range<DevPos>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let place = |number: u64| bit.checked_mul(number).map_or(self.end, DevPos::at);
        let range = place(bits.start).min(self.end)..place(bits.end).min(self.end);
        if range.is_empty() {
            return Ok(());
        }
        visit(range)
    }

    /// How much data was written.
    ///
    /// # Errors
    ///
    /// What reading the bitmap says.
    pub fn total(&self, source: &Source<'_>) -> Result<Bytes> {
        let mut total = Bytes::ZERO;
        let counted = self.ranges(source, &mut |range| {
            let len = crate::units::range_len(&range);
            total = total.saturating_add(len);
            Ok(())
        });
        match counted {
            Err(Stop::Failed(error)) => Err(error),
            _ => Ok(total),
        }
    }

    /// Reads what was written, from `first` on, and emits it, and behind it the metadata.
    ///
    /// # Errors
    ///
    /// [`Stop`].
    pub fn produce(
        &self,
        source: &Source<'_>,
        emitter: &mut Emitter,
        first: DevPos,
    ) -> Result<(), Stop> {
        self.ranges(source, &mut |range| {
            let start = range.start.max(first);
            emitter.read(source, start..range.end.max(start))
        })?;
        let layout = &self.level.layout;
        emitter.emit(Piece::Zeros(layout.bm.clone()))?;
        let block = initialised_block();
        let mut at = layout.al.start;
        while at < layout.al.end {
            emitter.emit(Piece::Data(whole(at, &block[..])))?;
            at = at.saturating_add(Bytes::of_len(block.len()));
        }
        let superblock = superblock_after(&self.level.superblock);
        emitter.emit(Piece::Data(whole(layout.md, &superblock[..])))?;
        Ok(())
    }
}

/// Bytes with nothing to leave out.
fn whole(at: DevPos, bytes: &[u8]) -> Data {
    let spans = vec![Span {
        range: 0..bytes.len(),
        zeros: false,
    }];
    let bytes = PageBuffer::from(bytes);
    Data { at, bytes, spans }
}

/// Set bits that follow one another.
#[derive(Default)]
struct Stretch {
    set: Option<Range<u64>>,
}

impl Stretch {
    /// 32 bits, lowest first.
    fn word(
        &mut self,
        first: u64,
        word: u32,
        show: &mut dyn FnMut(Range<u64>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        if word == 0 || word == u32::MAX {
            return self.add(first, WORD_BITS, word != 0, show);
        }
        for bit in 0..WORD_BITS {
            let is_set = word
                .checked_shr(u32::try_from(bit).unwrap_or(0))
                .unwrap_or(0)
                & 1
                == 1;
            self.add(first.saturating_add(bit), 1, is_set, show)?;
        }
        Ok(())
    }

    /// `count` bits that are all set or all clear.
    fn add(
        &mut self,
        first: u64,
        count: u64,
        is_set: bool,
        show: &mut dyn FnMut(Range<u64>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let end = first.saturating_add(count);
        match (&mut self.set, is_set) {
            (Some(set), true) => set.end = end,
            (None, true) => self.set = Some(first..end),
            (Some(_), false) => {
                if let Some(set) = self.set.take() {
                    show(set)?;
                }
            }
            (None, false) => {}
        }
        Ok(())
    }
}
