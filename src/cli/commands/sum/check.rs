//! `mdtool sum --check`: which chunks are not as a list has them.

use std::io::{BufRead, BufReader};
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use serde::Serialize;

use crate::cli::Streams;
use crate::cli::commands::sum::Summed;
use crate::cli::commands::sum::args::SumArgs;
use crate::cli::commands::sum::list::List;
use crate::cli::outcome::Outcome;
use crate::cli::output::{document, progress};
use crate::error::Error;
use crate::image::open_source;
use crate::truck::TruckRefusal;
use crate::truck::sums::ChunkSum;
use crate::units::{Bytes, DevPos, range_len};

/// The whole answer.
#[derive(Serialize)]
struct CheckView {
    image: String,
    /// Of the list.
    bytes: u64,
    good_chunks: u64,
    bad_chunks: u64,
    bad_bytes: u64,
    /// Behind the image's end.
    missing_bytes: u64,
    list_complete: bool,
    /// The chunks that are not as listed, in a document; as text each is printed when it is found.
    ranges: Vec<RangeView>,
}

/// A chunk that is not as listed.
#[derive(Serialize)]
struct RangeView {
    start: u64,
    length: u64,
    /// The same, under the names that ranges have everywhere.
    offset: u64,
    bytes: u64,
}

pub(crate) fn run(
    args: &SumArgs,
    path: &Path,
    summed: &Summed,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let name = || path.display().to_string();
    let text = open_source(path).with_context(name)?;
    let mut list = List::open(BufReader::new(text)).with_context(name)?;
    let mut bad = Bad {
        ranges: args.json.then(Vec::new),
        bytes: Bytes::ZERO,
        count: 0,
        out: &mut *out.stdout,
    };
    let mut failed = None;
    let (size, summing) = (list.size, list.summing);
    let mut good = 0_u64;
    let summing = summed.sum(args, summing, size, &mut |sum| {
        let is_good = judge(&mut list, sum, &mut bad).map_err(|error| {
            failed = Some(error);
            Error::from(TruckRefusal::List)
        })?;
        good = good.saturating_add(u64::from(is_good));
        Ok(())
    });
    // What is wrong with the list says more than that it ended the work.
    if let Some(error) = failed {
        return Err(error).with_context(name);
    }
    summing?;
    // What the list has behind the image's end.
    while let Some(listed) = list.next.take() {
        bad.note(&listed.range)?;
        list.advance().with_context(name)?;
    }
    let missing = size.saturating_sub(summed.size.min(size));
    let view = CheckView {
        image: args.image.image.to_string_lossy().into_owned(),
        bytes: size.get(),
        good_chunks: good,
        bad_chunks: bad.count,
        bad_bytes: bad.bytes.get(),
        missing_bytes: missing.get(),
        list_complete: list.complete,
        ranges: bad.ranges.unwrap_or_default(),
    };
    if args.json {
        document::print(bad.out, &view)?;
    }
    out.tell(format_args!(
        "mdtool: {}: {good} of {} chunks are as listed; {} differ or are missing",
        view.image,
        good.saturating_add(view.bad_chunks),
        Bytes::new(view.bad_bytes)
    ));
    if !view.list_complete {
        out.tell(format_args!(
            "mdtool: warning: {}: the list was cut off; chunks that it does not have count as bad",
            path.display()
        ));
    }
    Ok(answer_of(view.bad_chunks, out))
}

/// All are as listed, or some are not and can be sent again.
fn answer_of(bad: u64, out: &mut Streams<'_>) -> Outcome {
    if bad == 0 {
        return Outcome::Done;
    }
    out.tell("hint: `mdtool copy SOURCE TARGET --ranges FILE` sends these lines again");
    Outcome::No
}

/// Chunks that are not as listed.
struct Bad<'a> {
    ranges: Option<Vec<RangeView>>,
    bytes: Bytes,
    count: u64,
    out: &'a mut dyn std::io::Write,
}

impl Bad<'_> {
    fn note(&mut self, range: &Range<DevPos>) -> anyhow::Result<()> {
        let length = range_len(range);
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.checked_add(length).unwrap_or(self.bytes);
        if let Some(ranges) = &mut self.ranges {
            ranges.push(RangeView {
                start: range.start.get(),
                length: length.get(),
                offset: range.start.get(),
                bytes: length.get(),
            });
        } else {
            progress::make_room();
            writeln!(self.out, "{} {}", range.start.get(), length.get())?;
        }
        Ok(())
    }
}

/// Whether a chunk is as listed; what the list does not have is not.
fn judge(
    list: &mut List<impl BufRead>,
    sum: &ChunkSum,
    bad: &mut Bad<'_>,
) -> anyhow::Result<bool> {
    let differing = list.differing(sum)?;
    if let Some(range) = &differing {
        bad.note(range)?;
    }
    Ok(differing.is_none())
}
