//! Arguments of `adopt`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::{ImageArgs, LevelChoice, WritingArgs};

/// Arguments of `adopt`.
#[derive(Args, Debug)]
pub(crate) struct AdoptArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Which resource of the stack [default: the only one; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// How to put its metadata where DRBD looks
    #[arg(
        long,
        value_name = "relocate|truncate|external",
        default_value = "relocate"
    )]
    pub(crate) strategy: Strategy,
    /// Meta device of --strategy external: a new file, or a device or file that is there
    #[arg(long, value_name = "FILE")]
    pub(crate) meta: Option<PathBuf>,
    /// Make it the metadata of this node: exchange its peer entry with that of the node it came from (v09)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=31))]
    pub(crate) node_id: Option<u8>,
    /// Apply the activity log of unclean metadata to its bitmap
    #[arg(long)]
    pub(crate) apply_al: bool,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}

/// How to put metadata where DRBD looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Strategy {
    /// To the end of the disk
    Relocate,
    /// By cutting the file to what the metadata was laid out for
    Truncate,
    /// Into a file or device of its own
    External,
}
