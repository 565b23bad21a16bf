//! LVM2: a physical volume, and the logical volumes that have extents of it.
//!
//! ```text
//! | label | description of the group, a ring of text | extent 0 | extent 1 | …          physical volume
//!                                                       └ linear, striped, copy of a RAID1, data of a thin pool ┐
//!                                                                                       logical volume ┘
//! ```

mod group;
mod label;
mod reader;
mod text;
mod thin;

use std::ops::Range;
use std::rc::Rc;

use super::answer::{Class, Place, Stretch, Volume};
use super::findings::{Findings, What, overlaps};
use super::layers::{Looking, below as in_volume, said};
use super::pieces::{Piece, below, ranges};
use crate::error::Result;
use crate::image::Window;
use crate::units::{Bytes, DevPos, count_of};
use group::{Group, Kind, Role, Segment};
use reader::Volumes;

/// Volumes in volumes in a group.
const MOST_STEPS: u32 = 8;

/// The group that a physical volume belongs to; the error in words.
fn open(device: Window<'_>) -> Result<Result<Group, String>> {
    let Some(label) = label::label(device)? else {
        return Ok(Err("the label is damaged".to_owned()));
    };
    for area in &label.areas {
        let Some(text) = label::description(device, area)? else {
            continue;
        };
        if let Some(group) = std::str::from_utf8(&text)
            .ok()
            .and_then(|text| Group::of(text, label.id))
        {
            return Ok(Ok(group));
        }
    }
    let why = if label.areas.is_empty() {
        "this physical volume has no copy of its group's description"
    } else {
        "no copy of its group's description is whole"
    };
    Ok(Err(why.to_owned()))
}

/// Whose the wanted parts of a physical volume are.
pub(super) fn answer(
    looking: &mut Looking<'_>,
    device: Window<'_>,
    wanted: &[Range<DevPos>],
    place: &Place,
) -> Result<Vec<Stretch>> {
    let here = Rc::new(place.clone());
    let group = match open(device)? {
        Ok(group) => group,
        Err(why) => {
            return Ok(said(
                wanted,
                &here,
                Class::Unknown,
                format!("LVM physical volume: {why}"),
            ));
        }
    };
    let size = DevPos::at(device.size());
    let start = DevPos::at(group.first).min(size);
    let all = group.extent.checked_mul(group.count);
    let end = all
        .and_then(|all| start.checked_add(all))
        .unwrap_or(size)
        .min(size);
    let part = |range: Range<DevPos>| -> Vec<_> { overlaps(wanted, &range).collect() };
    let mut found = said(
        &part(DevPos::START..start),
        &here,
        Class::Metadata,
        "LVM label and metadata",
    );
    found.extend(said(
        &part(end..size),
        &here,
        Class::Outside,
        "behind the last extent of the physical volume",
    ));
    let inside = part(start..end);
    let mut taken = Findings::new(inside.clone(), usize::MAX);
    let mut climb = Climb {
        volumes: Volumes {
            device,
            group: &group,
        },
        place,
        looking,
        found,
    };
    for (number, volume) in group.volumes.iter().enumerate() {
        let mut pieces = Vec::new();
        for segment in &volume.segments {
            climb.pieces(segment, &inside, &mut taken, &mut pieces);
        }
        if !climb.looking.full {
            climb.volume(number, &pieces, MOST_STEPS)?;
        }
    }
    let mut found = climb.found;
    let detail = format!("not allocated to a logical volume of {}", group.name);
    found.extend(said(&taken.gaps(), &here, Class::Free, detail));
    Ok(found)
}

/// The way from extents up to volumes that somebody uses.
struct Climb<'c, 'n, 'a> {
    volumes: Volumes<'a>,
    place: &'c Place,
    looking: &'c mut Looking<'n>,
    found: Vec<Stretch>,
}

impl Climb<'_, '_, '_> {
    /// The wanted pieces of a segment that has extents of this disk.
    fn pieces(
        &mut self,
        segment: &Segment,
        wanted: &[Range<DevPos>],
        taken: &mut Findings,
        pieces: &mut Vec<Piece>,
    ) {
        let Kind::Striped { areas, stripe } = &segment.kind else {
            return;
        };
        let group = self.volumes.group;
        let each = count_of(areas.len()).max(1);
        for (turn, area) in (0_u64..).zip(areas) {
            let range = area.and_then(|first| {
                let start = group.position(first)?;
                let len = group.extent.checked_mul(segment.count.checked_div(each)?)?;
                Some(start..start.checked_add(len)?)
            });
            let Some(range) = range else {
                continue;
            };
            taken.note(&range, What::of(Class::File, ""));
            let at = group.extent.checked_mul(segment.start);
            let stripes = Stripes {
                start: at.unwrap_or(Bytes::ZERO),
                area: range.start,
                each,
                turn,
                stripe: if each == 1 { None } else { Some(*stripe) },
            };
            for part in overlaps(wanted, &range) {
                if !stripes.cut(&part, self.looking.most, pieces) {
                    self.looking.full = true;
                    return;
                }
            }
        }
    }

    /// Answers pieces of a volume.
    fn volume(&mut self, number: usize, pieces: &[Piece], steps: u32) -> Result<()> {
        let group = self.volumes.group;
        let (Some(volume), false) = (group.volumes.get(number), pieces.is_empty()) else {
            return Ok(());
        };
        let place = in_volume(
            self.place,
            Volume::Logical(format!("{}/{}", group.name, volume.name)),
        );
        let wanted = ranges(pieces, self.volumes.size(number));
        let say = |class, detail: &str| {
            let answers = said(&wanted, &Rc::new(place.clone()), class, detail.to_owned());
            below(&answers, pieces)
        };
        let Some(fewer) = steps.checked_sub(1) else {
            self.found.extend(say(
                Class::Unknown,
                "too many logical volumes in each other",
            ));
            return Ok(());
        };
        match volume.role {
            Role::Own(what) => self.found.extend(say(Class::Metadata, what)),
            Role::Part { of, start } => {
                let further = group.extent.checked_mul(start);
                let moved = pieces.iter().filter_map(|piece| {
                    let at = piece.volume.start.checked_add(further?)?;
                    Piece::new(at, piece.below, crate::units::range_len(&piece.volume))
                });
                let moved: Vec<_> = moved.collect();
                self.volume(of, &moved, fewer)?;
            }
            Role::PoolData(pool) => self.pool(pool, pieces, &place)?,
            Role::Top => match self.volumes.reader(number) {
                Ok(reader) => {
                    let answers = self
                        .looking
                        .volume(Window::whole(&reader), &wanted, &place)?;
                    self.found.extend(below(&answers, pieces));
                }
                Err(why) => self.found.extend(say(Class::Unknown, &why)),
            },
        }
        Ok(())
    }

    /// Answers pieces of a thin pool's data.
    fn pool(&mut self, pool: usize, pieces: &[Piece], place: &Place) -> Result<()> {
        let group = self.volumes.group;
        let wanted = ranges(pieces, self.volumes.pool_size(pool));
        let here = Rc::new(place.clone());
        let opened = match self.volumes.pool(pool) {
            Ok(opened) => opened,
            Err(why) => {
                let answers = said(&wanted, &here, Class::Unknown, why);
                self.found.extend(below(&answers, pieces));
                return Ok(());
            }
        };
        let devices = match thin::devices(&opened, &wanted, self.looking.most)? {
            Ok(devices) => devices,
            Err(thin::Trouble::Full) => {
                self.looking.full = true;
                return Ok(());
            }
            Err(thin::Trouble::Damaged(why)) => {
                let answers = said(&wanted, &here, Class::Unknown, why);
                self.found.extend(below(&answers, pieces));
                return Ok(());
            }
        };
        let mut taken = Findings::new(wanted, usize::MAX);
        for device in &devices {
            for piece in &device.pieces {
                if let Some(end) = piece
                    .below
                    .checked_add(crate::units::range_len(&piece.volume))
                {
                    taken.note(&(piece.below..end), What::of(Class::File, ""));
                }
            }
            let answers = self.device(pool, device, &opened, place)?;
            self.found
                .extend(below(&below(&answers, &device.pieces), pieces));
        }
        let free = format!("not allocated in a thin pool of {}", group.name);
        let answers = said(&taken.gaps(), &here, Class::Free, free);
        self.found.extend(below(&answers, pieces));
        Ok(())
    }

    /// Answers what is wanted of one device of a pool.
    fn device(
        &mut self,
        pool: usize,
        device: &thin::Device,
        opened: &reader::Pool<'_>,
        place: &Place,
    ) -> Result<Vec<Stretch>> {
        let group = self.volumes.group;
        let Some((number, size)) = self.volumes.thin(pool, device.number) else {
            let wanted = ranges(&device.pieces, Bytes::new(u64::MAX));
            let detail = format!(
                "thin device {}, which the volume group does not list",
                device.number
            );
            return Ok(said(
                &wanted,
                &Rc::new(place.clone()),
                Class::Unknown,
                detail,
            ));
        };
        let name = group.volumes.get(number).map_or("", |volume| &volume.name);
        let place = in_volume(
            self.place,
            Volume::Logical(format!("{}/{name}", group.name)),
        );
        let reader = thin::Reader::new(opened, device.root, size);
        self.looking.volume(
            Window::whole(&reader),
            &ranges(&device.pieces, size),
            &place,
        )
    }
}

/// How an area of a physical volume lies in a logical volume.
struct Stripes {
    /// Where the segment begins in the logical volume.
    start: Bytes,
    area: DevPos,
    /// How many areas take turns, and which of them this is.
    each: u64,
    turn: u64,
    /// Bytes of a turn; `None` where there is one area.
    stripe: Option<Bytes>,
}

impl Stripes {
    /// Adds the pieces of `part`, which lies in the area; `false` where that would be too many.
    fn cut(&self, part: &Range<DevPos>, most: usize, pieces: &mut Vec<Piece>) -> bool {
        let mut at = part.start;
        while at < part.end {
            if pieces.len() >= most {
                return false;
            }
            let Some((volume, len)) = self.place(at, part.end) else {
                return true;
            };
            pieces.extend(Piece::new(volume, at, len));
            match at.checked_add(len) {
                Some(next) if next > at => at = next,
                _ => return true,
            }
        }
        true
    }

    /// Where a position of the area lies in the logical volume, and how far both go on alike.
    fn place(&self, at: DevPos, end: DevPos) -> Option<(DevPos, Bytes)> {
        let into = at.bytes_since(self.area)?;
        let left = end.bytes_since(at)?;
        let Some(stripe) = self.stripe else {
            let place = self.start.checked_add(into)?;
            return Some((DevPos::at(place), left));
        };
        let round = into.whole_units(stripe);
        let before = stripe.checked_mul(round.checked_mul(self.each)?.checked_add(self.turn)?)?;
        let within = into.checked_sub(into.align_down(stripe))?;
        let place = self.start.checked_add(before)?.checked_add(within)?;
        Some((DevPos::at(place), stripe.checked_sub(within)?.min(left)))
    }
}
