//! Mirrors of DRBD's on-disk structures: field for field, name for name, width for width.
//!
//! A mirror carries no meaning and rejects nothing: any bytes decode, and encode back to the same bytes. What the fields mean is
//! [`crate::format::superblock`]'s. Every reserved field and every tail is a field here, so that no rewrite loses a byte. Superblocks and activity
//! logs are big endian, bitmaps little endian.

mod al_pmem;
mod al_v07;
mod al_v84;
mod superblock_v07;
mod superblock_v08;
mod superblock_v09;

pub use al_pmem::AlPmemBlock;
pub use al_v07::{AlSectorV07, AlUpdateV07};
pub use al_v84::AlTransactionV84;
pub use superblock_v07::SuperblockV07;
pub use superblock_v08::SuperblockV08;
pub use superblock_v09::{PeerV09, SuperblockV09};

/// Bytes in every mirror of a superblock.
pub const SUPERBLOCK_LEN: usize = 4096;

/// The two conversions of a fixed-size mirror, neither of which can fail.
macro_rules! fixed_size_codec {
    ($mirror:ty, $len:expr) => {
        impl $mirror {
            /// Decodes any bytes.
            ///
            /// # Panics
            ///
            /// Never: the mirror has the array's size and rejects no value.
            #[must_use]
            pub fn from_bytes(bytes: &[u8; $len]) -> Self {
                // OK to expect: see above; `any_bytes_round_trip` holds it.
                binrw::BinRead::read(&mut std::io::Cursor::new(&bytes[..]))
                    .expect("any bytes decode")
            }

            /// Encodes to what [`Self::from_bytes`] decoded.
            ///
            /// # Panics
            ///
            /// Never: the mirror has the array's size.
            #[must_use]
            pub fn to_bytes(&self) -> [u8; $len] {
                let mut bytes = [0; $len];
                // OK to expect: see above.
                binrw::BinWrite::write(self, &mut std::io::Cursor::new(&mut bytes[..]))
                    .expect("the mirror fits");
                bytes
            }
        }
    };
}
use fixed_size_codec;

#[cfg(test)]
mod activity_log_tests;
#[cfg(test)]
mod tests;
