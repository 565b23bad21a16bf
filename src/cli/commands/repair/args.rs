//! Arguments of `repair`.

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice, WritingArgs};

/// Arguments of `repair`.
#[derive(Args, Debug)]
pub(crate) struct RepairArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Mend the findings of these rules only [default: of every rule that it can mend]
    #[arg(value_name = "RULE")]
    pub(crate) rules: Vec<String>,
    /// Which resource of the stack [default: the first that has something to be mended]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// Read whole bitmaps and activity logs, however large
    #[arg(long)]
    pub(crate) full: bool,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}
