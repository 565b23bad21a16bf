//! What one place of the log holds.

use std::fmt;
use std::sync::LazyLock;

use crate::format::ondisk::{AlSectorV07, AlTransactionV84};
pub use crate::terms::AlPlace;

use super::ring::State;
use super::table::{FREE, MOST_SLOTS};
use super::verdict::Oddity;

/// `DRBD_AL_MAGIC`: a 4 KiB transaction.
pub(super) const AL_MAGIC: u32 = 0x69cb_65a2;
/// `DRBD_MAGIC`: a 512-byte transaction.
const AL_MAGIC_V07: u32 = 0x8374_0267;
/// `AL_TR_INITIALIZED`: no transaction was written here yet.
const TYPE_INITIALISED: u16 = 0xffff;
/// `AL_TR_UPDATE`.
const TYPE_UPDATE: u16 = 0;
/// What an unused entry of the list of updates has for a slot.
const NO_SLOT: u16 = 0xffff;
/// Where the checksum is: bytes 8 to 11, zero while it is computed.
const CRC_AT: usize = 8;
/// See [`CRC_AT`].
const CRC_END: usize = 12;

/// One place of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Entry {
    /// Which one.
    pub place: AlPlace,
    /// Its turn in the ring: 8.4 and 9 write transaction `n` where this is `n` modulo the ring's length.
    pub position: u32,
    /// What is there.
    pub content: Content,
}

/// What a place of the log holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// A valid transaction.
    Transaction(Transaction),
    /// Nothing was written here since the log was initialised.
    Unwritten,
    /// Neither.
    Invalid(Invalid),
}

/// Why a place of the log holds no transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Invalid {
    /// All bytes are zero.
    Zero,
    /// It does not begin as a transaction does.
    Magic {
        /// What it begins with.
        found: u32,
        /// What it should begin with.
        expected: u32,
    },
    /// The checksum is not that of the content: a write was interrupted, or the medium changed it.
    Checksum {
        /// The checksum on disk.
        found: u32,
        /// That of the content.
        expected: u32,
    },
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Zero => f.write_str("all bytes are zero"),
            Self::Magic { found, expected } => {
                write!(f, "magic is 0x{found:08X}, expected 0x{expected:08X}")
            }
            Self::Checksum { found, expected } => {
                write!(f, "checksum is 0x{found:08X}, expected 0x{expected:08X}")
            }
        }
    }
}

/// A valid transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Transaction {
    /// `tr_number`; it wraps around after 2^32 - 1.
    pub number: u32,
    /// `transaction_type`, 0 in what a kernel writes.
    pub kind: u16,
    /// `n_updates` as it is on disk; 1 in the 512-byte format, which has no such field.
    pub n_updates: u16,
    /// The slots that changed, and the extent that is in each from now on (all ones: none).
    pub updates: Vec<(u32, u32)>,
    /// `context_size`, the size of the table; the 512-byte format does not say it.
    pub context_size: Option<u16>,
    /// The first of the slots whose earlier content it holds, if it holds any.
    pub context_start: Option<u32>,
    /// The slots whose earlier content it holds, and that content.
    pub(super) context: Vec<(u32, u32)>,
    /// What no kernel writes, if it has such a thing.
    pub oddity: Option<Oddity>,
}

impl Content {
    pub(super) fn state(&self) -> State {
        match self {
            Self::Transaction(transaction) => State::Update(transaction.number),
            Self::Unwritten => State::Unwritten,
            Self::Invalid(_) => State::Invalid,
        }
    }

    /// What a 4 KiB block holds.
    pub(super) fn of_block(bytes: &[u8; 4096]) -> Self {
        if *bytes == *INITIALISED {
            return Self::Unwritten;
        }
        let disk = AlTransactionV84::from_bytes(bytes);
        if disk.magic != AL_MAGIC {
            return Self::Invalid(not_magic(bytes, disk.magic, AL_MAGIC));
        }
        let crc = crc32c_of_block(bytes);
        if disk.crc32c != crc {
            return Self::Invalid(Invalid::Checksum {
                found: disk.crc32c,
                expected: crc,
            });
        }
        if disk.transaction_type == TYPE_INITIALISED {
            return Self::Unwritten;
        }
        Self::Transaction(Transaction::of_block(&disk))
    }

    /// What a 512-byte sector holds. Sectors of zeros, and of a log that newer tools initialised, were not written to yet.
    pub(super) fn of_sector(bytes: &[u8; 512]) -> Self {
        let disk = AlSectorV07::from_bytes(bytes);
        if bytes == &[0; 512] || INITIALISED.starts_with(bytes) {
            return Self::Unwritten;
        }
        if disk.magic != AL_MAGIC_V07 {
            return Self::Invalid(not_magic(bytes, disk.magic, AL_MAGIC_V07));
        }
        let xor = disk
            .updates
            .iter()
            .fold(0, |xor, update| xor ^ update.extent);
        if disk.xor_sum != xor {
            return Self::Invalid(Invalid::Checksum {
                found: disk.xor_sum,
                expected: xor,
            });
        }
        Self::Transaction(Transaction::of_sector(&disk))
    }
}

fn not_magic(bytes: &[u8], found: u32, expected: u32) -> Invalid {
    if bytes.iter().all(|byte| *byte == 0) {
        Invalid::Zero
    } else {
        Invalid::Magic { found, expected }
    }
}

impl Transaction {
    /// Entries are used as `replay_al_84` (`drbdmeta.c`) uses them, also those that no kernel writes.
    fn of_block(disk: &AlTransactionV84) -> Self {
        let context: Vec<(u32, u32)> = (u32::from(disk.context_start_slot_nr)..)
            .zip(disk.context)
            .filter(|(slot, extent)| *extent != FREE || *slot < u32::from(disk.context_size))
            .collect();
        let updates: Vec<(u32, u32)> = (0_u16..)
            .zip(disk.update_slot_nr)
            .zip(disk.update_extent_nr)
            .filter(|((i, slot), _)| *i < disk.n_updates || *slot != NO_SLOT)
            .map(|((_, slot), extent)| (u32::from(slot), extent))
            .collect();
        let mut transaction = Self {
            number: disk.tr_number,
            kind: disk.transaction_type,
            n_updates: disk.n_updates,
            updates,
            context_size: Some(disk.context_size),
            context_start: Some(u32::from(disk.context_start_slot_nr)),
            context,
            oddity: None,
        };
        transaction.oddity = transaction.find_oddity(disk);
        transaction
    }

    /// A slot that a table of `size` does not have.
    pub(super) fn slot_beyond(&self, size: u32) -> Option<Oddity> {
        let pairs = self.updates.iter().chain(&self.context);
        let mut slots = pairs.map(|(slot, _)| *slot);
        slots
            .find(|slot| *slot >= size)
            .map(|slot| Oddity::Slot { slot, size })
    }

    fn find_oddity(&self, disk: &AlTransactionV84) -> Option<Oddity> {
        let size = u32::from(disk.context_size);
        if self.kind != TYPE_UPDATE {
            Some(Oddity::Type(self.kind))
        } else if self.updates.len() != usize::from(disk.n_updates) {
            Some(Oddity::Updates(disk.n_updates))
        } else if size == 0 || size > MOST_SLOTS {
            Some(Oddity::ContextSize(disk.context_size))
        } else {
            self.slot_beyond(size)
        }
    }

    /// `updates[0]` is the change, the rest context; entries without a slot are unused.
    fn of_sector(disk: &AlSectorV07) -> Self {
        let pairs = disk.updates.map(|update| (update.pos, update.extent));
        let (update, context) = pairs.split_first().map_or_else(
            || (Vec::new(), Vec::new()),
            |(update, context)| (vec![*update], context.to_vec()),
        );
        let used = |(slot, _): &(u32, u32)| *slot != FREE;
        let context: Vec<(u32, u32)> = context.into_iter().filter(used).collect();
        Self {
            number: disk.tr_number,
            kind: TYPE_UPDATE,
            n_updates: 1,
            updates: update,
            context_size: None,
            context_start: context.iter().map(|(slot, _)| *slot).min(),
            context,
            oddity: None,
        }
    }
}

/// CRC-32C as DRBD has it: seed 0, no final inversion, the checksum's own field taken as zero.
fn crc32c_of_block(bytes: &[u8; 4096]) -> u32 {
    let head = bytes.get(..CRC_AT).unwrap_or_default();
    let tail = bytes.get(CRC_END..).unwrap_or_default();
    let crc = crc32c::crc32c_append(!0, head);
    let crc = crc32c::crc32c_append(crc, &[0; 4]);
    !crc32c::crc32c_append(crc, tail)
}

/// See [`initialised_block`]; the largest log has four million of them.
static INITIALISED: LazyLock<[u8; 4096]> = LazyLock::new(initialised_block);

/// A block that no transaction was written to yet: what `create-md` and `apply-al` fill a log with.
#[must_use]
pub fn initialised_block() -> [u8; 4096] {
    let mut disk = AlTransactionV84::from_bytes(&[0; 4096]);
    disk.magic = AL_MAGIC;
    disk.transaction_type = TYPE_INITIALISED;
    disk.crc32c = crc32c_of_block(&disk.to_bytes());
    disk.to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_initialised_block_is_the_one_create_md_writes() {
        let block = initialised_block();
        assert_eq!(block[8..12], 0x709c_c651_u32.to_be_bytes());
        assert_eq!(block, crate::builder::activity_log::initialised_block());
        assert_eq!(Content::of_block(&block), Content::Unwritten);
    }
}
