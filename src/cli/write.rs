//! The one way in which a command changes a target.
//!
//! ```text
//! lock      every target is held: no other writer of ours gets in, and no DRBD
//! look      everything that the decision rests on is read                        commands supply
//! decide    what is to be done, or why not                                       the decision
//! draft     what is there and what is to be there, into an undo file             and the draft
//! judge     what no kernel would attach is not written
//! show      in words, as a table, the undo file's name
//! ask       where nobody said --yes
//! compare   what cannot be locked is still what the decision rests on
//! write     and verify: all that was written is read back
//! next      what to do now, and how to go back
//! ```
//!
//! A command is a [`Job`], whose [`Plan`] drafts; the targets themselves it never gets to write.

pub(crate) mod blame;
pub(crate) mod change;
pub(crate) mod confirm;
pub(crate) mod look;
pub(crate) mod plan;
pub(crate) mod show;
pub(crate) mod undo_name;
pub(crate) mod undoing;

mod again;
mod basis;
mod draw;
mod judge;
mod last_bits;
mod target;

use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::args::WritingArgs;
use crate::cli::outcome::{Declined, Outcome};
use crate::cli::write::basis::Basis;
use crate::cli::write::blame::blame;
use crate::cli::write::confirm::{Kept, confirm};
use crate::cli::write::draw::{Asked, Canvas, Drawing};
use crate::cli::write::target::Target;
use crate::image::is_same;

pub(crate) use again::Meant;
pub(crate) use change::{Change, Written, tell_how_to_undo};
pub(crate) use look::{Aim, Look};
pub(crate) use plan::{Job, Part, Placed, Plan, Question, bring_up};

/// What is to be changed, and how that was asked for.
pub(crate) struct Request<'a> {
    pub(crate) aim: Aim<'a>,
    /// The meta device that changes as well.
    pub(crate) meta: Option<&'a Path>,
    pub(crate) writing: &'a WritingArgs,
    pub(crate) command_line: &'a str,
    /// The dump that it comes from, if any: what is wrong with that is told of it.
    pub(crate) dump: Option<&'a Path>,
}

/// Runs a writing command from its first look to its last word.
pub(crate) fn run(
    job: &mut dyn Job,
    request: &Request<'_>,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let dry_run = request.writing.dry_run;
    let path = request.aim.path();
    let meta_path = request.meta;
    refuse_one_for_both(path, meta_path)?;
    let mut target = Target::take(path, dry_run)?;
    let take = |path: &Path| path.exists().then(|| Target::take(path, dry_run));
    let mut meta = meta_path.and_then(take).transpose()?;
    let force = request.writing.force;
    let look = Look::at(&request.aim, &target, meta_path.zip(meta.as_ref()), force)?;
    if !force {
        again::refuse(&look, &request.aim, request.command_line)?;
    }
    let mut basis = if dry_run {
        None
    } else {
        Some(Basis::of(&look).map_err(|error| blame(error, path, None, Vec::new()))?)
    };
    let mut plan = job.decide(&look, out)?;
    if let Some(basis) = &mut basis {
        let added = basis.add_places(&look, &plan.placed());
        added.map_err(|error| blame(error, path, None, Vec::new()))?;
    }
    let mut drawing = draft(&mut *plan, &look, request, meta.as_ref())?;
    let superblocks = std::mem::take(&mut drawing.superblocks);
    judge::judge(superblocks.iter(), &plan.placed(), &look, force, out)?;
    let nothing = drawing.summary.is_nothing();
    let changes = if dry_run {
        if !nothing {
            tell_of_dry_run(&*plan, out);
        }
        drawing.shown()
    } else {
        if !nothing {
            ask(&*plan, &drawing, &look, request, out)?;
        }
        if let Some(basis) = basis {
            let held = [(path, &target)].into_iter();
            let held = held.chain(meta_path.zip(meta.as_ref()));
            basis.compare(&look, held)?;
        }
        let there = [Some(&mut target), meta.as_mut()].into_iter().flatten();
        drawing.make(there.filter_map(Target::ours).collect())?
    };
    let printed = plan.report(&changes, out);
    // It was written, whether or not that can be printed.
    tell_how_to_undo(&changes, out);
    if changes.iter().any(|change| change.written == Written::Done) {
        last_bits::warn(&superblocks, &plan.placed(), &look, meta_path, out)?;
        for line in plan.next() {
            out.tell(format_args!("next: {line}"));
        }
    }
    if dry_run {
        tell_nothing_was_written(nothing, out);
    }
    printed?;
    Ok(Outcome::Done)
}

/// The last word of a dry run.
fn tell_nothing_was_written(nothing: bool, out: &mut Streams<'_>) {
    let again = if nothing {
        ""
    } else {
        "; without it the same is written"
    };
    out.tell(format_args!(
        "mdtool: note: --dry-run: nothing was written{again}"
    ));
}

/// Drafts the change of every file, before any is written to: most of what can fail does so in time.
fn draft(
    plan: &mut dyn Plan,
    look: &Look,
    request: &Request<'_>,
    meta: Option<&Target>,
) -> anyhow::Result<Drawing> {
    let mut canvases = Vec::new();
    for part in plan.parts() {
        canvases.push(match part {
            Part::Target => Canvas {
                part,
                path: request.aim.path(),
                there: Some(look.opened.image()),
                block_device: look.block_device,
            },
            Part::Meta { .. } => {
                let path = request.meta.context("no meta device was named")?;
                let block_device = meta.map_or(Ok(false), Target::is_block_device);
                Canvas {
                    part,
                    path,
                    there: look.meta.as_deref(),
                    block_device: block_device.with_context(|| path.display().to_string())?,
                }
            }
        });
    }
    let asked = Asked {
        dump: request.dump,
        undo: request.writing.undo.as_deref(),
        command_line: request.command_line,
        dry_run: request.writing.dry_run,
        given_up: look.given_up(),
    };
    Drawing::of(&canvases, &asked, plan)
}

/// Refuses a meta device that is the target, by whatever name: its metadata would be written over the data.
fn refuse_one_for_both(path: &Path, meta: Option<&Path>) -> anyhow::Result<()> {
    let Some(meta) = meta.filter(|meta| is_same(path, meta)) else {
        return Ok(());
    };
    let (meta, path) = (meta.display(), path.display());
    let why = format!("{meta}: is {path} itself, expected another file or device for the metadata");
    let inside = "without --strategy external the metadata stays on the disk";
    Err(Declined::new(why, &[inside]).into())
}

/// Says what would happen, of which nothing is written.
fn tell_of_dry_run(plan: &dyn Plan, out: &mut Streams<'_>) {
    let reported = plan.reported();
    for line in plan.words() {
        if !reported.contains(&line) {
            out.tell(line);
        }
    }
    for threat in plan.question().at_risk {
        out.tell(format_args!(
            "mdtool: note: {threat} would be overwritten; without --dry-run that takes --yes"
        ));
    }
}

/// Shows what will happen and asks, where nobody said yes before.
fn ask(
    plan: &dyn Plan,
    drawing: &Drawing,
    look: &Look,
    request: &Request<'_>,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let question = plan.question();
    if request.writing.yes || question.at_risk.is_empty() && !question.always {
        return Ok(());
    }
    // Nobody can say yes to what is not shown; and that nobody reads it would be no error, with nothing written.
    show::show(&plan.words(), drawing, out.stderr)
        .map_err(|error| anyhow::anyhow!("cannot show what would be written: {error}"))?;
    confirm(&look.name(), &question.what, Kept::Undo, out)
}
