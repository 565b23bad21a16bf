//! Arguments of `undo`.

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug)]
pub(crate) struct UndoArgs {
    /// Undo file of an earlier command
    pub(crate) file: PathBuf,
    /// The disk is found under this name now
    #[arg(long, value_name = "PATH")]
    pub(crate) target: Option<PathBuf>,
    /// Put it back even over what was written since
    #[arg(long)]
    pub(crate) yes: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
