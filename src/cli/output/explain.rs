//! What the findings mean, in sentences, and what to do next.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::cli::args::ImageArgs;
use crate::cli::next::typed;
use crate::cli::output::amounts::bytes_and_binary;
use crate::cli::output::picture::device_name;
use crate::cli::output::view::{NextView, Report};
use crate::cli::session::select::{instead, of_inside, of_partition};
use crate::error::Result;
use crate::format::layout::MdIndex;
use crate::format::superblock::{AlState, Format};
use crate::survey::locate::{FoundBy, IndexChoice, Level, Role, Searched};
use crate::survey::log::cannot_be_applied;
use crate::survey::residents::Resident;
use crate::units::{Bytes, DevPos};

/// Why DRBD itself would see what it sees here; nothing where it sees the only resource.
pub(crate) fn what_drbd_sees(report: &Report<'_>) -> Option<String> {
    let levels = report.located.levels.as_slice();
    let outermost = levels.first()?;
    match outermost.found_by {
        FoundBy::ExpectedPosition if levels.len() > 1 => {
            let innermost = levels.last()?;
            let distance = end(outermost)
                .bytes_since(end(innermost))
                .unwrap_or(Bytes::ZERO);
            Some(format!(
                "DRBD looks at the {} of a disk, and finds the {} resource there. The {} one's metadata ends {distance} earlier:\n\
                 attached as it is, this disk is the {} resource, not the {} one.",
                place(outermost),
                outermost.role,
                innermost.role,
                outermost.role,
                innermost.role,
            ))
        }
        FoundBy::Scan => Some(gone(report, outermost)),
        _ => None,
    }
}

/// Where DRBD looks, and what became of what it would look for.
fn gone(report: &Report<'_>, outermost: &Level) -> String {
    let size = report.device_size();
    let short = size.saturating_sub(outermost.device);
    if let MdIndex::Indexed(slot) = outermost.layout.index {
        return format!(
            "Slot {slot} of a meta device: DRBD takes it where its configuration names this device as meta-disk, with that index."
        );
    }
    let found = match outermost.role {
        Role::Inner => format!(
            "What was found lies deeper, where an inner resource on a device of {} has it; the outer's metadata is gone.",
            outermost.device
        ),
        _ if !outermost.layout.index.is_internal() => {
            "What was found is external metadata: DRBD takes it where its configuration names this device as meta-disk.".to_owned()
        }
        _ => format!(
            "What was found was made for a device of {}: this one is {short} longer, or metadata that lay around it is gone.",
            outermost.device
        ),
    };
    format!(
        "DRBD looks at the {} of a disk, and finds no metadata there: attached as it is, this disk has none.\n{found}",
        place(outermost)
    )
}

/// The part of a disk where DRBD looks for metadata like a level's.
fn place(level: &Level) -> &'static str {
    match level.layout.index {
        MdIndex::FlexInternal => "last 4 KiB",
        MdIndex::Internal => "last 128 MiB",
        MdIndex::FlexExternal | MdIndex::Indexed(_) => "meta device instead",
    }
}

/// Where a level's metadata ends.
fn end(level: &Level) -> DevPos {
    level.layout.whole.end
}

/// Who lives on the disk, and what that says about the levels.
pub(crate) fn resident(levels: &[Level], one: &Resident) -> String {
    let kind = one.occupant.kind;
    match (one.occupant.end, one.occupant.tail) {
        (Some(end), _) if !one.occupant.is_believable() => format!(
            "{kind}: says to end at byte {}, where no disk ends; it is damaged",
            end.get()
        ),
        (Some(end), _) => {
            let size = bytes_and_binary(end.from_start());
            let told = where_it_ends(levels, one).map_or(String::new(), |told| format!(": {told}"));
            format!("{kind}, {size}{told}")
        }
        (None, Some(at)) => format!("{kind}, by its block at byte {} of the disk", at.get()),
        (None, None) => format!("{kind}: says nothing of where it ends"),
    }
}

/// Where an end lies among the devices.
fn where_it_ends(levels: &[Level], one: &Resident) -> Option<String> {
    if let Some(beyond) = one.beyond(levels) {
        let outermost = device_name(levels.len(), levels.first()?.role);
        return Some(format!(
            "ends {beyond} beyond the {outermost}; its end is cut off, or metadata was put there"
        ));
    }
    let level = levels.get(one.level?)?;
    let device = device_name(levels.len(), level.role);
    let room = one.room(levels)?;
    let ends = if room == Bytes::ZERO {
        format!("ends where the {device} ends")
    } else {
        format!("ends inside the {device}, {room} before its end")
    };
    let next = levels.get(one.level?.saturating_add(1));
    Some(match next {
        Some(next) => format!(
            "{ends}, and beyond the {} one: it was not made on that",
            next.role
        ),
        None => ends,
    })
}

/// What else is worth knowing, a line each.
pub(crate) fn notes(report: &Report<'_>) -> Vec<String> {
    let levels = report.located.levels.as_slice();
    let mut notes = Vec::new();
    for (number, level) in report.numbered() {
        if level.superblock.al_state() == AlState::Unclean {
            notes.push(format!(
                "level {number} is unclean: its activity log is not applied; what the log names may be out of sync, too, and is not counted"
            ));
        }
        if level.superblock.la_size() > level.layout.usable {
            notes.push(format!(
                "level {number} says a size of {}, and {} fit: the size is clipped",
                level.superblock.la_size(),
                level.layout.usable
            ));
        }
        let searched = report.located.searched == Searched::Everything;
        if report.located.is_just_created(number) && level.layout.index.is_internal() && !searched {
            notes.push(format!(
                "level {number} was just created: if the disk was made larger before that, --scan full finds its older metadata"
            ));
        }
        let device = report.opened.window().size();
        if report.located.is_beyond(number, device) {
            notes.push(format!(
                "level {number} ends beyond the DRBD device around it, which has {}: DRBD does not find it there, and `mdtool check {}` says what to do",
                report.located.holder(number, device),
                typed(report.image, None)
            ));
        }
        if !level.layout.index.is_internal() {
            notes.push(format!(
                "level {number} is external: its data is on another device"
            ));
        }
    }
    if !levels.is_empty() {
        let partitions = report.located.partitions.iter();
        notes.extend(partitions.map(|partition| of_partition(report.image, partition)));
        let inside = report.located.inside.iter();
        notes.extend(inside.map(|inside| of_inside(report.image, inside)));
    }
    let single = levels.len() == 1
        && levels
            .iter()
            .all(|level| level.role == Role::Single && level.layout.index.is_internal());
    if single && report.located.searched != Searched::Everything {
        notes.push("no inner resource where DRBD would have one; if a stack is expected, --stacked searches everywhere".to_owned());
    }
    notes
}

/// The commands that a reader may want next.
///
/// # Errors
///
/// Errors of reading what stands where DRBD looks.
pub(crate) fn next(report: &Report<'_>) -> Result<Vec<NextView>> {
    let levels = report.located.levels.as_slice();
    let Some((innermost, outer)) = levels.split_last() else {
        return Ok(Vec::new());
    };
    let stacked = levels.len() > 1 || innermost.role == Role::Inner;
    let mut words = vec![shell_word(&report.image.image)];
    for (option, value) in [
        ("--offset", report.image.offset),
        ("--size", report.image.size),
        ("--at", report.image.at),
    ] {
        words.extend(value.map(|size| format!("{option} {}", size.0.get())));
    }
    if report.image.index != IndexChoice::Auto {
        words.push(format!("--index {}", innermost.layout.index));
    }
    if stacked {
        words.push("--stacked".to_owned());
    }
    let image = words.join(" ");
    let unclean = innermost.superblock.al_state() == AlState::Unclean;
    let log = match (
        unclean,
        cannot_be_applied(report.opened.window(), innermost)?,
    ) {
        (true, true) => " --apply-al --mark-all",
        (true, false) => " --apply-al",
        (false, _) => "",
    };
    let file = if stacked { "inner.md" } else { "metadata.md" };
    let purpose = if innermost.superblock.format() == Format::V09 {
        "its metadata as text, for drbdmeta restore-md; --compat VERSION for older drbd-utils"
    } else {
        "its metadata as text, for drbdmeta restore-md"
    };
    let step = |command, purpose: &'static str| NextView {
        command,
        purpose: purpose.into(),
    };
    let plan = |purpose| step(format!("mdtool plan {image}"), purpose);
    let export = step(format!("mdtool export {image}{log} -o {file}"), purpose);
    let asked = ImageArgs {
        stacked,
        ..report.image.clone()
    };
    if instead(report.opened, report.located, outer.len(), (&asked, None))?.is_some() {
        // Neither would take what a search found for what stands there.
        let check = format!("mdtool check {}", typed(report.image, None));
        return Ok(vec![step(
            check,
            "what stands where DRBD looks, and what to do about it first",
        )]);
    }
    Ok(if stacked {
        vec![plan("every way to adopt it here"), export]
    } else if innermost.found_by == FoundBy::Scan && innermost.layout.index.is_internal() {
        vec![plan("every way to put it where DRBD looks"), export]
    } else {
        vec![export]
    })
}

/// A path as a shell takes it: the one place for whatever stands in a command that is shown.
pub(crate) fn shell_word(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    if bytes.starts_with(b"-") {
        // No option.
        return shell_word(&Path::new(".").join(path));
    }
    let text = str::from_utf8(bytes).ok();
    let Some(path) = text.filter(|text| !text.chars().any(char::is_control)) else {
        return ansi_word(bytes);
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+,:@%".contains(c);
    if !path.is_empty() && path.chars().all(plain) {
        path.to_owned()
    } else {
        format!("'{}'", path.replace('\'', "'\\''"))
    }
}

/// A path as `drbd.conf` takes it: in double quotes where it is not one plain word.
pub(crate) fn conf_word(path: &Path) -> String {
    let path = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%".contains(c);
    if path.chars().all(plain) {
        return path;
    }
    format!("\"{}\"", path.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A path that cannot be shown as it is, as bash, zsh and ksh take it.
fn ansi_word(bytes: &[u8]) -> String {
    let escaped = |byte: &u8| match byte {
        b'\n' => "\\n".to_owned(),
        b'\t' => "\\t".to_owned(),
        b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
        b' '..=b'~' => char::from(*byte).to_string(),
        // Three digits: what follows is none of it.
        _ => format!("\\{byte:03o}"),
    };
    let escaped: String = bytes.iter().map(escaped).collect();
    format!("$'{escaped}'")
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn a_shell_gets_back_the_path_that_was_quoted() {
        for path in [
            &b"plain/a.img"[..],
            b"a b;touch PWNED",
            b"-n",
            b"it's",
            b"$(x) `y`",
            b"#h",
            b"two\nlines\tand 'more' \\ \x1b[31m",
            b"not \xFF1 text",
        ] {
            let path = Path::new(OsStr::from_bytes(path));
            let word = shell_word(path);
            assert!(!word.chars().any(char::is_control), "{word:?}");
            let line = format!("printf %s {word}");
            let shell = std::process::Command::new("bash")
                .args(["-c", &line])
                .output();
            let Ok(shell) = shell else {
                return;
            };
            let back = Path::new(OsStr::from_bytes(&shell.stdout));
            assert_eq!(back.file_name(), path.file_name(), "{word}");
        }
    }
}
