//! A dump's text as it streams by: a window of about 1 MiB over it, which knows where it is.
//!
//! ```text
//! |  kept, at most KEPT  |  unread  |  room for the next read  |
//! base                   start      end
//! ```
//!
//! What lies before the window is gone but for the count of its newlines. Columns are reckoned only when a place is asked for.

use std::io::{self, Read};
use std::ops::Range;

use crate::error::{IoError, IoOp, Result};
use crate::units::{Bytes, TextPos};

/// Bytes asked for at once.
const CHUNK: usize = 1 << 20;
/// Bytes kept before the unread ones, to show a line from its start: more than the longest token and half a shown line.
const KEPT: usize = 512;
/// Bytes that [`Text::ensure`] gives at most: twice what any token and what follows it need.
pub(super) const LOOKAHEAD: usize = 256;
/// Bytes of a line shown on each side of a place.
const SHOWN: usize = 60;

/// A dump's text.
pub(super) struct Text<'a> {
    read: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    unread: Range<usize>,
    /// Where the buffer's first byte stands in the text.
    base: u64,
    /// Where that byte's line begins.
    line_start: u64,
    /// Newlines before the first unread byte.
    newlines: u64,
    ended: bool,
}

/// A place in the text, as people look for it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) line: u64,
    pub(super) column: u64,
    /// The line, printable and cut.
    pub(super) line_text: String,
    /// Characters of it before the place.
    pub(super) mark: usize,
}

impl<'a> Text<'a> {
    /// The text that `read` gives; nothing is read yet.
    pub(super) fn new(read: impl Read + 'a) -> Self {
        Self {
            read: Box::new(read),
            buffer: vec![0; CHUNK.saturating_add(KEPT).saturating_add(LOOKAHEAD)],
            unread: 0..0,
            base: 0,
            line_start: 0,
            newlines: 0,
            ended: false,
        }
    }

    /// What is in the window and not consumed.
    pub(super) fn unread(&self) -> &[u8] {
        self.buffer.get(self.unread.clone()).unwrap_or_default()
    }

    /// Where the first unread byte stands.
    pub(super) fn at(&self) -> TextPos {
        TextPos::new(
            self.base
                .saturating_add(Bytes::of_len(self.unread.start).get()),
        )
    }

    /// Marks the first `count` unread bytes as read, of which so many are newlines.
    pub(super) fn consume(&mut self, count: usize, newlines: u64) {
        self.unread.start = self.unread.start.saturating_add(count).min(self.unread.end);
        self.newlines = self.newlines.saturating_add(newlines);
    }

    /// Reads on until `count` bytes are unread, at most [`LOOKAHEAD`], or the text ends.
    pub(super) fn ensure(&mut self, count: usize) -> Result<()> {
        while self.unread.len() < count && !self.ended {
            self.fill()?;
        }
        Ok(())
    }

    /// Reads once.
    fn fill(&mut self) -> Result<()> {
        self.forget();
        let room = self.buffer.get_mut(self.unread.end..).unwrap_or(&mut []);
        match self.read.read(room) {
            Ok(0) => self.ended = true,
            Ok(count) => {
                self.unread.end = self.unread.end.saturating_add(count).min(self.buffer.len());
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(IoError::whole(IoOp::ReadDump, error).into()),
        }
        Ok(())
    }

    /// Lets all but the last read bytes go.
    fn forget(&mut self) {
        let gone = self.unread.start.saturating_sub(KEPT);
        if let Some(last) = last_newline(self.buffer.get(..gone).unwrap_or_default()) {
            self.line_start = after(self.base, last);
        }
        self.buffer.copy_within(gone..self.unread.end, 0);
        self.unread = self.unread.start.saturating_sub(gone)..self.unread.end.saturating_sub(gone);
        self.base = self.base.saturating_add(Bytes::of_len(gone).get());
    }

    /// What a place is called, if it is still in the window.
    ///
    /// Reads on to show the line's rest; what goes wrong there does not matter any more.
    pub(super) fn place(&mut self, at: TextPos) -> Place {
        let _ = self.ensure(SHOWN);
        let index = usize::try_from(at.get().saturating_sub(self.base)).unwrap_or(usize::MAX);
        let known = self.buffer.get(..self.unread.end).unwrap_or_default();
        let (before, behind) = known
            .split_at_checked(index)
            .unwrap_or((known, Default::default()));
        let since = count_newlines(known.get(index..self.unread.start).unwrap_or_default());
        let until = count_newlines(known.get(self.unread.start..index).unwrap_or_default());
        let last = last_newline(before);
        let line_start = last.map_or(self.line_start, |last| after(self.base, last));
        let line_before = last
            .and_then(|last| before.get(last.saturating_add(1)..))
            .unwrap_or(before);
        let cut = line_before.len().saturating_sub(SHOWN);
        let mut line_text = printable(line_before.get(cut..).unwrap_or_default());
        let mark = line_text.chars().count();
        let line_behind = behind
            .split(|byte| *byte == b'\n')
            .next()
            .unwrap_or_default();
        line_text.push_str(&printable(
            line_behind
                .get(..SHOWN)
                .unwrap_or(line_behind)
                .trim_ascii_end(),
        ));
        Place {
            line: self
                .newlines
                .saturating_sub(since)
                .saturating_add(until)
                .saturating_add(1),
            column: at.get().saturating_sub(line_start).saturating_add(1),
            line_text,
            mark,
        }
    }
}

/// The position after a byte of the buffer.
fn after(base: u64, index: usize) -> u64 {
    base.saturating_add(Bytes::of_len(index).get())
        .saturating_add(1)
}

fn last_newline(bytes: &[u8]) -> Option<usize> {
    bytes.iter().rposition(|byte| *byte == b'\n')
}

/// Counts newlines, in pieces whose count fits a byte: the compiler makes vector code of that.
fn count_newlines(bytes: &[u8]) -> u64 {
    let piece = |piece: &[u8]| {
        piece.iter().fold(0_u8, |count, byte| {
            count.wrapping_add(u8::from(*byte == b'\n'))
        })
    };
    bytes
        .chunks(usize::from(u8::MAX))
        .map(|bytes| u64::from(piece(bytes)))
        .fold(0, u64::saturating_add)
}

/// Bytes as text that does no harm to a terminal.
pub(super) fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|char| match char {
            '\t' => ' ',
            _ if char.is_control() => char::REPLACEMENT_CHARACTER,
            _ => char,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Consumes `count` bytes, however many windows that takes.
    fn skip(text: &mut Text<'_>, count: usize) {
        for _ in 0..count {
            text.ensure(1).unwrap();
            let newline = u64::from(text.unread()[0] == b'\n');
            text.consume(1, newline);
        }
    }

    /// A reader that gives `step` bytes at a time.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let step = self.1.min(buf.len());
            self.0.read(&mut buf[..step])
        }
    }

    #[test]
    fn lines_are_counted_through_every_window() {
        let line = "0123456789\n";
        let whole = line.repeat(3_000_000 / line.len());
        for step in [CHUNK * 2, 4093] {
            let mut text = Text::new(Slow(whole.as_bytes(), step));
            let mut consumed = 0;
            for target in [0, 5, 10, 11, 1_048_575, 1_048_576, 1_050_000, 2_999_990] {
                skip(&mut text, target - consumed);
                consumed = target;
                let at = text.at();
                let place = text.place(at);
                let expected = Place {
                    line: u64::try_from(target / line.len() + 1).unwrap(),
                    column: u64::try_from(target % line.len() + 1).unwrap(),
                    line_text: "0123456789".to_owned(),
                    mark: target % line.len(),
                };
                assert_eq!(place, expected, "{target} by {step}");
            }
        }
    }

    #[test]
    fn a_line_of_megabytes_is_cut_where_it_is_shown() {
        let mut whole = vec![b'\n'];
        whole.resize(3 << 20, b'x');
        let mut text = Text::new(&*whole);
        skip(&mut text, 2 << 20);
        let at = text.at();
        let place = text.place(at);
        assert_eq!((place.line, place.column), (2, 2 << 20));
        assert_eq!(place.line_text, "x".repeat(2 * SHOWN));
        assert_eq!(place.mark, SHOWN);
        assert_eq!(text.buffer.len(), CHUNK + KEPT + LOOKAHEAD);
    }

    #[test]
    fn what_a_terminal_would_obey_is_replaced() {
        let mut text = Text::new(&b"a\x1b[2J\tb\xFF; \r\nnext"[..]);
        skip(&mut text, 6);
        let at = text.at();
        let place = text.place(at);
        assert_eq!(place.line_text, "a\u{FFFD}[2J b\u{FFFD};");
        assert_eq!(place.mark, 6);
    }

    #[test]
    fn a_read_error_is_told_as_such() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("gone"))
            }
        }
        let error = Text::new(Broken).ensure(1).unwrap_err();
        assert_eq!(error.to_string(), "cannot read the dump");
    }
}
