//! Reading a stream: nothing of it is given away before its checksum was found to fit.

use std::io::{self, Read};

use super::{
    CHECK, Check, DATA, END, HEAD, HEADER_LEN, Header, MOST_DATA, StreamFault, StreamProblem,
    Totals, ZEROS, check, numbers,
};
use crate::error::{IoError, IoOp, Result};
use crate::image::PageBuffer;
use crate::units::{Bytes, DevPos};

/// A record that arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// Data, which is in the buffer that was given.
    Data(DevPos),
    /// So many zeros.
    Zeros(DevPos, Bytes),
    /// The end, and all that came.
    End(Totals),
}

/// A stream that is read.
pub struct StreamReader<R> {
    input: R,
    header: Header,
    before: Check,
    /// Bytes read so far.
    at: u64,
    /// Where the next record may begin.
    expected: DevPos,
    totals: Totals,
}

impl<R: Read> StreamReader<R> {
    /// Reads the header.
    ///
    /// # Errors
    ///
    /// [`StreamFault`], or what reading says.
    pub fn open(mut input: R) -> Result<Self> {
        let mut bytes = [0; HEADER_LEN];
        let mut at = 0;
        let whole = fill(&mut input, &mut at, &mut bytes)?;
        let fault = |at, problem| StreamFault { at, problem };
        if !whole {
            let arrived = DevPos::START;
            return Err(fault(at, StreamProblem::Cut { arrived }).into());
        }
        let (header, before) = Header::of_bytes(&bytes).map_err(|problem| fault(0, problem))?;
        Ok(Self {
            input,
            before,
            at,
            expected: header.first,
            header,
            totals: Totals::default(),
        })
    }

    /// What the stream says of itself.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// How far the records that were read reach.
    #[must_use]
    pub const fn arrived(&self) -> DevPos {
        self.expected
    }

    /// The next record; its data is put into `buffer`, which holds nothing of use where this fails.
    ///
    /// # Errors
    ///
    /// [`StreamFault`], or what reading says.
    pub fn next(&mut self, buffer: &mut PageBuffer) -> Result<Record> {
        buffer.clear();
        let begin = self.at;
        let mut head = [0; HEAD];
        self.fill(&mut head)?;
        let [kind, first, second] = numbers(&head);
        let fault = |problem| StreamFault { at: begin, problem };
        if kind == END {
            return self.end(&head, first, second).map_err(|error| match error {
                Ended::Problem(problem) => fault(problem).into(),
                Ended::Error(error) => error,
            });
        }
        let (start, length) = (DevPos::new(first), Bytes::new(second));
        let end = self.place(kind, start, length).map_err(fault)?;
        if kind == DATA {
            // Bounded by `place`.
            buffer.resize(length.to_usize().unwrap_or(0));
            self.fill(buffer)?;
        }
        let mut said: Check = [0; CHECK];
        self.fill(&mut said)?;
        let found = check(&self.before, &head, buffer);
        if found != said {
            return Err(fault(StreamProblem::Check { start }).into());
        }
        self.before = found;
        self.expected = end;
        Ok(if kind == DATA {
            self.totals.add_data(length);
            Record::Data(start)
        } else {
            self.totals.add_zeros(length);
            Record::Zeros(start, length)
        })
    }

    /// Where a record ends, if it may be where it says.
    fn place(&self, kind: u64, start: DevPos, length: Bytes) -> Result<DevPos, StreamProblem> {
        if kind != DATA && kind != ZEROS {
            return Err(StreamProblem::Kind(kind));
        }
        if length == Bytes::ZERO || (kind == DATA && length > MOST_DATA) {
            return Err(StreamProblem::Length(length));
        }
        let size = self.header.size;
        let end = start.checked_add(length);
        let Some(end) = end.filter(|end| end.from_start() <= size) else {
            return Err(StreamProblem::Outside {
                start,
                length,
                size,
            });
        };
        let gap = start > self.expected && self.header.contents.is_whole();
        if start < self.expected || gap {
            let expected = self.expected;
            return Err(StreamProblem::Place {
                start,
                length,
                expected,
            });
        }
        Ok(end)
    }

    fn end(&mut self, head: &[u8; HEAD], data: u64, zeros: u64) -> Result<Record, Ended> {
        let mut said: Check = [0; CHECK];
        self.fill(&mut said)?;
        let arrived = self.expected;
        if check(&self.before, head, &[]) != said {
            return Err(StreamProblem::Check { start: arrived }.into());
        }
        for (said, found) in [(data, self.totals.data), (zeros, self.totals.zeros)] {
            let said = Bytes::new(said);
            if said != found {
                return Err(StreamProblem::Totals { said, found }.into());
            }
        }
        let size = self.header.size;
        if self.header.contents.is_whole() && arrived.from_start() != size {
            return Err(StreamProblem::Short { arrived, size }.into());
        }
        let mut more = [0];
        if fill(&mut self.input, &mut self.at, &mut more)? {
            return Err(StreamProblem::Trailing.into());
        }
        Ok(Record::End(self.totals))
    }

    /// Fills `buffer`, or says that the stream was cut off.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<()> {
        if fill(&mut self.input, &mut self.at, buffer)? {
            return Ok(());
        }
        let arrived = self.expected;
        let problem = StreamProblem::Cut { arrived };
        Err(StreamFault {
            at: self.at,
            problem,
        }
        .into())
    }
}

/// Why there is no end.
enum Ended {
    Problem(StreamProblem),
    Error(crate::error::Error),
}

impl From<StreamProblem> for Ended {
    fn from(problem: StreamProblem) -> Self {
        Self::Problem(problem)
    }
}

impl From<crate::error::Error> for Ended {
    fn from(error: crate::error::Error) -> Self {
        Self::Error(error)
    }
}

/// Whether the input had as much as `buffer` takes.
fn fill(input: &mut impl Read, at: &mut u64, buffer: &mut [u8]) -> Result<bool> {
    let mut rest = buffer;
    while !rest.is_empty() {
        match input.read(rest) {
            Ok(0) => return Ok(false),
            Ok(count) => {
                *at = at.saturating_add(Bytes::of_len(count).get());
                rest = rest.split_at_mut(count).1;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(IoError::whole(IoOp::Read, error).into()),
        }
    }
    Ok(true)
}
