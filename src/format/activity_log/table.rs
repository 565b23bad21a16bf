//! The table of active extents, rebuilt from what transactions say of its slots.

use crate::units::{AlExtent, AlSlot};

/// Slots a kernel's table can have (`DRBD_AL_EXTENTS_MAX`, `drbd_limits.h`).
pub(super) const MOST_SLOTS: u32 = 65534;
/// What a free slot holds (`LC_FREE`).
pub(super) const FREE: u32 = u32::MAX;

/// The table of active extents, and which of its slots were named since the run began.
#[derive(Debug)]
pub(super) struct Table {
    extents: Vec<u32>,
    named: Vec<bool>,
    contradiction: Option<(AlSlot, u32)>,
}

impl Table {
    pub(super) fn new() -> Self {
        // OK to expect: 65534 is no more than a `usize` has.
        let slots = usize::try_from(MOST_SLOTS).expect("usize has at least 16 bits");
        Self {
            extents: vec![FREE; slots],
            named: vec![false; slots],
            contradiction: None,
        }
    }

    /// Forgets which slots were named: what follows is unbroken, what came before is not.
    pub(super) fn begin_run(&mut self) {
        self.named.fill(false);
        self.contradiction = None;
    }

    /// The table was empty a moment ago: every slot is known. What earlier transactions put there stays, as drbdmeta has it; too many extents
    /// do no harm.
    pub(super) fn was_empty(&mut self) {
        self.named.fill(true);
    }

    /// Transaction `number` saw `extent` in `slot` before its updates. Slots that no table has are ignored.
    ///
    /// A free slot stays as it was where `clears` is not set: 8.3 replays its log so.
    pub(super) fn saw(&mut self, number: u32, slot: u32, extent: u32, clears: bool) {
        let Some((held, named)) = self.entry(slot) else {
            return;
        };
        let contradicts = *named && extent != FREE && *held != extent;
        *named = true;
        if extent != FREE || clears {
            *held = extent;
        }
        if contradicts && self.contradiction.is_none() {
            self.contradiction = u16::try_from(slot)
                .ok()
                .map(|slot| (AlSlot::new(slot), number));
        }
    }

    /// A transaction put `extent` into `slot`; otherwise as [`Self::saw`].
    pub(super) fn put(&mut self, slot: u32, extent: u32, clears: bool) {
        if let Some((held, named)) = self.entry(slot) {
            *named = true;
            if extent != FREE || clears {
                *held = extent;
            }
        }
    }

    fn entry(&mut self, slot: u32) -> Option<(&mut u32, &mut bool)> {
        let slot = usize::try_from(slot).ok()?;
        Some((self.extents.get_mut(slot)?, self.named.get_mut(slot)?))
    }

    /// How many of the first `size` slots were not named since the run began.
    pub(super) fn unnamed(&self, size: u32) -> u32 {
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        let named = self.named.iter().take(size);
        // OK to expect: the table has at most 65534 slots.
        u32::try_from(named.filter(|named| !**named).count()).expect("at most 65534 slots")
    }

    /// The slot and the transaction that saw something there which no transaction of the run had put there.
    pub(super) fn contradiction(&self) -> Option<(AlSlot, u32)> {
        self.contradiction
    }

    /// The extents in the table, sorted, each once.
    pub(super) fn active(&self) -> Vec<AlExtent> {
        let mut extents: Vec<AlExtent> = self
            .extents
            .iter()
            .filter(|extent| **extent != FREE)
            .map(|extent| AlExtent::new(*extent))
            .collect();
        extents.sort_unstable();
        extents.dedup();
        extents
    }
}
