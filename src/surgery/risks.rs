//! What metadata that is written may overwrite: whoever lives on the device, known or unknown.
//!
//! [`unknown_ends`] refuses what would certainly destroy somebody's end, and notes what is doubtful; [`at_risk`] is what a question names.
//! Nobody should go on without having asked it.

mod blank;
mod neighbours;

use std::fmt;
use std::ops::{ControlFlow, Range};

pub(super) use neighbours::foreign;

use crate::error::Result;
use crate::format::layout::MdLayout;
use crate::format::ondisk::SUPERBLOCK_LEN;
use crate::format::superblock::{Format, Superblock};
use crate::image::Window;
use crate::surgery::import::Note;
use crate::surgery::place::{PlaceRefusal, superblocks_at_risk};
use crate::survey::occupants::{Occupant, OccupantKind, occupants};
use crate::transaction::is_attachable;
use crate::units::{Bytes, DevPos};

/// What is overwritten, or may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AtRisk {
    /// Metadata that DRBD would find.
    Metadata {
        /// Its format.
        format: Format,
        /// Where its superblock is.
        at: DevPos,
    },
    /// Somebody's own block at the device's end, which is overwritten.
    Tail {
        /// Whose.
        kind: OccupantKind,
        /// Where that block begins.
        at: DevPos,
    },
    /// Somebody says to live on what is overwritten.
    End {
        /// Who.
        kind: OccupantKind,
        /// Where that says to end.
        end: DevPos,
    },
    /// Somebody lives on the device who does not say up to where.
    UnknownEnd {
        /// Who.
        kind: OccupantKind,
    },
    /// The device is in use by nobody who is known, and it is not blank.
    Unknown {
        /// The first byte that is not zero.
        at: DevPos,
    },
    /// Something that is not zero.
    Data {
        /// The first such byte.
        at: DevPos,
    },
}

impl fmt::Display for AtRisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Metadata { format, at } => {
                write!(f, "{format} metadata with its superblock at {at}")
            }
            Self::Tail { kind, at } => write!(f, "{kind} (its block at {at})"),
            Self::End { kind, end } => write!(f, "{kind} (which ends at {end})"),
            Self::UnknownEnd { kind } => {
                write!(f, "{kind} (which does not say where it ends)")
            }
            Self::Unknown { at } => write!(
                f,
                "something unknown (the disk is not blank at {at}, and nothing on it is recognised)"
            ),
            Self::Data { at } => write!(f, "data from {at} on"),
        }
    }
}

/// Refuses to overwrite the end of whoever lives on the device, and notes who does not say where that is, and whose block at the device's end
/// is overwritten.
///
/// # Errors
///
/// [`PlaceRefusal::Occupied`], [`PlaceRefusal::Disk`], [`PlaceRefusal::Shared`]; errors of reading the device.
pub fn unknown_ends(device: Window<'_>, layout: &MdLayout) -> Result<Vec<Note>> {
    let first = layout.whole.start;
    let mut notes = Vec::new();
    for occupant in occupants(device)? {
        let kind = occupant.kind;
        match occupant.end {
            Some(end) if end > first => {
                return Err(PlaceRefusal::Occupied { kind, end, first }.into());
            }
            // Its beginning, at least, is where the device begins.
            None if first == DevPos::START && occupant.tail.is_none() => {
                let end = DevPos::at(device.size());
                return Err(PlaceRefusal::Occupied { kind, end, first }.into());
            }
            _ => notes.extend(doubt(&occupant, &layout.whole).map(|doubt| match doubt {
                Doubt::Tail(at) => Note::Tail { kind, at },
                Doubt::UnknownEnd => Note::UnknownEnd { kind },
            })),
        }
    }
    neighbours::refuse(device, layout)?;
    Ok(notes)
}

/// Why an area may be somebody's, who does not say so himself.
enum Doubt {
    /// A block of its own at the device's end lies in it.
    Tail(DevPos),
    /// It may reach that far.
    UnknownEnd,
}

/// What `area` may be to somebody whose end is not in it.
fn doubt(occupant: &Occupant, area: &Range<DevPos>) -> Option<Doubt> {
    match occupant.tail {
        // A block that reaches into the area from before is cut off, too.
        Some(at) if at < area.end => {
            let first = at.max(area.start);
            let block = at.checked_add(TAIL_BLOCK).unwrap_or(at);
            (block > first).then_some(Doubt::Tail(at))
        }
        Some(_) => None,
        None => occupant.end.is_none().then_some(Doubt::UnknownEnd),
    }
}

/// The largest block that somebody has at a device's end: a label of ZFS.
const TAIL_BLOCK: Bytes = Bytes::new(256 << 10);

/// Who may lose something where `area` of the device is overwritten, and does not say up to where it reaches.
///
/// # Errors
///
/// Errors of reading the device.
pub fn doubtful(device: Window<'_>, area: &Range<DevPos>) -> Result<Vec<AtRisk>> {
    let found = occupants(device)?;
    Ok(found.iter().filter_map(|one| in_doubt(one, area)).collect())
}

/// The same, and who says to reach into `area`.
///
/// # Errors
///
/// Errors of reading the device.
pub fn reaching(device: Window<'_>, area: &Range<DevPos>) -> Result<Vec<AtRisk>> {
    let found = occupants(device)?
        .into_iter()
        .filter_map(|one| match one.end {
            Some(end) if end > area.start => Some(AtRisk::End {
                kind: one.kind,
                end,
            }),
            _ => in_doubt(&one, area),
        });
    Ok(found.collect())
}

fn in_doubt(occupant: &Occupant, area: &Range<DevPos>) -> Option<AtRisk> {
    let kind = occupant.kind;
    Some(match doubt(occupant, area)? {
        Doubt::Tail(at) => AtRisk::Tail { kind, at },
        Doubt::UnknownEnd => AtRisk::UnknownEnd { kind },
    })
}

/// What metadata at `layout` would overwrite, or may.
///
/// # Errors
///
/// Errors of reading the device.
pub fn at_risk(device: Window<'_>, layout: &MdLayout) -> Result<Vec<AtRisk>> {
    let mut found = Vec::new();
    for at in superblocks_at_risk(device, layout)? {
        let mut block = [0; SUPERBLOCK_LEN];
        device.read_exact_at(at, &mut block)?;
        if is_attachable(&block)
            && let Some(superblock) = Superblock::decode(&block)
        {
            let format = superblock.format();
            found.push(AtRisk::Metadata { format, at });
        }
    }
    let has_metadata = !found.is_empty();
    found.extend(doubtful(device, &layout.whole)?);
    if has_metadata {
        return Ok(found);
    }
    let data = first_data(device, &layout.whole)?;
    found.extend(data.map(|at| AtRisk::Data { at }));
    if found.is_empty() && layout.index.is_internal() && occupants(device)?.is_empty() {
        let first = blank::first_found(device, layout.whole.start)?;
        found.extend(first.map(|at| AtRisk::Unknown { at }));
    }
    Ok(found)
}

/// The first byte of an area that is not zero.
pub(super) fn first_data(device: Window<'_>, area: &Range<DevPos>) -> Result<Option<DevPos>> {
    let end = area.end;
    let mut at = area.start;
    let mut found = None;
    while found.is_none() && at < end {
        let Some(data) = device.next_data(at)? else {
            break;
        };
        let stretch = data.start.min(end)..data.end.min(end);
        device.visit(stretch.clone(), &mut |start, piece| {
            let first = piece.iter().position(|byte| *byte != 0);
            found = first.and_then(|first| start.checked_add(Bytes::of_len(first)));
            found.map_or(ControlFlow::Continue(()), |_| ControlFlow::Break(()))
        })?;
        at = stretch.end;
    }
    Ok(found)
}
