//! The source of a copy: which level, how far it reaches, and who else is at it.

use std::ops::Range;
use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::apply_al::marking;
use crate::cli::commands::copy::args::CopyArgs;
use crate::cli::commands::copy::left;
use crate::cli::ranges::each_of_file;
use crate::cli::session::select::Chosen;
use crate::error::{Error, IoError, IoOp};
use crate::format::superblock::{Format, Uuid};
use crate::image::{ReadAt, TransferFile, forget_cached, random_u64, who_uses};
use crate::survey::locate::ScanMode;
use crate::truck::TruckRefusal;
use crate::truck::changed::Changed;
use crate::truck::extent;
use crate::truck::pieces::{Emitter, Source, Stop};
use crate::truck::ranges::Ranges;
use crate::truck::stream::{Contents, Header};
use crate::units::{Bytes, DevPos, ImagePos, NodeId, range_len};

/// A level that is to be copied.
pub(crate) struct Origin {
    file: TransferFile,
    base: ImagePos,
    header: Header,
    ranges: Vec<Range<DevPos>>,
    changed: Option<Changed>,
    changed_bytes: Bytes,
}

impl Origin {
    /// Finds the level and how far it reaches.
    pub(crate) fn open(args: &CopyArgs, out: &mut Streams<'_>) -> anyhow::Result<Self> {
        let path = &args.image.image;
        let name = || path.display().to_string();
        forget_cached(path).with_context(name)?;
        let chosen = Chosen::open(&args.image, args.level, ScanMode::Auto)?;
        let count = chosen.located.levels.len();
        // The one mistake that costs days: the outer device's disk, taken for the inner one's.
        anyhow::ensure!(
            count < 2 || args.image.stacked || args.level.is_some() || args.image.at.is_some(),
            "{}: is a stack of {count} resources, expected --stacked (the inner one) or --level",
            path.display()
        );
        let level = chosen.level();
        let size = extent::of(level, args.data_only).map_err(Error::from);
        let size = size.with_context(name)?;
        let changed = changed(args, &chosen).with_context(name)?;
        let contents = match (args.data_only, &args.ranges, &changed) {
            (true, _, _) => Contents::Data,
            (false, Some(_), _) => Contents::Ranges,
            (false, None, Some(_)) => Contents::Changed,
            (false, None, None) => Contents::Level,
        };
        let ranges = match &args.ranges {
            None => vec![DevPos::START..DevPos::at(size)],
            Some(file) => ranges(file, size)?,
        };
        let uuid = |uuid: Option<Uuid>| uuid.map_or(0, |uuid| uuid.0);
        let file = TransferFile::open(path).with_context(name)?;
        let header = Header {
            contents,
            size,
            first: DevPos::START,
            image: file.size(),
            level: u32::try_from(chosen.number).unwrap_or(u32::MAX),
            format: match level.superblock.format() {
                Format::V07 => 7,
                Format::V08 => 8,
                Format::V09 => 9,
            },
            current_uuid: uuid(level.superblock.current_uuid()),
            since_uuid: changed.as_ref().map_or(0, |changed| changed.since().0),
            device_uuid: uuid(level.superblock.device_uuid()),
            id: [random_u64()?, random_u64()?],
        };
        let base = chosen.opened.image_pos(DevPos::START);
        tell_of_use(path, comes_of_use(args), out).with_context(name)?;
        let mut origin = Self {
            file,
            base,
            header,
            ranges,
            changed,
            changed_bytes: Bytes::ZERO,
        };
        if let Some(changed) = &origin.changed {
            let source = origin.source().with_context(name)?;
            origin.changed_bytes = changed.total(&source).with_context(name)?;
        }
        Ok(origin)
    }

    /// What the stream says of it that begins at `first`.
    pub(crate) const fn header(&self, first: DevPos) -> Header {
        Header {
            first,
            ..self.header
        }
    }

    /// How much there is to copy from `first` on.
    pub(crate) fn total(&self, first: DevPos) -> Bytes {
        if self.header.contents.is_whole() {
            return left(self.header.size, first);
        }
        if self.changed.is_some() {
            return self.changed_bytes;
        }
        let behind = |range: &Range<DevPos>| range_len(&(range.start.max(first)..range.end));
        let all = self.ranges.iter().map(behind);
        all.fold(Bytes::ZERO, |sum, len| sum.checked_add(len).unwrap_or(sum))
    }

    fn source(&self) -> crate::error::Result<Source<'_>> {
        let source = Source::of(&self.file, self.base, self.header.size);
        source.ok_or_else(|| {
            // The level was found in this image a moment ago.
            let shrank = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            IoError::whole(IoOp::Read, shrank).into()
        })
    }

    /// Reads what was sent before, of a copy of all.
    pub(crate) fn read_again(&self, emitter: &mut Emitter, range: Range<DevPos>) -> Result<(), Stop> {
        emitter.read(&self.source()?, range)
    }

    /// Reads it all, from `first` on.
    pub(crate) fn produce(&self, emitter: &mut Emitter, first: DevPos) -> Result<(), Stop> {
        let source = self.source()?;
        if let Some(changed) = &self.changed {
            return changed.produce(&source, emitter, first);
        }
        for range in &self.ranges {
            emitter.read(&source, range.start.max(first)..range.end)?;
        }
        Ok(())
    }
}

/// The ranges that a file names.
fn ranges(file: &Path, size: Bytes) -> anyhow::Result<Vec<Range<DevPos>>> {
    let mut ranges = Ranges::within(size);
    each_of_file(file, &mut |range| {
        let added = ranges.add(range).map_err(Error::from);
        added.with_context(|| file.display().to_string())
    })?;
    Ok(ranges.in_order())
}

/// What was written since a copy was made, where that is asked for: of one moment, so not of what is in use.
fn changed(args: &CopyArgs, chosen: &Chosen) -> crate::error::Result<Option<Changed>> {
    if !args.changed {
        return Ok(None);
    }
    if who_uses(&args.image.image)?.is_some() {
        return Err(TruckRefusal::Live.into());
    }
    let level = chosen.level();
    let marking = marking(&chosen.opened, level, false)?;
    let changed = Changed::of(level, marking, args.peer.map(NodeId::new));
    Ok(Some(changed?))
}

/// What comes of copying a source that changes meanwhile.
const fn comes_of_use(args: &CopyArgs) -> &'static str {
    match (&args.sums, &args.ranges) {
        (Some(_), _) => "what is written meanwhile may or may not be in the copy; the checksums are of what is copied",
        (None, Some(_)) => "what was written to it since the copy was made comes along",
        (None, None) => "what is written meanwhile may or may not be in the copy; checksums made later differ (--sums makes them while copying)",
    }
}

/// Says where a source changes while it is read.
pub(crate) fn tell_of_use(
    path: &Path,
    comes_of: &str,
    out: &mut Streams<'_>,
) -> crate::error::Result<()> {
    let Some(who) = who_uses(path)? else {
        return Ok(());
    };
    out.tell(format_args!(
        "mdtool: note: {} {who}: {comes_of}",
        path.display()
    ));
    Ok(())
}
