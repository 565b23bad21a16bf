//! Finding the levels that the arguments ask for, and choosing one.

use std::path::PathBuf;

use anyhow::Context;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::outcome::{Declined, Negative};
use crate::cli::output::traces;
use crate::cli::session::open::Opened;
use crate::cli::session::source::named;
use crate::format::metadata::Header;
use crate::survey::base::Inside;
use crate::survey::contents::Contents;
use crate::survey::in_place::in_place;
use crate::survey::locate::{
    FoundBy, Level, LocateOptions, Located, Role, ScanMode, Searched, locate, located_at,
};
use crate::survey::occupants::{Occupant, Partition};
use crate::survey::traces::{Trace, TraceKind};
use crate::units::{Bytes, DevPos};

/// An image whose levels were looked for, and the one among them that is meant.
pub(crate) struct Chosen {
    pub(crate) opened: Opened,
    pub(crate) located: Located,
    /// The level's number, counted from the outermost.
    pub(crate) number: usize,
}

impl Chosen {
    /// Opens an image read-only, finds its levels and chooses one.
    pub(crate) fn open(
        args: &ImageArgs,
        level: Option<LevelChoice>,
        scan: ScanMode,
    ) -> anyhow::Result<Self> {
        let opened = Opened::open(args)?;
        let located = find(&opened, args, level, scan)?;
        let number = choose(&located, args, level, &opened)?;
        Ok(Self {
            opened,
            located,
            number,
        })
    }

    /// The same of a source: `PATH@LEVEL` picks a level, and a dump is looked at as the disk that it describes.
    pub(crate) fn of_source(
        args: &ImageArgs,
        level: Option<LevelChoice>,
        scan: ScanMode,
    ) -> anyhow::Result<Self> {
        let (args, level) = &named(args, level);
        let opened = Opened::open_source(args)?;
        let located = find(&opened, args, *level, scan)?;
        let number = choose(&located, args, *level, &opened)?;
        Ok(Self {
            opened,
            located,
            number,
        })
    }

    /// The same of a source, but that nothing damaged is passed over.
    pub(crate) fn open_sure(
        args: &ImageArgs,
        level: Option<LevelChoice>,
        scan: ScanMode,
    ) -> anyhow::Result<Self> {
        let opened = Opened::open_source(args)?;
        let located = find(&opened, args, level, scan)?;
        refuse_damaged_inner(&opened, &located, args, level)?;
        let number = choose(&located, args, level, &opened)?;
        refuse_unsure(&opened, &located, number, (args, level), Trust::Found)?;
        Ok(Self {
            opened,
            located,
            number,
        })
    }

    /// The level that is meant.
    pub(crate) fn level(&self) -> &Level {
        // OK to expect: the number was chosen among these levels, which do not change.
        self.located.levels.get(self.number).expect("a level")
    }
}

/// Refuses to change what lacks its magic: that is to be put back before anything else.
pub(crate) fn refuse_trace(
    located: &Located,
    args: &ImageArgs,
    number: usize,
) -> anyhow::Result<()> {
    let md = located.levels.get(number).map(|level| level.layout.md);
    match md.and_then(|md| located.trace_at(md)) {
        Some(trace) => Err(Negative {
            answer: format!("{}: {}", args.image.display(), traces::line(args, trace)),
            hints: traces::hints(args, trace),
        }
        .into()),
        None => Ok(()),
    }
}

/// Finds the levels of an opened image.
pub(crate) fn find(
    opened: &Opened,
    args: &ImageArgs,
    level: Option<LevelChoice>,
    scan: ScanMode,
) -> anyhow::Result<Located> {
    let name = || args.image.display().to_string();
    if let Some(at) = args.at {
        let at = opened.device_pos(at.0).with_context(name)?;
        return located_at(opened.window(), at, args.index).with_context(name);
    }
    // Whoever asks for the inner one expects a stack.
    let stacked = args.stacked || level == Some(LevelChoice::Inner);
    let options = LocateOptions {
        index: args.index,
        scan,
        stacked,
    };
    opened.refuse_foreign(options).with_context(name)?;
    anyhow::ensure!(
        opened.window().size() > Bytes::ZERO,
        "{}: is empty, there is nothing to look at",
        name()
    );
    let located = opened.searching(|device| locate(device, &options));
    located.with_context(name)
}

/// Chooses one level, by its number: the one asked for, with `stacked` the innermost, else the outermost.
pub(crate) fn choose(
    located: &Located,
    args: &ImageArgs,
    level: Option<LevelChoice>,
    opened: &Opened,
) -> anyhow::Result<usize> {
    let count = located.levels.len();
    let Some(innermost) = count.checked_sub(1) else {
        return Err(nothing_found(located, args, opened));
    };
    if let Some(refused) = half_changed(located, args) {
        return Err(refused.into());
    }
    let default = if args.stacked {
        LevelChoice::Inner
    } else {
        LevelChoice::Outer
    };
    match level.unwrap_or(default) {
        LevelChoice::Outer => Ok(0),
        LevelChoice::Inner => {
            refuse_damaged_inner(opened, located, args, level)?;
            // The innermost of one is that one, unless a stack was said to be here, or something still says that there was one.
            let stack_expected = args.stacked || !located.traces.is_empty();
            let no = no_stack(located, args).filter(|_| stack_expected);
            no.map_or(Ok(innermost), |no| Err(no.into()))
        }
        LevelChoice::Number(n) if n < count => Ok(n),
        LevelChoice::Number(n) => {
            let numbers = match innermost {
                0 => "only level 0 was".to_owned(),
                last => format!("levels 0 to {last} were"),
            };
            let answer = format!(
                "{}: there is no level {n}, {numbers} found",
                args.image.display()
            );
            let hint = "`mdtool locate` lists them; --stacked searches for one that lies elsewhere";
            Err(Negative::new(answer, &[hint]).into())
        }
    }
}

/// What is to be said of a superblock that was named, where an interrupted change left its mark: bitmap and log beside it may be anybody's by now.
pub(crate) fn half_changed(located: &Located, args: &ImageArgs) -> Option<Negative> {
    let [trace] = located.traces.as_slice() else {
        return None;
    };
    if args.at.is_none() || trace.kind != TraceKind::UnderWay {
        return None;
    }
    Some(Negative {
        answer: format!("{}: {}", args.image.display(), traces::line(args, trace)),
        hints: traces::hints(args, trace),
    })
}

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
    let standing = passed_over(opened, located, number, args);
    let standing = standing.with_context(|| name.to_string())?;
    if let Some(standing) = standing.filter(|standing| standing.moved || !inner) {
        let why = format!(
            "{name}: {}; the resource whose superblock a search found at {at} is not taken for it",
            standing.what
        );
        let look = "`mdtool check` judges what stands where DRBD looks, and says what to do";
        let take = if standing.moved && trust == Trust::Found {
            format!("--at {} takes the one that was found", at.get())
        } else {
            format!(
                "--level {number} or --at {} takes the one that was found; --stacked, if it is the inner one of a stack",
                at.get()
            )
        };
        return Err(Declined::new(why, &[look, &take]).into());
    }
    if trust != Trust::Found && !args.stacked && choice.is_none() {
        let why = format!(
            "{name}: the superblock at {at} was found by a search and is not where DRBD looks: what it leads to is not written to unasked"
        );
        let take = format!(
            "--level {number} or --at {} names it; `mdtool adopt` puts it where DRBD looks",
            at.get()
        );
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
    let standing = in_place(opened.window(), located, args.index);
    let mut standing = standing.with_context(|| name.to_string())?.into_iter();
    let Some(damaged) = standing.find(|one| one.inside == Some(0)) else {
        return Ok(());
    };
    let why = format!(
        "{name}: the {} superblock at {}, where DRBD looks, is damaged: it is the inner resource's",
        damaged.superblock.format(),
        opened.image_pos(damaged.at)
    );
    let look = "`mdtool check` judges what stands where DRBD looks, and says what to do";
    let outer = "without --stacked the outer resource is meant, or --level 0";
    Err(Declined::new(why, &[look, outer]).into())
}

/// What stands where a level was expected that a search then found elsewhere.
struct Standing {
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
) -> crate::error::Result<Option<Standing>> {
    let outer = number.checked_sub(1);
    let damaged = in_place(opened.window(), located, args.index)?.into_iter();
    let damaged = damaged
        .filter(|one| one.inside == outer && one.level.is_none())
        .map(|one| Standing {
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
        (trace.in_place || moved).then(|| Standing {
            what: traces::line(args, trace),
            moved,
        })
    });
    let mut all: Vec<Standing> = damaged.chain(traces).collect();
    all.sort_by_key(|one| !one.moved);
    Ok(all.into_iter().next())
}

/// The answer where a stack was expected and only the outermost resource is there.
pub(crate) fn no_stack(located: &Located, args: &ImageArgs) -> Option<Negative> {
    let [only] = located.levels.as_slice() else {
        return None;
    };
    (only.role == Role::Single).then(|| {
        let looked = match located.searched {
            Searched::Expected => "where an inner one would be",
            Searched::Tail(_) | Searched::Everything => "everywhere that holds data",
        };
        Negative::new(
            format!(
                "{}: no stack here: one resource, where the outermost belongs, and no other {looked}",
                args.image.display()
            ),
            &["without --stacked it is taken for what it is, the only resource"],
        )
    })
}

/// How to look at a partition.
pub(crate) fn of_partition(args: &ImageArgs, partition: &Partition) -> String {
    let before = args.offset.map_or(0, |offset| offset.0.get());
    format!(
        "partition {} has metadata: give its device, or --offset {} --size {} with this image",
        partition.number,
        before.saturating_add(partition.start.get()),
        partition.size.get()
    )
}

/// How to look at a device that something on the disk holds.
pub(crate) fn of_inside(args: &ImageArgs, inside: &Inside) -> String {
    let before = args.offset.map_or(0, |offset| offset.0.get());
    let (holder, own) = (inside.holder, inside.holder.device());
    match inside.place {
        Some((start, size)) => format!(
            "this disk is {holder}: give {own}, or --offset {} --size {} with this image",
            before.saturating_add(start.get()),
            size.get()
        ),
        None => format!(
            "this disk is {holder}: give {own}; its records here do not say where that begins"
        ),
    }
}

/// What there is none of, where there is no level.
pub(crate) fn nothing(located: &Located) -> &'static str {
    if let Some(trace) = located.foremost_trace() {
        match trace.kind {
            TraceKind::UnderWay => {
                "a change by mdtool was interrupted: no DRBD metadata that counts"
            }
            TraceKind::Retired => "no DRBD metadata in use: mdtool moved it elsewhere",
            TraceKind::LogAlone { .. } => "damaged DRBD metadata: its superblock is gone",
            _ => "damaged DRBD metadata: its magic is missing",
        }
    } else if !located.partitions.is_empty() || !located.inside.is_empty() {
        "no DRBD metadata of the whole disk"
    } else if located.rejected.is_empty() {
        "no DRBD metadata"
    } else {
        "no DRBD metadata that fits its place"
    }
}

/// The answer where nothing was found: an error where the part that would have the metadata is missing, since then nobody knows.
pub(crate) fn nothing_found(located: &Located, args: &ImageArgs, opened: &Opened) -> anyhow::Error {
    let clear =
        located.traces.is_empty() && located.rejected.is_empty() && located.partitions.is_empty();
    let beyond = || Contents::of(opened.window()).map(|found| found.beyond(opened.window()));
    match clear.then(beyond).transpose() {
        Err(error) => anyhow::Error::from(error).context(args.image.display().to_string()),
        Ok(Some(Some(occupant))) => CutOff {
            image: args.image.clone(),
            size: opened.window().size(),
            occupant,
        }
        .into(),
        Ok(_) => no_metadata(located, args).into(),
    }
}

/// An image that ends before what lives on it does.
#[derive(Debug, thiserror::Error)]
#[error(
    "{}: cut off: has {size}, and its {} ends at {}; metadata would be in what is missing",
    image.display(),
    occupant.kind,
    occupant.end.map_or_else(|| "a later byte".to_owned(), |end| format!("byte {}", end.get()))
)]
pub(crate) struct CutOff {
    image: PathBuf,
    size: Bytes,
    occupant: Occupant,
}

/// The answer where nothing was found on a whole image.
fn no_metadata(located: &Located, args: &ImageArgs) -> Negative {
    let looked = match located.searched {
        Searched::Expected => "where DRBD would look",
        Searched::Tail(_) => "where DRBD would look, and in the tail",
        Searched::Everything => "where DRBD would look, and everywhere that holds data",
    };
    if let Some(trace) = located.foremost_trace() {
        return Negative {
            answer: format!("{}: {}", args.image.display(), traces::line(args, trace)),
            hints: traces::hints(args, trace),
        };
    }
    let mut hints: Vec<String> = Vec::new();
    let partitions = located.partitions.iter();
    hints.extend(partitions.map(|partition| of_partition(args, partition)));
    hints.extend(located.inside.iter().map(|inside| of_inside(args, inside)));
    if hints.is_empty() && located.rejected.is_empty() {
        hints.push("if the metadata is external, give the meta device; if the disk has partitions, give --offset and --size".to_owned());
    } else if hints.is_empty() {
        // Damaged metadata is not none: it is just what a person looks for then.
        hints.extend([
            "`mdtool check` judges what stands where DRBD looks, field by field, and says what to do".to_owned(),
            "`mdtool locate --scan full` lists every block that looks like a superblock, and why it does not count".to_owned(),
        ]);
    }
    if located.searched == Searched::Expected {
        hints.push("--scan full looks at everything that holds data".to_owned());
    }
    Negative {
        answer: format!("{}: {} {looked}", args.image.display(), nothing(located)),
        hints,
    }
}
