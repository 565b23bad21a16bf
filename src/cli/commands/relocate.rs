//! `mdtool relocate`.

pub(crate) mod args;

mod destination;

use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::cli::output::explain::conf_word;
use crate::cli::output::explain::shell_word;
use crate::cli::Streams;
use crate::cli::commands::adopt::view as report;
use crate::cli::commands::relocate::args::RelocateArgs;
use crate::cli::commands::relocate::destination::Destination;
use crate::cli::outcome::Outcome;
use crate::cli::output::change::{self, ChangeView, Metadata};
use crate::cli::session::select::Trust;
use crate::cli::write::{
    self, Aim, Change, Job, Look, Part, Placed, Plan, Question, Request, show,
};
use crate::error::{Error, Result};
use crate::format::layout::MdIndex;
use crate::image::Window;
use crate::surgery::adopt::Adoption;
use crate::surgery::place::PlaceRefusal;
use crate::surgery::relocate::relocating;
use crate::surgery::risks::AtRisk;
use crate::survey::locate::Level;
use crate::survey::traces::superblock_at;
use crate::transaction::Draft;
use crate::units::{Bytes, DevPos, ImagePos};
use crate::verdict::check::move_was_cut_off;

/// What `relocate --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 done, or it is where DRBD looks already; 1 there is no metadata, or no such level; 2 refused, or could not: the disk is as it was, or the message names the undo file.";

pub(crate) fn run(
    args: &RelocateArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    if let Some(contradiction) = args.contradiction() {
        anyhow::bail!("{contradiction}");
    }
    let source = args.source();
    let request = Request {
        aim: Aim::Resource {
            image: &source,
            level: args.level,
            trust: Trust::Found,
        },
        meta: args.meta.as_deref().or(args.data.as_deref()),
        writing: &args.writing,
        command_line,
        dump: None,
    };
    write::run(&mut Relocating { args }, &request, out)
}

/// The command.
struct Relocating<'a> {
    args: &'a RelocateArgs,
}

impl Job for Relocating<'_> {
    fn decide<'l>(
        &'l mut self,
        look: &'l Look,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Box<dyn Plan + 'l>> {
        let level = look.level()?;
        look.refuse_to_guess(self.args.level.is_some())?;
        let device = device(look);
        let name = || look.name();
        let adoption = relocating(device, &look.located, level).with_context(name)?;
        let destination = Destination::of(self.args, look, level, device, &adoption)?;
        let at_risk = destination.at_risk(device).with_context(name)?;
        if self.args.writing.yes {
            for threat in &at_risk {
                out.tell(format_args!("mdtool: warning: {}: {threat}", name()));
            }
            destination.warn(out);
        }
        if matches!(destination, Destination::Nowhere) {
            tell_of_cut_off_move(look, level, &adoption, out).with_context(name)?;
        }
        Ok(Box::new(Relocated {
            args: self.args,
            look,
            level,
            adoption,
            destination,
            at_risk,
        }))
    }
}

/// What DRBD looks at for the metadata: the image, or the DRBD device of the level around it.
fn device(look: &Look) -> Window<'_> {
    let window = look.opened.window();
    window.shortened(look.holder()).unwrap_or(window)
}

/// Says what an online move that was cut off left behind.
fn tell_of_cut_off_move(
    look: &Look,
    level: &Level,
    adoption: &Adoption<'_>,
    out: &mut Streams<'_>,
) -> Result<()> {
    if !move_was_cut_off(&level.superblock) {
        return Ok(());
    }
    let rejected = look.located.rejected.iter().map(|rejected| rejected.at);
    let behind = adoption.remnants().iter().copied();
    let generation = level.superblock.current_uuid();
    for at in rejected.chain(behind).filter(|at| *at != level.layout.md) {
        let old = superblock_at(look.opened.window(), at)?;
        if old.is_some_and(|old| old.current_uuid() == generation) {
            let (at, disk) = (look.opened.image_pos(at).get(), look.typed());
            out.tell(format_args!(
                "mdtool: warning: {}: DRBD was moving its metadata when it was cut off: as it is, everything is synced",
                look.name()
            ));
            out.tell(format_args!(
                "hint: the metadata from before is at byte {at}: `mdtool check {disk} --at {at}` judges it, and `mdtool relocate {disk} --at {at}` puts it here, with its log and bitmap; only where nothing attached this disk since"
            ));
            return Ok(());
        }
    }
    Ok(())
}

/// One relocation.
struct Relocated<'l> {
    args: &'l RelocateArgs,
    look: &'l Look,
    level: &'l Level,
    adoption: Adoption<'l>,
    destination: Destination,
    /// Who may lose something in the target.
    at_risk: Vec<AtRisk>,
}

impl Relocated<'_> {
    /// Where in its file the device begins that has the metadata then.
    fn base(&self) -> ImagePos {
        match &self.destination {
            Destination::Meta(_) | Destination::Inside(_) => ImagePos::START,
            _ => self.look.opened.image_pos(DevPos::START),
        }
    }

    /// The file that has it then.
    fn file(&self) -> &Path {
        match &self.destination {
            Destination::Meta(meta) => &meta.path,
            Destination::Inside(disk) => &disk.path,
            _ => &self.look.path,
        }
    }

    /// The size of the device that it is laid out for.
    fn device(&self) -> Bytes {
        match &self.destination {
            Destination::Nowhere => self.level.device,
            Destination::Here(_) => device(self.look).size(),
            Destination::ForSize(_, size) => *size,
            Destination::Meta(meta) => meta.size,
            Destination::Inside(disk) => disk.size,
        }
    }
}

impl Relocated<'_> {
    /// What is to be said in the resource, and what was.
    fn configured(&self) -> String {
        let now = meta_disk(self.destination.layout(self.level).index, self.file());
        let before = meta_disk(self.level.layout.index, &self.look.path);
        format!("in the resource, `{now}` in the place of `{before}`")
    }
}

/// How `drbd.conf` names metadata of this kind on a device: it takes no relative path.
fn meta_disk(index: MdIndex, device: &Path) -> String {
    let device = std::path::absolute(device).unwrap_or_else(|_| device.to_owned());
    match index {
        MdIndex::Internal | MdIndex::FlexInternal => "meta-disk internal;".to_owned(),
        MdIndex::FlexExternal => format!("meta-disk {};", conf_word(&device)),
        MdIndex::Indexed(slot) => format!("meta-disk {}[{slot}];", conf_word(&device)),
    }
}

/// What the document has of its own.
#[derive(Serialize)]
struct RelocateView {
    /// The size that the disk is to be cut to; nothing without `--for-size`.
    for_size: Option<u64>,
}

impl Plan for Relocated<'_> {
    fn parts(&self) -> Vec<Part> {
        std::iter::once(Part::Target).chain(self.destination.part()).collect()
    }

    fn draft(&mut self, draft: &mut Draft<'_>) -> Result<()> {
        match &self.destination {
            Destination::Nowhere => Ok(()),
            Destination::Here(layout) | Destination::ForSize(layout, _) => self.adoption.draft_here(draft, layout),
            // By the numbers of `parts`.
            Destination::Meta(meta) => self.adoption.draft_to(draft, 0, 1, &meta.layout),
            Destination::Inside(disk) => self.adoption.draft_to(draft, 0, 1, &disk.layout),
        }
    }

    fn words(&self) -> Vec<String> {
        let mut words = show::resource(self.look, self.level);
        let name = self.look.name();
        let at = |at: DevPos| self.base().checked_add(at.from_start()).unwrap_or(self.base());
        let layout = self.destination.layout(self.level);
        let place = format!("from {} to {}", at(layout.whole.start), at(layout.whole.end));
        words.push(match &self.destination {
            Destination::Nowhere => "its metadata is where DRBD looks".to_owned(),
            Destination::Here(_) => format!("its metadata goes {place} of {name}, where DRBD looks"),
            Destination::ForSize(_, size) => format!(
                "its metadata goes {place} of {name}, where DRBD will look on a disk of {size}; DRBD finds none until the disk is cut to that"
            ),
            Destination::Meta(meta) => {
                format!("its metadata goes to {}, and {name} keeps none", meta.path.display())
            }
            Destination::Inside(disk) => format!(
                "its metadata goes {place} of {}, and {name} keeps none",
                disk.path.display()
            ),
        });
        words.push("node id, UUIDs, flags, activity log and bitmap stay as they are".to_owned());
        words
    }

    fn question(&self) -> Question {
        let name = self.look.name();
        let mut at_risk: Vec<String> = self.at_risk.iter().map(ToString::to_string).collect();
        let and = listed(&at_risk);
        let what = match &self.destination {
            Destination::Nowhere => format!("{name}: nothing"),
            Destination::Here(layout) | Destination::ForSize(layout, _) => {
                let from = self.look.opened.image_pos(layout.whole.start);
                format!("{name}: what lies from {from} on{and}")
            }
            Destination::Meta(meta) => {
                let (what, of_meta) = meta.question(&name);
                at_risk = of_meta;
                what
            }
            Destination::Inside(disk) => {
                let path = disk.path.display();
                at_risk = disk.at_risk.iter().map(|threat| format!("{path}: {threat}")).collect();
                let and = listed(&disk.at_risk.iter().map(ToString::to_string).collect::<Vec<_>>());
                format!(
                    "{path}: what lies from {} on{and}, and the superblock of {name}",
                    disk.layout.whole.start
                )
            }
        };
        Question {
            what,
            always: true,
            at_risk,
        }
    }

    fn placed(&self) -> Vec<Placed<'_>> {
        vec![Placed {
            part: self.destination.part().unwrap_or(Part::Target),
            base: self.base(),
            layout: self.destination.layout(self.level),
            device: self.device(),
        }]
    }

    fn report(&self, changes: &[Change], out: &mut Streams<'_>) -> anyhow::Result<()> {
        let layout = self.destination.layout(self.level);
        if self.args.writing.json {
            let superblock = self.adoption.header().rewrite(&self.level.superblock, layout);
            let superblock =
                superblock.map_err(|misfit| Error::from(PlaceRefusal::Layout(misfit)))?;
            let metadata = Metadata {
                image: self.file(),
                base: self.base(),
                superblock: &superblock,
                layout,
            };
            let for_size = match &self.destination {
                Destination::ForSize(_, size) => Some(size.get()),
                _ => None,
            };
            change::print(out.stdout, changes, &metadata, RelocateView { for_size })?;
            return Ok(());
        }
        if matches!(self.destination, Destination::Nowhere) {
            let at = self.look.opened.image_pos(layout.md);
            writeln!(out.stdout, "nothing to do: the superblock at {at} is where DRBD looks")?;
            return Ok(());
        }
        for change in changes {
            ChangeView::of(change).named(out.stdout)?;
        }
        if !self.args.writing.dry_run {
            let at = self.base().checked_add(layout.md.from_start());
            let at = at.unwrap_or(self.base());
            match &self.destination {
                Destination::ForSize(_, size) => writeln!(
                    out.stdout,
                    "{}: superblock at {at}, where DRBD will look on a disk of {size}",
                    self.look.name()
                )?,
                _ => report::place(out.stdout, self.file(), "superblock", at)?,
            }
        }
        Ok(())
    }

    fn next(&self) -> Vec<String> {
        let (name, file) = (shell_word(&self.look.path), shell_word(self.file()));
        let disk = if self.look.block_device {
            format!("lvreduce, or whatever made {name}")
        } else {
            format!("`truncate -s {} {name}`", self.device().get())
        };
        match &self.destination {
            Destination::ForSize(_, size) => vec![
                format!(
                    "cut the disk to {size} ({disk}) before DRBD is started: until then DRBD finds no metadata on it; `mdtool relocate {name}` takes it back"
                ),
                format!("mdtool check {name}, when it is cut"),
            ],
            Destination::Meta(_) | Destination::Inside(_) => {
                vec![format!("mdtool check {file}; {}", self.configured())]
            }
            Destination::Here(layout) if layout.index != self.level.layout.index => {
                vec![format!("mdtool check {}; {}", self.look.typed(), self.configured())]
            }
            Destination::Nowhere | Destination::Here(_) => vec![format!("mdtool check {}", self.look.typed())],
        }
    }
}

/// What is at stake, after what is asked.
fn listed(at_risk: &[String]) -> String {
    at_risk.iter().fold(String::new(), |and, threat| and + ", " + threat)
}
