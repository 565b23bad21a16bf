//! `mdtool man`: what packagers need.

pub(crate) mod args;

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::cli::commands::man::args::ManArgs;
use crate::cli::outcome::Outcome;
use crate::cli::{Streams, groups};
use crate::image::{NewFile, create_directory, is_regular_file, small_file};
use crate::units::Bytes;

/// What `man --help` says of its statuses.
pub(crate) const STATUSES: &str = "";

/// As much of a page as is looked at.
const MOST: Bytes = Bytes::new(1 << 20);
/// What each page begins with: by this a page is known to be ours.
const OURS: &str = ".\\\" Written by mdtool man\n";

/// Writes the man pages into a directory; of what is there, only earlier pages of its own are replaced.
pub(crate) fn run(args: &ManArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let name = |path: &Path| path.display().to_string();
    let mut parts: Vec<&Path> = args.dir.ancestors().filter(|part| *part != Path::new("")).collect();
    parts.reverse();
    for part in parts {
        create_directory(part).with_context(|| name(part))?;
    }
    for (file, page) in groups::man_pages()? {
        let path = args.dir.join(file);
        write(&path, &page).with_context(|| name(&path))?;
        writeln!(out.stdout, "{}", name(&path))?;
    }
    Ok(Outcome::Done)
}

fn write(path: &Path, page: &[u8]) -> anyhow::Result<()> {
    let page = [OURS.as_bytes(), page].concat();
    let there = is_regular_file(path) && small_file::read(path, MOST)?.is_some_and(|old| old.starts_with(OURS.as_bytes()));
    if there {
        return Ok(small_file::replace(path, &page)?);
    }
    let mut file = NewFile::create(path)?;
    file.write_all(&page)?;
    Ok(file.finish()?)
}
