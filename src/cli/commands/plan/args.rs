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
    /// The disk, with --departure the one that the copy goes to, has this size rather than the image's
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
    /// Also predict what connecting it to this replica will decide after adoption: an image, PATH@LEVEL or a dump
    #[arg(long, value_name = "SOURCE")]
    pub(crate) peer: Option<PathBuf>,
    /// Print the commands on the side that is left: how a copy departs, arrives and is adopted
    #[arg(long)]
    pub(crate) departure: bool,
    /// With --departure, the disk is this logical volume: copy from a snapshot of it
    #[arg(long, value_name = "VG/LV", requires = "departure")]
    pub(crate) lv: Option<String>,
    /// With --lv, that is a thin volume, whose snapshots take room from its pool
    #[arg(long, requires = "lv")]
    pub(crate) thin: bool,
    /// With --departure, the disk is this ZFS volume: copy from a snapshot of it
    #[arg(long, value_name = "POOL/VOLUME", requires = "departure", conflicts_with = "lv")]
    pub(crate) zvol: Option<String>,
    /// With --departure, take names from this drbd.conf, .res file or output of `drbdadm dump`
    #[arg(long, value_name = "FILE", requires = "departure")]
    pub(crate) config: Option<PathBuf>,
    /// With --departure, the line carries this much per second: says how long the copy takes
    #[arg(long, value_name = "SIZE", requires = "departure")]
    pub(crate) rate: Option<Size>,
    /// With --departure, the host that the copy goes to
    #[arg(long, value_name = "HOST", requires = "departure")]
    pub(crate) to_host: Option<String>,
    /// With --departure, the disk that the copy goes to
    #[arg(long, value_name = "PATH", requires = "departure")]
    pub(crate) to_disk: Option<String>,
    /// With --departure, the target's node id (v09)
    #[arg(long, value_name = "N", requires = "departure", value_parser = clap::value_parser!(u8).range(0..=31))]
    pub(crate) node_id: Option<u8>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

