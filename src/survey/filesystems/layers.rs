//! What lies between a device and a file system: partitions and volumes.

use std::borrow::Cow;
use std::ops::Range;
use std::rc::Rc;

use super::answer::{Class, Owner, Place, Stretch, Volume};
use super::findings::{Findings, Found, What, overlaps};
use super::names::Names;
use super::{btrfs, ext, lvm, ntfs, xfs};
use crate::error::Result;
use crate::image::Window;
use crate::survey::occupants::{Occupant, OccupantKind, occupants, partitions};
use crate::units::{Bytes, DevPos, SECTOR_SIZE};

/// How deep partitions and volumes are looked for in each other.
const MOST_DEPTH: usize = 8;
/// How many of them are looked at in all.
const MOST_VOLUMES: usize = 4096;

/// What a file system answers of the ranges that it was asked for.
pub(super) struct Answered {
    pub(super) file_system: &'static str,
    pub(super) findings: Findings,
    pub(super) names: Names,
    pub(super) notes: Vec<String>,
}

impl Answered {
    /// One whose inodes have no names.
    pub(super) fn without_names(
        file_system: &'static str,
        findings: Findings,
        notes: Vec<String>,
    ) -> Self {
        Self {
            file_system,
            findings,
            names: Names::new(),
            notes,
        }
    }
}

/// Whose the wanted parts of a device are, in order; `None` where that would be more than `most` pieces.
pub(super) fn answers(
    device: Window<'_>,
    metadata: Option<DevPos>,
    wanted: &[Range<DevPos>],
    most: usize,
    notes: &mut Vec<String>,
) -> Result<Option<Vec<Stretch>>> {
    let mut looking = Looking {
        most,
        notes,
        volumes: MOST_VOLUMES,
        full: false,
    };
    let size = DevPos::at(device.size());
    let end = metadata.unwrap_or(size).min(size);
    let part = |range: Range<DevPos>| -> Vec<_> { overlaps(wanted, &range).collect() };
    let inner = device.shortened(end.from_start()).unwrap_or(device);
    let place = Place::default();
    let mut found = looking.volume(inner, &part(DevPos::START..end), &place)?;
    let behind = part(end..size);
    found.extend(said(
        &behind,
        &Rc::new(place),
        Class::Metadata,
        "DRBD metadata of the inner resource",
    ));
    found.sort_by_key(|stretch| (stretch.range.start, stretch.range.end));
    Ok((!looking.full).then_some(found))
}

/// One look at a device and all that is in it.
pub(super) struct Looking<'n> {
    pub(super) most: usize,
    notes: &'n mut Vec<String>,
    /// How many volumes may still be looked at.
    volumes: usize,
    /// There was more than is kept.
    pub(super) full: bool,
}

impl Looking<'_> {
    /// Whose the wanted parts of a volume are.
    pub(super) fn volume(
        &mut self,
        device: Window<'_>,
        wanted: &[Range<DevPos>],
        place: &Place,
    ) -> Result<Vec<Stretch>> {
        let say = |class, detail| said(wanted, &Rc::new(place.clone()), class, detail);
        if wanted.is_empty() || self.full {
            return Ok(Vec::new());
        }
        let left = self.volumes.checked_sub(1);
        self.volumes = left.unwrap_or(0);
        if left.is_none() || place.volumes.len() > MOST_DEPTH {
            return Ok(say(Class::Unknown, "too many volumes in each other"));
        }
        let Some(occupant) = choose(&occupants(device)?) else {
            return Ok(say(
                Class::Unknown,
                "no file system, volume or partition table that is known begins here",
            ));
        };
        let unknown = |detail| Ok(say(Class::Unknown, detail));
        match occupant.kind {
            OccupantKind::Gpt | OccupantKind::Mbr => {
                self.partitions(device, occupant.kind, wanted, place)
            }
            OccupantKind::Lvm => lvm::answer(self, device, wanted, place),
            OccupantKind::Luks => unknown("encrypted (LUKS)"),
            OccupantKind::Md | OccupantKind::MdAtEnd => unknown("member of an md RAID"),
            _ => self.file_system(device, occupant, wanted, place),
        }
    }

    /// Whose the wanted parts are, where a partition table begins here.
    fn partitions(
        &mut self,
        device: Window<'_>,
        kind: OccupantKind,
        wanted: &[Range<DevPos>],
        place: &Place,
    ) -> Result<Vec<Stretch>> {
        let listed = partitions(device)?;
        let here = Rc::new(place.clone());
        if listed.is_empty() {
            return Ok(said(
                wanted,
                &here,
                Class::Unknown,
                "the partition table lists no partition",
            ));
        }
        let mut found = Vec::new();
        let mut taken = Vec::new();
        for one in listed {
            let Some(end) = one.start.checked_add(one.size) else {
                continue;
            };
            let range = one.start..end;
            let inside: Vec<_> = overlaps(wanted, &range)
                .filter_map(|part| moved(&part, one.start, DevPos::START))
                .collect();
            if let Some(partition) = device.part(one.start, one.size) {
                let place = below(place, Volume::Partition(one.number));
                let answers = self.volume(partition, &inside, &place)?;
                found.extend(
                    answers
                        .into_iter()
                        .filter_map(|stretch| carried(stretch, one.start)),
                );
            }
            taken.push(range);
        }
        let mut rest = Findings::new(wanted.to_vec(), usize::MAX);
        for range in &taken {
            rest.note(range, What::of(Class::Outside, ""));
        }
        for gap in rest.gaps() {
            for (range, class, detail) in around(device.size(), kind) {
                let parts: Vec<_> = overlaps(std::slice::from_ref(&gap), &range).collect();
                found.extend(said(&parts, &here, class, detail));
            }
        }
        Ok(found)
    }

    /// Whose the wanted parts are, where a file system or something like it begins here.
    fn file_system(
        &mut self,
        device: Window<'_>,
        occupant: Occupant,
        wanted: &[Range<DevPos>],
        place: &Place,
    ) -> Result<Vec<Stretch>> {
        let size = DevPos::at(device.size());
        let end = occupant.end.unwrap_or(size).min(size);
        let part = |range: Range<DevPos>| -> Vec<_> { overlaps(wanted, &range).collect() };
        let inside = part(DevPos::START..end);
        let here = Rc::new(place.clone());
        let mut found = said(
            &part(end..size),
            &here,
            Class::Outside,
            "behind the end of the file system",
        );
        if inside.is_empty() {
            return Ok(found);
        }
        let findings = Findings::new(inside.clone(), self.most);
        let answered = match occupant.kind {
            OccupantKind::Ext => ext::answer(device, findings)?,
            OccupantKind::Xfs => xfs::answer(device, findings)?,
            OccupantKind::Btrfs => btrfs::answer(device, findings)?,
            OccupantKind::Ntfs => ntfs::answer(device, findings)?,
            OccupantKind::Swap => {
                let named = named(place, "swap");
                found.extend(said(&inside, &named, Class::Swap, ""));
                return Ok(found);
            }
            _ => Err("not read by this command".to_owned()),
        };
        match answered {
            Ok(answered) => {
                self.full |= answered.findings.is_full();
                if self.full {
                    return Ok(Vec::new());
                }
                for note in &answered.notes {
                    self.note(place, answered.file_system, note);
                }
                found.extend(stretches(answered, place));
            }
            Err(why) => {
                let detail = format!("{}: {why}", occupant.kind);
                found.extend(said(&inside, &here, Class::Unknown, detail));
            }
        }
        Ok(found)
    }

    /// Notes something of a file system, once.
    fn note(&mut self, place: &Place, file_system: &str, note: &str) {
        let volumes = place.volumes.iter().map(|volume| format!("{volume}, "));
        let note = format!("{}{file_system}: {note}", volumes.collect::<String>());
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Who of those that say to live here does.
///
/// A GUID table was written over what was there before. A DOS table that stands with a file system is what a boot sector has, or left over.
fn choose(found: &[Occupant]) -> Option<Occupant> {
    let of = |kind| found.iter().copied().find(|one| one.kind == kind);
    let whole = [
        OccupantKind::Gpt,
        OccupantKind::Luks,
        OccupantKind::Lvm,
        OccupantKind::Md,
    ];
    let first = whole.into_iter().find_map(of);
    let other = || {
        let begins = |one: &&Occupant| one.tail.is_none() && one.kind != OccupantKind::Mbr;
        found.iter().find(begins).copied()
    };
    first.or_else(other).or_else(|| found.first().copied())
}

/// What of a device is the table's, and what is nobody's.
fn around(size: Bytes, kind: OccupantKind) -> Vec<(Range<DevPos>, Class, &'static str)> {
    // A header and 128 entries of 128 bytes; the backup has no protective table before it.
    let (before, behind) = match kind {
        OccupantKind::Gpt => (34, 33),
        _ => (1, 0),
    };
    let sectors = |count| SECTOR_SIZE.checked_mul(count).unwrap_or(size).min(size);
    let first = DevPos::at(sectors(before));
    let end = DevPos::at(size);
    let last = DevPos::at(size.saturating_sub(sectors(behind))).max(first);
    let table = (Class::Metadata, "partition table");
    vec![
        (DevPos::START..first, table.0, table.1),
        (first..last, Class::Outside, "in no partition"),
        (last..end, table.0, table.1),
    ]
}

/// A place within another.
pub(super) fn below(place: &Place, volume: Volume) -> Place {
    let mut place = place.clone();
    place.volumes.push(volume);
    place
}

fn named(place: &Place, file_system: &'static str) -> Rc<Place> {
    Rc::new(Place {
        file_system: Some(file_system),
        ..place.clone()
    })
}

/// A range, counted from somewhere else.
fn moved(range: &Range<DevPos>, from: DevPos, to: DevPos) -> Option<Range<DevPos>> {
    let there = |at: DevPos| to.checked_add(at.bytes_since(from)?);
    Some(there(range.start)?..there(range.end)?)
}

/// A stretch of a volume as one of what the volume begins in, at `start`.
fn carried(stretch: Stretch, start: DevPos) -> Option<Stretch> {
    Some(Stretch {
        range: moved(&stretch.range, DevPos::START, start)?,
        ..stretch
    })
}

/// The same answer for each range.
pub(super) fn said(
    ranges: &[Range<DevPos>],
    place: &Rc<Place>,
    class: Class,
    detail: impl Into<Cow<'static, str>>,
) -> Vec<Stretch> {
    let detail = detail.into();
    let stretch = |range: &Range<DevPos>| Stretch {
        range: range.clone(),
        place: Rc::clone(place),
        class,
        detail: detail.clone(),
        owners: Vec::new(),
        more_owners: 0,
    };
    ranges.iter().map(stretch).collect()
}

/// What a file system found, with names.
fn stretches(answered: Answered, place: &Place) -> Vec<Stretch> {
    let place = named(place, answered.file_system);
    let names = &answered.names;
    let found = answered.findings.stretches().into_iter();
    found
        .flat_map(|found| of_found(found, &place, names))
        .collect()
}

/// One stretch for each kind of owner.
fn of_found(found: Found, place: &Rc<Place>, names: &Names) -> Vec<Stretch> {
    let mut kinds: Vec<Stretch> = Vec::new();
    for what in &found.whats {
        let same = |one: &Stretch| one.class == what.class && one.detail == what.detail;
        let place = || {
            said(
                std::slice::from_ref(&found.range),
                place,
                what.class,
                what.detail,
            )
        };
        if !kinds.iter().any(same) {
            kinds.extend(place());
        }
        let owner = what.inode.map(|inode| Owner {
            inode,
            paths: names.get(&inode).cloned().unwrap_or_default(),
            at: what.at,
        });
        if let Some(kind) = kinds.iter_mut().find(|one| same(one)) {
            kind.owners.extend(owner);
        }
    }
    if let Some(last) = kinds.last_mut() {
        last.more_owners = found.more;
        return kinds;
    }
    said(
        &[found.range],
        place,
        Class::Unknown,
        "in use, and nothing was found that owns it",
    )
}
