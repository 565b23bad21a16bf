//! Where DRBD looks for a superblock: one answer for every command.

use super::locate::{IndexChoice, Level};
use crate::format::layout::MdIndex;
use crate::units::{Bytes, DevPos, Sectors};

/// A position where DRBD looks for a superblock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Place {
    /// The placement whose rule gives the position.
    pub index: MdIndex,
    /// The position.
    pub at: DevPos,
    /// The size of the device that the rule was applied to.
    pub device: Bytes,
}

/// The placements on a device of its own that a choice covers, in the order in which they are tried.
///
/// Of a meta device's slots the first alone is looked at without being named: which one is a resource's is in its configuration only.
#[must_use]
pub const fn indices(choice: IndexChoice) -> &'static [MdIndex] {
    match choice {
        IndexChoice::Auto => &[
            MdIndex::FlexInternal,
            MdIndex::Internal,
            MdIndex::FlexExternal,
            MdIndex::Indexed(0),
        ],
        IndexChoice::Internal => INSIDE,
        IndexChoice::FlexExternal => &[MdIndex::FlexExternal],
        IndexChoice::Indexed(_) => &[],
    }
}

/// The placements inside another resource's DRBD device.
const INSIDE: &[MdIndex] = &[MdIndex::FlexInternal, MdIndex::Internal];

/// The positions where DRBD looks on a device of `device` bytes.
#[must_use]
pub fn outermost(choice: IndexChoice, device: Bytes) -> Vec<Place> {
    if let IndexChoice::Indexed(slot) = choice {
        return places(&[MdIndex::Indexed(slot)], device);
    }
    places(indices(choice), device)
}

/// The positions where DRBD looks inside a level: on a DRBD device of the agreed size, then on one of the largest that fits. None where the
/// level's data is on another device.
#[must_use]
pub fn inside(level: &Level) -> Vec<Place> {
    if !level.layout.index.is_internal() {
        return Vec::new();
    }
    let (agreed, most) = (level.drbd_device(), level.layout.usable);
    let mut sizes = vec![agreed];
    if most != agreed {
        sizes.push(most);
    }
    let sizes = sizes.into_iter().filter_map(Sectors::to_bytes);
    sizes.flat_map(|size| places(INSIDE, size)).collect()
}

fn places(indices: &[MdIndex], device: Bytes) -> Vec<Place> {
    let place = |index: &MdIndex| {
        Some(Place {
            index: *index,
            at: index.superblock_pos(device)?,
            device,
        })
    };
    indices.iter().filter_map(place).collect()
}
