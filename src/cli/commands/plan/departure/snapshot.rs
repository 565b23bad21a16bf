//! Snapshots that a copy is read from.

use crate::cli::commands::plan::departure::names::quoted;

/// Where the copy is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Snapshot {
    /// The disk itself, while it is in use.
    None,
    /// A snapshot of a logical volume.
    Lvm {
        group: String,
        name: String,
        /// It takes its room from its pool.
        thin: bool,
    },
    /// A snapshot of a ZFS volume.
    Zfs(String),
}

impl Snapshot {
    pub(crate) fn lvm(lv: &str, thin: bool) -> anyhow::Result<Self> {
        let name = lv.strip_prefix("/dev/").unwrap_or(lv);
        match name.split_once('/') {
            Some((group, name)) if !group.is_empty() && !name.is_empty() && !name.contains('/') => {
                let (group, name) = (group.to_owned(), name.to_owned());
                Ok(Self::Lvm { group, name, thin })
            }
            _ => anyhow::bail!("--lv: {lv}, expected VG/LV"),
        }
    }

    pub(crate) const fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The device that the snapshot is; `None` where there is none.
    pub(crate) fn device(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Lvm { group, name, .. } => Some(quoted(&format!("/dev/{group}/{name}-truck"))),
            Self::Zfs(volume) => Some(quoted(&format!("/dev/zvol/{volume}@truck"))),
        }
    }

    /// Takes it, and why so.
    pub(crate) fn take(&self) -> Option<(String, &'static str)> {
        match self {
            Self::None => None,
            Self::Lvm { group, name, thin } => {
                let (origin, snapshot) = (quoted(&format!("{group}/{name}")), quoted(&format!("{name}-truck")));
                Some(if *thin {
                    (
                        format!("lvcreate --snapshot --setactivationskip n --name {snapshot} {origin}"),
                        "Keeps the disk as it is now, for the copy. Thin snapshots are not activated by themselves: --setactivationskip n has it activated. What is overwritten from now on takes room in the pool (see lvs).",
                    )
                } else {
                    (
                        format!("lvcreate --snapshot --extents 10%ORIGIN --name {snapshot} {origin}"),
                        "Keeps the disk as it is now, for the copy. It needs room for all that is overwritten until it is removed: make it larger where that is more, since a full one is lost (lvs shows how full it is). A thin volume takes --thin.",
                    )
                })
            }
            Self::Zfs(volume) => {
                let (plain, snapshot) = (quoted(volume), quoted(&format!("{volume}@truck")));
                Some((
                    format!("zfs set snapdev=visible {plain} && zfs snapshot {snapshot}"),
                    "Keeps the disk as it is now, for the copy; snapdev=visible gives the snapshot a device.",
                ))
            }
        }
    }

    /// Removes it.
    pub(crate) fn remove(&self) -> Option<String> {
        match self {
            Self::None => None,
            Self::Lvm { group, name, .. } => Some(format!("lvremove --yes {}", quoted(&format!("{group}/{name}-truck")))),
            Self::Zfs(volume) => Some(format!("zfs destroy {}", quoted(&format!("{volume}@truck")))),
        }
    }
}
