//! The words of one answer.

use crate::format::layout::MdIndex;
use crate::format::superblock::Format;
use crate::image::Window;
use crate::survey::locate::{Level, Role, Searched};
use crate::survey::occupants::Occupant;
use crate::units::{Bytes, DevPos, ImagePos, Sectors};
use crate::verdict::probe::{
    Answer, Contents, Damage, Held, InPartition, Moved, Probed, Status, Unseen,
};

/// What was found, and what that means.
pub(crate) fn what(device: Window<'_>, probed: &Probed) -> String {
    let level = || {
        probed
            .level()
            .map_or_else(String::new, |level| resource(probed, level))
    };
    match &probed.answer {
        Answer::Clean => level(),
        Answer::Unclean { in_use: false } => {
            format!("{}: its activity log is to be applied", level())
        }
        Answer::Unclean { in_use: true } => format!(
            "{}: its activity log is to be applied, and something is writing to it now",
            level()
        ),
        Answer::None(contents) => none(device, probed, contents),
        Answer::Unseen(why) => unseen(device, probed, *why),
        Answer::Damaged(damage) => match damaged(device, damage) {
            (None, words) => words,
            (Some(()), words) => format!("{}: {words}", level()),
        },
        Answer::InPartition(one) => in_partition(device, one),
        Answer::Held(one) => held(device, one),
        Answer::Moved(moved) => match moved_to(device, *moved, probed.level()) {
            words if probed.level().is_some() => format!("{}: {words}", level()),
            words => words,
        },
    }
}

/// An answer and what was found: what the word is no part of stands apart from it, and the word stays one.
pub(crate) fn sentence(answer: Status, what: &str) -> String {
    match answer {
        // An error says of the image what it is.
        Status::Error if what.starts_with("is ") => format!("{answer} - it {what}"),
        Status::None | Status::Unexpected | Status::Error => format!("{answer} - {what}"),
        Status::Damaged | Status::Moved if what.starts_with("the ") => format!("{answer} - {what}"),
        Status::Clean | Status::Unclean | Status::Damaged | Status::Moved => {
            format!("{answer} {what}")
        }
    }
}

/// Where in the image a position of the device is.
fn position(device: Window<'_>, at: DevPos) -> ImagePos {
    // OK to fall back: positions that were found lie on the device.
    device
        .image_pos(at)
        .unwrap_or(ImagePos::at(at.from_start()))
}

/// What a device has that something on this one holds.
fn held(device: Window<'_>, one: &Held) -> String {
    let holder = one.inside.holder;
    let part = one
        .inside
        .place
        .and_then(|(start, size)| Some((start, device.part(start, size)?)));
    let others: String = one
        .others
        .iter()
        .map(|other| match other.place {
            Some((start, _)) => format!("; the device from {} on has metadata, too", position(device, start)),
            None => format!("; the superblock at {} is of another", position(device, other.md)),
        })
        .collect::<Vec<_>>()
        .concat();
    match part.zip(one.probed.as_ref()) {
        Some(((start, part), probed)) => format!(
            "metadata of a device on it, not of the whole disk: this disk is {holder}, and the device on it from {} on, {}, is {}{others}",
            position(device, start),
            part.size(),
            sentence(probed.own_status(), &what(part, probed))
        ),
        None => format!(
            "metadata of a device on it, not of the whole disk: this disk is {holder}, and the superblock at {} is that of a device on it: where that begins, the records here do not say{others}",
            position(device, one.inside.md)
        ),
    }
}

/// What a partition of the device has.
fn in_partition(device: Window<'_>, one: &InPartition) -> String {
    let InPartition {
        partition,
        inside,
        others,
    } = one;
    let others: String = others
        .iter()
        .map(|other| format!("; partition {} at {} has metadata, too", other.number, position(device, other.start)))
        .collect::<Vec<_>>()
        .concat();
    // OK to fall back: it was looked at through just this part.
    let part = device.part(partition.start, partition.size);
    format!(
        "metadata of a partition, not of the whole disk: partition {} at {}, {}, is {}{others}",
        partition.number,
        position(device, partition.start),
        partition.size,
        sentence(inside.own_status(), &what(part.unwrap_or(device), inside))
    )
}

/// A resource that was found, in brief.
fn resource(probed: &Probed, level: &Level) -> String {
    let superblock = &level.superblock;
    let mut words = vec![format!("{} {}", superblock.format(), level.layout.index)];
    words.push(
        level
            .known_drbd_device()
            .and_then(Sectors::to_bytes)
            .map_or_else(
                || "DRBD device of unknown size".to_owned(),
                |size| format!("DRBD device {size}"),
            ),
    );
    if let Some(uuid) = superblock.current_uuid() {
        words.push(format!("current UUID {uuid}"));
    }
    match superblock.node_id() {
        Some(-1) => words.push("no node-id".to_owned()),
        Some(id) => words.push(format!("node-id {id}")),
        None => {}
    }
    if probed.number > 0 || level.role == Role::Inner {
        words.push(format!("level {} of a stack", probed.number));
    }
    if let Some(inner) = probed
        .number
        .checked_add(1)
        .and_then(|number| probed.located.levels.get(number))
    {
        words.push(format!(
            "stack: an inner resource lies inside ({}, {})",
            inner.superblock.format(),
            inner.superblock.al_state()
        ));
    }
    words.join(", ")
}

/// That there is nothing, where it was looked, and what is there instead.
fn none(device: Window<'_>, probed: &Probed, contents: &Contents) -> String {
    let mut words = match probed.located.levels.first() {
        Some(Level { layout, .. }) if layout.index.is_internal() => format!(
            "no inner resource: level {} does not exist",
            probed.number
        ),
        Some(Level { layout, .. }) => format!(
            "no DRBD metadata there: this meta device has another resource's, {}",
            layout.index
        ),
        None => "no DRBD metadata".to_owned(),
    };
    let whole = probed.located.levels.is_empty();
    if whole && probed.located.searched == Searched::Everything {
        words.push_str(" anywhere");
    }
    words.push_str(": ");
    if contents.blank {
        words.push_str("blank");
    } else if contents.occupants.is_empty() {
        words.push_str("data of a kind that mdtool does not know");
    } else {
        let all: Vec<String> = contents
            .occupants
            .iter()
            .map(|one| occupant(device, one))
            .collect();
        words.push_str(&all.join(", "));
    }
    let alike = probed.located.rejected.len();
    if alike > 0 {
        let blocks = if alike == 1 { "block" } else { "blocks" };
        words = format!("{words}; {alike} {blocks} in it only look like metadata");
    }
    words
}

fn occupant(device: Window<'_>, occupant: &Occupant) -> String {
    occupant.end.map_or_else(
        || occupant.kind.to_string(),
        |end| format!("{} up to {}", occupant.kind, position(device, end)),
    )
}

/// Why it was not looked everywhere.
fn unseen(device: Window<'_>, probed: &Probed, why: Unseen) -> String {
    match why {
        Unseen::Empty => "empty, there is nothing to look at".to_owned(),
        Unseen::NotSearched if probed.located.levels.is_empty() => {
            "nothing where DRBD looks, and not looked elsewhere".to_owned()
        }
        Unseen::NotSearched => {
            "not where DRBD looks on the resource around it, and not looked elsewhere".to_owned()
        }
        Unseen::NotThere { at } => format!(
            "no superblock at {}, and not looked elsewhere",
            position(device, at)
        ),
        Unseen::CutOff(cut) if !cut.is_believable() => format!(
            "its {} says to end at byte {}, where no disk ends: whether this image is whole is not known",
            cut.kind,
            cut.end.map_or(0, DevPos::get)
        ),
        Unseen::CutOff(cut) => {
            let end = cut.end.map(DevPos::from_start).map_or_else(String::new, |end| {
                format!(" of {end}")
            });
            format!(
                "cut off: has {}, expected all{end} of its {}; metadata would be in what is missing",
                device.size(),
                cut.kind
            )
        }
        Unseen::DataElsewhere => {
            "its metadata is external: what lies inside the resource is on the device that has its data"
                .to_owned()
        }
    }
}

/// What is wrong; `Some` where the resource is to be named first.
fn damaged(device: Window<'_>, damage: &Damage) -> (Option<()>, String) {
    let position = |at| self::position(device, at);
    let named = |at: DevPos, format: Format| format!("superblock at {} ({format})", position(at));
    match damage {
        Damage::Superblock {
            at,
            format,
            misfit,
            in_place,
        } => {
            let elsewhere = if *in_place {
                ""
            } else {
                ", and DRBD does not look there"
            };
            (
                None,
                format!("{}: {misfit}{elsewhere}", named(*at, *format)),
            )
        }
        Damage::Refused { rule, found } => {
            (Some(()), format!("DRBD would refuse it: {found} ({rule})"))
        }
        Damage::Unsound { why } => (Some(()), why.clone()),
        Damage::Magic { at, format, found: 0 } => (
            None,
            format!(
                "{}: only its magic was erased, as wipefs, pvcreate and mkswap do; all else is whole",
                named(*at, *format)
            ),
        ),
        Damage::Magic { at, format, found } => (
            None,
            format!(
                "{}: magic is 0x{found:08X}, everything else is a superblock's",
                named(*at, *format)
            ),
        ),
        Damage::UnderWay { at, format } => (
            None,
            format!(
                "{}: a change by mdtool was interrupted here",
                named(*at, *format)
            ),
        ),
        Damage::LogAlone {
            log,
            superblock,
            left,
        } => (
            None,
            log_alone(position(*superblock), position(*log), *left),
        ),
        Damage::Log(verdict) => (
            Some(()),
            format!("its activity log does not show all that was being written to: {verdict}"),
        ),
    }
}

/// An activity log whose superblock is not there, or not all of it.
fn log_alone(superblock: ImagePos, log: ImagePos, left: Bytes) -> String {
    let what = if left > Bytes::ZERO {
        format!("cut off after {left}")
    } else {
        "gone".to_owned()
    };
    format!("the superblock at {superblock} is {what}, its activity log is there, at {log}")
}

/// Where metadata is, and where DRBD will look.
fn moved_to(device: Window<'_>, moved: Moved, level: Option<&Level>) -> String {
    match moved {
        Moved::Retired { at, format } => format!(
            "superblock at {} ({format}): retired by mdtool, its metadata was moved elsewhere",
            position(device, at)
        ),
        Moved::Stray { at, format, why } => {
            format!("{format} metadata at {}: {why}", position(device, at))
        }
        Moved::Level {
            expected,
            made_for,
            device: has,
            asked,
        } => {
            let at = level.map_or(DevPos::START, |level| level.layout.md);
            let expected = expected.map_or_else(
                || "has no place to look on so small a device".to_owned(),
                |expected| format!("will look at {}", position(device, expected)),
            );
            let why = asked.map_or_else(|| size(made_for, has), placement);
            let state = level.map_or_else(String::new, |level| {
                format!(", {}", level.superblock.al_state())
            });
            format!(
                "superblock at {}{state}, DRBD {expected}: {why}",
                position(device, at)
            )
        }
    }
}

fn size(made_for: Bytes, device: Bytes) -> String {
    format!("it was made for a device of {made_for}, this one has {device}")
}

fn placement(asked: MdIndex) -> String {
    format!("--index {asked} was asked for")
}
