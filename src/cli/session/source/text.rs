//! A dump as a source.

use crate::dump::{DumpReader, Note, is_dump};
use crate::format::bitmap::count_set;
use crate::format::metadata::{Bitmap, Header};
use crate::format::superblock::Format;
use crate::image::{Scratch, is_pipe, is_regular_file, open_source};
use crate::surgery::described;
use crate::survey::file_form::BEGINNING;
use crate::units::{BitmapIndex, Bytes, ImagePos, Sectors};
use crate::verdict::handshake::{FlagsTold, Log, Replica};
use anyhow::Context;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A dump, to be read as often as is needed.
pub(crate) struct Text {
    path: PathBuf,
    /// What came from standard input, or another pipe.
    kept: Option<Scratch>,
}

impl Text {
    /// Reads it from its start on.
    pub(crate) fn reader(&self) -> crate::error::Result<DumpReader<'_>> {
        match &self.kept {
            Some(kept) => DumpReader::looking(ScratchReader {
                kept,
                at: ImagePos::START,
            }),
            None => DumpReader::looking(open_source(&self.path)?),
        }
    }

    pub(super) fn replica(&self) -> anyhow::Result<Replica> {
        let mut reader = self.reader()?;
        let header = reader.header().clone();
        let places = reader.places();
        let bits = bits(&header);
        let flags_zero = reader.notes().contains(&Note::FlagsZero);
        let mut slots = Vec::new();
        for slot in header.geometry.slots() {
            slots.push(count_set(&mut *reader.slot(slot)?, bits)?);
        }
        if header.la_size == Sectors::ZERO {
            // It has no words then, whatever is marked on the disk.
            slots.clear();
        }
        reader.finish()?;
        let mut replica = Replica {
            last_bits: last_bits(&header, &mut self.reader()?, &slots)?,
            log: Log::unseen(&header),
            header,
            capacity: places.usable(),
            slots,
            refusals: Vec::new(),
            flags: FlagsTold::Known,
        };
        if flags_zero {
            replica.doubt_flags();
        }
        replica.refusals = described::refusals(&replica.header, &places);
        Ok(replica)
    }
}

/// Reads what was kept from its start on.
pub(super) struct ScratchReader<'a> {
    kept: &'a Scratch,
    at: ImagePos,
}

impl Read for ScratchReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.kept.len().saturating_sub(self.at.from_start());
        let count = left.to_usize().unwrap_or(usize::MAX).min(buffer.len());
        let Some(part) = buffer.get_mut(..count) else {
            return Ok(0);
        };
        self.kept
            .read_exact_at(self.at, part)
            .map_err(io::Error::other)?;
        self.at = self.at.checked_add(Bytes::of_len(count)).unwrap_or(self.at);
        Ok(count)
    }
}

/// Bits of each slot that mean anything.
pub(super) fn bits(header: &Header) -> u64 {
    header.geometry.bits(header.la_size).unwrap_or(0)
}

/// Set bits among the last 64, of which only v08's ever matter.
pub(super) fn last_bits(
    header: &Header,
    bitmap: &mut dyn Bitmap,
    slots: &[u64],
) -> crate::error::Result<u64> {
    let size = header.la_size.get();
    let matter = header.format() == Format::V08 && size > 0 && size.is_multiple_of(512);
    let Some(all) = slots.first().filter(|all| matter && **all > 0) else {
        return Ok(0);
    };
    let kept = bits(header).saturating_sub(64);
    let first = count_set(&mut *bitmap.slot(BitmapIndex::new(0))?, kept)?;
    Ok(all.saturating_sub(first))
}

/// The dump that a path leads to; nothing where it is an image.
pub(crate) fn text(path: &Path) -> anyhow::Result<Option<Text>> {
    let stdin = path == Path::new("-");
    let seekable = !stdin && is_regular_file(path);
    if !stdin && !seekable && !is_pipe(path) {
        return Ok(None);
    }
    let mut read = open_source(path)?;
    let mut beginning = Vec::new();
    let most = Bytes::of_len(BEGINNING.saturating_mul(8)).get();
    read.by_ref()
        .take(most)
        .read_to_end(&mut beginning)
        .context("cannot read the beginning")?;
    let path = path.to_owned();
    if seekable {
        return Ok(is_dump(&beginning).then_some(Text { path, kept: None }));
    }
    let mut kept = Scratch::default();
    kept.append(&beginning)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        match read.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => kept.append(buffer.get(..count).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).context("cannot read the dump"),
        }
    }
    Ok(Some(Text {
        path,
        kept: Some(kept),
    }))
}
