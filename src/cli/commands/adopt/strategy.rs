//! How the metadata gets where DRBD looks.

use anyhow::Context;
use crate::cli::commands::adopt::args::AdoptArgs;
use crate::cli::commands::adopt::args::Strategy;
use crate::cli::commands::adopt::external::Device;
use crate::cli::write::Look;
use crate::error::Result;
use crate::format::layout::MdLayout;
use crate::surgery::adopt::{
    AdoptRefusal, Adoption, Obstacle, Site, Truncation, relocate, truncate,
};
use crate::surgery::risks::{AtRisk, doubtful};
use crate::survey::locate::Level;
use crate::units::{Bytes, DevPos};

/// How the metadata gets where DRBD looks.
pub(super) enum CheckedStrategy {
    Relocate(MdLayout),
    Truncate(Truncation),
    External(Device),
}

impl CheckedStrategy {
    /// The one that was asked for, where it works here.
    pub(super) fn of(
        args: &AdoptArgs,
        look: &Look,
        level: &Level,
        adoption: &Adoption<'_>,
    ) -> anyhow::Result<Self> {
        let name = || look.name();
        Ok(match args.strategy {
            Strategy::Relocate => Self::Relocate(new_place(look, level).with_context(name)?),
            Strategy::Truncate => Self::Truncate(truncation(look, level).with_context(name)?),
            Strategy::External => {
                let needs = Device::needs(level, look.opened.window().size()).with_context(name)?;
                Self::External(Device::of(args.meta.as_deref(), look, needs, adoption)?)
            }
        })
    }
}

impl CheckedStrategy {
    /// Who may lose something in what is overwritten or cut off.
    pub(super) fn at_risk(&self, look: &Look) -> Result<Vec<AtRisk>> {
        let device = look.opened.window();
        match self {
            Self::Relocate(layout) => doubtful(device, &layout.whole),
            Self::Truncate(truncation) => {
                let cut = DevPos::at(truncation.size)..DevPos::at(device.size());
                doubtful(device, &cut)
            }
            Self::External(_) => Ok(Vec::new()),
        }
    }
}

/// The new metadata's place: where it is already, where that is the right one.
pub(super) fn new_place(look: &Look, level: &Level) -> Result<MdLayout> {
    match relocate(level, look.opened.window().size()) {
        Ok(relocation) => Ok(relocation.layout),
        Err(Obstacle::AlreadyThere { .. }) => Ok(level.layout.clone()),
        Err(obstacle) => Err(AdoptRefusal::Obstacle(obstacle).into()),
    }
}

pub(super) fn truncation(look: &Look, level: &Level) -> Result<Truncation> {
    let disk = look.opened.window().size();
    let site = Site {
        size: disk,
        extent: None,
    };
    let truncation = truncate(level, site).map_err(AdoptRefusal::Obstacle)?;
    if look.block_device {
        return Err(AdoptRefusal::BlockDevice.into());
    }
    let end = look.opened.image_pos(DevPos::at(disk)).from_start();
    let behind = look.opened.image_size().saturating_sub(end);
    if behind > Bytes::ZERO {
        return Err(AdoptRefusal::NotTheEnd { behind }.into());
    }
    Ok(truncation)
}
