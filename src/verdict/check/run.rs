//! Asking every rule of every superblock that there is.

use std::cell::RefCell;

use super::attach::{attach, first_refusals};
use super::candidate::Candidate;
use super::finding::{Finding, Severity};
use super::kernel::{Attach, Code};
use super::known::drbdmeta_refuses;
use super::rule::{Judge, rules};
use crate::error::{Misfit, Result};
use crate::image::Window;
use crate::survey::in_place::InPlace;
use crate::survey::locate::{FoundBy, Level, Located};
use crate::survey::log::LogState;
use crate::survey::traces::{Trace, TraceKind};
use crate::units::{Bytes, range_len};

/// The largest activity log that is read unasked: the largest that drbdmeta makes.
const LOG_BUDGET: Bytes = Bytes::new(32 << 20);
/// How much of a bitmap is read unasked.
const BITMAP_BUDGET: Bytes = Bytes::new(16 << 20);

/// What a dump leaves out.
const NOT_IN_A_DUMP: &str = "the activity log and the data: they are not in a dump";

/// How far to look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CheckOptions {
    /// Read whole bitmaps and activity logs, however large.
    pub full: bool,
    /// What is looked at was made of a dump: there is no log, and no data.
    pub of_dump: bool,
}

/// One superblock, judged.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Judged<'a> {
    /// Its level's number; `None` for one that stands where DRBD looks and contradicts its place.
    pub number: Option<usize>,
    /// Its level.
    pub level: Option<&'a Level>,
    /// What its superblock lacks, where DRBD does not see it.
    pub trace: Option<TraceKind>,
    /// The superblock, its place, and the device that it was judged on.
    pub candidate: Candidate<'a>,
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
    pub(super) candidate: Candidate<'a>,
    pub(super) number: Option<usize>,
    pub(super) level: Option<&'a Level>,
    /// The level around it.
    pub(super) outer: Option<&'a Level>,
    /// The device on which DRBD would look for it: the image, or the DRBD device of the level around it.
    pub(super) holder: Bytes,
    /// What its superblock lacks, where DRBD does not see it.
    pub(super) trace: Option<TraceKind>,
    /// Its activity log, where that was read.
    pub(super) log: Option<LogState>,
    /// What kernels said.
    pub(super) attach: &'a [Finding],
    full: bool,
    /// There is no data, since this was made of a dump.
    pub(super) of_dump: bool,
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
/// Read errors; [`Refused::ActivityLogChanged`](crate::error::Refused::ActivityLogChanged) where the image is being written to.
pub fn check<'a>(
    device: Window<'a>,
    located: &'a Located,
    in_place: &'a [InPlace],
    options: CheckOptions,
) -> Result<Vec<Judged<'a>>> {
    let mut judged = Vec::new();
    let judge = |item: Item<'a>| judge(device, located, &item, options);
    for found in in_place.iter().filter(|one| one.inside.is_none()) {
        judged.push(judge(Item::in_place(found))?);
    }
    // What DRBD looks at is the outermost.
    let (first, rest): (Vec<&Trace>, Vec<&Trace>) =
        unseen(located).partition(|trace| trace.in_place);
    for trace in first.into_iter().chain(rest) {
        judged.extend(Item::trace(trace).map(judge).transpose()?);
    }
    for (number, level) in located.levels.iter().enumerate() {
        let holder = match level.found_by {
            FoundBy::Given => level.device,
            _ => located.holder(number, device.size()),
        };
        judged.push(judge(Item {
            number: Some(number),
            level: Some(level),
            trace: located.trace_at(level.layout.md).map(|trace| trace.kind),
            holder,
            candidate: Candidate::of_level(level, holder),
        })?);
    }
    for found in in_place.iter().filter(|one| one.inside.is_some()) {
        judged.push(judge(Item::in_place(found))?);
    }
    Ok(judged)
}

/// What is found where no superblock is left that could be judged.
#[must_use]
pub fn check_what_is_left(located: &Located) -> Vec<Finding> {
    let mut found = Vec::new();
    for rule in rules() {
        if let Judge::Left(judge) = rule.judge {
            let faults = judge(located).into_iter();
            found.extend(faults.map(|fault| Finding::of(rule, fault, None)));
        }
    }
    found
}

/// The traces that are judged for themselves.
fn unseen(located: &Located) -> impl Iterator<Item = &Trace> {
    located.traces.iter().filter(move |trace| {
        let levels = located.levels.iter();
        let known = levels.map(|level| level.layout.md).any(|at| at == trace.at);
        super::traces::stands_alone(located, trace) && !known
    })
}

/// One superblock that is to be judged.
struct Item<'a> {
    number: Option<usize>,
    level: Option<&'a Level>,
    trace: Option<TraceKind>,
    holder: Bytes,
    candidate: Candidate<'a>,
}

impl<'a> Item<'a> {
    const fn in_place(found: &'a InPlace) -> Self {
        Self {
            number: None,
            level: found.level.as_ref(),
            trace: None,
            holder: found.device,
            candidate: Candidate::in_place(found),
        }
    }

    fn trace(trace: &'a Trace) -> Option<Self> {
        let level = trace.level.as_ref()?;
        Some(Self {
            number: None,
            level: Some(level),
            trace: Some(trace.kind),
            holder: level.device,
            candidate: Candidate::of_level(level, level.device),
        })
    }
}

fn judge<'a>(
    device: Window<'a>,
    located: &'a Located,
    item: &Item<'a>,
    options: CheckOptions,
) -> Result<Judged<'a>> {
    let Item {
        number,
        level,
        trace,
        holder,
        candidate,
    } = *item;
    let mut findings = attach(&candidate);
    let outer = number
        .and_then(|number| number.checked_sub(1))
        .and_then(|outer| located.levels.get(outer));
    let mut case = Case {
        device,
        located,
        candidate,
        number,
        level,
        outer,
        holder,
        trace,
        log: None,
        attach: &findings,
        full: options.full,
        of_dump: options.of_dump,
        not_looked: RefCell::default(),
    };
    if options.of_dump {
        case.not_looked.borrow_mut().push(NOT_IN_A_DUMP.to_owned());
    } else if let Some(level) = level
        && case.may_read(range_len(&level.layout.al), LOG_BUDGET, "the activity log")
    {
        case.log = Some(LogState::read(device, level, &mut |_| ())?);
    }
    let mut more = Vec::new();
    for rule in rules() {
        let faults = match rule.judge {
            Judge::Kernel(..) | Judge::Left(_) => continue,
            Judge::Case(judge) => judge(&case),
            Judge::Read(judge) => judge(&case)?,
        };
        // A rule with a row that is no kernel's question about fields: DRBD does not find the superblock at all.
        let answers = rule.row.map(|_| Attach::all(Code::MdInvalid));
        let found = |fault| Finding::of(rule, fault, answers);
        more.extend(faults.into_iter().map(found));
    }
    let not_looked = case.not_looked.take();
    drop(case);
    findings.extend(more);
    apply_al_will_refuse(&mut findings);
    let attach = first_refusals(candidate.superblock.format(), &findings);
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.rule.severity));
    Ok(Judged {
        number,
        level,
        trace,
        candidate,
        findings,
        attach,
        drbdmeta: drbdmeta_refuses(&candidate),
        not_looked,
    })
}

/// Where the log cannot be applied, `drbdadm up` stops at that, and is no advice.
fn apply_al_will_refuse(findings: &mut [Finding]) {
    let unusable = |finding: &Finding| ["al-unusable", "al-incomplete"].contains(&finding.rule.id);
    let Some(id) = findings
        .iter()
        .find(|one| unusable(one))
        .map(|one| one.rule.id)
    else {
        return;
    };
    for finding in findings
        .iter_mut()
        .filter(|one| one.rule.id == "apply-al-needed")
    {
        finding.remedy = format!("what {id} says: drbdmeta and `drbdadm up` cannot apply this log");
    }
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
