//! Files of ranges, as people and tools write them, known by their form.
//!
//! | form | what a range is |
//! |---|---|
//! | a line each | whatever the caller makes of a line; empty lines and those that begin with `#` are passed over |
//! | `qemu-img map --output=json` | what has `"data": true` |
//! | `xfs_bmap -v` | BLOCK-RANGE, in sectors of the device |
//! | `filefrag -v` | `physical_offset`, in blocks of the size that is said of the file |
//!
//! The last two name places on the device that the file system is on. Nothing is held but the line, or the object, at hand.

mod extents;
mod qemu;

use std::io::{BufRead, BufReader, Chain, Cursor, Read};
use std::ops::Range;

use crate::error::{IoError, IoOp, Refusal, Result};
use crate::units::{Bytes, DevPos};

/// What shows the form of a file.
const BEGINNING: u64 = 4096;
/// A line longer than that is none of ours: the longest names are shorter.
const LONGEST_LINE: u64 = 16 << 10;

/// The form of a file of ranges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Form {
    /// A range a line.
    Lines,
    /// `qemu-img map --output=json`.
    QemuMap,
    /// `xfs_bmap -v`.
    XfsBmap,
    /// `filefrag -v`.
    Filefrag,
}

impl Form {
    /// The form of a file that begins so.
    #[must_use]
    pub fn of(beginning: &[u8]) -> Self {
        let text = String::from_utf8_lossy(beginning);
        let first = |start: &str| {
            text.lines()
                .any(|line| line.trim_start().starts_with(start))
        };
        if text.trim_start().starts_with('[') {
            Self::QemuMap
        } else if first("EXT:") {
            Self::XfsBmap
        } else if first("Filesystem type is:") || first("File size of ") {
            Self::Filefrag
        } else {
            Self::Lines
        }
    }
}

/// A file of ranges with something in it that is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
#[non_exhaustive]
pub struct Malformed {
    /// Where.
    pub line: u64,
    /// What is wrong with it, or what was expected.
    pub why: String,
}

impl Refusal for Malformed {}

/// What a caller makes of a line.
pub type OfLine = fn(&str) -> std::result::Result<Range<DevPos>, String>;

/// A file of ranges, one after the other.
pub struct RangeFile<R> {
    text: BufReader<Chain<Cursor<Vec<u8>>, R>>,
    form: Form,
    of_line: OfLine,
    line: u64,
    /// What the lines before said of those that follow.
    state: State,
}

/// What has been read so far.
#[derive(Default)]
struct State {
    /// `filefrag`: the size of a block.
    block: Option<Bytes>,
    /// `xfs_bmap -vv`: what flags mean, up to the next file.
    legend: bool,
    /// `qemu-img`: the list has begun; it has ended.
    begun: bool,
    ended: bool,
}

impl<R: Read> RangeFile<R> {
    /// Reads the beginning, which shows the form; `of_line` reads a line where that is a range each.
    ///
    /// # Errors
    ///
    /// [`IoError`].
    pub fn new(mut text: R, of_line: OfLine) -> Result<Self> {
        let mut beginning = Vec::new();
        let read = text.by_ref().take(BEGINNING).read_to_end(&mut beginning);
        read.map_err(refused)?;
        Ok(Self {
            form: Form::of(&beginning),
            text: BufReader::new(Cursor::new(beginning).chain(text)),
            of_line,
            line: 1,
            state: State::default(),
        })
    }

    /// Its form.
    #[must_use]
    pub const fn form(&self) -> Form {
        self.form
    }

    /// The next range; `None` after the last.
    ///
    /// # Errors
    ///
    /// [`Malformed`], [`IoError`].
    pub fn next_range(&mut self) -> Result<Option<Range<DevPos>>> {
        if self.form == Form::QemuMap {
            return qemu::next(self);
        }
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let line = (&mut self.text)
                .take(LONGEST_LINE)
                .read_until(b'\n', &mut bytes);
            if line.map_err(refused)? == 0 {
                return Ok(None);
            }
            let text = String::from_utf8_lossy(&bytes);
            let range = match self.form {
                Form::XfsBmap => extents::xfs_bmap(&text, &mut self.state.legend),
                Form::Filefrag => extents::filefrag(&text, &mut self.state.block),
                Form::Lines | Form::QemuMap => self.plain(text.trim()),
            };
            let range = range.map_err(|why| self.malformed(why))?;
            self.line = self.line.saturating_add(1);
            if range.is_some() {
                return Ok(range);
            }
        }
    }

    fn plain(&self, line: &str) -> std::result::Result<Option<Range<DevPos>>, String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        (self.of_line)(line).map(Some)
    }

    fn malformed(&self, why: String) -> Malformed {
        Malformed {
            line: self.line,
            why,
        }
    }

    /// The next byte, which is taken.
    fn byte(&mut self) -> Result<Option<u8>> {
        let Some(byte) = self.peek()? else {
            return Ok(None);
        };
        self.text.consume(1);
        self.line = self.line.saturating_add(u64::from(byte == b'\n'));
        Ok(Some(byte))
    }

    /// The next byte, which stays.
    fn peek(&mut self) -> Result<Option<u8>> {
        loop {
            match self.text.fill_buf() {
                Ok(bytes) => return Ok(bytes.first().copied()),
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(refused(error).into()),
            }
        }
    }
}

fn refused(error: std::io::Error) -> IoError {
    IoError::whole(IoOp::Read, error)
}

/// `count` units of so many bytes from unit `first` on.
fn units(first: u64, count: u64, unit: Bytes) -> std::result::Result<Range<DevPos>, String> {
    let at = |units| unit.checked_mul(units).map(DevPos::at);
    let end = first.checked_add(count).and_then(at);
    let range = at(first).zip(end).map(|(start, end)| start..end);
    range.ok_or_else(|| "expected an end before 16 EiB".to_owned())
}

#[cfg(test)]
mod tests;
