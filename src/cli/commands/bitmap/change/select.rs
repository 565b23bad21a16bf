//! What the command line names: slots, and ranges.

use std::ops::{ControlFlow, Range};

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::bitmap::args::{ChangeArgs, ClearArgs};
use crate::cli::commands::bitmap::change::Select;
use crate::cli::outcome::Declined;
use crate::cli::ranges::some_of_file;
use crate::cli::session::slots::{Scale, to_change};
use crate::cli::write::Look;
use crate::format::metadata::{Generation, Header};
use crate::image::Window;
use crate::surgery::bits::RangeSet;
use crate::survey::filesystems::{Class, Finder};
use crate::survey::locate::Level;
use crate::units::{BitmapIndex, Bytes, DevPos, Sectors};

/// Zeros are looked for in pieces of so many bytes.
const PIECE: usize = 512;

/// What the arguments of `set` and `clear` name.
pub(super) struct Given<'a> {
    args: &'a ChangeArgs,
    clear: Option<&'a ClearArgs>,
}

impl<'a> Given<'a> {
    pub(super) const fn to_set(args: &'a ChangeArgs) -> Self {
        Self { args, clear: None }
    }

    pub(super) const fn to_clear(args: &'a ClearArgs) -> Self {
        Self {
            args: &args.change,
            clear: Some(args),
        }
    }
}

impl Select for Given<'_> {
    fn slots(&self, header: &Header) -> anyhow::Result<Vec<BitmapIndex>> {
        let by_content = self.clear.is_some_and(by_content);
        let v09 = matches!(header.generation, Generation::V09(_));
        anyhow::ensure!(
            !by_content || !v09 || self.args.slots.peer.is_some(),
            "--holes, --zeros and --free-space rest on what the peer has, expected --peer NODE"
        );
        to_change(
            self.args.slots,
            self.args.all_slots,
            self.clear.is_some(),
            header,
        )
    }

    fn gather(
        &mut self,
        look: &Look,
        scale: &Scale,
        ranges: &mut RangeSet,
        out: &mut Streams<'_>,
    ) -> anyhow::Result<Vec<String>> {
        if let Some(clear) = self.clear.filter(|clear| by_content(clear)) {
            return gather_by_content(clear, look, scale, ranges, out);
        }
        let end = DevPos::at(scale.device);
        if self.args.all {
            ranges.add(DevPos::START..end)?;
            return Ok(Vec::new());
        }
        if let Some(path) = &self.args.from {
            let mut beyond = false;
            some_of_file(path, &mut |range| {
                beyond |= range.end > end;
                Ok(ranges.add(range)?)
            })?;
            let note = format!(
                "{}: what lies behind the DRBD device's end, {}, is left out",
                path.display(),
                scale.device
            );
            return Ok(beyond.then_some(note).into_iter().collect());
        }
        anyhow::ensure!(
            !self.args.ranges.is_empty(),
            "no range was named, expected START..END, START+LENGTH, --from FILE or --all"
        );
        for range in &self.args.ranges {
            let Range { start, end: to } = range.0;
            anyhow::ensure!(
                to <= end,
                "the range from {start} to {to} leaves the DRBD device, which has {}",
                scale.device
            );
            ranges.add(start..to)?;
        }
        Ok(Vec::new())
    }
}

/// Whether what is cleared is found by what the device holds.
const fn by_content(args: &ClearArgs) -> bool {
    args.holes || args.zeros || args.free_space
}

/// What the device does not have, does not use, or has as zeros.
fn gather_by_content(
    args: &ClearArgs,
    look: &Look,
    scale: &Scale,
    ranges: &mut RangeSet,
    out: &mut Streams<'_>,
) -> anyhow::Result<Vec<String>> {
    let level = look.level()?;
    anyhow::ensure!(
        level.layout.index.is_internal(),
        "{}: the metadata is external, expected a disk with data before its metadata",
        look.name()
    );
    let device = look.opened.window().shortened(scale.device);
    let device = device.context("the device is larger than its disk")?;
    let mut notes = vec![
        "--peer-is-blank claims that the peer's disk reads as zeros wherever it did not get anything: where it does not, it keeps what it has, and nobody will notice".to_owned(),
    ];
    let total = device.size();
    if args.holes {
        add_holes(device, ranges)?;
    }
    if args.zeros {
        look.opened
            .during("looking for zeros", total, || add_zeros(device, ranges))?;
    }
    if args.free_space {
        let found = look.opened.during("reading file systems", total, || {
            add_free(device, inner_end(look, level), ranges)
        })?;
        refuse_old_map(&found, args, look, out)?;
        notes.push("what file systems do not use is not sent: `drbdadm verify` will find that it differs, and nothing that reads files does".to_owned());
    }
    Ok(notes)
}

/// Where the device of the innermost level inside the chosen one ends: behind it lies metadata.
fn inner_end(look: &Look, chosen: &Level) -> Option<DevPos> {
    let levels = look.located.levels.iter();
    let inner = levels.skip_while(|level| level.layout.md != chosen.layout.md);
    let device = |level: &Level| level.known_drbd_device().and_then(Sectors::to_bytes);
    inner.skip(1).last().and_then(device).map(DevPos::at)
}

fn add_holes(device: Window<'_>, ranges: &mut RangeSet) -> crate::error::Result<()> {
    let end = DevPos::at(device.size());
    let mut at = DevPos::START;
    while at < end {
        let data = device.next_data(at)?.unwrap_or(end..end);
        ranges.add(at..data.start.min(end))?;
        at = data.end;
    }
    Ok(())
}

fn add_zeros(device: Window<'_>, ranges: &mut RangeSet) -> crate::error::Result<()> {
    add_holes(device, ranges)?;
    let zeros = [0; PIECE];
    let mut at = DevPos::START;
    while let Some(data) = device.next_data(at)? {
        let mut failed = Ok(());
        device.visit(data.clone(), &mut |start, bytes| {
            let mut place = start;
            for piece in bytes.chunks(PIECE) {
                let end = place.checked_add(Bytes::of_len(piece.len()));
                let end = end.unwrap_or(place);
                if zeros.get(..piece.len()) == Some(piece) {
                    failed = ranges.add(place..end);
                }
                if failed.is_err() {
                    return ControlFlow::Break(());
                }
                place = end;
            }
            ControlFlow::Continue(())
        })?;
        failed?;
        at = data.end;
    }
    Ok(())
}

/// Adds what every file system that has it has free; returns what is to be said of them.
fn add_free(
    device: Window<'_>,
    inner_end: Option<DevPos>,
    ranges: &mut RangeSet,
) -> crate::error::Result<Vec<String>> {
    let (mut free, mut used) = (RangeSet::default(), RangeSet::default());
    let mut finder = Finder::new(device).with_metadata_from(inner_end);
    let whole = DevPos::START..DevPos::at(device.size());
    finder.find(&[whole], &mut |stretch| {
        // Volumes may share what lies below: what one has free another may use.
        let set = if stretch.class == Class::Free {
            &mut free
        } else {
            &mut used
        };
        set.add(stretch.range)
    })?;
    let (mut free, mut used) = (free.sorted()?, used.sorted()?);
    let mut next = used.next_range()?;
    while let Some(mut range) = free.next_range()? {
        while let Some(taken) = next.clone().filter(|taken| taken.start < range.end) {
            ranges.add(range.start..taken.start.max(range.start))?;
            range.start = taken.end.clamp(range.start, range.end);
            if taken.end > range.end {
                break;
            }
            next = used.next_range()?;
        }
        ranges.add(range)?;
    }
    Ok(finder.notes().to_vec())
}

/// Refuses a map that may be older than the data, unless it is to be taken as it is.
fn refuse_old_map(
    notes: &[String],
    args: &ClearArgs,
    look: &Look,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    let mut doubts = notes.iter().filter(|note| !note.contains("names "));
    let Some(first) = doubts.next() else {
        return Ok(());
    };
    if args.change.writing.force {
        for note in notes {
            out.tell(format_args!("mdtool: warning: {}: {note}", look.name()));
        }
        return Ok(());
    }
    let why = format!("{}: {first}: what its map has free may be in use", look.name());
    let hint = "mount it and unmount it again, on the DRBD device; --force takes the map as it is, where you know that the file system was unmounted";
    Err(Declined::new(why, &[hint]).into())
}
