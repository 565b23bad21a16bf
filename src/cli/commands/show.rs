//! `mdtool show`.

pub(crate) mod args;
pub(crate) mod view;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::show::args::ShowArgs;
use crate::cli::session::open::Opened;
use crate::cli::outcome::Outcome;
use crate::cli::commands::show::view::ShowView;
use crate::cli::output::document;
use crate::cli::output::view::Report;
use crate::cli::session::select::{choose, find, half_changed, nothing_found};
use crate::cli::session::source::named;
use crate::survey::locate::ScanMode;

/// What `show --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 shown; 1 there is no metadata, or no such level; 2 could not look.";

pub(crate) fn run(args: &ShowArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let (image, level) = named(&args.image, args.level);
    let opened = Opened::open_source(&image)?;
    opened.tell_warnings(&image, out);
    let located = find(&opened, &image, level, ScanMode::Auto)?;
    if located.levels.is_empty() {
        return Err(nothing_found(&located, &image, &opened));
    }
    if let Some(half) = half_changed(&located, &image) {
        out.tell(format_args!("mdtool: warning: {}", half.answer));
        for hint in &half.hints {
            out.tell(format_args!("hint: {hint}"));
        }
    }
    let chosen = if level.is_some() || image.stacked {
        let number = choose(&located, &image, level, &opened)?;
        number..=number
    } else {
        0..=located.levels.len().saturating_sub(1)
    };
    let report = Report {
        opened: &opened,
        image: &image,
        located: &located,
        first: 0,
    };
    // All that is read is read here: what fails then does not leave half of it behind.
    let view = ShowView::of(&report, &chosen, args.rate);
    let view = view.with_context(|| image.image.display().to_string())?;
    if args.json {
        document::print(out.stdout, view)?;
    } else {
        view.print(out.stdout)?;
    }
    Ok(Outcome::Done)
}
