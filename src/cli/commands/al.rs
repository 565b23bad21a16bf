//! `mdtool al`.

pub(crate) mod args;
mod view;

use anyhow::Context;

use crate::cli::next;
use crate::cli::Streams;
use crate::cli::commands::al::args::AlArgs;
use crate::cli::commands::al::view::{AlView, PlaceView};
use crate::cli::outcome::Outcome;
use crate::cli::output::document;
use crate::cli::session::select::Chosen;
use crate::cli::session::source::named;
use crate::format::activity_log::Verdict;
use crate::survey::locate::ScanMode;
use crate::survey::log::LogState;

/// How many places of the ring a JSON document lists; a log of DRBD's default size has 8.
const LISTED: usize = 65_536;

/// What `al --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 the log names all that may have been written to; 1 it does not, or there is no metadata; 2 could not look.";

pub(crate) fn run(args: &AlArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let (image, level) = named(&args.image, args.level);
    let chosen = Chosen::open(&image, level, ScanMode::Auto)?;
    let mut rows = Vec::new();
    let mut more: u64 = 0;
    let state = LogState::read(chosen.opened.window(), chosen.level(), &mut |entry| {
        if rows.len() < LISTED {
            rows.push(PlaceView::of(entry));
        } else {
            more = more.saturating_add(1);
        }
    })
    .with_context(|| args.image.image.display().to_string())?;
    let log = Log {
        chosen: &chosen,
        state: &state,
        rows,
        more,
    };
    let view = AlView::of(args.image.image.to_string_lossy().into_owned(), log);
    if args.json {
        document::print(out.stdout, view)?;
    } else {
        view.print(out.stdout)?;
        next::tell(out, next::after_al(&image, level, chosen.level(), &state))?;
    }
    Ok(if matches!(state.replay.verdict, Verdict::Complete(_)) {
        Outcome::Done
    } else {
        Outcome::No
    })
}

/// One level's log.
struct Log<'a> {
    chosen: &'a Chosen,
    state: &'a LogState,
    rows: Vec<PlaceView>,
    more: u64,
}
