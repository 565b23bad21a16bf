//! The same command once more: what was another level's number is a further resource's now, and that one is not taken instead.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::args::LevelChoice;
use crate::cli::outcome::Negative;
use crate::cli::output::explain::shell_word;
use crate::cli::session::open::Opened;
use crate::cli::write::look::{Aim, Look};
use crate::cli::write::undo_name;
use crate::error::Result;
use crate::format::superblock::{Superblock, Uuid};
use crate::survey::locate::{FoundBy, Level, Located, retired_in};
use crate::survey::traces::TraceKind;
use crate::units::{Bytes, DevPos, ImagePos};

/// How far behind the data the former place of a superblock is searched for.
const SEARCHED_BEHIND: Bytes = Bytes::new(1 << 30);

/// What says that a level has been taken away from where it was already.
enum Done {
    /// The undo file of the same command lies where it was put, and that was not taken back.
    By(PathBuf),
    /// The outermost resource stood here before.
    From(ImagePos),
    /// A resource stood here, further inside than the one that is the innermost now.
    Inside(ImagePos),
}

/// The level that is meant by now, and where it was found.
pub(crate) struct Meant<'a> {
    pub(crate) path: &'a Path,
    pub(crate) opened: &'a Opened,
    pub(crate) located: &'a Located,
    pub(crate) number: usize,
    /// What it is called.
    pub(crate) choice: LevelChoice,
}

impl Meant<'_> {
    /// Whether a level that was called the same has been taken away already by a command like this one, which is refused then.
    pub(crate) fn is_done(&self, command_line: &str) -> anyhow::Result<bool> {
        Ok(self.done(command_line)?.is_some())
    }

    /// What the level is called, and what says that one of that name was taken away.
    fn done(&self, command_line: &str) -> anyhow::Result<Option<(String, Done)>> {
        let Some(level) = self.located.levels.get(self.number) else {
            return Ok(None);
        };
        let said = match self.choice {
            LevelChoice::Outer => return Ok(None),
            // Nothing else can have the number of the one where DRBD looks.
            LevelChoice::Number(0) if level.found_by != FoundBy::Scan => return Ok(None),
            LevelChoice::Number(number) => number.to_string(),
            LevelChoice::Inner => "inner".to_owned(),
        };
        let done = match done_by(self.path, command_line, &said) {
            Some(file) => Some(Done::By(file)),
            None if self.choice == LevelChoice::Inner => self.further_inside(level),
            None if self.number > 0 => {
                let former = self.former_place();
                former.with_context(|| self.path.display().to_string())?
            }
            None => None,
        };
        Ok(done.map(|done| (said, done)))
    }

    /// Where a superblock was retired in the place that a resource inside the innermost one would have.
    fn further_inside(&self, innermost: &Level) -> Option<Done> {
        let mut traces = self.located.traces.iter();
        let retired = traces.find(|trace| {
            trace.kind == TraceKind::Retired && trace.in_place && trace.at < innermost.layout.md
        });
        retired.map(|trace| Done::Inside(self.opened.image_pos(trace.at)))
    }

    /// Where the superblock of the outermost resource stood before it was moved to where DRBD looks.
    fn former_place(&self) -> Result<Option<Done>> {
        let Some(outermost) = self.located.levels.first() else {
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
        retired_in(self.opened.window(), behind, &mut |at, old| {
            if is_of(&old, outermost) {
                former = Some(Done::From(self.opened.image_pos(at)));
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        Ok(former)
    }
}

/// Refuses to take away the level that is meant by now, where one was taken away already that was called the same.
pub(crate) fn refuse(look: &Look, aim: &Aim<'_>, command_line: &str) -> anyhow::Result<()> {
    let Some(((level, number), choice)) = look.chosen().zip(look.number()).zip(aim.taken()) else {
        return Ok(());
    };
    let meant = Meant {
        path: &look.path,
        opened: &look.opened,
        located: &look.located,
        number,
        choice,
    };
    let Some((said, done)) = meant.done(command_line)? else {
        return Ok(());
    };
    let (name, at) = (look.name(), look.opened.image_pos(level.layout.md));
    let mut hints = vec![format!(
        "level {said} is another resource now, whose superblock is at {at}: --at {} names it",
        at.get()
    )];
    let how = match done {
        Done::By(file) => {
            let undo = format!(
                "`mdtool undo {}` takes back what was done",
                shell_word(&file)
            );
            hints.push(undo);
            format!("the undo file of that is {}", file.display())
        }
        Done::From(at) => {
            format!(
                "the outermost resource was moved there from {at}, where its superblock was retired"
            )
        }
        Done::Inside(at) => {
            format!(
                "the resource further inside was moved away from {at}, where its superblock was retired"
            )
        }
    };
    let answer = format!("{name}: what was asked for was done already: {how}");
    Err(Negative { answer, hints }.into())
}

/// The undo file of a command of this name for a level of this name, where it lies beside the target or here, and that was not taken back.
fn done_by(target: &Path, command_line: &str, said: &str) -> Option<PathBuf> {
    let asked = words(command_line)?;
    if asked.1 != Some(said) {
        return None;
    }
    undo_name::of_done(target, &|command: &str| words(command) == Some(asked))
}

/// The command's own name in a command line, and what it calls the level that it means.
fn words(line: &str) -> Option<(&str, Option<&str>)> {
    let command = line.split_whitespace().nth(1)?;
    let mut words = line.split_whitespace();
    let mut said = None;
    while let Some(word) = words.next() {
        if word == "--level" {
            said = words.next();
        } else if let Some(value) = word.strip_prefix("--level=") {
            said = Some(value);
        } else if word == "--stacked" {
            said = said.or(Some("inner"));
        }
    }
    Some((command, said))
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
        for (line, expected) in [
            ("mdtool adopt x --level 1 --yes", Some(("adopt", Some("1")))),
            ("./mdtool adopt --level=2 x", Some(("adopt", Some("2")))),
            ("mdtool adopt x --stacked", Some(("adopt", Some("inner")))),
            ("mdtool relocate x", Some(("relocate", None))),
            ("mdtool", None),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }
}
