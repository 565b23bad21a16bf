//! Arguments of `diff`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::survey::locate::IndexChoice;

/// Arguments of `diff`.
#[derive(Args, Debug)]
pub(crate) struct DiffArgs {
    /// Regular file or block device with one replica
    pub(crate) a: PathBuf,
    /// The same of the other
    pub(crate) b: PathBuf,
    /// Expect stacks, and compare their innermost devices
    #[arg(long)]
    pub(crate) stacked: bool,
    /// Which resource of each stack [default: the outermost; with --stacked the innermost]
    #[arg(long, value_name = "outer|inner|N")]
    pub(crate) level: Option<LevelChoice>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

impl DiffArgs {
    /// The arguments of one side.
    pub(crate) fn side(&self, path: &std::path::Path) -> ImageArgs {
        ImageArgs {
            image: path.to_owned(),
            stacked: self.stacked,
            index: IndexChoice::Auto,
            at: None,
            offset: None,
            size: None,
        }
    }
}
