//! Reading an undo file front to back, a frame at a time, in memory bounded by one record.

use super::format::{LONGEST_RECORD, RECORD_LEN, RecordHead, WORD_LEN, check_crc, unsealed};
use crate::error::{Result, UndoFault, UndoFileError};
use crate::image::ReadAt;
use crate::units::{Bytes, ImagePos};

/// How much is read at once.
const PIECE: usize = 256 * 1024;

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
        let ahead = self.buffer.len().saturating_sub(self.taken);
        if ahead < len {
            let missing = Bytes::of_len(len).saturating_sub(self.rest());
            if missing > Bytes::ZERO {
                let at = ImagePos::at(self.file.size());
                let fault = UndoFault::Truncated { missing };
                return Err(UndoFileError { at, fault }.into());
            }
            self.refill(len)?;
        }
        let ahead = self.buffer.get(self.taken..).unwrap_or_default();
        Ok(ahead.get(..len).unwrap_or(ahead))
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
        let contents = [
            (head.before_repeats, head.before_crc, &mut record.before),
            (head.after_repeats, head.after_crc, &mut record.after),
        ];
        for (repeats, crc, content) in contents {
            content.clear();
            if repeats {
                content.extend(self.take(WORD_LEN)?);
                while content.len() < len {
                    let more = len.saturating_sub(content.len()).min(content.len());
                    content.extend_from_within(..more);
                }
                content.truncate(len);
            } else {
                content.extend(self.take(len)?);
            }
            check_crc(content, crc).map_err(fault)?;
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
