//! Arguments of the commands for packagers.

use std::path::PathBuf;

use clap::Args;

/// Arguments of `man`.
#[derive(Args, Debug)]
pub(crate) struct ManArgs {
    /// Directory for the pages; none that is there is overwritten
    pub(crate) dir: PathBuf,
}
