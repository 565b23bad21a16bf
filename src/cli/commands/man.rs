//! `mdtool man`: what packagers need.

pub(crate) mod args;

use std::io::Write;
use std::path::Path;

use anyhow::Context;

use crate::cli::commands::man::args::ManArgs;
use crate::cli::outcome::{Declined, Outcome};
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
    refuse_command(&args.dir)?;
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

/// Refuses a directory that is not there and has a command's name: somebody wants to read that page.
fn refuse_command(dir: &Path) -> anyhow::Result<()> {
    let command = groups::command();
    let known = dir.to_str().and_then(|word| command.find_subcommand(word));
    let Some(known) = known.filter(|_| !dir.exists()) else {
        return Ok(());
    };
    let word = known.get_name();
    let why = format!("{word} is a command, and no directory here: expected a directory for all pages");
    let read = format!("`man mdtool-{word}` or `mdtool {word} --help` shows its page");
    let write = format!("`mdtool man ./{word}` makes a directory of that name");
    Err(Declined::new(why, &[&read, &write]).into())
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
