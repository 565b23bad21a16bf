//! Asking before something is overwritten.

use std::fmt;
use std::io::{self, IsTerminal};

use crate::cli::Streams;

/// Nobody said yes.
#[derive(Debug)]
pub(crate) struct Unconfirmed {
    what: String,
}

impl fmt::Display for Unconfirmed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} would be overwritten, expected --yes", self.what)
    }
}

impl std::error::Error for Unconfirmed {}

/// Asks whether `what` may be overwritten, where there is somebody to ask; only `yes` in full will do.
pub(crate) fn confirm(what: &str, out: &mut Streams<'_>) -> anyhow::Result<()> {
    let unconfirmed = || Unconfirmed {
        what: what.to_owned(),
    };
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(unconfirmed().into());
    }
    write!(
        out.stderr,
        "{what} will be overwritten. Type yes to go on: "
    )?;
    out.stderr.flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    if answer.trim() == "yes" {
        Ok(())
    } else {
        Err(unconfirmed().into())
    }
}
