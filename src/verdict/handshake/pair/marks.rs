//! The bitmap that a resync begins with: both sides' slots, joined.

use super::{Answer, Meeting};
use crate::error::Result;
use crate::format::bitmap::{Coarse, Union, count_set};
use crate::format::metadata::SlotWords;
use crate::units::{BitmapIndex, Sectors};
use crate::verdict::handshake::decision::{Decision, Strategy};
use crate::verdict::handshake::node::{Node, loses_last_bits};
use crate::verdict::handshake::sizes::Sizes;

/// What a side brings to the bitmap that a resync begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    Nothing,
    /// Everything.
    All,
    /// The bits of a slot.
    Slot(BitmapIndex),
}

/// The bitmap that a resync begins with: what both sides bring, joined.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Marks {
    /// What each brings.
    pub sides: [Mark; 2],
    /// Whether more may be marked: a log is missing.
    pub at_least: bool,
    /// Bytes of the device that a bit stands for, the coarser side's.
    pub bytes_per_bit: u32,
    /// Bits of the whole device.
    total: u64,
    extents: [Extent; 2],
}

/// How far a side's bits reach.
#[derive(Clone, Copy, Debug)]
struct Extent {
    /// Bits, in the coarser unit, below which its slot counts; beyond, the device grows, and all is marked.
    told: u64,
    /// How often its bits are halved to be as coarse as the other's.
    halvings: u32,
    /// Its own bits from which on they are lost at attach.
    cut: Option<u64>,
}

impl Marks {
    /// How many bits it has.
    ///
    /// The words of a slot are asked for where a side brings one.
    ///
    /// # Errors
    ///
    /// Errors of reading the words.
    pub fn count(&self, words: [Option<Box<dyn SlotWords + '_>>; 2]) -> Result<u64> {
        if self.sides.contains(&Mark::All) {
            return Ok(self.total);
        }
        let mut told = self.total;
        let mut slots: Vec<Box<dyn SlotWords + '_>> = Vec::new();
        for ((mark, words), extent) in self.sides.iter().zip(words).zip(self.extents) {
            if let (Mark::Slot(_), Some(words)) = (mark, words) {
                told = told.min(extent.told);
                slots.push(Box::new(Coarse::new(words, extent.halvings, extent.cut)));
            }
        }
        let grown = self.total.saturating_sub(told);
        Ok(count_set(&mut Union::of(slots), told)?.saturating_add(grown))
    }
}

impl Meeting<'_> {
    /// What the resync begins with.
    pub(super) fn marks(&self, answers: &[Answer; 2], sizes: &Sizes) -> Marks {
        let [a, b] = &self.nodes;
        let per_bit = |node: &Node<'_>| node.replica.header.geometry.bytes_per_bit;
        let coarser = per_bit(a).max(per_bit(b));
        let was = |node: &Node<'_>| node.replica.covered();
        let agreed = sizes.agreed.unwrap_or(was(a).max(was(b)));
        let total = bits(agreed, coarser);
        let pairs = [(a, b, &answers[0]), (b, a, &answers[1])];
        Marks {
            sides: pairs.map(|(me, peer, answer)| mark(me, peer, answer.settled.strategy)),
            at_least: self.at_least(answers),
            bytes_per_bit: coarser,
            total,
            extents: [a, b].map(|node| extent(node, agreed, coarser, total)),
        }
    }

    fn at_least(&self, answers: &[Answer; 2]) -> bool {
        let moves = |answer: &Answer| {
            answer.settled.decision != Decision::NoSync && !answer.settled.decision.is_full()
        };
        answers.iter().any(moves) && self.nodes.iter().any(Node::may_have_more)
    }
}

/// How far a side's bits reach.
fn extent(node: &Node<'_>, agreed: Sectors, coarser: u32, total: u64) -> Extent {
    let header = &node.replica.header;
    let own = header.geometry.bytes_per_bit;
    let covered = node.replica.covered();
    let whole = covered.get().checked_div(u64::from(coarser / 512));
    let cut = loses_last_bits(node.replica, node.family)
        .then(|| bits(header.la_size, own).saturating_sub(64));
    Extent {
        told: if agreed > covered {
            whole.unwrap_or(0)
        } else {
            total
        },
        halvings: coarser.checked_div(own).unwrap_or(1).trailing_zeros(),
        cut,
    }
}

/// Bits of a device, none where a bit stands for nothing.
fn bits(size: Sectors, bytes_per_bit: u32) -> u64 {
    let sectors = u64::from(bytes_per_bit / 512);
    size.get()
        .checked_next_multiple_of(sectors)
        .and_then(|size| size.checked_div(sectors))
        .unwrap_or(0)
}

/// What a side brings, by what it does.
fn mark(me: &Node<'_>, peer: &Node<'_>, strategy: Strategy) -> Mark {
    let own = || match me.slot_index() {
        _ if me.all_set.is_some() => Mark::All,
        Some(slot) if me.reads_bitmap() => Mark::Slot(slot),
        _ => Mark::Nothing,
    };
    match strategy {
        Strategy::SourceFull | Strategy::TargetFull => Mark::All,
        Strategy::SourceCopy if me.never_sized.is_some() => own(),
        Strategy::SourceCopy => {
            let slot = me.copied_slot(peer.current, peer.id);
            slot.map_or(Mark::All, |slot| Mark::Slot(BitmapIndex::new(slot)))
        }
        Strategy::Source
        | Strategy::Target
        | Strategy::SourceIfBothFailed
        | Strategy::TargetIfBothFailed => own(),
        _ => Mark::Nothing,
    }
}
