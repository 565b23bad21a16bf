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

mod basis;
mod draw;
mod judge;
mod target;

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::args::WritingArgs;
use crate::cli::outcome::Outcome;
use crate::cli::write::basis::Basis;
use crate::cli::write::blame::{Blamed, blame};
use crate::cli::write::confirm::confirm;
use crate::cli::write::draw::{Canvas, Drawing};
use crate::cli::write::target::Target;

pub(crate) use change::{Change, Written, tell_how_to_undo};
pub(crate) use look::{Aim, Look};
pub(crate) use plan::{Job, Part, Placed, Plan, Question};

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
    let mut target = Target::take(path, dry_run)?;
    let meta_path = request.meta;
    let take = |path: &Path| path.exists().then(|| Target::take(path, dry_run));
    let mut meta = meta_path.and_then(take).transpose()?;
    let force = request.writing.force;
    let look = Look::at(&request.aim, &target, meta_path.zip(meta.as_ref()), force)?;
    let basis = if dry_run {
        None
    } else {
        Some(Basis::of(&look).map_err(|error| blame(error, path, None, Vec::new()))?)
    };
    let mut plan = job.decide(&look, out)?;
    let drawings = draft(&mut *plan, &look, request, meta.as_ref())?;
    let superblocks = drawings.iter().flat_map(|one| &one.superblocks);
    judge::judge(superblocks, &plan.placed(), &look, force, out)?;
    let nothing = drawings.iter().all(|one| one.summary.is_nothing());
    let changes = if dry_run {
        if !nothing {
            tell_of_dry_run(&*plan, out);
        }
        drawings.iter().map(Drawing::shown).collect()
    } else {
        if !nothing {
            ask(&*plan, &drawings, &look, request, out)?;
        }
        if let Some(basis) = basis {
            let compared = basis.compare(look.opened.image());
            compared.map_err(|error| blame(error, path, None, Vec::new()))?;
        }
        make(drawings, &mut target, meta.as_mut())?
    };
    let printed = plan.report(&changes, out);
    // It was written, whether or not that can be printed.
    tell_how_to_undo(&changes, out);
    if changes.iter().any(|change| change.written == Written::Done) {
        for line in plan.next() {
            out.tell(format_args!("next: {line}"));
        }
    }
    if dry_run {
        out.tell("mdtool: note: --dry-run: nothing was written");
    }
    printed?;
    Ok(Outcome::Done)
}

/// Drafts every part before any is written: most of what can fail does so in time.
fn draft(
    plan: &mut dyn Plan,
    look: &Look,
    request: &Request<'_>,
    meta: Option<&Target>,
) -> anyhow::Result<Vec<Drawing>> {
    let undo = request.writing.undo.as_deref();
    let beside = undo.map(beside);
    let mut drawings = Vec::new();
    for part in plan.parts() {
        let (path, there, undo, block_device) = match part {
            Part::Target => (
                request.aim.path(),
                Some(look.opened.image()),
                undo,
                look.block_device,
            ),
            Part::Meta { .. } => {
                let path = request.meta.context("no meta device was named")?;
                let block_device = meta.map_or(Ok(false), Target::is_block_device);
                (
                    path,
                    look.meta.as_deref(),
                    beside.as_deref(),
                    block_device.with_context(|| path.display().to_string())?,
                )
            }
        };
        let canvas = Canvas {
            path,
            dump: request.dump,
            undo,
            command_line: request.command_line,
            there,
            block_device,
            dry_run: request.writing.dry_run,
        };
        drawings.push(Drawing::of(&canvas, part, plan)?);
    }
    Ok(drawings)
}

/// Says what would happen, of which nothing is written.
fn tell_of_dry_run(plan: &dyn Plan, out: &mut Streams<'_>) {
    for line in plan.words() {
        out.tell(line);
    }
    for stake in plan.question().stakes {
        out.tell(format_args!(
            "mdtool: note: {stake} would be overwritten; without --dry-run that takes --yes"
        ));
    }
}

/// Shows what will happen and asks, where nobody said yes before.
fn ask(
    plan: &dyn Plan,
    drawings: &[Drawing],
    look: &Look,
    request: &Request<'_>,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let question = plan.question();
    if request.writing.yes || question.stakes.is_empty() && !question.always {
        return Ok(());
    }
    // Nobody can say yes to what is not shown; and that nobody reads it would be no error, with nothing written.
    show::show(&plan.words(), drawings, out.stderr)
        .map_err(|error| anyhow::anyhow!("cannot show what would be written: {error}"))?;
    confirm(&look.name(), &question.what, out)
}

/// Makes what was drafted.
fn make(
    drawings: Vec<Drawing>,
    target: &mut Target,
    meta: Option<&mut Target>,
) -> anyhow::Result<Vec<Change>> {
    let mut meta = meta.and_then(Target::ours);
    let mut made: Vec<Change> = Vec::new();
    for drawing in drawings {
        let change = match drawing.part {
            Part::Target => drawing.make(target.ours()),
            Part::Meta { .. } => drawing.make(meta.take()),
        };
        made.push(change.map_err(|error| with_made(error, &made))?);
    }
    Ok(made)
}

/// Adds to an error how a change is taken back that was made before.
fn with_made(mut error: anyhow::Error, made: &[Change]) -> anyhow::Error {
    if let Some(blamed) = error.downcast_mut::<Blamed>() {
        for change in made {
            if let Some(undo) = &change.undo {
                blamed.hints.push(format!(
                    "mdtool undo {} puts {} back, which was changed already",
                    undo.display(),
                    change.target.display()
                ));
            }
        }
    }
    error
}

/// The name of the meta device's undo file.
fn beside(undo: &Path) -> PathBuf {
    let mut name = undo.as_os_str().to_owned();
    name.push(".meta");
    name.into()
}
