//! `mdtool export`.

pub(crate) mod args;

use std::io::{self, IsTerminal, Write};
use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::export::args::ExportArgs;
use crate::cli::commands::apply_al::{marking, warn_of_log};
use crate::cli::session::open::Opened;
use crate::cli::next::typed;
use crate::cli::outcome::Outcome;
use crate::cli::output::document;
use crate::cli::output::view::{LevelView, Report};
use crate::cli::session::select::Chosen;
use crate::cli::session::source::named;
use crate::dump::{Compat, Preamble, print};
use crate::error::{Error, Refused};
use crate::format::metadata::Header;
use crate::format::superblock::{AlState, DeviceFlags, Format};
use crate::image::NewFile;
use crate::surgery::apply_al::Applied;
use crate::survey::bitmap::{Untracked, on_a_large_enough_meta_device};
use crate::survey::locate::{FoundBy, Level, ScanMode};
use crate::survey::log::LogState;
use crate::units::Bytes;

/// What `export --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 exported; 1 there is no metadata, or no such level; 2 could not, or refused: unclean metadata wants --apply-al.";

pub(crate) fn run(
    args: &ExportArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let (image, level) = named(&args.image, args.level);
    let args = &ExportArgs {
        image,
        level,
        output: args.output.clone().filter(|path| path != Path::new("-")),
        ..args.clone()
    };
    anyhow::ensure!(
        !args.json || args.output.is_some(),
        "--json and --output -: the dump and the document cannot both go to stdout, expected a file"
    );
    let chosen = Chosen::open_sure(&args.image, args.level, ScanMode::Auto)?;
    chosen.opened.tell_warnings(&args.image, out);
    let (opened, level) = (&chosen.opened, chosen.level());
    let name = || args.image.image.display().to_string();
    refuse_unclean(opened, level, args.force || args.apply_al).with_context(name)?;
    let preamble = preamble(command_line);
    if let Some(path) = &args.output {
        let target = || path.display().to_string();
        let mut file = NewFile::create(path).with_context(target)?;
        let write = || write_dump(opened, level, args, &preamble, &mut file);
        opened
            .during("exporting", to_read(level), write)
            .with_context(name)?;
        file.finish().with_context(target)?;
    } else {
        let terminal = io::stdout().is_terminal();
        let mut write = || write_dump(opened, level, args, &preamble, out.stdout);
        let written = if terminal {
            // A bar would stand in the midst of it.
            write()
        } else {
            opened.during("exporting", to_read(level), write)
        };
        written.with_context(name)?;
    }
    if args.json {
        let report = Report {
            opened,
            image: &args.image,
            located: &chosen.located,
            first: 0,
        };
        document::print(out.stdout, LevelView::of(&report, chosen.number, level)?)?;
    }
    warn(level, args, out);
    if !args.apply_al && log_is_missing(opened, level).with_context(name)? {
        out.tell(format_args!(
            "mdtool: warning: {}: MDF_PRIMARY_IND is set, and the activity log has no valid block: whether the bitmap has all that was being written, only MDF_AL_CLEAN says",
            name()
        ));
        let words = typed(&args.image, args.level);
        out.tell(format_args!("hint: `mdtool check {words}` judges it; `mdtool export {words} --apply-al --mark-all` marks everything out of sync in the dump"));
    }
    if args.apply_al && !args.mark_all {
        warn_of_log(level, &name(), &typed(&args.image, args.level), out);
    }
    Ok(Outcome::Done)
}

/// Refuses what restore-md must not get, unless drbdmeta's own unclean form is asked for.
fn refuse_unclean(opened: &Opened, level: &Level, force: bool) -> Result<(), Error> {
    if force || level.superblock.al_state() == AlState::Clean {
        return Ok(());
    }
    let at = opened.image_pos(level.layout.md);
    Err(Refused::Unclean {
        at,
        format: level.superblock.format(),
    }
    .into())
}

/// Whether the log is said to be applied where drbdmeta's apply-al stops at it all the same.
fn log_is_missing(opened: &Opened, level: &Level) -> Result<bool, Error> {
    let primary = level.superblock.flags().contains(DeviceFlags::PRIMARY_IND);
    // A dump has no log.
    let read = opened.dump().is_none() && level.superblock.al_state() == AlState::Clean;
    if !primary || !read {
        return Ok(false);
    }
    Ok(LogState::read(opened.window(), level, &mut |_| {})?.is_refused())
}

/// How much of the image a dump reads: the bitmap, once for each slot.
fn to_read(level: &Level) -> Bytes {
    let geometry = level.layout.geometry;
    let size = geometry.bitmap_size(level.superblock.la_size().min(level.layout.usable));
    let all = size.and_then(|size| size.checked_mul(u64::from(geometry.max_peers)));
    all.unwrap_or(Bytes::ZERO)
}

fn write_dump(
    opened: &Opened,
    level: &Level,
    args: &ExportArgs,
    preamble: &Preamble,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let header = Header::of(&level.superblock);
    let mut bitmap = level.bitmap(opened.window());
    if let Some(layout) = on_a_large_enough_meta_device(level).filter(|_| !args.apply_al) {
        let mut bitmap = Untracked::new(bitmap, &layout, level.superblock.la_size());
        return print(out, &header, &layout, &mut bitmap, preamble, compat(args));
    }
    if !args.apply_al {
        return print(
            out,
            &header,
            &level.layout,
            &mut bitmap,
            preamble,
            compat(args),
        );
    }
    let marking = marking(opened, level, args.mark_all)?;
    let mut bitmap = Applied::new(bitmap, &marking);
    print(
        out,
        &header.with_log_applied(),
        &level.layout,
        &mut bitmap,
        preamble,
        compat(args),
    )
}

/// What is said of a v09 dump in a file.
pub(crate) const MEMBERS_HINT: &str = "hint: drbd-utils before 9.27 refuse the line `members`; for such a version add --compat VERSION";

fn compat(args: &ExportArgs) -> Compat {
    args.compat.map_or(Compat::NEWEST, Compat::version)
}

/// When and by what the dump was made.
pub(crate) fn preamble(command_line: &str) -> Preamble {
    let now = jiff::Zoned::now();
    let host = rustix::system::uname();
    Preamble {
        time: format!(
            "{} [{}]",
            now.strftime("%Y-%m-%d %H:%M:%S %z"),
            now.timestamp().as_second()
        ),
        origin: format!("{}> {command_line}", host.nodename().to_string_lossy()),
    }
}

/// Tells what a reader of this dump may stumble over.
fn warn(level: &Level, args: &ExportArgs, out: &mut Streams<'_>) {
    if level.found_by == FoundBy::Scan && level.layout.index.is_internal() {
        out.tell(format_args!(
            "mdtool: note: this {} metadata is not where DRBD looks; it was laid out for a device of {}, and what lay around it may be gone",
            level.role, level.device
        ));
    }
    let header = Header::of(&level.superblock);
    if on_a_large_enough_meta_device(level).is_some() && !args.apply_al {
        out.tell(format_args!(
            "mdtool: warning: the meta device is too small for la-size-sect {}: it has bits for {} sectors only; the dump has the whole size, and what lies behind is marked out of sync",
            level.superblock.la_size().get(),
            level.layout.usable.get()
        ));
    } else if level.superblock.la_size() > level.layout.usable {
        out.tell(format_args!(
            "mdtool: warning: la-size-sect is {}, clipped to the {} that fit",
            level.superblock.la_size().get(),
            level.layout.usable.get()
        ));
    }
    if level.layout.index.is_internal() && compat(args).restore_damages_data(&header) {
        out.tell(format_args!(
            "mdtool: warning: {} bytes per bit: restore-md of drbd-utils 9.33 and newer writes such internal metadata into user data",
            header.geometry.bytes_per_bit
        ));
    }
    if level.superblock.format() == Format::V09 && args.compat.is_none() && args.output.is_some() {
        out.tell(MEMBERS_HINT);
    }
}
