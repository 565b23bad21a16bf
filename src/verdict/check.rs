//! Judging metadata: what kernels and drbdmeta would say to it, what is damaged, and what known bugs left behind.
//!
//! Rules are data, in one table: [`rules`]. Each has a function that finds what it is about, and nothing else. What is found is a
//! [`Finding`]; that there is one is no error.
//!
//! A superblock is judged where it stands. That may be a level of the stack, or one that [`crate::survey::locate`] does not take for metadata,
//! because its fields contradict its place: [`standing`] finds those, since DRBD would look at just them. [`attach`] alone tells what
//! kernels would answer, and reads nothing.
//!
//! Nothing here reads more than a bound that does not depend on the disk, unless [`CheckOptions::full`] asks for that.

mod attach;
mod bitmap;
mod finding;
mod flags;
mod kernel;
mod known;
mod log;
mod rule;
mod run;
mod stack;
mod standing;
mod subject;
mod uuids;

pub use attach::{attach, first_refusals};
pub use finding::{Finding, Severity};
pub use kernel::{Attach, Code, Kernel};
pub use rule::{Rule, rules};
pub use run::{CheckOptions, Judged, check};
pub use standing::{Standing, standing, standing_at};
pub use subject::Subject;

#[cfg(test)]
mod tests;
