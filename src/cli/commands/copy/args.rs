//! Arguments of `copy`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::size::Size;

/// Arguments of `copy`.
#[derive(Args, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a switch on the command line"
)]
pub(crate) struct CopyArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// File or block device. - in place of IMAGE or TARGET is a stream from or to another mdtool
    pub(crate) target: PathBuf,
    /// Which resource of the stack [default: the only one; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// End with the DRBD device, without the metadata
    #[arg(long)]
    pub(crate) data_only: bool,
    /// Copy only these ranges, START LENGTH in bytes on each line
    #[arg(long, value_name = "FILE", conflicts_with = "data_only")]
    pub(crate) ranges: Option<PathBuf>,
    /// Copy what was written since the copy's generation, as the bitmap and the activity log say
    #[arg(long, conflicts_with_all = ["data_only", "ranges", "sums"])]
    pub(crate) changed: bool,
    /// With --changed, the peer whose bitmap says it (v09) [default: the only one]
    #[arg(long, value_name = "NODE", requires = "changed", value_parser = clap::value_parser!(u8).range(0..=31))]
    pub(crate) peer: Option<u8>,
    /// Write checksums of what is copied to this new file, as `mdtool sum` does
    #[arg(long, value_name = "FILE", conflicts_with = "ranges")]
    pub(crate) sums: Option<PathBuf>,
    /// Note in this file what has arrived [default: the target's name and .mdtool-copy]; for a sender that resumes, the receiver's
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    /// Go on where an earlier run was cut off
    #[arg(long)]
    pub(crate) resume: bool,
    /// Copy at most this much data per second
    #[arg(long, value_name = "SIZE")]
    pub(crate) rate: Option<Size>,
    /// On a block device, discard blocks that are to be zero
    #[arg(long)]
    pub(crate) discard: bool,
    /// Sync the target, and note how far it is, each time this much was written
    #[arg(long, value_name = "SIZE", default_value = "256MiB")]
    pub(crate) sync_every: Size,
    /// Overwrite what is there without being asked
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Print one JSON document, and progress as JSON lines on stderr
    #[arg(long)]
    pub(crate) json: bool,
}
