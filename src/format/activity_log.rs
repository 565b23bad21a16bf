//! The activity log: which 4 MiB extents may have been written to when the power went.
//!
//! Before DRBD writes to an extent that is not active, it puts the extent into a slot of a table in memory, and that change, a *transaction*,
//! into the log; only when the transaction is on disk does the write begin. An extent whose slot is taken by another one has all its bits in
//! the bitmap on disk by then. So after a crash, everything that may differ from a peer is in the bitmap or in an active extent.
//!
//! The log is a ring of `N` blocks. Transaction `n` goes to the ring's position `n % N`; positions take turns among the stripes:
//!
//! ```text
//!  stripe 0                stripe 1                     al_stripes = 2, al_stripe_size_4k = 4
//! |  0  |  2  |  4  |  6  |  1  |  3  |  5  |  7  |     position in each block of the area
//! ```
//!
//! A transaction has up to 64 updates, and the *context*: what 919 consecutive slots held before these updates. The window moves on with
//! every transaction, so a few of them in a row cover the whole table. DRBD limits the table to `(N - 1) * 919` slots: a ring covers it all
//! even without the one transaction that is being written. The logs of 0.7 to 8.3 are the same with sectors, one update and 61 slots.
//!
//! # When the active extents are complete
//!
//! A replay sets slots by context and updates, from the oldest transaction to the newest. What it ends with is the table if
//!
//! 1. *nothing newer is lost*. Position `(newest + 1) % N` still holds what the next transaction would have replaced: then that one was never
//!    written, and so none after it. Or it is invalid, and no other is: then a crash interrupted that transaction, as a crash can do to one
//!    transaction only, and nothing was written to its extents yet. With a second invalid block, a crash does not explain what happened,
//!    and the next transaction may have been whole and in use before it was lost.
//! 2. *every slot is known*. In an unbroken run of numbers up to the newest, a slot that one transaction covers is known for good: each
//!    later change would be an update in the run. So either every slot of the newest transaction's table is told of in that run, whatever
//!    became of the transactions before it; or the table was empty at some time in that run: before the first transaction since the log was
//!    initialised, which the blank block before it proves, or where the table's size changed, since DRBD makes it anew then.
//! 3. *it is one history*. Every transaction is where the newest one's kernel would have left it, has nothing that no kernel writes, and
//!    found in its slots what the run had put there. DRBD may empty slots without a word, but never fills one.
//!
//! Where one of these cannot be shown, the verdict is [`Verdict::Incomplete`]: the extents are then some of those that may have been written
//! to, and only marking everything out of sync is safe.
//!
//! Not here: reading the image, and setting bits in the bitmap.

mod choose;
mod pmem;
mod record;
mod replay;
mod ring;
mod sectors;
mod table;
mod verdict;

use std::fmt;
use std::ops::Range;

use crate::error::{Result, Unsupported};
use crate::format::layout::AlStriping;
use crate::format::superblock::Format;
use crate::units::{AlExtent, Bytes, DevPos};

pub use record::{AlPlace, Content, Entry, Invalid, Transaction, initialised_block};
pub use verdict::{Complete, Doubt, Oddity, Unusable, Verdict};

use replay::{Outcome, Places};
use ring::{Counts, Numbering};

/// Reads one 4 KiB block of the log area, by its number on disk.
pub type ReadBlock<'a> = dyn FnMut(u64, &mut [u8; 4096]) -> Result<()> + 'a;

/// What one extent covers (`AL_EXTENT_SHIFT` 22, `drbd_int.h`), whatever the bitmap's granularity.
pub const AL_EXTENT: Bytes = Bytes::new(4 << 20);

/// Blocks in the largest log that a kernel accepts: 16 GiB (`drbd_check_al_size`, `drbd_nl.c`).
const MAX_BLOCKS: u32 = 4_194_304;

/// What a superblock says of its activity log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AlArea {
    /// The metadata's format.
    pub format: Format,
    /// The magic is `DRBD_MD_MAGIC_84_UNCLEAN`.
    pub unclean_84: bool,
    /// How it is laid out on disk; [`AlStriping::DEFAULT`] for v07.
    pub striping: AlStriping,
    /// `al_nr_extents`: the size of the table, where the log does not say it itself.
    pub al_nr_extents: u32,
}

/// The formats of an activity log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlKind {
    /// 512-byte sectors: 0.7 to 8.3.
    Sectors,
    /// 4 KiB blocks: 8.4 and 9.
    Blocks,
    /// Slots in persistent memory: 9.
    Pmem,
}

impl fmt::Display for AlKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sectors => "512-byte transactions (0.7 to 8.3)",
            Self::Blocks => "4 KiB transactions (8.4 and 9)",
            Self::Pmem => "persistent memory (9)",
        })
    }
}

/// What a log amounts to.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Replay {
    /// The log's format.
    pub kind: AlKind,
    /// Places in the ring that hold a transaction; none in persistent memory.
    pub transactions: u64,
    /// Places that nothing was written to since the log was initialised.
    pub unwritten: u64,
    /// Places that hold neither.
    pub invalid: u64,
    /// The newest transaction's number.
    pub newest: Option<u32>,
    /// The active extents, sorted, each once. Extents beyond the device's end are here as the log has them.
    pub active: Vec<AlExtent>,
    /// Whether these are all that may have been written to.
    pub verdict: Verdict,
}

impl Replay {
    /// Whether every block is one that [`initialised_block`] would replace with nothing new in it.
    #[must_use]
    pub fn is_initialised(&self) -> bool {
        self.kind == AlKind::Blocks && self.transactions == 0 && self.invalid == 0
    }

    fn of(kind: AlKind, outcome: Outcome) -> Self {
        Self {
            kind,
            transactions: outcome.counts.updates,
            unwritten: outcome.counts.unwritten,
            invalid: outcome.counts.invalid,
            newest: outcome.newest,
            active: outcome.active,
            verdict: outcome.verdict,
        }
    }
}

/// Replays the log that `read_block` reads, and shows each place of its ring to `visit`, in order of time.
///
/// The log is read twice, and twelve bytes are kept of a block: its transaction's number, and its place in time. That is 48 MiB for the
/// largest log a kernel accepts, and 96 KiB for the largest that drbdmeta does. A log that was never written to is shown in the ring's
/// order; one in persistent memory has no ring to show.
///
/// # Errors
///
/// [`Unsupported::ActivityLogSize`] where the layout has no blocks, or more than a kernel accepts;
/// [`Refused::ActivityLogChanged`](crate::error::Refused::ActivityLogChanged) where a block was not the same the second time;
/// what `read_block` fails with.
pub fn replay(
    area: &AlArea,
    read_block: &mut ReadBlock<'_>,
    visit: &mut dyn FnMut(&Entry),
) -> Result<Replay> {
    let geometry = area.striping;
    let too_large = Unsupported::ActivityLogSize {
        stripes: geometry.stripes,
        stripe_size_4k: geometry.stripe_size_4k,
    };
    let blocks = geometry
        .blocks()
        .and_then(|blocks| u32::try_from(blocks).ok())
        .filter(|blocks| *blocks <= MAX_BLOCKS)
        .ok_or(too_large)?;
    let kind = choose::choose(area, blocks, read_block)?;
    let outcome = match kind {
        AlKind::Sectors => sectors::replay(area, blocks, read_block, visit)?,
        AlKind::Blocks => replay_blocks(geometry, blocks, read_block, visit)?,
        AlKind::Pmem => {
            let (active, verdict) = pmem::active(area, blocks, read_block)?;
            Outcome {
                counts: Counts::default(),
                newest: None,
                active,
                verdict,
            }
        }
    };
    Ok(Replay::of(kind, outcome))
}

/// Whether a block was written as part of an activity log: a 4 KiB one by its checksum, or one of sectors of which one is a transaction.
#[must_use]
pub fn is_log_block(block: &[u8; 4096]) -> bool {
    let (sectors, _) = block.as_chunks();
    !matches!(Content::of_block(block), Content::Invalid(_))
        || sectors
            .iter()
            .any(|sector| matches!(Content::of_sector(sector), Content::Transaction(_)))
}

/// The bytes of the device that an extent stands for.
#[must_use]
pub fn extent_range(extent: AlExtent) -> Range<DevPos> {
    // OK to fall back: 2^32 extents of 2^22 bytes are far below 64 bits.
    let start = AL_EXTENT
        .checked_mul(u64::from(extent.get()))
        .map_or(DevPos::new(u64::MAX), DevPos::at);
    start..start.saturating_add(AL_EXTENT)
}

fn replay_blocks(
    striping: AlStriping,
    blocks: u32,
    read_block: &mut ReadBlock<'_>,
    visit: &mut dyn FnMut(&Entry),
) -> Result<Outcome> {
    // OK to expect: `replay` asked for the blocks.
    let block_of = |position: u32| {
        striping
            .block_of(u64::from(position))
            .expect("there are blocks")
    };
    let places = Places {
        len: blocks,
        numbering: Numbering::Modulo,
        table_size: None,
        place_of: &|position| AlPlace::Block(block_of(position)),
        read: &mut |position| {
            let mut bytes = [0; 4096];
            read_block(block_of(position), &mut bytes)?;
            Ok(Content::of_block(&bytes))
        },
    };
    replay::replay(places, visit)
}

#[cfg(test)]
mod tests;
