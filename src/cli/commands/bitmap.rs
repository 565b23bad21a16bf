//! `mdtool bitmap`.

pub(crate) mod args;
pub(crate) mod change;
pub(crate) mod view;

use std::io::{BufWriter, Write};

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::commands::bitmap::args::{Action, BitmapArgs, ShowArgs};
use crate::cli::commands::apply_al::warn_of_log;
use crate::cli::commands::bitmap::view::{Slot, Subject, View};
use crate::cli::next::{self, to_write, typed};
use crate::cli::outcome::Outcome;
use crate::cli::session::select::Chosen;
use crate::cli::session::source::{named, text};
use crate::cli::session::slots::{Scale, log_marking, meant};
use crate::dump::DumpReader;
use crate::format::bitmap::SetRuns;
use crate::format::metadata::{Bitmap, Generation, Header};
use crate::format::superblock::AlState;
use crate::surgery::apply_al::{Applied, Marking};
use crate::survey::log::cannot_be_applied;
use crate::survey::locate::ScanMode;
use crate::units::{BitmapIndex, Sectors};
use crate::verdict::handshake::{AtAttach, Log, at_attach};

/// Output that is gathered before it is written.
const OUTPUT: usize = 64 << 10;

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
    let (image, level) = named(&args.image, args.level);
    let name = || image.image.display().to_string();
    if let Some(text) = text(&image.image).with_context(name)? {
        // Half an answer is none: what is wrong anywhere in the text is said before anything of it is shown.
        text.reader().and_then(DumpReader::finish).with_context(name)?;
        let mut reader = text.reader().with_context(name)?;
        let header = reader.header().clone();
        if Log::unseen(&header) == Log::Missing {
            out.tell(format_args!(
                "mdtool: warning: {}: the dump is unclean, and the activity log is not in it: more may be out of sync",
                name()
            ));
        }
        warn_of_flags(&header, &name(), out);
        let scale = Scale::new(&header.geometry, header.la_size);
        let subject = Subject { level: None, device: None };
        show_slots(args, &header, scale, subject, &mut reader, out).with_context(name)?;
        return after(args, &image, level, false, out);
    }
    let choice = level;
    let chosen = Chosen::open(&image, choice, ScanMode::Auto)?;
    let level = chosen.level();
    let off = warn_of_log(level, &name(), &typed(&image, choice), out);
    let marking = if args.apply_al {
        log_marking(&chosen).with_context(name)?
    } else {
        if !off && level.superblock.al_state() == AlState::Unclean {
            out.tell(format_args!(
                "mdtool: warning: {}: the metadata is unclean: the resource is attached, or crashed, and the bitmap on disk lags behind",
                name()
            ));
            if cannot_be_applied(chosen.opened.window(), level).with_context(name)? {
                let words = to_write(&image, chosen.located.levels.len(), chosen.number, level);
                let command = next::apply_al(&words, true);
                out.tell(format_args!("hint: its activity log cannot be applied: `{command}` marks everything out of sync"));
            } else {
                out.tell("hint: --apply-al counts what the activity log names, too");
            }
        }
        Marking::default()
    };
    let header = Header::of(&level.superblock);
    warn_of_flags(&header, &name(), out);
    let scale = Scale::of_level(level);
    let subject = Subject {
        level: Some(chosen.number),
        device: level.known_drbd_device().and_then(Sectors::to_bytes),
    };
    let mut bitmap = Applied::new(level.bitmap(chosen.opened.window()), &marking);
    show_slots(args, &header, scale, subject, &mut bitmap, out).with_context(name)?;
    let has_data = level.layout.index.is_internal() && header.la_size != Sectors::ZERO;
    after(args, &image, choice, has_data, out)
}

/// Warns where attaching marks everything, whatever is counted here.
fn warn_of_flags(header: &Header, name: &str, out: &mut Streams<'_>) {
    let mut notes = at_attach(header).into_iter();
    if let Some(note) = notes.find(|note| *note == AtAttach::FullSync) {
        out.tell(format_args!("mdtool: warning: {name}: at attach: {note}"));
    }
}

/// Tells what comes next; ranges and documents are for programs.
fn after(
    args: &ShowArgs,
    image: &ImageArgs,
    level: Option<LevelChoice>,
    has_data: bool,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    if !args.json && !args.form.ranges {
        next::tell(out, next::after_bitmap(image, level, has_data))?;
    }
    Ok(Outcome::Done)
}

/// Shows the slots that are meant, each read once.
fn show_slots(
    args: &ShowArgs,
    header: &Header,
    scale: Scale,
    subject: Subject,
    bitmap: &mut dyn Bitmap,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let slots = meant(args.slots, header)?;
    // Standard output is written line by line: ranges may be hundreds of millions of lines.
    let mut buffered = BufWriter::with_capacity(OUTPUT, &mut *out.stdout);
    let mut view = View::new(args, scale, subject, slots.len(), &mut buffered);
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
    view.finish()?;
    buffered.flush().context("cannot write the output")
}

/// The peer that a slot belongs to.
pub(crate) fn node_of(slot: BitmapIndex, header: &Header) -> Option<usize> {
    let Generation::V09(generation) = &header.generation else {
        return None;
    };
    let peers = generation.peers.iter();
    peers.map(|peer| peer.bitmap_index).position(|index| index == i32::from(slot.get()))
}
