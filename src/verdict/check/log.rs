//! The activity log's health.

use super::finding::{Fault, Severity};
use super::known::maybe;
use super::rule::{Judge, Rule};
use super::run::Case;
use crate::format::activity_log::{AlKind, Complete, Unusable, Verdict};
use crate::format::superblock::{AlState, Format};
use crate::survey::log::LogState;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "al-unusable",
        severity: Severity::Error,
        row: None,
        title: "the activity log is needed, and has nothing to apply",
        meaning: "the node may have been Primary, and apply-al refuses (\"No usable activity log found\"), so `drbdadm up` stops; restore-md \
            leaves the log so, and online resizing by drbd 9.1.19 to 9.1.23 and 9.2.8 to 9.2.14",
        remedy: "`mdtool apply-al IMAGE --mark-all` marks everything out of sync and initialises the log; a full sync follows",
        source: "replay_al_84 (drbdmeta.c), commit ab2a7cab7",
        judge: Judge::Case(al_unusable),
    },
    Rule {
        id: "al-incomplete",
        severity: Severity::Error,
        row: None,
        title: "the activity log does not show all that was being written",
        meaning: "the node may have been Primary, and extents that it wrote to may be missing: after apply-al by drbdmeta, changes there would \
            never be synced",
        remedy: "`mdtool al IMAGE` shows what is missing; `mdtool apply-al IMAGE --mark-all` marks everything out of sync, and a full sync follows",
        source: "replay_al_84 (drbdmeta.c)",
        judge: Judge::Case(al_incomplete),
    },
    Rule {
        id: "al-not-initialised",
        severity: Severity::Note,
        row: None,
        title: "the activity log was never initialised",
        meaning: "restore-md leaves it so; as the node was not Primary, nothing is lost, and apply-al initialises it",
        remedy: "nothing: `drbdadm up` or `mdtool apply-al IMAGE` initialise it",
        source: "replay_al_84 (drbdmeta.c)",
        judge: Judge::Case(al_not_initialised),
    },
    Rule {
        id: "al-damaged",
        severity: Severity::Note,
        row: None,
        title: "places of the activity log are damaged, and none of them matters",
        meaning: "later transactions hold all that they held",
        remedy: "`mdtool al IMAGE` shows them; look at the disk's health",
        source: "replay_al_84 (drbdmeta.c)",
        judge: Judge::Case(al_damaged),
    },
    Rule {
        id: "al-not-empty",
        severity: Severity::Note,
        row: None,
        title: "the superblock says that the log is applied, and the log is not empty",
        meaning: "apply-al empties the log; restore-md does not, so this may be the log of what was here before",
        remedy: "nothing, if the metadata was restored by restore-md; `mdtool al IMAGE` shows the log",
        source: "meta_apply_al (drbdmeta.c)",
        judge: Judge::Case(al_not_empty),
    },
];

/// One fault about the log's area.
fn fault(case: &Case<'_>, found: impl FnOnce(&LogState) -> Option<String>) -> Vec<Fault> {
    let log = case.log.as_ref().zip(case.level);
    maybe(log.and_then(|(log, level)| Some(Fault::at(level.layout.al.clone(), found(log)?))))
}

fn al_unusable(case: &Case<'_>) -> Vec<Fault> {
    fault(case, |log| match &log.replay.verdict {
        Verdict::Unusable(unusable) if log.is_refused() => {
            Some(format!("{unusable}, expected one; MDF_PRIMARY_IND is set"))
        }
        _ => None,
    })
}

fn al_incomplete(case: &Case<'_>) -> Vec<Fault> {
    fault(case, |log| match &log.replay.verdict {
        Verdict::Incomplete(_) if log.is_refused() => {
            Some(format!("{}; MDF_PRIMARY_IND is set", log.replay.verdict))
        }
        _ => None,
    })
}

fn al_not_initialised(case: &Case<'_>) -> Vec<Fault> {
    // No log of 512-byte sectors says that it is empty: v07's is blank from the beginning.
    let says_so = case.candidate.superblock.format() != Format::V07;
    fault(case, |log| match &log.replay.verdict {
        Verdict::Unusable(Unusable::NothingValid) if !log.primary_ind && says_so => Some(format!(
            "{}, expected initialised ones",
            Unusable::NothingValid
        )),
        _ => None,
    })
}

fn al_damaged(case: &Case<'_>) -> Vec<Fault> {
    fault(case, |log| match &log.replay.verdict {
        Verdict::Complete(complete @ Complete::Damaged { .. }) => Some(complete.to_string()),
        Verdict::Unusable(unusable @ Unusable::NoTransaction { .. }) if !log.primary_ind => {
            Some(unusable.to_string())
        }
        _ => None,
    })
}

fn al_not_empty(case: &Case<'_>) -> Vec<Fault> {
    fault(case, |log| {
        let kept = log.replay.transactions > 0 && log.replay.kind != AlKind::Pmem;
        (kept && log.state == AlState::Clean).then(|| {
            format!(
                "{} places hold transactions, expected none beside MDF_AL_CLEAN",
                log.replay.transactions
            )
        })
    })
}
