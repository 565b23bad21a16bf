//! `mdtool bitmap set`, `mdtool bitmap clear`, and what `mdtool diff --set-bits` marks.

pub(crate) mod report;
mod select;
pub(crate) mod source;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::apply_al::{marking, warn_of_log};
use crate::cli::commands::bitmap::args::{ClearArgs, SetArgs, SourceArgs};
use crate::cli::commands::bitmap::change::report::Report;
use crate::cli::commands::bitmap::change::select::Given;
use crate::cli::commands::bitmap::change::source::Toward;
use crate::cli::outcome::{Declined, Outcome};
use crate::cli::session::select::Trust;
use crate::cli::session::slots::Scale;
use crate::cli::session::source::Meant;
use crate::cli::write::{self, Aim, Change, Job, Look, Part, Placed, Plan, Question, Request};
use crate::error::Result;
use crate::format::metadata::Header;
use crate::format::superblock::{AlState, Superblock};
use crate::surgery::apply_al::superblock_after;
use crate::surgery::bits::{self, BitEdit, RangeSet, Rounded};
use crate::surgery::edit::ChangeRefusal;
use crate::survey::locate::Level;
use crate::transaction::Draft;
use crate::units::{BitmapIndex, DevPos, Sectors};
use crate::verdict::check::Candidate;

pub(super) fn set(
    args: &SetArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let mut job = Changing {
        set: true,
        apply_al: args.change.apply_al,
        source: &args.source,
        peer: Meant::default(),
        json: args.change.writing.json,
        level_named: args.change.level.is_some() || args.change.image.stacked,
        select: Given::to_set(&args.change),
    };
    write::run(&mut job, &request(&args.change, command_line), out)
}

pub(super) fn clear(
    args: &ClearArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let mut job = Changing {
        set: false,
        apply_al: args.change.apply_al,
        source: &SourceArgs::default(),
        peer: Meant::default(),
        json: args.change.writing.json,
        level_named: args.change.level.is_some() || args.change.image.stacked,
        select: Given::to_clear(args),
    };
    write::run(&mut job, &request(&args.change, command_line), out)
}

fn request<'a>(args: &'a super::args::ChangeArgs, command_line: &'a str) -> Request<'a> {
    Request {
        aim: Aim::Resource {
            image: &args.image,
            level: args.level,
            trust: Trust::InPlace,
        },
        meta: None,
        writing: &args.writing,
        command_line,
        dump: None,
    }
}

/// Which bits are meant.
pub(crate) trait Select {
    /// The slots.
    fn slots(&self, header: &Header) -> anyhow::Result<Vec<BitmapIndex>>;

    /// The ranges of the DRBD device; returns what is to be said of them.
    fn gather(
        &mut self,
        look: &Look,
        scale: &Scale,
        ranges: &mut RangeSet,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Vec<String>>;
}

/// A change of bits, and how it was asked for.
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a command line, each on its own"
)]
pub(crate) struct Changing<'a, S> {
    /// They are set, else cleared.
    pub(crate) set: bool,
    pub(crate) apply_al: bool,
    pub(crate) source: &'a SourceArgs,
    /// Which resource of the peer, where that is a stack.
    pub(crate) peer: Meant,
    pub(crate) json: bool,
    /// It was said which resource of a stack is meant.
    pub(crate) level_named: bool,
    pub(crate) select: S,
}

impl<S: Select> Job for Changing<'_, S> {
    fn decide<'l>(
        &'l mut self,
        look: &'l Look,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Box<dyn Plan + 'l>> {
        let level = look.level()?;
        let name = || look.name();
        let count = look.located.levels.len();
        anyhow::ensure!(
            count < 2 || self.level_named,
            "{}: is a stack of {count} resources, expected --stacked (the inner one) or --level",
            name()
        );
        anyhow::ensure!(
            level.superblock.la_size() > Sectors::ZERO,
            "{}: the DRBD device never had a size: no bit of its bitmap stands for anything",
            name()
        );
        let (log, base) = self.log(look, level, out)?;
        let header = Header::of(&base);
        let slots = self.select.slots(&header).with_context(name)?;
        let scale = Scale::of_level(level);
        let mut ranges = RangeSet::default();
        let notes = self.select.gather(look, &scale, &mut ranges, out)?;
        let toward = Toward::decide(look, &header, &slots, self.source, self.peer, self.set)?;
        let superblock = match &toward.header {
            Some(header) => header
                .rewrite(&base, &level.layout)
                .map_err(|misfit| crate::error::Error::from(ChangeRefusal::Geometry(misfit)))?,
            None => base,
        };
        let edit = BitEdit {
            set: self.set,
            slots,
            log,
            superblock,
        };
        let scale = bits::Scale {
            per_bit: scale.per_bit,
            device: scale.device,
        };
        let runs = Rounded::new(ranges.sorted()?, scale, edit.direction());
        Ok(Box::new(Planned {
            look,
            runs: Some(runs),
            report: Report::new(look, level, edit, toward, notes, self.json),
        }))
    }
}

impl<S> Changing<'_, S> {
    /// What the log marks, and the superblock once it is applied; refused where it would have to be, and was not asked for.
    fn log(
        &self,
        look: &Look,
        level: &Level,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<(Option<crate::surgery::apply_al::Marking>, Superblock)> {
        let as_it_is = level.superblock.clone();
        if level.superblock.al_state() == AlState::Clean {
            return Ok((None, as_it_is));
        }
        if !self.apply_al {
            let why = format!(
                "{}: unclean: the activity log is not applied yet, and what it names is missing in the bitmap",
                look.name()
            );
            let hint = "a live or crashed node left it so; --apply-al applies the log first, in the same change";
            return Err(Declined::new(why, &[hint]).into());
        }
        let marking = marking(&look.opened, level, false).with_context(|| look.name())?;
        warn_of_log(level, &look.name(), look.meant(), out);
        let after = Superblock::decode(&superblock_after(&level.superblock));
        Ok((Some(marking), after.unwrap_or(as_it_is)))
    }
}

/// What is to change.
struct Planned<'l> {
    look: &'l Look,
    runs: Option<Rounded>,
    report: Report<'l>,
}

impl Plan for Planned<'_> {
    fn draft(&mut self, draft: &mut Draft<'_>) -> Result<()> {
        let Some(runs) = self.runs.take() else {
            return Ok(());
        };
        let (window, report) = (self.look.opened.window(), &mut self.report);
        report.changed = bits::draft(draft, window, report.level, &report.edit, runs)?;
        Ok(())
    }

    fn words(&self) -> Vec<String> {
        self.report.words()
    }

    fn reported(&self) -> Vec<String> {
        self.report.reported()
    }

    fn question(&self) -> Question {
        Question {
            what: format!("{}: what is listed", self.look.name()),
            always: true,
            at_risk: Vec::new(),
        }
    }

    fn placed(&self) -> Vec<Placed<'_>> {
        let level = self.report.level;
        vec![Placed {
            part: Part::Target,
            base: self.look.opened.image_pos(DevPos::START),
            layout: &level.layout,
            device: Candidate::of_level(level, self.look.holder()).device,
        }]
    }

    fn report(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()> {
        self.report.print(changes, out)
    }

    fn next(&self) -> Vec<String> {
        self.report.next()
    }
}
