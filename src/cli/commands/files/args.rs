//! Arguments of `files`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::ranges::RangeArg;
use crate::cli::session::slots::SlotArgs;

/// Arguments of `files`.
#[derive(Args, Debug)]
pub(crate) struct FilesArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// These bytes of the DRBD device instead of what is out of sync: START..END or START+LENGTH
    #[arg(value_name = "RANGE")]
    pub(crate) ranges: Vec<RangeArg>,
    /// The ranges in this file, one START LENGTH a line; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "ranges")]
    pub(crate) from: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) slots: SlotArgs,
    /// Which resource of the stack [default: the outermost; with --stacked the innermost]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// The disk that the data is on, where IMAGE is a meta device
    #[arg(long, value_name = "DISK")]
    pub(crate) data: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
