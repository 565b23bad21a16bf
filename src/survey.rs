//! What is on a disk, read once: the places where DRBD looks, the levels of a stack, what is left of others, who else lives there.
//!
//! Belongs here: everything that reads a disk to find out what it holds. Does not: what that means for attaching (`verdict`), and changes.

pub mod base;
pub mod bitmap;
mod bytes;
pub mod contents;
pub mod differences;
pub mod file_form;
pub mod filesystems;
pub mod in_place;
pub mod locate;
pub mod log;
pub mod occupants;
pub mod places;
pub(crate) mod plausibility;
pub mod range_file;
pub mod residents;
pub mod traces;
pub mod windows;
