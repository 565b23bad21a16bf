//! `mdtool bitmap`.

pub(crate) mod args;
pub(crate) mod change;
pub(crate) mod view;

use std::io::Read;
use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::bitmap::args::{Action, BitmapArgs, ShowArgs};
use crate::cli::commands::bitmap::view::{Slot, View};
use crate::cli::outcome::Outcome;
use crate::cli::session::select::Chosen;
use crate::cli::session::slots::{Scale, log_marking, meant};
use crate::cli::session::source::{named_level, split};
use crate::dump::DumpReader;
use crate::format::bitmap::SetRuns;
use crate::format::metadata::{Bitmap, Generation, Header};
use crate::format::superblock::AlState;
use crate::image::open_source;
use crate::surgery::apply_al::{Applied, Marking};
use crate::survey::file_form::{BEGINNING, FileForm, recognise};
use crate::survey::locate::ScanMode;
use crate::units::{BitmapIndex, Sectors};

/// What `bitmap --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 shown, or done; 1 there is no metadata, or no such level; 2 could not look, or refused: the disk is as it was, or the message names the undo file.";

pub(crate) fn run(
    args: &BitmapArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    match &args.action {
        Action::Show(args) => show(args, out),
        Action::Set(args) => change::set(args, command_line, out),
        Action::Clear(args) => change::clear(args, command_line, out),
    }
}

fn show(args: &ShowArgs, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let path = &args.image.image;
    let name = || path.display().to_string();
    if is_dump(&split(path).0).with_context(name)? {
        let mut reader = DumpReader::new(open_source(path).with_context(name)?).with_context(name)?;
        let header = reader.header().clone();
        let scale = Scale::new(&header.geometry, header.la_size);
        show_slots(args, &header, scale, None, &mut reader, out).with_context(name)?;
        // The rest of the text has to be a dump's, too.
        reader.finish().with_context(name)?;
        return Ok(Outcome::Done);
    }
    let (image, level) = named_level(&args.image, args.level);
    let chosen = Chosen::open(&image, level, ScanMode::Auto)?;
    let level = chosen.level();
    let marking = if args.apply_al {
        log_marking(&chosen).with_context(name)?
    } else {
        if level.superblock.al_state() == AlState::Unclean {
            out.tell(format_args!(
                "mdtool: warning: {}: the metadata is unclean: the resource is attached, or crashed, and the bitmap on disk lags behind",
                name()
            ));
            out.tell("hint: --apply-al counts what the activity log names, too");
        }
        Marking::default()
    };
    let header = Header::of(&level.superblock);
    let mut scale = Scale::of_level(level);
    if level.superblock.la_size() == Sectors::ZERO {
        scale.bits = 0;
    }
    let mut bitmap = Applied::new(level.bitmap(chosen.opened.window()), &marking);
    show_slots(args, &header, scale, Some(chosen.number), &mut bitmap, out).with_context(name)?;
    Ok(Outcome::Done)
}

/// Whether a path leads to a dump: standard input does.
fn is_dump(path: &Path) -> crate::error::Result<bool> {
    if path == Path::new("-") {
        return Ok(true);
    }
    let mut beginning = Vec::new();
    let most = u64::try_from(BEGINNING).unwrap_or(0);
    let read = open_source(path)?.take(most).read_to_end(&mut beginning);
    read.map_err(|error| crate::error::IoError::whole(crate::error::IoOp::Read, error))?;
    Ok(recognise(&beginning) == Some(FileForm::Dump))
}

/// Shows the slots that are meant, each read once.
fn show_slots(
    args: &ShowArgs,
    header: &Header,
    scale: Scale,
    level: Option<usize>,
    bitmap: &mut dyn Bitmap,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let slots = meant(args.slots, header)?;
    let mut view = View::new(args, scale, level, slots.len(), out.stdout);
    view.begin()?;
    for index in slots {
        let mut slot = Slot::new(index, node_of(index, header));
        view.begin_slot(&slot)?;
        let mut runs = SetRuns::new(bitmap.slot(index)?, scale.bits);
        while let Some(run) = runs.next_run()? {
            slot.add(&run, &scale);
            view.run(&mut slot, &run)?;
        }
        view.end_slot(&slot)?;
    }
    view.finish()
}

/// The peer that a slot belongs to.
pub(crate) fn node_of(slot: BitmapIndex, header: &Header) -> Option<usize> {
    let Generation::V09(generation) = &header.generation else {
        return None;
    };
    let peers = generation.peers.iter();
    peers.map(|peer| peer.bitmap_index).position(|index| index == i32::from(slot.get()))
}
