//! Arguments of `wipe`.

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice, WritingArgs};

/// Arguments of `wipe`.
#[derive(Args, Debug)]
pub(crate) struct WipeArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Which resource of the stack [default: the only one; a stack needs it]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// Old copies of superblocks, too
    #[arg(long)]
    pub(crate) stale: bool,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}
