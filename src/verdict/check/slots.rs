//! Bitmap slots that nobody has: the next peer gets the lowest of them.

use super::finding::{Fault, Severity};
use super::known::maybe;
use super::rule::{Judge, Rule};
use super::run::Case;
use crate::error::Result;
use crate::format::superblock::Superblock;
use crate::units::{Bytes, Sectors};

pub(super) static RULES: &[Rule] = &[Rule {
    id: "free-slots-differ",
    severity: Severity::Warning,
    row: None,
    title: "free bitmap slots differ",
    meaning: "every free slot has to mark all writes since day 0; drbdmeta's forget-peer leaves the bits of the peer that it forgets, and DRBD gives the \
        lowest free slot to the next peer, which then misses changes",
    remedy: "`mdtool repair IMAGE free-slots-differ` sets every bit of the free slots, with an undo file; or sync the next peer that is added in full: `drbdadm invalidate` on it",
    source: "meta_forget_peer (drbdmeta.c), drbd_unallocated_index (drbd_main.c)",
    judge: Judge::Read(free_slots_differ),
}];

/// The slots that no peer has, of those that a superblock has.
#[must_use]
pub fn free_slots(superblock: &Superblock) -> Vec<u64> {
    let Superblock::V09(sb) = superblock else {
        return Vec::new();
    };
    let taken = |slot: &u64| {
        let has = |index: i32| u64::try_from(index).is_ok_and(|index| index == *slot);
        sb.peers.iter().any(|peer| has(peer.bitmap_index))
    };
    let slots = u64::from(sb.bm_max_peers.min(32));
    (0..slots).filter(|slot| !taken(slot)).collect()
}

/// The free slots whose count of bits is not the largest of all free slots: what a forgotten peer left.
#[must_use]
pub fn left_by_a_peer(superblock: &Superblock, counted: &[u64]) -> Vec<u64> {
    let set = |slot: &u64| {
        usize::try_from(*slot)
            .ok()
            .and_then(|slot| counted.get(slot))
    };
    let free = free_slots(superblock);
    let Some(most) = free.iter().filter_map(set).max() else {
        return Vec::new();
    };
    let differs = |slot: &u64| set(slot).is_some_and(|set| set != most);
    free.into_iter().filter(differs).collect()
}

fn free_slots_differ(case: &Case<'_>) -> Result<Vec<Fault>> {
    let superblock = case.candidate.superblock;
    let Some(level) = case
        .level
        .filter(|_| free_slots(superblock).len() > 1 && superblock.la_size() != Sectors::ZERO)
    else {
        return Ok(Vec::new());
    };
    let bitmap = level.bitmap(case.device);
    let budget = Case::bitmap_budget();
    let one_more = budget.saturating_add(Bytes::new(1));
    let data = bitmap.data_at_most(one_more)?;
    if !case.may_read(data, budget, "the bitmap") {
        return Ok(Vec::new());
    }
    let size = superblock.la_size().min(level.layout.usable);
    let bits = level.layout.geometry.bits(size).unwrap_or(0);
    let counted = bitmap.count_slots(bits)?;
    let left = left_by_a_peer(superblock, &counted);
    Ok(maybe((!left.is_empty()).then(|| {
        let each: Vec<String> = free_slots(superblock)
            .into_iter()
            .filter_map(|slot| {
                let set = counted.get(usize::try_from(slot).ok()?)?;
                Some(format!("slot {slot} has {set} bits set"))
            })
            .collect();
        Fault::at(
            level.layout.bm.clone(),
            format!("{}, expected the same in every free slot", each.join(", ")),
        )
    })))
}
