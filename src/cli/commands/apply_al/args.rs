//! Arguments of `apply-al`.

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice, WritingArgs};

#[derive(Args, Debug)]
pub(crate) struct ApplyAlArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Which resource of the stack [default: the only one, else 0; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// Mark everything out of sync, where the log cannot be trusted
    #[arg(long)]
    pub(crate) mark_all: bool,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}
