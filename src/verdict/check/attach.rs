//! What kernels ask before they attach, as far as metadata alone can answer: each question a rule.
//!
//! A kernel asks in the order of the rows and stops at its first refusal. So do the rows of the geometry here, each kernel for itself; the
//! others are asked whatever came before, since they are about other fields.

mod geometry;
mod node;

pub(super) use geometry::{GEOMETRY, too_small_meta_device};
pub(super) use node::{MORE, most_sectors};

use super::candidate::{At, Candidate};
use super::finding::{Fault, Finding, Severity};
use super::kernel::{Attach, Code, Kernel};
use super::rule::{Judge, Refusal, Rule, Stage, rules};
use super::stack::OUTER_SHRUNK;
use crate::format::superblock::{AlState, DeviceFlags, Format, MAGIC_84_UNCLEAN, Superblock};
use crate::survey::locate::Located;
use crate::units::Bytes;

/// What to do where a superblock's fields are wrong.
pub(super) const DAMAGED: &str = "a dump of this metadata, if there is one, goes back with `mdtool import`, which writes an undo file first; \
    else look for an intact copy in a snapshot or a backup of this disk";

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "apply-al-needed",
        severity: Severity::Warning,
        row: Some(6),
        title: "the activity log is still to be applied",
        meaning: "no damage: every kernel leaves metadata so, after a stop in good order as after a crash, and so is every snapshot of a \
            running resource; what the log names is not in the bitmap yet",
        remedy: "nothing, where `drbdadm up` attaches it: that runs apply-al first; else `mdtool apply-al IMAGE`",
        source: "drbd_md_decode (drbd_nl.c)",
        judge: Judge::Kernel(Stage::First, apply_al_needed),
    },
    Rule {
        id: "format-v07",
        severity: Severity::Warning,
        row: Some(7),
        title: "metadata of DRBD 0.7",
        meaning: "no kernel since 8.0 attaches it",
        remedy: "attach it with DRBD 0.7; `mdtool export IMAGE --apply-al` keeps it as text",
        source: "drbd_md_decode (drbd_nl.c)",
        judge: Judge::Kernel(Stage::First, format_v07),
    },
];

/// What every kernel would answer to a superblock, by its fields and its place alone; no other block is read.
///
/// One that stands somewhere else is not found at all: that is not asked here.
#[must_use]
pub fn attach(candidate: &Candidate<'_>) -> Vec<Finding> {
    let format = candidate.superblock.format();
    let mut stopped = Vec::new();
    let mut findings = Vec::new();
    for rule in rules() {
        let Judge::Kernel(stage, judge) = rule.judge else {
            continue;
        };
        let mut fault: Option<Fault> = None;
        let answers = Attach::each(|kernel| {
            let asked = match stage {
                Stage::First => true,
                Stage::Apart => kernel.knows(format),
                Stage::Geometry | Stage::Size => kernel.knows(format) && !stopped.contains(&kernel),
            };
            let refusal = asked.then(|| judge(candidate, kernel)).flatten()?;
            if stage == Stage::Geometry {
                stopped.push(kernel);
            }
            fault.get_or_insert(refusal.fault);
            Some(refusal.code)
        });
        if let Some(fault) = fault {
            findings.push(Finding::of(rule, fault, Some(answers)));
        }
    }
    findings
}

/// The first refusal of each kernel, in its own order; that it does not read the format counts.
#[must_use]
pub fn first_refusals(format: Format, findings: &[Finding]) -> Attach {
    Attach::each(|kernel| {
        let asked = findings.iter().filter_map(|finding| {
            let code = finding.attach?.of(kernel)?;
            // What DRBD does not find, it does not ask about.
            let found = matches!(finding.rule.judge, Judge::Kernel(..));
            Some((if found { finding.rule.row? } else { 0 }, code))
        });
        let unknown = match format {
            // In 9.3 it depends on the resource, which rarely is in its 8.4 compatibility mode.
            Format::V08 => kernel.is_9().then_some(8),
            Format::V07 | Format::V09 => (!kernel.knows(format)).then_some(7),
        };
        asked
            .chain(unknown.map(|row| (row, Code::MdInvalid)))
            .min_by_key(|(row, _)| *row)
            .map(|(_, code)| code)
    })
}

/// A kernel that does not attach a superblock even once its log is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AttachRefusal {
    /// Which kernel.
    pub kernel: Kernel,
    /// Which rule it follows, by its name.
    pub rule: &'static str,
    /// What is wrong, in a few words.
    pub title: &'static str,
    /// Its reason.
    pub code: Code,
}

/// Which kernels, of those that read the format, would not attach a superblock once its log is applied, each with its first reason.
#[must_use]
pub fn refusals(candidate: &Candidate<'_>) -> Vec<AttachRefusal> {
    let format = candidate.superblock.format();
    let findings = attach(candidate);
    let lasting = || {
        findings
            .iter()
            .filter(|one| one.rule.id != "apply-al-needed")
    };
    let kernels = Kernel::ALL
        .into_iter()
        .filter(|kernel| kernel.knows(format));
    let first = |kernel: Kernel| {
        let answers = lasting().filter_map(|one| Some((one.rule, one.attach?.of(kernel)?)));
        let (rule, code) = answers.min_by_key(|(rule, _)| rule.row)?;
        Some(AttachRefusal {
            kernel,
            rule: rule.id,
            title: rule.title,
            code,
        })
    };
    kernels.filter_map(first).collect()
}

/// What kernels refuse of a superblock that is to be written, other than that the log is still to be applied: `drbdadm up` does that.
#[must_use]
pub fn refusing(candidate: &Candidate<'_>) -> Vec<Finding> {
    let findings = attach(candidate).into_iter();
    findings
        .filter(|finding| finding.rule.severity == Severity::Error)
        .filter(|finding| finding.attach.is_some_and(|answers| answers.refuses()))
        .collect()
}

/// Whether no kernel that reads `format` attaches what these findings are about: it is not written unasked.
#[must_use]
pub fn nobody_attaches(findings: &[Finding], format: Format) -> bool {
    let refuses = |kernel| {
        let answer = |one: &Finding| one.attach.and_then(|answers| answers.of(kernel));
        findings.iter().any(|one| answer(one).is_some())
    };
    let mut readers = Kernel::ALL
        .into_iter()
        .filter(|kernel| kernel.knows(format));
    !findings.is_empty() && readers.all(refuses)
}

/// The same of a level of what was found on a device.
#[must_use]
pub fn refusals_of_level(located: &Located, number: usize, device: Bytes) -> Vec<AttachRefusal> {
    let Some(level) = located.levels.get(number) else {
        return Vec::new();
    };
    if located.is_beyond(number, device) {
        // No kernel comes to look at the rest.
        return beyond_its_outer(level.superblock.format());
    }
    refusals(&Candidate::of_level(level, located.holder(number, device)))
}

/// What kernels that read the format say where the device around a resource ends before its metadata does.
fn beyond_its_outer(format: Format) -> Vec<AttachRefusal> {
    let kernels = Kernel::ALL
        .into_iter()
        .filter(|kernel| kernel.knows(format));
    let refusal = |kernel| AttachRefusal {
        kernel,
        rule: OUTER_SHRUNK.id,
        title: OUTER_SHRUNK.title,
        code: Code::MdInvalid,
    };
    kernels.map(refusal).collect()
}

/// Row 6: asked by the magic, before that is found to be one that the kernel reads.
fn apply_al_needed(candidate: &Candidate<'_>, kernel: Kernel) -> Option<Refusal> {
    let asks = match candidate.superblock.format() {
        Format::V07 => false,
        Format::V08 => true,
        Format::V09 => kernel.is_9(),
    };
    if !asks || candidate.superblock.al_state() == AlState::Clean {
        return None;
    }
    let fault = match candidate.superblock {
        Superblock::V08(sb) if sb.magic == MAGIC_84_UNCLEAN => Fault::at(
            candidate.place(At::MAGIC),
            format!(
                "magic is 0x{:08X}, expected 0x8374026B once the log is applied",
                sb.magic
            ),
        ),
        superblock => Fault::at(
            candidate.place(At::FLAGS),
            format!(
                "flags are {}, expected MDF_AL_CLEAN ({}) among them once the log is applied",
                superblock.flags(),
                DeviceFlags::AL_CLEAN
            ),
        ),
    };
    Some(Refusal {
        code: Code::MdUnclean,
        fault,
    })
}

/// Row 7.
fn format_v07(candidate: &Candidate<'_>, _: Kernel) -> Option<Refusal> {
    let place = candidate.place(At(28, 4));
    (candidate.superblock.format() == Format::V07).then(|| Refusal {
        code: Code::MdInvalid,
        fault: Fault::at(place, "magic is 0x8374026A (v07)"),
    })
}
