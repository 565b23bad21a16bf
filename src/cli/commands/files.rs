//! `mdtool files`.

pub(crate) mod args;
pub(crate) mod view;

use std::ops::Range;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::apply_al::warn_of_log;
use crate::cli::commands::files::args::FilesArgs;
use crate::cli::commands::files::view::View;
use crate::cli::next::typed;
use crate::cli::outcome::Outcome;
use crate::cli::ranges::some_of_file;
use crate::cli::session::open::Opened;
use crate::cli::session::select::{Chosen, choose, find, nothing_found};
use crate::cli::session::source::named;
use crate::cli::session::slots::{each_out_of_sync, log_marking, meant};
use crate::format::metadata::Header;
use crate::format::superblock::AlState;
use crate::image::Window;
use crate::survey::filesystems::Finder;
use crate::survey::locate::{Level, ScanMode};
use crate::units::{Bytes, DevPos, Sectors};

/// What `files --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 answered, whoever the ranges belong to; 1 there is no metadata, or no such level; 2 could not look.";

/// How many ranges are looked for in one pass over the file systems.
const PASS: usize = 1 << 16;

pub(crate) fn run(
    args: &FilesArgs,
    _command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let (image, level) = named(&args.image, args.level);
    let name = || image.image.display().to_string();
    let opened = Opened::open(&image)?;
    let located = find(&opened, &image, level, ScanMode::Auto)?;
    let given = args.from.is_some() || !args.ranges.is_empty();
    if located.levels.is_empty() && !given {
        return Err(nothing_found(&located, &image, &opened));
    }
    if located.levels.is_empty() {
        out.tell(format_args!(
            "mdtool: warning: {}: no DRBD metadata: positions count from the beginning of what is looked at",
            name()
        ));
        let mut look = Look::new(opened.window(), None);
        let mut view = View::new(args, None, out.stdout);
        each_given(args, &mut |range| look.add(range, &mut view)).with_context(name)?;
        return look.finish(view, out.stderr).with_context(name);
    }
    let number = choose(&located, &image, level, &opened)?;
    let chosen = Chosen {
        opened,
        located,
        number,
    };
    let data = args.data.as_ref().map(|path| open_data(args, path)).transpose()?;
    let window = device(&chosen, data.as_ref(), args)?;
    if !given {
        warn(&chosen, &name(), &typed(&image, level), out);
    }
    let mut look = Look::new(window, inner_end(&chosen));
    let mut view = View::new(args, Some(&chosen), out.stdout);
    let answer = if given {
        each_given(args, &mut |range| look.add(range, &mut view))
    } else {
        if chosen.level().superblock.la_size() == Sectors::ZERO {
            return view.unknown();
        }
        let slots = meant(args.slots, &Header::of(&chosen.level().superblock))?;
        let marking = log_marking(&chosen).with_context(name)?;
        each_out_of_sync(&chosen, &slots, &marking, &mut |range| look.add(range, &mut view))
    };
    answer.with_context(name)?;
    look.finish(view, out.stderr).with_context(name)
}

/// Says what the bitmap on disk does not have.
fn warn(chosen: &Chosen, name: &str, typed: &str, out: &mut Streams<'_>) {
    warn_of_log(chosen.level(), name, typed, out);
    if chosen.level().superblock.al_state() == AlState::Unclean {
        out.tell(format_args!(
            "mdtool: warning: {name}: the metadata is unclean: the resource is attached, or crashed; what its activity log names is counted as out of sync, and a bitmap in memory may have more"
        ));
    }
}

/// Shows the ranges that were given to `visit`.
fn each_given(
    args: &FilesArgs,
    visit: &mut dyn FnMut(Range<DevPos>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if let Some(path) = &args.from {
        return some_of_file(path, visit);
    }
    args.ranges.iter().try_for_each(|range| visit(range.0.clone()))
}

/// Opens the disk of external metadata.
fn open_data(args: &FilesArgs, path: &std::path::Path) -> anyhow::Result<Opened> {
    let image = crate::cli::args::ImageArgs {
        image: path.to_owned(),
        at: None,
        offset: None,
        size: None,
        ..args.image.clone()
    };
    Opened::open(&image)
}

/// The DRBD device, as far as it lies on the disk.
fn device<'a>(
    chosen: &'a Chosen,
    data: Option<&'a Opened>,
    args: &FilesArgs,
) -> anyhow::Result<Window<'a>> {
    let level = chosen.level();
    let internal = level.layout.index.is_internal();
    let disk = match (internal, data) {
        (true, None) => chosen.opened.window(),
        (false, Some(data)) => data.window(),
        (true, Some(_)) => anyhow::bail!("--data: the metadata is internal: its data is on the same disk"),
        (false, None) => anyhow::bail!(
            "{}: the metadata is external: --data DISK names the disk that its data is on",
            args.image.image.display()
        ),
    };
    let size = level.known_drbd_device().and_then(Sectors::to_bytes);
    let size = size.unwrap_or(disk.size()).min(disk.size());
    disk.shortened(size).context("the device is larger than its disk")
}

/// Where the device of the innermost level inside the chosen one ends: behind it lies metadata.
fn inner_end(chosen: &Chosen) -> Option<DevPos> {
    let inner = chosen.located.levels.iter().skip(chosen.number.saturating_add(1));
    let device = |level: &Level| level.known_drbd_device().and_then(Sectors::to_bytes);
    inner.last().and_then(device).map(DevPos::at)
}

/// Ranges that are gathered for one pass, and answered.
struct Look<'a> {
    finder: Finder<'a>,
    size: Bytes,
    pending: Vec<Range<DevPos>>,
    ranges: u64,
}

impl<'a> Look<'a> {
    fn new(device: Window<'a>, inner_end: Option<DevPos>) -> Self {
        Self {
            size: device.size(),
            finder: Finder::new(device).with_metadata_from(inner_end),
            pending: Vec::new(),
            ranges: 0,
        }
    }

    /// Takes one more range.
    fn add(&mut self, range: Range<DevPos>, view: &mut View<'_>) -> anyhow::Result<()> {
        anyhow::ensure!(
            range.end.from_start() <= self.size,
            "the range from {} to {} leaves the device, which has {}",
            range.start,
            range.end,
            self.size
        );
        self.ranges = self.ranges.saturating_add(1);
        self.pending.push(range);
        if self.pending.len() >= PASS {
            self.answer(view)?;
        }
        Ok(())
    }

    fn answer(&mut self, view: &mut View<'_>) -> anyhow::Result<()> {
        let ranges = std::mem::take(&mut self.pending);
        let mut failed = None;
        self.finder.find(&ranges, &mut |stretch| {
            if failed.is_none() {
                failed = view.stretch(&stretch).err();
            }
            Ok(())
        })?;
        failed.map_or(Ok(()), Err)
    }

    /// Answers what is left.
    fn finish(mut self, mut view: View<'_>, stderr: &mut dyn std::io::Write) -> anyhow::Result<Outcome> {
        self.answer(&mut view)?;
        for note in self.finder.notes() {
            // That nobody reads it is no reason to stop.
            let _ = writeln!(stderr, "mdtool: warning: {note}");
        }
        view.finish(self.ranges, self.finder.notes())?;
        Ok(Outcome::Done)
    }
}
