//! Arguments of `fit`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::size::Size;
use crate::terms::Format;

/// Arguments of `fit`.
#[derive(Args, Debug)]
pub(crate) struct FitArgs {
    /// Disks or images: what they leave, what lives on them, and whether it fits
    #[arg(value_name = "DISK", required_unless_present_any = ["sizes", "net"])]
    pub(crate) disks: Vec<PathBuf>,
    /// A disk of this size; may be given again
    #[arg(long = "disk", value_name = "SIZE")]
    pub(crate) sizes: Vec<Size>,
    /// The DRBD device shall have this size
    #[arg(long, value_name = "SIZE")]
    pub(crate) net: Option<Size>,
    /// The metadata's format
    #[arg(long, value_name = "v08|v09", default_value = "v09")]
    pub(crate) format: FormatChoice,
    /// How many peers have a bitmap slot
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) max_peers: u32,
    /// What one bit of the bitmap stands for
    #[arg(long, value_name = "SIZE", default_value = "4096")]
    pub(crate) bytes_per_bit: Size,
    /// Stripes of the activity log
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) al_stripes: u32,
    /// The size of one of them
    #[arg(long, value_name = "SIZE", default_value = "32KiB")]
    pub(crate) al_stripe_size: Size,
    /// The metadata lies on a device of its own
    #[arg(long)]
    pub(crate) external: bool,
    /// Disks are logical volumes with extents of this size
    #[arg(long, value_name = "SIZE")]
    pub(crate) lv_extent: Option<Size>,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// A format that can be made.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum FormatChoice {
    /// DRBD 8.4's
    V08,
    /// DRBD 9's
    V09,
}

impl From<FormatChoice> for Format {
    fn from(choice: FormatChoice) -> Self {
        match choice {
            FormatChoice::V08 => Self::V08,
            FormatChoice::V09 => Self::V09,
        }
    }
}
