//! What two replicas decide when they are connected, as the kernel does it.
//!
//! Both are values: what their metadata says, and what was counted in it. Attaching makes nodes of them (`node`); each compares its
//! generations with the other's, by a table of rules for each family of kernels (`rules_8`, `rules_9`); then disk states, roles,
//! policies and sizes have their say (`settle`, `sizes`). Both sides are asked, and the answers held against each other.
//!
//! No I/O here: [`Pair::marks`] returns the slots that a resync begins with, and whoever has the bitmaps counts.

mod at_attach;
mod decision;
mod disk;
mod node;
mod options;
mod pair;
mod replica;
mod rules_8;
mod rules_9;
mod settle;
mod sizes;
#[cfg(test)]
mod tests;

pub use at_attach::{AtAttach, at_attach, is_fresh};
pub use decision::Decision;
pub use disk::Disk;
pub use node::{NeverSized, Whole};
pub use options::{
    AfterSplitBrain, BadSetting, NetOptions, Options, Protocol, RrConflict, SideOptions,
};
pub use pair::{Counted, Loss, Mark, Marks, Note, Obstacle, Pair, SideView, WhyFull};
pub use replica::{FlagsTold, Log, Replica};
pub use settle::Step;
pub use sizes::{Sizes, TooSmall, may_grow};

use std::fmt;

use crate::terms::Format;
use crate::verdict::check::Kernel;

/// The kernels that decide alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// DRBD 8.4.
    V8,
    /// DRBD 9.
    V9,
}

impl Family {
    /// The kernels that a format is of.
    #[must_use]
    pub const fn of(format: Format) -> Self {
        match format {
            Format::V07 | Format::V08 => Self::V8,
            Format::V09 => Self::V9,
        }
    }

    /// The newest kernel among them.
    #[must_use]
    pub const fn newest(self) -> Kernel {
        match self {
            Self::V8 => Kernel::V8_4,
            Self::V9 => Kernel::V9_3,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V8 => "8.4",
            Self::V9 => "9",
        })
    }
}

/// What connecting two replicas decides; all of it is seen from the first one's side.
#[must_use]
pub fn compare(a: &Replica, b: &Replica, options: &Options) -> Pair {
    pair::compare([a, b], options)
}
