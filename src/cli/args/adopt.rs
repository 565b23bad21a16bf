//! Arguments of `plan` and `adopt`.

use std::path::PathBuf;

use clap::Args;

use super::super::size::Size;
use super::{ImageArgs, LevelChoice};
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
