//! Putting the bits on disk, by the one way in which anything is written.

use super::can_be_clean;
use super::marking::{Mark, Marking};
use crate::error::Result;
use crate::format::activity_log::initialised_block;
use crate::format::layout::AlStriping;
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{DeviceFlags, MAGIC_V08, Superblock};
use crate::image::Window;
use crate::survey::locate::Level;
use crate::transaction::{Area, Draft};
use crate::units::{Bytes, DevPos, ImagePos, MD_BLOCK, range_len};

/// Bytes of a word.
const WORD: u64 = 4;
/// Bytes of the bitmap that are read and written at once.
const STEP: Bytes = Bytes::new(256 << 10);

/// How many bits each slot gained, by slot.
pub type Gained = Vec<u64>;

/// Drafts a level's applied log: bits, an initialised log, and a superblock that says so. v07 gets the bits only, as drbdmeta does it.
///
/// `device` is the level's device within what the draft is for. Answers how many bits each slot gains.
///
/// # Errors
///
/// What reading the bitmap or writing the undo file meets.
pub fn draft(
    draft: &mut Draft<'_>,
    device: Window<'_>,
    level: &Level,
    marking: &Marking,
) -> Result<Gained> {
    let layout = &level.layout;
    // OK to fall back: the level was found in this device.
    let pos = |at: DevPos| device.image_pos(at).unwrap_or(ImagePos::new(u64::MAX));
    let label = |part: &str| format!("{part} of the {} resource", level.role);
    draft.retire(&label("superblock"), pos(layout.md))?;
    let mut area = draft.body(&label("bitmap"), pos(layout.bm.start)..pos(layout.bm.end))?;
    let gained = mark(&mut area, device, level, marking)?;
    if can_be_clean(level.superblock.format()) {
        let mut area = draft.body(
            &label("activity log"),
            pos(layout.al.start)..pos(layout.al.end),
        )?;
        for _ in 0..range_len(&layout.al).whole_units(MD_BLOCK) {
            area.put(&initialised_block())?;
        }
    }
    draft.commit(
        &label("superblock"),
        pos(layout.md),
        &superblock_after(&level.superblock),
    )?;
    Ok(gained)
}

/// The superblock of a level whose log is applied: `MDF_AL_CLEAN`, v08's own magic, striping that is said rather than implied.
///
/// `MDF_PRIMARY_IND` and `MDF_CRASHED_PRIMARY` stay as they are, and v07 as a whole.
#[must_use]
pub fn superblock_after(superblock: &Superblock) -> [u8; SUPERBLOCK_LEN] {
    let mut after = superblock.clone();
    match &mut after {
        Superblock::V07(_) => {}
        Superblock::V08(sb) => {
            sb.flags |= DeviceFlags::AL_CLEAN.0;
            sb.magic = MAGIC_V08;
            let al = AlStriping::on_disk(sb.al_stripes, sb.al_stripe_size_4k);
            (sb.al_stripes, sb.al_stripe_size_4k) = (al.stripes, al.stripe_size_4k);
        }
        Superblock::V09(sb) => {
            sb.flags |= DeviceFlags::AL_CLEAN.0;
            let al = AlStriping::on_disk(sb.al_stripes, sb.al_stripe_size_4k);
            (sb.al_stripes, sb.al_stripe_size_4k) = (al.stripes, al.stripe_size_4k);
        }
    }
    after.to_bytes()
}

/// How many bits each slot of a level gains by `marking`, drafting nothing.
///
/// # Errors
///
/// What reading the bitmap meets.
pub fn gained(device: Window<'_>, level: &Level, marking: &Marking) -> Result<Gained> {
    each_marked(device, level, marking, &mut |_, _| Ok(()))
}

/// Sets the marked bits of every slot in one pass over the stretches of the bitmap that have any.
fn mark(
    area: &mut Area<'_, '_>,
    device: Window<'_>,
    level: &Level,
    marking: &Marking,
) -> Result<Gained> {
    let mut done = Bytes::ZERO;
    each_marked(device, level, marking, &mut |at, bytes| {
        area.skip(at.saturating_sub(done))?;
        area.put(bytes)?;
        done = at.checked_add(Bytes::of_len(bytes.len())).unwrap_or(at);
        Ok(())
    })
}

/// Takes a piece of the bitmap with its marks set, and where in the bitmap it begins.
type Sink<'s> = dyn FnMut(Bytes, &[u8]) -> Result<()> + 's;

/// Passes on each piece of the bitmap that has marked bits, with them set, in order.
fn each_marked(
    device: Window<'_>,
    level: &Level,
    marking: &Marking,
    sink: &mut Sink<'_>,
) -> Result<Gained> {
    let max_peers = u64::from(level.layout.geometry.max_peers.max(1));
    let size = level.bitmap(device).size();
    let mut marker = Marker {
        max_peers,
        gained: vec![0; usize::try_from(max_peers).unwrap_or(0)],
    };
    for range in touched(marking.marks(), max_peers, size) {
        let mut at = range.start;
        while at < range.end {
            let step = range.end.saturating_sub(at).min(STEP);
            let mut bytes = vec![0; step.to_usize().unwrap_or(0)];
            if let Some(from) = level.layout.bm.start.checked_add(at) {
                device.read_exact_at(from, &mut bytes)?;
            }
            marker.set(&mut bytes, at, marking.marks());
            sink(at, &bytes)?;
            at = at.checked_add(step).unwrap_or(range.end);
        }
    }
    Ok(marker.gained)
}

/// The stretches of the bitmap, in whole blocks, that have marked bits, none twice.
fn touched(marks: &[Mark], max_peers: u64, size: Bytes) -> Vec<std::ops::Range<Bytes>> {
    let byte = |word: u64| Bytes::new(word.saturating_mul(max_peers).saturating_mul(WORD));
    let mut ranges: Vec<std::ops::Range<Bytes>> = Vec::new();
    for mark in marks {
        let start = byte(mark.words.start).align_down(MD_BLOCK);
        let end = byte(mark.words.end)
            .align_up(MD_BLOCK)
            .unwrap_or(size)
            .min(size);
        match ranges.last_mut() {
            _ if start >= end => {}
            Some(last) if last.end >= start => last.end = last.end.max(end),
            _ => ranges.push(start..end),
        }
    }
    ranges
}

/// Sets bits and counts those that were not set.
struct Marker {
    max_peers: u64,
    gained: Gained,
}

impl Marker {
    /// Sets the marked bits in a piece of the bitmap that begins at `at`.
    fn set(&mut self, bytes: &mut [u8], at: Bytes, marks: &[Mark]) {
        let first = at.whole_units(Bytes::new(WORD));
        let mut slot = first.checked_rem(self.max_peers).unwrap_or(0);
        let mut word = first.checked_div(self.max_peers).unwrap_or(0);
        let mut marks = marks
            .get(marks.partition_point(|mark| mark.words.end <= word)..)
            .unwrap_or_default();
        for piece in bytes.as_chunks_mut::<4>().0 {
            if let Some(mark) = marks.first().filter(|mark| mark.words.start <= word) {
                let before = u32::from_le_bytes(*piece);
                let after = before | mark.mask;
                *piece = after.to_le_bytes();
                if let Some(gained) = usize::try_from(slot)
                    .ok()
                    .and_then(|slot| self.gained.get_mut(slot))
                {
                    *gained = gained.saturating_add(u64::from((after & !before).count_ones()));
                }
            }
            slot = slot.saturating_add(1);
            if slot == self.max_peers {
                (slot, word) = (0, word.saturating_add(1));
                if marks.first().is_some_and(|mark| mark.words.end <= word) {
                    marks = marks.get(1..).unwrap_or_default();
                }
            }
        }
    }
}
