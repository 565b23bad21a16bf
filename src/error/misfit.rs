//! A field of a superblock that contradicts the others, or the place where it lies.

use std::fmt;

/// A field that contradicts the others or the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {found}, expected {expected}")]
#[non_exhaustive]
pub struct Misfit {
    /// The field, by DRBD's name.
    pub field: Field,
    /// What it says, as the signed number it is.
    pub found: i128,
    /// What it should say.
    pub expected: Expected,
}

/// A superblock's field, by the name DRBD gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Field {
    /// `la_size_sect`, `effective_size`; v07 `la_kb`.
    LaSizeSect,
    /// `md_size_sect`; v07 `md_size_kb`.
    MdSizeSect,
    /// `al_offset`, in sectors.
    AlOffset,
    /// `bm_offset`, in sectors.
    BmOffset,
    /// `al_nr_extents`.
    AlNrExtents,
    /// `bm_bytes_per_bit`.
    BmBytesPerBit,
    /// `bm_max_peers`.
    BmMaxPeers,
    /// `node_id`.
    NodeId,
    /// `al_stripes`.
    AlStripes,
    /// `al_stripe_size_4k`.
    AlStripeSize4k,
    /// `peers[n].bitmap_index`.
    PeerBitmapIndex(u8),
    /// `al_stripes` times `al_stripe_size_4k`.
    AlBlocks,
    /// The size of the device that holds the metadata, in bytes.
    DeviceSize,
    /// The number of a bitmap slot.
    BitmapSlot,
    /// How many 32-bit words the bitmap has, all slots together.
    BitmapWords,
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LaSizeSect => "la_size_sect",
            Self::MdSizeSect => "md_size_sect",
            Self::AlOffset => "al_offset",
            Self::BmOffset => "bm_offset",
            Self::AlNrExtents => "al_nr_extents",
            Self::BmBytesPerBit => "bm_bytes_per_bit",
            Self::BmMaxPeers => "bm_max_peers",
            Self::NodeId => "node_id",
            Self::AlStripes => "al_stripes",
            Self::AlStripeSize4k => "al_stripe_size_4k",
            Self::PeerBitmapIndex(node) => return write!(f, "peers[{node}].bitmap_index"),
            Self::AlBlocks => "al_stripes * al_stripe_size_4k",
            Self::DeviceSize => "device size in bytes",
            Self::BitmapSlot => "bitmap slot",
            Self::BitmapWords => "number of bitmap words",
        })
    }
}

/// What a field should say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Expected {
    /// Just this.
    Exactly(i128),
    /// This or less.
    AtMost(i128),
    /// This or more.
    AtLeast(i128),
    /// Both ends included.
    Between(i128, i128),
    /// A power of two, both ends included.
    PowerOfTwo(i128, i128),
    /// Zero exactly where its partner field is.
    ZeroWith(Field),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exactly(value) => write!(f, "{value}"),
            Self::AtMost(most) => write!(f, "at most {most}"),
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::Between(least, most) => write!(f, "{least} to {most}"),
            Self::PowerOfTwo(least, most) => write!(f, "a power of two from {least} to {most}"),
            Self::ZeroWith(field) => write!(f, "0 only together with {field}"),
        }
    }
}
