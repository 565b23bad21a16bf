//! Metadata of a device that something on the disk holds.

use super::prober::Prober;
use super::{Answer, ProbeOptions, Probed, Status};
use crate::error::Result;
use crate::survey::base::Inside;
use crate::survey::locate::{IndexChoice, Located};

/// A device inside another that has metadata of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Held {
    /// What holds it, and where it begins, where that is known.
    pub inside: Inside,
    /// What it comes to alone, where it begins somewhere; positions count from its start.
    pub probed: Option<Probed>,
    /// The other devices on it that have metadata, too.
    pub others: Vec<Inside>,
}

impl Held {
    /// What that is on the whole device: not where DRBD looks on it.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.probed.as_ref().map(Probed::own_status) {
            Some(bad @ (Status::Damaged | Status::Error)) => bad,
            _ => Status::Moved,
        }
    }
}

impl Prober<'_> {
    /// The first device that something on this one holds, where the device has no metadata of its own.
    pub(super) fn held(&self, located: &Located) -> Result<Option<Probed>> {
        let Some((inside, others)) = located.inside.split_first() else {
            return Ok(None);
        };
        if !located.levels.is_empty() {
            return Ok(None);
        }
        let device = inside
            .place
            .and_then(|(start, size)| self.device.part(start, size));
        let options = ProbeOptions {
            index: IndexChoice::Auto,
            at: None,
            ..self.options
        };
        let looker = device.map(|device| Prober {
            device,
            options,
            nested: true,
        });
        let probed = looker.map(|looker| looker.look()).transpose()?;
        let held = Held {
            inside: *inside,
            probed,
            others: others.to_vec(),
        };
        let located = Located {
            searched: located.searched,
            inside: located.inside.clone(),
            ..Located::default()
        };
        Ok(Some(Probed::of(Answer::Held(Box::new(held)), located)))
    }
}
