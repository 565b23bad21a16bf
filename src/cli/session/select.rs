//! Finding the levels that the arguments ask for, and choosing one.

mod absent;
mod trust;

use anyhow::Context;

pub(crate) use absent::{
    half_changed, no_stack, nothing, nothing_found, of_inside, of_partition, refuse_cut_off,
    refuse_trace,
};
pub(crate) use trust::{
    Instead, Trust, erased_around, hidden_by, instead, instead_of, refuse_damaged_inner,
    refuse_unsure,
};

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::next::typed;
use crate::cli::outcome::Negative;
use crate::cli::session::open::Opened;
use crate::cli::session::source::named;
use crate::survey::locate::{Level, LocateOptions, Located, ScanMode, locate, located_at};
use crate::units::Bytes;

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
            let mut traces = located.traces.iter();
            let stack_expected =
                args.stacked || traces.any(|trace| !located.is_former_place(trace));
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
            let hint = format!(
                "`mdtool locate {}` lists them; --stacked searches for one that lies elsewhere",
                typed(args, None)
            );
            Err(Negative::new(answer, &[&hint]).into())
        }
    }
}
