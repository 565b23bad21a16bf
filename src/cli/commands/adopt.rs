//! `mdtool adopt`.

pub(crate) mod args;
pub(crate) mod view;

mod external;

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::json;

use crate::cli::Streams;
use crate::cli::commands::adopt::args::AdoptArgs;
use crate::cli::commands::adopt::args::Strategy;
use crate::cli::commands::apply_al::warn_of_log;
use crate::cli::write::confirm::confirm;
use crate::cli::session::open::Opened;
use crate::cli::outcome::Outcome;
use crate::cli::commands::adopt::view as report;
use crate::cli::output::change::{self, Metadata};
use crate::cli::session::select::Chosen;
use crate::cli::write::{Change, Target, Writing, tell_how_to_undo};
use crate::error::{Error, Result};
use crate::format::layout::MdLayout;
use crate::image::{ImageFile, WritableFile};
use crate::surgery::adopt::{
    AdoptOptions, AdoptRefusal, Adoption, Obstacle, Site, Truncation, relocate, truncate,
};
use crate::survey::locate::{Level, Located, ScanMode};
use crate::transaction::Draft;
use crate::units::{Bytes, DevPos, ImagePos, NodeId};

/// What `adopt --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 done; 1 there is no metadata, or no such level; 2 refused, or could not: the disk is as it was, or the message names the undo file.";

pub(crate) fn run(
    args: &AdoptArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let path = &args.image.image;
    let name = || path.display().to_string();
    // First of all, so that nobody writes to what is looked at from here on.
    let target = if args.writing.dry_run {
        Target::ReadOnly(ImageFile::open(path).with_context(name)?)
    } else {
        Target::Ours(WritableFile::open(path).with_context(name)?)
    };
    let chosen = Chosen::open(&args.image, args.level, ScanMode::Auto)?;
    let (opened, located, level) = (&chosen.opened, &chosen.located, chosen.level());
    opened.hold().with_context(name)?;
    refuse_to_guess(args, located).with_context(name)?;
    let options = AdoptOptions {
        node_id: args.node_id.map(NodeId::new),
        apply_al: args.apply_al,
    };
    let adoption = Adoption::new(opened.window(), located, level, options).with_context(name)?;
    if args.apply_al {
        warn_of_log(level, &name(), out);
    }
    let mut job = Job {
        args,
        command_line,
        opened,
        level,
        adoption,
    };
    let adopted = match args.strategy {
        Strategy::Relocate => job.relocate(target, out),
        Strategy::Truncate => job.truncate(target, out),
        Strategy::External => job.external(target, out),
    }?;
    let printed = job.report(&adopted, out);
    // It was written, whether or not that can be printed.
    tell_how_to_undo(&adopted.changes, out);
    printed?;
    Ok(Outcome::Done)
}

/// Refuses to take the outermost of several for what is meant.
fn refuse_to_guess(args: &AdoptArgs, located: &Located) -> anyhow::Result<()> {
    let count = located.levels.len();
    anyhow::ensure!(
        count < 2 || args.image.stacked || args.level.is_some(),
        "is a stack of {count} resources, expected --stacked (the inner one) or --level"
    );
    Ok(())
}

/// What was changed, or would be, and where the metadata then is.
struct Adopted {
    changes: Vec<Change>,
    /// The file that has the metadata.
    at: PathBuf,
    /// Where in that file the device begins.
    base: ImagePos,
    layout: MdLayout,
}

/// One adoption.
struct Job<'a> {
    args: &'a AdoptArgs,
    command_line: &'a str,
    opened: &'a Opened,
    level: &'a Level,
    adoption: Adoption<'a>,
}

impl Job<'_> {
    fn path(&self) -> &Path {
        &self.args.image.image
    }

    fn name(&self) -> String {
        self.path().display().to_string()
    }

    /// The new metadata's place: where it is already, where that is the right one.
    fn layout(&self) -> Result<MdLayout> {
        match relocate(self.level, self.opened.window().size()) {
            Ok(relocation) => Ok(relocation.layout),
            Err(Obstacle::AlreadyThere { .. }) => Ok(self.level.layout.clone()),
            Err(obstacle) => Err(AdoptRefusal::Obstacle(obstacle).into()),
        }
    }

    fn relocate(&mut self, target: Target, out: &mut Streams<'_>) -> anyhow::Result<Adopted> {
        let layout = self.layout().with_context(|| self.name())?;
        let what = format!(
            "{}: what lies from {} on",
            self.name(),
            self.opened.image_pos(layout.whole.start)
        );
        let change = self.edit(target, &what, out, |adoption, draft| {
            adoption.draft_here(draft, &layout)
        })?;
        Ok(self.adopted(vec![change], layout))
    }

    fn truncate(&mut self, target: Target, out: &mut Streams<'_>) -> anyhow::Result<Adopted> {
        let truncation = self.truncation(&target).with_context(|| self.name())?;
        let size = truncation.size;
        let what = format!("{}: the last {}", self.name(), truncation.cut);
        let change = self.edit(target, &what, out, |adoption, draft| {
            adoption.draft_cut(draft, size)
        })?;
        Ok(self.adopted(vec![change], self.level.layout.clone()))
    }

    /// Metadata in the image itself.
    fn adopted(&self, changes: Vec<Change>, layout: MdLayout) -> Adopted {
        Adopted {
            changes,
            at: self.path().to_owned(),
            base: self.opened.image_pos(DevPos::START),
            layout,
        }
    }

    fn truncation(&self, target: &Target) -> Result<Truncation> {
        let disk = self.opened.window().size();
        let site = Site {
            size: disk,
            extent: None,
        };
        let truncation = truncate(self.level, site).map_err(AdoptRefusal::Obstacle)?;
        if let Target::Ours(file) = target
            && file.is_block_device()?
        {
            return Err(AdoptRefusal::BlockDevice.into());
        }
        let end = self.opened.image_pos(DevPos::at(disk)).from_start();
        let behind = self.opened.image_size().saturating_sub(end);
        if behind > Bytes::ZERO {
            return Err(AdoptRefusal::NotTheEnd { behind }.into());
        }
        Ok(truncation)
    }

    /// Shows the change of the image, or asks whether `what` may go, and makes it.
    fn edit(
        &mut self,
        target: Target,
        what: &str,
        out: &mut Streams<'_>,
        draft: impl FnOnce(&mut Adoption<'_>, &mut Draft<'_>) -> Result<()>,
    ) -> anyhow::Result<Change> {
        let path = self.path().to_owned();
        let writing = writing(self.args, self.command_line, &path);
        let draft = |drafting: &mut Draft<'_>| draft(&mut self.adoption, drafting);
        match target {
            Target::ReadOnly(target) => writing.show(&target, draft),
            Target::Ours(mut target) => {
                if !self.args.writing.yes {
                    confirm(what, out)?;
                }
                writing.make(&mut target, draft)
            }
        }
    }

    /// Says what was changed, or would be.
    fn report(&self, adopted: &Adopted, out: &mut Streams<'_>) -> anyhow::Result<()> {
        self.tell(out);
        if self.args.writing.json {
            let header = self.adoption.header();
            let superblock = header.compose(&adopted.layout);
            let superblock = superblock
                .map_err(|misfit| Error::from(AdoptRefusal::Obstacle(Obstacle::Layout(misfit))))?;
            let metadata = Metadata {
                image: &adopted.at,
                base: adopted.base,
                superblock: &superblock,
                layout: &adopted.layout,
            };
            change::print(out.stdout, &adopted.changes, &metadata, json!({}))?;
        } else {
            for change in &adopted.changes {
                report::summary(out.stdout, &change.target, &change.summary)?;
            }
            if !self.args.writing.dry_run {
                self.print_place(adopted, out)?;
            }
        }
        if self.args.writing.dry_run {
            out.tell("mdtool: note: --dry-run: nothing was written");
        }
        Ok(())
    }

    /// Says where DRBD finds the metadata from now on.
    fn print_place(&self, adopted: &Adopted, out: &mut Streams<'_>) -> anyhow::Result<()> {
        let (path, last) = (&adopted.at, adopted.changes.first());
        match (self.args.strategy, last) {
            (Strategy::Truncate, Some(cut)) => {
                report::cut(out.stdout, path, cut.size, cut.size_after())?;
            }
            (Strategy::External, Some(meta)) => report::meta(out.stdout, path, meta.size)?,
            _ => {
                let at = self.opened.image_pos(adopted.layout.md);
                report::place(out.stdout, path, "superblock", at)?;
            }
        }
        Ok(())
    }

    /// Says what became of node ids.
    fn tell(&self, out: &mut Streams<'_>) {
        if let (Some(from), Some(to)) = (self.adoption.source(), self.args.node_id) {
            out.tell(format_args!(
                "mdtool: note: node {} becomes node {to}, and their peer entries are exchanged",
                from.get()
            ));
        }
        if let Some(seen) = self.adoption.seen() {
            out.tell(format_args!(
                "mdtool: note: peers[{}]: MDF_PEER_DEVICE_SEEN is set, so that DRBD keeps the device as large as it was",
                seen.get()
            ));
        }
    }
}

/// The change of the image.
fn writing<'a>(args: &'a AdoptArgs, command_line: &'a str, path: &'a Path) -> Writing<'a> {
    Writing {
        target: path,
        undo: args.writing.undo.as_deref(),
        command_line,
        dump: None,
    }
}
