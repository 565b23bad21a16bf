//! Writing a stream.

use std::io::{self, Write};

use super::{Check, DATA, END, Header, MOST_DATA, ZEROS, check, head};
use crate::error::{IoError, IoOp, Result};
use crate::truck::TruckRefusal;
use crate::truck::pieces::{Part, Piece};
use crate::units::{Bytes, DevPos};

/// What went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Totals {
    /// Bytes of data.
    pub data: Bytes,
    /// Bytes that are zeros, of which only the number is sent.
    pub zeros: Bytes,
}

impl Totals {
    /// Both together.
    #[must_use]
    pub fn all(self) -> Bytes {
        self.data.saturating_add(self.zeros)
    }

    pub(in crate::truck) fn add_data(&mut self, len: Bytes) {
        self.data = self.data.saturating_add(len);
    }

    pub(in crate::truck) fn add_zeros(&mut self, len: Bytes) {
        self.zeros = self.zeros.saturating_add(len);
    }
}

/// A stream that is written.
pub struct StreamWriter<W> {
    out: W,
    before: Check,
    /// Small things that go out with the next data.
    waiting: Vec<u8>,
    /// Zeros that may go on.
    zeros: Option<(DevPos, Bytes)>,
    totals: Totals,
    sent: Bytes,
}

impl<W: Write> StreamWriter<W> {
    /// Begins with the header.
    ///
    /// # Errors
    ///
    /// Where it cannot be written: [`TruckRefusal::ReceiverGone`] or [`IoError`].
    pub fn new(out: W, header: &Header) -> Result<Self> {
        let bytes = header.to_bytes();
        let mut before = [0; super::CHECK];
        let at = bytes.len().saturating_sub(before.len());
        before.copy_from_slice(bytes.split_at(at).1);
        let mut stream = Self {
            out,
            before,
            waiting: bytes.to_vec(),
            zeros: None,
            totals: Totals::default(),
            sent: Bytes::ZERO,
        };
        // The receiver looks at its target while the first piece is read here.
        stream.flush()?;
        Ok(stream)
    }

    /// A piece, behind those before.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn piece(&mut self, piece: &Piece) -> Result<()> {
        piece.parts(&mut |part| match part {
            Part::Zeros(at, len) => self.add_zeros(at, len),
            Part::Data(at, bytes) => self.data(at, bytes),
        })
    }

    fn add_zeros(&mut self, at: DevPos, len: Bytes) -> Result<()> {
        if let Some((start, before)) = self.zeros
            && start.checked_add(before) == Some(at)
            && let Some(sum) = before.checked_add(len)
        {
            self.zeros = Some((start, sum));
            return Ok(());
        }
        self.flush_zeros()?;
        self.zeros = Some((at, len)).filter(|_| len > Bytes::ZERO);
        Ok(())
    }

    fn flush_zeros(&mut self) -> Result<()> {
        let Some((at, len)) = self.zeros.take() else {
            return Ok(());
        };
        self.totals.add_zeros(len);
        self.record(head([ZEROS, at.get(), len.get()]), &[])
    }

    fn data(&mut self, mut at: DevPos, bytes: &[u8]) -> Result<()> {
        self.flush_zeros()?;
        for part in bytes.chunks(MOST_DATA.to_usize().unwrap_or(1)) {
            let len = Bytes::of_len(part.len());
            self.totals.add_data(len);
            self.record(head([DATA, at.get(), len.get()]), part)?;
            at = at.saturating_add(len);
        }
        Ok(())
    }

    fn record(&mut self, head: [u8; super::HEAD], data: &[u8]) -> Result<()> {
        self.before = check(&self.before, &head, data);
        self.waiting.extend_from_slice(&head);
        if !data.is_empty() {
            self.flush()?;
            self.write(data)?;
        }
        self.waiting.extend_from_slice(&self.before);
        if Bytes::of_len(self.waiting.len()) > MOST_DATA {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes the end record; nothing is complete without.
    ///
    /// # Errors
    ///
    /// As [`Self::new`].
    pub fn finish(mut self) -> Result<Totals> {
        self.flush_zeros()?;
        let (data, zeros) = (self.totals.data.get(), self.totals.zeros.get());
        self.record(head([END, data, zeros]), &[])?;
        self.flush()?;
        Ok(self.totals)
    }

    fn flush(&mut self) -> Result<()> {
        let waiting = std::mem::take(&mut self.waiting);
        let written = self.write(&waiting);
        self.waiting = waiting;
        self.waiting.clear();
        written
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.out.write_all(bytes).map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                return TruckRefusal::ReceiverGone { sent: self.sent }.into();
            }
            crate::error::Error::from(IoError::whole(IoOp::WriteOutput, error))
        })?;
        let sent = self.sent.checked_add(Bytes::of_len(bytes.len()));
        self.sent = sent.unwrap_or(self.sent);
        Ok(())
    }
}
