//! `mdtool demo`: a rehearsal on an image that is made for it.

pub(crate) mod args;
mod truck;

use std::ffi::OsString;
use std::io;
use std::path::Path;

use anyhow::Context;

use crate::builder::{Level, build};
use crate::cli::commands::demo::args::DemoArgs;
use crate::cli::output::amounts::bytes_and_binary;
use crate::cli::outcome::Outcome;
use crate::cli::{Streams, run as run_program};
use crate::error::Error;
use crate::image::{WritableFile, create_directory};
use crate::units::{BitmapIndex, Bytes, DevPos, ImagePos};

/// The disk that came by truck, and what a file system that cannot hold it gets instead.
const SIZES: [Bytes; 2] = [Bytes::new(9_000_000_000_000), Bytes::new(1 << 30)];
/// What was written while the copy was made: positions and sizes out of a thousandth of the device.
const WRITTEN: [(u64, u64); 3] = [(3, 64 << 20), (411, 1 << 20), (870, 12 << 10)];

/// What `demo --help` says of its statuses.
pub(crate) const STATUSES: &str = "Exit status: 0 all went well; 2 something did not.";

pub(crate) fn run(args: &DemoArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let temporary;
    let dir = if let Some(dir) = &args.dir {
        create_directory(dir).with_context(|| dir.display().to_string())?;
        dir.as_path()
    } else {
        temporary = tempfile::Builder::new().prefix("mdtool-demo-").tempdir()?;
        temporary.path()
    };
    let image = dir.join("truck.raw");
    let size = make_truck(&image).with_context(|| image.display().to_string())?;
    writeln!(out.stdout, "{}", opening(size))?;
    let dump = dir.join("inner.md");
    let name = image.as_os_str();
    step(out, &["locate".into(), name.into(), "--stacked".into()])?;
    writeln!(
        out.stdout,
        "\nThe inner metadata, as drbdmeta's restore-md reads it:\n"
    )?;
    step(out, &["export".into(), name.into(), "--stacked".into()])?;
    writeln!(out.stdout, "\nAnd into a file:\n")?;
    step(
        out,
        &[
            "export".into(),
            name.into(),
            "--stacked".into(),
            "-o".into(),
            dump.clone().into(),
        ],
    )?;
    truck::walk(dir, &image, size, out)?;
    writeln!(out.stdout, "{}", closing(&dump, args.dir.is_some()))?;
    Ok(Outcome::Done)
}

/// Runs one command of ours as a shell would, and shows it first.
fn step(out: &mut Streams<'_>, words: &[OsString]) -> anyhow::Result<()> {
    step_to(out, words, Outcome::Done)
}

/// The same, for a command that may answer no.
fn step_to(out: &mut Streams<'_>, words: &[OsString], expected: Outcome) -> anyhow::Result<()> {
    let args: Vec<OsString> = std::iter::once(OsString::from("mdtool"))
        .chain(words.iter().cloned())
        .collect();
    let shown: Vec<_> = args.iter().map(|word| word.to_string_lossy()).collect();
    writeln!(out.stdout, "$ {}", shown.join(" "))?;
    // What it says to people belongs here, among what it prints.
    let mut said = Vec::new();
    let outcome = run_program(
        &args,
        &mut Streams {
            stdout: out.stdout,
            stderr: &mut said,
        },
    );
    out.stdout.write_all(&said)?;
    anyhow::ensure!(
        outcome == expected,
        "the command above ended with status {}, expected {}",
        outcome.code(),
        expected.code()
    );
    Ok(())
}

/// Makes the image: drbd10 stacked on drbd0, some of it not yet in sync; answers its size.
fn make_truck(path: &Path) -> Result<Bytes, Error> {
    let [large, small] = SIZES;
    let (mut image, size) = match WritableFile::create_new(path, large) {
        Err(Error::Io(error)) if error.source.kind() == io::ErrorKind::FileTooLarge => {
            (WritableFile::create_new(path, small)?, small)
        }
        made => (made?, large),
    };
    let mut inner = Level::v08().bitmap_uuid(0xC0FF_EE00_2016_0401);
    for (thousandths, len) in WRITTEN {
        let start = size
            .whole_units(Bytes::new(1000))
            .saturating_mul(thousandths);
        let end = start.saturating_add(len);
        inner = inner.dirty(BitmapIndex::new(0), DevPos::new(start)..DevPos::new(end));
    }
    build(&mut image, ImagePos::START, size, &[Level::v08(), inner])?;
    Ok(size)
}

/// What the visitor is looking at.
fn opening(size: Bytes) -> String {
    format!(
        "A rehearsal, on an image made just now; nothing else is touched.\n\n\
         A disk of {} came by truck. The file system was on drbd10, which was stacked on drbd0, and the\n\
         disk is a snapshot of what lies below drbd0. DRBD finds drbd0 on it. Where is drbd10?\n",
        bytes_and_binary(size)
    )
}

/// What the visitor may do with what was found.
fn closing(dump: &Path, kept: bool) -> String {
    let place = if kept {
        format!(
            "The image and the dump stay in {}.",
            dump.parent().unwrap_or(Path::new(".")).display()
        )
    } else {
        "The image and the dump are gone again; `mdtool demo DIR` keeps them.".to_owned()
    };
    format!(
        "\nThat text is all of drbd10's metadata. To put it where DRBD looks, on the machine that gets the disk, with the\n\
         resource down:\n\n    \
         mdtool plan DISK --stacked                every way, and whether it works on that disk\n    \
         mdtool adopt DISK --stacked --dry-run     what would be written, and where\n    \
         mdtool adopt DISK --stacked               writes it: over drbd0's metadata, behind the data, with an undo file\n\n\
         The peer then sends what is marked out of sync, and not everything again.\n\n{place}\n\n\
         next: mdtool locate YOUR-IMAGE --stacked"
    )
}
