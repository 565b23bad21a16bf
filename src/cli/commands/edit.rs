//! `mdtool edit`.

pub(crate) mod args;
pub(crate) mod text;

use std::cell::Cell;

use anyhow::Context;
use serde::Serialize;

use crate::cli::Streams;
use crate::cli::commands::edit::args::EditArgs;
use crate::cli::outcome::Outcome;
use crate::cli::output::change::{self, ChangeView, Metadata};
use crate::cli::session::select::Trust;
use crate::cli::write::{
    self, Aim, Change, Job, Look, Placed, Plan, Question, Request, Written, bring_up, show,
};
use crate::error::Result;
use crate::format::layout::MdLayout;
use crate::format::metadata::Header;
use crate::image::random_u64;
use crate::surgery::edit::{self, ChangeRefusal, Edited, Needs};
use crate::survey::locate::Level;
use crate::transaction::Draft;
use crate::units::DevPos;

/// What `edit --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 done, or nothing had to be changed; 1 there is no metadata, or no such level; 2 refused, or could not: the disk is as it was, or the message names the undo file.";

pub(crate) fn run(
    args: &EditArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let changes = args.changes.changes().map_err(anyhow::Error::msg)?;
    if let Some(path) = &args.output {
        return text::run(args, path, &changes, command_line, out);
    }
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
    write::run(&mut Editing { args, changes }, &request, out)
}

/// The command.
struct Editing<'a> {
    args: &'a EditArgs,
    changes: Vec<edit::Change>,
}

impl Job for Editing<'_> {
    fn decide<'l>(
        &'l mut self,
        look: &'l Look,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Box<dyn Plan + 'l>> {
        let level = look.level()?;
        look.refuse_to_guess(self.args.image.stacked || self.args.level.is_some())?;
        let force = self.args.writing.force;
        let window = look.opened.window();
        let edited = edited(level, window, &self.changes, force).with_context(|| look.name())?;
        let layout = edited.layout(level).with_context(|| look.name())?;
        tell_notes(&edited, &look.name(), out);
        Ok(Box::new(Planned {
            args: self.args,
            look,
            level,
            edited,
            layout,
            nothing: Cell::new(false),
        }))
    }
}

/// The metadata of a level with all changes made.
pub(crate) fn edited(
    level: &Level,
    window: crate::image::Window<'_>,
    changes: &[edit::Change],
    force: bool,
) -> Result<Edited> {
    let slots = level.bitmap(window);
    let mut random = random_u64;
    let mut needs = Needs {
        slots: &slots,
        random: &mut random,
        force,
    };
    Edited::new(&Header::of(&level.superblock), changes, &mut needs)
}

/// Says what is worth knowing of the result.
pub(crate) fn tell_notes(edited: &Edited, name: &str, out: &mut Streams<'_>) {
    for note in &edited.notes {
        out.tell(format_args!("mdtool: note: {name}: {note}"));
    }
}

/// What the edit comes to.
struct Planned<'l> {
    args: &'l EditArgs,
    look: &'l Look,
    level: &'l Level,
    edited: Edited,
    layout: MdLayout,
    /// It was so already.
    nothing: Cell<bool>,
}

impl Planned<'_> {
    fn view(&self) -> EditView {
        let notes = self.edited.notes.iter();
        EditView {
            notes: notes.map(ToString::to_string).collect(),
            differences: text::differences(&Header::of(&self.level.superblock), &self.edited),
        }
    }
}

/// What the document has of its own.
#[derive(Serialize)]
struct EditView {
    /// What is to be known of the change, for people.
    notes: Vec<String>,
    /// What changes, for people.
    differences: Vec<String>,
}

impl Plan for Planned<'_> {
    fn draft(&mut self, draft: &mut Draft<'_>) -> Result<()> {
        self.edited
            .draft(draft, self.look.opened.window(), self.level)
    }

    fn words(&self) -> Vec<String> {
        let mut words = show::resource(self.look, self.level);
        words.extend(text::differences(
            &Header::of(&self.level.superblock),
            &self.edited,
        ));
        if self.edited.moves() {
            words.push(
                "the bitmap is written anew, and the activity log is emptied".to_owned(),
            );
        }
        words
    }

    fn reported(&self) -> Vec<String> {
        if self.args.writing.json {
            return Vec::new();
        }
        text::differences(&Header::of(&self.level.superblock), &self.edited)
    }

    fn question(&self) -> Question {
        Question::always(self.look, "what is listed")
    }

    fn placed(&self) -> Vec<Placed<'_>> {
        Placed::in_place(self.look, self.level, &self.layout)
    }

    fn report(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()> {
        let Some(change) = changes.first() else {
            return Ok(());
        };
        self.nothing.set(change.written == Written::Nothing);
        if self.args.writing.json {
            let superblock = self.edited.header.rewrite(&self.level.superblock, &self.layout);
            let superblock = superblock
                .map_err(|misfit| crate::error::Error::from(ChangeRefusal::Geometry(misfit)))?;
            let metadata = Metadata {
                image: &self.look.path,
                base: self.look.opened.image_pos(DevPos::START),
                superblock: &superblock,
                layout: &self.layout,
            };
            change::print(out.stdout, changes, &metadata, self.view())?;
            return Ok(());
        }
        if change.written == Written::Nothing {
            writeln!(out.stdout, "nothing to do: the metadata says so already")?;
            return Ok(());
        }
        for line in self.view().differences {
            writeln!(out.stdout, "{line}")?;
        }
        ChangeView::of(change).table(out.stdout)?;
        Ok(())
    }

    fn next(&self) -> Vec<String> {
        vec![bring_up(self.look.typed(), "")]
    }
}
