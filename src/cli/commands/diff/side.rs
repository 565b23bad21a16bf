//! One of two replicas.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::commands::apply_al::marking;
use crate::cli::session::open::Opened;
use crate::cli::session::slots::Scale;
use crate::cli::session::source::split;
use crate::format::metadata::{Generation, Header};
use crate::image::Window;
use crate::surgery::apply_al::{Applied, Marking};
use crate::survey::bitmap::OnDiskBitmap;
use crate::survey::locate::Level;
use crate::units::{BitmapIndex, Sectors};

/// One replica.
pub(super) struct Side<'a> {
    pub(super) opened: &'a Opened,
    level: &'a Level,
    /// The file or device.
    pub(super) path: PathBuf,
    pub(super) header: Header,
    pub(super) scale: Scale,
    marking: Marking,
}

impl<'a> Side<'a> {
    /// A level that was found in what is opened.
    pub(super) fn of(opened: &'a Opened, level: &'a Level, named: &Path) -> anyhow::Result<Self> {
        let name = || named.display().to_string();
        anyhow::ensure!(
            level.layout.index.is_internal(),
            "{}: the metadata is external, expected a disk with data before its metadata",
            name()
        );
        Ok(Self {
            header: Header::of(&level.superblock),
            scale: Scale::of_level(level),
            marking: marking(opened, level, false).with_context(name)?,
            path: split(named).0,
            opened,
            level,
        })
    }

    /// Whether both are of one generation, so that they connect without a resync.
    pub(super) fn same_generation(&self, other: &Self) -> bool {
        let both = [self, other].map(|side| side.level.superblock.current_uuid());
        matches!(both, [Some(one), Some(other)] if one.same_generation(other))
    }

    pub(super) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The DRBD device.
    pub(super) fn device(&self) -> anyhow::Result<Window<'a>> {
        let size = self.level.drbd_device().to_bytes();
        let device = size.and_then(|size| self.opened.window().shortened(size));
        device.context("the device is larger than its disk")
    }

    /// The bitmaps of these slots, each with its log.
    pub(super) fn bitmaps(
        &self,
        slots: &[BitmapIndex],
    ) -> Vec<(BitmapIndex, Applied<'_, OnDiskBitmap<'_>>)> {
        if self.level.superblock.la_size() == Sectors::ZERO {
            return Vec::new();
        }
        let bitmap = self.level.bitmap(self.opened.window());
        let slots = slots.iter();
        slots
            .map(|slot| (*slot, Applied::new(bitmap, &self.marking)))
            .collect()
    }
}

/// The slots that track the other side: its own, where both say who they are; else every one with a peer.
pub(super) fn slots_toward(ours: &Header, theirs: &Header) -> Vec<BitmapIndex> {
    let node = match &theirs.generation {
        Generation::V09(generation) => usize::try_from(generation.node_id).ok(),
        _ => None,
    };
    let own = match (&ours.generation, node) {
        (Generation::V09(generation), Some(node)) => generation
            .peers
            .get(node)
            .and_then(|peer| u8::try_from(peer.bitmap_index).ok())
            .filter(|slot| u32::from(*slot) < ours.geometry.max_peers),
        _ => None,
    };
    match own {
        Some(slot) => vec![BitmapIndex::new(slot)],
        None => ours.assigned_slots(),
    }
}
