//! How levels fit into each other, the image, and what lives on the innermost one.

use super::candidate::At;
use super::finding::{Fault, Severity};
use super::known::maybe;
use super::rule::{Judge, Rule};
use super::run::Case;
use crate::error::Result;
use crate::format::superblock::Format;
use crate::survey::locate::{Rejected, Why};
use crate::survey::occupants::occupants;
use crate::units::{DevPos, MD_BLOCK, Sectors};

/// What compares and attaches ask for, too.
pub(super) const OUTER_SHRUNK: Rule = Rule {
    id: "outer-shrunk",
    severity: Severity::Error,
    row: Some(7),
    title: "the DRBD device around this resource is smaller than this one's metadata needs",
    meaning: "the end of this resource, its metadata included, lies beyond the outer device's agreed size and cannot be reached through it",
    remedy: "give the outer device its former size: `drbdadm resize`, without `size` in its disk section",
    source: "drbd_new_dev_size (drbd_nl.c)",
    judge: Judge::Case(outer_shrunk),
};

pub(super) static RULES: &[Rule] = &[
    Rule {
        id: "not-where-drbd-looks",
        severity: Severity::Error,
        row: Some(7),
        title: "the superblock is not where DRBD looks on a device of this size",
        meaning: "DRBD finds no metadata on this device: it was made larger or cut off, it is a copy on a larger disk, the image is of the whole disk \
            and the metadata of a partition, or what lay around this resource is gone",
        remedy: "`mdtool plan IMAGE` lists every way to make DRBD find it, with the numbers; for a partition, give --offset and --size",
        source: "drbd_md_ss (drbd_int.h)",
        judge: Judge::Case(not_where_drbd_looks),
    },
    Rule {
        id: "outer-grown",
        severity: Severity::Warning,
        row: Some(7),
        title: "the DRBD device around this resource has grown since",
        meaning: "DRBD looks for this superblock at the outer device's end, and finds none there",
        remedy: "`drbdmeta check-resize` moves it, where drbd-minor-N.lkbd knows the former size: `mdtool plan IMAGE --stacked` shows what the file must hold",
        source: "v08_check_for_resize (drbdmeta.c)",
        judge: Judge::Case(outer_grown),
    },
    OUTER_SHRUNK,
    Rule {
        id: "outer-size-unset",
        severity: Severity::Warning,
        row: None,
        title: "a resource lies in a DRBD device that never agreed on a size",
        meaning: "the inner resource was made while the outer had a size, so the outer's metadata was made anew or changed since",
        remedy: "`mdtool locate IMAGE --stacked` shows the size that the inner one was made for; take la-size-sect from a dump of the outer one",
        source: "effective_disk_size_determined (drbd_nl.c)",
        judge: Judge::Case(outer_size_unset),
    },
    Rule {
        id: "stale-copy",
        severity: Severity::Note,
        row: None,
        title: "an older copy of this metadata, from when its device had another size",
        meaning: "online growth leaves it, and DRBD does not see it; should the device be cut to that size again, DRBD would take the old copy",
        remedy: "nothing, as long as the device keeps its size",
        source: "drbd_determine_dev_size (drbd_nl.c)",
        judge: Judge::Case(stale_copy),
    },
    Rule {
        id: "leftover",
        severity: Severity::Note,
        row: None,
        title: "another superblock in this resource's data",
        meaning: "of a resource that was here before, of a guest's disk, or of an inner resource that lies elsewhere than DRBD looks",
        remedy: "`mdtool locate IMAGE --scan full` lists each, and why it does not count",
        source: "drbd_md_ss (drbd_int.h)",
        judge: Judge::Case(leftover),
    },
    Rule {
        id: "data-cut-off",
        severity: Severity::Error,
        row: None,
        title: "what lives on the DRBD device ends beyond its end",
        meaning: "it was made on a larger device, most often before there was DRBD metadata at its end: reading or writing its tail fails, and the metadata \
            may have overwritten some of it",
        remedy: "do not mount it read-write: shrink it to the DRBD device on a copy, or make the device larger, or use external metadata (`mdtool plan`)",
        source: "DRBD user's guide, \"Using internal metadata with an existing file system\"",
        judge: Judge::Read(data_cut_off),
    },
];

/// Where DRBD looks for the superblock of a case, where that is not where it is.
fn expected_elsewhere(case: &Case<'_>) -> Option<DevPos> {
    let level = case.level?;
    if !level.layout.index.is_internal() {
        return None;
    }
    let expected = level.layout.index.superblock_pos(case.holder);
    (expected != Some(level.layout.md)).then(|| expected.unwrap_or(DevPos::START))
}

fn displaced(case: &Case<'_>, what: &str) -> Option<Fault> {
    let expected = expected_elsewhere(case)?;
    // Of the image, positions count from its start, as all that is printed.
    let expected = case
        .device
        .image_pos(expected)
        .map_or(expected.get(), crate::units::ImagePos::get);
    Some(Fault::at(
        case.candidate.whole(),
        format!(
            "the superblock is not at the end of {what}, which has {}, expected at byte {expected}",
            case.holder
        ),
    ))
}

/// What to do about a resource that a search found while something is left of another where DRBD looks.
const BESIDE_ANOTHER: &str = "something is left of another resource where DRBD looks, so this one is not taken for it; where it is the inner one \
    of a stack, and the outer one is not to come back, `mdtool plan IMAGE --stacked` lists every way to make DRBD find it";

fn not_where_drbd_looks(case: &Case<'_>) -> Vec<Fault> {
    let outermost = case.outer.is_none();
    let fault = displaced(case, "the device").filter(|_| outermost);
    let passed_over = case
        .number
        .is_some_and(|number| !case.located.passed_over(number).is_empty());
    let remedy = passed_over.then(|| BESIDE_ANOTHER.to_owned());
    maybe(fault.map(|fault| Fault { remedy, ..fault }))
}

fn outer_grown(case: &Case<'_>) -> Vec<Fault> {
    let grown = case.level.is_some_and(|level| level.device < case.holder);
    maybe(displaced(case, "the outer DRBD device").filter(|_| case.outer.is_some() && grown))
}

fn outer_shrunk(case: &Case<'_>) -> Vec<Fault> {
    let grown = case.level.is_some_and(|level| level.device < case.holder);
    maybe(displaced(case, "the outer DRBD device").filter(|_| case.outer.is_some() && !grown))
}

fn outer_size_unset(case: &Case<'_>) -> Vec<Fault> {
    let Some(next) = case.number.and_then(|number| number.checked_add(1)) else {
        return Vec::new();
    };
    let superblock = case.candidate.superblock;
    let unset = superblock.la_size() == Sectors::ZERO && superblock.format() != Format::V07;
    let inner = case.located.levels.get(next).filter(|_| unset);
    maybe(inner.map(|inner| {
        Fault::at(
            case.candidate.place(At::LA_SIZE),
            format!(
                "la_size_sect is 0, expected the size of the device that level {next} lies in, {}",
                inner.device
            ),
        )
    }))
}

fn rejected(case: &Case<'_>, wanted: impl Fn(&Rejected, usize) -> Option<String>) -> Vec<Fault> {
    let Some(number) = case.number else {
        return Vec::new();
    };
    let found = case.located.rejected.iter().filter_map(|rejected| {
        let text = wanted(rejected, number)?;
        let end = rejected.at.saturating_add(MD_BLOCK);
        Some(Fault::at(rejected.at..end, text))
    });
    found.collect()
}

fn stale_copy(case: &Case<'_>) -> Vec<Fault> {
    rejected(case, |rejected, number| match rejected.why {
        Why::Stale { level, device } if level == number => Some(format!(
            "a superblock ({}) for a device of {device}, expected none",
            rejected.format
        )),
        _ => None,
    })
}

fn leftover(case: &Case<'_>) -> Vec<Fault> {
    if super::traces::is_just_created(case) {
        return Vec::new();
    }
    rejected(case, |rejected, number| match rejected.why {
        Why::Leftover { level } if level == number => {
            Some(format!("a superblock ({}), expected none", rejected.format))
        }
        _ => None,
    })
}

fn data_cut_off(case: &Case<'_>) -> Result<Vec<Fault>> {
    let internal = case
        .level
        .filter(|level| level.layout.index.is_internal() && case.is_innermost());
    let device = internal
        .and_then(|level| level.drbd_device().to_bytes())
        .and_then(|size| case.device.shortened(size));
    let Some(device) = device else {
        return Ok(Vec::new());
    };
    let end = DevPos::at(device.size());
    let fault = |occupant: crate::survey::occupants::Occupant| {
        // Nobody was made on a device that cannot be: that is somebody's own damage.
        let said = occupant.end.filter(|_| occupant.is_believable());
        let beyond = said.filter(|beyond| *beyond > end)?;
        Some(Fault::at(
            DevPos::START..end,
            format!(
                "{} says to end at byte {} of the DRBD device, expected at most {}",
                occupant.kind,
                beyond.get(),
                end.get()
            ),
        ))
    };
    Ok(occupants(device)?.into_iter().filter_map(fault).collect())
}
