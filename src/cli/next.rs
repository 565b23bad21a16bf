//! What comes next after a command that only looks: the one place that says so. Commands that write say it themselves, by what they wrote.

use std::path::Path;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::commands::Command;
use crate::cli::commands::bitmap::args::{Action, ShowArgs};
use crate::cli::commands::fit::args::FitArgs;
use crate::cli::outcome::Outcome;
use crate::cli::output::explain::shell_word;
use crate::survey::locate::IndexChoice;

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
            words(&args.image, args.level)
        )),
        Command::Check(args) if !args.json => text(after_check(done).to_owned()),
        Command::Al(args) if !args.json => text(format!(
            "mdtool apply-al {} -n  (shows what it would mark, or that nothing has to be)",
            words(&args.image, args.level)
        )),
        Command::Bitmap(args) => match &args.action {
            Action::Show(args) => text(after_bitmap(args)?),
            _ => None,
        },
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
        Command::Fit(args) if !args.json => text(after_fit(args, done).to_owned()),
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

const fn after_check(done: bool) -> &'static str {
    if done {
        "nothing has to be mended"
    } else {
        "what `do:` says of each finding; `mdtool repair` mends those that have one right answer, and shows it first"
    }
}

/// Only the table and the picture are for people.
fn after_bitmap(args: &ShowArgs) -> Option<String> {
    (!args.json && !args.form.ranges).then(|| {
        format!(
            "mdtool files {}  (whose the ranges out of sync are)",
            words(&args.image, args.level)
        )
    })
}

const fn after_compare(done: bool) -> &'static str {
    if done {
        "nothing has to be done before they connect"
    } else {
        "settle what is said above before they connect, and compare again"
    }
}

const fn after_fit(args: &FitArgs, done: bool) -> &'static str {
    match (done, args.disks.is_empty()) {
        (true, false) => "nothing has to be done: it fits",
        (true, true) => "mdtool fit DISK  (the same for a disk as it is, with what lives on it)",
        (false, _) => "grow or shrink it as said above, and look again",
    }
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

/// A source again, with the options that say what of it is meant.
fn words(image: &ImageArgs, level: Option<LevelChoice>) -> String {
    if image.image == Path::new("-") {
        return "SOURCE".to_owned();
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
