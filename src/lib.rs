//! Metadata surgery and disk-layout analysis for DRBD.
#![cfg_attr(
    test,
    expect(
        clippy::arithmetic_side_effects,
        reason = "a test may overflow: it fails then"
    )
)]

pub mod activity_log;
#[cfg(any(test, feature = "builder"))]
pub mod builder;
pub mod error;
pub mod image;
pub mod ondisk;
pub mod superblock;
pub mod units;
