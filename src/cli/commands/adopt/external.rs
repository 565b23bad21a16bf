//! Metadata on a meta device of its own: two files change, and what lives on the second is nobody's to overwrite unasked.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::adopt::{Adopted, Job, writing};
use crate::cli::write::confirm::confirm;
use crate::cli::write::{Change, Pending, Target, Writing, with_made};
use crate::error::{Error, Result};
use crate::format::layout::{MdIndex, MdLayout};
use crate::image::{ImageFile, MemImage, ReadAt, Window, WritableFile};
use crate::surgery::adopt::{AdoptRefusal, External, Obstacle, external};
use crate::surgery::import::{AtStake, at_stake, unknown_ends};
use crate::transaction::Draft;
use crate::units::{Bytes, ImagePos};

/// The two changes, and the sizes that the meta device may have.
struct Both<'a> {
    image: Writing<'a>,
    meta: Writing<'a>,
    needs: External,
}

impl Job<'_> {
    pub(crate) fn external(
        &mut self,
        target: Target,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Adopted> {
        let name = self.name();
        let path = self.args.meta.as_deref();
        let path = path.context("--strategy external: expected --meta FILE")?;
        let size = self.opened.window().size();
        let needs = external(self.level, size).map_err(AdoptRefusal::Obstacle);
        let needs = needs.map_err(Error::from).with_context(|| name.clone())?;
        let undo = self.args.writing.undo.as_deref().map(beside);
        let image_path = self.path().to_owned();
        let both = Both {
            image: writing(self.args, self.command_line, &image_path),
            meta: Writing {
                target: path,
                undo: undo.as_deref(),
                command_line: self.command_line,
                dump: None,
            },
            needs,
        };
        let (changes, layout) = match target {
            Target::ReadOnly(target) => self.show_external(&target, &both, out)?,
            Target::Ours(target) => {
                // From here on nobody else of ours writes to it.
                let there = open_if_there(path)?;
                let at_stake = match &there {
                    Some(device) => self.judge(device, &both)?,
                    None => Vec::new(),
                };
                if !self.args.writing.yes {
                    let what = std::iter::once(path.display().to_string());
                    let what = what.chain(at_stake.iter().map(ToString::to_string));
                    let what = what.collect::<Vec<_>>().join(": ");
                    confirm(&format!("{what} and the superblocks of {name}"), out)?;
                }
                self.make_external(target, there, &both)?
            }
        };
        Ok(Adopted {
            changes,
            at: path.to_owned(),
            base: ImagePos::START,
            layout,
        })
    }

    /// What is overwritten on a meta device that is there already.
    fn judge(&self, device: &dyn ReadAt, both: &Both<'_>) -> anyhow::Result<Vec<AtStake>> {
        let name = || both.meta.target.display().to_string();
        let layout = self.meta_layout(device.size(), both.needs.least);
        let layout = layout.with_context(name)?;
        let device = Window::whole(device);
        // Whoever begins where the metadata is to begin is refused, and so there is nobody to be told of.
        unknown_ends(device, &layout).with_context(name)?;
        at_stake(device, &layout).with_context(name)
    }

    fn show_external(
        &mut self,
        target: &ImageFile,
        both: &Both<'_>,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<(Vec<Change>, MdLayout)> {
        let path = both.meta.target;
        let name = || path.display().to_string();
        let device: Box<dyn ReadAt> = if path.exists() {
            Box::new(ImageFile::open(path).with_context(name)?)
        } else {
            Box::new(MemImage::new(both.needs.whole))
        };
        for stake in self.judge(&*device, both)? {
            out.tell(format_args!(
                "mdtool: note: {}: {stake} would be overwritten; without --dry-run that takes --yes",
                path.display()
            ));
        }
        let layout = self.meta_layout(device.size(), both.needs.least);
        let layout = layout.with_context(name)?;
        let changes = vec![
            both.meta.show(&*device, |draft| self.draft_meta(draft))?,
            both.image
                .show(target, |draft| self.adoption.draft_retirement(draft))?,
        ];
        Ok((changes, layout))
    }

    /// Writes the meta device, and then takes the superblocks from the image: till then that is as it was.
    fn make_external(
        &mut self,
        mut target: WritableFile,
        there: Option<WritableFile>,
        both: &Both<'_>,
    ) -> anyhow::Result<(Vec<Change>, MdLayout)> {
        let path = both.meta.target;
        let name = || path.display().to_string();
        let is_new = there.is_none();
        let mut device = match there {
            Some(device) => device,
            None => WritableFile::create_new(path, both.needs.whole).with_context(name)?,
        };
        let layout = self.meta_layout(device.size(), both.needs.least);
        let layout = layout.with_context(name)?;
        let (on_meta, on_image) = match self.prepare_both(&device, &target, both) {
            Ok(prepared) => prepared,
            Err(error) => {
                if is_new {
                    device.remove(path).with_context(name)?;
                }
                return Err(error);
            }
        };
        let mut changes = vec![on_meta.make(&mut device)?];
        let on_image = on_image.make(&mut target);
        changes.push(on_image.map_err(|error| with_made(error, &changes))?);
        Ok((changes, layout))
    }

    /// Drafts both before either is written, so that most of what can fail does so in time.
    fn prepare_both<'b>(
        &mut self,
        device: &WritableFile,
        target: &WritableFile,
        both: &'b Both<'_>,
    ) -> anyhow::Result<(Pending<'b>, Pending<'b>)> {
        let on_meta = both.meta.prepare(device, |draft| self.draft_meta(draft))?;
        let on_image = both
            .image
            .prepare(target, |draft| self.adoption.draft_retirement(draft))?;
        Ok((on_meta, on_image))
    }

    fn draft_meta(&mut self, draft: &mut Draft<'_>) -> Result<()> {
        let meta = Window::whole(draft.target());
        self.adoption.draft_meta(draft, meta)
    }

    /// Where the metadata lies on a meta device that can hold its bitmap.
    fn meta_layout(&self, found: Bytes, least: Bytes) -> Result<MdLayout> {
        if found < least {
            return Err(AdoptRefusal::MetaSize { found, least }.into());
        }
        let geometry = self.adoption.header().geometry;
        let layout = MdLayout::planned(MdIndex::FlexExternal, geometry, found);
        Ok(layout.map_err(|misfit| AdoptRefusal::Obstacle(Obstacle::Layout(misfit)))?)
    }
}

/// The meta device, where it is there.
fn open_if_there(path: &Path) -> anyhow::Result<Option<WritableFile>> {
    let open = || WritableFile::open(path).with_context(|| path.display().to_string());
    path.exists().then(open).transpose()
}

/// The name of the meta device's undo file.
fn beside(undo: &Path) -> PathBuf {
    let mut name = undo.as_os_str().to_owned();
    name.push(".meta");
    name.into()
}
