//! What fit prints: one view, as text for people and as JSON for programs.

mod text;

use std::io::{self, Write};

use anyhow::Context;
use serde::Serialize;

use crate::cli::args::ImageArgs;
use crate::cli::output::{document, traces};
use crate::survey::locate::Located;
use crate::survey::occupants::Occupant;
use crate::units::{Bytes, DevPos, Sectors};
use crate::verdict::fit::{LEAST_DISK, Shape};

/// The whole answer.
#[derive(Serialize)]
pub(crate) struct Fit {
    format: String,
    external: bool,
    max_peers: u32,
    bytes_per_bit: u32,
    al_stripes: u32,
    al_stripe_bytes: u64,
    extent_bytes: Option<u64>,
    disks: Vec<DiskView>,
    /// What all of them agree on.
    agreed_sect: Option<u64>,
    /// Which of them is the smallest; nothing where they leave the same.
    limit: Option<usize>,
    net: Option<NetView>,
}

/// A size that is asked for.
#[derive(Serialize)]
struct NetView {
    net_sect: u64,
    /// The smallest disk that leaves it.
    disk_bytes: Option<u64>,
    extents: Option<u64>,
    /// The meta device it needs.
    meta_bytes: Option<u64>,
}

/// A disk.
#[derive(Serialize)]
pub(crate) struct DiskView {
    source: Option<String>,
    disk_bytes: u64,
    /// What `--disk` said, where that is no whole number of extents and was rounded up.
    asked_bytes: Option<u64>,
    usable_sect: u64,
    usable_bytes: u64,
    /// What all metadata takes, up to the disk's end.
    md_bytes: u64,
    md_offset: Option<u64>,
    al_offset: Option<u64>,
    bm_offset: Option<u64>,
    meta_bytes: Option<u64>,
    /// A kernel attaches none so small.
    too_small_to_attach: bool,
    /// What the DRBD device is short of the size that is asked for.
    short_bytes: Option<u64>,
    /// How much the disk has to grow for that.
    grow_bytes: Option<u64>,
    /// How large it is then.
    grown_bytes: Option<u64>,
    lives: Vec<Lives>,
}

/// A disk as it was found, or asked for.
pub(crate) struct Disk {
    pub(crate) source: Option<String>,
    pub(crate) size: Bytes,
    /// What was asked for, where LVM makes it larger.
    pub(crate) asked: Option<Bytes>,
    pub(crate) lives: Vec<Lives>,
}

impl Disk {
    /// A disk of this size, which LVM rounds up to whole extents.
    pub(crate) fn asked_for(asked: Bytes, extent: Option<Bytes>) -> anyhow::Result<Self> {
        let size = match extent {
            Some(extent) => asked.align_up(extent).context("--disk is too large")?,
            None => asked,
        };
        Ok(Self {
            source: None,
            size,
            asked: (size != asked).then_some(asked),
            lives: Vec::new(),
        })
    }
}

/// Somebody who lives on a disk.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Lives {
    kind: &'static str,
    #[serde(skip)]
    words: String,
    /// Where it ends; nothing where it does not say.
    end_bytes: Option<u64>,
    fits: Option<bool>,
    /// Bytes that are free behind it.
    free_bytes: Option<u64>,
    /// How much the disk has to grow for it.
    grow_bytes: Option<u64>,
    /// How large the disk is then.
    grown_bytes: Option<u64>,
    /// How much it has to shrink.
    shrink_bytes: Option<u64>,
    /// Whether it is metadata that DRBD does not see.
    #[serde(skip)]
    remains: bool,
}

impl Lives {
    pub(crate) fn occupant(occupant: Occupant) -> Self {
        // What takes whatever there is, or knows of a copy at the end, ends with the disk.
        let end = occupant.end.filter(|_| occupant.is_believable());
        Self::new(occupant.kind.word(), occupant.kind.to_string(), end.map(DevPos::get))
    }

    /// DRBD's metadata where DRBD looks, or what is left of it.
    pub(crate) fn metadata(located: &Located, args: &ImageArgs) -> Option<Self> {
        if let Some(level) = located.levels.first() {
            let words = format!(
                "it has DRBD metadata ({}, superblock at byte {}) already; `mdtool show` shows it",
                level.superblock.format(),
                level.layout.md.get()
            );
            return Some(Self::new("drbd", words, None));
        }
        let trace = located.foremost_trace().map(|trace| traces::line(args, trace));
        let words = trace.or_else(|| {
            let damaged = located.rejected.first()?;
            let (at, format) = (damaged.at.get(), damaged.format);
            Some(format!("the {format} superblock at byte {at}, where DRBD looks, is damaged"))
        })?;
        Some(Self {
            remains: true,
            ..Self::new("drbd", words, None)
        })
    }

    const fn new(kind: &'static str, words: String, end_bytes: Option<u64>) -> Self {
        Self {
            kind,
            words,
            end_bytes,
            fits: None,
            free_bytes: None,
            grow_bytes: None,
            grown_bytes: None,
            shrink_bytes: None,
            remains: false,
        }
    }

    /// Holds it against what a disk leaves.
    fn judge(&mut self, disk: Bytes, usable: Bytes, shape: &Shape, unit: Bytes) {
        let Some(end) = self.end_bytes.map(Bytes::new) else {
            return;
        };
        let over = end.saturating_sub(usable);
        self.fits = Some(over == Bytes::ZERO);
        if over == Bytes::ZERO {
            self.free_bytes = Some(usable.saturating_sub(end).get());
            return;
        }
        self.shrink_bytes = Some(over.get());
        let whole = end.align_up(crate::units::SECTOR_SIZE);
        let grown = whole.and_then(|end| shape.needs(end.to_sectors_floor(), unit));
        self.grown_bytes = grown.map(Bytes::get);
        self.grow_bytes = grown.and_then(|grown| grown.checked_sub(disk)).map(Bytes::get);
    }
}

impl DiskView {
    pub(crate) fn of(
        found: Disk,
        shape: &Shape,
        unit: Bytes,
        net: Option<Sectors>,
    ) -> anyhow::Result<Self> {
        let (disk, mut lives) = (found.size, found.lives);
        let room = shape.leaves(disk)?;
        let usable = room.usable.to_bytes().context("the DRBD device is too large")?;
        for one in &mut lives {
            one.judge(disk, usable, shape, unit);
        }
        let layout = room.layout.as_ref();
        let short = net.and_then(|net| net.checked_sub(room.usable)).filter(|short| *short > Sectors::ZERO);
        let grown = net.filter(|_| short.is_some()).and_then(|net| shape.needs(net, unit));
        Ok(Self {
            source: found.source,
            disk_bytes: disk.get(),
            asked_bytes: found.asked.map(Bytes::get),
            usable_sect: room.usable.get(),
            usable_bytes: usable.get(),
            md_bytes: if shape.external { 0 } else { disk.saturating_sub(usable).get() },
            md_offset: layout.map(|layout| layout.md.get()),
            al_offset: layout.map(|layout| layout.al.start.get()),
            bm_offset: layout.map(|layout| layout.bm.start.get()),
            meta_bytes: room.meta.map(Bytes::get),
            // Where the metadata is elsewhere, that is what has to be so large.
            too_small_to_attach: !shape.external && disk < LEAST_DISK,
            short_bytes: short.and_then(Sectors::to_bytes).map(Bytes::get),
            grow_bytes: grown.and_then(|grown| grown.checked_sub(disk)).map(Bytes::get),
            grown_bytes: grown.map(Bytes::get),
            lives,
        })
    }

    fn fits(&self) -> bool {
        let all = self.lives.iter().all(|one| one.fits != Some(false));
        all && self.short_bytes.is_none() && !self.too_small_to_attach
    }
}

impl Fit {
    pub(crate) fn of(
        shape: &Shape,
        disks: Vec<DiskView>,
        net: Option<Sectors>,
        extent: Option<Bytes>,
    ) -> anyhow::Result<Self> {
        let smallest = disks.iter().map(|disk| disk.usable_sect).min();
        let largest = disks.iter().map(|disk| disk.usable_sect).max();
        let limit = disks.iter().position(|disk| Some(disk.usable_sect) == smallest);
        let stripe = u64::from(shape.geometry.al.stripe_size_4k).saturating_mul(4096);
        Ok(Self {
            format: shape.format.to_string(),
            external: shape.external,
            max_peers: shape.geometry.max_peers,
            bytes_per_bit: shape.geometry.bytes_per_bit,
            al_stripes: shape.geometry.al.stripes,
            al_stripe_bytes: stripe,
            extent_bytes: extent.map(Bytes::get),
            limit: limit.filter(|_| smallest != largest),
            agreed_sect: smallest,
            disks,
            net: net.map(|net| NetView::of(net, shape, extent)).transpose()?,
        })
    }

    /// Whether everything that was asked for fits.
    pub(crate) fn fits(&self) -> bool {
        self.disks.iter().all(DiskView::fits)
    }

    /// The first disk that has metadata which DRBD does not see.
    pub(crate) fn remains(&self) -> Option<&str> {
        let mut disks = self.disks.iter();
        let disk = disks.find(|disk| disk.lives.iter().any(|one| one.remains))?;
        disk.source.as_deref()
    }

    /// Prints one document.
    pub(crate) fn json(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        Ok(document::print(out, serde_json::to_value(self)?)?)
    }

    /// Prints text.
    pub(crate) fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        text::print(self, out)
    }
}

impl NetView {
    fn of(net: Sectors, shape: &Shape, extent: Option<Bytes>) -> anyhow::Result<Self> {
        let unit = extent.unwrap_or(crate::units::SECTOR_SIZE);
        let disk = shape.needs(net, unit).context("--net: DRBD addresses at most 1 PiB")?;
        Ok(Self {
            net_sect: net.get(),
            disk_bytes: Some(disk.get()),
            extents: extent.map(|extent| disk.whole_units(extent)),
            meta_bytes: shape.external.then(|| shape.meta(net)).flatten().map(Bytes::get),
        })
    }
}
