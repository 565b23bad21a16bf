//! The arguments of `check`.

use clap::Args;

use super::{ImageArgs, LevelChoice, Scan};

#[derive(Args, Debug)]
pub(in super::super) struct CheckArgs {
    #[command(flatten)]
    pub(in super::super) image: ImageArgs,
    /// Check this resource of the stack only [default: every one]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(in super::super) level: Option<LevelChoice>,
    /// How far to look beyond the places where DRBD looks; full also tells of stale copies
    #[arg(
        long,
        value_name = "auto|never|full",
        default_value = "auto",
        conflicts_with = "at"
    )]
    pub(in super::super) scan: Scan,
    /// Read whole bitmaps and activity logs, however large
    #[arg(long)]
    pub(in super::super) full: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(in super::super) json: bool,
}
