//! `mdtool locate`.

use anyhow::Context;

use super::super::Streams;
use super::super::args::LocateArgs;
use super::super::open::Opened;
use super::super::outcome::Outcome;
use super::super::report::{json, text};
use super::super::select::{choose, find, no_stack, nothing_found};

pub(in super::super) fn run(args: &LocateArgs, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let opened = Opened::open(&args.image)?;
    let mut located = find(&opened, &args.image, args.level, args.scan.into())?;
    let mut first = 0;
    if args.level.is_some() {
        first = choose(&located, &args.image, args.level)?;
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
        return Err(nothing_found(&located, &args.image).into());
    }
    match no_stack(&located, &args.image).filter(|_| args.image.stacked) {
        Some(no) => Err(no.into()),
        None => Ok(Outcome::Done),
    }
}
