//! Asking before something is overwritten.

use std::fmt;
use std::io::{self, IsTerminal};

use crate::cli::Streams;

/// Whether what is overwritten can be had back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    /// In an undo file.
    Undo,
    /// Nowhere.
    Nowhere,
}

/// Nobody said yes.
#[derive(Debug)]
pub(crate) enum Unconfirmed {
    /// There is nobody to ask.
    Nobody {
        /// What would be overwritten.
        what: String,
        /// Whether it could be had back.
        kept: Kept,
    },
    /// The answer was something else.
    No {
        /// The target that stays as it is.
        target: String,
    },
}

impl Unconfirmed {
    /// What to do next.
    pub(crate) fn hints(&self) -> Vec<String> {
        match self {
            Self::Nobody {
                kept: Kept::Nowhere,
                ..
            } => vec![
                "there is no terminal to ask at: --yes overwrites it; there is no undo file for that".to_owned(),
            ],
            Self::Nobody { .. } => vec![
                "there is no terminal to ask at: --yes goes on without being asked, and --dry-run shows what would be done; what is overwritten goes to an undo file first".to_owned(),
            ],
            Self::No { .. } => Vec::new(),
        }
    }
}

impl fmt::Display for Unconfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nobody { what, kept } => {
                write!(
                    f,
                    "{what} would be overwritten{}, expected --yes",
                    kept.words()
                )
            }
            Self::No { target } => write!(f, "{target}: nothing was written"),
        }
    }
}

impl std::error::Error for Unconfirmed {}

impl Kept {
    const fn words(self) -> &'static str {
        match self {
            Self::Undo => "",
            Self::Nowhere => ", which cannot be undone",
        }
    }
}

/// Asks whether `what` may be overwritten, where there is somebody to ask; only `yes` in full will do.
pub(crate) fn confirm(
    target: &str,
    what: &str,
    kept: Kept,
    out: &mut Streams<'_>,
) -> anyhow::Result<()> {
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        let what = what.to_owned();
        return Err(Unconfirmed::Nobody { what, kept }.into());
    }
    write!(
        out.stderr,
        "{what} will be overwritten{}. Type yes to go on: ",
        kept.words()
    )?;
    out.stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        return Ok(());
    }
    let target = target.to_owned();
    Err(Unconfirmed::No { target }.into())
}
