//! `mdtool locate`.

pub(crate) mod args;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::locate::args::LocateArgs;
use crate::cli::session::open::Opened;
use crate::cli::outcome::Outcome;
use crate::cli::output::view::{LocateView, Report};
use crate::cli::output::{document, text};
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
    let report = Report {
        opened: &opened,
        image: &args.image,
        located: &located,
        first,
    };
    let view = LocateView::of(&report).with_context(|| args.image.image.display().to_string())?;
    if args.json {
        document::print(out.stdout, view)?;
    } else {
        text::print(&view, out.stdout)?;
    }
    if located.levels.is_empty() {
        return Err(nothing_found(&located, &args.image, &opened));
    }
    match no_stack(&located, &args.image).filter(|_| args.image.stacked) {
        Some(no) => Err(no.into()),
        None => Ok(Outcome::Done),
    }
}
