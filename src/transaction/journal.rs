//! Writing an undo file: front to back, in memory bounded by one record.

use std::io::{BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use super::checksum::ContentCrc;
use super::format::{
    CHECKSUM_LEN, Doing, Header, LONGEST_TEXT, RecordHead, RegionHead, SameHead, TargetHead,
    Trailer, repeated_word, sealed,
};
use super::outline::Region;
use crate::error::{IoError, IoOp, Result};
use crate::image::{ImageFile, MemImage, NewFile, ReadAt};
use crate::units::{Bytes, ImagePos};

/// Where an undo file is kept while it is written, and how it becomes one.
///
/// A file in the file system is a [`NewFile`]; a vector is one in memory, for tests.
pub trait Store: Write {
    /// What was written, to be read.
    type Sealed: ReadAt;

    /// Makes what was written durable, under its name from now on and not before.
    ///
    /// # Errors
    ///
    /// What the system refuses; nothing of that name is there then.
    fn seal(self) -> Result<Self::Sealed>;
}

impl Store for NewFile {
    type Sealed = ImageFile;

    fn seal(self) -> Result<ImageFile> {
        self.finish_to_read()
    }
}

impl Store for Vec<u8> {
    type Sealed = MemImage;

    fn seal(self) -> Result<MemImage> {
        Ok(MemImage::from_bytes(&self))
    }
}

/// What an undo file says of the change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// What changed the targets, the command line say; words for people.
    pub command: String,
    /// What is changed, by the numbers that regions have.
    pub targets: Vec<TargetIdentity>,
}

/// What an undo file says of one target, to find it and to recognise it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetIdentity {
    /// Its path, which need not be text.
    pub path: PathBuf,
    /// Whether it is a block device rather than a regular file.
    pub block_device: bool,
    /// Its size.
    pub size: Bytes,
}

impl Identity {
    /// That of a change of one target.
    #[must_use]
    pub fn one(target: TargetIdentity, command: impl Into<String>) -> Self {
        Self {
            command: command.into(),
            targets: vec![target],
        }
    }

    /// That of a change of one regular file.
    #[must_use]
    pub fn of_file(path: impl Into<PathBuf>, size: Bytes, command: impl Into<String>) -> Self {
        let target = TargetIdentity {
            path: path.into(),
            block_device: false,
            size,
        };
        Self::one(target, command)
    }

    /// The size of each target.
    pub(super) fn sizes(&self) -> Vec<Bytes> {
        self.targets.iter().map(|target| target.size).collect()
    }
}

/// Writes the frames of an undo file, and what its trailer says of them.
pub(super) struct JournalWriter<'a> {
    out: BufWriter<&'a mut dyn Write>,
    crc: crc32fast::Hasher,
    /// Of the contents before and after.
    known: [ContentCrc; 2],
    regions: u64,
    records: u64,
    length: Bytes,
}

impl<'a> JournalWriter<'a> {
    /// Begins an undo file.
    pub(super) fn begin(out: &'a mut dyn Write, identity: &Identity, doing: Doing) -> Result<Self> {
        let mut journal = Self {
            out: BufWriter::with_capacity(256 * 1024, out),
            crc: crc32fast::Hasher::new(),
            known: <[ContentCrc; 2]>::default(),
            regions: 0,
            records: 0,
            length: Bytes::ZERO,
        };
        let (command, command_len) = text(&identity.command);
        let count = u16::try_from(identity.targets.len()).unwrap_or(u16::MAX);
        let mut frame = Header::encode(count, command_len, doing);
        for target in &identity.targets {
            let path = target.path.as_os_str().as_bytes();
            // A longer one leads nowhere.
            let path = path.get(..LONGEST_TEXT).unwrap_or(path);
            let head = TargetHead {
                size: target.size.get(),
                block_device: target.block_device,
                path_len: u16::try_from(path.len()).unwrap_or(0),
            };
            frame.extend(head.encode());
            frame.extend(path);
        }
        frame.extend(command);
        journal.put(&sealed(frame))?;
        Ok(journal)
    }

    /// Begins a region: the records that follow lie in it.
    pub(super) fn region(&mut self, region: &Region) -> Result<()> {
        let (label, label_len) = text(&region.label);
        let head = RegionHead {
            target: u8::try_from(region.target).unwrap_or(u8::MAX),
            phase: region.phase,
            label_len,
            start: region.range.start.get(),
            end: region.range.end.get(),
        };
        let mut frame = head.encode();
        frame.extend(label);
        self.regions = self.regions.saturating_add(1);
        self.put(&sealed(frame))
    }

    /// One change, whose contents have one length of at most [`super::format::LONGEST_RECORD`].
    pub(super) fn record(&mut self, at: ImagePos, before: &[u8], after: &[u8]) -> Result<()> {
        let words = [before, after].map(repeated_word);
        let [before_word, after_word] = words;
        let [before_known, after_known] = &mut self.known;
        // The head holds the checksums of the contents, and comes before them.
        let mut contents = crc32fast::Hasher::new();
        let head = RecordHead {
            at: at.get(),
            // What is longer is never given, and would not be read.
            len: u32::try_from(after.len()).unwrap_or(u32::MAX),
            before_repeats: before_word.is_some(),
            after_repeats: after_word.is_some(),
            before_crc: before_known.crc(before, before_word, &mut contents),
            after_crc: after_known.crc(after, after_word, &mut contents),
        };
        self.records = self.records.saturating_add(1);
        self.put(&head.encode())?;
        self.crc.combine(&contents);
        for (content, word) in [before, after].into_iter().zip(words) {
            self.write(word.as_ref().map_or(content, |word| word))?;
        }
        Ok(())
    }

    /// A stretch that stays, of `len`, with the checksum of its content or `None` where it is zeros.
    pub(super) fn same(&mut self, at: ImagePos, len: Bytes, crc: Option<u32>) -> Result<()> {
        let head = SameHead {
            at: at.get(),
            len: len.get(),
            crc,
        };
        self.put(&head.encode())
    }

    /// Writes the trailer, without which the file is none, and answers how long the file is.
    pub(super) fn finish(mut self) -> Result<Bytes> {
        let trailer = Trailer {
            regions: self.regions,
            records: self.records,
            total_crc: self.crc.clone().finalize(),
        };
        self.put(&trailer.encode())?;
        self.out
            .flush()
            .map_err(|error| IoError::whole(IoOp::WriteUndo, error))?;
        Ok(self.length)
    }

    fn put(&mut self, bytes: &[u8]) -> Result<()> {
        self.crc.update(bytes);
        self.write(bytes)
    }

    /// Writes what the checksum of all has already.
    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let sum = self.length.checked_add(Bytes::of_len(bytes.len()));
        self.length = sum.unwrap_or(self.length);
        let written = self.out.write_all(bytes);
        Ok(written.map_err(|error| IoError::whole(IoOp::WriteUndo, error))?)
    }
}

/// As much of a text as a frame takes, and its length.
fn text(text: &str) -> (&[u8], u16) {
    let mut ends = (0..=LONGEST_TEXT.min(text.len())).rev();
    let end = ends.find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    let bytes = text.as_bytes().split_at(end).0;
    (bytes, u16::try_from(bytes.len()).unwrap_or(0))
}

/// How long a frame with texts of these lengths is, its checksum included.
pub(super) fn frame_len(fixed: usize, texts: &[u16]) -> usize {
    let texts: usize = texts.iter().map(|len| usize::from(*len)).sum();
    fixed.saturating_add(texts).saturating_add(CHECKSUM_LEN)
}
