//! DRBD's text format for metadata, as `dump-md` prints and `restore-md` reads it.
//!
//! A printed dump is byte for byte what the newest drbdmeta prints for the same metadata, but for the two header lines that carry time and
//! command. docs/dump-format.md has the format.

mod beginning;
mod bitmap_body;
mod compat;
#[cfg(test)]
mod examples;
mod hex;
mod lex;
mod parse;
mod places;
mod print;
mod read;
#[cfg(test)]
mod round_trip;
mod scan;
mod text;

pub use beginning::is_dump;
pub use compat::Compat;
pub use places::Places;
pub use print::{Preamble, print};
pub use read::{DumpReader, Note};
