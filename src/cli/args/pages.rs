//! Arguments of the commands for packagers.

use std::path::PathBuf;

use clap::Args;
use clap_complete::Shell;

/// Arguments of `man`.
#[derive(Args, Debug)]
pub(in super::super) struct ManArgs {
    /// Directory for the pages; none that is there is overwritten
    pub(in super::super) dir: PathBuf,
}

/// Arguments of `completions`.
#[derive(Args, Debug)]
pub(in super::super) struct CompletionsArgs {
    /// Shell that is to read them
    pub(in super::super) shell: Shell,
}
