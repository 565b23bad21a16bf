//! Arguments of `undo`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::WritingArgs;

#[derive(Args, Debug)]
pub(crate) struct UndoArgs {
    /// Undo file of an earlier command
    pub(crate) file: PathBuf,
    /// The disk is found under this name now; given again, the next target of the undo file
    #[arg(long, value_name = "PATH")]
    pub(crate) target: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}
