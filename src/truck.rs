//! The truck: the bytes of one level carried to another disk, and the proof that they arrived.
//!
//! ```text
//! source -> pieces -> stream -> pipe, ssh -> stream, verified -> arrival -> target
//!             |                                                    |
//!             +-> sums                                             +-> state
//! ```
//!
//! Belongs here: walking a source without reading its holes, the stream's format, what has arrived and is durable, checksums by chunk.
//! Does not: which level is meant (`survey`), files and pipes themselves (`image`), and asking people.

pub mod arrival;
pub mod changed;
pub mod extent;
pub mod hash;
pub mod pieces;
pub mod ranges;
mod refusal;
pub mod state;
pub mod stream;
pub mod sums;

pub use refusal::TruckRefusal;
