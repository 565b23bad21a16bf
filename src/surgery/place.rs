//! Placing metadata on a device: what restore-md does, and what it leaves out.
//!
//! ```text
//! retire   superblocks where DRBD could look for one whose bitmap or log is written over, the outermost first
//! body     the bitmap area, all of it; the activity log, initialised
//! commit   the superblock
//! ```
//!
//! Nothing here writes: [`place`] drafts, [`crate::transaction`] does it. Positions, sizes and offsets are the target's; identifiers, flags, bits
//! and the DRBD device's size are the resource's. Whether anything of worth lies where metadata will be is not asked here.

mod bitmap;
mod merge;
mod refusal;
pub(super) mod spool;

pub use refusal::PlaceRefusal;

use std::ops::Range;

use crate::error::{EditRefusal, Result};
use crate::format::activity_log::initialised_block;
use crate::format::layout::{MdIndex, MdLayout};
use crate::format::metadata::{Bitmap, Header};
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{Format, Superblock};
use crate::image::Window;
use crate::transaction::Draft;
use crate::units::{Bytes, DevPos, ImagePos, MD_BLOCK, range_len};

/// The most indexed slots that drbdmeta takes: 0 to 255.
const INDEXED_SLOTS: u8 = u8::MAX;

/// Drafts metadata of `header` and `bitmap` at `layout` of the device that `window` shows of the draft's target.
///
/// The bitmap area is written as a whole: what `bitmap` gives up to what la-size needs, zeros after it. Slots are asked for in order, each
/// once; of all of them together about 16 MiB are held in memory. What the log held is gone: it is as `create-md` leaves it.
///
/// # Errors
///
/// [`PlaceRefusal`] where la-size is larger than the layout allows or the layout was made for another geometry; what the draft and the
/// bitmap answer.
pub fn place(
    draft: &mut Draft<'_>,
    window: Window<'_>,
    layout: &MdLayout,
    header: &Header,
    bitmap: &mut dyn Bitmap,
) -> Result<()> {
    place_over(draft, window, layout, header, None, bitmap)
}

/// What a resource had before it is placed anew.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Former<'a> {
    /// Its superblock: what of it is not known survives.
    pub superblock: &'a Superblock,
    /// Its activity log, on its device, which is carried over as it is; initialised where there is none.
    pub log: Option<(Window<'a>, Range<DevPos>)>,
}

/// As [`place`], over what the resource had before, where it had something.
///
/// # Errors
///
/// As [`place`].
pub fn place_over(
    draft: &mut Draft<'_>,
    window: Window<'_>,
    layout: &MdLayout,
    header: &Header,
    former: Option<&Former<'_>>,
    bitmap: &mut dyn Bitmap,
) -> Result<()> {
    if header.geometry != layout.geometry {
        return Err(PlaceRefusal::Geometry.into());
    }
    if header.la_size > layout.usable {
        return Err(PlaceRefusal::LaSize {
            la_size: header.la_size,
            usable: layout.usable,
        }
        .into());
    }
    let superblock = match former {
        Some(former) => header.rewrite(former.superblock, layout),
        None => header.compose(layout),
    };
    let superblock = superblock.map_err(PlaceRefusal::Layout)?;
    for place in outermost_first(superblocks_at_risk(window, layout)?, window, layout) {
        draft.retire("old superblock", image_pos(window, place)?)?;
    }
    bitmap::draft(draft, window, layout, header, bitmap)?;
    match former.and_then(|former| former.log.as_ref()) {
        Some((device, log)) => carry_log(draft, window, layout, (*device, log))?,
        None => draft_log(draft, window, layout, header.format())?,
    }
    let at = image_pos(window, layout.md)?;
    draft.commit("superblock", at, &superblock.to_bytes())
}

/// Where superblocks are, or may be, that DRBD would find and whose bitmap, log or own block metadata at `layout` destroys; in order, each
/// once.
///
/// - The end of the device, and the start of external metadata, whatever is there.
/// - Slots of 128 MiB that external metadata overlaps: the start of its device may have been slot 0 of an indexed one.
/// - v07's fixed place: within the new metadata whatever is there; elsewhere only where its offsets are v07's, because there it may as well
///   be anybody's data.
///
/// # Errors
///
/// Errors of reading the device.
pub fn superblocks_at_risk(window: Window<'_>, layout: &MdLayout) -> Result<Vec<DevPos>> {
    let size = window.size();
    let mut places = vec![layout.md];
    if layout.index.is_internal() {
        places.extend(MdIndex::FlexInternal.superblock_pos(size));
    }
    let mut candidates: Vec<DevPos> = vec![DevPos::START];
    candidates.extend(MdIndex::FlexInternal.superblock_pos(size));
    candidates.extend(MdIndex::Internal.superblock_pos(size));
    if !layout.index.is_internal() {
        let slots = (0..=INDEXED_SLOTS).map(MdIndex::Indexed);
        candidates.extend(slots.filter_map(|slot| slot.superblock_pos(size)));
    }
    places.extend(
        candidates
            .into_iter()
            .filter(|at| within(*at, &layout.whole)),
    );
    if layout.index.is_internal()
        && let Some(at) = MdIndex::Internal.superblock_pos(size)
        && is_fixed_v07(window, at)?
    {
        places.push(at);
    }
    places.sort_unstable();
    places.dedup();
    Ok(places)
}

/// Places in the order in which they are retired: first where DRBD looks by the rule of the new metadata.
fn outermost_first(mut places: Vec<DevPos>, window: Window<'_>, layout: &MdLayout) -> Vec<DevPos> {
    let looked_at = layout.index.superblock_pos(window.size());
    places.sort_by_key(|at| (Some(*at) != looked_at, *at));
    places
}

/// Whether a block at `at` would lie within `area`.
fn within(at: DevPos, area: &Range<DevPos>) -> bool {
    let end = at.checked_add(MD_BLOCK);
    at >= area.start && end.is_some_and(|end| end <= area.end)
}

/// Whether v07's fixed internal metadata begins at `at`.
fn is_fixed_v07(window: Window<'_>, at: DevPos) -> Result<bool> {
    let mut block = [0; SUPERBLOCK_LEN];
    window.read_exact_at(at, &mut block)?;
    Ok(Superblock::decode(&block).is_some_and(|superblock| {
        superblock.format() == Format::V07
            && MdLayout::of(&superblock, MdIndex::Internal, window.size()).is_ok()
    }))
}

/// Drafts the log as `create-md` leaves it: v07's is nothing, later ones are blocks that say so.
pub(super) fn draft_log(
    draft: &mut Draft<'_>,
    window: Window<'_>,
    layout: &MdLayout,
    format: Format,
) -> Result<()> {
    let mut area = draft.body("activity log", image_range(window, &layout.al)?)?;
    let length = range_len(&layout.al);
    if format == Format::V07 {
        return area.fill(0, length);
    }
    let block = initialised_block();
    for _ in 0..length.whole_units(MD_BLOCK) {
        area.put(&block)?;
    }
    Ok(())
}

/// Drafts that bitmap and log stay as they are: a superblock that is put back later must find them so, or it would describe others.
pub(super) fn keep(draft: &mut Draft<'_>, window: Window<'_>, layout: &MdLayout) -> Result<()> {
    keep_bitmap(draft, window, layout)?;
    keep_log(draft, window, layout)
}

/// The same of the bitmap alone.
pub(super) fn keep_bitmap(
    draft: &mut Draft<'_>,
    window: Window<'_>,
    layout: &MdLayout,
) -> Result<()> {
    // What is announced and not put is noted by its checksum.
    draft.body("bitmap", image_range(window, &layout.bm)?)?;
    Ok(())
}

/// The same of the log alone.
pub(super) fn keep_log(draft: &mut Draft<'_>, window: Window<'_>, layout: &MdLayout) -> Result<()> {
    draft.body("activity log", image_range(window, &layout.al)?)?;
    Ok(())
}

/// Bytes of a log that are carried over at once.
const LOG_PIECE: Bytes = Bytes::new(256 << 10);

/// Drafts the log as it was elsewhere.
fn carry_log(
    draft: &mut Draft<'_>,
    window: Window<'_>,
    layout: &MdLayout,
    (device, log): (Window<'_>, &Range<DevPos>),
) -> Result<()> {
    if range_len(log) != range_len(&layout.al) {
        return Err(PlaceRefusal::Geometry.into());
    }
    let mut area = draft.body("activity log", image_range(window, &layout.al)?)?;
    let mut at = log.start;
    let mut bytes = Vec::new();
    while let Some(rest) = log.end.bytes_since(at).filter(|rest| *rest > Bytes::ZERO) {
        let piece = rest.min(LOG_PIECE);
        bytes.resize(piece.to_usize().unwrap_or(0), 0);
        device.read_exact_at(at, &mut bytes)?;
        area.put(&bytes)?;
        at = at.checked_add(piece).unwrap_or(log.end);
    }
    Ok(())
}

/// Where a position of the device is in the target.
pub(super) fn image_pos(window: Window<'_>, at: DevPos) -> Result<ImagePos> {
    window.image_pos(at).ok_or_else(|| {
        EditRefusal::Outside {
            at: ImagePos::at(at.from_start()),
            length: Bytes::ZERO,
            end: ImagePos::at(window.size()),
        }
        .into()
    })
}

/// Where a part of the device is in the target.
fn image_range(window: Window<'_>, range: &Range<DevPos>) -> Result<Range<ImagePos>> {
    Ok(image_pos(window, range.start)?..image_pos(window, range.end)?)
}

#[cfg(test)]
mod tests;
