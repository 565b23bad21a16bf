//! `mdtool repair`.

pub(crate) mod args;

use anyhow::Context;
use serde::Serialize;

use crate::cli::Streams;
use crate::cli::commands::repair::args::RepairArgs;
use crate::cli::outcome::{Negative, Outcome};
use crate::cli::output::change::{self, ChangeView, Metadata};
use crate::cli::session::select::nothing_found;
use crate::cli::write::{
    self, Aim, Change, Job, Look, Part, Placed, Plan, Question, Request, show,
};
use crate::error::Result;
use crate::surgery::repair::{Mend, Repair};
use crate::transaction::Draft;
use crate::units::{Bytes, DevPos};
use crate::verdict::check::{CheckOptions, Judged, Severity, check, in_place, rules};

/// What `repair --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 done; 1 there is nothing that it can mend, or no metadata; 2 refused, or could not: the disk is as it was, or the message names the undo file.";

pub(crate) fn run(
    args: &RepairArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    for rule in &args.rules {
        known(rule)?;
    }
    let request = Request {
        aim: Aim::Judged {
            image: &args.image,
            level: args.level,
        },
        meta: None,
        writing: &args.writing,
        command_line,
        dump: None,
    };
    write::run(&mut Repairing { args }, &request, out)
}

/// Refuses a rule that there is not, or that a person must decide.
fn known(id: &str) -> anyhow::Result<()> {
    anyhow::ensure!(
        rules().any(|rule| rule.id == id),
        "{id}: no rule of `mdtool check`; docs/checks.md lists them"
    );
    anyhow::ensure!(
        Mend::of(id).is_some(),
        "{id}: has no one right answer, and is not mended; docs/checks.md says why a person decides"
    );
    Ok(())
}

/// The command.
struct Repairing<'a> {
    args: &'a RepairArgs,
}

impl Job for Repairing<'_> {
    fn decide<'l>(
        &'l mut self,
        look: &'l Look,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Box<dyn Plan + 'l>> {
        let args = self.args;
        let name = || look.name();
        let device = look.opened.window();
        let damaged = in_place(device, &look.located, args.image.index).with_context(name)?;
        let options = CheckOptions {
            full: args.full,
            of_dump: false,
        };
        let judged = look
            .opened
            .searching(|device| check(device, &look.located, &damaged, options));
        let mut judged = judged.with_context(name)?;
        if let Some(number) = look.number() {
            judged.retain(|one| one.number == Some(number));
        }
        let asked: Vec<&str> = args.rules.iter().map(String::as_str).collect();
        let mut found = Vec::new();
        for one in &judged {
            found.extend(Repair::of(one, &asked).map(|repair| (one, repair)));
        }
        let more = found.len().saturating_sub(1);
        let Some((one, repair)) = found.into_iter().next() else {
            if judged.is_empty() {
                return Err(nothing_found(&look.located, &args.image, &look.opened));
            }
            return Err(nothing(look, &judged).into());
        };
        if more > 0 {
            out.tell(format_args!(
                "mdtool: note: {}: {more} more of its resources have something to be mended: run it again, or name one with --level",
                name()
            ));
        }
        let left = left(one, &repair);
        let mendable = mendable(one);
        let (unasked, decided): (Vec<&str>, Vec<&str>) =
            left.iter().partition(|id| mendable.contains(id));
        for (what, ids) in [
            ("not named, and left as it is", unasked),
            ("left for a person to decide", decided),
        ] {
            if !ids.is_empty() {
                let ids = ids.join(", ");
                out.tell(format_args!("mdtool: note: {}: {what}: {ids}", name()));
            }
        }
        Ok(Box::new(Mended {
            args,
            look,
            repair,
            left,
            device: one.candidate.device,
        }))
    }
}

/// The answer where there is nothing to be mended.
fn nothing(look: &Look, judged: &[Judged<'_>]) -> Negative {
    let findings = || judged.iter().flat_map(|one| &one.findings);
    let open = findings().filter(|one| one.rule.severity >= Severity::Warning);
    let mut open: Vec<&str> = open.map(|one| one.rule.id).collect();
    open.dedup();
    let name = look.name();
    if open.is_empty() {
        return Negative::new(format!("{name}: nothing to be mended"), &[]);
    }
    // Of those that were named nothing was found.
    let unasked: Vec<&str> = judged.iter().flat_map(mendable).collect();
    if !unasked.is_empty() {
        return Negative::new(
            format!("{name}: nothing to be mended of what was named"),
            &[&format!("`mdtool repair {}` mends {}", look.typed(), unasked.join(", "))],
        );
    }
    Negative::new(
        format!(
            "{name}: nothing that can be mended without a decision; `mdtool check` finds {}",
            open.join(", ")
        ),
        &[&format!("`mdtool check {}` says what to do about each", look.typed())],
    )
}

/// The rules whose findings can be mended without a decision.
fn mendable(judged: &Judged<'_>) -> Vec<&'static str> {
    let all = Repair::of(judged, &[]);
    all.map_or_else(Vec::new, |repair| repair.mends().iter().map(|(rule, _)| *rule).collect())
}

/// Findings above a note that stay.
fn left(judged: &Judged<'_>, repair: &Repair) -> Vec<&'static str> {
    // What marks everything leaves nothing in the log to be applied.
    let applied = repair.mends().iter().any(|(_, mend)| *mend == Mend::Log);
    let mended = |id: &str| {
        repair.mends().iter().any(|(rule, _)| *rule == id) || applied && id == "apply-al-needed"
    };
    let findings = judged.findings.iter();
    let findings = findings.filter(|one| one.rule.severity >= Severity::Warning);
    let mut ids: Vec<&str> = findings
        .map(|one| one.rule.id)
        .filter(|id| !mended(id))
        .collect();
    ids.dedup();
    ids
}

/// What is mended.
struct Mended<'l> {
    args: &'l RepairArgs,
    look: &'l Look,
    repair: Repair,
    left: Vec<&'static str>,
    /// The size of the device that DRBD looks at.
    device: Bytes,
}

impl Mended<'_> {
    fn view(&self) -> RepairView<'_> {
        let mends = self.repair.mends().iter();
        RepairView {
            mended: mends.clone().map(|(rule, _)| *rule).collect(),
            left: &self.left,
            mends: mends.map(|(rule, mend)| format!("{rule}: {}", mend.words())).collect(),
        }
    }
}

/// What the document has of its own.
#[derive(Serialize)]
struct RepairView<'m> {
    /// The rules that are mended.
    mended: Vec<&'static str>,
    /// Those above a note that are left for a person.
    left: &'m [&'static str],
    /// Each rule that is mended, and how, for people.
    mends: Vec<String>,
}

impl Plan for Mended<'_> {
    fn draft(&mut self, draft: &mut Draft<'_>) -> Result<()> {
        self.repair.draft(draft, self.look.opened.window())
    }

    fn words(&self) -> Vec<String> {
        let mut words = show::resource(self.look, self.repair.level());
        words.extend(self.view().mends);
        words
    }

    fn question(&self) -> Question {
        Question::always(self.look, "what is listed")
    }

    fn placed(&self) -> Vec<Placed<'_>> {
        vec![Placed {
            part: Part::Target,
            base: self.look.opened.image_pos(DevPos::START),
            layout: &self.repair.level().layout,
            device: self.device,
        }]
    }

    fn report(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()> {
        let Some(change) = changes.first() else {
            return Ok(());
        };
        if self.args.writing.json {
            let superblock = self.repair.superblock()?;
            let metadata = Metadata {
                image: &self.look.path,
                base: self.look.opened.image_pos(DevPos::START),
                superblock: &superblock,
                layout: &self.repair.level().layout,
            };
            change::print(out.stdout, changes, &metadata, self.view())?;
            return Ok(());
        }
        for line in self.view().mends {
            writeln!(out.stdout, "{line}")?;
        }
        ChangeView::of(change).table(out.stdout)?;
        Ok(())
    }

    fn next(&self) -> Vec<String> {
        vec![format!("mdtool check {}", self.look.typed())]
    }
}
