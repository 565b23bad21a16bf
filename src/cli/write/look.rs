//! What a decision rests on: all of it is read while the targets are held.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::next::typed;
use crate::cli::outcome::Declined;
use crate::cli::output::explain::shell_word;
use crate::cli::output::traces;
use crate::cli::session::open::Opened;
use crate::cli::session::select::{
    Trust, choose, find, no_stack, refuse_damaged_inner, refuse_trace, refuse_unsure,
};
use crate::cli::size::Size;
use crate::cli::write::target::Target;
use crate::image::ReadAt;
use crate::survey::locate::{
    FoundBy, IndexChoice, Level, LocateOptions, Located, ScanMode, locate,
};
use crate::survey::traces::TraceKind;
use crate::units::{Bytes, ImagePos};

/// Which target, and what of it is meant.
pub(crate) enum Aim<'a> {
    /// One resource of an image.
    Resource {
        image: &'a ImageArgs,
        level: Option<LevelChoice>,
        trust: Trust,
    },
    /// Whatever stands where DRBD looks or was found, damaged or not; one of the levels where it is named.
    Judged {
        image: &'a ImageArgs,
        level: Option<LevelChoice>,
    },
    /// The target itself, whatever it holds.
    Whole {
        target: &'a Path,
        index: IndexChoice,
    },
}

impl Aim<'_> {
    /// The target's name.
    pub(crate) fn path(&self) -> &Path {
        match self {
            Self::Resource { image, .. } | Self::Judged { image, .. } => &image.image,
            Self::Whole { target, .. } => target,
        }
    }

    /// The level whose metadata is to be taken away from where it is, where one is named.
    pub(crate) fn taken(&self) -> Option<LevelChoice> {
        match self {
            Self::Resource {
                image,
                level,
                trust: Trust::Found | Trust::Erased,
            } => level.or_else(|| image.stacked.then_some(LevelChoice::Inner)),
            Self::Resource { .. } | Self::Judged { .. } | Self::Whole { .. } => None,
        }
    }
}

/// The targets as they were found.
pub(crate) struct Look {
    pub(crate) path: PathBuf,
    /// The options that say which part of it was looked at.
    window: String,
    /// The target with all the options that say which resource is meant.
    meant: String,
    pub(crate) opened: Opened,
    /// The levels that were found, where a resource is meant.
    pub(crate) located: Located,
    number: Option<usize>,
    pub(crate) block_device: bool,
    /// The meta device, where one is named and there.
    pub(crate) meta: Option<Box<dyn ReadAt>>,
}

impl Look {
    /// Looks at what is held.
    pub(crate) fn at(
        aim: &Aim<'_>,
        target: &Target,
        meta: Option<(&Path, &Target)>,
        force: bool,
    ) -> anyhow::Result<Self> {
        let path = aim.path();
        let name = || path.display().to_string();
        let reader = target.reader(path).with_context(name)?;
        let block_device = target.is_block_device().with_context(name)?;
        let whole;
        let args = match aim {
            Aim::Resource { image, .. } | Aim::Judged { image, .. } => *image,
            Aim::Whole { target, index } => {
                whole = ImageArgs::whole(target, *index);
                &whole
            }
        };
        let level = match aim {
            Aim::Resource { level, .. } | Aim::Judged { level, .. } => *level,
            Aim::Whole { .. } => None,
        };
        let opened = Opened::over(reader, args).with_context(name)?;
        let (located, number) = aimed(aim, &opened, args, force)?;
        let meta = meta.map(|(path, target)| {
            let reader = target.reader(path);
            reader.with_context(|| path.display().to_string())
        });
        let option = |name: &str, size: Option<Size>| {
            size.map_or_else(String::new, |size| format!(" --{name} {}", size.0.get()))
        };
        let window = option("offset", args.offset) + &option("size", args.size);
        Ok(Self {
            path: path.to_owned(),
            window,
            meant: typed(args, level),
            opened,
            located,
            number,
            block_device,
            meta: meta.transpose()?,
        })
    }

    /// Where marks of an interrupted change are: whoever goes on all the same does not go back to it.
    pub(crate) fn given_up(&self) -> Vec<ImagePos> {
        let traces = self.located.traces.iter();
        let marks = traces.filter(|trace| trace.kind == TraceKind::UnderWay);
        marks.map(|trace| self.opened.image_pos(trace.at)).collect()
    }

    /// The target's name, for messages.
    pub(crate) fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// The target as it is typed for a command that looks at the same part of it.
    pub(crate) fn typed(&self) -> String {
        format!("{}{}", shell_word(&self.path), self.window)
    }

    /// The same with the options that say which resource of it is meant.
    pub(crate) fn meant(&self) -> &str {
        &self.meant
    }

    /// The resource that is meant, where one is.
    pub(crate) fn chosen(&self) -> Option<&Level> {
        self.located.levels.get(self.number?)
    }

    /// The number of the resource that is meant, where one is.
    pub(crate) const fn number(&self) -> Option<usize> {
        self.number
    }

    /// The resource that is meant, for a command that aims at one.
    pub(crate) fn level(&self) -> anyhow::Result<&Level> {
        self.chosen().context("no resource was looked for")
    }

    /// Refuses to take the outermost of several resources for what is meant, where nobody said which.
    pub(crate) fn refuse_to_guess(&self, said: bool) -> anyhow::Result<()> {
        let count = self.located.levels.len();
        anyhow::ensure!(
            count < 2 || said,
            "{}: is a stack of {count} resources, expected --stacked (the inner one) or --level",
            self.name()
        );
        Ok(())
    }

    /// Whether the resource that is meant lies beyond the end of a device around it.
    pub(crate) fn is_beyond(&self) -> bool {
        let number = self.number.unwrap_or(0);
        self.located.is_beyond(number, self.opened.window().size())
    }

    /// The size of the device that holds the resource that is meant: the image, or the DRBD device of the level around it.
    pub(crate) fn holder(&self) -> Bytes {
        let number = self.number.unwrap_or(0);
        self.located.holder(number, self.opened.window().size())
    }
}

/// Chooses one level that is written to. The only resource is not taken for the inner one where a stack was: two of a stack may say that they are
/// of one device, and what was taken away may be the inner one.
fn chosen(
    opened: &Opened,
    located: &Located,
    args: &ImageArgs,
    level: Option<LevelChoice>,
) -> anyhow::Result<usize> {
    let inner = level == Some(LevelChoice::Inner) && !located.traces.is_empty();
    match no_stack(located, args).filter(|_| inner) {
        Some(no) => Err(no.into()),
        None => choose(located, args, level, opened),
    }
}

/// What was found on the target, and the number of what is aimed at, where that is a resource.
fn aimed(
    aim: &Aim<'_>,
    opened: &Opened,
    args: &ImageArgs,
    force: bool,
) -> anyhow::Result<(Located, Option<usize>)> {
    let name = || aim.path().display().to_string();
    match aim {
        Aim::Resource { level, trust, .. } => {
            let located = find(opened, args, *level, ScanMode::Auto)?;
            let number = meant(opened, &located, (args, *level), *trust);
            let stands = number.as_ref().is_ok_and(|one| stands(&located, *one));
            refuse_cut_off(&located, args, force, stands)?;
            let number = number?;
            opened.hold().with_context(name)?;
            Ok((located, Some(number)))
        }
        Aim::Judged { level, .. } => {
            let located = find(opened, args, *level, ScanMode::Auto)?;
            let number = level.map(|_| chosen(opened, &located, args, *level));
            let stands = match &number {
                Some(number) => number.as_ref().is_ok_and(|one| stands(&located, *one)),
                None => stands(&located, 0),
            };
            refuse_cut_off(&located, args, force, stands)?;
            opened.hold().with_context(name)?;
            Ok((located, number.transpose()?))
        }
        Aim::Whole { index, .. } => {
            // An interrupted change may have left its marks where the metadata was before the disk grew.
            let options = LocateOptions {
                index: *index,
                scan: ScanMode::Auto,
                stacked: false,
            };
            let located = locate(opened.window(), &options).with_context(name)?;
            refuse_cut_off(&located, args, force, true)?;
            Ok((located, None))
        }
    }
}

/// Which resource is meant, or why none may be taken for it.
fn meant(
    opened: &Opened,
    located: &Located,
    (args, level): (&ImageArgs, Option<LevelChoice>),
    trust: Trust,
) -> anyhow::Result<usize> {
    refuse_damaged_inner(opened, located, args, level)?;
    let number = choose(located, args, level, opened)?;
    refuse_trace(located, args, number)?;
    refuse_unsure(opened, located, number, (args, level), trust)?;
    Ok(number)
}

/// Whether a level stands in its place: what a search found beside an interrupted change may be any other resource.
fn stands(located: &Located, number: usize) -> bool {
    let level = located.levels.get(number);
    level.is_some_and(|level| level.found_by != FoundBy::Scan)
}

/// Refuses a target on which a change was interrupted: what stands there is neither what it was nor what it was to be. `stands` where force
/// has something to go on from.
fn refuse_cut_off(
    located: &Located,
    args: &ImageArgs,
    force: bool,
    stands: bool,
) -> anyhow::Result<()> {
    let Some(trace) = located.under_way().filter(|_| !(force && stands)) else {
        return Ok(());
    };
    let why = format!("{}: {}", args.image.display(), traces::line(args, trace));
    let mut declined = Declined::new(why, &[&traces::undo(args)]);
    if stands {
        let go_on = "--force goes on all the same: what is on the disk now is then taken for what it was before";
        declined.hints.push(go_on.to_owned());
    } else if force {
        let nothing = format!(
            "--force has nothing to go on from, no superblock stands in its place; without that undo file, `mdtool import {} DUMP --force` writes the metadata of a dump",
            shell_word(&args.image)
        );
        declined.hints.push(nothing);
    }
    Err(declined.into())
}
