//! Whether what a change left as it was is so still.

use crate::error::Result;
use crate::image::ReadAt;
use crate::transaction::compare::read;
use crate::transaction::format::{LONGEST_RECORD, SameHead};
use crate::units::{Bytes, ImagePos};

/// Whether a stretch of `target` is as it was.
pub(super) fn stays(target: &dyn ReadAt, same: &SameHead) -> Result<bool> {
    let at = ImagePos::new(same.at);
    let length = Bytes::new(same.len);
    let Some(crc) = same.crc else {
        let end = at.checked_add(length).unwrap_or(at);
        return zeros(target, at, end);
    };
    // At most as long as a record: that was judged when the file was read.
    let mut content = vec![
        0;
        length
            .to_usize()
            .unwrap_or(LONGEST_RECORD)
            .min(LONGEST_RECORD)
    ];
    read(target, at, &mut content)?;
    Ok(crc32fast::hash(&content) == crc)
}

/// Whether all is zeros, holes left out.
fn zeros(target: &dyn ReadAt, mut at: ImagePos, end: ImagePos) -> Result<bool> {
    let mut content = Vec::new();
    while at < end {
        let Some(data) = target.next_data(at)? else {
            break;
        };
        let start = data.start.max(at).min(end);
        let rest = data
            .end
            .min(end)
            .bytes_since(start)
            .and_then(Bytes::to_usize);
        let length = rest.unwrap_or(LONGEST_RECORD).min(LONGEST_RECORD);
        if length == 0 {
            break;
        }
        content.resize(length, 0);
        read(target, start, &mut content)?;
        if content.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at = start.checked_add(Bytes::of_len(length)).unwrap_or(end);
    }
    Ok(true)
}
