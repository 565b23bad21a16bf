//! Arguments of `al`.

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice};

#[derive(Args, Debug)]
pub(crate) struct AlArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Which resource of the stack [default: the only one, else 0; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
