//! A superblock rewritten: what is known is said anew, what is not known survives.

use super::Header;
use crate::error::Misfit;
use crate::format::layout::MdLayout;
use crate::format::superblock::Superblock;

impl Header {
    /// As [`Header::compose`], over a superblock that was there before: its reserved fields and its tail stay, where the format is the same.
    ///
    /// # Errors
    ///
    /// As [`Header::compose`].
    pub fn rewrite(&self, before: &Superblock, layout: &MdLayout) -> Result<Superblock, Misfit> {
        let mut after = self.compose(layout)?;
        match (&mut after, before) {
            (Superblock::V07(after), Superblock::V07(before)) => after.tail = before.tail,
            (Superblock::V08(after), Superblock::V08(before)) => {
                after.reserved_u64_1 = before.reserved_u64_1;
                after.tail = before.tail;
            }
            (Superblock::V09(after), Superblock::V09(before)) => {
                after.reserved_u64_1 = before.reserved_u64_1;
                after.reserved_u32_1 = before.reserved_u32_1;
                after.tail = before.tail;
                for (peer, before) in after.peers.iter_mut().zip(&before.peers) {
                    peer.reserved_u32 = before.reserved_u32;
                }
            }
            _ => {}
        }
        Ok(after)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::layout::MdIndex;
    use crate::format::ondisk::SUPERBLOCK_LEN;
    use crate::format::superblock::{MAGIC_V07, MAGIC_V08, MAGIC_V09};
    use crate::units::Bytes;

    proptest! {
        /// Byte for byte, but for what the layout says and what 8.3 left unsaid.
        #[test]
        fn a_superblock_rewritten_unchanged_is_the_same(
            bytes in prop::collection::vec(any::<u8>(), SUPERBLOCK_LEN),
            which in 0_usize..3,
            peers in 1_u32..=31,
        ) {
            let mut block: [u8; SUPERBLOCK_LEN] = bytes.try_into().unwrap();
            let (magic, at) = [(MAGIC_V07, 28), (MAGIC_V08, 60), (MAGIC_V09, 60)][which];
            block[60..64].copy_from_slice(&[0; 4]);
            block[at..at + 4].copy_from_slice(&magic.to_be_bytes());
            let put = |block: &mut [u8; SUPERBLOCK_LEN], at: usize, value: u32| {
                block[at..at + 4].copy_from_slice(&value.to_be_bytes());
            };
            if which == 1 {
                put(&mut block, 0x50, 4096);
                put(&mut block, 0x58, 1);
                put(&mut block, 0x5c, 8);
                block[0x3b] |= 0x80;
            }
            if which == 2 {
                put(&mut block, 0x50, 4096);
                put(&mut block, 0x58, peers);
                put(&mut block, 0x60, 1);
                put(&mut block, 0x64, 8);
                block[0x3b] |= 0x80;
            }
            let before = Superblock::decode(&block).unwrap();
            let header = Header::of(&before);
            let index = if which == 0 { MdIndex::Internal } else { MdIndex::FlexInternal };
            let layout = MdLayout::planned(index, header.geometry, Bytes::new(1 << 30)).unwrap();
            let mut header = header;
            if which == 0 {
                // Its size is in KiB.
                header.la_size = crate::units::Sectors::new(2000);
            }
            let Ok(after) = header.rewrite(&before, &layout) else {
                return Ok(());
            };
            let after = after.to_bytes();
            let of_layout = |byte: usize| match which {
                0 => (0..8).contains(&byte) || (32..40).contains(&byte) || (44..48).contains(&byte),
                _ => (64..72).contains(&byte) || (76..80).contains(&byte),
            };
            for (byte, (old, new)) in block.iter().zip(&after).enumerate() {
                prop_assert!(old == new || of_layout(byte), "byte {}", byte);
            }
        }
    }
}
