//! Arguments of `locate`.

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice, Scan};

#[derive(Args, Debug)]
pub(crate) struct LocateArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Show this resource of the stack only
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// How far to look beyond the places where DRBD looks
    #[arg(
        long,
        value_name = "auto|never|full",
        default_value = "auto",
        conflicts_with = "at"
    )]
    pub(crate) scan: Scan,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
