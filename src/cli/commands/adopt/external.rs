//! Metadata on a meta device of its own: two files change, and what lives on the second is nobody's to overwrite unasked.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::write::{Look, Part};
use crate::error::Result;
use crate::format::layout::{MdIndex, MdLayout};
use crate::image::{MemImage, ReadAt, Window};
use crate::surgery::adopt::{AdoptRefusal, Adoption, External, Obstacle, external};
use crate::surgery::import::{AtRisk, at_risk, unknown_ends};
use crate::survey::locate::Level;
use crate::units::Bytes;

/// The meta device.
pub(crate) struct Device {
    pub(crate) path: PathBuf,
    /// Its size, also where it is yet to be made.
    pub(crate) size: Bytes,
    pub(crate) layout: MdLayout,
    at_risk: Vec<AtRisk>,
}

impl Device {
    /// The one that was named, where the metadata fits there and overwrites nobody's end.
    pub(crate) fn of(
        path: Option<&Path>,
        look: &Look,
        needs: External,
        adoption: &Adoption<'_>,
    ) -> anyhow::Result<Self> {
        let path = path.context("--strategy external: expected --meta FILE")?.to_owned();
        let nothing = MemImage::new(needs.whole);
        let device = look.meta.as_deref().unwrap_or(&nothing);
        let name = || path.display().to_string();
        let size = device.size();
        let layout = layout(adoption, size, needs.least).with_context(name)?;
        let at_risk = on_meta_device(device, &layout).with_context(name)?;
        Ok(Self {
            path,
            size,
            layout,
            at_risk,
        })
    }

    /// What a meta device needs for the metadata of a level that lies on a disk of `disk`.
    pub(crate) fn needs(level: &Level, disk: Bytes) -> Result<External> {
        external(level, disk).map_err(|obstacle| AdoptRefusal::Obstacle(obstacle).into())
    }

    /// The file that changes.
    pub(crate) const fn part(&self) -> Part {
        Part::Meta { size: self.size }
    }

    /// Names who loses something on it to whoever said yes beforehand.
    pub(crate) fn warn(&self, out: &mut Streams<'_>) {
        for threat in &self.at_risk {
            let path = self.path.display();
            out.tell(format_args!("mdtool: warning: {path}: {threat}"));
        }
    }

    /// What is asked, and what is at stake.
    pub(crate) fn question(&self, image: &str) -> (String, Vec<String>) {
        let path = self.path.display();
        let words = std::iter::once(path.to_string());
        let words = words.chain(self.at_risk.iter().map(ToString::to_string));
        let words: Vec<String> = words.collect();
        let at_risk = self.at_risk.iter().map(|threat| format!("{path}: {threat}"));
        (
            format!("{} and the superblocks of {image}", words.join(": ")),
            at_risk.collect(),
        )
    }
}

/// What is overwritten on a meta device that is there already.
fn on_meta_device(device: &dyn ReadAt, layout: &MdLayout) -> Result<Vec<AtRisk>> {
    let device = Window::whole(device);
    // Whoever begins where the metadata is to begin is refused, and so there is nobody to be told of.
    unknown_ends(device, layout)?;
    at_risk(device, layout)
}

/// Where the metadata lies on a meta device that can hold its bitmap.
fn layout(adoption: &Adoption<'_>, found: Bytes, least: Bytes) -> Result<MdLayout> {
    if found < least {
        return Err(AdoptRefusal::MetaSize { found, least }.into());
    }
    let geometry = adoption.header().geometry;
    let layout = MdLayout::planned(MdIndex::FlexExternal, geometry, found);
    Ok(layout.map_err(|misfit| AdoptRefusal::Obstacle(Obstacle::Layout(misfit)))?)
}
