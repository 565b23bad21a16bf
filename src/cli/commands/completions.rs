//! `mdtool completions`: what packagers need.

pub(crate) mod args;


use crate::cli::commands::completions::args::CompletionsArgs;
use crate::cli::outcome::Outcome;
use crate::cli::{Streams, groups};

/// What `completions --help` says of its statuses.
pub(crate) const STATUSES: &str = "";

/// Prints a shell's completions.
pub(crate) fn run(args: &CompletionsArgs, _command_line: &str,
    out: &mut Streams<'_>,
) -> anyhow::Result<Outcome> {
    out.stdout.write_all(&groups::completions(args.shell))?;
    Ok(Outcome::Done)
}
