//! What is on a device that has no metadata.

use std::ops::ControlFlow;

use crate::error::Result;
use crate::image::{Window, is_zeros};
use crate::survey::occupants::{Occupant, beyond, occupants};
use crate::units::{Bytes, DevPos, range_len};

/// How much of a device is read to see that it is blank; the search has read it before, so it is at hand.
const BLANK_BUDGET: Bytes = Bytes::new(64 << 20);

/// What is on a device instead of metadata.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Contents {
    /// Who says to live there.
    pub occupants: Vec<Occupant>,
    /// Every byte is known to be zero.
    pub blank: bool,
}

impl Contents {
    /// What is on `device`.
    ///
    /// # Errors
    ///
    /// Read errors.
    pub fn of(device: Window<'_>) -> Result<Self> {
        let occupants = occupants(device)?;
        let blank = occupants.is_empty() && is_blank(device)?;
        Ok(Self { occupants, blank })
    }

    /// The first that says to end beyond the device's end.
    #[must_use]
    pub fn beyond(&self, device: Window<'_>) -> Option<Occupant> {
        beyond(&self.occupants, device)
    }
}

/// Whether all of it is holes and zeros, as far as the budget reaches.
fn is_blank(device: Window<'_>) -> Result<bool> {
    let mut budget = BLANK_BUDGET;
    let mut at = DevPos::START;
    while let Some(data) = device.next_data(at)? {
        let Some(rest) = budget.checked_sub(range_len(&data)) else {
            return Ok(false);
        };
        budget = rest;
        at = data.end;
        let mut zeros = true;
        device.visit(data, &mut |_, piece| {
            zeros = is_zeros(piece);
            if zeros {
                ControlFlow::Continue(())
            } else {
                ControlFlow::Break(())
            }
        })?;
        if !zeros {
            return Ok(false);
        }
    }
    Ok(true)
}
