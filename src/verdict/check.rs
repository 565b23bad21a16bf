//! Judging metadata: what kernels and drbdmeta would say to it, what is damaged, and what known bugs left behind.
//!
//! Rules are data, in one table: [`rules`]. Each has a function that finds what it is about, and nothing else. What is found is a
//! [`Finding`]; that there is one is no error.
//!
//! A superblock is judged where it stands. That may be a level of the stack, or one that [`crate::survey::locate`] does not take for metadata,
//! because its fields contradict its place: [`in_place`] finds those, since DRBD would look at just them. [`attach`] alone returns what
//! kernels would answer, and reads nothing.
//!
//! Nothing here reads more than a bound that does not depend on the disk, unless [`CheckOptions::full`] asks for that.

mod attach;
mod bitmap;
mod candidate;
mod finding;
mod flags;
mod kernel;
mod known;
mod log;
mod rule;
mod run;
mod seen;
mod slots;
mod stack;
mod traces;
mod uuids;

pub use crate::survey::in_place::{InPlace, in_place, in_place_at};
pub use attach::{
    AttachRefusal, attach, first_refusals, nobody_attaches, refusals, refusals_of_level, refusing,
};
pub use candidate::Candidate;
pub use finding::{Finding, Severity};
pub use flags::move_was_cut_off;
pub use kernel::{Attach, Code, Kernel};
pub use rule::{Rule, rules};
pub use run::{CheckOptions, Judged, check, check_what_is_left};
pub use slots::{free_slots, left_by_a_peer};
pub use uuids::attached_all_the_same;

#[cfg(test)]
mod tests;
