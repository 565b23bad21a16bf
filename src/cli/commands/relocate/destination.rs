//! Where the metadata goes.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::adopt::external::Device;
use crate::cli::commands::relocate::args::RelocateArgs;
use crate::cli::outcome::Declined;
use crate::cli::write::{Look, Part};
use crate::error::Result;
use crate::format::layout::MdLayout;
use crate::image::Window;
use crate::surgery::adopt::{
    AdoptRefusal, Adoption, External, Obstacle, meta_device, relocate,
};
use crate::surgery::relocate::{flexible, for_size, inside};
use crate::surgery::risks::{AtRisk, at_risk, doubtful, unknown_ends};
use crate::survey::locate::{IndexChoice, Level};
use crate::units::Bytes;

/// Where the metadata goes.
pub(crate) enum Destination {
    /// It is where DRBD looks.
    Nowhere,
    /// To where DRBD looks on the device that has it.
    Here(MdLayout),
    /// To where DRBD will look when the disk has this size.
    ForSize(MdLayout, Bytes),
    /// To a meta device.
    Meta(Device),
    /// To the end of the disk whose data it is about.
    Inside(Disk),
}

/// The disk that gets internal metadata.
pub(crate) struct Disk {
    pub(crate) path: PathBuf,
    pub(crate) size: Bytes,
    pub(crate) layout: MdLayout,
    pub(crate) at_risk: Vec<AtRisk>,
}

impl Destination {
    /// The one that was asked for, where it works here; `device` is what DRBD looks at for the metadata.
    pub(crate) fn of(
        args: &RelocateArgs,
        look: &Look,
        level: &Level,
        device: Window<'_>,
        adoption: &Adoption<'_>,
    ) -> anyhow::Result<Self> {
        let name = || look.name();
        if let Some(size) = args.for_size {
            let size = size.0;
            if size != device.size() {
                let layout = for_size(level, device.size(), size).with_context(name)?;
                return Ok(Self::ForSize(layout, size));
            }
        }
        if let Some(path) = &args.meta {
            return Self::to_meta(path, look, level, device, adoption);
        }
        if let Some(path) = &args.data {
            return Ok(Self::Inside(Disk::of(path, look, level, adoption)?));
        }
        let internal = level.layout.index.is_internal();
        match (args.kind(), internal) {
            (Some(IndexChoice::FlexExternal), true) => Err(anyhow::anyhow!(
                "{}: the metadata is internal, expected --meta FILE, where it is to go",
                name()
            )),
            (Some(IndexChoice::Internal), false) => Err(anyhow::anyhow!(
                "{}: the metadata is {}, on a meta device: expected --data DISK, at whose end it is to go",
                name(),
                level.layout.index
            )),
            (_, true) => Self::to_the_end(level, device).with_context(name),
            (Some(IndexChoice::FlexExternal), false) => {
                let layout = flexible(device, level).with_context(name)?;
                let there = layout == level.layout;
                Ok(if there { Self::Nowhere } else { Self::Here(layout) })
            }
            (_, false) => Ok(Self::Nowhere),
        }
    }

    fn to_the_end(level: &Level, device: Window<'_>) -> Result<Self> {
        match relocate(level, device.size()) {
            Ok(relocation) => Ok(Self::Here(relocation.layout)),
            Err(Obstacle::AlreadyThere { .. }) => Ok(Self::Nowhere),
            Err(obstacle) => Err(AdoptRefusal::Obstacle(obstacle).into()),
        }
    }

    fn to_meta(
        path: &Path,
        look: &Look,
        level: &Level,
        device: Window<'_>,
        adoption: &Adoption<'_>,
    ) -> anyhow::Result<Self> {
        let name = || look.name();
        let needs = if level.layout.index.is_internal() {
            Device::needs(level, device.size()).with_context(name)?
        } else {
            // How large the disk is that has the data is not known here.
            let least = meta_device(level.layout.geometry, level.drbd_device());
            let least = least.context("no meta device is large enough").with_context(name)?;
            External {
                least,
                whole: least,
            }
        };
        let meta = Device::of(Some(path), look, needs, adoption)?;
        Ok(Self::Meta(meta))
    }

    /// Who may lose something in what is overwritten of the target.
    pub(crate) fn at_risk(&self, device: Window<'_>) -> Result<Vec<AtRisk>> {
        match self {
            Self::Here(layout) | Self::ForSize(layout, _) if layout.index.is_internal() => {
                doubtful(device, &layout.whole)
            }
            _ => Ok(Vec::new()),
        }
    }

    /// Names who loses something on the other file to whoever said yes beforehand.
    pub(crate) fn warn(&self, out: &mut Streams<'_>) {
        match self {
            Self::Meta(meta) => meta.warn(out),
            Self::Inside(disk) => {
                for threat in &disk.at_risk {
                    let path = disk.path.display();
                    out.tell(format_args!("mdtool: warning: {path}: {threat}"));
                }
            }
            Self::Nowhere | Self::Here(_) | Self::ForSize(..) => {}
        }
    }

    /// The other file that changes.
    pub(crate) fn part(&self) -> Option<Part> {
        match self {
            Self::Meta(meta) => Some(meta.part()),
            Self::Inside(disk) => Some(Part::Meta { size: disk.size }),
            Self::Nowhere | Self::Here(_) | Self::ForSize(..) => None,
        }
    }

    /// Where the metadata lies then.
    pub(crate) const fn layout<'l>(&'l self, level: &'l Level) -> &'l MdLayout {
        match self {
            Self::Nowhere => &level.layout,
            Self::Here(layout) | Self::ForSize(layout, _) => layout,
            Self::Meta(meta) => &meta.layout,
            Self::Inside(disk) => &disk.layout,
        }
    }
}

impl Disk {
    /// The one that was named, where the metadata fits behind the data.
    fn of(path: &Path, look: &Look, level: &Level, adoption: &Adoption<'_>) -> anyhow::Result<Self> {
        if level.layout.index.is_internal() {
            let why = format!("{}: the metadata is internal, at the end of its disk", look.name());
            let hint = "without --data it goes to where DRBD looks on this disk";
            return Err(Declined::new(why, &[hint]).into());
        }
        let name = || path.display().to_string();
        let there = look.meta.as_deref();
        let there = there.with_context(|| {
            format!("{}: is not there, expected the disk that has the data", name())
        })?;
        let device = Window::whole(there);
        let size = device.size();
        let placed = || -> Result<(MdLayout, Vec<AtRisk>)> {
            let layout = inside(level, adoption.header(), device)?;
            // Who ends behind the metadata's first byte is refused, and so there is nobody to be told of.
            unknown_ends(device, &layout)?;
            let at_risk = at_risk(device, &layout)?;
            Ok((layout, at_risk))
        };
        let (layout, at_risk) = placed().with_context(name)?;
        Ok(Self {
            path: path.to_owned(),
            size,
            layout,
            at_risk,
        })
    }
}
