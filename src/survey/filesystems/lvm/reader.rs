//! Logical volumes as something that can be read.

use std::ops::{ControlFlow, Range};

use super::group::{Group, Kind};
use crate::error::{IoError, IoOp, Result};
use crate::image::{ReadAt, Window, visit_by_reading};
use crate::units::{Bytes, DevPos, ImagePos, count_of};

/// Volumes that are made of others, which are made of others.
const MOST_STEPS: u32 = 4;

/// Consecutive bytes of a volume that lie on this disk.
#[derive(Clone, Debug)]
struct Extent {
    /// Where they begin in the volume.
    start: Bytes,
    len: Bytes,
    /// Where they lie; several take turns of `stripe` bytes.
    areas: Vec<DevPos>,
    stripe: Bytes,
}

/// The volumes of a group, on one of its disks.
#[derive(Clone, Copy)]
pub(super) struct Volumes<'a> {
    pub(super) device: Window<'a>,
    pub(super) group: &'a Group,
}

/// A volume all of which is on this disk.
pub(super) struct Reader<'a> {
    device: Window<'a>,
    extents: Vec<Extent>,
    size: Bytes,
}

/// A thin pool all of which is on this disk.
pub(super) struct Pool<'a> {
    pub(super) metadata: Reader<'a>,
    pub(super) data: Reader<'a>,
    pub(super) block: Bytes,
}

impl<'a> Volumes<'a> {
    /// The size of a volume.
    pub(super) fn size(&self, number: usize) -> Bytes {
        let segments = self
            .group
            .volumes
            .get(number)
            .map(|volume| volume.segments.as_slice());
        let ends = segments.unwrap_or_default().iter();
        let end = ends
            .map(|segment| segment.start.saturating_add(segment.count))
            .max();
        self.group.extent.saturating_mul(end.unwrap_or(0))
    }

    /// A volume; the error in words where it cannot be read from this disk alone.
    pub(super) fn reader(&self, number: usize) -> Result<Reader<'a>, String> {
        let size = self.size(number);
        let extents = self.extents(number, MOST_STEPS)?;
        if !self.cover(&extents, size) {
            return Err("its description contradicts itself".to_owned());
        }
        Ok(Reader {
            device: self.device,
            extents,
            size,
        })
    }

    /// Whether every byte of a volume of `size` is there, once.
    fn cover(&self, extents: &[Extent], size: Bytes) -> bool {
        let mut at = Some(Bytes::ZERO);
        for extent in extents {
            let count = count_of(extent.areas.len()).max(1);
            let each = Bytes::new(extent.len.get().checked_div(count).unwrap_or(0));
            let ends = extent.areas.iter().map(|area| area.checked_add(each));
            let on_disk = ends
                .into_iter()
                .all(|end| end.is_some_and(|end| end.from_start() <= self.device.size()));
            let rounds = count == 1
                || (extent.stripe > Bytes::ZERO && each == each.align_down(extent.stripe));
            if at != Some(extent.start) || !on_disk || !rounds {
                return false;
            }
            at = extent.start.checked_add(extent.len);
        }
        at == Some(size)
    }

    fn extents(&self, number: usize, steps: u32) -> Result<Vec<Extent>, String> {
        let nonsense = || "its description contradicts itself".to_owned();
        let fewer = steps.checked_sub(1).ok_or_else(nonsense)?;
        let volume = self.group.volumes.get(number).ok_or_else(nonsense)?;
        let mut extents = Vec::new();
        for segment in &volume.segments {
            let bytes = |count| self.group.extent.checked_mul(count).ok_or_else(nonsense);
            let (start, len) = (bytes(segment.start)?, bytes(segment.count)?);
            match &segment.kind {
                Kind::Striped { areas, stripe } => {
                    let position = |area: &Option<u64>| {
                        let extent = area.ok_or("parts of it are on other disks")?;
                        self.group
                            .position(extent)
                            .ok_or("its description contradicts itself")
                    };
                    extents.push(Extent {
                        start,
                        len,
                        areas: areas.iter().map(position).collect::<Result<_, _>>()?,
                        stripe: *stripe,
                    });
                }
                Kind::Raid1 { images } => {
                    let copies = images.iter().map(|image| self.extents(*image, fewer));
                    let whole = copies.reduce(Result::or);
                    let moved = |extent: Extent| {
                        let start = start.checked_add(extent.start).ok_or_else(nonsense)?;
                        Ok::<_, String>(Extent { start, ..extent })
                    };
                    for extent in whole.ok_or_else(nonsense)?? {
                        extents.push(moved(extent)?);
                    }
                }
                Kind::Other(kind) => {
                    return Err(format!("LVM segments of type {kind} are not resolved"));
                }
                Kind::Thin { .. } | Kind::ThinPool { .. } => return Err(nonsense()),
            }
        }
        extents.sort_by_key(|extent| extent.start);
        Ok(extents)
    }

    fn pool_parts(&self, pool: usize) -> Option<(usize, usize, Bytes)> {
        let segments = &self.group.volumes.get(pool)?.segments;
        segments.iter().find_map(|segment| match segment.kind {
            Kind::ThinPool {
                metadata,
                data,
                block,
            } => Some((metadata, data, block)),
            _ => None,
        })
    }

    /// The size of a pool's data.
    pub(super) fn pool_size(&self, pool: usize) -> Bytes {
        let parts = self.pool_parts(pool);
        parts.map_or(Bytes::ZERO, |(_, data, _)| self.size(data))
    }

    /// A thin pool; the error in words.
    pub(super) fn pool(&self, pool: usize) -> Result<Pool<'a>, String> {
        let (metadata, data, block) = self
            .pool_parts(pool)
            .ok_or("the thin pool's description contradicts itself")?;
        let of_pool = |why: String| format!("thin pool: {why}");
        Ok(Pool {
            metadata: self.reader(metadata).map_err(of_pool)?,
            data: self.reader(data).map_err(of_pool)?,
            block,
        })
    }

    /// The volume that is a device of a pool, and its size.
    pub(super) fn thin(&self, pool: usize, device: u64) -> Option<(usize, Bytes)> {
        let is = |kind: &Kind| matches!(kind, Kind::Thin { pool: of, device: number } if *of == pool && *number == device);
        let number = self
            .group
            .volumes
            .iter()
            .position(|volume| volume.segments.iter().any(|segment| is(&segment.kind)))?;
        Some((number, self.size(number)))
    }
}

impl Reader<'_> {
    /// Where a position lies on the disk, and how far both go on alike; `None` where the volume has nothing there.
    fn place(&self, at: Bytes) -> Option<(DevPos, Bytes)> {
        let next = self.extents.partition_point(|extent| extent.start <= at);
        let extent = self.extents.get(next.checked_sub(1)?)?;
        let into = at.checked_sub(extent.start)?;
        let left = extent
            .len
            .checked_sub(into)
            .filter(|left| *left > Bytes::ZERO)?;
        let count = u64::try_from(extent.areas.len()).ok()?;
        if count <= 1 {
            return Some((extent.areas.first()?.checked_add(into)?, left));
        }
        let stripe = into.whole_units(extent.stripe);
        let within = into.checked_sub(into.align_down(extent.stripe))?;
        let (round, turn) = (stripe.checked_div(count)?, stripe.checked_rem(count)?);
        let area = extent.areas.get(usize::try_from(turn).ok()?)?;
        let before = extent.stripe.checked_mul(round)?.checked_add(within)?;
        Some((
            area.checked_add(before)?,
            extent.stripe.checked_sub(within)?.min(left),
        ))
    }
}

impl ReadAt for Reader<'_> {
    fn size(&self) -> Bytes {
        self.size
    }

    fn read_exact_at(&self, at: ImagePos, buf: &mut [u8]) -> Result<()> {
        let mut done = 0_usize;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let position = at.from_start().checked_add(Bytes::of_len(done));
            let Some((place, len)) = position.and_then(|position| self.place(position)) else {
                return Err(nothing_there(at, rest.len()));
            };
            let len = len.at_most(rest.len());
            if let Some(part) = rest.get_mut(..len) {
                self.device.read_exact_at(place, part)?;
            }
            done = done.saturating_add(len);
        }
        Ok(())
    }

    fn next_data(&self, from: ImagePos) -> Result<Option<Range<ImagePos>>> {
        let end = ImagePos::at(self.size);
        Ok((from < end).then_some(from..end))
    }

    fn visit(
        &self,
        range: Range<ImagePos>,
        visit: &mut dyn FnMut(ImagePos, &[u8]) -> ControlFlow<()>,
    ) -> Result<()> {
        visit_by_reading(self, range, visit)
    }
}

/// The answer to a read where a logical volume has nothing.
pub(super) fn nothing_there(at: ImagePos, len: usize) -> crate::error::Error {
    let why = std::io::Error::new(
        std::io::ErrorKind::InvalidInput,
        "the logical volume has nothing there",
    );
    IoError::at(IoOp::Read, at, Bytes::of_len(len), why).into()
}
