//! The stream that carries a copy through a pipe.
//!
//! ```text
//! header, 256 bytes | record | record | … | end record
//!
//! record:  kind 8 | start 8 | length 8 | data, of kind 1 only | check 32
//! end:     kind 3 | bytes of data 8 | bytes of zeros 8        | check 32
//! ```
//!
//! All numbers are big endian. `check` is the BLAKE3 value of the check before it (of the header's, for the first record), the record's 24
//! bytes, and the BLAKE3 value of its data. So a record that is damaged, missing, out of its order or of another stream does not fit. Data
//! comes in records of at most 1 MiB, runs of zeros as their lengths only; positions rise. Nothing follows the end record.

mod fault;
mod header;
mod read;
mod write;

pub use fault::{StreamFault, StreamProblem};
pub use header::{Contents, HEADER_LEN, Header};
pub use read::{Record, StreamReader};
pub use write::{StreamWriter, Totals};

use crate::units::Bytes;

/// The most data in one record.
pub const MOST_DATA: Bytes = super::pieces::PIECE;

/// What a record begins with.
const HEAD: usize = 24;
/// What a record ends with.
const CHECK: usize = 32;

const DATA: u64 = 1;
const ZEROS: u64 = 2;
const END: u64 = 3;

type Check = [u8; CHECK];

/// The check of a record.
fn check(before: &Check, head: &[u8; HEAD], data: &[u8]) -> Check {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before);
    hasher.update(head);
    if !data.is_empty() {
        hasher.update(blake3::hash(data).as_bytes());
    }
    hasher.finalize().into()
}

/// The three numbers of a record.
fn head(numbers: [u64; 3]) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    for (bytes, number) in head.chunks_exact_mut(8).zip(numbers) {
        bytes.copy_from_slice(&number.to_be_bytes());
    }
    head
}

/// The three numbers of a record that was read.
fn numbers(head: &[u8; HEAD]) -> [u64; 3] {
    let mut numbers = [0; 3];
    for (number, bytes) in numbers.iter_mut().zip(head.chunks_exact(8)) {
        let mut word = [0; 8];
        word.copy_from_slice(bytes);
        *number = u64::from_be_bytes(word);
    }
    numbers
}

#[cfg(test)]
mod tests;
