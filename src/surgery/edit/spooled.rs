//! Slots of a bitmap that can be read once and in order only, put aside so that an edit can read them as it likes.

use super::SlotSource;
use crate::error::Result;
use crate::format::metadata::{Bitmap, Header, SlotWords};
use crate::surgery::place::spool::Spool;
use crate::units::BitmapIndex;

/// Every slot of a dump.
pub struct Spooled {
    slots: Vec<Spool>,
}

impl Spooled {
    /// Puts aside what `bitmap` gives; runs of equal words take next to nothing.
    ///
    /// # Errors
    ///
    /// Reading the slots; putting them aside.
    pub fn of(header: &Header, bitmap: &mut dyn Bitmap) -> Result<Self> {
        let slots = header.geometry.slots().map(|slot| {
            let mut words = bitmap.slot(slot)?;
            Spool::of(&mut *words, u64::MAX)
        });
        Ok(Self {
            slots: slots.collect::<Result<_>>()?,
        })
    }
}

/// A slot that there is not.
struct Nothing;

impl SlotWords for Nothing {
    fn next_run(&mut self) -> Result<Option<crate::format::metadata::Run<'_>>> {
        Ok(None)
    }
}

impl SlotSource for Spooled {
    fn open(&self, slot: BitmapIndex) -> Result<Box<dyn SlotWords + '_>> {
        Ok(match self.slots.get(usize::from(slot.get())) {
            Some(spool) => Box::new(spool.read()),
            None => Box::new(Nothing),
        })
    }
}
