//! Whether what a change left as it was is so still.

use crate::error::{EditRefusal, Result};
use crate::image::{ReadAt, is_zeros};
use crate::transaction::compare::{is_worth_asking, read};
use crate::transaction::format::{LONGEST_RECORD, SameHead};
use crate::units::{Bytes, ImagePos, SECTOR_SIZE};

/// Whether a stretch of `target` is as it was.
pub(super) fn stays(target: &dyn ReadAt, same: &SameHead) -> Result<bool> {
    let at = ImagePos::new(same.at);
    let length = Bytes::new(same.len);
    let Some(crc) = same.crc else {
        let end = at.checked_add(length).unwrap_or(at);
        return Ok(first_data(target, at, end)?.is_none());
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

/// Refuses where what stays is not what it was when the change was planned.
pub(in crate::transaction) fn expect_same(target: &dyn ReadAt, same: &SameHead) -> Result<()> {
    if stays(target, same)? {
        return Ok(());
    }
    let (at, length) = (ImagePos::new(same.at), Bytes::new(same.len));
    Err(EditRefusal::Changed { at, length }.into())
}

/// Where the first sector that is not zeros begins; holes are not read, unless they are short.
pub(super) fn first_data(
    target: &dyn ReadAt,
    mut at: ImagePos,
    end: ImagePos,
) -> Result<Option<ImagePos>> {
    let mut content = Vec::new();
    while at < end {
        let data = if is_worth_asking(end.saturating_since(at)) {
            target.next_data(at)?
        } else {
            Some(at..end)
        };
        let Some(data) = data else {
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
        if !is_zeros(&content)
            && let Some(found) = content.iter().position(|byte| *byte != 0)
        {
            let found = start.checked_add(Bytes::of_len(found)).unwrap_or(start);
            return Ok(Some(ImagePos::at(
                found.from_start().align_down(SECTOR_SIZE),
            )));
        }
        at = start.checked_add(Bytes::of_len(length)).unwrap_or(end);
    }
    Ok(None)
}
