//! Arguments of the commands for packagers.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `man`.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Directory for the pages, made where there is none; earlier pages of mdtool are replaced, other files are not
    pub(crate) dir: PathBuf,
}
