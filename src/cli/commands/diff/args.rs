//! Arguments of `diff`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice, WritingArgs};
use crate::cli::session::source::split;
use crate::survey::locate::IndexChoice;

/// Arguments of `diff`.
#[derive(Args, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a command line, each on its own"
)]
pub(crate) struct DiffArgs {
    /// Regular file or block device with one replica; PATH@LEVEL is one level of a stack
    pub(crate) a: PathBuf,
    /// The same of the other
    #[arg(required_unless_present = "sums", conflicts_with = "sums")]
    pub(crate) b: Option<PathBuf>,
    /// In place of the other, a list of its checksums that `sum` printed; - is standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) sums: Option<PathBuf>,
    /// Expect stacks, and compare their innermost devices
    #[arg(long)]
    pub(crate) stacked: bool,
    /// Which resource of each stack [default: the outermost; with --stacked the innermost]
    #[arg(long, value_name = "outer|inner|N")]
    pub(crate) level: Option<LevelChoice>,
    /// Mark in A's slot toward B what differs and is not marked; with --sums whole chunks, in the one assigned slot
    #[arg(long)]
    pub(crate) set_bits: bool,
    /// Make A the source toward B, where both have the same generation: the bits are dropped otherwise
    #[arg(long, requires = "set_bits")]
    pub(crate) sync_source: bool,
    /// Apply A's activity log first, where its metadata is unclean, in the same change
    #[arg(long, requires = "set_bits")]
    pub(crate) apply_al: bool,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}

/// One side: a file, and which resource of it.
pub(crate) struct Named {
    pub(crate) image: ImageArgs,
    pub(crate) level: Option<LevelChoice>,
}

impl DiffArgs {
    /// The arguments of one side.
    pub(crate) fn side(&self, named: &std::path::Path) -> Named {
        let (path, level) = split(named);
        let level = level.or(self.level);
        Named {
            image: ImageArgs {
                image: path,
                stacked: self.stacked && level.is_none(),
                index: IndexChoice::Auto,
                at: None,
                offset: None,
                size: None,
            },
            level,
        }
    }
}
