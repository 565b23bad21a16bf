//! `mdtool wipe`.

pub(crate) mod args;

use anyhow::Context;
use serde::Serialize;

use crate::cli::output::explain::shell_word;
use crate::cli::Streams;
use crate::cli::commands::wipe::args::WipeArgs;
use crate::cli::outcome::{Declined, Outcome};
use crate::cli::output::change::{self, ChangeView, Metadata};
use crate::cli::output::amounts::bytes_and_binary;
use crate::cli::session::select::Trust;
use crate::cli::write::{self, Aim, Change, Job, Look, Placed, Plan, Question, Request, show};
use crate::error::Result;
use crate::surgery::wipe;
use crate::survey::locate::{IndexChoice, Level, LocateOptions, Located, ScanMode, Why, locate};
use crate::transaction::Draft;
use crate::units::DevPos;

/// What `wipe --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 done; 1 there is no metadata, or no such level, and nothing was written; 2 refused, or could not: the disk is as it was, or the message names the undo file.";

pub(crate) fn run(
    args: &WipeArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let request = Request {
        aim: Aim::Resource {
            image: &args.image,
            level: args.level,
            trust: Trust::Erased,
        },
        meta: None,
        writing: &args.writing,
        command_line,
        dump: None,
    };
    write::run(&mut Wiping { args }, &request, out)
}

/// The command.
struct Wiping<'a> {
    args: &'a WipeArgs,
}

impl Job for Wiping<'_> {
    fn decide<'l>(
        &'l mut self,
        look: &'l Look,
        _out: &mut Streams<'_>,
    ) -> anyhow::Result<Box<dyn Plan + 'l>> {
        let level = look.level()?;
        let count = look.located.levels.len();
        anyhow::ensure!(
            count < 2 || self.args.level.is_some(),
            "{}: is a stack of {count} resources, expected --level: `wipe` takes one of them away",
            look.name()
        );
        let stale = if self.args.stale {
            old_copies(look, level, self.args.image.index)?
        } else {
            Vec::new()
        };
        Ok(Box::new(Wiped {
            args: self.args,
            look,
            level,
            stale,
        }))
    }
}

/// Where superblocks of the same resource are that its device left behind when it had another size: searched for in all that holds data.
fn old_copies(look: &Look, level: &Level, index: IndexChoice) -> anyhow::Result<Vec<DevPos>> {
    let options = LocateOptions {
        index,
        scan: ScanMode::Full,
        stacked: look.located.levels.len() > 1,
    };
    let all = look.opened.searching(|device| locate(device, &options));
    let all = all.with_context(|| look.name())?;
    if all.rejected_more > 0 {
        let name = look.name();
        let why = format!(
            "{name}: {} superblocks were found beside those in their places: more than are told apart at once, so that some old copies would stay; nothing was written",
            superblocks(&all)
        );
        let alone = "without --stale the metadata in its place is wiped, and no old copies; `mdtool wipe IMAGE --at BYTE` wipes any one of those";
        return Err(Declined::new(why, &[alone]).into());
    }
    let ours = |number: usize| {
        let of = all.levels.get(number);
        of.is_some_and(|of| of.layout.md == level.layout.md)
    };
    let copies = all.rejected.iter();
    let copies = copies.filter(|one| matches!(one.why, Why::Stale { level, .. } if ours(level)));
    Ok(copies.map(|copy| copy.at).collect())
}

/// How many superblocks count for nothing.
fn superblocks(located: &Located) -> u64 {
    let listed = u64::try_from(located.rejected.len()).unwrap_or(u64::MAX);
    located.rejected_more.saturating_add(listed)
}

/// What goes.
struct Wiped<'l> {
    args: &'l WipeArgs,
    look: &'l Look,
    level: &'l Level,
    stale: Vec<DevPos>,
}

/// What the document has of its own.
#[derive(Serialize)]
struct WipeView {
    /// `metadata` is what was there before.
    wiped: bool,
}

impl Plan for Wiped<'_> {
    fn draft(&mut self, draft: &mut Draft<'_>) -> Result<()> {
        wipe::draft(draft, self.look.opened.window(), self.level, &self.stale)
    }

    fn words(&self) -> Vec<String> {
        let mut words = show::resource(self.look, self.level);
        words.push(format!(
            "superblock, activity log and bitmap become zeros: {}; the data stays as it is, and is no DRBD device any more",
            bytes_and_binary(wipe::size(self.level))
        ));
        if self.args.stale {
            words.push(match self.stale.len() {
                0 => "no old copies of superblocks were found".to_owned(),
                1 => "one old copy of a superblock becomes zeros".to_owned(),
                count => format!("{count} old copies of superblocks become zeros"),
            });
        }
        words
    }

    fn question(&self) -> Question {
        Question::always(self.look, "all of this metadata")
    }

    fn placed(&self) -> Vec<Placed<'_>> {
        Vec::new()
    }

    fn report(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()> {
        let Some(change) = changes.first() else {
            return Ok(());
        };
        if self.args.writing.json {
            let metadata = Metadata {
                image: &self.look.path,
                base: self.look.opened.image_pos(DevPos::START),
                superblock: &self.level.superblock,
                layout: &self.level.layout,
            };
            change::print(out.stdout, changes, &metadata, WipeView { wiped: true })?;
            return Ok(());
        }
        ChangeView::of(change).table(out.stdout)?;
        Ok(())
    }

    fn next(&self) -> Vec<String> {
        let name = shell_word(&self.look.path);
        vec![match self.look.located.levels.len() {
            0 | 1 if self.args.stale => {
                "nothing has to be done: this disk has no DRBD metadata any more".to_owned()
            }
            0 | 1 => format!(
                "nothing has to be done: DRBD finds no metadata here any more; old copies, where the disk had another size, were not looked for: `mdtool locate {name} --scan full` does"
            ),
            count => format!(
                "mdtool probe {name}: the metadata of its other {} is as it was",
                if count == 2 { "resource" } else { "resources" }
            ),
        }]
    }
}
