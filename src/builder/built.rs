//! Where a resource that was built lies.

use super::plan::Plan;
use crate::units::{Bytes, DevPos, ImagePos, Sectors};

/// Where a resource's metadata was put, and what that leaves for its DRBD device.
///
/// Positions are the device's that holds the metadata; [`Self::image_pos`] returns where they are in the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Built {
    number: u8,
    base: ImagePos,
    plan: Plan,
}

impl Built {
    pub(super) const fn new(number: u8, base: ImagePos, plan: Plan) -> Self {
        Self { number, base, plan }
    }

    pub(super) const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its place in the stack; 0 is the outermost.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }

    /// Where the device begins in the image.
    #[must_use]
    pub const fn base(&self) -> ImagePos {
        self.base
    }

    /// The size of the device that holds the metadata: the backing device, or the meta device.
    #[must_use]
    pub const fn metadata_device(&self) -> Bytes {
        self.plan.holder
    }

    /// Where the superblock is.
    #[must_use]
    pub const fn md(&self) -> DevPos {
        self.plan.md
    }

    /// Where the activity log begins.
    #[must_use]
    pub const fn al(&self) -> DevPos {
        self.plan.al
    }

    /// The activity log's size.
    #[must_use]
    pub const fn al_size(&self) -> Bytes {
        self.plan.al_size
    }

    /// Where the bitmap begins.
    #[must_use]
    pub const fn bm(&self) -> DevPos {
        self.plan.bm
    }

    /// The room there is for the bitmap, all slots together.
    #[must_use]
    pub const fn bm_size(&self) -> Bytes {
        self.plan.bm_size
    }

    /// The size of all metadata, as the superblock says it.
    #[must_use]
    pub const fn md_size_sect(&self) -> Sectors {
        self.plan.md_size
    }

    /// The most that the DRBD device can have here.
    #[must_use]
    pub const fn usable(&self) -> Sectors {
        self.plan.usable
    }

    /// The last agreed size, as the superblock says it (v07: in whole KiB); 0 for none.
    #[must_use]
    pub const fn la_size_sect(&self) -> Sectors {
        self.plan.la_size
    }

    /// The size of the DRBD device, at most 1 PiB: the next level's backing device.
    #[must_use]
    pub const fn device(&self) -> Bytes {
        self.plan.device
    }

    /// Where a position of the device is in the image, or `None` beyond 64 bits.
    #[must_use]
    pub fn image_pos(&self, at: DevPos) -> Option<ImagePos> {
        self.base.checked_add(at.from_start())
    }
}
