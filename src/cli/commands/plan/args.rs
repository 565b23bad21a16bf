//! Arguments of `plan`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::size::Size;
use crate::error::UtilsVersion;

/// Arguments of `plan`.
#[derive(Args, Debug)]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Which resource of the stack [default: the only one, else 0; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// The disk has this size rather than the image's
    #[arg(long, value_name = "SIZE")]
    pub(crate) target_size: Option<Size>,
    /// The disk is a logical volume with extents of this size
    #[arg(long, value_name = "SIZE")]
    pub(crate) lv_extent: Option<Size>,
    /// The disk, for the commands
    #[arg(long, value_name = "PATH")]
    pub(crate) device: Option<PathBuf>,
    /// The resource's minor number, for the commands
    #[arg(long, value_name = "N")]
    pub(crate) minor: Option<u32>,
    /// The resource's name, for the commands
    #[arg(long, value_name = "NAME")]
    pub(crate) resource: Option<String>,
    /// The version of drbd-utils there [default: the one installed here]
    #[arg(long, value_name = "VERSION")]
    pub(crate) compat: Option<UtilsVersion>,
    /// Tell what connecting it to this replica will decide after adoption: an image, PATH@LEVEL or a dump
    #[arg(long, value_name = "SOURCE")]
    pub(crate) peer: Option<PathBuf>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

