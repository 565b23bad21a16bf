//! The fields that the parts of an undo file consist of, and their checks.

use super::{LONGEST_TEXT, WORD_LEN};
use crate::error::UndoFault;

/// `bytes` and the checksum of them.
pub(in crate::transaction) fn sealed(mut bytes: Vec<u8>) -> Vec<u8> {
    let checksum = crc32fast::hash(&bytes);
    bytes.extend(checksum.to_be_bytes());
    bytes
}

/// What [`sealed`] was given, where the checksum holds.
pub(in crate::transaction) fn unsealed(bytes: &[u8]) -> Result<&[u8], UndoFault> {
    let (content, checksum) = bytes.split_last_chunk().unwrap_or((bytes, &[0; 4]));
    check_crc(crc32fast::hash(content), u32::from_be_bytes(*checksum))?;
    Ok(content)
}

/// Compares a content's checksum with the one that the file says it has.
pub(in crate::transaction) const fn check_crc(found: u32, expected: u32) -> Result<(), UndoFault> {
    if found == expected {
        Ok(())
    } else {
        Err(UndoFault::Checksum { found, expected })
    }
}

/// The word that `content` repeats from end to end.
pub(in crate::transaction) fn repeated_word(content: &[u8]) -> Option<[u8; WORD_LEN]> {
    let (words, rest) = content.as_chunks::<WORD_LEN>();
    let first = words.first()?;
    (rest.is_empty() && words.iter().all(|word| word == first)).then_some(*first)
}

/// The first bytes of `rest`, which has been taken from a frame of its fixed size: zeros where it were shorter.
pub(super) fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    rest.split_off(..N)
        .and_then(|bytes| bytes.first_chunk())
        .map_or([0; N], |bytes| *bytes)
}

pub(super) fn tag(rest: &mut &[u8], expected: [u8; 4]) -> Result<(), UndoFault> {
    let found = take(rest);
    if found == expected {
        return Ok(());
    }
    let found = u32::from_be_bytes(found);
    Err(UndoFault::Tag { found })
}

pub(super) fn flag(rest: &mut &[u8], field: &'static str) -> Result<bool, UndoFault> {
    match take(rest) {
        [0] => Ok(false),
        [1] => Ok(true),
        [found] => Err(out_of_bounds(field, found, "0 or 1")),
    }
}

pub(super) fn text_len(rest: &mut &[u8]) -> Result<u16, UndoFault> {
    let found = u16::from_be_bytes(take(rest));
    if usize::from(found) > LONGEST_TEXT {
        return Err(out_of_bounds("length of a text", found, "at most 4096"));
    }
    Ok(found)
}

pub(super) fn zeros<const N: usize>(rest: &mut &[u8]) -> Result<(), UndoFault> {
    let found = take::<N>(rest);
    match found.iter().find(|byte| **byte != 0) {
        None => Ok(()),
        Some(byte) => Err(out_of_bounds("reserved byte", *byte, "0")),
    }
}

pub(in crate::transaction) fn out_of_bounds(
    field: &'static str,
    found: impl Into<u64>,
    expected: &'static str,
) -> UndoFault {
    UndoFault::Field {
        field,
        found: found.into(),
        expected,
    }
}
