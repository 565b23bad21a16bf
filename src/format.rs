//! What DRBD's bytes mean: superblock, activity log, bitmap, and where they lie.
//!
//! Belongs here: mirrors of DRBD's structures, their fields, the formulas. Does not: reading and writing (no I/O at all), searching, and what a
//! state means for an operator.

pub mod activity_log;
pub mod bitmap;
pub mod layout;
pub mod metadata;
pub mod ondisk;
pub mod superblock;
