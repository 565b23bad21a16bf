//! A list of checksums that is read, line by line.

use std::io::{BufRead, Read};
use std::ops::Range;

use anyhow::Context;
use serde_json::Value;

use crate::truck::hash::Algorithm;
use crate::truck::sums::{ChunkSum, Summing, chunk_range};
use crate::units::{Bytes, DevPos};

/// The longest line that is read: the first has the image's path.
const LONGEST: u64 = 64 << 10;

/// A line of a list.
pub(crate) struct Listed {
    pub(crate) range: Range<DevPos>,
    pub(crate) zeros: bool,
    pub(crate) value: Option<String>,
}

/// A list, front to back.
pub(crate) struct List<R> {
    text: R,
    number: u64,
    pub(crate) size: Bytes,
    pub(crate) summing: Summing,
    /// The chunk that comes next.
    pub(crate) next: Option<Listed>,
    /// Whether its last line came.
    pub(crate) complete: bool,
}

impl<R: BufRead> List<R> {
    /// Reads what was summed, and the first chunk.
    pub(crate) fn open(text: R) -> anyhow::Result<Self> {
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

    /// Where a chunk is not as listed, the next one being looked at; what the list does not have is not.
    pub(crate) fn differing(&mut self, sum: &ChunkSum) -> anyhow::Result<Option<Range<DevPos>>> {
        let listed = self.next.as_ref();
        let listed = listed.filter(|listed| listed.range.start == sum.range.start);
        let Some(listed) = listed else {
            return Ok(Some(sum.range.clone()));
        };
        let found = sum.hashed.value.as_ref().map(ToString::to_string);
        let same_content = if listed.zeros || sum.hashed.zeros {
            listed.zeros && sum.hashed.zeros
        } else {
            found.is_some() && found == listed.value
        };
        let good = same_content && listed.range == sum.range;
        let range = (!good).then(|| listed.range.clone());
        self.advance()?;
        Ok(range)
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
        // Where in the line says little, and serde_json counts lines from this one on.
        let line = line.ok();
        Ok(Some(line.with_context(|| {
            format!("line {number}: expected a JSON object, as `mdtool sum` prints one on each line")
        })?))
    }

    /// Goes on to the next chunk's line, or to the end.
    pub(crate) fn advance(&mut self) -> anyhow::Result<()> {
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
        let (chunk, size) = (self.summing.chunk, self.size);
        let number = range.start.from_start().whole_units(chunk);
        anyhow::ensure!(
            chunk_range(number, chunk, size).as_ref() == Some(&range),
            "line {}: expected a chunk of {chunk}, as line 1 says, which only the last may be shorter than",
            self.number
        );
        let value = line.get("value").and_then(Value::as_str);
        self.next = Some(Listed {
            range,
            zeros: line.get("zeros").and_then(Value::as_bool) == Some(true),
            value: value.map(str::to_owned),
        });
        Ok(())
    }
}
