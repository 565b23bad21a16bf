//! Reading an undo file front to back, a frame at a time, in memory bounded by one record.

use std::ops::Range;

use super::checksum::ContentCrc;
use super::format::{LONGEST_RECORD, RECORD_LEN, RecordHead, WORD_LEN, check_crc, unsealed};
use crate::error::{Result, UndoFault, UndoFileError};
use crate::image::ReadAt;
use crate::units::{Bytes, ImagePos};

/// How much is read at once.
const PIECE: usize = 64 * 1024;

/// A place in an undo file, and what was read ahead of it.
pub(super) struct Reader<'a> {
    file: &'a dyn ReadAt,
    /// Where `buffer` begins.
    base: ImagePos,
    buffer: Vec<u8>,
    /// How much of `buffer` was taken.
    taken: usize,
    /// Of everything taken.
    crc: crc32fast::Hasher,
}

/// One record, read and verified: the contents expanded.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) at: ImagePos,
    pub(super) before: Vec<u8>,
    pub(super) after: Vec<u8>,
    /// Of the contents before and after.
    known: [ContentCrc; 2],
}

impl<'a> Reader<'a> {
    pub(super) fn at(file: &'a dyn ReadAt, base: ImagePos) -> Self {
        Self {
            file,
            base,
            buffer: Vec::new(),
            taken: 0,
            crc: crc32fast::Hasher::new(),
        }
    }

    /// The checksum of everything taken.
    pub(super) fn crc(&self) -> u32 {
        self.crc.clone().finalize()
    }

    /// Where the next byte taken lies.
    pub(super) fn position(&self) -> ImagePos {
        let taken = Bytes::of_len(self.taken);
        self.base.checked_add(taken).unwrap_or(self.base)
    }

    /// How much follows.
    pub(super) fn rest(&self) -> Bytes {
        let end = ImagePos::at(self.file.size());
        end.bytes_since(self.position()).unwrap_or(Bytes::ZERO)
    }

    /// The next `len` bytes, without taking them.
    pub(super) fn peek(&mut self, len: usize) -> Result<&[u8]> {
        if self.ahead().len() < len {
            self.check_rest(len)?;
            self.refill(len)?;
        }
        let ahead = self.ahead();
        Ok(ahead.get(..len).unwrap_or(ahead))
    }

    /// What was read and not taken.
    fn ahead(&self) -> &[u8] {
        self.buffer.get(self.taken..).unwrap_or_default()
    }

    /// Whether the file has `len` bytes more.
    fn check_rest(&self, len: usize) -> Result<(), UndoFileError> {
        let missing = Bytes::of_len(len).saturating_sub(self.rest());
        if missing > Bytes::ZERO {
            let at = ImagePos::at(self.file.size());
            let fault = UndoFault::Truncated { missing };
            return Err(UndoFileError { at, fault });
        }
        Ok(())
    }

    /// The next `len` bytes.
    pub(super) fn take(&mut self, len: usize) -> Result<&[u8]> {
        self.peek(len)?;
        let start = self.taken;
        self.taken = start.saturating_add(len);
        let taken = self.buffer.get(start..self.taken).unwrap_or_default();
        self.crc.update(taken);
        Ok(taken)
    }

    /// The next bytes as an array.
    pub(super) fn peek_array<const N: usize>(&mut self) -> Result<[u8; N]> {
        Ok(self.peek(N)?.first_chunk().map_or([0; N], |bytes| *bytes))
    }

    /// Takes a frame of `len` bytes whose checksum ends it, and answers its last `text_len` bytes before that, as texts of these lengths.
    pub(super) fn texts<const N: usize>(
        &mut self,
        fixed: usize,
        lens: [u16; N],
    ) -> Result<[String; N]> {
        let at = self.position();
        let len = super::journal::frame_len(fixed, &lens);
        let fault = |fault| UndoFileError { at, fault };
        let frame = unsealed(self.take(len)?).map_err(fault)?;
        let mut rest = frame.get(fixed..).unwrap_or_default();
        let mut texts = lens.map(|_| String::new());
        for (text, len) in texts.iter_mut().zip(lens) {
            let (now, later) = rest.split_at(rest.len().min(usize::from(len)));
            let now = str::from_utf8(now).map_err(|_| fault(UndoFault::Text))?;
            now.clone_into(text);
            rest = later;
        }
        Ok(texts)
    }

    /// Takes a record and verifies it.
    pub(super) fn record(&mut self, record: &mut Record) -> Result<()> {
        let at = self.position();
        let fault = |fault| UndoFileError { at, fault };
        let head: [u8; RECORD_LEN] = self.peek_array()?;
        let head = RecordHead::decode(&head).map_err(fault)?;
        self.take(RECORD_LEN)?;
        record.at = ImagePos::new(head.at);
        let len = usize::try_from(head.len).unwrap_or(LONGEST_RECORD);
        let [before_known, after_known] = &mut record.known;
        let contents = [
            (
                head.before_repeats,
                head.before_crc,
                &mut record.before,
                before_known,
            ),
            (
                head.after_repeats,
                head.after_crc,
                &mut record.after,
                after_known,
            ),
        ];
        for (repeats, expected, content, known) in contents {
            let word = if repeats {
                let word: [u8; WORD_LEN] = self.peek_array()?;
                self.taken = self.taken.saturating_add(WORD_LEN);
                // What it holds since the last record need not be made anew.
                if !known.was(word, len) {
                    expand(word, len, content);
                }
                Some(word)
            } else {
                self.take_content(len, content)?;
                None
            };
            let found = known.crc(content, word, &mut self.crc);
            check_crc(found, expected).map_err(fault)?;
        }
        Ok(())
    }

    /// Passes over a record, and answers what it writes to: its contents are not read.
    pub(super) fn pass_record(&mut self) -> Result<Range<ImagePos>> {
        let at = self.position();
        let fault = |fault| UndoFileError { at, fault };
        let head: [u8; RECORD_LEN] = self.peek_array()?;
        let head = RecordHead::decode(&head).map_err(fault)?;
        let len = usize::try_from(head.len).unwrap_or(LONGEST_RECORD);
        let mut frame = RECORD_LEN;
        for repeats in [head.before_repeats, head.after_repeats] {
            frame = frame.saturating_add(if repeats { WORD_LEN } else { len });
        }
        self.check_rest(frame)?;
        self.taken = self.taken.saturating_add(frame);
        if self.taken > self.buffer.len() {
            self.base = self.position();
            self.buffer.clear();
            self.taken = 0;
        }
        let start = ImagePos::new(head.at);
        let end = start.checked_add(Bytes::of_len(len)).unwrap_or(start);
        Ok(start..end)
    }

    /// Takes the next `len` bytes into `content`, where what was not read ahead is read to at once; no checksum knows of them yet.
    fn take_content(&mut self, len: usize, content: &mut Vec<u8>) -> Result<()> {
        self.check_rest(len)?;
        content.resize(len, 0);
        let ahead = self.ahead();
        let ahead = ahead.get(..len).unwrap_or(ahead);
        let (known, new) = content.split_at_mut(ahead.len());
        known.copy_from_slice(ahead);
        self.taken = self.taken.saturating_add(known.len());
        if !new.is_empty() {
            let at = self.position();
            self.file.read_exact_at(at, new)?;
            self.base = at.checked_add(Bytes::of_len(new.len())).unwrap_or(at);
            self.buffer.clear();
            self.taken = 0;
        }
        Ok(())
    }

    /// Reads on, so that `len` bytes at least follow what was taken.
    fn refill(&mut self, len: usize) -> Result<()> {
        self.base = self.position();
        self.buffer.drain(..self.taken.min(self.buffer.len()));
        self.taken = 0;
        let have = self.buffer.len();
        let want = Bytes::of_len(len.max(PIECE)).min(self.rest());
        self.buffer.resize(want.to_usize().unwrap_or(len), 0);
        let from = self.base.checked_add(Bytes::of_len(have));
        let new = self.buffer.get_mut(have..).unwrap_or_default();
        self.file.read_exact_at(from.unwrap_or(self.base), new)
    }
}

/// Makes `content` `len` bytes of `word` again and again.
fn expand(word: [u8; WORD_LEN], len: usize, content: &mut Vec<u8>) {
    content.clear();
    content.extend(word);
    while content.len() < len {
        let more = len.saturating_sub(content.len()).min(content.len());
        content.extend_from_within(..more);
    }
    content.truncate(len);
}
