//! Writes images as DRBD and drbdmeta leave them, by formulas of its own.
//!
//! Tests compare what reads with what this writes. That means something only because the two share nothing: every position is reckoned here
//! anew (`plan`), every field is written at its byte offset (`superblock`), every bit is placed word by word (`bitmap`), and
//! [`activity_log`] has a checksum routine of its own. So nothing here uses [`crate::format::layout`], [`crate::format::ondisk`], [`crate::format::superblock`],
//! [`crate::format::bitmap`] or [`crate::format::activity_log`]; sizes, images and errors are the common ground.
//!
//! ```
//! use mdtool::builder::{self, Level};
//! use mdtool::image::MemImage;
//! use mdtool::units::{Bytes, ImagePos};
//!
//! let size = Bytes::new(1 << 30);
//! let mut image = MemImage::new(size);
//! let built = builder::build(&mut image, ImagePos::START, size, &[Level::v08(), Level::v09(3)])?;
//! assert_eq!(built[1].md().get(), 1_073_668_096);
//! # Ok::<(), mdtool::error::Error>(())
//! ```
//!
//! The image is taken to be fresh: what should be zeros there is not written, so that 9 TB cost a few KiB. The image may be longer than the
//! backing device, as a copy onto a larger disk is, and it may be shorter: what would lie beyond its end is not written, and that is an
//! image cut off.

pub mod activity_log;
mod bitmap;
mod built;
mod level;
mod plan;
mod superblock;

pub use built::Built;
pub use level::{LaSize, Level, Peer};
pub use superblock::{MAGIC_84_UNCLEAN, MAGIC_V07, MAGIC_V08, MAGIC_V09};

use crate::error::{Misfit, Refused, Result};
use crate::image::WriteAt;
use crate::units::{Bytes, DevPos, ImagePos, MD_BLOCK};
use plan::Plan;

/// Which external placement a meta device has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum External {
    /// The metadata begins with the meta device and may fill it.
    Flex,
    /// The metadata is the one of that number among several of 128 MiB each.
    Indexed(u8),
}

/// Writes a stack of resources with internal metadata, the outermost first, and returns where everything lies.
///
/// The outermost resource's backing device begins at `base` of the image and has `backing`; each further one's backing device is the DRBD
/// device of the resource before.
///
/// # Errors
///
/// [`Refused::Spec`] where a level does not fit its device or contradicts itself; [`crate::error::IoError`] where the system refuses.
pub fn build(
    image: &mut dyn WriteAt,
    base: ImagePos,
    mut backing: Bytes,
    levels: &[Level],
) -> Result<Vec<Built>> {
    let mut resources = Vec::with_capacity(levels.len());
    for (number, level) in levels.iter().enumerate() {
        let number = u8::try_from(number).unwrap_or(u8::MAX);
        let refused = |misfit| Refused::Spec {
            level: number,
            misfit,
        };
        let plan = Plan::internal(level, backing).map_err(refused)?;
        let built = Built::new(number, base, plan);
        backing = built.device();
        resources.push(Resource::of(level, built).map_err(refused)?);
    }
    let write = |resource: Resource<'_>| resource.write(image);
    resources.into_iter().map(write).collect()
}

/// Writes one resource's metadata into an image of its meta device, which begins at `base` and has `meta_size`.
///
/// `backing` is the size of the backing device, which holds nothing but data: a further level is [`build`]'s, in an image of that device,
/// with [`Built::device`] for the size.
///
/// # Errors
///
/// As [`build`].
pub fn build_external(
    meta: &mut dyn WriteAt,
    base: ImagePos,
    meta_size: Bytes,
    placement: External,
    backing: Bytes,
    level: &Level,
) -> Result<Built> {
    let plan = match placement {
        External::Flex => Plan::flex_external(level, meta_size, backing),
        External::Indexed(index) => Plan::indexed(level, meta_size, index, backing),
    };
    let resource = plan.and_then(|plan| Resource::of(level, Built::new(0, base, plan)));
    let refused = |misfit| Refused::Spec { level: 0, misfit };
    resource.map_err(refused)?.write(meta)
}

/// Writes zeros over a resource's superblock, as who gives up on the outer resource does.
///
/// # Errors
///
/// [`crate::error::IoError`] where the system refuses.
pub fn erase_superblock(image: &mut dyn WriteAt, built: &Built) -> Result<()> {
    Device::of(image, built).put(built.md(), &[0; superblock::SIZE])
}

/// Writes one more superblock of a resource where it was when its backing device had only `older`; the kernel leaves it there when it grows.
///
/// Answers where it and what belonged to it lie.
///
/// # Errors
///
/// As [`build`].
pub fn stale_superblock(
    image: &mut dyn WriteAt,
    built: &Built,
    older: Bytes,
    level: &Level,
) -> Result<Built> {
    let number = built.number();
    let stale = Plan::internal(level, older)
        .and_then(|plan| Resource::of(level, Built::new(number, built.base(), plan)));
    let refused = |misfit| Refused::Spec {
        level: number,
        misfit,
    };
    let stale = stale.map_err(refused)?;
    Device::of(image, &stale.built).put(stale.built.md(), &stale.superblock)?;
    Ok(stale.built)
}

/// Puts a magic where it would be in a superblock that starts at `at`, and nothing else: data that only looks like metadata.
///
/// # Errors
///
/// [`crate::error::IoError`] where it would leave the image or the system refuses.
pub fn plant_magic(image: &mut dyn WriteAt, at: ImagePos, magic: u32) -> Result<()> {
    let offset = Bytes::of_len(superblock::magic_offset(magic));
    let at = at.saturating_add(offset);
    image.write_all_at(at, &magic.to_be_bytes())
}

/// All that is to be written of one resource, found to be possible.
struct Resource<'a> {
    level: &'a Level,
    built: Built,
    superblock: [u8; superblock::SIZE],
    log: Option<&'a [u8]>,
    slots: bitmap::Slots,
}

impl<'a> Resource<'a> {
    fn of(level: &'a Level, built: Built) -> Result<Self, Misfit> {
        let plan = built.plan();
        Ok(Self {
            superblock: superblock::encode(level, plan, built.number())?,
            log: level.log_bytes(plan)?,
            slots: bitmap::Slots::of(level, plan)?,
            level,
            built,
        })
    }

    fn write(self, image: &mut dyn WriteAt) -> Result<Built> {
        let built = self.built;
        let mut device = Device::of(image, &built);
        device.put(built.md(), &self.superblock)?;
        match self.log {
            Some(bytes) => device.put(built.al(), bytes)?,
            // No block of v07's log says that it is empty.
            None if self.level.is_v07() => {}
            None => write_initialised_log(&mut device, &built)?,
        }
        let mut put = |at, words: &[u8]| device.put(at, words);
        self.slots.write(&mut put, built.bm())?;
        Ok(built)
    }
}

/// How many blocks of an initialised log are written at once.
const LOG_BLOCKS_AT_ONCE: usize = 64;

/// The activity log as `create-md` leaves it: every block says that nothing happened yet.
fn write_initialised_log(device: &mut Device<'_>, built: &Built) -> Result<()> {
    let several = activity_log::initialised_block().repeat(LOG_BLOCKS_AT_ONCE);
    let (mut at, mut rest) = (built.al(), built.al_size());
    while rest >= MD_BLOCK {
        let now = rest.min(Bytes::of_len(several.len()));
        let blocks = now.to_usize().and_then(|now| several.get(..now));
        device.put(at, blocks.unwrap_or(&several))?;
        rest = rest.saturating_sub(now);
        at = at.saturating_add(now);
    }
    Ok(())
}

/// The device that holds the metadata, of which the image may show only the beginning.
struct Device<'a> {
    image: &'a mut dyn WriteAt,
    base: ImagePos,
}

impl<'a> Device<'a> {
    fn of(image: &'a mut dyn WriteAt, built: &Built) -> Self {
        let base = built.base();
        Self { image, base }
    }

    /// Writes as much of `bytes` as lies in the image.
    fn put(&mut self, at: DevPos, bytes: &[u8]) -> Result<()> {
        let end = ImagePos::at(self.image.size());
        let Some(at) = self.base.checked_add(at.from_start()) else {
            return Ok(());
        };
        let room = end.saturating_since(at);
        let inside = room
            .to_usize()
            .map_or(bytes.len(), |room| room.min(bytes.len()));
        match bytes.get(..inside) {
            Some(inside) if !inside.is_empty() => self.image.write_all_at(at, inside),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
