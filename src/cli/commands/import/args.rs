//! Arguments of `import`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::{WritingArgs};
use crate::format::superblock::DeviceFlags;
use crate::survey::locate::IndexChoice;

#[derive(Args, Debug)]
pub(crate) struct ImportArgs {
    /// Regular file or block device that gets the metadata: the backing device, or the meta device where external
    pub(crate) target: PathBuf,
    /// Dump, as `mdtool export` and drbdmeta's dump-md print it; - is standard input
    pub(crate) dump: PathBuf,
    /// Where to put it; auto is internal
    #[arg(
        long,
        value_name = "auto|internal|flex-external|indexed:N",
        default_value = "auto"
    )]
    pub(crate) index: IndexChoice,
    /// Make it the metadata of this node: exchange its peer entry with that of the node it came from (v09)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=31))]
    pub(crate) node_id: Option<u8>,
    /// Write these flags instead of the dump's
    #[arg(long, value_name = "0x…", value_parser = flags)]
    pub(crate) flags: Option<DeviceFlags>,
    /// Where the device is larger than fits, make it as large as fits
    #[arg(long)]
    pub(crate) clip: bool,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}

/// Flags as dumps print them, in hex or decimal.
fn flags(text: &str) -> Result<DeviceFlags, String> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number
        .map(DeviceFlags)
        .map_err(|_| "expected a number of 32 bits: 0x00000091, 145".to_owned())
}
