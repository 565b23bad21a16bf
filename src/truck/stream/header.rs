//! The header of a stream: what is in it, and of which source.

use super::{CHECK, Check, StreamProblem};
use crate::units::{Bytes, DevPos};

/// How long a header is.
pub const HEADER_LEN: usize = 256;
/// What a stream begins with. A transfer that takes it for text changes it.
const MAGIC: [u8; 16] = *b"mdtool copy\r\n\x1A\n\0";
/// The one version there is.
const VERSION: u32 = 1;
/// Where the header's own checksum is.
const CHECK_AT: usize = HEADER_LEN.saturating_sub(CHECK);

/// What a copy has of its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contents {
    /// The level with its metadata.
    Level,
    /// The level's data only.
    Data,
    /// Some ranges.
    Ranges,
    /// What was written since the copy was made, and the metadata.
    Changed,
}

impl Contents {
    /// Its name in a state file and in JSON.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Level => "level",
            Self::Data => "data",
            Self::Ranges => "ranges",
            Self::Changed => "changed",
        }
    }

    /// That of a name.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        [Self::Level, Self::Data, Self::Ranges, Self::Changed]
            .into_iter()
            .find(|contents| contents.word() == word)
    }

    /// Whether every byte of the copy is in it.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Level | Self::Data)
    }

    const fn number(self) -> u32 {
        match self {
            Self::Level => 1,
            Self::Data => 2,
            Self::Ranges => 3,
            Self::Changed => 4,
        }
    }

    fn of_number(number: u32) -> Option<Self> {
        [Self::Level, Self::Data, Self::Ranges, Self::Changed]
            .into_iter()
            .find(|contents| contents.number() == number)
    }
}

/// What a stream says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What is in it.
    pub contents: Contents,
    /// The size of the copy: where the level ends.
    pub size: Bytes,
    /// Where this stream begins: a copy that is gone on with has the rest already.
    pub first: DevPos,
    /// The size of the image that it comes from.
    pub image: Bytes,
    /// Which level of its stack it is, the outermost being 0.
    pub level: u32,
    /// The version of its metadata: 7, 8 or 9.
    pub format: u32,
    /// Its current UUID; 0 where it has none.
    pub current_uuid: u64,
    /// The generation that a delta is since; 0 for other copies.
    pub since_uuid: u64,
    /// Its device UUID; 0 where it has none.
    pub device_uuid: u64,
    /// Another number for each stream.
    pub id: [u64; 2],
}

impl Header {
    /// Its bytes; the last are its checksum.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; HEADER_LEN] {
        let mut words = Vec::with_capacity(HEADER_LEN);
        words.extend_from_slice(&MAGIC);
        for number in [VERSION, self.contents.number(), self.level, self.format] {
            words.extend_from_slice(&number.to_be_bytes());
        }
        let [id, more] = self.id;
        for number in [
            self.size.get(),
            self.first.get(),
            self.image.get(),
            self.current_uuid,
            self.since_uuid,
            self.device_uuid,
            id,
            more,
        ] {
            words.extend_from_slice(&number.to_be_bytes());
        }
        words.resize(CHECK_AT, 0);
        words.extend_from_slice(blake3::hash(&words).as_bytes());
        let mut bytes = [0; HEADER_LEN];
        bytes.copy_from_slice(&words);
        bytes
    }

    /// The header in these bytes, and its checksum.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub(super) fn of_bytes(bytes: &[u8; HEADER_LEN]) -> Result<(Self, Check), StreamProblem> {
        let (said, check) = bytes.split_at(CHECK_AT);
        if !said.starts_with(&MAGIC) {
            return Err(StreamProblem::Magic);
        }
        let found = blake3::hash(said);
        if *found.as_bytes() != *check {
            return Err(StreamProblem::HeaderCheck);
        }
        let mut rest = said.split_at(MAGIC.len()).1;
        let version = u32_of(&mut rest);
        if version != VERSION {
            return Err(StreamProblem::Version(version));
        }
        let contents = Contents::of_number(u32_of(&mut rest));
        let header = Self {
            contents: contents.ok_or(StreamProblem::Header("contents that are unknown"))?,
            level: u32_of(&mut rest),
            format: u32_of(&mut rest),
            size: Bytes::new(u64_of(&mut rest)),
            first: DevPos::new(u64_of(&mut rest)),
            image: Bytes::new(u64_of(&mut rest)),
            current_uuid: u64_of(&mut rest),
            since_uuid: u64_of(&mut rest),
            device_uuid: u64_of(&mut rest),
            id: [u64_of(&mut rest), u64_of(&mut rest)],
        };
        if header.first.from_start() > header.size {
            return Err(StreamProblem::Header("that it begins behind its end"));
        }
        Ok((header, *found.as_bytes()))
    }
}

fn u32_of(rest: &mut &[u8]) -> u32 {
    let (word, later) = rest.split_at_checked(4).unwrap_or_default();
    *rest = later;
    word.try_into().map_or(0, u32::from_be_bytes)
}

fn u64_of(rest: &mut &[u8]) -> u64 {
    let (word, later) = rest.split_at_checked(8).unwrap_or_default();
    *rest = later;
    word.try_into().map_or(0, u64::from_be_bytes)
}
