//! `mdtool man` and `mdtool completions`: what packagers need.

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use super::super::args::{CompletionsArgs, ManArgs};
use super::super::outcome::Outcome;
use super::super::{Streams, groups};
use crate::image::{NewFile, create_directory};

/// Writes the man pages into a directory, over none that is there.
pub(in super::super) fn man(args: &ManArgs, out: &mut Streams<'_>) -> anyhow::Result<Outcome> {
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

/// Prints a shell's completions.
pub(in super::super) fn completions(
    args: &CompletionsArgs,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    out.stdout.write_all(&groups::completions(args.shell))?;
    Ok(Outcome::Done)
}
