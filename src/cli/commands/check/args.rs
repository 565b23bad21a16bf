//! The arguments of `check`.

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice, Scan};

#[derive(Args, Debug)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Check this resource of the stack only [default: every one]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// How far to look beyond the places where DRBD looks; full also reports stale copies
    #[arg(
        long,
        value_name = "auto|never|full",
        default_value = "auto",
        conflicts_with = "at"
    )]
    pub(crate) scan: Scan,
    /// Read whole bitmaps and activity logs, however large
    #[arg(long)]
    pub(crate) full: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
