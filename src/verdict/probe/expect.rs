//! What the caller expects of metadata, and where it says something else.

use std::fmt;

use crate::format::superblock::{Format, Uuid};
use crate::survey::locate::Level;
use crate::units::{Bytes, NodeId, Sectors};

/// What metadata should say; `None` where it may say anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// The identifier of this device's metadata.
    pub device_uuid: Option<Uuid>,
    /// The generation of its data; bit 0, whether the node was Primary, does not count.
    pub current_uuid: Option<Uuid>,
    /// The node's number.
    pub node_id: Option<NodeId>,
    /// The size of the DRBD device.
    pub size: Option<Bytes>,
    /// The format.
    pub format: Option<Format>,
}

/// One thing that is not as expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Difference {
    /// The identifier of this device's metadata.
    DeviceUuid {
        /// The one found; v07 has none.
        found: Option<Uuid>,
        /// The one expected.
        expected: Uuid,
    },
    /// The generation of its data.
    CurrentUuid {
        /// The one found; v07 has none.
        found: Option<Uuid>,
        /// The one expected.
        expected: Uuid,
    },
    /// The node's number.
    NodeId {
        /// The one found, −1 where it is not set; none before v09.
        found: Option<i32>,
        /// The one expected.
        expected: NodeId,
    },
    /// The size of the DRBD device.
    Size {
        /// The one found, where it is known.
        found: Option<Bytes>,
        /// The one expected.
        expected: Bytes,
    },
    /// The format.
    Format {
        /// The one found.
        found: Format,
        /// The one expected.
        expected: Format,
    },
}

impl Expect {
    /// Everything that a resource's metadata says otherwise.
    pub(super) fn differences(&self, level: &Level) -> Vec<Difference> {
        let superblock = &level.superblock;
        let mut differences = Vec::new();
        if let Some(expected) = self.format
            && superblock.format() != expected
        {
            let found = superblock.format();
            differences.push(Difference::Format { found, expected });
        }
        if let Some(expected) = self.device_uuid
            && superblock.device_uuid() != Some(expected)
        {
            let found = superblock.device_uuid();
            differences.push(Difference::DeviceUuid { found, expected });
        }
        let found = superblock.current_uuid();
        if let Some(expected) = self.current_uuid
            && !found.is_some_and(|uuid| uuid.same_generation(expected))
        {
            differences.push(Difference::CurrentUuid { found, expected });
        }
        let found = superblock.node_id();
        if let Some(expected) = self.node_id
            && found != Some(i32::from(expected.get()))
        {
            differences.push(Difference::NodeId { found, expected });
        }
        let found = level.known_drbd_device().and_then(Sectors::to_bytes);
        if let Some(expected) = self.size
            && found != Some(expected)
        {
            differences.push(Difference::Size { found, expected });
        }
        differences
    }
}

impl Difference {
    /// The name of what differs, as the JSON output has it.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::DeviceUuid { .. } => "device_uuid",
            Self::CurrentUuid { .. } => "current_uuid",
            Self::NodeId { .. } => "node_id",
            Self::Size { .. } => "device_bytes",
            Self::Format { .. } => "format",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DeviceUuid { found, expected } => {
                write!(f, "device UUID is {}, expected {expected}", said(*found))
            }
            Self::CurrentUuid { found, expected } => {
                write!(f, "current UUID is {}, expected {expected}", said(*found))
            }
            Self::NodeId { found, expected } => {
                let expected = expected.get();
                write!(f, "node-id is {}, expected {expected}", said(*found))
            }
            Self::Size {
                found: Some(found),
                expected,
            } => write!(f, "DRBD device has {found}, expected {expected}"),
            Self::Size {
                found: None,
                expected,
            } => write!(
                f,
                "DRBD device has a size that is not known, expected {expected}"
            ),
            Self::Format { found, expected } => {
                write!(f, "format is {found}, expected {expected}")
            }
        }
    }
}

/// A value, or that the format has none.
fn said(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(
        || "not in this format".to_owned(),
        |value| value.to_string(),
    )
}
