//! `mdtool sum --check`: which chunks are not as a list has them.

use std::io::{BufRead, BufReader, Read};
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use serde_json::{Value, json};

use crate::cli::Streams;
use crate::cli::commands::sum::Summed;
use crate::cli::commands::sum::args::SumArgs;
use crate::cli::outcome::Outcome;
use crate::image::open_source;
use crate::truck::hash::Algorithm;
use crate::truck::sums::{ChunkSum, Summing};
use crate::units::{Bytes, DevPos, range_len};

/// The longest line that is read: the first has the image's path.
const LONGEST: u64 = 64 << 10;

/// A line of a list.
struct Listed {
    range: Range<DevPos>,
    zeros: bool,
    value: Option<String>,
}

/// A list, front to back.
struct List<R> {
    text: R,
    number: u64,
    size: Bytes,
    summing: Summing,
    next: Option<Listed>,
    complete: bool,
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
    summed.sum(args, summing, size, &mut |sum| {
        // What is wrong with the list is told below: here only what is wrong with the image has a place.
        match list.judge(sum, &mut bad) {
            Ok(is_good) => good = good.saturating_add(u64::from(is_good)),
            Err(error) => failed = failed.take().or(Some(error)),
        }
        Ok(())
    })?;
    if let Some(error) = failed {
        return Err(error).with_context(name);
    }
    // What the list has behind the image's end.
    while let Some(listed) = list.next.take() {
        bad.note(&listed.range)?;
        list.advance().with_context(name)?;
    }
    let beyond = summed.size.min(size).get();
    let missing = size.saturating_sub(Bytes::new(beyond));
    let complete = list.complete;
    let answer = json!({
        "image": args.image.image.to_string_lossy(),
        "bytes": size.get(),
        "good_chunks": good,
        "bad_chunks": bad.count,
        "bad_bytes": bad.bytes.get(),
        "missing_bytes": missing.get(),
        "list_complete": complete,
        "ranges": bad.ranges.as_ref().map(|ranges| ranges.iter().map(|range| json!({
            "start": range.start.get(), "length": range_len(range).get(),
        })).collect::<Vec<_>>()),
    });
    let (count, bytes) = (bad.count, bad.bytes);
    if args.json {
        writeln!(out.stdout, "{answer:#}")?;
    }
    out.tell(format_args!(
        "mdtool: {}: {good} chunks are as listed, {count} ({bytes}) are not",
        args.image.image.display()
    ));
    if !complete {
        out.tell(format_args!(
            "mdtool: warning: {}: the list was cut off; chunks that it does not have count as bad",
            path.display()
        ));
    }
    if count > 0 {
        out.tell("hint: `mdtool copy SOURCE TARGET --ranges FILE` sends these lines again");
        return Ok(Outcome::No);
    }
    Ok(Outcome::Done)
}

/// Chunks that are not as listed.
struct Bad<'a> {
    ranges: Option<Vec<Range<DevPos>>>,
    bytes: Bytes,
    count: u64,
    out: &'a mut dyn std::io::Write,
}

impl Bad<'_> {
    fn note(&mut self, range: &Range<DevPos>) -> anyhow::Result<()> {
        let length = range_len(range);
        self.count = self.count.saturating_add(1);
        self.bytes = self.bytes.checked_add(length).unwrap_or(self.bytes);
        match &mut self.ranges {
            Some(ranges) => ranges.push(range.clone()),
            None => writeln!(self.out, "{} {}", range.start.get(), length.get())?,
        }
        Ok(())
    }
}

impl<R: BufRead> List<R> {
    fn open(text: R) -> anyhow::Result<Self> {
        let mut list = Self {
            text,
            number: 0,
            size: Bytes::ZERO,
            summing: Summing {
                algorithm: Algorithm::Blake3,
                chunk: Bytes::ZERO,
                hash_zeros: false,
            },
            next: None,
            complete: false,
        };
        let first = list.line()?.unwrap_or(Value::Null);
        let version = first.get("mdtool_sums").and_then(Value::as_u64);
        anyhow::ensure!(
            version == Some(1),
            "line 1: expected the first line of a list that `mdtool sum` printed"
        );
        let algorithm = first.get("algorithm").and_then(Value::as_str);
        let algorithm = algorithm.and_then(|word| word.parse().ok());
        list.summing.algorithm = algorithm.context("line 1: expected an algorithm")?;
        let chunk = first.get("chunk_bytes").and_then(Value::as_u64);
        list.summing.chunk = Bytes::new(chunk.context("line 1: expected chunk_bytes")?);
        anyhow::ensure!(
            list.summing.algorithm.takes(list.summing.chunk),
            "line 1: {} does not take chunks of {}",
            list.summing.algorithm,
            list.summing.chunk
        );
        let size = first.get("bytes").and_then(Value::as_u64);
        list.size = Bytes::new(size.context("line 1: expected bytes")?);
        list.advance()?;
        Ok(list)
    }

    /// The next line as JSON; `None` at the end, and for a last line that is not whole.
    fn line(&mut self) -> anyhow::Result<Option<Value>> {
        let mut line = Vec::new();
        let mut limited = Read::take(&mut self.text, LONGEST);
        limited.read_until(b'\n', &mut line)?;
        self.number = self.number.saturating_add(1);
        if line.last() != Some(&b'\n') {
            anyhow::ensure!(
                Bytes::of_len(line.len()) < Bytes::new(LONGEST),
                "line {}: expected one of at most {LONGEST} bytes",
                self.number
            );
            return Ok(None);
        }
        let line = serde_json::from_slice(&line);
        let number = self.number;
        Ok(Some(line.with_context(|| {
            format!("line {number}: expected a JSON object")
        })?))
    }

    /// Goes on to the next chunk's line, or to the end.
    fn advance(&mut self) -> anyhow::Result<()> {
        let before = self.next.take();
        let Some(line) = self.line()? else {
            return Ok(());
        };
        if line.get("chunks").is_some() {
            self.complete = true;
            return Ok(());
        }
        let number = |name: &str| line.get(name).and_then(Value::as_u64);
        let range = number("start").zip(number("length")).and_then(|(start, length)| {
            let start = DevPos::new(start);
            Some(start..start.checked_add(Bytes::new(length))?)
        });
        let behind = before.map_or(DevPos::START, |before| before.range.end);
        let range = range.filter(|range| {
            range.start >= behind && range.end.from_start() <= self.size && !range.is_empty()
        });
        let range = range.with_context(|| {
            format!(
                "line {}: expected start and length of a chunk behind the one above",
                self.number
            )
        })?;
        let value = line.get("value").and_then(Value::as_str);
        self.next = Some(Listed {
            range,
            zeros: line.get("zeros").and_then(Value::as_bool) == Some(true),
            value: value.map(str::to_owned),
        });
        Ok(())
    }

    /// Whether a chunk is as listed; what the list does not have is not.
    fn judge(&mut self, sum: &ChunkSum, bad: &mut Bad<'_>) -> anyhow::Result<bool> {
        let listed = self
            .next
            .as_ref()
            .filter(|listed| listed.range.start == sum.range.start);
        let Some(listed) = listed else {
            bad.note(&sum.range)?;
            return Ok(false);
        };
        let found = sum.hashed.value.as_ref().map(ToString::to_string);
        let same_content = if listed.zeros || sum.hashed.zeros {
            listed.zeros && sum.hashed.zeros
        } else {
            found.is_some() && found == listed.value
        };
        let good = same_content && listed.range == sum.range;
        if !good {
            let range = listed.range.clone();
            bad.note(&range)?;
        }
        self.advance()?;
        Ok(good)
    }
}
