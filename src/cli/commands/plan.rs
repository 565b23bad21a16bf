//! `mdtool plan`.

pub(crate) mod args;
mod departure;
pub(crate) mod view;

use std::process::{Command, Stdio};

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::args::LevelChoice;
use crate::cli::commands::compare::after_adoption;
use crate::cli::commands::plan::args::PlanArgs;
use crate::cli::outcome::Outcome;
use crate::cli::commands::plan::view::{Names, Plan, Typing};
use crate::cli::session::select::{Chosen, Instead, erased_around, hidden_by, instead_of, refuse_trace};
use crate::cli::session::source::Source;
use crate::cli::write::Meant;
use crate::error::UtilsVersion;
use crate::format::metadata::Header;
use crate::image::ImageFile;
use crate::surgery::adopt::{self, Obstacle, Site, Strategies};
use crate::survey::locate::ScanMode;
use crate::survey::log::cannot_be_applied;
use crate::verdict::check::{AttachRefusal, attached_all_the_same, refusals_of_level};
use crate::verdict::forecast::forecast;
use crate::verdict::handshake::{AtAttach, Family, at_attach};

/// What `plan --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 at least one way works; 1 none does, or there is no metadata; 2 could not look.";

pub(crate) fn run(args: &PlanArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    if args.departure {
        return departure::run(args, out);
    }
    let chosen = Chosen::open(&args.image, args.level, ScanMode::Auto)?;
    let (opened, located, level) = (&chosen.opened, &chosen.located, chosen.level());
    refuse_trace(located, &args.image, chosen.number)?;
    let disk = opened.window().size();
    let site = Site {
        size: args.target_size.map_or(disk, |given| given.0),
        extent: args.lv_extent.map(|extent| extent.0),
    };
    let name = || args.image.image.display().to_string();
    let image = ImageFile::open(&args.image.image);
    let block_device = image.and_then(|image| image.is_block_device()).with_context(name)?;
    let (ways, instead) = ways(args, &chosen, site)?;
    let mut forecast = forecast(level, opened.window()).with_context(name)?;
    // What one disk's metadata says about connecting is a guess; with the peer at hand it is known.
    forecast.retain(|one| args.peer.is_none() || !one.is_of_connecting());
    let plan = Plan {
        opened,
        image: &args.image,
        block_device,
        located,
        level,
        level_given: args.level.is_some(),
        site,
        ways,
        instead,
        refused: refused(&chosen),
        typing: typing(args, &chosen).with_context(name)?,
        forecast,
        utils: args.compat.or_else(installed_utils),
        names: Names {
            device: args.device.as_deref(),
            minor: args.minor,
            resource: args.resource.as_deref(),
        },
    };
    let peer = match &args.peer {
        Some(peer) => {
            let copy = Source::of_image(&args.image, args.level)?;
            Some(after_adoption(copy, plan.site.size, peer)?)
        }
        None => None,
    };
    let view = plan.view(peer).with_context(name)?;
    if args.json {
        view.json(out.stdout)?;
    } else {
        view.print(out.stdout)?;
    }
    if located.levels.len() > 1 && !args.image.stacked && args.level.is_none() {
        out.tell(
            "hint: this is a stack, and level 0 was meant; --stacked means the inner resource",
        );
    }
    Ok(if view.is_any_feasible() {
        Outcome::Done
    } else {
        Outcome::No
    })
}

/// Each way, and what is to be looked at before any of them.
fn ways(
    args: &PlanArgs,
    chosen: &Chosen,
    site: Site,
) -> anyhow::Result<(Strategies, Option<Instead>)> {
    let (opened, located, level) = (&chosen.opened, &chosen.located, chosen.level());
    let occupied = adopt::occupied(level, opened.window());
    let occupied = occupied.with_context(|| args.image.image.display().to_string())?;
    let instead = instead_of(opened, located, chosen.number, (&args.image, args.level))?;
    let instead = instead.or_else(|| hidden_by(opened, located, chosen.number, &args.image));
    let first = instead.as_ref().map(|instead| Obstacle::Instead { at: instead.at });
    let ways = adopt::strategies(level, located, site);
    let ways = occupied.into_iter().chain(first).fold(ways, Strategies::but);
    // Before the inner one takes its place, the outer one may come back.
    Ok((ways, instead.or_else(|| erased_around(&chosen.located, chosen.number, &args.image))))
}

/// What its commands have to say beyond the usual.
fn typing(args: &PlanArgs, chosen: &Chosen) -> anyhow::Result<Typing> {
    Ok(Typing {
        by_position: is_taken_for_another(args, chosen)?,
        mark_all: cannot_be_applied(chosen.opened.window(), chosen.level())?,
    })
}

/// Whether the name of the level was another's, which `adopt` moved away: by that name it is refused.
fn is_taken_for_another(args: &PlanArgs, chosen: &Chosen) -> anyhow::Result<bool> {
    let number = chosen.number;
    let choice = match (args.image.at, args.image.stacked, number) {
        (Some(_), ..) | (None, false, 0) => return Ok(false),
        (None, true, _) => LevelChoice::Inner,
        (None, false, _) => LevelChoice::Number(number),
    };
    let meant = Meant {
        path: &args.image.image,
        opened: &chosen.opened,
        located: &chosen.located,
        number,
        choice,
    };
    meant.is_done(&format!("mdtool adopt --level {choice}"))
}

/// Why DRBD does not take what stands in its place as it is, where it does not.
fn refused(chosen: &Chosen) -> Option<String> {
    let (level, superblock) = (chosen.level(), &chosen.level().superblock);
    let format = superblock.format();
    if at_attach(&Header::of(superblock)).contains(&AtAttach::OldFormat) {
        return Some("this is metadata of DRBD 0.7, which DRBD 8 and later do not attach (format-v07)".to_owned());
    }
    let device = chosen.opened.window().size();
    if let Some(why) = attached_all_the_same(superblock).into_iter().next() {
        return Some(why);
    }
    let refusals = refusals_of_level(&chosen.located, chosen.number, device);
    let newest = Family::of(format).newest();
    let (said, fits) = (superblock.la_size(), level.layout.usable);
    let sizes = format!("the agreed size is {said}, and {fits} fit here");
    match refusals.into_iter().find(|one| one.kernel == newest) {
        Some(AttachRefusal { kernel, rule, title, code, .. }) => {
            let sizes = if said > fits { format!("; {sizes}") } else { String::new() };
            Some(format!("drbd {} would refuse to attach this: {code}: {title}{sizes} ({rule})", kernel.name()))
        }
        None if said > fits => Some(format!("{sizes}: DRBD makes the device smaller when it attaches it (la-size-clipped)")),
        None => None,
    }
}

/// The version of the drbd-utils that are installed here, where they are and say so.
fn installed_utils() -> Option<UtilsVersion> {
    // drbdmeta has no option for it; drbdadm comes with it.
    let output = Command::new("drbdadm")
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix("DRBDADM_VERSION="))
        .and_then(|version| version.trim().parse().ok())
}
