//! `mdtool apply-al`.

pub(crate) mod args;

use std::io::Write;

use anyhow::Context;
use serde::Serialize;

use crate::cli::Streams;
use crate::cli::commands::apply_al::args::ApplyAlArgs;
use crate::cli::outcome::Outcome;
use crate::cli::output::change::{self, ChangeView, Metadata};
use crate::cli::output::amounts::bytes_and_binary;
use crate::cli::session::open::Opened;
use crate::cli::session::select::Trust;
use crate::cli::write::{
    self, Aim, Change, Job, Look, Placed, Plan, Question, Request, Written, bring_up, show,
};
use crate::format::bitmap::bits_to_bytes;
use crate::format::superblock::{AlState, Superblock};
use crate::surgery::apply_al::{Gained, Marking, draft, superblock_after};
use crate::survey::locate::Level;
use crate::survey::log::{LogState, log_was_off};
use crate::transaction::Draft;
use crate::units::{Bytes, DevPos};

/// What `apply-al --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 applied; 1 there is no metadata, or no such level; 2 refused, or could not: a log that does not show all wants --mark-all.";

pub(crate) fn run(
    args: &ApplyAlArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let request = Request {
        aim: Aim::Resource {
            image: &args.image,
            level: args.level,
            trust: Trust::InPlace,
        },
        meta: None,
        writing: &args.writing,
        command_line,
        dump: None,
    };
    write::run(&mut Applying { args }, &request, out)
}

/// The command.
struct Applying<'a> {
    args: &'a ApplyAlArgs,
}

impl Job for Applying<'_> {
    fn decide<'l>(
        &'l mut self,
        look: &'l Look,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Box<dyn Plan + 'l>> {
        let level = look.level()?;
        let marking = marking(&look.opened, level, self.args.mark_all);
        let marking = marking.with_context(|| look.name())?;
        if !self.args.mark_all {
            warn_of_log(level, &look.name(), look.meant(), out);
        }
        Ok(Box::new(Applied {
            args: self.args,
            look,
            level,
            marking,
            gained: Vec::new(),
        }))
    }
}

/// What the log comes to.
struct Applied<'l> {
    args: &'l ApplyAlArgs,
    look: &'l Look,
    level: &'l Level,
    marking: Marking,
    /// How many bits each slot gains.
    gained: Gained,
}

impl Applied<'_> {
    /// What each slot gains, as words.
    fn gains(&self, verb: &str) -> Vec<String> {
        Gain::of(&self.gained, self.level).iter().map(|gain| gain.line(verb)).collect()
    }
}

/// What the document has of its own.
#[derive(Serialize)]
struct ApplyAlView {
    slots: Vec<Gain>,
}

/// What a slot gains from its level's log.
#[derive(Serialize)]
pub(crate) struct Gain {
    slot: usize,
    gained_bits: u64,
    gained_bytes: u64,
}

impl Gain {
    /// Of each slot.
    pub(crate) fn of(gained: &[u64], level: &Level) -> Vec<Self> {
        let bytes_per_bit = level.layout.geometry.bytes_per_bit;
        let gain = |(slot, bits): (usize, &u64)| Self {
            slot,
            gained_bits: *bits,
            gained_bytes: bits_to_bytes(*bits, bytes_per_bit).get(),
        };
        gained.iter().enumerate().map(gain).collect()
    }

    pub(crate) fn line(&self, verb: &str) -> String {
        let size = bytes_and_binary(Bytes::new(self.gained_bytes));
        format!("slot {} {verb} {} bits, {size} out of sync", self.slot, self.gained_bits)
    }
}

impl Plan for Applied<'_> {
    fn draft(&mut self, drafting: &mut Draft<'_>) -> crate::error::Result<()> {
        let window = self.look.opened.window();
        self.gained = draft(drafting, window, self.level, &self.marking)?;
        Ok(())
    }

    fn words(&self) -> Vec<String> {
        let mut words = show::resource(self.look, self.level);
        words.push(if self.args.mark_all {
            "everything is marked out of sync, and the activity log emptied".to_owned()
        } else {
            "what the activity log names is marked out of sync, and the log emptied".to_owned()
        });
        words.extend(self.gains("gains"));
        words
    }

    fn question(&self) -> Question {
        Question::always(self.look, "what is listed")
    }

    fn placed(&self) -> Vec<Placed<'_>> {
        Placed::in_place(self.look, self.level, &self.level.layout)
    }

    fn report(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()> {
        let Some(change) = changes.first() else {
            return Ok(());
        };
        if self.args.writing.json {
            json(self, changes, out.stdout)
        } else {
            report(self, change, out.stdout)
        }
    }

    fn next(&self) -> Vec<String> {
        vec![bring_up(self.look.typed(), "")]
    }
}

/// Warns of a log that does not say what was written, and answers whether it does not. Commands name the level as `typed`.
pub(crate) fn warn_of_log(level: &Level, name: &str, typed: &str, out: &mut Streams<'_>) -> bool {
    let off = log_was_off(&level.superblock);
    if off {
        out.tell(format_args!(
            "mdtool: warning: {name}: MDF_AL_DISABLED is set: the activity log was off, and does not say what was being written"
        ));
        out.tell(format_args!("hint: `mdtool apply-al {typed} --mark-all` marks everything out of sync; else `drbdadm verify` against a peer finds what differs"));
    }
    off
}

/// One document: what changed, what each slot gained, and what the metadata then says.
fn json(applied: &Applied<'_>, changes: &[Change], out: &mut dyn Write) -> anyhow::Result<()> {
    let (look, level) = (applied.look, applied.level);
    let after = Superblock::decode(&superblock_after(&level.superblock));
    let metadata = Metadata {
        image: &look.path,
        base: look.opened.image_pos(DevPos::START),
        superblock: after.as_ref().unwrap_or(&level.superblock),
        layout: &level.layout,
    };
    let slots = Gain::of(&applied.gained, level);
    change::print(out, changes, &metadata, ApplyAlView { slots })?;
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
fn report(applied: &Applied<'_>, change: &Change, out: &mut dyn Write) -> anyhow::Result<()> {
    let clean = applied.level.superblock.al_state() == AlState::Clean;
    match change.written {
        Written::Nothing if clean => {
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
    ChangeView::of(change).table(out)?;
    let verb = if change.written == Written::DryRun {
        "would gain"
    } else {
        "gained"
    };
    for line in applied.gains(verb) {
        writeln!(out, "{line}")?;
    }
    Ok(())
}
