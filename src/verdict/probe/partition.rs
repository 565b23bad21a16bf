//! Metadata of a partition, found in the image of a whole disk.

use super::prober::Prober;
use super::{Answer, ProbeOptions, Probed, Status, Unseen};
use crate::error::Result;
use crate::survey::locate::{FoundBy, IndexChoice, Located, to_look_at};
use crate::survey::occupants::Partition;
use crate::units::DevPos;

/// A partition that has metadata of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InPartition {
    /// Which.
    pub partition: Partition,
    /// What the partition alone comes to; positions count from its start.
    pub inside: Probed,
    /// The other partitions that have metadata, too.
    pub others: Vec<Partition>,
}

impl InPartition {
    /// What that is on the whole device: not where DRBD looks on it.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.inside.own_status() {
            bad @ (Status::Damaged | Status::Error) => bad,
            _ => Status::Moved,
        }
    }
}

impl Prober<'_> {
    /// The first partition that has metadata, where the device has none in its place.
    ///
    /// What a search found without knowing of partitions is that partition's, too, if it is the same superblock.
    pub(super) fn in_partitions(&self, located: &Located) -> Result<Option<Probed>> {
        let found = match located.levels.first() {
            _ if self.nested => return Ok(None),
            None => None,
            Some(level) if level.found_by == FoundBy::Scan => Some(level.layout.md),
            Some(_) => return Ok(None),
        };
        let mut first: Option<InPartition> = None;
        for (partition, device, scan) in to_look_at(self.device, self.options.scan)? {
            // Of one that is known to have metadata nobody says that there is none: it is searched for where that lies.
            let known = located.partitions.contains(&partition);
            let options = ProbeOptions {
                index: IndexChoice::Auto,
                scan: if known { self.options.scan } else { scan },
                at: None,
                ..self.options
            };
            let inside = Prober {
                device,
                options,
                nested: true,
            };
            let inside = inside.look()?;
            let nothing = match inside.answer {
                // Only the one that was asked about is not there.
                Answer::None(_) => inside.located.levels.is_empty(),
                Answer::Unseen(why) => !matches!(why, Unseen::DataElsewhere),
                _ => false,
            };
            let same = found.is_none_or(|found| place(&partition, &inside) == Some(found));
            match &mut first {
                Some(first) if !nothing => first.others.push(partition),
                None if !nothing && same => {
                    let others = Vec::new();
                    first = Some(InPartition {
                        partition,
                        inside,
                        others,
                    });
                }
                _ => {}
            }
        }
        Ok(first.map(|one| {
            let all = std::iter::once(one.partition).chain(one.others.iter().copied());
            let located = Located {
                searched: located.searched,
                partitions: all.collect(),
                ..Located::default()
            };
            Probed::of(Answer::InPartition(Box::new(one)), located)
        }))
    }
}

/// Where a partition's superblock is on the whole device.
fn place(partition: &Partition, inside: &Probed) -> Option<DevPos> {
    let md = inside.level()?.layout.md;
    partition.start.checked_add(md.from_start())
}
