//! Adopting a resource: its metadata lies inside an image, and DRBD is to find it where it looks.
//!
//! ```text
//! copied           |<- inner device ->| bitmap | log | sb | … | bitmap | log | sb |     DRBD finds the outer one
//! relocated        |<- inner device ->| …                 | bitmap  |  log  |  sb |
//! truncated        |<- inner device ->| bitmap | log | sb |
//! external         |<- inner device ->| …                       sb | log | bitmap      in a file of its own
//! ```
//!
//! [`strategies`] returns which of these a given disk allows, with the arithmetic. An [`Adoption`] drafts one of them; nothing here writes.

mod adoption;
mod refusal;
mod strategies;

use std::fmt;

pub use adoption::{AdoptOptions, Adoption};
pub use refusal::AdoptRefusal;
pub(in crate::surgery) use strategies::missing;
pub use strategies::{
    CheckResize, Extents, External, Relocation, Truncation, external, meta_device, record,
    relocate, truncate,
};

use crate::error::{Misfit, Result};
use crate::image::Window;
use crate::survey::locate::{Level, Located};
use crate::survey::occupants::{OccupantKind, occupants};
use crate::units::{Bytes, DevPos, Sectors};

/// The disk on which a resource is to be adopted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its size; what the image holds is at its start.
    pub size: Bytes,
    /// The unit in which it can be made smaller, where it is a logical volume.
    pub extent: Option<Bytes>,
}

/// Each way to adopt a resource, or why it does not work here.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Strategies {
    /// The metadata taken out as a dump, and put back at the end of the disk: also where cutting the disk destroys what is there now.
    pub import: Result<Relocation, Obstacle>,
    /// New metadata at the end of the disk, by this program or by drbdmeta's `restore-md`.
    pub relocate: Result<Relocation, Obstacle>,
    /// The disk cut to what the metadata was laid out for.
    pub truncate: Result<Truncation, Obstacle>,
    /// Metadata on a device of its own.
    pub external: Result<External, Obstacle>,
    /// drbdmeta's own move of the metadata after a disk grew.
    pub check_resize: Result<CheckResize, Obstacle>,
}

/// Why a way does not work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Obstacle {
    /// The metadata is on a meta device; its data is elsewhere.
    OtherDevice,
    /// The metadata lies behind the end of the disk as it is to be: once that is cut, nothing is left of it.
    CutOff {
        /// The disk's size then.
        size: Bytes,
    },
    /// drbd-utils up to 9.34.0 shift the bitmap on the way, and lose what is out of sync.
    Shifts,
    /// It is where DRBD looks already.
    AlreadyThere {
        /// Where the superblock is.
        at: DevPos,
    },
    /// The new metadata would begin before the data ends.
    NoRoom {
        /// The DRBD device's size: the data that must stay.
        data: Bytes,
        /// What the new metadata takes.
        metadata: Bytes,
        /// The disk's size.
        size: Bytes,
        /// How much larger it would have to be, about: metadata grows with the disk.
        missing: Bytes,
    },
    /// The disk is smaller than what the metadata was laid out for.
    TooSmall {
        /// What is needed.
        needed: Bytes,
        /// What there is.
        size: Bytes,
    },
    /// No metadata of this geometry has a place there.
    Layout(Misfit),
    /// Other metadata is where drbdmeta looks, so that it never looks for this.
    Hidden {
        /// Where that superblock is.
        by: DevPos,
    },
    /// drbdmeta keeps no such record for this format.
    NotKept,
    /// Something is left of other metadata, where this would be put or taken from its place by mistake.
    Instead {
        /// Where its superblock is, or was.
        at: DevPos,
    },
    /// Somebody lives on the disk who reaches beyond the DRBD device: what is there is not this resource's.
    Occupied {
        /// Who.
        kind: OccupantKind,
        /// Where that says to end.
        end: DevPos,
        /// The DRBD device's size.
        data: Bytes,
    },
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherDevice => {
                f.write_str("the metadata is on a meta device, and the data is elsewhere")
            }
            Self::CutOff { size } => write!(
                f,
                "the metadata lies beyond byte {}: export it first, cut, then import",
                size.get()
            ),
            Self::Shifts => f.write_str(
                "drbd-utils up to 9.34.0 shift the bitmap on this way, because its size changes, and lose what is out of sync",
            ),
            Self::AlreadyThere { at } => {
                write!(
                    f,
                    "the superblock at {at} is where DRBD looks on a disk of this size"
                )
            }
            Self::NoRoom {
                data,
                metadata,
                size,
                missing,
            } => write!(
                f,
                "data of {data} and metadata of {metadata} do not fit into {size}, {missing} are missing"
            ),
            Self::TooSmall { needed, size } => {
                write!(f, "it needs {needed}, and there are {size}")
            }
            Self::Layout(misfit) => write!(f, "{misfit}"),
            Self::Hidden { by } => write!(
                f,
                "drbdmeta finds the superblock at {by} where it looks, and never looks for another"
            ),
            Self::Instead { at } => write!(
                f,
                "what is left of other metadata, with its superblock at {at}, comes first"
            ),
            Self::NotKept => f.write_str("drbdmeta keeps no record of where v07 metadata was"),
            Self::Occupied { kind, end, data } => write!(
                f,
                "{kind}: ends at {end}, expected to end within the {data} of this resource's DRBD device: what lies beyond would be overwritten"
            ),
        }
    }
}

/// Each way to adopt a level on a site; `located` is all that was found around it.
#[must_use]
pub fn strategies(level: &Level, located: &Located, site: Site) -> Strategies {
    let import = relocate(level, site.size);
    let strategies = Strategies {
        check_resize: strategies::check_resize(level, located, site.size, import.as_ref()),
        truncate: truncate(level, site),
        external: strategies::external(level, site.size),
        relocate: import.clone(),
        import: import.clone(),
    };
    let cut = level.layout.index.is_internal() && level.layout.whole.end > DevPos::at(site.size);
    if cut {
        let strategies = strategies.but(Obstacle::CutOff { size: site.size });
        Strategies {
            import,
            ..strategies
        }
    } else {
        strategies
    }
}

impl Strategies {
    /// None of those that would have worked, for one reason.
    #[must_use]
    pub fn but(self, obstacle: Obstacle) -> Self {
        Self {
            import: self.import.and(Err(obstacle)),
            relocate: self.relocate.and(Err(obstacle)),
            truncate: self.truncate.and(Err(obstacle)),
            external: self.external.and(Err(obstacle)),
            check_resize: self.check_resize.and(Err(obstacle)),
        }
    }
}

/// Who lives on the disk, and reaches beyond the DRBD device of `level`: a file system that was made on the outer resource, while metadata
/// that nobody needs any more lies in the middle of it.
///
/// # Errors
///
/// Errors of reading the disk.
pub fn occupied(level: &Level, device: Window<'_>) -> Result<Option<Obstacle>> {
    let data = data(level);
    let beyond = |end: &DevPos| *end > DevPos::at(data);
    let found = occupants(device)?.into_iter().find_map(|occupant| {
        let end = occupant.end.filter(beyond)?;
        let kind = occupant.kind;
        Some(Obstacle::Occupied { kind, end, data })
    });
    Ok(found)
}

/// How many bytes of the disk are data: the DRBD device.
pub(super) fn data(level: &Level) -> Bytes {
    // OK to fall back: a DRBD device lies on a device whose bytes have a number.
    Sectors::to_bytes(level.drbd_device()).unwrap_or(level.device)
}

#[cfg(test)]
mod tests;
