//! Whether a device on which nobody is known is blank: all of its beginning, and of the rest as much as is read in a moment.

use super::first_data;
use crate::error::Result;
use crate::image::Window;
use crate::units::{Bytes, DevPos};

/// How much of a device's beginning is read.
const BEGINNING: Bytes = Bytes::new(64 << 20);
/// How much is read behind that where it is in few pieces, as in a file with holes.
const BEHIND: Bytes = Bytes::new(256 << 20);
/// As many samples are taken of a stretch that is longer.
const SAMPLES: u64 = 64;
/// How long each is.
const SAMPLE: Bytes = Bytes::new(1 << 20);

/// The first byte that was found not to be zero before `end`.
pub(super) fn first_found(device: Window<'_>, end: DevPos) -> Result<Option<DevPos>> {
    let beginning = DevPos::at(BEGINNING).min(end);
    let first = first_data(device, &(DevPos::START..beginning))?;
    let (mut at, mut left) = (beginning, BEHIND);
    while first.is_none() && at < end {
        let Some(data) = device.next_data(at)? else {
            break;
        };
        let stretch = data.start.min(end)..data.end.min(end);
        let length = stretch
            .end
            .bytes_since(stretch.start)
            .unwrap_or(Bytes::ZERO);
        let found = if length <= left {
            left = left.saturating_sub(length);
            first_data(device, &stretch)?
        } else {
            sampled(device, stretch.start, length)?
        };
        if found.is_some() {
            return Ok(found);
        }
        at = stretch.end;
    }
    Ok(first)
}

/// The same of samples, from the first to the last place of a stretch.
fn sampled(device: Window<'_>, start: DevPos, length: Bytes) -> Result<Option<DevPos>> {
    let last = length.saturating_sub(SAMPLE);
    let step = (last.get() / SAMPLES).max(1);
    let places = (0..SAMPLES).map(|number| Bytes::new(number.saturating_mul(step)));
    for place in places.chain([last]) {
        let from = start.saturating_add(place);
        let to = from.saturating_add(SAMPLE.min(length));
        if let Some(found) = first_data(device, &(from..to))? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}
