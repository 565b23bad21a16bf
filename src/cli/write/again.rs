//! The same command once more: what was another level's number is a further resource's now, and that one is not taken instead.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::args::LevelChoice;
use crate::cli::outcome::Negative;
use crate::cli::output::explain::shell_word;
use crate::cli::write::look::{Aim, Look};
use crate::cli::write::undo_name;
use crate::error::Result;
use crate::format::superblock::{Superblock, Uuid};
use crate::survey::locate::{FoundBy, Level, retired_in};
use crate::units::{Bytes, DevPos, ImagePos};

/// How far behind the data the former place of a superblock is searched for.
const SEARCHED_BEHIND: Bytes = Bytes::new(1 << 30);

/// What says that a level has been moved to where DRBD looks already.
enum Done {
    /// The undo file of the same command lies where it was put, and the disk is as that left it.
    By(PathBuf),
    /// The outermost resource stood here before.
    From(ImagePos),
}

/// Refuses to move a level of this number where one was moved already that had it.
pub(crate) fn refuse(look: &Look, aim: &Aim<'_>, command_line: &str) -> anyhow::Result<()> {
    let Some(choice) = aim.moved() else {
        return Ok(());
    };
    let Some((level, number)) = look.chosen().zip(look.number()) else {
        return Ok(());
    };
    // Nothing else can have the number of the one where DRBD looks.
    if !matches!(choice, LevelChoice::Number(_)) || number == 0 && level.found_by != FoundBy::Scan {
        return Ok(());
    }
    let path = &look.path;
    let done = match done_by(path, command_line, number) {
        Some(file) => Some(Done::By(file)),
        None if number > 0 => former_place(look).with_context(|| look.name())?,
        None => None,
    };
    let Some(done) = done else {
        return Ok(());
    };
    let (name, at) = (look.name(), look.opened.image_pos(level.layout.md));
    let mut hints = vec![format!(
        "level {number} is another resource now, whose superblock is at {at}: --at {} names it",
        at.get()
    )];
    let how = match done {
        Done::By(file) => {
            let undo = format!(
                "`mdtool undo {}` takes back what was done",
                shell_word(&file)
            );
            hints.push(undo);
            format!(
                "it is as the change left it whose undo file is {}",
                file.display()
            )
        }
        Done::From(at) => {
            format!(
                "the outermost resource was moved there from {at}, where its superblock was retired"
            )
        }
    };
    let answer = format!("{name}: what was asked for was done already: {how}");
    Err(Negative { answer, hints }.into())
}

/// The undo file of a command of this name for a level of this number, where it lies beside the target or here, and that was not taken back.
fn done_by(target: &Path, command_line: &str, number: usize) -> Option<PathBuf> {
    let asked = words(command_line)?;
    (asked.1 == Some(number)).then(|| {
        undo_name::of_done(target, &|command: &str| {
            words(command).is_some_and(|words| words == asked)
        })
    })?
}

/// The command's own name in a command line, and the number of its level.
fn words(line: &str) -> Option<(&str, Option<usize>)> {
    let command = line.split_whitespace().nth(1)?;
    let mut words = line.split_whitespace();
    let mut number = None;
    while let Some(word) = words.next() {
        let value = if word == "--level" {
            words.next()
        } else {
            word.strip_prefix("--level=")
        };
        number = value.and_then(|value| value.parse().ok()).or(number);
    }
    Some((command, number))
}

/// Where the superblock of the outermost resource stood before it was moved to where DRBD looks.
fn former_place(look: &Look) -> Result<Option<Done>> {
    let Some(outermost) = look.located.levels.first() else {
        return Ok(None);
    };
    let data = outermost.drbd_device().to_bytes();
    let Some(data) = data.filter(|_| outermost.found_by == FoundBy::ExpectedPosition) else {
        return Ok(None);
    };
    let end = data.checked_add(SEARCHED_BEHIND).map(DevPos::at);
    let end = end.unwrap_or(outermost.layout.md).min(outermost.layout.md);
    let mut former = None;
    let behind = DevPos::at(data)..end;
    retired_in(look.opened.window(), behind, &mut |at, old| {
        if is_of(&old, outermost) {
            former = Some(Done::From(look.opened.image_pos(at)));
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    })?;
    Ok(former)
}

/// Whether a superblock is of this resource's device.
fn is_of(old: &Superblock, level: &Level) -> bool {
    let id = |superblock: &Superblock| superblock.device_uuid().filter(|id| *id != Uuid::NONE);
    if let (Some(old), Some(now)) = (id(old), id(&level.superblock)) {
        return old == now;
    }
    let now = level.superblock.generations();
    let known = |uuid: &Uuid| now.iter().any(|one| uuid.same_generation(*one));
    old.generations().iter().any(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_known_by_its_name_and_its_level() {
        let of = |line| words(line);
        assert_eq!(
            of("mdtool adopt x --level 1 --yes"),
            Some(("adopt", Some(1)))
        );
        assert_eq!(of("./mdtool adopt --level=2 x"), Some(("adopt", Some(2))));
        assert_eq!(
            of("mdtool relocate x --level outer"),
            Some(("relocate", None))
        );
        assert_eq!(of("mdtool"), None);
    }
}
