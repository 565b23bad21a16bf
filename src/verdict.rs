//! What a survey means: the status of `probe`, the rules of `check`, what connecting will do, the known bugs of kernels and of drbd-utils.
//!
//! Belongs here: every judgement, each question in one place. Does not: reading a disk (`survey`), and changes.

pub mod check;
pub mod fit;
pub mod forecast;
pub mod handshake;
pub mod kernel_bugs;
pub mod probe;
pub mod utils_bugs;
