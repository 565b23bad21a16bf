//! Arguments of `sum`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::size::Size;
use crate::truck::hash::Algorithm;

/// Arguments of `sum`.
#[derive(Args, Debug)]
pub(crate) struct SumArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Sum this resource of the stack, as `copy` copies it [default: the whole image]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// With --stacked, --level or --at, end with the DRBD device, without the metadata
    #[arg(long, conflicts_with = "check")]
    pub(crate) data_only: bool,
    /// Size of a chunk; for blake3 a power of two [default: 64MiB]
    #[arg(long, value_name = "SIZE", conflicts_with = "check")]
    pub(crate) chunk: Option<Size>,
    /// What checksums are made with [default: blake3]
    #[arg(long, value_name = "blake3|sha256|md5", conflicts_with = "check")]
    pub(crate) algorithm: Option<Algorithm>,
    /// Hash zeros, too, so that the whole gets the value that b3sum prints
    #[arg(long, conflicts_with = "check")]
    pub(crate) whole: bool,
    /// Write the list to this new file; - is stdout, as without it
    #[arg(short, long, value_name = "FILE", conflicts_with = "check")]
    pub(crate) output: Option<PathBuf>,
    /// Compare with this list, and print the chunks that differ as START LENGTH
    #[arg(long, value_name = "FILE")]
    pub(crate) check: Option<PathBuf>,
    /// How many threads read and hash
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u8).range(1..=64))]
    pub(crate) threads: u8,
    /// With --check, print one JSON document (a list of checksums always is JSON)
    #[arg(long)]
    pub(crate) json: bool,
}
