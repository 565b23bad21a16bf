//! Finding the levels that the arguments ask for, and choosing one.

use anyhow::Context;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::outcome::Negative;
use crate::cli::output::traces;
use crate::cli::session::open::Opened;
use crate::survey::locate::{
    Level, LocateOptions, Located, Role, ScanMode, Searched, locate, located_at,
};
use crate::survey::occupants::Partition;
use crate::survey::traces::TraceKind;

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
        let number = choose(&located, args, level)?;
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
    let located = opened.searching(|device| locate(device, &options));
    located.with_context(name)
}

/// Chooses one level, by its number: the one asked for, with `stacked` the innermost, else the outermost.
pub(crate) fn choose(
    located: &Located,
    args: &ImageArgs,
    level: Option<LevelChoice>,
) -> anyhow::Result<usize> {
    let count = located.levels.len();
    let Some(innermost) = count.checked_sub(1) else {
        return Err(nothing_found(located, args).into());
    };
    let default = if args.stacked {
        LevelChoice::Inner
    } else {
        LevelChoice::Outer
    };
    match level.unwrap_or(default) {
        LevelChoice::Outer => Ok(0),
        LevelChoice::Inner => no_stack(located, args).map_or(Ok(innermost), |no| Err(no.into())),
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
    } else if !located.partitions.is_empty() {
        "no DRBD metadata of the whole disk"
    } else if located.rejected.is_empty() {
        "no DRBD metadata"
    } else {
        "no DRBD metadata that fits its place"
    }
}

/// The answer where nothing was found.
pub(crate) fn nothing_found(located: &Located, args: &ImageArgs) -> Negative {
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
