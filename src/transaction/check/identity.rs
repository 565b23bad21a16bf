//! Whose disk it is: what of a target's contents other disks do not have as well.

use crate::format::superblock::{Superblock, Uuid, unmarked};
use crate::transaction::superblock::Block;

/// So many bytes that are neither zero nor all ones: less of them is a bitmap of few bits, or an empty log.
const PECULIAR_BYTES: usize = 32;
/// As many different ones.
const PECULIAR_KINDS: usize = 4;

/// Whether a sector has what hardly any other disk has in the same place.
pub(super) fn is_peculiar(sector: &[u8]) -> bool {
    let mut kinds = [false; 256];
    let (mut bytes, mut different) = (0_usize, 0_usize);
    for byte in sector.iter().filter(|byte| !matches!(**byte, 0 | 0xFF)) {
        bytes = bytes.saturating_add(1);
        if let Some(kind) = kinds.get_mut(usize::from(*byte)) {
            different = different.saturating_add(usize::from(!*kind));
            *kind = true;
        }
        if bytes >= PECULIAR_BYTES && different >= PECULIAR_KINDS {
            return true;
        }
    }
    false
}

/// The superblock that a block is, or was before it was marked.
pub(super) fn superblock_in(block: &Block) -> Option<Superblock> {
    Superblock::decode(block).or_else(|| Superblock::decode(&unmarked(block)?))
}

/// Whether two superblocks are of one device: by the identifier of that, or else by a generation that both know; `None` where they do not
/// say enough.
pub(super) fn is_same_device(one: &Superblock, other: &Superblock) -> Option<bool> {
    let id = |superblock: &Superblock| superblock.device_uuid().filter(|id| *id != Uuid::NONE);
    if let (Some(one), Some(other)) = (id(one), id(other)) {
        return Some(one == other);
    }
    let (one, other) = (one.generations(), other.generations());
    if one.is_empty() || other.is_empty() {
        return None;
    }
    let known = |uuid: &Uuid| other.iter().any(|other| uuid.same_generation(*other));
    Some(one.iter().any(known))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::activity_log::initialised_block;

    #[test]
    fn empty_logs_and_bitmaps_of_few_bits_are_nobodys() {
        let mut bits = [0; 512];
        bits[17..40].copy_from_slice(&[0xF8; 23]);
        bits[60..200].fill(0xFF);
        assert!(!is_peculiar(&[0; 512]) && !is_peculiar(&[0xFF; 512]) && !is_peculiar(&bits));
        for sector in initialised_block().chunks(512) {
            assert!(!is_peculiar(sector));
        }
        let some: Vec<u8> = (0..=255).chain(0..=255).collect();
        assert!(is_peculiar(&some));
    }
}
