//! Metadata surgery and disk-layout analysis for DRBD.
#![cfg_attr(
    test,
    expect(
        clippy::arithmetic_side_effects,
        reason = "a test may overflow: it fails then"
    )
)]

#[cfg(any(test, feature = "builder"))]
pub mod builder;
#[cfg(feature = "cli")]
pub mod cli;
pub mod dump;
pub mod error;
pub mod format;
pub mod image;
pub mod surgery;
pub mod survey;
pub mod terms;
#[cfg(test)]
mod test_cases;
pub mod transaction;
pub mod truck;
pub mod units;
pub mod verdict;
