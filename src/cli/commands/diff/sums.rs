//! `diff --sums`: a replica held against a list of the other's checksums, where that is far away.

use std::io::BufReader;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::diff::args::DiffArgs;
use crate::cli::commands::diff::classes::Classes;
use crate::cli::commands::diff::side::Side;
use crate::cli::commands::diff::view::{Subject, View};
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
use crate::units::{Bytes, DevPos};

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
    let name = || path.display().to_string();
    let text = BufReader::new(open_source(path).with_context(name)?);
    let mut list = List::open(text).with_context(name)?;
    let named = args.side(&args.a);
    let chosen = Chosen::open(&named.image, named.level, ScanMode::Auto)?;
    let side = Side::of(&chosen.opened, chosen.level(), &args.a)?;
    let device = side.device()?.size();
    let len = device.min(list.size);
    if list.size != device {
        out.tell(format_args!(
            "mdtool: warning: {}: has {}, and the DRBD device {device}: a chunk that reaches behind its end counts as different",
            name(),
            list.size
        ));
    }
    let subject = Subject {
        a: path,
        b: &args.a,
        len,
        unit: side.scale.per_bit,
        chunk: Some(list.summing.chunk),
    };
    let mut view = View::new(&args.writing, &subject, out.stdout)?;
    let mut bitmaps = side.bitmaps(&side.header.assigned_slots());
    let mut runs = Vec::new();
    for (slot, bitmap) in &mut bitmaps {
        runs.push((SetRuns::new(bitmap.slot(*slot)?, side.scale.bits), side.scale));
    }
    let mut classes = Classes::new(runs, len)?;
    let mut shown = Ok(());
    let mut each = |range: Range<DevPos>, class| {
        if shown.is_ok() {
            shown = view.range(&range, class);
        }
    };
    compare(&side, &mut list, len, &mut |range| classes.differ(range, &mut each))
        .with_context(name)?;
    classes.finish(&mut each)?;
    shown?;
    let totals = view.finish(len, None)?;
    if !list.complete {
        out.tell(format_args!(
            "mdtool: warning: {}: the list was cut off; what it does not have counts as different",
            name()
        ));
    }
    if totals.unmarked() > Bytes::ZERO {
        out.tell(format_args!(
            "next: mdtool sum --check {0} {1} | mdtool bitmap set {1} --from - --yes     marks whole chunks",
            name(),
            args.a.display()
        ));
    }
    Ok(totals.outcome())
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
