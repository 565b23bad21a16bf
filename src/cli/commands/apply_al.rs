//! `mdtool apply-al`.

use std::io::Write;

use anyhow::Context;

use super::super::Streams;
use super::super::args::ApplyAlArgs;
use super::super::human::binary;
use super::super::open::Opened;
use super::super::outcome::Outcome;
use super::super::select::Chosen;
use super::super::write::{Writing, Written};
use crate::apply_al::{LogState, Marking, draft};
use crate::bitmap::bits_to_bytes;
use crate::locate::{Level, ScanMode};
use crate::superblock::AlState;
use crate::units::Bytes;

pub(in super::super) fn run(
    args: &ApplyAlArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let chosen = Chosen::open(&args.image, args.level, ScanMode::Auto)?;
    let (opened, level) = (&chosen.opened, chosen.level());
    let name = || args.image.image.display().to_string();
    let marking = marking(opened, level, args.mark_all).with_context(name)?;
    let mut gained = Vec::new();
    let writing = Writing {
        target: &args.image.image,
        args: &args.writing,
        command_line,
    };
    let window = opened.window();
    let written = writing.run(
        opened.image(),
        &mut |drafting| {
            gained = draft(drafting, window, level, &marking)?;
            Ok(())
        },
        out,
    )?;
    report(level, &gained, written, out.stdout)?;
    Ok(Outcome::Done)
}

/// The bits that follow from a level's log, or all of them.
pub(in super::super) fn marking(
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
    written: Written,
    out: &mut dyn Write,
) -> anyhow::Result<()> {
    match written {
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
    let verb = if written == Written::DryRun {
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
