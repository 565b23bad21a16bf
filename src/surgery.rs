//! What is written: metadata that is placed, adopted, imported, brought up to date.
//!
//! Belongs here: the drafts of changes, each with its invariants. Does not: how a draft reaches a disk (`transaction`), and asking people.

pub mod adopt;
pub mod apply_al;
pub mod bits;
pub mod described;
pub mod edit;
pub mod import;
mod node;
pub mod place;
pub mod relocate;
pub mod repair;
pub mod risks;
pub mod wipe;
