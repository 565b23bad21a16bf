//! Arguments of `bitmap`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::cli::args::{ImageArgs, LevelChoice, WritingArgs};
use crate::cli::commands::show::args::Rate;
use crate::cli::ranges::RangeArg;
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
    Show(Box<ShowArgs>),
    /// Mark ranges out of sync, rounded outward to whole bits
    Set(Box<SetArgs>),
    /// Mark ranges in sync, rounded inward to whole bits: the peer will not get them
    Clear(Box<ClearArgs>),
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

/// What `bitmap set` and `bitmap clear` have in common.
#[derive(Args, Debug)]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Ranges of the DRBD device: START..END, END exclusive, or START+LENGTH
    #[arg(value_name = "RANGE")]
    pub(crate) ranges: Vec<RangeArg>,
    /// The ranges of a file: a START LENGTH or RANGE a line, or what `qemu-img map --output=json`, `xfs_bmap -v` or `filefrag -v` print; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "ranges")]
    pub(crate) from: Option<PathBuf>,
    /// The whole device
    #[arg(long, conflicts_with_all = ["ranges", "from"])]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) slots: SlotArgs,
    /// Every slot; `clear` leaves those without a peer alone: they keep track for peers to come
    #[arg(long, conflicts_with_all = ["slot", "peer"])]
    pub(crate) all_slots: bool,
    /// Which resource of the stack [default: the only one; a stack needs it, or --stacked]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// Apply the activity log of unclean metadata first, in the same change
    #[arg(long)]
    pub(crate) apply_al: bool,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}

/// Making this replica the source.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct SourceArgs {
    /// Make this replica the source toward that peer, where both have the same generation: its bits are dropped otherwise
    #[arg(long)]
    pub(crate) sync_source: bool,
    /// The peer's image, device or dump: shows what the handshake will do with the bits
    #[arg(long, value_name = "PEER-SOURCE")]
    pub(crate) with: Option<PathBuf>,
}

/// Arguments of `bitmap set`.
#[derive(Args, Debug)]
pub(crate) struct SetArgs {
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
}

/// Arguments of `bitmap clear`.
#[derive(Args, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a command line, each on its own"
)]
pub(crate) struct ClearArgs {
    #[command(flatten)]
    pub(crate) change: ChangeArgs,
    /// What the image does not have: the holes of a sparse file
    #[arg(long, requires = "peer_is_blank", conflicts_with_all = ["ranges", "from", "all"])]
    pub(crate) holes: bool,
    /// What is read as zeros
    #[arg(long, requires = "peer_is_blank", conflicts_with_all = ["ranges", "from", "all"])]
    pub(crate) zeros: bool,
    /// What no file system on the device uses
    #[arg(long, requires = "peer_is_blank", conflicts_with_all = ["ranges", "from", "all"])]
    pub(crate) free_space: bool,
    /// The peer's disk is blank: all of it reads as zeros
    #[arg(long)]
    pub(crate) peer_is_blank: bool,
}
