//! The undo file's frames, byte for byte: `docs/undo-file.md`.
//!
//! Numbers are big endian. Every frame ends its fixed part with a checksum of it, so that nothing is believed unread.

mod fields;

pub(super) use fields::{check_crc, out_of_bounds, repeated_word, sealed, unsealed};
use fields::{flag, tag, take, text_len, zeros};

use crate::error::UndoFault;

use super::outline::Phase;

/// What an undo file begins with.
pub(super) const MAGIC: &[u8; 16] = b"mdtool undo file";
/// The version that is written.
pub(super) const VERSION: u32 = 2;
/// The version of files that say nothing of marks and have one target.
pub(super) const FIRST_VERSION: u32 = 1;
/// Bytes of the header before its texts and targets.
pub(super) const HEADER_LEN: usize = 40;
/// Bytes of a target in the header before its path.
pub(super) const TARGET_LEN: usize = 16;
/// The most targets that one change has.
pub(super) const MOST_TARGETS: usize = 16;
/// Bytes of a region's frame before its label.
pub(super) const REGION_LEN: usize = 24;
/// Bytes of a record's frame before its contents, its checksum included.
pub(super) const RECORD_LEN: usize = 32;
/// Bytes of the frame of a stretch that stays, its checksum included.
pub(super) const SAME_LEN: usize = 32;
/// Bytes of the trailer.
pub(super) const TRAILER_LEN: usize = 32;
/// Bytes of a checksum.
pub(super) const CHECKSUM_LEN: usize = 4;
/// The longest text.
pub(super) const LONGEST_TEXT: usize = 4096;
/// The longest record: as much is held in memory, twice.
pub(super) const LONGEST_RECORD: usize = 1024 * 1024;
/// What a repeated content repeats.
pub(super) const WORD_LEN: usize = 8;

/// What a frame begins with.
pub(super) const REGION_TAG: [u8; 4] = *b"REGN";
/// What a record begins with.
pub(super) const RECORD_TAG: [u8; 4] = *b"RECD";
/// What a stretch that stays begins with.
pub(super) const SAME_TAG: [u8; 4] = *b"SAME";
/// What the trailer begins with.
pub(super) const TRAILER_TAG: [u8; 4] = *b"END!";

/// The fixed part of the header.
#[derive(Clone, Copy, Debug)]
pub(super) enum Header {
    /// Version 1: one target, whose path and the command follow.
    First {
        target: TargetHead,
        command_len: u16,
    },
    /// Version 2: the targets and the command follow.
    Second {
        targets: u16,
        command_len: u16,
        doing: Doing,
    },
}

/// What an undo file takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doing {
    /// A change: what is before comes back.
    Change,
    /// The undoing of a change: what is after comes back.
    Undoing,
    /// The undoing of an undoing: what is before comes back.
    Redoing,
}

impl Doing {
    const ALL: [Self; 3] = [Self::Change, Self::Undoing, Self::Redoing];

    const fn number(self) -> u8 {
        match self {
            Self::Change => 0,
            Self::Undoing => 1,
            Self::Redoing => 2,
        }
    }

    /// What the undoing of this is.
    pub(super) const fn undone(self) -> Self {
        match self {
            Self::Change | Self::Redoing => Self::Undoing,
            Self::Undoing => Self::Redoing,
        }
    }
}

/// What the header says of a target, before its path.
#[derive(Clone, Copy, Debug)]
pub(super) struct TargetHead {
    pub(super) size: u64,
    pub(super) block_device: bool,
    pub(super) path_len: u16,
}

/// The fixed part of a region's frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct RegionHead {
    pub(super) target: u8,
    pub(super) phase: Phase,
    pub(super) label_len: u16,
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The fixed part of a record.
#[derive(Clone, Copy, Debug)]
pub(super) struct RecordHead {
    pub(super) at: u64,
    pub(super) len: u32,
    pub(super) before_repeats: bool,
    pub(super) after_repeats: bool,
    pub(super) before_crc: u32,
    pub(super) after_crc: u32,
}

/// A stretch that stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SameHead {
    pub(super) at: u64,
    pub(super) len: u64,
    /// The checksum of its content, or `None` where it is zeros.
    pub(super) crc: Option<u32>,
}

/// The trailer.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trailer {
    pub(super) regions: u64,
    pub(super) records: u64,
    /// Of everything before the trailer.
    pub(super) total_crc: u32,
}

impl Header {
    /// The fixed part of version 2; targets, the command and the checksum of it all follow.
    pub(super) fn encode(targets: u16, command_len: u16, doing: Doing) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_be_bytes());
        bytes.extend(targets.to_be_bytes());
        bytes.extend(command_len.to_be_bytes());
        bytes.push(doing.number());
        bytes.extend([0; 15]);
        bytes
    }

    pub(super) fn decode(bytes: &[u8; HEADER_LEN]) -> Result<Self, UndoFault> {
        let mut rest = &bytes[..];
        if take::<16>(&mut rest) != *MAGIC {
            return Err(UndoFault::Magic);
        }
        let header = match u32::from_be_bytes(take(&mut rest)) {
            FIRST_VERSION => {
                let block_device = flag(&mut rest, "kind of target")?;
                zeros::<3>(&mut rest)?;
                let target = TargetHead {
                    block_device,
                    size: u64::from_be_bytes(take(&mut rest)),
                    path_len: text_len(&mut rest)?,
                };
                let command_len = text_len(&mut rest)?;
                zeros::<4>(&mut rest)?;
                Self::First {
                    target,
                    command_len,
                }
            }
            VERSION => {
                let targets = u16::from_be_bytes(take(&mut rest));
                if targets == 0 || usize::from(targets) > MOST_TARGETS {
                    return Err(out_of_bounds("number of targets", targets, "1 to 16"));
                }
                let command_len = text_len(&mut rest)?;
                let [number] = take(&mut rest);
                let doing = Doing::ALL.into_iter().find(|one| one.number() == number);
                let doing =
                    doing.ok_or_else(|| out_of_bounds("what was done", number, "0 to 2"))?;
                zeros::<15>(&mut rest)?;
                Self::Second {
                    targets,
                    command_len,
                    doing,
                }
            }
            found => return Err(UndoFault::Version { found }),
        };
        Ok(header)
    }
}

impl TargetHead {
    /// The fixed part; the path follows.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.push(u8::from(self.block_device));
        bytes.push(0);
        bytes.extend(self.path_len.to_be_bytes());
        bytes.extend([0; 4]);
        bytes
    }

    pub(super) fn decode(mut rest: &[u8]) -> Result<Self, UndoFault> {
        let size = u64::from_be_bytes(take(&mut rest));
        let block_device = flag(&mut rest, "kind of target")?;
        zeros::<1>(&mut rest)?;
        let path_len = text_len(&mut rest)?;
        zeros::<4>(&mut rest)?;
        Ok(Self {
            size,
            block_device,
            path_len,
        })
    }
}

impl RegionHead {
    /// The fixed part; the label and the checksum of both follow.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = REGION_TAG.to_vec();
        bytes.extend([phase_number(self.phase), self.target]);
        bytes.extend(self.label_len.to_be_bytes());
        bytes.extend(self.start.to_be_bytes());
        bytes.extend(self.end.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8; REGION_LEN]) -> Result<Self, UndoFault> {
        let mut rest = &bytes[..];
        tag(&mut rest, REGION_TAG)?;
        let [number] = take(&mut rest);
        let phase = Phase::ALL
            .into_iter()
            .find(|phase| phase_number(*phase) == number)
            .ok_or_else(|| out_of_bounds("phase", number, "1 to 5"))?;
        let [target] = take(&mut rest);
        Ok(Self {
            target,
            phase,
            label_len: text_len(&mut rest)?,
            start: u64::from_be_bytes(take(&mut rest)),
            end: u64::from_be_bytes(take(&mut rest)),
        })
    }
}

impl RecordHead {
    /// The fixed part, with its checksum; the contents follow.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = RECORD_TAG.to_vec();
        bytes.extend(self.at.to_be_bytes());
        bytes.extend(self.len.to_be_bytes());
        let repeats = [self.before_repeats, self.after_repeats];
        bytes.extend(repeats.map(u8::from));
        bytes.extend([0; 2]);
        bytes.extend(self.before_crc.to_be_bytes());
        bytes.extend(self.after_crc.to_be_bytes());
        sealed(bytes)
    }

    pub(super) fn decode(bytes: &[u8; RECORD_LEN]) -> Result<Self, UndoFault> {
        let mut rest = unsealed(bytes)?;
        tag(&mut rest, RECORD_TAG)?;
        let at = u64::from_be_bytes(take(&mut rest));
        let len = u32::from_be_bytes(take(&mut rest));
        let longest = u32::try_from(LONGEST_RECORD).unwrap_or(u32::MAX);
        if len == 0 || len > longest {
            return Err(out_of_bounds("length", len, "1 to 1048576"));
        }
        let before_repeats = flag(&mut rest, "kind of before")?;
        let after_repeats = flag(&mut rest, "kind of after")?;
        zeros::<2>(&mut rest)?;
        Ok(Self {
            at,
            len,
            before_repeats,
            after_repeats,
            before_crc: u32::from_be_bytes(take(&mut rest)),
            after_crc: u32::from_be_bytes(take(&mut rest)),
        })
    }
}

impl SameHead {
    /// All of it, with its checksum.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = SAME_TAG.to_vec();
        bytes.extend(self.at.to_be_bytes());
        bytes.extend(self.len.to_be_bytes());
        bytes.extend([u8::from(self.crc.is_none()), 0, 0, 0]);
        bytes.extend(self.crc.unwrap_or(0).to_be_bytes());
        sealed(bytes)
    }

    pub(super) fn decode(bytes: &[u8; SAME_LEN]) -> Result<Self, UndoFault> {
        let mut rest = unsealed(bytes)?;
        tag(&mut rest, SAME_TAG)?;
        let at = u64::from_be_bytes(take(&mut rest));
        let len = u64::from_be_bytes(take(&mut rest));
        let is_zeros = flag(&mut rest, "kind of content")?;
        zeros::<3>(&mut rest)?;
        let crc = u32::from_be_bytes(take(&mut rest));
        let longest = u64::try_from(LONGEST_RECORD).unwrap_or(u64::MAX);
        if len == 0 || !is_zeros && len > longest {
            return Err(out_of_bounds("length", len, "1 to 1048576"));
        }
        if is_zeros && crc != 0 {
            return Err(out_of_bounds("checksum of zeros", crc, "0"));
        }
        let crc = (!is_zeros).then_some(crc);
        Ok(Self { at, len, crc })
    }
}

impl Trailer {
    /// All of it, with its checksum.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = TRAILER_TAG.to_vec();
        bytes.extend(self.regions.to_be_bytes());
        bytes.extend(self.records.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(self.total_crc.to_be_bytes());
        sealed(bytes)
    }

    pub(super) fn decode(bytes: &[u8; TRAILER_LEN]) -> Result<Self, UndoFault> {
        let mut rest = unsealed(bytes)?;
        tag(&mut rest, TRAILER_TAG)?;
        let regions = u64::from_be_bytes(take(&mut rest));
        let records = u64::from_be_bytes(take(&mut rest));
        zeros::<4>(&mut rest)?;
        Ok(Self {
            regions,
            records,
            total_crc: u32::from_be_bytes(take(&mut rest)),
        })
    }
}

const fn phase_number(phase: Phase) -> u8 {
    match phase {
        Phase::Retire => 1,
        Phase::Body => 2,
        Phase::Commit => 3,
        Phase::Cleanup => 4,
        Phase::Cut => 5,
    }
}
