//! `mdtool plan --departure`: what is done on the side that is left, in order. Nothing of it is executed.

mod config;
mod names;
mod steps;
mod view;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::compare::after_departure;
use crate::cli::commands::plan::args::PlanArgs;
use crate::cli::commands::plan::departure::names::Names;
use crate::cli::commands::plan::departure::steps::{Departure, Snapshot};
use crate::cli::outcome::Outcome;
use crate::cli::session::select::Chosen;
use crate::cli::session::source::Source;
use crate::error::Error;
use crate::format::superblock::Format;
use crate::survey::locate::ScanMode;
use crate::truck::extent;
use crate::units::{Bytes, NodeId};

pub(crate) fn run(args: &PlanArgs, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let path = &args.image.image;
    let name = || path.display().to_string();
    let chosen = Chosen::open(&args.image, args.level, ScanMode::Auto)?;
    let count = chosen.located.levels.len();
    anyhow::ensure!(
        count < 2 || args.image.stacked || args.level.is_some() || args.image.at.is_some(),
        "{}: is a stack of {count} resources, expected --stacked (the inner one) or --level",
        path.display()
    );
    let level = chosen.level();
    anyhow::ensure!(
        level.superblock.format() != Format::V07,
        "{}: metadata is v07, which has no generations to start: expected v08 or v09",
        path.display()
    );
    let size = extent::of(level, false).map_err(Error::from);
    let size = size.with_context(name)?;
    let names = Names::of(args, chosen.number > 0)?;
    let snapshot = match (&args.lv, &args.zvol) {
        (Some(lv), _) => Snapshot::lvm(lv)?,
        (None, Some(zvol)) => Snapshot::Zfs(zvol.clone()),
        (None, None) => Snapshot::None,
    };
    let source = Source::of_image(&args.image, args.level)?;
    let meeting = after_departure(&source, args.node_id.map(NodeId::new))?;
    let departure = Departure {
        names,
        snapshot,
        format: level.superblock.format(),
        size,
        stacked: chosen.number > 0,
        node_id: args.node_id,
        seconds: args.rate.and_then(|rate| seconds(size, rate.0)),
        meeting,
    };
    if args.json {
        writeln!(out.stdout, "{:#}", departure.json())?;
    } else {
        departure.print(out.stdout)?;
    }
    Ok(Outcome::Done)
}

/// How long so much takes at a rate.
fn seconds(size: Bytes, rate: Bytes) -> Option<u64> {
    size.get().checked_div(rate.get())
}
