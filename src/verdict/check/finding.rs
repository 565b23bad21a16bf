//! What a check answers.

use std::fmt;
use std::ops::Range;

use super::kernel::Attach;
use super::rule::Rule;
use crate::units::DevPos;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Good to know.
    Note,
    /// Something to be done or decided before DRBD works as expected.
    Warning,
    /// DRBD refuses this, or data or tracking of changes may be lost.
    Error,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

/// Something that a rule found.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Finding {
    /// Which rule.
    pub rule: &'static Rule,
    /// Where, on the device that was looked at; `None` where it has no one place.
    pub place: Option<Range<DevPos>>,
    /// What was found, and what was expected.
    pub found: String,
    /// What kernels answer to this, where they ask.
    pub attach: Option<Attach>,
    /// What that means here.
    pub meaning: String,
    /// What to do next here, the least destructive first.
    pub remedy: String,
}

impl Finding {
    /// What a rule found, in the rule's words where the fault has none of its own.
    pub(super) fn of(rule: &'static Rule, fault: Fault, attach: Option<Attach>) -> Self {
        Self {
            rule,
            place: fault.place,
            found: fault.found,
            attach,
            meaning: fault.meaning.unwrap_or_else(|| rule.meaning.to_owned()),
            remedy: fault.remedy.unwrap_or_else(|| rule.remedy.to_owned()),
        }
    }
}

/// What a rule's function gives: a finding without its rule.
#[derive(Clone, Debug, Default)]
pub(super) struct Fault {
    pub(super) place: Option<Range<DevPos>>,
    pub(super) found: String,
    /// What it means, where the rule's words do not fit.
    pub(super) meaning: Option<String>,
    /// What to do, where the rule's words do not fit.
    pub(super) remedy: Option<String>,
}

impl Fault {
    pub(super) fn at(place: Range<DevPos>, found: impl Into<String>) -> Self {
        Self {
            place: Some(place),
            found: found.into(),
            ..Self::default()
        }
    }

    /// The same with other words than the rule's.
    pub(super) fn meaning(self, meaning: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            meaning: Some(meaning.into()),
            remedy: Some(remedy.into()),
            ..self
        }
    }
}
