//! `mdtool fit`.

pub(crate) mod args;
pub(crate) mod view;

use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::args::ImageArgs;
use crate::cli::commands::fit::args::FitArgs;
use crate::cli::commands::fit::view::{Disk, DiskView, Fit, Lives};
use crate::cli::next;
use crate::cli::outcome::Outcome;
use crate::cli::session::open::Opened;
use crate::cli::session::select::refuse_cut_off;
use crate::error::{Expected, Field, Misfit};
use crate::survey::locate::{IndexChoice, LocateOptions, ScanMode, locate};
use crate::survey::occupants::occupants;
use crate::terms::{AlStriping, Format, MdGeometry};
use crate::units::{Bytes, MD_BLOCK, SECTOR_SIZE, Sectors};
use crate::verdict::fit::Shape;

/// What `fit --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 it fits; 1 something does not fit: what lives on a disk, or the size that --net asks for; 2 could not look, or DRBD does not make such metadata.";

pub(crate) fn run(args: &FitArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let shape = shape(args)?;
    shape.geometry.check(shape.format).map_err(by_option)?;
    let unit = args.lv_extent.map_or(SECTOR_SIZE, |extent| extent.0);
    anyhow::ensure!(
        unit >= SECTOR_SIZE && unit.align_down(SECTOR_SIZE) == unit,
        "--lv-extent: {unit} is no whole number of sectors"
    );
    let net = net(args)?;
    let mut disks = Vec::new();
    for size in &args.sizes {
        let disk = Disk::asked_for(size.0, args.lv_extent.map(|extent| extent.0))?;
        disks.push(DiskView::of(disk, &shape, unit, net)?);
    }
    for path in &args.disks {
        disks.push(DiskView::of(on_disk(path)?, &shape, unit, net).with_context(|| path.display().to_string())?);
    }
    let fit = Fit::of(&shape, disks, net, args.lv_extent.map(|extent| extent.0))?;
    if args.json {
        fit.json(out.stdout)?;
    } else {
        fit.print(out.stdout)?;
        next::tell(out, next::after_fit(args, fit.fits(), fit.remains()))?;
    }
    Ok(if fit.fits() {
        Outcome::Done
    } else {
        Outcome::No
    })
}

fn shape(args: &FitArgs) -> anyhow::Result<Shape> {
    let format = Format::from(args.format);
    let stripe = args.al_stripe_size.0;
    anyhow::ensure!(
        stripe.align_down(MD_BLOCK) == stripe,
        "--al-stripe-size: {stripe} is no whole number of blocks of 4096 bytes"
    );
    anyhow::ensure!(
        format == Format::V09 || args.max_peers == 1,
        "--max-peers: v08 has one bitmap slot"
    );
    let too_large = |option: &str| format!("{option} is too large");
    Ok(Shape {
        format,
        geometry: MdGeometry {
            max_peers: args.max_peers,
            bytes_per_bit: u32::try_from(args.bytes_per_bit.0.get())
                .with_context(|| too_large("--bytes-per-bit"))?,
            al: AlStriping {
                stripes: args.al_stripes,
                stripe_size_4k: u32::try_from(stripe.whole_units(MD_BLOCK))
                    .with_context(|| too_large("--al-stripe-size"))?,
            },
        },
        external: args.external,
    })
}

/// A field of the shape that DRBD does not allow, by the option that sets it.
fn by_option(misfit: Misfit) -> anyhow::Error {
    let option = match misfit.field {
        Field::BmMaxPeers => "--max-peers",
        Field::BmBytesPerBit => "--bytes-per-bit",
        Field::AlStripes => "--al-stripes",
        Field::AlStripeSize4k => "--al-stripe-size in blocks of 4096 bytes",
        Field::AlBlocks => "--al-stripes times --al-stripe-size in blocks of 4096 bytes",
        _ => return misfit.into(),
    };
    let Misfit { found, expected, .. } = misfit;
    match expected {
        Expected::ZeroWith(_) => anyhow::anyhow!("{option} is {found}, expected at least 1"),
        expected => anyhow::anyhow!("{option} is {found}, expected {expected}"),
    }
}

/// The size that is asked for, a started sector counted.
fn net(args: &FitArgs) -> anyhow::Result<Option<Sectors>> {
    let Some(size) = args.net else {
        return Ok(None);
    };
    anyhow::ensure!(size.0 > Bytes::ZERO, "--net: expected at least one sector");
    let whole = size.0.align_up(SECTOR_SIZE).context("--net is too large")?;
    Ok(Some(whole.to_sectors_floor()))
}

/// A disk with what lives on it; nothing of it is changed.
fn on_disk(path: &Path) -> anyhow::Result<Disk> {
    let image = ImageArgs {
        image: path.to_owned(),
        stacked: false,
        index: IndexChoice::Auto,
        at: None,
        offset: None,
        size: None,
    };
    let name = || path.display().to_string();
    let opened = Opened::open(&image)?;
    let window = opened.window();
    let options = LocateOptions {
        scan: ScanMode::Never,
        ..LocateOptions::default()
    };
    opened.refuse_foreign(options).with_context(name)?;
    let located = locate(window, &options).with_context(name)?;
    refuse_cut_off(&located, &image, &opened)?;
    let found = occupants(window).with_context(name)?;
    let mut lives: Vec<Lives> = found.into_iter().map(Lives::occupant).collect();
    lives.extend(Lives::metadata(&located, &image));
    Ok(Disk {
        source: Some(name()),
        size: window.size(),
        asked: None,
        lives,
    })
}
