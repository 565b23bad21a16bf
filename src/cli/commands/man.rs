//! `mdtool man`: what packagers need.

pub(crate) mod args;

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::cli::commands::man::args::ManArgs;
use crate::cli::outcome::Outcome;
use crate::cli::{Streams, groups};
use crate::image::{NewFile, create_directory};

/// What `man --help` says of its statuses.
pub(crate) const STATUSES: &str = "";

/// Writes the man pages into a directory, over none that is there.
pub(crate) fn run(args: &ManArgs, _command_line: &str, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
    let name = |path: &Path| path.display().to_string();
    create_directory(&args.dir).with_context(|| name(&args.dir))?;
    for (file, page) in groups::man_pages()? {
        let path = args.dir.join(file);
        write(&path, &page).with_context(|| name(&path))?;
        writeln!(out.stdout, "{}", name(&path))?;
    }
    Ok(Outcome::Done)
}

fn write(path: &Path, page: &[u8]) -> anyhow::Result<()> {
    let mut file = NewFile::create(path)?;
    file.write_all(page)?;
    Ok(file.finish()?)
}
