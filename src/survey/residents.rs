//! What lives on a disk, held against the levels of its stack: a file system that ends inside a DRBD device was made on it.

use crate::error::Result;
use crate::image::Window;
use crate::survey::locate::Level;
use crate::survey::occupants::{Occupant, occupants};
use crate::units::{Bytes, DevPos};

/// Somebody who lives on the disk, and the level that it fits on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Resident {
    /// Who, and up to where.
    pub occupant: Occupant,
    /// The innermost level, by its place in the list, on whose DRBD device it ends; `None` where it ends on none, or does not say where.
    pub level: Option<usize>,
}

/// Who lives on `device`, of which `levels` are the stack, outermost first; nobody where that is a meta device.
///
/// # Errors
///
/// Read errors.
pub fn residents(device: Window<'_>, levels: &[Level]) -> Result<Vec<Resident>> {
    if !levels.iter().all(|level| level.layout.index.is_internal()) {
        return Ok(Vec::new());
    }
    let sizes: Vec<Bytes> = levels.iter().map(device_size).collect();
    let mut found: Vec<Occupant> = Vec::new();
    // What lies at a device's end is another's for each size; what begins with it is always the same.
    for size in std::iter::once(device.size()).chain(sizes.iter().copied()) {
        let Some(shortened) = device.shortened(size) else {
            continue;
        };
        for occupant in occupants(shortened)? {
            if !found.contains(&occupant) {
                found.push(occupant);
            }
        }
    }
    let fits = |end: DevPos| sizes.iter().rposition(|size| end.from_start() <= *size);
    Ok(found
        .into_iter()
        .map(|occupant| Resident {
            occupant,
            level: occupant.end.and_then(fits),
        })
        .collect())
}

/// The size of a level's DRBD device.
fn device_size(level: &Level) -> Bytes {
    level.drbd_device().to_bytes().unwrap_or(Bytes::ZERO)
}

impl Resident {
    /// How far before the end of its level's device it ends.
    #[must_use]
    pub fn room(&self, levels: &[Level]) -> Option<Bytes> {
        let level = levels.get(self.level?)?;
        device_size(level).checked_sub(self.occupant.end?.from_start())
    }

    /// How far it reaches beyond the outermost device: its end was cut off, or is overwritten by metadata.
    #[must_use]
    pub fn beyond(&self, levels: &[Level]) -> Option<Bytes> {
        if self.level.is_some() {
            return None;
        }
        let outermost = levels.first()?.drbd_device().to_bytes()?;
        self.occupant.end?.from_start().checked_sub(outermost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builder::{Level as Planned, build};
    use crate::image::{MemImage, WriteAt};
    use crate::survey::locate::{LocateOptions, locate};
    use crate::survey::occupants::OccupantKind;
    use crate::units::{ImagePos, SECTOR_SIZE};

    /// A stack of two in 64 MiB, with an XFS of so many sectors.
    fn with_xfs(sectors: impl Fn(&[Level]) -> u64) -> (Vec<Level>, Vec<Resident>) {
        let size = Bytes::new(64 << 20);
        let mut image = MemImage::new(size);
        let plan = [Planned::v08(), Planned::v09(2)];
        build(&mut image, ImagePos::START, size, &plan).unwrap();
        let levels = locate(Window::whole(&image), &LocateOptions::default())
            .unwrap()
            .levels;
        assert_eq!(levels.len(), 2);
        let mut xfs = *b"XFSB\0\0\x02\0\0\0\0\0\0\0\0\0";
        xfs[8..].copy_from_slice(&sectors(&levels).to_be_bytes());
        image.write_all_at(ImagePos::START, &xfs).unwrap();
        let found = residents(Window::whole(&image), &levels).unwrap();
        (levels, found)
    }

    #[test]
    fn a_file_system_fits_on_the_innermost_device_that_holds_its_end() {
        for (number, less, level, room) in [(1, 0, 1, 0), (1, 3, 1, 3), (0, 0, 0, 0)] {
            let (levels, found) = with_xfs(|levels| levels[number].drbd_device().get() - less);
            let [one] = found.as_slice() else {
                panic!("{found:?}")
            };
            assert_eq!(
                (one.occupant.kind, one.level),
                (OccupantKind::Xfs, Some(level))
            );
            assert_eq!(one.room(&levels), SECTOR_SIZE.checked_mul(room));
            assert_eq!(one.beyond(&levels), None);
        }
        let (levels, found) = with_xfs(|levels| levels[1].drbd_device().get() + 1);
        assert_eq!(found[0].level, Some(0), "one sector more");
        assert!(found[0].room(&levels).is_some());
    }

    #[test]
    fn a_file_system_that_is_larger_than_every_device_fits_nowhere() {
        let (levels, found) = with_xfs(|levels| levels[0].drbd_device().get() + 5);
        assert_eq!((found[0].level, found[0].room(&levels)), (None, None));
        assert_eq!(found[0].beyond(&levels), SECTOR_SIZE.checked_mul(5));
    }

    #[test]
    fn an_array_in_the_inner_device_is_found_by_that_device_s_end() {
        let size = Bytes::new(64 << 20);
        let mut image = MemImage::new(size);
        build(&mut image, ImagePos::START, size, &[Planned::v08()]).unwrap();
        let levels = locate(Window::whole(&image), &LocateOptions::default())
            .unwrap()
            .levels;
        let end = levels[0].drbd_device().to_bytes().unwrap();
        let at = end.align_down(Bytes::new(65_536)).get() - 65_536;
        let superblock: Vec<u8> = [0xA92B_4EFC_u32, 0, 90]
            .into_iter()
            .flat_map(u32::to_le_bytes)
            .collect();
        image.write_all_at(ImagePos::new(at), &superblock).unwrap();
        let found = residents(Window::whole(&image), &levels).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].level, Some(0));
    }
}
