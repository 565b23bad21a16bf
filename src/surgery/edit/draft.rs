//! Drafting an edit in place.

use super::{ChangeRefusal, Edited};
use crate::error::{EditRefusal, Result};
use crate::format::layout::{MdIndex, MdLayout};
use crate::image::Window;
use crate::surgery::adopt::meta_device;
use crate::surgery::place::{Former, keep, place_over};
use crate::survey::locate::Level;
use crate::transaction::Draft;
use crate::units::{Bytes, ImagePos, MD_BLOCK, Sectors, range_len};

impl Edited {
    /// Where the edited metadata lies: on the same device, by the same rule.
    ///
    /// # Errors
    ///
    /// [`ChangeRefusal::Geometry`] where the device is too small for such metadata at all; [`ChangeRefusal::NoRoom`] where it would take
    /// what belongs to the DRBD device.
    pub fn layout(&self, level: &Level) -> Result<MdLayout> {
        let (index, geometry) = (level.layout.index, self.header.geometry);
        let layout =
            MdLayout::planned(index, geometry, level.device).map_err(ChangeRefusal::Geometry)?;
        // Where no size was ever agreed on, the device is as large as fits: it must not become smaller unasked.
        let needed = if self.header.la_size == Sectors::ZERO {
            level.layout.usable.min(self.old_usable(level))
        } else {
            self.header.la_size
        };
        let Some(missing) = needed.checked_sub(layout.usable) else {
            return Ok(layout);
        };
        if missing == Sectors::ZERO {
            return Ok(layout);
        }
        Err(ChangeRefusal::NoRoom {
            needed,
            usable: layout.usable,
            metadata: range_len(&layout.whole),
            missing: missing.to_bytes().unwrap_or(Bytes::ZERO),
        }
        .into())
    }

    /// Where the edited metadata lies at the end of a disk of this size, where there is room for it behind the data.
    #[must_use]
    pub fn layout_on(&self, disk: Bytes) -> Option<MdLayout> {
        let layout = MdLayout::planned(MdIndex::FlexInternal, self.header.geometry, disk).ok()?;
        (self.header.la_size <= layout.usable).then_some(layout)
    }

    /// Where it lies on the smallest meta device that holds it.
    ///
    /// # Errors
    ///
    /// [`ChangeRefusal::Geometry`].
    pub fn layout_anywhere(&self) -> Result<MdLayout> {
        let geometry = self.header.geometry;
        let size = meta_device(geometry, self.header.la_size).unwrap_or(Bytes::ZERO);
        let layout = MdLayout::planned(MdIndex::FlexExternal, geometry, size);
        Ok(layout.map_err(ChangeRefusal::Geometry)?)
    }

    /// What the device had room for: nothing to keep where that is external, for its size is not known here.
    fn old_usable(&self, level: &Level) -> Sectors {
        if level.layout.index.is_internal() && self.moves() {
            level.layout.usable
        } else {
            Sectors::ZERO
        }
    }

    /// Drafts the edit of `level`, whose device `window` shows: the superblock alone where nothing else changes, else all of the metadata.
    ///
    /// # Errors
    ///
    /// As [`Self::layout`]; what the draft answers.
    pub fn draft(&self, draft: &mut Draft<'_>, window: Window<'_>, level: &Level) -> Result<()> {
        let layout = self.layout(level)?;
        // In a stack the device ends before the disk does.
        let device = window.shortened(level.device).unwrap_or(window);
        if self.changes_bits() || self.before.geometry != self.header.geometry {
            let slots = level.bitmap(device);
            let mut bitmap = self.bitmap(&slots);
            let former = Former {
                superblock: &level.superblock,
                log: None,
            };
            let former = Some(&former);
            return place_over(draft, device, &layout, &self.header, former, &mut bitmap);
        }
        let superblock = self
            .header
            .rewrite(&level.superblock, &layout)
            .map_err(ChangeRefusal::Geometry)?;
        let outside = EditRefusal::Outside {
            at: ImagePos::at(layout.md.from_start()),
            length: MD_BLOCK,
            end: ImagePos::at(window.size()),
        };
        let at = device.image_pos(layout.md).ok_or(outside)?;
        let bytes = superblock.to_bytes();
        draft.retire("old superblock", at)?;
        keep(draft, device, &layout)?;
        draft.commit("superblock", at, &bytes)
    }
}
