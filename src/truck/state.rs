//! What has arrived: a small text that is on disk before anything depends on it.
//!
//! ```text
//! mdtool copy state 1
//! contents level
//! level 1
//! size 67108864
//! current-uuid 0x1122334455667788
//! since-uuid 0x0000000000000000
//! device-uuid 0x1122334455667788
//! target-size 67108864
//! target /dev/vg/copy
//! verified 33554432
//! mark 0 65536 af13…, the BLAKE3 value of so many verified bytes that begin there
//! check 6e0c…, the BLAKE3 value of all lines before
//! ```
//!
//! A copy goes from its first byte to its last, so that one position says it all: what lies before it was verified, written and synced.
//! The marks say on which disk: names are given anew, also to other disks of the same size.

use std::fmt::Write as _;

use super::TruckRefusal;
use super::pieces::PIECE;
use super::stream::{Contents, Header};
use crate::error::Result;
use crate::image::ReadAt;
use crate::units::{Bytes, DevPos, ImagePos};

/// What every state begins with.
pub const FIRST_LINE: &str = "mdtool copy state 1";
/// The longest state that is read: a path has 4096 bytes at most.
pub const LONGEST: Bytes = Bytes::new(16 << 10);
/// As many marks are kept, so that little is read back before a copy goes on.
const MOST_MARKS: usize = 16;

/// Bytes by which a target is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Where they begin.
    at: DevPos,
    /// How many there are, [`PIECE`] at most.
    len: Bytes,
    /// Their BLAKE3 value.
    hash: String,
}

impl Mark {
    /// The mark of what a target has there.
    fn read(target: &(impl ReadAt + ?Sized), at: DevPos, len: Bytes) -> Result<Self> {
        let len = len.min(PIECE);
        let mut bytes = vec![0; len.to_usize().unwrap_or(0)];
        target.read_exact_at(ImagePos::at(at.from_start()), &mut bytes)?;
        let hash = blake3::hash(&bytes).to_string();
        Ok(Self { at, len, hash })
    }
}

/// How far a copy is, and which copy it is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct State {
    /// What is copied.
    pub contents: Contents,
    /// Of which level.
    pub level: u32,
    /// The size of the copy.
    pub size: Bytes,
    /// The source's current UUID.
    pub current_uuid: u64,
    /// The generation that a delta is since.
    pub since_uuid: u64,
    /// The source's device UUID.
    pub device_uuid: u64,
    /// The size that the target has.
    pub target_size: Bytes,
    /// Where the target is.
    pub target: String,
    /// How far it is.
    pub verified: DevPos,
    /// Some of what was verified, the first data and the last among it.
    pub marks: Vec<Mark>,
}

impl State {
    /// The beginning of the copy that a header describes.
    #[must_use]
    pub fn begin(header: &Header, target: String, target_size: Bytes) -> Self {
        Self {
            contents: header.contents,
            level: header.level,
            size: header.size,
            current_uuid: header.current_uuid,
            since_uuid: header.since_uuid,
            device_uuid: header.device_uuid,
            target_size,
            target,
            verified: DevPos::START,
            marks: Vec::new(),
        }
    }

    /// Where to go on: the start where nothing by which the target could be known again has arrived.
    #[must_use]
    pub const fn goes_on_at(&self) -> DevPos {
        if self.marks.is_empty() {
            DevPos::START
        } else {
            self.verified
        }
    }

    /// Notes what the target has there as a mark.
    ///
    /// # Errors
    ///
    /// What reading it back says.
    pub fn add_mark(
        &mut self,
        target: &(impl ReadAt + ?Sized),
        at: DevPos,
        len: Bytes,
    ) -> Result<()> {
        if self.marks.len() >= MOST_MARKS {
            // Every second one, with the first.
            let mut is_kept = false;
            self.marks.retain(|_| {
                is_kept = !is_kept;
                is_kept
            });
        }
        self.marks.push(Mark::read(target, at, len)?);
        Ok(())
    }

    /// Refuses a target that has not what the copy has put there.
    ///
    /// # Errors
    ///
    /// [`TruckRefusal::OtherDisk`]; what reading says.
    pub fn must_be_on(&self, target: &(impl ReadAt + ?Sized)) -> Result<()> {
        for mark in &self.marks {
            if Mark::read(target, mark.at, mark.len)? != *mark {
                let (at, len) = (mark.at, mark.len);
                return Err(TruckRefusal::OtherDisk { at, len }.into());
            }
        }
        Ok(())
    }

    /// Its text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!(
            "{FIRST_LINE}\ncontents {}\nlevel {}\nsize {}\n",
            self.contents.word(),
            self.level,
            self.size.get()
        );
        for (name, uuid) in [
            ("current", self.current_uuid),
            ("since", self.since_uuid),
            ("device", self.device_uuid),
        ] {
            // A string never refuses to be written to.
            let _ = writeln!(text, "{name}-uuid 0x{uuid:016X}");
        }
        let _ = writeln!(text, "target-size {}", self.target_size.get());
        // A name with a line break is still one line; it is compared with one that is printed the same way.
        let _ = writeln!(text, "target {}", self.target.replace('\n', "\\n"));
        let _ = writeln!(text, "verified {}", self.verified.get());
        for Mark { at, len, hash } in &self.marks {
            let _ = writeln!(text, "mark {} {} {hash}", at.get(), len.get());
        }
        let check = blake3::hash(text.as_bytes());
        let _ = writeln!(text, "check {check}");
        text
    }

    /// The state that a text says.
    ///
    /// # Errors
    ///
    /// [`TruckRefusal::State`] and [`TruckRefusal::StateChecksum`].
    pub fn parse(text: &[u8]) -> Result<Self, TruckRefusal> {
        let wrong = |line, expected| TruckRefusal::State { line, expected };
        let text = std::str::from_utf8(text).map_err(|_| wrong(1, "a text in UTF-8"))?;
        let mut lines = text.split_inclusive('\n').enumerate();
        let mut next = |name: &'static str| {
            let (number, line) = lines.next().unwrap_or((0, ""));
            let line = line.strip_suffix('\n');
            let value = line.and_then(|line| line.strip_prefix(name));
            value.ok_or_else(|| wrong(number.saturating_add(1), name))
        };
        next(FIRST_LINE).and_then(nothing(FIRST_LINE))?;
        let mut state = Self {
            contents: Contents::of_word(next("contents ")?)
                .ok_or_else(|| wrong(2, "level, data, ranges or changed"))?,
            level: decimal(next("level ")?, 3)?,
            size: Bytes::new(decimal(next("size ")?, 4)?),
            current_uuid: uuid(next("current-uuid ")?, 5)?,
            since_uuid: uuid(next("since-uuid ")?, 6)?,
            device_uuid: uuid(next("device-uuid ")?, 7)?,
            target_size: Bytes::new(decimal(next("target-size ")?, 8)?),
            target: next("target ")?.to_owned(),
            verified: DevPos::new(decimal(next("verified ")?, 10)?),
            marks: Vec::new(),
        };
        let check = loop {
            let (number, line) = lines.next().unwrap_or((0, ""));
            let (line, number) = (
                line.strip_suffix('\n').unwrap_or(""),
                number.saturating_add(1),
            );
            let Some(value) = line.strip_prefix("mark ") else {
                let check = line.strip_prefix("check ");
                break check.ok_or_else(|| wrong(number, "check "))?;
            };
            state.marks.push(mark(value, number, state.verified)?);
        };
        if let Some((number, _)) = lines.next() {
            return Err(wrong(number.saturating_add(1), "no more lines"));
        }
        let said = text.rfind("check ").and_then(|at| text.get(..at));
        let found = blake3::hash(said.unwrap_or_default().as_bytes());
        if *found.to_hex() != *check {
            return Err(TruckRefusal::StateChecksum);
        }
        if state.verified.from_start() > state.size {
            return Err(wrong(10, "a position within the copy"));
        }
        Ok(state)
    }

    /// Refuses a state that is not that of the copy which a header describes.
    ///
    /// # Errors
    ///
    /// [`TruckRefusal::OtherCopy`].
    pub fn must_be_of(&self, header: &Header) -> Result<(), TruckRefusal> {
        let uuid = |uuid| format!("0x{uuid:016X}");
        let pairs = [
            (
                "what is copied",
                self.contents.word().to_owned(),
                header.contents.word().to_owned(),
            ),
            ("level", self.level.to_string(), header.level.to_string()),
            ("size", self.size.to_string(), header.size.to_string()),
            (
                "current UUID",
                uuid(self.current_uuid),
                uuid(header.current_uuid),
            ),
            (
                "generation that it is since",
                uuid(self.since_uuid),
                uuid(header.since_uuid),
            ),
            (
                "device UUID",
                uuid(self.device_uuid),
                uuid(header.device_uuid),
            ),
        ];
        same(pairs)
    }

    /// Refuses a state of another target.
    ///
    /// # Errors
    ///
    /// [`TruckRefusal::OtherCopy`].
    pub fn must_be_for(&self, target: &str, target_size: Bytes) -> Result<(), TruckRefusal> {
        let target = target.replace('\n', "\\n");
        same([
            ("target", self.target.clone(), target),
            (
                "size of the target",
                self.target_size.to_string(),
                target_size.to_string(),
            ),
        ])
    }
}

fn same<const N: usize>(pairs: [(&'static str, String, String); N]) -> Result<(), TruckRefusal> {
    let other = pairs
        .into_iter()
        .find(|(_, found, expected)| found != expected);
    match other {
        None => Ok(()),
        Some((field, found, expected)) => Err(TruckRefusal::OtherCopy {
            field,
            found,
            expected,
        }),
    }
}

fn nothing(expected: &'static str) -> impl Fn(&str) -> Result<(), TruckRefusal> {
    move |rest| {
        let wrong = TruckRefusal::State { line: 1, expected };
        if rest.is_empty() { Ok(()) } else { Err(wrong) }
    }
}

fn decimal<N: std::str::FromStr>(value: &str, line: usize) -> Result<N, TruckRefusal> {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let number = value.parse().ok().filter(|_| digits);
    number.ok_or(TruckRefusal::State {
        line,
        expected: "a number",
    })
}

fn mark(value: &str, line: usize, verified: DevPos) -> Result<Mark, TruckRefusal> {
    let mut words = value.split(' ');
    let mut next = || words.next().unwrap_or("");
    let (at, len, hash) = (next(), next(), next());
    let mark = Mark {
        at: DevPos::new(decimal(at, line)?),
        len: Bytes::new(decimal(len, line)?),
        hash: hash.to_owned(),
    };
    let end = mark.at.checked_add(mark.len);
    let within = mark.len <= PIECE && end.is_some_and(|end| end <= verified);
    let expected = "a position and a length within what was verified, and a checksum";
    let mark = Some(mark).filter(|_| within && words.next().is_none());
    mark.ok_or(TruckRefusal::State { line, expected })
}

fn uuid(value: &str, line: usize) -> Result<u64, TruckRefusal> {
    let digits = value.strip_prefix("0x").filter(|digits| digits.len() == 16);
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.ok_or(TruckRefusal::State {
        line,
        expected: "0x and 16 digits",
    })
}

#[cfg(test)]
mod tests;
