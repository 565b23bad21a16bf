//! `mdtool check`.

pub(crate) mod args;
pub(crate) mod view;

use anyhow::Context;

use crate::cli::next;
use crate::cli::Streams;
use crate::cli::commands::check::args::CheckArgs;
use crate::cli::output::{document, traces};
use crate::cli::session::open::Opened;
use crate::cli::outcome::Outcome;
use crate::cli::commands::check::view::{CheckView, text};
use crate::cli::session::select::{choose, find, no_stack, nothing_found, of_partition};
use crate::cli::session::source::named;
use crate::surgery::repair::Repair;
use crate::survey::locate::{Located, located_at};
use crate::verdict::check::{
    CheckOptions, Judged, Severity, InPlace, check, check_what_is_left, in_place, in_place_at,
};

/// What `check --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 nothing above a note was found; 1 there are warnings or errors, or there is no metadata; 2 could not look.";

pub(crate) fn run(args: &CheckArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let (image, level) = named(&args.image, args.level);
    let args = &CheckArgs {
        image,
        level,
        ..*args
    };
    let name = || args.image.image.display().to_string();
    let opened = Opened::open_source(&args.image)?;
    opened.tell_warnings(&args.image, out);
    let (located, in_place) = subjects(&opened, args)?;
    let only = match args.level {
        Some(_) => Some(choose(&located, &args.image, args.level, &opened)?),
        None => None,
    };
    let options = CheckOptions {
        full: args.full,
        of_dump: opened.dump().is_some(),
    };
    let judged = opened.searching(|device| check(device, &located, &in_place, options));
    let mut judged = judged.with_context(name)?;
    if only.is_some() {
        judged.retain(|one| one.number == only);
    }
    let mends = if options.of_dump { Vec::new() } else { mends(&judged) };
    let interrupted = located.under_way().is_some();
    let next = next::after_check(&args.image, args.level, interrupted, &mends);
    let left = if judged.is_empty() { check_what_is_left(&located) } else { Vec::new() };
    let view = CheckView::of(&opened, &args.image, &located, (&judged, &left), next);
    if args.json {
        document::print(out.stdout, &view)?;
    } else {
        text(&view, out.stdout)?;
    }
    if judged.is_empty() {
        return Err(nothing_found(&located, &args.image, &opened));
    }
    let alone = located.foremost_trace().filter(|_| located.levels.is_empty());
    if let Some(trace) = located.under_way().or(alone) {
        for hint in traces::hints(&args.image, trace) {
            out.tell(format_args!("hint: {hint}"));
        }
    }
    for partition in &located.partitions {
        let hint = of_partition(&args.image, partition);
        out.tell(format_args!("hint: {hint}"));
    }
    if let Some(no) = no_stack(&located, &args.image).filter(|_| args.image.stacked) {
        return Err(no.into());
    }
    let worst = judged.iter().filter_map(Judged::worst).max();
    let done = worst < Some(Severity::Warning);
    if !args.json {
        next::tell(out, next::words_after_check(view.next(), done))?;
    }
    Ok(if done { Outcome::Done } else { Outcome::No })
}

/// The rules whose findings `mdtool repair` would mend: it mends one resource at a time, the first that has any.
fn mends(judged: &[Judged<'_>]) -> Vec<&'static str> {
    let mut repairs = judged.iter().filter_map(|one| Repair::of(one, &[]));
    let first = repairs.next();
    first.map_or_else(Vec::new, |repair| {
        repair.mends().iter().map(|(rule, _)| *rule).collect()
    })
}

/// The levels, and what stands where DRBD looks without being one.
fn subjects(opened: &Opened, args: &CheckArgs) -> anyhow::Result<(Located, Vec<InPlace>)> {
    let name = || args.image.image.display().to_string();
    let device = opened.window();
    let Some(at) = args.image.at else {
        let located = find(opened, &args.image, args.level, args.scan.into())?;
        let in_place = in_place(device, &located, args.image.index).with_context(name)?;
        return Ok((located, in_place));
    };
    let at = opened.device_pos(at.0).with_context(name)?;
    match located_at(device, at, args.image.index) {
        Ok(located) => Ok((located, Vec::new())),
        Err(why) => {
            // What carries a magic and contradicts its place is just what is to be judged.
            let found = in_place_at(device, at, args.image.index).with_context(name)?;
            match found {
                Some(in_place) => Ok((Located::default(), vec![in_place])),
                None => Err(anyhow::Error::from(why).context(name())),
            }
        }
    }
}
