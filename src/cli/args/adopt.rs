//! Arguments of `plan` and `adopt`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::super::size::Size;
use super::{ImageArgs, LevelChoice, WritingArgs};
use crate::error::UtilsVersion;

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub(in super::super) struct PlanArgs {
    #[command(flatten)]
    pub(in super::super) image: ImageArgs,
    /// Which resource of the stack [default: the only one, else 0; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(in super::super) level: Option<LevelChoice>,
    /// The disk has this size rather than the image's
    #[arg(long, value_name = "SIZE")]
    pub(in super::super) target_size: Option<Size>,
    /// The disk is a logical volume with extents of this size
    #[arg(long, value_name = "SIZE")]
    pub(in super::super) lv_extent: Option<Size>,
    /// The disk, for the commands
    #[arg(long, value_name = "PATH")]
    pub(in super::super) device: Option<PathBuf>,
    /// The resource's minor number, for the commands
    #[arg(long, value_name = "N")]
    pub(in super::super) minor: Option<u32>,
    /// The resource's name, for the commands
    #[arg(long, value_name = "NAME")]
    pub(in super::super) resource: Option<String>,
    /// The version of drbd-utils there [default: the one installed here]
    #[arg(long, value_name = "VERSION")]
    pub(in super::super) compat: Option<UtilsVersion>,
    /// Print one JSON document
    #[arg(long)]
    pub(in super::super) json: bool,
}

/// Arguments of `adopt`.
#[derive(Args, Debug)]
pub(in super::super) struct AdoptArgs {
    #[command(flatten)]
    pub(in super::super) image: ImageArgs,
    /// Which resource of the stack [default: the only one; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(in super::super) level: Option<LevelChoice>,
    /// How to put its metadata where DRBD looks
    #[arg(
        long,
        value_name = "relocate|truncate|external",
        default_value = "relocate"
    )]
    pub(in super::super) strategy: Strategy,
    /// Meta device of --strategy external: a new file, or a device or file that is there
    #[arg(long, value_name = "FILE")]
    pub(in super::super) meta: Option<PathBuf>,
    /// Make it the metadata of this node: exchange its peer entry with that of the node it came from (v09)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=31))]
    pub(in super::super) node_id: Option<u8>,
    /// Apply the activity log of unclean metadata to its bitmap
    #[arg(long)]
    pub(in super::super) apply_al: bool,
    #[command(flatten)]
    pub(in super::super) writing: WritingArgs,
}

/// How to put metadata where DRBD looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in super::super) enum Strategy {
    /// To the end of the disk
    Relocate,
    /// By cutting the file to what the metadata was laid out for
    Truncate,
    /// Into a file or device of its own
    External,
}
