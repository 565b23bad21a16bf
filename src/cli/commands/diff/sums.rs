//! `diff --sums`: a replica held against a list of the other's checksums, where that is far away.

use std::io::BufReader;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::diff::args::DiffArgs;
use crate::cli::commands::diff::classes::Classes;
use crate::cli::commands::diff::mark;
use crate::cli::commands::diff::Show;
use crate::cli::commands::diff::side::Side;
use crate::cli::commands::diff::view::{Compared, View};
use crate::cli::commands::sum::list::List;
use crate::cli::outcome::Outcome;
use crate::cli::output::progress::Progress;
use crate::cli::session::select::Chosen;
use crate::error::Error;
use crate::format::bitmap::SetRuns;
use crate::format::metadata::Bitmap;
use crate::image::{TransferFile, open_source};
use crate::survey::locate::ScanMode;
use crate::truck::TruckRefusal;
use crate::truck::pieces::Source;
use crate::truck::sums::sum;
use crate::units::{BitmapIndex, Bytes, DevPos};

/// Threads that read and hash, as `sum` has them.
const THREADS: usize = 2;

/// A list, front to back.
type Text = List<BufReader<Box<dyn std::io::Read>>>;

/// Compares the replica with the list.
pub(super) fn run(
    args: &DiffArgs,
    path: &Path,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let mut listed = Listed::open(path)?;
    let named = args.side(&args.a);
    let chosen = Chosen::open(&named.image, named.level, ScanMode::Auto)?;
    let side = Side::of(&chosen.opened, chosen.level(), &args.a)?;
    let len = listed.reach(&side, out)?;
    let mut view = View::new(&args.writing, &listed.compared(args, &side, len), out.stdout)?;
    listed.compare(&side, len, &side.header.assigned_slots(), &mut |range, class| {
        view.range(range, class)
    })?;
    let totals = view.finish(len, None)?;
    listed.warn_if_cut(out);
    if totals.unmarked() > Bytes::ZERO {
        mark::tell_the_way_from_list(args, path, out);
    }
    Ok(totals.outcome())
}

/// A list, which is read once.
pub(super) struct Listed<'p> {
    path: &'p Path,
    list: Text,
}

impl<'p> Listed<'p> {
    pub(super) fn open(path: &'p Path) -> anyhow::Result<Self> {
        let name = || path.display().to_string();
        let text = BufReader::new(open_source(path).with_context(name)?);
        let list = List::open(text).with_context(name)?;
        Ok(Self { path, list })
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    /// How far list and DRBD device go together; warns where one goes further.
    pub(super) fn reach(&self, side: &Side<'_>, out: &mut Streams<'_>) -> anyhow::Result<Bytes> {
        let device = side.device()?.size();
        if self.list.size != device {
            out.tell(format_args!(
                "mdtool: warning: {}: has {}, and the DRBD device {device}: a chunk that reaches behind its end counts as different",
                self.name(),
                self.list.size
            ));
        }
        Ok(device.min(self.list.size))
    }

    pub(super) fn compared<'s>(
        &self,
        args: &'s DiffArgs,
        side: &Side<'_>,
        len: Bytes,
    ) -> Compared<'s>
    where
        'p: 's,
    {
        Compared {
            a: self.path,
            b: &args.a,
            len,
            unit: side.scale.per_bit,
            chunk: Some(self.list.summing.chunk),
        }
    }

    /// Shows every range that differs or that one of these slots marks, in order.
    pub(super) fn compare(
        &mut self,
        side: &Side<'_>,
        len: Bytes,
        slots: &[BitmapIndex],
        show: &mut Show<'_>,
    ) -> anyhow::Result<()> {
        let mut bitmaps = side.bitmaps(slots);
        let mut runs = Vec::new();
        for (slot, bitmap) in &mut bitmaps {
            runs.push((SetRuns::new(bitmap.slot(*slot)?, side.scale.bits), side.scale));
        }
        let mut classes = Classes::new(runs, len)?;
        let mut shown = Ok(());
        let mut each = |range: Range<DevPos>, class| {
            if shown.is_ok() {
                shown = show(&range, class);
            }
        };
        compare(side, &mut self.list, len, &mut |range| classes.differ(range, &mut each))
            .with_context(|| self.path.display().to_string())?;
        classes.finish(&mut each)?;
        shown
    }

    /// Once all is compared: says whether the list ended before its end.
    pub(super) fn warn_if_cut(&self, out: &mut Streams<'_>) {
        if !self.list.complete {
            out.tell(format_args!(
                "mdtool: warning: {}: the list was cut off; what it does not have counts as different",
                self.name()
            ));
        }
    }
}

/// Shows every chunk that is not as listed, as far as the device goes.
fn compare(
    side: &Side<'_>,
    list: &mut Text,
    len: Bytes,
    differ: &mut dyn FnMut(Range<DevPos>) -> crate::error::Result<()>,
) -> anyhow::Result<()> {
    let end = DevPos::at(len);
    let mut show = |range: Range<DevPos>| {
        let range = range.start.min(end)..range.end.min(end);
        if range.is_empty() { Ok(()) } else { differ(range) }
    };
    let file = TransferFile::open(&side.path)?;
    let window = side.opened.window();
    let total = window.size().min(list.size);
    let source = Source::of(&file, side.opened.image_pos(DevPos::START), total);
    let source = source.with_context(|| format!("{}: became smaller", side.name()))?;
    let progress = Progress::new();
    let shared = progress.clone();
    let advance = move |bytes| shared.advance(bytes);
    let summing = list.summing;
    let mut failed = None;
    let summed = progress.during("summing", total, || {
        sum(&source, summing, THREADS, &advance, &mut |sum| {
            let range = list.differing(sum).map_err(|error| {
                failed = Some(error);
                Error::from(TruckRefusal::List)
            })?;
            range.map_or(Ok(()), &mut show)
        })
    });
    // What is wrong with the list says more than that it ended the work.
    if let Some(error) = failed {
        return Err(error);
    }
    summed?;
    while let Some(listed) = list.next.take() {
        show(listed.range.clone())?;
        list.next = Some(listed);
        list.advance()?;
    }
    Ok(())
}
