//! The table of rules.

use super::candidate::Candidate;
use super::finding::{Fault, Severity};
use super::kernel::{Code, Kernel};
use super::run::Case;
use super::{attach, bitmap, flags, known, log, seen, slots, stack, traces, uuids};
use crate::error::Result;
use crate::survey::locate::Located;

/// What can be wrong, and what to do about it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rule {
    /// Its name, which never changes.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The row of the kernel's attach checks in docs/checks.md, where it is one of them.
    pub row: Option<u8>,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// What that means.
    pub meaning: &'static str,
    /// What to do next, the least destructive first.
    pub remedy: &'static str,
    /// Where DRBD has it.
    pub source: &'static str,
    pub(super) judge: Judge,
}

/// When a kernel comes to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Before it knows whether it reads this format.
    First,
    /// Field after field of the geometry: it stops at the first that it refuses, and what follows would follow from that.
    Geometry,
    /// Of its own.
    Apart,
    /// Once the geometry is taken.
    Size,
}

/// A kernel's refusal.
pub(super) struct Refusal {
    pub(super) code: Code,
    pub(super) fault: Fault,
}

/// How a rule is judged.
#[derive(Clone, Copy, Debug)]
pub(super) enum Judge {
    /// By the superblock and its place alone, for each kernel.
    Kernel(Stage, fn(&Candidate<'_>, Kernel) -> Option<Refusal>),
    /// By whatever was found.
    Case(fn(&Case<'_>) -> Vec<Fault>),
    /// By what is left where there is no superblock to be judged.
    Left(fn(&Located) -> Vec<Fault>),
    /// By reading more.
    Read(fn(&Case<'_>) -> Result<Vec<Fault>>),
}

/// Every rule, by candidate; attach rules come first, in the kernel's order.
static TABLE: [&[Rule]; 12] = [
    attach::RULES,
    attach::GEOMETRY,
    attach::MORE,
    uuids::RULES,
    known::RULES,
    flags::RULES,
    log::RULES,
    bitmap::RULES,
    stack::RULES,
    slots::RULES,
    seen::RULES,
    traces::RULES,
];

/// Every rule.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    TABLE.into_iter().flatten()
}
