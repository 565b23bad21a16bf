//! `mdtool diff`.

pub(crate) mod args;
mod classes;
pub(crate) mod view;

use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::diff::args::DiffArgs;
use crate::cli::commands::diff::classes::Classes;
use crate::cli::commands::diff::view::View;
use crate::cli::outcome::Outcome;
use crate::cli::session::select::Chosen;
use crate::cli::session::source::named;
use crate::cli::session::slots::{Scale, log_marking};
use crate::format::bitmap::SetRuns;
use crate::format::metadata::{Bitmap, Generation, Header};
use crate::image::{ReadAt, Window, open_for_scan};
use crate::surgery::apply_al::{Applied, Marking};
use crate::survey::bitmap::OnDiskBitmap;
use crate::survey::differences::Comparison;
use crate::survey::locate::ScanMode;
use crate::units::{BitmapIndex, Bytes, Sectors};

/// What `diff --help` says of its statuses.
pub(crate) const STATUSES: &str =
    "Exit status: 0 equal; 1 they differ, or there is no metadata; 2 could not compare.";

/// One replica.
struct Side {
    chosen: Chosen,
    header: Header,
    scale: Scale,
    marking: Marking,
}

impl Side {
    fn open(args: &DiffArgs, path: &Path) -> anyhow::Result<Self> {
        let (image, level) = named(&args.side(path), args.level);
        let chosen = Chosen::open(&image, level, ScanMode::Auto)?;
        let name = || path.display().to_string();
        let level = chosen.level();
        anyhow::ensure!(
            level.layout.index.is_internal(),
            "{}: the metadata is external, expected a disk with data before its metadata",
            name()
        );
        Ok(Self {
            header: Header::of(&level.superblock),
            scale: Scale::of_level(level),
            marking: log_marking(&chosen).with_context(name)?,
            chosen,
        })
    }

    /// The DRBD device.
    fn device(&self) -> anyhow::Result<Window<'_>> {
        let size = self.chosen.level().drbd_device().to_bytes();
        let device = size.and_then(|size| self.chosen.opened.window().shortened(size));
        device.context("the device is larger than its disk")
    }

    /// The slots that track the other side: its own, where both say who they are; else every one with a peer.
    fn slots_toward(&self, other: &Self) -> Vec<BitmapIndex> {
        let node = match &other.header.generation {
            Generation::V09(generation) => usize::try_from(generation.node_id).ok(),
            _ => None,
        };
        let own = match (&self.header.generation, node) {
            (Generation::V09(generation), Some(node)) => generation
                .peers
                .get(node)
                .and_then(|peer| u8::try_from(peer.bitmap_index).ok())
                .filter(|slot| u32::from(*slot) < self.header.geometry.max_peers),
            _ => None,
        };
        match own {
            Some(slot) => vec![BitmapIndex::new(slot)],
            None => self.header.assigned_slots(),
        }
    }

    /// The bitmaps that count, each with its log.
    fn bitmaps(&self, other: &Self) -> Vec<(BitmapIndex, Applied<'_, OnDiskBitmap<'_>>)> {
        let level = self.chosen.level();
        if level.superblock.la_size() == Sectors::ZERO {
            return Vec::new();
        }
        let bitmap = level.bitmap(self.chosen.opened.window());
        let slots = self.slots_toward(other).into_iter();
        slots.map(|slot| (slot, Applied::new(bitmap, &self.marking))).collect()
    }
}

pub(crate) fn run(
    args: &DiffArgs,
    _command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let (a, b) = (Side::open(args, &args.a)?, Side::open(args, &args.b)?);
    let (of_a, of_b) = (a.device()?, b.device()?);
    let len = of_a.size().min(of_b.size());
    if of_a.size() != of_b.size() {
        out.tell(format_args!(
            "mdtool: warning: the devices have {} and {}: the first {len} are compared",
            of_a.size(),
            of_b.size()
        ));
    }
    let comparison = Comparison {
        a: of_a,
        b: of_b,
        len,
        unit: a.scale.per_bit.min(b.scale.per_bit),
    };
    let mut bitmaps = [a.bitmaps(&b), b.bitmaps(&a)];
    let mut runs = Vec::new();
    for (bitmaps, scale) in bitmaps.iter_mut().zip([a.scale, b.scale]) {
        for (slot, bitmap) in bitmaps {
            runs.push((SetRuns::new(bitmap.slot(*slot)?, scale.bits), scale));
        }
    }
    let mut view = View::new(args, &comparison, out.stdout)?;
    let mut classes = Classes::new(runs, len)?;
    let path = args.a.clone();
    let open_a = move || -> crate::error::Result<Box<dyn ReadAt>> { Ok(open_for_scan(&path)?) };
    let mut printed = Ok(());
    let compare = || {
        comparison.run(open_a, &mut |range| {
            classes.differ(range, &mut |range, class| {
                if printed.is_ok() {
                    printed = view.range(&range, class);
                }
            })
        })
    };
    b.chosen
        .opened
        .during("comparing", len, compare)
        .with_context(|| format!("{} and {}", args.a.display(), args.b.display()))?;
    classes.finish(&mut |range, class| {
        if printed.is_ok() {
            printed = view.range(&range, class);
        }
    })?;
    printed?;
    let differ = view.finish(len)?;
    Ok(if differ > Bytes::ZERO { Outcome::No } else { Outcome::Done })
}
