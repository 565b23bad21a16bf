//! Arguments of `bitmap`.

use clap::{Args, Subcommand};

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::commands::show::args::Rate;
use crate::cli::session::slots::SlotArgs;

/// Arguments of `bitmap`.
#[derive(Args, Debug)]
pub(crate) struct BitmapArgs {
    #[command(subcommand)]
    pub(crate) action: Action,
}

/// What is done with the bitmap.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Show what each slot has out of sync: counts, ranges or a picture
    Show(ShowArgs),
}

/// Instead of counts.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct FormArgs {
    /// Print the ranges, one START LENGTH a line, in bytes
    #[arg(long, conflicts_with = "map")]
    pub(crate) ranges: bool,
    /// Print a picture of the device, one line a slot
    #[arg(long, conflicts_with = "json")]
    pub(crate) map: bool,
}

/// Arguments of `bitmap show`.
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    /// Image, block device, or a dump as text; - is a dump on standard input
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    #[command(flatten)]
    pub(crate) slots: SlotArgs,
    /// Which resource of the stack [default: the outermost; with --stacked the innermost]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// Count what the activity log names as out of sync, too
    #[arg(long)]
    pub(crate) apply_al: bool,
    #[command(flatten)]
    pub(crate) form: FormArgs,
    /// Reckon the time of a resync with this many bytes each second
    #[arg(long, value_name = "SIZE", default_value = "100MiB")]
    pub(crate) rate: Rate,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}
