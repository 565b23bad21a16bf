//! `mdtool sum`.

pub(crate) mod args;
mod check;
pub(crate) mod list;
pub(crate) mod lines;

use std::path::Path;

use anyhow::Context;

use crate::cli::Streams;
use crate::cli::commands::sum::args::SumArgs;
use crate::cli::commands::sum::lines::{Lines, Identity};
use crate::cli::outcome::Outcome;
use crate::cli::output::progress::Progress;
use crate::cli::session::open::Opened;
use crate::cli::session::select::Chosen;
use crate::error::{Error, Result};
use crate::format::superblock::Uuid;
use crate::image::{NewFile, TransferFile, forget_cached};
use crate::survey::locate::ScanMode;
use crate::truck::extent;
use crate::truck::hash::{Algorithm, Value};
use crate::truck::pieces::Source;
use crate::truck::sums::{CHUNK, ChunkSum, Summing, sum};
use crate::units::{Bytes, DevPos, ImagePos};

/// What `sum --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 done, or with --check all chunks are as listed; 1 some are not, or there is no such level; 2 could not.";

pub(crate) fn run(
    args: &SumArgs,
    _command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    let summed = Summed::open(args, out)?;
    crate::cli::commands::copy::tell_of_use(&args.image.image, "what is written meanwhile may or may not be in the checksums", out)
        .with_context(|| args.image.image.display().to_string())?;
    if let Some(list) = &args.check {
        return check::run(args, list, &summed, out);
    }
    let summing = Summing {
        algorithm: args.algorithm.unwrap_or(Algorithm::Blake3),
        chunk: args.chunk.map_or(CHUNK, |chunk| chunk.0),
        hash_zeros: args.whole,
    };
    let expected = match summing.algorithm {
        Algorithm::Blake3 => "a power of two from 1024 bytes on for blake3",
        _ => "1 byte or more",
    };
    anyhow::ensure!(
        summing.algorithm.takes(summing.chunk),
        "--chunk: expected {expected}, not {}",
        summing.chunk
    );
    let output = args.output.as_deref();
    match output.filter(|path| *path != Path::new("-")) {
        None => summed.list(args, summing, out.stdout)?,
        Some(path) => {
            let target = || path.display().to_string();
            let mut file = NewFile::create(path).with_context(target)?;
            summed.list(args, summing, &mut file)?;
            file.finish().with_context(target)?;
        }
    }
    Ok(Outcome::Done)
}

/// What is summed.
struct Summed {
    file: TransferFile,
    base: ImagePos,
    size: Bytes,
    identity: Identity,
}

impl Summed {
    fn open(args: &SumArgs, out: &mut Streams<'_>) -> anyhow::Result<Self> {
        let path = &args.image.image;
        let name = || path.display().to_string();
        forget_cached(path).with_context(name)?;
        let file = TransferFile::open(path).with_context(name)?;
        let image = path.to_string_lossy().into_owned();
        let by_level = args.level.is_some() || args.image.stacked || args.image.at.is_some();
        anyhow::ensure!(
            by_level || !args.data_only,
            "--data-only: expected --stacked, --level or --at with it: else the whole image is summed"
        );
        if !by_level {
            let opened = Opened::open(&args.image)?;
            let summed = "its own bytes are summed, not those of what is packed in it";
            opened.tell_foreign(&args.image, summed, out).with_context(name)?;
            return Ok(Self {
                file,
                base: opened.image_pos(DevPos::START),
                size: opened.window().size(),
                identity: Identity::image(image),
            });
        }
        let chosen = Chosen::open(&args.image, args.level, ScanMode::Auto)?;
        let level = chosen.level();
        let size = extent::of(level, args.data_only).map_err(Error::from);
        let uuid = |uuid: Option<Uuid>| uuid.map(|uuid| uuid.to_string());
        Ok(Self {
            file,
            base: chosen.opened.image_pos(DevPos::START),
            size: size.with_context(name)?,
            identity: Identity {
                image,
                level: Some(chosen.number),
                data_only: args.data_only,
                current_uuid: uuid(level.superblock.current_uuid()),
                device_uuid: uuid(level.superblock.device_uuid()),
            },
        })
    }

    /// Sums `size` bytes of it from the first on, as far as they are there.
    fn sum(
        &self,
        args: &SumArgs,
        summing: Summing,
        size: Bytes,
        emit: &mut dyn FnMut(&ChunkSum) -> Result<()>,
    ) -> anyhow::Result<Option<Value>> {
        let name = || args.image.image.display().to_string();
        let size = size.min(self.size);
        let source = Source::of(&self.file, self.base, size);
        let source = source.with_context(|| format!("{}: became smaller", name()))?;
        let progress = Progress::new();
        let shared = progress.clone();
        let threads = usize::from(args.threads);
        let work = || {
            let advance = move |bytes| shared.advance(bytes);
            sum(&source, summing, threads, &advance, emit)
        };
        progress.during("summing", size, work).with_context(name)
    }

    /// Prints the list.
    fn list(
        &self,
        args: &SumArgs,
        summing: Summing,
        out: &mut dyn std::io::Write,
    ) -> anyhow::Result<()> {
        let mut lines = Lines::begin(std::io::BufWriter::new(out), &self.identity, self.size, summing)?;
        let whole = self.sum(args, summing, self.size, &mut |sum| lines.chunk(sum))?;
        lines.finish(whole.as_ref())?;
        Ok(())
    }
}
