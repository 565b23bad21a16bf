//! Metadata that DRBD does not see: superblocks without their magic, and what new metadata hides.

use super::candidate::At;
use super::finding::{Fault, Severity};
use super::known::maybe;
use super::rule::{Judge, Rule};
use super::run::Case;
use crate::format::superblock::{Format, Uuid};
use crate::survey::locate::{FoundBy, Level, Located, Why};
use crate::survey::traces::{Trace, TraceKind};
use crate::units::MD_BLOCK;

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "magic-erased",
        severity: Severity::Error,
        row: Some(7),
        title: "only the superblock's magic is missing",
        meaning: "wipefs, pvcreate, mkswap and lvcreate erase these four bytes and nothing else; DRBD finds no metadata, and all else is whole",
        remedy: "find out first who erased it, and whether that wrote to the disk since; then `mdtool repair IMAGE magic-erased` puts it back, with an undo file; \
            `mdtool export IMAGE --at BYTE` and `mdtool import` move the metadata as a dump",
        source: "drbd_md_decode (drbd_nl.c)",
        judge: Judge::Case(magic_erased),
    },
    Rule {
        id: "magic-overwritten",
        severity: Severity::Error,
        row: Some(7),
        title: "only the superblock's magic is wrong",
        meaning: "the bytes in its place are neither zeros nor a mark of mdtool's, and may be the beginning of more that was written there; DRBD finds no metadata",
        remedy: "find out first what was written there; `mdtool export IMAGE --at BYTE` and `mdtool import` move the metadata as a dump, with an undo file",
        source: "drbd_md_decode (drbd_nl.c)",
        judge: Judge::Case(magic_overwritten),
    },
    Rule {
        id: "superblock-gone",
        severity: Severity::Error,
        row: None,
        title: "an activity log without its superblock",
        meaning: "the superblock beside it was overwritten or cut off: DRBD finds no metadata, and neither sizes nor generations can be told from what is left",
        remedy: "keep the disk as it is, or a copy of it; a dump of this metadata, if there is one, goes back with `mdtool import`, which writes an undo file first",
        source: "drbd_md_decode (drbd_nl.c)",
        judge: Judge::Left(superblock_gone),
    },
    Rule {
        id: "change-interrupted",
        severity: Severity::Error,
        row: Some(7),
        title: "a change by mdtool was interrupted",
        meaning: "the superblock was taken out of DRBD's sight while the change was going on, and stays so until the change is undone, or the copy complete",
        remedy: "`mdtool undo FILE` puts back what was there before; then run the command again; a copy that was cut off has no undo file: `mdtool copy SOURCE TARGET --resume` goes on",
        source: "mdtool",
        judge: Judge::Case(change_interrupted),
    },
    Rule {
        id: "retired",
        severity: Severity::Warning,
        row: Some(7),
        title: "mdtool moved this metadata elsewhere",
        meaning: "a completed change retired this superblock so that DRBD does not attach it by mistake; the metadata in use is where that change put it",
        remedy: "give the disk or meta device that the metadata was moved to; `mdtool undo FILE` takes the move back",
        source: "mdtool",
        judge: Judge::Case(retired),
    },
    Rule {
        id: "retired-copy",
        severity: Severity::Note,
        row: None,
        title: "a superblock that mdtool retired",
        meaning: "it was in use before the metadata was moved to where it is now; DRBD does not see it",
        remedy: "nothing",
        source: "mdtool",
        judge: Judge::Case(retired_copy),
    },
    Rule {
        id: "created-over",
        severity: Severity::Warning,
        row: None,
        title: "new, empty metadata hides older metadata of the same disk",
        meaning: "the disk was made larger, DRBD found nothing at its new end, and metadata was created there; the data belongs to the older metadata, \
            which still has its generation and bitmap: as it is, connecting means a full sync",
        remedy: "do not connect it; `mdtool export IMAGE --at BYTE` takes the older metadata out, and `mdtool import` puts it at the disk's end",
        source: "v08_check_for_resize (drbdmeta.c)",
        judge: Judge::Case(created_over),
    },
];

fn magic_erased(case: &Case<'_>) -> Vec<Fault> {
    maybe(without_magic(case).filter(|_| case.trace == Some(TraceKind::Erased { found: 0 })))
}

fn magic_overwritten(case: &Case<'_>) -> Vec<Fault> {
    maybe(without_magic(case).filter(|_| case.trace != Some(TraceKind::Erased { found: 0 })))
}

/// What is said of a superblock that lacks nothing but its magic.
fn without_magic(case: &Case<'_>) -> Option<Fault> {
    let Some(TraceKind::Erased { found }) = case.trace else {
        return None;
    };
    let (at, expected) = match case.candidate.superblock.format() {
        Format::V07 => (At(28, 4), "0x8374026A"),
        Format::V08 => (At::MAGIC, "0x8374026B"),
        Format::V09 => (At::MAGIC, "0x8374026D"),
    };
    let what = if found == 0 {
        "only its magic was erased"
    } else {
        "everything else is a superblock's"
    };
    let text = format!("magic is 0x{found:08X}, expected {expected}: {what}");
    Some(Fault::at(case.candidate.place(at), text))
}

fn superblock_gone(located: &Located) -> Vec<Fault> {
    let foremost = located
        .foremost_trace()
        .filter(|_| located.levels.is_empty());
    let Some((trace, TraceKind::LogAlone { log, .. })) = foremost.map(|trace| (trace, trace.kind))
    else {
        return Vec::new();
    };
    let end = trace.at.saturating_add(MD_BLOCK);
    let text = format!("no superblock, and an activity log at byte {}", log.get());
    vec![Fault::at(trace.at..end, text)]
}

fn change_interrupted(case: &Case<'_>) -> Vec<Fault> {
    let found = case.trace == Some(TraceKind::UnderWay);
    let text = "mdtool's mark in the magic's place: a change by mdtool was interrupted here";
    maybe(found.then(|| Fault::at(case.candidate.whole(), text)))
}

fn retired(case: &Case<'_>) -> Vec<Fault> {
    let found = case.trace == Some(TraceKind::Retired);
    let text =
        "mdtool's mark in the magic's place: retired by mdtool, its metadata was moved elsewhere";
    maybe(found.then(|| Fault::at(case.candidate.whole(), text)))
}

/// Whether a trace is judged for itself: where DRBD looks, and wherever it is where nothing else was found. Where DRBD finds metadata on
/// this disk, what was retired inside it is a copy, whichever place it had.
pub(super) fn stands_alone(located: &Located, trace: &Trace) -> bool {
    let in_use = |level: &Level| level.found_by != FoundBy::Scan;
    if trace.kind == TraceKind::Retired && located.levels.first().is_some_and(in_use) {
        return false;
    }
    trace.in_place || located.levels.is_empty()
}

fn retired_copy(case: &Case<'_>) -> Vec<Fault> {
    if case.number != Some(0) || case.trace.is_some() {
        return Vec::new();
    }
    let traces = case.located.traces.iter();
    let found = traces
        .filter(|trace| trace.kind == TraceKind::Retired && !stands_alone(case.located, trace));
    found
        .map(|trace| {
            let end = trace.at.saturating_add(MD_BLOCK);
            let format = trace.format.map_or(String::new(), |f| format!(" ({f})"));
            Fault::at(trace.at..end, format!("a retired superblock{format}"))
        })
        .collect()
}

/// Whether metadata was just created where DRBD looks: what lies inside its device was there before.
pub(super) fn is_just_created(case: &Case<'_>) -> bool {
    let current = case.candidate.superblock.current_uuid();
    let in_place = case
        .level
        .is_some_and(|level| level.found_by != FoundBy::Scan);
    in_place && current.is_some_and(|uuid| !Uuid::names_a_generation(uuid))
}

fn created_over(case: &Case<'_>) -> Vec<Fault> {
    let Some(number) = case.number.filter(|_| is_just_created(case)) else {
        return Vec::new();
    };
    let rejected = case
        .located
        .rejected
        .iter()
        .filter(|rejected| matches!(rejected.why, Why::Leftover { level } if level == number));
    rejected
        .map(|rejected| {
            let end = rejected.at.saturating_add(MD_BLOCK);
            let text = format!(
                "a superblock ({}) inside the data of metadata that was just created",
                rejected.format
            );
            Fault::at(rejected.at..end, text)
        })
        .collect()
}
