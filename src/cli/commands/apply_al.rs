//! `mdtool apply-al`.

pub(crate) mod args;

use std::io::Write;

use anyhow::Context;
use serde_json::{Value, json};

use crate::cli::Streams;
use crate::cli::commands::apply_al::args::ApplyAlArgs;
use crate::cli::write::confirm::confirm;
use crate::cli::output::human::binary;
use crate::cli::session::open::Opened;
use crate::cli::outcome::Outcome;
use crate::cli::output::change::{self, Metadata};
use crate::cli::commands::import::view::regions;
use crate::cli::session::select::Chosen;
use crate::cli::write::{Change, Writing, Written, tell_how_to_undo};
use crate::format::bitmap::bits_to_bytes;
use crate::format::superblock::{AlState, Superblock};
use crate::image::WritableFile;
use crate::surgery::apply_al::{Gained, Marking, draft, superblock_after};
use crate::survey::log::{LogState, log_was_off};
use crate::survey::locate::{Level, ScanMode};
use crate::units::{Bytes, DevPos};

/// What `apply-al --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 applied; 1 there is no metadata, or no such level; 2 refused, or could not: a log that does not show all wants --mark-all.";

pub(crate) fn run(
    args: &ApplyAlArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let chosen = Chosen::open(&args.image, args.level, ScanMode::Auto)?;
    let (opened, level) = (&chosen.opened, chosen.level());
    let name = || args.image.image.display().to_string();
    let marking = marking(opened, level, args.mark_all).with_context(name)?;
    if !args.mark_all {
        warn_of_log(level, &name(), out);
    }
    let (change, gained) = write(args, command_line, &chosen, &marking, out)?;
    if args.writing.json {
        json(&chosen, &change, &gained, out.stdout)?;
    } else {
        report(level, &gained, &change, out.stdout)?;
    }
    Ok(Outcome::Done)
}

/// Warns of a log that does not say what was written.
pub(crate) fn warn_of_log(level: &Level, name: &str, out: &mut Streams<'_>) {
    if log_was_off(&level.superblock) {
        out.tell(format_args!(
            "mdtool: warning: {name}: MDF_AL_DISABLED is set: the activity log was off, and does not say what was being written"
        ));
        out.tell("hint: `apply-al --mark-all` marks everything out of sync; else `drbdadm verify` against a peer finds what differs");
    }
}

/// Shows the change, and makes it where that is asked for.
fn write(
    args: &ApplyAlArgs,
    command_line: &str,
    chosen: &Chosen,
    marking: &Marking,
    out: &mut Streams<'_>,
) -> anyhow::Result<(Change, Gained)> {
    let path = &args.image.image;
    let name = || path.display().to_string();
    let (level, window) = (chosen.level(), chosen.opened.window());
    let mut gained = Vec::new();
    let writing = Writing {
        target: path,
        undo: args.writing.undo.as_deref(),
        command_line,
        dump: None,
    };
    let shown = writing.show(chosen.opened.image(), |drafting| {
        gained = draft(drafting, window, level, marking)?;
        Ok(())
    })?;
    if shown.written == Written::Nothing {
        return Ok((shown, gained));
    }
    if args.writing.dry_run {
        return Ok((shown, gained));
    }
    if !args.writing.yes {
        let written = shown.summary.written();
        // Nobody can say yes to what is not shown; and that nobody reads it would be no error, with nothing written.
        regions(out.stderr, &shown.summary)
            .map_err(|error| anyhow::anyhow!("cannot show what would be written: {error}"))?;
        confirm(&format!("{}: {written} as listed", name()), out)?;
    }
    let mut target = WritableFile::open(path).with_context(name)?;
    let made = writing.make(&mut target, |drafting| {
        gained = draft(drafting, window, level, marking)?;
        Ok(())
    })?;
    tell_how_to_undo(std::slice::from_ref(&made), out);
    Ok((made, gained))
}

/// One document: what changed, what each slot gained, and what the metadata then says.
fn json(
    chosen: &Chosen,
    change: &Change,
    gained: &[u64],
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    let level = chosen.level();
    let after = Superblock::decode(&superblock_after(&level.superblock));
    let metadata = Metadata {
        image: &change.target,
        base: chosen.opened.image_pos(DevPos::START),
        superblock: after.as_ref().unwrap_or(&level.superblock),
        layout: &level.layout,
    };
    let bytes_per_bit = level.layout.geometry.bytes_per_bit;
    let slots: Vec<Value> = gained
        .iter()
        .enumerate()
        .map(|(slot, bits)| {
            let bytes = bits_to_bytes(*bits, bytes_per_bit).get();
            json!({ "slot": slot, "gained_bits": bits, "gained_bytes": bytes })
        })
        .collect();
    let changes = std::slice::from_ref(change);
    change::print(out, changes, &metadata, json!({ "slots": slots }))?;
    Ok(())
}

/// The bits that follow from a level's log, or all of them.
pub(crate) fn marking(
    opened: &Opened,
    level: &Level,
    mark_all: bool,
) -> crate::error::Result<Marking> {
    if mark_all {
        return Ok(Marking::everything());
    }
    let state = LogState::read(opened.window(), level, &mut |_| {})?;
    let extents = state.extents(opened.image_pos(level.layout.md))?;
    Ok(Marking::of(extents, &level.layout.geometry))
}

/// Says what each slot gained.
fn report(
    level: &Level,
    gained: &[u64],
    change: &Change,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match change.written {
        Written::Nothing if level.superblock.al_state() == AlState::Clean => {
            writeln!(out, "nothing to do: the activity log is applied already")?;
            return Ok(());
        }
        Written::Nothing => {
            writeln!(
                out,
                "nothing to do: every bit that the activity log stands for is set already"
            )?;
            return Ok(());
        }
        Written::DryRun | Written::Done => {}
    }
    regions(out, &change.summary)?;
    let verb = if change.written == Written::DryRun {
        "would gain"
    } else {
        "gained"
    };
    for (slot, bits) in gained.iter().enumerate() {
        let size = bits_to_bytes(*bits, level.layout.geometry.bytes_per_bit);
        writeln!(
            out,
            "slot {slot} {verb} {bits} bits, {} out of sync",
            with_unit(size)
        )?;
    }
    Ok(())
}

/// The exact number, and a readable one where it is large.
fn with_unit(size: Bytes) -> String {
    if size.get() < 1024 {
        size.to_string()
    } else {
        format!("{size} ({})", binary(size))
    }
}
