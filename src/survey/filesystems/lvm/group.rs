//! A volume group, as one of its physical volumes describes it.

use std::collections::HashMap;

use super::text::{Section, Value, parse};
use crate::units::{Bytes, DevPos, Sectors};

/// Logical volumes of a group that are looked at.
const MOST_VOLUMES: usize = 65_536;

/// What a volume's segment is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Extents of physical volumes, in turns of `stripe` bytes where there are several: `None` for those of another disk.
    Striped {
        areas: Vec<Option<u64>>,
        stripe: Bytes,
    },
    /// Whole copies, each a logical volume.
    Raid1 { images: Vec<usize> },
    /// Blocks of a pool; the pool, and the number of the device in it.
    Thin { pool: usize, device: u64 },
    /// A pool: where it has its own data, the data of its devices, and how large blocks are.
    ThinPool {
        metadata: usize,
        data: usize,
        block: Bytes,
    },
    /// Of a type that is not resolved.
    Other(String),
}

/// Consecutive extents of a logical volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Segment {
    /// The first, counted from the volume's start.
    pub(super) start: u64,
    pub(super) count: u64,
    pub(super) kind: Kind,
}

/// What a logical volume is to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Its own.
    Top,
    /// Data of a segment of another: that volume, and where the segment begins there.
    Part { of: usize, start: u64 },
    /// The data of a pool.
    PoolData(usize),
    /// What LVM or the kernel keeps, in words.
    Own(&'static str),
}

/// A logical volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) segments: Vec<Segment>,
    pub(super) role: Role,
}

/// A volume group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) extent: Bytes,
    /// Where the extents begin on our physical volume, and how many it has.
    pub(super) first: Bytes,
    pub(super) count: u64,
    pub(super) volumes: Vec<Volume>,
}

impl Group {
    /// Where an extent of our physical volume begins.
    pub(super) fn position(&self, extent: u64) -> Option<DevPos> {
        let before = self.extent.checked_mul(extent)?;
        DevPos::at(self.first).checked_add(before)
    }

    /// The group that a text describes, seen from the physical volume of that identifier; `None` where it contradicts itself.
    pub(super) fn of(text: &str, id: [u8; 32]) -> Option<Self> {
        let text = parse(text)?;
        let (name, group) = text.sections().next()?;
        let extent = Sectors::new(group.number("extent_size")?).to_bytes()?;
        if extent == Bytes::ZERO {
            return None;
        }
        let disks = group.section("physical_volumes")?;
        let same = |disk: &Section<'_>| {
            let text = disk.text("id").unwrap_or_default();
            text.bytes().filter(|sign| *sign != b'-').eq(id)
        };
        let (own, disk) = disks.sections().find(|(_, disk)| same(disk))?;
        let empty = Section::default();
        let listed = group.section("logical_volumes").unwrap_or(&empty);
        let listed: Vec<_> = listed.sections().take(MOST_VOLUMES).collect();
        let numbers: HashMap<&str, usize> = listed.iter().map(|(name, _)| *name).zip(0..).collect();
        let reader = Reader { own, numbers };
        let mut volumes = listed
            .iter()
            .map(|(name, section)| {
                Some(Volume {
                    name: (*name).to_owned(),
                    segments: reader.segments(section)?,
                    role: Role::Top,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        for (number, (_, section)) in listed.iter().enumerate() {
            reader.give_roles(number, section, &mut volumes);
        }
        Some(Self {
            name: name.to_owned(),
            extent,
            first: Sectors::new(disk.number("pe_start")?).to_bytes()?,
            count: disk.number("pe_count")?,
            volumes,
        })
    }
}

/// What is needed to read the volumes of a group.
struct Reader<'t> {
    /// Our physical volume's name in the text.
    own: &'t str,
    /// The logical volumes' numbers.
    numbers: HashMap<&'t str, usize>,
}

impl Reader<'_> {
    fn segments(&self, volume: &Section<'_>) -> Option<Vec<Segment>> {
        let sections = volume
            .sections()
            .filter(|(name, _)| name.starts_with("segment"));
        let mut segments = sections
            .map(|(_, section)| {
                Some(Segment {
                    start: section.number("start_extent")?,
                    count: section.number("extent_count")?,
                    kind: self.kind(section)?,
                })
            })
            .collect::<Option<Vec<_>>>()?;
        segments.sort_by_key(|segment| segment.start);
        Some(segments)
    }

    fn volume(&self, section: &Section<'_>, key: &str) -> Option<usize> {
        self.numbers.get(section.text(key)?).copied()
    }

    fn kind(&self, section: &Section<'_>) -> Option<Kind> {
        let kind = section.text("type")?;
        // A flag may follow the type's name.
        let kind = kind.split_once('+').map_or(kind, |(kind, _)| kind);
        let other = || Kind::Other(kind.to_owned());
        Some(match kind {
            "striped" | "linear" => {
                let stripe = section.number("stripe_size").unwrap_or(0);
                let areas = self.areas(section.list("stripes"))?;
                let stripe = Sectors::new(stripe).to_bytes()?;
                if areas.is_empty() || (areas.len() > 1 && stripe == Bytes::ZERO) {
                    return None;
                }
                Kind::Striped { areas, stripe }
            }
            "raid1" => Kind::Raid1 {
                images: self.images(section, 1),
            },
            "thin" => match (
                self.volume(section, "thin_pool"),
                section.number("device_id"),
            ) {
                (Some(pool), Some(device)) if section.get("external_origin").is_none() => {
                    Kind::Thin { pool, device }
                }
                _ => other(),
            },
            "thin-pool" => Kind::ThinPool {
                metadata: self.volume(section, "metadata")?,
                data: self.volume(section, "pool")?,
                block: Sectors::new(section.number("chunk_size")?).to_bytes()?,
            },
            _ => other(),
        })
    }

    /// Names of physical volumes and their extents in turns.
    fn areas(&self, list: &[Value<'_>]) -> Option<Vec<Option<u64>>> {
        let area = |pair: &[Value<'_>]| match pair {
            [Value::Text(disk), Value::Number(extent)] => {
                Some((*disk == self.own).then_some(*extent))
            }
            _ => None,
        };
        list.chunks(2).map(area).collect()
    }

    /// The volumes of `raids`, which has the metadata of each copy before its data.
    fn images(&self, section: &Section<'_>, which: usize) -> Vec<usize> {
        let names = section.list("raids").iter().skip(which).step_by(2);
        names
            .filter_map(|name| match name {
                Value::Text(name) => self.numbers.get(name).copied(),
                _ => None,
            })
            .collect()
    }

    /// Tells the volumes that this one is made of what they are to it.
    fn give_roles(&self, number: usize, volume: &Section<'_>, volumes: &mut [Volume]) {
        let mut give = |which: Option<usize>, role: Role| {
            if let Some(volume) = which.and_then(|which| volumes.get_mut(which)) {
                volume.role = role;
            }
        };
        for (_, section) in volume.sections() {
            let start = section.number("start_extent").unwrap_or(0);
            let part = Role::Part { of: number, start };
            match section.text("type").unwrap_or_default() {
                "striped" | "linear" | "thin" => {}
                "thin-pool" => {
                    give(
                        self.volume(section, "metadata"),
                        Role::Own("metadata of a thin pool"),
                    );
                    give(self.volume(section, "pool"), Role::PoolData(number));
                }
                "snapshot" => give(
                    self.volume(section, "cow_store"),
                    Role::Own("changed blocks of a snapshot"),
                ),
                kind if kind.starts_with("raid") => {
                    for meta in self.images(section, 0) {
                        give(Some(meta), Role::Own("metadata of a RAID"));
                    }
                    for image in self.images(section, 1) {
                        give(Some(image), part);
                    }
                }
                // Whatever it is made of is not ours to understand.
                _ => {
                    let values = section.0.iter().map(|(_, value)| value);
                    for name in values.flat_map(names) {
                        let other = self
                            .numbers
                            .get(name)
                            .copied()
                            .filter(|other| *other != number);
                        give(other, part);
                    }
                }
            }
        }
        if let Some(volume) = volumes.get_mut(number)
            && volume.name.ends_with("_pmspare")
        {
            volume.role = Role::Own("room to repair a pool");
        }
    }
}

/// The texts in a value.
fn names<'t>(value: &Value<'t>) -> Vec<&'t str> {
    match value {
        Value::Text(text) => vec![text],
        Value::List(list) => list.iter().flat_map(names).collect(),
        Value::Number(_) | Value::Section(_) => Vec::new(),
    }
}
