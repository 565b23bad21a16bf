//! `mdtool diff`.

pub(crate) mod args;
mod classes;
mod mark;
mod side;
mod sums;
pub(crate) mod view;

use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::diff::args::DiffArgs;
use crate::cli::commands::diff::classes::{Class, Classes};
use crate::cli::commands::diff::mark::Against;
use crate::cli::commands::diff::side::{Side, slots_toward};
use crate::cli::commands::diff::view::{Compared, Totals, View};
use crate::cli::outcome::Outcome;
use crate::cli::session::select::Chosen;
use crate::format::bitmap::SetRuns;
use crate::format::metadata::Bitmap;
use crate::image::{ReadAt, open_for_scan};
use crate::survey::differences::Comparison;
use crate::survey::locate::ScanMode;
use crate::units::{Bytes, DevPos};

/// What `diff --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 equal; 1 they differ, whether that was marked or not, or there is no metadata; 2 could not compare, or not mark.";

pub(crate) fn run(
    args: &DiffArgs,
    command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    if let Some(list) = &args.sums {
        if args.set_bits {
            return mark::run(args, &Against::List(list), command_line, out);
        }
        return sums::run(args, list, out);
    }
    let other = args.b.as_ref().context("expected a second replica, or --sums")?;
    let named = args.side(other);
    let b = Chosen::open(&named.image, named.level, ScanMode::Auto)?;
    let b = Side::of(&b.opened, b.level(), other)?;
    if args.set_bits {
        return mark::run(args, &Against::Replica(other, &b), command_line, out);
    }
    let named = args.side(&args.a);
    let a = Chosen::open(&named.image, named.level, ScanMode::Auto)?;
    let a = Side::of(&a.opened, a.level(), &args.a)?;
    let pair = Pair::new(&a, &b, out)?;
    let mut view = View::new(&args.writing, &pair.compared(args, other), out.stdout)?;
    pair.compare(&mut |range, class| view.range(range, class))?;
    let totals = view.finish(pair.comparison.len, None)?;
    let same = a.same_generation(&b);
    if same && totals.differ() > totals.unmarked() {
        out.tell("mdtool: warning: both sides have the same current UUID: they connect without a resync, and what is marked is not sent either");
    }
    if totals.unmarked() > Bytes::ZERO || same && totals.differ() > Bytes::ZERO {
        mark::tell_the_way(args, other, out);
    }
    Ok(totals.outcome())
}

/// Takes a range with its class.
type Show<'s> = dyn FnMut(&std::ops::Range<DevPos>, Class) -> anyhow::Result<()> + 's;

/// Two replicas, as far as both go.
struct Pair<'a> {
    a: &'a Side<'a>,
    b: &'a Side<'a>,
    comparison: Comparison<'a>,
}

impl<'a> Pair<'a> {
    fn new(a: &'a Side<'a>, b: &'a Side<'a>, out: &mut Streams<'_>) -> anyhow::Result<Self> {
        let (of_a, of_b) = (a.device()?, b.device()?);
        let len = of_a.size().min(of_b.size());
        if of_a.size() != of_b.size() {
            out.tell(format_args!(
                "mdtool: warning: the devices have {} and {}: the first {len} are compared",
                of_a.size(),
                of_b.size()
            ));
        }
        Ok(Self {
            a,
            b,
            comparison: Comparison {
                a: of_a,
                b: of_b,
                len,
                unit: a.scale.per_bit.min(b.scale.per_bit),
            },
        })
    }

    fn compared<'s>(&self, args: &'s DiffArgs, other: &'s Path) -> Compared<'s> {
        Compared {
            a: &args.a,
            b: other,
            len: self.comparison.len,
            unit: self.comparison.unit,
            chunk: None,
        }
    }

    /// Shows every range that differs or is marked, in order.
    fn compare(&self, show: &mut Show<'_>) -> anyhow::Result<()> {
        let (a, b) = (self.a, self.b);
        let toward = |ours: &Side<'_>, theirs: &Side<'_>| slots_toward(&ours.header, &theirs.header);
        let mut bitmaps = [a.bitmaps(&toward(a, b)), b.bitmaps(&toward(b, a))];
        let mut runs = Vec::new();
        for (bitmaps, scale) in bitmaps.iter_mut().zip([a.scale, b.scale]) {
            for (slot, bitmap) in bitmaps {
                runs.push((SetRuns::new(bitmap.slot(*slot)?, scale.bits), scale));
            }
        }
        let len = self.comparison.len;
        let mut classes = Classes::new(runs, len)?;
        let path = a.path.clone();
        let open_a = move || -> crate::error::Result<Box<dyn ReadAt>> { Ok(open_for_scan(&path)?) };
        let mut shown = Ok(());
        let mut each = |range: std::ops::Range<DevPos>, class| {
            if shown.is_ok() {
                shown = show(&range, class);
            }
        };
        let compare = || {
            self.comparison
                .run(open_a, &mut |range| classes.differ(range, &mut each))
        };
        b.opened
            .during("comparing", len, compare)
            .with_context(|| format!("{} and {}", a.name(), b.name()))?;
        classes.finish(&mut each)?;
        shown
    }
}

impl Totals {
    /// Whether anything differs.
    pub(super) fn outcome(&self) -> Outcome {
        if self.differ() > Bytes::ZERO {
            Outcome::No
        } else {
            Outcome::Done
        }
    }
}
