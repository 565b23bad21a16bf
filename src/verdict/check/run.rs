//! Asking every rule of every superblock that there is.

use std::cell::RefCell;

use super::attach::{attach, first_refusals};
use super::finding::{Finding, Severity};
use super::kernel::{Attach, Code};
use super::known::drbdmeta_refuses;
use super::rule::{Judge, rules};
use super::subject::Subject;
use crate::error::{Misfit, Result};
use crate::image::Window;
use crate::survey::in_place::InPlace;
use crate::survey::locate::{FoundBy, Level, Located};
use crate::survey::log::LogState;
use crate::units::{Bytes, range_len};

/// The largest activity log that is read unasked: the largest that drbdmeta makes.
const LOG_BUDGET: Bytes = Bytes::new(32 << 20);
/// How much of a bitmap is read unasked.
const BITMAP_BUDGET: Bytes = Bytes::new(16 << 20);

/// How far to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Read whole bitmaps and activity logs, however large.
    pub full: bool,
}

/// One superblock, judged.
#[derive(Clone, Debug)]
pub struct Judged<'a> {
    /// Its level's number; `None` for one that stands where DRBD looks and contradicts its place.
    pub number: Option<usize>,
    /// Its level.
    pub level: Option<&'a Level>,
    /// The superblock, its place, and the device that it was judged on.
    pub subject: Subject<'a>,
    /// What was found: errors first, then by the rules' order.
    pub findings: Vec<Finding>,
    /// Each kernel's first refusal.
    pub attach: Attach,
    /// What drbdmeta would not take, of what it looks at.
    pub drbdmeta: Option<Misfit>,
    /// What was not looked at, and why.
    pub not_looked: Vec<String>,
}

/// What the rules are asked about.
pub(super) struct Case<'a> {
    pub(super) device: Window<'a>,
    pub(super) located: &'a Located,
    pub(super) subject: Subject<'a>,
    pub(super) number: Option<usize>,
    pub(super) level: Option<&'a Level>,
    /// The level around it.
    pub(super) outer: Option<&'a Level>,
    /// The device on which DRBD would look for it: the image, or the DRBD device of the level around it.
    pub(super) holder: Bytes,
    /// Its activity log, where that was read.
    pub(super) log: Option<LogState>,
    /// What kernels said.
    pub(super) attach: &'a [Finding],
    full: bool,
    not_looked: RefCell<Vec<String>>,
}

impl Case<'_> {
    /// Whether it is the last level.
    pub(super) fn is_innermost(&self) -> bool {
        self.number.and_then(|number| number.checked_add(1)) == Some(self.located.levels.len())
    }

    /// Whether so much may be read; where not, says what was not looked at.
    pub(super) fn may_read(&self, size: Bytes, most: Bytes, what: &str) -> bool {
        let may = self.full || size <= most;
        if !may {
            let text = format!("{what}: {size}, more than {most}; --full reads it");
            let mut not_looked = self.not_looked.borrow_mut();
            if !not_looked.contains(&text) {
                not_looked.push(text);
            }
        }
        may
    }

    /// How much of the bitmap may be read.
    pub(super) const fn bitmap_budget() -> Bytes {
        BITMAP_BUDGET
    }
}

/// Judges what stands where DRBD looks, and every level, the outermost first.
///
/// # Errors
///
/// What reading met; [`Refused::ActivityLogChanged`](crate::error::Refused::ActivityLogChanged) where the image is being written to.
pub fn check<'a>(
    device: Window<'a>,
    located: &'a Located,
    in_place: &'a [InPlace],
    options: CheckOptions,
) -> Result<Vec<Judged<'a>>> {
    let mut judged = Vec::new();
    let one = |one: &'a InPlace| {
        judge(
            device,
            located,
            (None, one.device),
            Subject::in_place(one),
            options,
        )
    };
    for found in in_place.iter().filter(|one| one.inside.is_none()) {
        judged.push(one(found)?);
    }
    let mut outer: Option<&Level> = None;
    for (number, level) in located.levels.iter().enumerate() {
        let around = outer.and_then(|outer| outer.drbd_device().to_bytes());
        let holder = match level.found_by {
            FoundBy::Given => level.device,
            _ => around.unwrap_or_else(|| device.size()),
        };
        let subject = Subject::of_level(level, holder);
        judged.push(judge(
            device,
            located,
            (Some((number, level)), holder),
            subject,
            options,
        )?);
        outer = Some(level);
    }
    for found in in_place.iter().filter(|one| one.inside.is_some()) {
        judged.push(one(found)?);
    }
    Ok(judged)
}

fn judge<'a>(
    device: Window<'a>,
    located: &'a Located,
    (level, holder): (Option<(usize, &'a Level)>, Bytes),
    subject: Subject<'a>,
    options: CheckOptions,
) -> Result<Judged<'a>> {
    let mut findings = attach(&subject);
    let number = level.map(|(number, _)| number);
    let level = level.map(|(_, level)| level);
    let outer = number
        .and_then(|number| number.checked_sub(1))
        .and_then(|outer| located.levels.get(outer));
    let mut case = Case {
        device,
        located,
        subject,
        number,
        level,
        outer,
        holder,
        log: None,
        attach: &findings,
        full: options.full,
        not_looked: RefCell::default(),
    };
    if let Some(level) = level
        && case.may_read(range_len(&level.layout.al), LOG_BUDGET, "the activity log")
    {
        case.log = Some(LogState::read(device, level, &mut |_| ())?);
    }
    let mut more = Vec::new();
    for rule in rules() {
        let faults = match rule.judge {
            Judge::Kernel(..) => continue,
            Judge::Case(judge) => judge(&case),
            Judge::Read(judge) => judge(&case)?,
        };
        // A rule with a row that is no kernel's question about fields: DRBD does not find the superblock at all.
        let answers = rule.row.map(|_| Attach::all(Code::MdInvalid));
        more.extend(faults.into_iter().map(|fault| Finding {
            rule,
            place: fault.place,
            found: fault.found,
            attach: answers,
        }));
    }
    let not_looked = case.not_looked.take();
    drop(case);
    findings.extend(more);
    let attach = first_refusals(subject.superblock.format(), &findings);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.rule.severity));
    Ok(Judged {
        number,
        level,
        subject,
        findings,
        attach,
        drbdmeta: drbdmeta_refuses(&subject),
        not_looked,
    })
}

impl Judged<'_> {
    /// The gravest finding's severity.
    #[must_use]
    pub fn worst(&self) -> Option<Severity> {
        self.findings
            .iter()
            .map(|finding| finding.rule.severity)
            .max()
    }
}
