//! What came since where a target was cut off: an undo file has nothing of what was a hole there.

use std::ops::Range;

use super::stays::first_data;
use crate::error::Result;
use crate::image::ReadAt;
use crate::transaction::outline::Phase;
use crate::transaction::undo_file::UndoFile;
use crate::units::{Bytes, ImagePos};

/// The first place behind a cut that has data where a hole was when the change was drafted, and its target.
pub(in crate::transaction) fn written_behind<R: ReadAt>(
    undo: &UndoFile<R>,
    targets: &[&dyn ReadAt],
) -> Result<Option<(usize, ImagePos)>> {
    for region in undo.regions().filter(|one| one.phase == Phase::Cut) {
        let Some(target) = targets.get(region.target) else {
            continue;
        };
        let mut known: Vec<Range<ImagePos>> = Vec::new();
        undo.walk(Phase::Cut, &mut |_, of, record| {
            if of.target == region.target {
                let length = Bytes::of_len(record.before.len());
                known.push(record.at..record.at.checked_add(length).unwrap_or(record.at));
            }
            Ok(())
        })?;
        let end = region.range.end.min(ImagePos::at(target.size()));
        let mut at = region.range.start;
        for next in known.iter().chain(std::iter::once(&(end..end))) {
            if let Some(found) = first_data(*target, at, next.start.min(end))? {
                return Ok(Some((region.target, found)));
            }
            at = next.end;
        }
    }
    Ok(None)
}
