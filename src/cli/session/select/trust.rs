//! Whether a level that was found is the one that was meant, where something else stands in its place.

use anyhow::Context;

use super::absent::no_stack;
use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::next::typed;
use crate::cli::outcome::{Declined, Negative};
use crate::cli::output::explain::shell_word;
use crate::cli::output::traces;
use crate::cli::session::open::Opened;
use crate::format::layout::MdIndex;
use crate::survey::in_place::in_place;
use crate::survey::locate::{FoundBy, Level, Located};
use crate::survey::traces::TraceKind;
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
    let numbered = matches!(choice, Some(LevelChoice::Number(_)));
    if numbered && trust != Trust::Found {
        return Ok(());
    }
    if let Some(instead) = instead_of(opened, located, number, (args, choice))? {
        return Err(not_taken(instead, (args, choice), (number, at), trust).into());
    }
    if numbered {
        return Ok(());
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

/// The refusal to take the level that a search found at `at` for what stands in its place.
fn not_taken(
    instead: Instead,
    (args, choice): (&ImageArgs, Option<LevelChoice>),
    (number, at): (usize, ImagePos),
    trust: Trust,
) -> Declined {
    let numbered = matches!(choice, Some(LevelChoice::Number(_)));
    let whom = if numbered {
        format!("level {number}")
    } else {
        "it".to_owned()
    };
    let why = format!(
        "{}: {}; the resource whose superblock a search found at {at} is not taken for {whom}",
        args.image.display(),
        instead.what
    );
    let named = instead.is_numbered() || trust != Trust::Found;
    let take = match (numbered, named) {
        (true, _) => format!("--at {} names it", at.get()),
        (false, true) => format!(
            "--level {number} or --at {} takes the one that was found; --stacked, if it is the inner one of a stack",
            at.get()
        ),
        (false, false) if instead.kind.counts_for_all() => {
            format!("--at {} takes the one that was found", at.get())
        }
        (false, false) => format!(
            "--at {} takes the one that was found; --stacked, if it is the inner one of a stack",
            at.get()
        ),
    };
    let mut declined = Declined::new(why, &[]);
    declined.hints.extend(instead.hints);
    declined.hints.push(take);
    declined
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
pub(crate) struct Instead {
    /// What is said of it.
    pub(crate) what: String,
    /// Where it is.
    pub(crate) at: DevPos,
    /// What is to be done about it.
    pub(crate) hints: Vec<String>,
    kind: InsteadKind,
}

/// How it comes that it does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum InsteadKind {
    /// A change of mdtool's was interrupted: nothing is to be taken for what was there before that is undone.
    Interrupted,
    /// The metadata that was there is in use somewhere else.
    Moved,
    /// Its magic was erased, or its superblock: that may be put back, unless something is written over it.
    Erased,
    /// Its fields contradict its place.
    Damaged,
}

impl InsteadKind {
    /// Whether it counts however the found one is named, other than by its position: the same words named another resource.
    const fn counts_for_all(self) -> bool {
        matches!(self, Self::Interrupted | Self::Moved)
    }
}

impl Instead {
    /// Whether a level's number takes what was found in its place.
    fn is_numbered(&self) -> bool {
        self.kind == InsteadKind::Damaged
    }
}

/// The older metadata that a level hides which was just created: the data belongs to that.
pub(crate) fn hidden_by(
    opened: &Opened,
    located: &Located,
    number: usize,
    args: &ImageArgs,
) -> Option<Instead> {
    let hidden = located.hidden_by(number)?;
    let (at, image) = (opened.image_pos(hidden.at), shell_word(&args.image));
    let hints = vec![
        format!("do not connect it: `mdtool check {image}` says why"),
        format!(
            "`mdtool show {image} --at {}` shows the older metadata",
            at.get()
        ),
        format!(
            "`mdtool relocate {image} --at {}` puts it where DRBD looks, over what was just created",
            at.get()
        ),
    ];
    Some(Instead {
        what: format!(
            "metadata that was just created hides older {} metadata, whose superblock is at {at}",
            hidden.format
        ),
        at: hidden.at,
        hints,
        kind: InsteadKind::Damaged,
    })
}

/// What is left of the outer resource, and can be put back, around the inner one that is meant.
pub(crate) fn erased_around(located: &Located, number: usize, args: &ImageArgs) -> Option<Instead> {
    let mut traces = located.passed_over(number).into_iter();
    let erased = traces.find(|trace| trace.missing_magic().is_some())?;
    Some(Instead {
        what: traces::line(args, erased),
        at: erased.at,
        hints: traces::hints(args, erased),
        kind: InsteadKind::Erased,
    })
}

/// What keeps a level that a search found from being taken for the one that is meant, where it is read or moved to where DRBD looks.
pub(crate) fn instead_of(
    opened: &Opened,
    located: &Located,
    number: usize,
    (args, choice): (&ImageArgs, Option<LevelChoice>),
) -> anyhow::Result<Option<Instead>> {
    let found = instead(opened, located, number, (args, choice));
    found.with_context(|| args.image.display().to_string())
}

/// The same, as reading met it.
pub(crate) fn instead(
    opened: &Opened,
    located: &Located,
    number: usize,
    (args, choice): (&ImageArgs, Option<LevelChoice>),
) -> crate::error::Result<Option<Instead>> {
    let level = located.levels.get(number);
    if level.is_none_or(|level| level.found_by != FoundBy::Scan) {
        return Ok(None);
    }
    let found = passed_over(opened, located, number, args)?;
    // What lies inside a damaged outer resource is named by that.
    let inner = number == 0 && (args.stacked || choice == Some(LevelChoice::Inner));
    let numbered = matches!(choice, Some(LevelChoice::Number(_)));
    Ok(found.filter(|one| match one.kind {
        InsteadKind::Interrupted | InsteadKind::Moved => true,
        InsteadKind::Erased => !inner,
        InsteadKind::Damaged => !inner && !numbered,
    }))
}

/// What was passed over when a level was found by a search.
fn passed_over(
    opened: &Opened,
    located: &Located,
    number: usize,
    args: &ImageArgs,
) -> crate::error::Result<Option<Instead>> {
    let outer = number.checked_sub(1);
    let look = judged(args);
    let damaged = in_place(opened.window(), located, args.index)?.into_iter();
    let damaged = damaged
        .filter(|one| one.inside == outer && one.level.is_none())
        .map(|one| Instead {
            what: format!(
                "the {} superblock at {}, where DRBD looks, is damaged",
                one.superblock.format(),
                opened.image_pos(one.at)
            ),
            at: one.at,
            hints: vec![look.clone()],
            kind: InsteadKind::Damaged,
        });
    let traces = located.passed_over(number).into_iter();
    let traces = traces.map(|trace| Instead {
        what: traces::line(args, trace),
        at: trace.at,
        hints: match trace.kind {
            TraceKind::Retired => vec![look.clone()],
            _ => traces::hints(args, trace),
        },
        kind: match trace.kind {
            TraceKind::UnderWay => InsteadKind::Interrupted,
            TraceKind::Retired => InsteadKind::Moved,
            TraceKind::Erased { .. } | TraceKind::LogAlone { .. } => InsteadKind::Erased,
        },
    });
    let mut all: Vec<Instead> = damaged.chain(traces).collect();
    all.sort_by_key(|one| !one.kind.counts_for_all());
    Ok(all.into_iter().next())
}
