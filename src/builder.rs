//! Writes what DRBD writes, by formulas of its own.
//!
//! Tests compare the readers with this, so it shares nothing with them: no mirror, no checksum routine, no constant.

pub mod activity_log;
