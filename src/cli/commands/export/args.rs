//! Arguments of `export`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::error::UtilsVersion;

#[derive(Args, Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Which resource of the stack [default: the only one, else 0; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// Write the dump to this new file; - is stdout, as without it
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// Write what this version of drbd-utils can read
    #[arg(long, value_name = "VERSION")]
    pub(crate) compat: Option<UtilsVersion>,
    /// Apply the activity log in the exported text; the image is not touched
    #[arg(long, conflicts_with = "force")]
    pub(crate) apply_al: bool,
    /// With --apply-al: mark everything out of sync, where the log cannot be trusted
    #[arg(long, requires = "apply_al")]
    pub(crate) mark_all: bool,
    /// Print unclean metadata in drbdmeta's unclean form, which restore-md refuses
    #[arg(long)]
    pub(crate) force: bool,
    /// Print one JSON document about the dump (needs --output)
    #[arg(long, requires = "output")]
    pub(crate) json: bool,
}
