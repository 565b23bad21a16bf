//! What comes next after a command that only looks: the one place that says so. Commands that write say it themselves, by what they wrote.

use std::fmt::Display;
use std::io;
use std::path::Path;

use crate::cli::Streams;
use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::commands::Command;
use crate::cli::commands::fit::args::FitArgs;
use crate::cli::outcome::Outcome;
use crate::cli::output::explain::shell_word;
use crate::cli::output::style;
use crate::cli::output::view::NextView;
use crate::cli::write::undo_name::of_interrupted;
use crate::format::activity_log::Verdict;
use crate::format::layout::MdIndex;
use crate::format::superblock::{AlState, Format};
use crate::survey::locate::{FoundBy, IndexChoice, Level};
use crate::survey::log::{LogState, log_was_off};

/// Where the line belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Below the text on stdout.
    Text,
    /// On stderr: stdout, or a file, has what programs read.
    Aside,
}

/// What comes next, where `command` does not say it itself.
pub(crate) fn after(command: &Command, outcome: Outcome) -> Option<(Place, String)> {
    let done = outcome == Outcome::Done;
    let text = |line: String| Some((Place::Text, line));
    let aside = |line: String| Some((Place::Aside, line));
    match command {
        Command::Show(args) if !args.json => text(format!(
            "mdtool check {}  (whether DRBD takes it as it is)",
            typed(&args.image, args.level)
        )),
        Command::Compare(args) if !args.json => text(after_compare(done).to_owned()),
        Command::Diff(args) if done && !args.writing.json => {
            text("nothing has to be done: they are equal".to_owned())
        }
        // Ranges that somebody names are not out of sync by that.
        Command::Files(args) if !args.json && args.ranges.is_empty() && args.from.is_none() => {
            aside(
                "nothing has to be done here: a resync sends what is listed, once a peer connects"
                    .to_owned(),
            )
        }
        Command::Export(args) => after_dump(args.output.as_deref()),
        Command::Edit(args) => after_dump(args.output.as_deref()),
        Command::Sum(args) => match (&args.check, &args.output) {
            (Some(_), _) if done => aside("nothing has to be sent again".to_owned()),
            (None, Some(list)) if list != Path::new("-") => aside(format!(
                "mdtool sum --check {} COPY  (where the copy is)",
                shell_word(list)
            )),
            _ => None,
        },
        _ => None,
    }
}

/// Tells what comes next where only the command itself knows: below its text.
pub(crate) fn tell(out: &mut Streams<'_>, line: impl Display) -> io::Result<()> {
    if style::quiet() {
        return Ok(());
    }
    writeln!(out.stdout, "next: {line}")
}

/// The command that comes next after `check`, where there is one: `mends` are the rules whose findings `mdtool repair` would mend, which it does not
/// do on a disk with an interrupted change.
pub(crate) fn after_check(
    image: &ImageArgs,
    level: Option<LevelChoice>,
    interrupted: bool,
    mends: &[&str],
) -> Option<NextView> {
    if interrupted {
        let undo = of_interrupted(&image.image);
        let purpose = if undo.is_some() {
            "puts back what was there before the interrupted change"
        } else {
            "puts back what was there before the interrupted change; where that was a copy: the same mdtool copy with --resume"
        };
        let undo = undo.map_or_else(|| "FILE".to_owned(), |file| shell_word(&file));
        return Some(NextView {
            command: format!("mdtool undo {undo}"),
            purpose: purpose.into(),
        });
    }
    (!mends.is_empty()).then(|| NextView {
        command: format!("mdtool repair {} -n", typed(image, level)),
        purpose: format!(
            "shows how it would mend {}, and writes nothing",
            mends.join(", ")
        )
        .into(),
    })
}

/// The same in words.
pub(crate) fn words_after_check(next: Option<&NextView>, done: bool) -> String {
    match next {
        Some(NextView { command, purpose }) => format!("{command}  ({purpose})"),
        None if done => "nothing has to be mended".to_owned(),
        None => "follow the `do:` line of each finding".to_owned(),
    }
}

/// What comes next after `al`.
pub(crate) fn after_al(
    image: &ImageArgs,
    choice: Option<LevelChoice>,
    level: &Level,
    log: &LogState,
) -> String {
    let words = of_level(image, choice, level);
    let off = log_was_off(&level.superblock);
    let complete = matches!(log.replay.verdict, Verdict::Complete(_));
    if level.superblock.format() == Format::V07 {
        format!(
            "mdtool export {words} --apply-al  (its metadata as text, with what the log names marked)"
        )
    } else if level.found_by == FoundBy::Scan && level.layout.index.is_internal() {
        format!("mdtool plan {words}  (every way to put it where DRBD looks)")
    } else if off || log.primary_ind && !complete {
        format!("mdtool apply-al {words} --mark-all -n  (shows what it would mark)")
    } else if log.state == AlState::Clean && !log.primary_ind {
        "nothing has to be done: the activity log is applied".to_owned()
    } else {
        format!("mdtool apply-al {words} -n  (shows what it would mark, or that nothing has to be)")
    }
}

/// What comes next after the table or the picture of `bitmap show`: who owns what is out of sync is asked of the disk that has the data.
pub(crate) fn after_bitmap(
    image: &ImageArgs,
    level: Option<LevelChoice>,
    has_data: bool,
) -> String {
    let words = typed(image, level);
    if has_data {
        format!("mdtool files {words}  (which files the ranges out of sync belong to)")
    } else {
        format!("mdtool check {words}  (whether DRBD takes it as it is)")
    }
}

const fn after_compare(done: bool) -> &'static str {
    if done {
        "nothing has to be done before they connect"
    } else {
        "settle what is said above before they connect, and compare again"
    }
}

/// What comes next after `fit`: `remains` is the disk, as it was named, that has metadata which DRBD does not see.
pub(crate) fn after_fit(args: &FitArgs, done: bool, remains: Option<&str>) -> String {
    if let Some(disk) = remains {
        return format!(
            "mdtool probe {}  (what is left of its metadata, and what to do, before new metadata overwrites it)",
            shell_word(Path::new(disk))
        );
    }
    let next = match (done, args.disks.is_empty()) {
        (true, false) => "nothing has to be done: it fits",
        (true, true) => "mdtool fit DISK  (the same for a disk as it is, with what lives on it)",
        (false, _) => "take a disk of another size, and run mdtool fit again",
    };
    next.to_owned()
}

/// A dump that is in a file now.
fn after_dump(file: Option<&Path>) -> Option<(Place, String)> {
    let file = file.filter(|file| *file != Path::new("-"))?;
    let line = format!(
        "mdtool import TARGET {} -n  (shows what it would write there; drbdmeta's restore-md reads the file, too)",
        shell_word(file)
    );
    Some((Place::Aside, line))
}

/// A level of an image, where a command that writes takes it: a slot of a meta device is named.
fn of_level(image: &ImageArgs, choice: Option<LevelChoice>, level: &Level) -> String {
    let index = match level.layout.index {
        MdIndex::Indexed(slot)
            if level.found_by == FoundBy::Scan && image.index == IndexChoice::Auto =>
        {
            IndexChoice::Indexed(slot)
        }
        _ => image.index,
    };
    let image = ImageArgs {
        index,
        ..image.clone()
    };
    typed(&image, choice)
}

/// A level of what was found, where a command that writes to it in its place takes it, whichever was asked for: what a search found is named.
pub(crate) fn to_write(image: &ImageArgs, levels: usize, number: usize, level: &Level) -> String {
    let searched = level.found_by == FoundBy::Scan && image.at.is_none();
    if searched && matches!(level.layout.index, MdIndex::Indexed(_)) {
        return of_level(image, None, level);
    }
    numbered(image, if searched { levels.max(2) } else { levels }, number)
}

/// The command that applies a level's activity log, or that marks everything where that cannot be applied; `words` name the level.
pub(crate) fn apply_al(words: &str, cannot_be_applied: bool) -> String {
    let how = if cannot_be_applied { " --mark-all" } else { "" };
    format!("mdtool apply-al {words}{how}")
}

/// A level of what was found, as every command takes it, whichever was asked for: of several it has its number.
pub(crate) fn numbered(image: &ImageArgs, levels: usize, number: usize) -> String {
    if levels < 2 || image.at.is_some() {
        return typed(image, None);
    }
    let image = ImageArgs {
        stacked: false,
        ..image.clone()
    };
    typed(&image, Some(LevelChoice::Number(number)))
}

/// A source again, as a shell takes it, with the options that say what of it is meant.
pub(crate) fn typed(image: &ImageArgs, level: Option<LevelChoice>) -> String {
    if image.image == Path::new("-") {
        // Standard input is read once.
        return "- < DUMP".to_owned();
    }
    let mut words = vec![shell_word(&image.image)];
    for (option, value) in [
        ("--offset", image.offset),
        ("--size", image.size),
        ("--at", image.at),
    ] {
        words.extend(value.map(|size| format!("{option} {}", size.0.get())));
    }
    match image.index {
        IndexChoice::Auto => {}
        IndexChoice::Internal => words.push("--index internal".to_owned()),
        IndexChoice::FlexExternal => words.push("--index flex-external".to_owned()),
        IndexChoice::Indexed(number) => words.push(format!("--index indexed:{number}")),
    }
    if image.stacked {
        words.push("--stacked".to_owned());
    }
    words.extend(level.map(|level| format!("--level {level}")));
    words.join(" ")
}
