//! Metadata taken away: superblock, activity log and bitmap become zeros, and nothing else does.

use crate::error::{EditRefusal, Result};
use crate::image::Window;
use crate::survey::locate::Level;
use crate::transaction::Draft;
use crate::units::{Bytes, DevPos, ImagePos, MD_BLOCK, range_len};

/// Drafts zeros over all of a level's metadata, and over the superblocks at `stale`: old copies whose logs and bitmaps are not known.
///
/// The superblock goes last: until then it carries the mark of a change under way.
///
/// # Errors
///
/// What the draft answers.
pub fn draft(
    draft: &mut Draft<'_>,
    window: Window<'_>,
    level: &Level,
    stale: &[DevPos],
) -> Result<()> {
    let layout = &level.layout;
    let pos = |at: DevPos| {
        window.image_pos(at).ok_or(EditRefusal::Outside {
            at: ImagePos::at(at.from_start()),
            length: MD_BLOCK,
            end: ImagePos::at(window.size()),
        })
    };
    draft.retire("superblock", pos(layout.md)?)?;
    let mut areas = [("bitmap", &layout.bm), ("activity log", &layout.al)];
    areas.sort_by_key(|(_, area)| area.start);
    for (label, area) in areas {
        let range = pos(area.start)?..pos(area.end)?;
        let target = draft.target();
        let mut body = draft.body(label, range.clone())?;
        // A bitmap of a large device is mostly holes: they stay.
        let mut at = range.start;
        while at < range.end {
            let data = target.next_data(at)?;
            let next = data.map_or(range.end, |data| data.start.clamp(at, range.end));
            let hole = next
                .bytes_since(at)
                .unwrap_or(Bytes::ZERO)
                .align_down(MD_BLOCK);
            if hole > Bytes::ZERO {
                body.skip(hole)?;
                at = at.checked_add(hole).unwrap_or(range.end);
                continue;
            }
            let rest = range.end.bytes_since(at).unwrap_or(Bytes::ZERO);
            let piece = rest.min(PIECE);
            body.fill(0, piece)?;
            at = at.checked_add(piece).unwrap_or(range.end);
        }
    }
    let mut superblocks: Vec<DevPos> = std::iter::once(layout.md)
        .chain(stale.iter().copied())
        .collect();
    superblocks.sort_unstable();
    superblocks.dedup();
    for at in superblocks {
        let start = pos(at)?;
        let end = start.checked_add(MD_BLOCK).unwrap_or(start);
        // What lies within the areas above is zero already.
        if !within(at, level) {
            let label = if at == layout.md {
                "superblock"
            } else {
                "old superblock"
            };
            draft.wipe(label, start..end)?.fill(0, MD_BLOCK)?;
        }
    }
    Ok(())
}

/// Bytes that are made zero at once.
const PIECE: Bytes = Bytes::new(1 << 20);

/// How much of the disk the metadata takes.
#[must_use]
pub fn size(level: &Level) -> Bytes {
    let layout = &level.layout;
    let parts = [range_len(&layout.bm), range_len(&layout.al), MD_BLOCK];
    parts.into_iter().fold(Bytes::ZERO, |sum, part| {
        sum.checked_add(part).unwrap_or(sum)
    })
}

/// Whether a block lies in the level's bitmap or log.
fn within(at: DevPos, level: &Level) -> bool {
    let areas = [&level.layout.bm, &level.layout.al];
    areas.iter().any(|area| area.contains(&at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{Level as Planned, build};
    use crate::image::{MemImage, ReadAt, WriteAt};
    use crate::survey::locate::{LocateOptions, locate};
    use crate::transaction::{Identity, prepare};

    #[test]
    fn what_is_wiped_is_drbd_s_and_nobody_else_s() {
        let size = Bytes::new(8 << 20);
        for plan in [Planned::v08(), Planned::v09(3)] {
            let mut image = MemImage::new(size);
            let noise: Vec<u8> = (0..=255).cycle().take(8 << 20).collect();
            image.write_all_at(ImagePos::START, &noise).unwrap();
            build(&mut image, ImagePos::START, size, &[plan]).unwrap();
            let before = bytes(&image);
            let looked = image.clone();
            let levels = locate(Window::whole(&looked), &LocateOptions::default()).unwrap();
            let level = &levels.levels[0];
            let of = Identity::of_file("disk", size, "test");
            let prepared = prepare(&image, &of, Vec::new(), |drafting| {
                draft(drafting, Window::whole(&looked), level, &[])
            })
            .unwrap();
            let undo = prepared.apply(&mut image).unwrap().unwrap();
            let after = bytes(&image);
            let whole = level.layout.whole.start.get()..level.layout.whole.end.get();
            for (at, (old, new)) in (0_u64..).zip(before.iter().zip(&after)) {
                let expected = if whole.contains(&at) { 0 } else { *old };
                assert_eq!(*new, expected, "byte {at}");
            }
            undo.undo(&mut image, false).unwrap();
            assert_eq!(bytes(&image), before);
        }
    }

    fn bytes(image: &MemImage) -> Vec<u8> {
        let mut bytes = vec![0; image.size().to_usize().unwrap()];
        image.read_exact_at(ImagePos::START, &mut bytes).unwrap();
        bytes
    }
}
