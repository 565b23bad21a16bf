//! `mdtool locate`.

pub(crate) mod args;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::locate::args::LocateArgs;
use crate::cli::session::open::Opened;
use crate::cli::outcome::Outcome;
use crate::cli::output::{json, text};
use crate::cli::session::select::{choose, find, no_stack, nothing_found};

/// What `locate --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 metadata was found; 1 there is none, or no stack with --stacked (the report is printed all the same); 2 could not look.";

pub(crate) fn run(args: &LocateArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let opened = Opened::open(&args.image)?;
    let mut located = find(&opened, &args.image, args.level, args.scan.into())?;
    let mut first = 0;
    if args.level.is_some() {
        first = choose(&located, &args.image, args.level, &opened)?;
        located.levels = located.levels.drain(first..).take(1).collect();
    }
    let report = text::Report {
        opened: &opened,
        image: &args.image,
        located: &located,
        first,
    };
    // Printing reads the bitmaps: what fails then is not to leave half a table behind.
    let mut printed = Vec::new();
    let print = if args.json {
        json::print(&report, &mut printed)
    } else {
        report.print(&mut printed)
    };
    print.with_context(|| args.image.image.display().to_string())?;
    out.stdout.write_all(&printed)?;
    if located.levels.is_empty() {
        return Err(nothing_found(&located, &args.image, &opened));
    }
    match no_stack(&located, &args.image).filter(|_| args.image.stacked) {
        Some(no) => Err(no.into()),
        None => Ok(Outcome::Done),
    }
}
