//! Checksums of a record's contents, each reckoned once.

use super::format::WORD_LEN;

/// From here on joining two checksums is cheaper than reckoning one of them twice.
const WORTH_JOINING: usize = 64 * 1024;

/// Reckons checksums of contents; of those that repeat a word, as zeros do, many in a row are the same.
#[derive(Debug, Default)]
pub(super) struct ContentCrc {
    /// Where the last content repeated a word: that, for how long, and the checksum.
    last: Option<([u8; WORD_LEN], usize, u32)>,
}

impl ContentCrc {
    /// Whether the last content was `word` again and again, as long.
    pub(super) fn was(&self, word: [u8; WORD_LEN], len: usize) -> bool {
        self.last
            .is_some_and(|(last, of, _)| (last, of) == (word, len))
    }

    /// The checksum of `content`; what the file holds of it, `word` where it repeats that, is added to the checksum of the `whole`, too.
    pub(super) fn crc(
        &mut self,
        content: &[u8],
        word: Option<[u8; WORD_LEN]>,
        whole: &mut crc32fast::Hasher,
    ) -> u32 {
        let Some(word) = word else {
            self.last = None;
            let mut own = crc32fast::Hasher::new();
            own.update(content);
            if content.len() < WORTH_JOINING {
                whole.update(content);
            } else {
                whole.combine(&own);
            }
            return own.finalize();
        };
        whole.update(&word);
        match self.last {
            Some((last, len, crc)) if (last, len) == (word, content.len()) => crc,
            _ => {
                let crc = crc32fast::hash(content);
                self.last = Some((word, content.len(), crc));
                crc
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::transaction::format::repeated_word;

    proptest! {
        #[test]
        fn a_content_has_its_own_checksum_and_is_in_that_of_the_whole(
            contents in proptest::collection::vec(
                (prop_oneof![Just(0_u8), any::<u8>()], prop_oneof![1_usize..200, Just(WORTH_JOINING), Just(WORTH_JOINING + 8)], any::<bool>()),
                1..5,
            ),
        ) {
            let mut known = ContentCrc::default();
            let (mut whole, mut kept) = (crc32fast::Hasher::new(), Vec::new());
            for (byte, len, noise) in contents {
                let content: Vec<u8> = (0..len).map(|i| if noise { byte ^ i.to_le_bytes()[0] } else { byte }).collect();
                let word = repeated_word(&content);
                prop_assert_eq!(known.crc(&content, word, &mut whole), crc32fast::hash(&content));
                kept.extend_from_slice(word.as_ref().map_or(&content, |word| word));
            }
            prop_assert_eq!(whole.finalize(), crc32fast::hash(&kept));
        }
    }
}
