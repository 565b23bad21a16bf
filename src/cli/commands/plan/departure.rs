//! `mdtool plan --departure`: what is done on the side that is left, in order. Nothing of it is executed.

mod arrival;
mod config;
mod first;
mod names;
mod nodes;
mod notes;
mod second;
mod snapshot;
mod steps;
mod view;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::compare::after_departure;
use crate::cli::commands::plan::args::PlanArgs;
use crate::cli::commands::plan::departure::names::Names;
use crate::cli::commands::plan::departure::nodes::Nodes;
use crate::cli::commands::plan::departure::snapshot::Snapshot;
use crate::cli::commands::plan::departure::steps::{Departure, Place};
use crate::cli::outcome::Outcome;
use crate::cli::session::select::Chosen;
use crate::cli::session::source::Source;
use crate::error::Error;
use crate::format::superblock::Format;
use crate::survey::locate::ScanMode;
use crate::truck::extent;
use crate::units::{Bytes, NodeId};

pub(crate) fn run(args: &PlanArgs, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let departure = departing(args)?.view();
    if args.json {
        departure.json(out.stdout)?;
    } else {
        departure.print(out.stdout)?;
    }
    Ok(Outcome::Done)
}

/// Which resource departs, and how.
fn departing(args: &PlanArgs) -> anyhow::Result<Departure> {
    let path = &args.image.image;
    let name = || path.display().to_string();
    anyhow::ensure!(
        args.rate.as_ref().is_none_or(|rate| rate.0 > Bytes::ZERO),
        "--rate: 0 would never end, expected 1 byte or more"
    );
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
    let target_size = args.target_size.map(|size| size.0);
    if let Some(found) = target_size.filter(|target| *target < size) {
        anyhow::bail!("--target-size: has {found}, expected at least {size}");
    }
    let own = nodes::own(&level.superblock);
    let names = Names::of(args, chosen.number > 0, own)?;
    let nodes = Nodes::of(&level.superblock, names.node_id);
    anyhow::ensure!(
        nodes.target.is_none() || nodes.target != own,
        "the target's node id is {}, which is this node's own: expected another, by --node-id",
        own.unwrap_or_default()
    );
    let source = Source::of_image(&args.image, args.level)?;
    let meeting = after_departure(&source, nodes.target.map(NodeId::new))?;
    Ok(Departure {
        names,
        snapshot: snapshot(args)?,
        format: level.superblock.format(),
        size,
        target_size,
        place: Place {
            number: chosen.number,
            count,
        },
        nodes,
        seconds: args.rate.and_then(|rate| seconds(size, rate.0)),
        meeting,
    })
}

/// What the copy is made of.
fn snapshot(args: &PlanArgs) -> anyhow::Result<Snapshot> {
    match (&args.lv, &args.zvol) {
        (Some(lv), _) => Snapshot::lvm(lv, args.thin),
        (None, Some(zvol)) => Ok(Snapshot::Zfs(zvol.clone())),
        (None, None) => Ok(Snapshot::None),
    }
}

/// How long so much takes at a rate.
fn seconds(size: Bytes, rate: Bytes) -> Option<u64> {
    size.get().checked_div(rate.get())
}
