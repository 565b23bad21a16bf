//! Whether a level that was found is the one that was meant, where something else stands in its place.

use anyhow::Context;

use super::absent::no_stack;
use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::next::typed;
use crate::cli::outcome::{Declined, Negative};
use crate::cli::output::traces;
use crate::cli::session::open::Opened;
use crate::format::layout::MdIndex;
use crate::format::metadata::Header;
use crate::survey::in_place::in_place;
use crate::survey::locate::{FoundBy, Level, Located};
use crate::survey::traces::{Trace, TraceKind};
use crate::units::{DevPos, ImagePos};

/// How far a level that a search found is trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// It is read, or moved to where DRBD looks: what a search found will do, where nothing else stands there.
    Found,
    /// It is written to where it is: it stands in its place, or is named.
    InPlace,
    /// It is erased where it is: it stands in its place, or is named by its position; what has a number once another is gone had none before.
    Erased,
}

/// Refuses a level that is not known to be the one that is meant: what stands damaged where DRBD looks is not skipped, and what a search
/// found is not written to unless it is named.
pub(crate) fn refuse_unsure(
    opened: &Opened,
    located: &Located,
    number: usize,
    (args, choice): (&ImageArgs, Option<LevelChoice>),
    trust: Trust,
) -> anyhow::Result<()> {
    let Some(level) = located.levels.get(number) else {
        return Ok(());
    };
    // The inner one of a single one may be gone already.
    let inner = trust == Trust::Erased && choice == Some(LevelChoice::Inner);
    if let Some(no) = no_stack(located, args).filter(|_| inner) {
        return Err(no.into());
    }
    if level.found_by != FoundBy::Scan {
        return Ok(());
    }
    refuse_shifted(opened, level, (args, choice), trust)?;
    let name = args.image.display();
    let at = opened.image_pos(level.layout.md);
    if let Some(LevelChoice::Number(number)) = choice {
        let standing = passed_over(opened, located, number, args);
        let standing = standing.with_context(|| name.to_string())?;
        // The same number named what is in use somewhere else now.
        let Some(moved) = standing.filter(|one| one.moved && trust == Trust::Found) else {
            return Ok(());
        };
        let why = format!(
            "{name}: {}; the resource whose superblock a search found at {at} is not taken for level {number}",
            moved.what
        );
        let take = format!("--at {} names it", at.get());
        return Err(Declined::new(why, &[&take]).into());
    }
    // What lies inside a damaged outer resource is named by that.
    let inner = number == 0 && (args.stacked || choice == Some(LevelChoice::Inner));
    let damaged = passed_over(opened, located, number, args);
    let damaged = damaged.with_context(|| name.to_string())?;
    if let Some(damaged) = damaged.filter(|damaged| damaged.moved || !inner) {
        let why = format!(
            "{name}: {}; the resource whose superblock a search found at {at} is not taken for it",
            damaged.what
        );
        let look = judged(args);
        let take = if damaged.moved && trust == Trust::Found {
            format!("--at {} takes the one that was found", at.get())
        } else {
            format!(
                "--level {number} or --at {} takes the one that was found; --stacked, if it is the inner one of a stack",
                at.get()
            )
        };
        return Err(Declined::new(why, &[&look, &take]).into());
    }
    if trust != Trust::Found && !args.stacked && choice.is_none() {
        let place = match level.layout.index {
            MdIndex::Indexed(_) => "is in a slot that was not named",
            _ => "is not where DRBD looks",
        };
        let why = format!(
            "{name}: the superblock at {at} was found by a search and {place}: what it leads to is not written to unasked"
        );
        let take = named(args, choice, number, level, at);
        return Err(Declined::new(why, &[&take]).into());
    }
    Ok(())
}

/// Refuses to write to what a search found where `outer` was said, and to erase it where a number was: the same words named another resource while
/// that one stood.
fn refuse_shifted(
    opened: &Opened,
    level: &Level,
    (args, choice): (&ImageArgs, Option<LevelChoice>),
    trust: Trust,
) -> anyhow::Result<()> {
    let said = match choice {
        Some(LevelChoice::Outer) => "outer".to_owned(),
        Some(LevelChoice::Number(number)) => number.to_string(),
        Some(LevelChoice::Inner) | None => return Ok(()),
    };
    let numbered = matches!(choice, Some(LevelChoice::Number(_)));
    if trust == Trust::Found || numbered && trust != Trust::Erased {
        return Ok(());
    }
    let (name, at) = (args.image.display(), opened.image_pos(level.layout.md));
    let answer = format!(
        "{name}: no resource stands where DRBD looks for level {said}; the superblock at {at} was found by a search, and may be another's"
    );
    let take = format!(
        "--at {} names it; --level inner, if it is the inner one of a stack",
        at.get()
    );
    Err(Negative::new(answer, &[&take]).into())
}

/// Refuses to say that there is no inner resource, or to take another, where a damaged one stands in its place.
pub(crate) fn refuse_damaged_inner(
    opened: &Opened,
    located: &Located,
    args: &ImageArgs,
    choice: Option<LevelChoice>,
) -> anyhow::Result<()> {
    let inner = args.stacked && choice.is_none() || choice == Some(LevelChoice::Inner);
    let [outer] = located.levels.as_slice() else {
        return Ok(());
    };
    if !inner || outer.found_by == FoundBy::Scan || args.at.is_some() {
        return Ok(());
    }
    let name = args.image.display();
    let found = in_place(opened.window(), located, args.index);
    let mut found = found.with_context(|| name.to_string())?.into_iter();
    let Some(damaged) = found.find(|one| one.inside == Some(0)) else {
        return Ok(());
    };
    let why = format!(
        "{name}: the {} superblock at {}, where DRBD looks, is damaged: it is the inner resource's",
        damaged.superblock.format(),
        opened.image_pos(damaged.at)
    );
    let look = judged(args);
    let outer = "without --stacked the outer resource is meant, or --level 0";
    Err(Declined::new(why, &[&look, outer]).into())
}

/// How a resource that a search found is named to a command that writes to it.
fn named(
    args: &ImageArgs,
    choice: Option<LevelChoice>,
    number: usize,
    level: &Level,
    at: ImagePos,
) -> String {
    match level.layout.index {
        MdIndex::Indexed(slot) => format!("--index indexed:{slot} or --at {} names it", at.get()),
        _ => format!(
            "--level {number} or --at {} names it; `mdtool plan {}` lists the ways to put it where DRBD looks",
            at.get(),
            typed(args, choice)
        ),
    }
}

/// How to learn more of what is damaged.
fn judged(args: &ImageArgs) -> String {
    format!(
        "`mdtool check {}` judges what stands where DRBD looks, and says what to do",
        typed(args, None)
    )
}

/// What stands where a level was expected that a search then found elsewhere.
struct Instead {
    what: String,
    /// The metadata that was there is in use somewhere else.
    moved: bool,
}

/// What was passed over when a level was found by a search.
fn passed_over(
    opened: &Opened,
    located: &Located,
    number: usize,
    args: &ImageArgs,
) -> crate::error::Result<Option<Instead>> {
    let outer = number.checked_sub(1);
    let damaged = in_place(opened.window(), located, args.index)?.into_iter();
    let damaged = damaged
        .filter(|one| one.inside == outer && one.level.is_none())
        .map(|one| Instead {
            what: format!(
                "the {} superblock at {}, where DRBD looks, is damaged",
                one.superblock.format(),
                opened.image_pos(one.at)
            ),
            moved: false,
        });
    let md = |number: usize| located.levels.get(number).map(|level| level.layout.md);
    let (found, around) = (md(number), outer.and_then(md));
    let between = |at: DevPos| found.is_some_and(|md| at > md) && around.is_none_or(|md| at < md);
    let traces = located.traces.iter().filter(|trace| between(trace.at));
    // A log that is this resource's own says nothing of another.
    let own = |at: DevPos| {
        let whole = located.levels.get(number).map(|level| &level.layout.whole);
        whole.is_some_and(|whole| whole.contains(&at))
    };
    // What `relocate --for-size` retired says all that the found one says: that is where it was before.
    let was_here = |trace: &&Trace| {
        let old = trace.level.as_ref().map(|old| Header::of(&old.superblock));
        let found = located
            .levels
            .get(number)
            .map(|level| Header::of(&level.superblock));
        trace.kind == TraceKind::Retired && old.is_some() && old == found
    };
    let traces = traces.filter(|trace| !was_here(trace));
    let traces = traces.filter(|trace| match trace.kind {
        TraceKind::LogAlone { log } => !own(log),
        _ => true,
    });
    let traces = traces.filter_map(|trace| {
        let moved = trace.kind == TraceKind::Retired;
        (trace.in_place || moved).then(|| Instead {
            what: traces::line(args, trace),
            moved,
        })
    });
    let mut all: Vec<Instead> = damaged.chain(traces).collect();
    all.sort_by_key(|one| !one.moved);
    Ok(all.into_iter().next())
}
