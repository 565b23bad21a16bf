//! What a superblock says: the mirrors of [`crate::format::ondisk`] behind typed getters.
//!
//! A [`Superblock`] wraps its mirror and copies nothing out of it, so what is not understood here is not lost either. Whether its fields
//! agree with each other and with the device is [`crate::format::layout`]'s question.

mod flags;
mod mark;

use std::fmt;

pub use crate::terms::Format;
pub use flags::{DeviceFlags, Named, PeerFlags};
pub use mark::{Mark, Marked, mark_of, marked, unmarked};

use crate::format::layout::{AlStriping, MdGeometry};
use crate::format::ondisk::{SUPERBLOCK_LEN, SuperblockV07, SuperblockV08, SuperblockV09};
use crate::units::{NodeId, SectorDelta, Sectors};

/// `DRBD_MD_MAGIC_07` (`drbd.h`), at byte 28.
pub const MAGIC_V07: u32 = 0x8374_026A;
/// `DRBD_MD_MAGIC_08`, at byte 60: as drbdmeta writes v08.
pub const MAGIC_V08: u32 = 0x8374_026B;
/// `DRBD_MD_MAGIC_84_UNCLEAN`, at byte 60: v08 as every 8.4 kernel writes it.
pub const MAGIC_84_UNCLEAN: u32 = 0x8374_026C;
/// `DRBD_MD_MAGIC_09`, at byte 60.
pub const MAGIC_V09: u32 = 0x8374_026D;

/// Where v07 has its magic.
pub(crate) const MAGIC_OFFSET_V07: usize = 28;
/// Where v08 and v09 have theirs.
pub(crate) const MAGIC_OFFSET: usize = 60;
/// Sectors in a KiB, v07's unit of size.
const SECTORS_PER_KIB: u64 = 2;
/// The granularity of formats that do not say one.
const BYTES_PER_BIT_V07: u32 = 4096;

/// Whether the bitmap alone shows what is out of sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AlState {
    /// The activity log was applied to the bitmap.
    Clean,
    /// It was not: what the log names may be out of sync too.
    Unclean,
}

impl fmt::Display for AlState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Clean => "clean",
            Self::Unclean => "unclean",
        })
    }
}

/// A generation identifier; 0 is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Uuid(pub u64);

impl Uuid {
    /// Not set.
    pub const NONE: Self = Self(0);
    /// `UUID_JUST_CREATED` (`drbd.h`): fresh metadata that never had data.
    pub const JUST_CREATED: Self = Self(4);

    /// Whether two identifiers name the same generation: bit 0 says only whether the node was Primary then.
    #[must_use]
    pub const fn same_generation(self, other: Self) -> bool {
        self.0 | 1 == other.0 | 1
    }

    /// `UUID_PRIMARY`, bit 0: the node was Primary when this was set. Comparisons leave it out.
    #[must_use]
    pub const fn set_as_primary(self) -> bool {
        self.0 & 1 != 0
    }

    /// Whether this names a generation at all, rather than none or a fresh one.
    #[must_use]
    pub const fn names_a_generation(self) -> bool {
        self.0 | 1 != 1 && self.0 | 1 != 5
    }
}

impl fmt::Display for Uuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{:016X}", self.0)
    }
}

/// A superblock of any format, losslessly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Superblock {
    /// DRBD 0.7's.
    V07(Box<SuperblockV07>),
    /// DRBD 8's.
    V08(Box<SuperblockV08>),
    /// DRBD 9's.
    V09(Box<SuperblockV09>),
}

impl Superblock {
    /// Decodes a block that carries one of the magics; `None` where it carries none.
    ///
    /// Nothing but the magic is judged. Where a block carries both a v07 magic and a newer one, the newer one counts.
    #[must_use]
    pub fn decode(block: &[u8; SUPERBLOCK_LEN]) -> Option<Self> {
        match format_of(block)? {
            Format::V07 => Some(Self::V07(Box::new(SuperblockV07::from_bytes(block)))),
            Format::V08 => Some(Self::V08(Box::new(SuperblockV08::from_bytes(block)))),
            Format::V09 => Some(Self::V09(Box::new(SuperblockV09::from_bytes(block)))),
        }
    }

    /// The bytes it was decoded from.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SUPERBLOCK_LEN] {
        match self {
            Self::V07(sb) => sb.to_bytes(),
            Self::V08(sb) => sb.to_bytes(),
            Self::V09(sb) => sb.to_bytes(),
        }
    }

    /// The format, by the magic.
    #[must_use]
    pub const fn format(&self) -> Format {
        match self {
            Self::V07(_) => Format::V07,
            Self::V08(_) => Format::V08,
            Self::V09(_) => Format::V09,
        }
    }

    /// Whether the activity log was applied, as drbdmeta judges it.
    ///
    /// Unclean where the magic is `84_UNCLEAN` or `MDF_AL_CLEAN` is not set. No kernel sets that flag, so whatever a kernel wrote last is
    /// unclean. v07 has no place for the flag and always is.
    #[must_use]
    pub fn al_state(&self) -> AlState {
        let said_so = match self {
            Self::V07(_) => false,
            Self::V08(sb) => sb.magic != MAGIC_84_UNCLEAN,
            Self::V09(_) => true,
        };
        if said_so && self.flags().contains(DeviceFlags::AL_CLEAN) {
            AlState::Clean
        } else {
            AlState::Unclean
        }
    }

    /// The device's flags.
    ///
    /// - On disk: `be32` at byte 56 (v08, v09), `gc[Flags]` at byte 8 (v07).
    #[must_use]
    pub const fn flags(&self) -> DeviceFlags {
        match self {
            Self::V07(sb) => DeviceFlags(sb.gc[0]),
            Self::V08(sb) => DeviceFlags(sb.flags),
            Self::V09(sb) => DeviceFlags(sb.flags),
        }
    }

    /// Last agreed size of the DRBD device; nothing where it never had one.
    ///
    /// - On disk: `be64` at byte 0, in sectors (v08 `la_size_sect`, v09 `effective_size`), in KiB (v07), where more than 64 bits of
    ///   sectors are taken for the most that 64 bits hold.
    #[must_use]
    pub fn la_size(&self) -> Sectors {
        match self {
            Self::V07(sb) => Sectors::new(sb.la_kb.saturating_mul(SECTORS_PER_KIB)),
            Self::V08(sb) => Sectors::new(sb.la_size_sect),
            Self::V09(sb) => Sectors::new(sb.effective_size),
        }
    }

    /// Size of all metadata.
    ///
    /// - On disk: `be32` at byte 64, in sectors (v08, v09), at byte 32, in KiB (v07).
    #[must_use]
    pub fn md_size(&self) -> Sectors {
        Sectors::new(match self {
            Self::V07(sb) => u64::from(sb.md_size_kb).saturating_mul(SECTORS_PER_KIB),
            Self::V08(sb) => u64::from(sb.md_size_sect),
            Self::V09(sb) => u64::from(sb.md_size_sect),
        })
    }

    /// Distance from the superblock to the activity log.
    ///
    /// - On disk: `be32`, signed, at byte 68 (v08, v09), at byte 36 (v07).
    #[must_use]
    pub fn al_offset(&self) -> SectorDelta {
        SectorDelta::new(i64::from(match self {
            Self::V07(sb) => sb.al_offset,
            Self::V08(sb) => sb.al_offset,
            Self::V09(sb) => sb.al_offset,
        }))
    }

    /// Distance from the superblock to the bitmap.
    ///
    /// - On disk: `be32`, signed, at byte 76 (v08, v09), at byte 44 (v07).
    #[must_use]
    pub fn bm_offset(&self) -> SectorDelta {
        SectorDelta::new(i64::from(match self {
            Self::V07(sb) => sb.bm_offset,
            Self::V08(sb) => sb.bm_offset,
            Self::V09(sb) => sb.bm_offset,
        }))
    }

    /// Size of the activity log's table of active extents.
    #[must_use]
    pub const fn al_nr_extents(&self) -> u32 {
        match self {
            Self::V07(sb) => sb.al_nr_extents,
            Self::V08(sb) => sb.al_nr_extents,
            Self::V09(sb) => sb.al_nr_extents,
        }
    }

    /// What the formulas of [`crate::format::layout`] need; unchecked.
    ///
    /// v07 says none of it: one slot, 4096 bytes per bit, a log of one stripe of 32 KiB. A striping of 0 × 0 (DRBD 8.3) is the same log.
    #[must_use]
    pub const fn geometry(&self) -> MdGeometry {
        match self {
            Self::V07(_) => MdGeometry {
                max_peers: 1,
                bytes_per_bit: BYTES_PER_BIT_V07,
                al: AlStriping::DEFAULT,
            },
            Self::V08(sb) => MdGeometry {
                max_peers: 1,
                bytes_per_bit: sb.bm_bytes_per_bit,
                al: AlStriping::on_disk(sb.al_stripes, sb.al_stripe_size_4k),
            },
            Self::V09(sb) => MdGeometry {
                max_peers: sb.bm_max_peers,
                bytes_per_bit: sb.bm_bytes_per_bit,
                al: AlStriping::on_disk(sb.al_stripes, sb.al_stripe_size_4k),
            },
        }
    }

    /// Identifier of this device's metadata; `None` for v07, which has none.
    #[must_use]
    pub const fn device_uuid(&self) -> Option<Uuid> {
        match self {
            Self::V07(_) => None,
            Self::V08(sb) => Some(Uuid(sb.device_uuid)),
            Self::V09(sb) => Some(Uuid(sb.device_uuid)),
        }
    }

    /// Identifier of the data's current generation; `None` for v07, which counts generations instead.
    #[must_use]
    pub const fn current_uuid(&self) -> Option<Uuid> {
        match self {
            Self::V07(_) => None,
            Self::V08(sb) => Some(Uuid(sb.uuid[0])),
            Self::V09(sb) => Some(Uuid(sb.current_uuid)),
        }
    }

    /// Every generation this metadata remembers: current, bitmap and history, those that name one.
    #[must_use]
    pub fn generations(&self) -> Vec<Uuid> {
        let all: Vec<u64> = match self {
            Self::V07(_) => Vec::new(),
            Self::V08(sb) => sb.uuid.to_vec(),
            Self::V09(sb) => std::iter::once(sb.current_uuid)
                .chain(sb.peers.iter().map(|peer| peer.bitmap_uuid))
                .chain(sb.history_uuids)
                .collect(),
        };
        all.into_iter()
            .map(Uuid)
            .filter(|uuid| uuid.names_a_generation())
            .collect()
    }

    /// Own node id, as the signed number on disk: −1 where unset; `None` before v09.
    #[must_use]
    pub const fn node_id(&self) -> Option<i32> {
        match self {
            Self::V09(sb) => Some(sb.node_id),
            Self::V07(_) | Self::V08(_) => None,
        }
    }
}

/// The format whose magic a block carries.
#[must_use]
pub fn format_of(block: &[u8; SUPERBLOCK_LEN]) -> Option<Format> {
    match magic(block) {
        MAGIC_V08 | MAGIC_84_UNCLEAN => Some(Format::V08),
        MAGIC_V09 => Some(Format::V09),
        _ if word(block, MAGIC_OFFSET_V07) == MAGIC_V07 => Some(Format::V07),
        _ => None,
    }
}

/// The word where v08 and v09 have their magic.
#[must_use]
pub fn magic(block: &[u8; SUPERBLOCK_LEN]) -> u32 {
    word(block, MAGIC_OFFSET)
}

/// The big-endian word at `offset`; 0 beyond the block.
fn word(block: &[u8; SUPERBLOCK_LEN], offset: usize) -> u32 {
    block
        .get(offset..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// A node id that DRBD allows, from the signed number on disk.
#[must_use]
pub fn node_id(value: i32) -> Option<NodeId> {
    u8::try_from(value)
        .ok()
        .filter(|id| *id < 32)
        .map(NodeId::new)
}
