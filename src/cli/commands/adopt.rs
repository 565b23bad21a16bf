//! `mdtool adopt`.

use std::path::{Path, PathBuf};

use anyhow::Context;

use super::super::Streams;
use super::super::args::{AdoptArgs, Strategy};
use super::super::confirm::confirm;
use super::super::open::Opened;
use super::super::outcome::Outcome;
use super::super::report::adopt as report;
use super::super::select::Chosen;
use super::super::undo_name;
use crate::adopt::{
    AdoptOptions, Adoption, Obstacle, Site, Truncation, external, relocate, truncate,
};
use crate::edit::{Draft, Summary, prepare, preview};
use crate::error::{AdoptRefusal, Error, Result, TargetState};
use crate::image::{ImageFile, MemImage, ReadAt, Window, WritableFile};
use crate::layout::MdLayout;
use crate::locate::{Level, Located, ScanMode};
use crate::units::{Bytes, DevPos, NodeId};

pub(in super::super) fn run(
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
    refuse_to_guess(args, located).with_context(name)?;
    let options = AdoptOptions {
        node_id: args.node_id.map(NodeId::new),
        apply_al: args.apply_al,
    };
    let adoption = Adoption::new(opened.window(), located, level, options).with_context(name)?;
    let mut job = Job {
        args,
        command_line,
        opened,
        level,
        adoption,
    };
    match args.strategy {
        Strategy::Relocate => job.relocate(target, out),
        Strategy::Truncate => job.truncate(target, out),
        Strategy::External => job.external(target, out),
    }
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

/// The image, to be written or only looked at.
enum Target {
    ReadOnly(ImageFile),
    Ours(WritableFile),
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

    fn relocate(&mut self, target: Target, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
        let layout = self.layout().with_context(|| self.name())?;
        let what = format!(
            "{}: what lies from {} on",
            self.name(),
            self.opened.image_pos(layout.whole.start)
        );
        let at = self.opened.image_pos(layout.md);
        let done = self.edit(target, &what, out, |adoption, draft| {
            adoption.draft_here(draft, &layout)
        })?;
        if done.is_some() {
            self.tell(out);
            report::place(out.stdout, self.path(), "superblock", at)?;
        }
        Ok(Outcome::Done)
    }

    fn truncate(&mut self, target: Target, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
        let name = self.name();
        let truncation = self.truncation(&target).with_context(|| name.clone())?;
        let size = truncation.size;
        let whole = self.opened.image_size();
        let what = format!("{name}: the last {}", truncation.cut);
        let done = self.edit(target, &what, out, |adoption, draft| {
            adoption.draft_cut(draft, size)
        })?;
        let Some(target) = done else {
            return Ok(Outcome::Done);
        };
        self.tell(out);
        report::cut(out.stdout, self.path(), whole, target.size())?;
        Ok(Outcome::Done)
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

    fn external(&mut self, target: Target, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
        let name = self.name();
        let meta_path = self.args.meta.as_deref();
        let meta_path = meta_path.context("--strategy external: expected --meta FILE")?;
        let meta_name = || meta_path.display().to_string();
        let size = self.opened.window().size();
        let needs = external(self.level, size).map_err(AdoptRefusal::Obstacle);
        let needs = needs.map_err(Error::from).with_context(|| name.clone())?;
        let exists = meta_path.exists();
        if self.args.writing.dry_run {
            let meta: Box<dyn ReadAt> = if exists {
                Box::new(ImageFile::open(meta_path).with_context(meta_name)?)
            } else {
                Box::new(MemImage::new(needs.whole))
            };
            check_meta(meta.size(), needs.least).with_context(meta_name)?;
            let summary = preview(&meta, &mut |_| {}, |draft| {
                self.adoption.draft_meta(draft, Window::whole(&meta))
            });
            report::summary(out.stdout, meta_path, &summary.with_context(meta_name)?)?;
            self.edit(target, &name, out, |adoption, draft| {
                adoption.draft_retirement(draft)
            })?;
            return Ok(Outcome::Done);
        }
        if !self.args.writing.yes {
            let what = format!("{} and the superblocks of {name}", meta_path.display());
            confirm(&what, out)?;
        }
        let meta = if exists {
            WritableFile::open(meta_path)
        } else {
            WritableFile::create_new(meta_path, needs.whole)
        };
        let mut meta = meta.with_context(meta_name)?;
        check_meta(meta.size(), needs.least).with_context(meta_name)?;
        let undo = self.args.writing.undo.as_deref().map(beside);
        self.write_meta(&mut meta, meta_path, undo.as_deref(), out)?;
        self.edit(target, &name, out, |adoption, draft| {
            adoption.draft_retirement(draft)
        })?;
        self.tell(out);
        report::meta(out.stdout, meta_path, meta.size())?;
        Ok(Outcome::Done)
    }

    fn write_meta(
        &mut self,
        meta: &mut WritableFile,
        path: &Path,
        undo: Option<&Path>,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<()> {
        let name = || path.display().to_string();
        let block_device = meta.is_block_device()?;
        let (store, undo) = undo_name::begin(undo, path, block_device)?;
        let of = undo_name::identity(path, block_device, meta.size(), self.command_line);
        let prepared = prepare(&*meta, &of, store, |draft| {
            self.adoption.draft_meta(draft, Window::whole(&*meta))
        });
        let prepared = prepared.with_context(name)?;
        let summary = prepared.summary().clone();
        finish(prepared.apply(meta).map(drop), &undo, path, out)?;
        report::summary(out.stdout, path, &summary)?;
        Ok(())
    }

    /// Shows the change, or asks and makes it; answers the target where it was made.
    fn edit(
        &mut self,
        target: Target,
        what: &str,
        out: &mut Streams<'_>,
        draft: impl FnOnce(&mut Adoption<'_>, &mut Draft<'_>) -> Result<()>,
    ) -> anyhow::Result<Option<WritableFile>> {
        let path = self.path().to_owned();
        let name = || path.display().to_string();
        let mut target = match target {
            Target::Ours(target) => target,
            Target::ReadOnly(target) => {
                let summary = preview(&target, &mut |_| {}, |drafting| {
                    draft(&mut self.adoption, drafting)
                });
                report::summary(out.stdout, &path, &summary.with_context(name)?)?;
                out.tell("mdtool: note: --dry-run: nothing was written");
                return Ok(None);
            }
        };
        if !self.args.writing.yes && self.args.strategy != Strategy::External {
            confirm(what, out)?;
        }
        let block_device = target.is_block_device()?;
        let asked = self.args.writing.undo.as_deref();
        let (store, undo) = undo_name::begin(asked, &path, block_device)?;
        let of = undo_name::identity(&path, block_device, target.size(), self.command_line);
        let prepared = prepare(&target, &of, store, |drafting| {
            draft(&mut self.adoption, drafting)
        });
        let prepared = prepared.with_context(name)?;
        let summary: Summary = prepared.summary().clone();
        finish(prepared.apply(&mut target).map(drop), &undo, &path, out)?;
        report::summary(out.stdout, &path, &summary)?;
        Ok(Some(target))
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

/// Tells of the undo file, where there is one to tell of.
fn finish(
    applied: Result<()>,
    undo: &Path,
    path: &Path,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let half =
        |error: &Error| matches!(error, Error::Edit(edit) if edit.state == TargetState::NeedsUndo);
    if applied.as_ref().err().is_none_or(half) && undo.exists() {
        out.tell(format_args!(
            "hint: mdtool undo {} puts it back",
            undo.display()
        ));
    }
    applied.with_context(|| path.display().to_string())
}

/// Whether a meta device can hold the bitmap.
fn check_meta(found: Bytes, least: Bytes) -> Result<()> {
    if found < least {
        return Err(AdoptRefusal::MetaSize { found, least }.into());
    }
    Ok(())
}

/// The name of the meta device's undo file.
fn beside(undo: &Path) -> PathBuf {
    let mut name = undo.as_os_str().to_owned();
    name.push(".meta");
    name.into()
}
