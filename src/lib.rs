//! Metadata surgery and disk-layout analysis for DRBD.
#![cfg_attr(
    test,
    expect(
        clippy::arithmetic_side_effects,
        reason = "a test may overflow: it fails then"
    )
)]

pub mod activity_log;
pub mod adopt;
pub mod apply_al;
pub mod bitmap;
#[cfg(any(test, feature = "builder"))]
pub mod builder;
pub mod check;
#[cfg(feature = "cli")]
pub mod cli;
pub mod dump;
pub mod edit;
pub mod error;
pub mod evidence;
pub mod foreign;
pub mod image;
pub mod import;
pub mod layout;
pub mod locate;
pub mod metadata;
pub mod occupant;
pub mod ondisk;
pub mod place;
pub mod probe;
pub mod superblock;
#[cfg(test)]
mod test_cases;
pub mod units;
