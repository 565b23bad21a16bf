//! Arguments of `import`.

use std::path::PathBuf;

use clap::Args;

use crate::cli::args::WritingArgs;
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
    #[arg(long, value_name = "0xFLAGS|NAME,...", value_parser = flags)]
    pub(crate) flags: Option<DeviceFlags>,
    /// Where the device is larger than fits, make it as large as fits
    #[arg(long)]
    pub(crate) clip: bool,
    #[command(flatten)]
    pub(crate) writing: WritingArgs,
}

/// Flags as dumps print them, in hex, or by their names. A number without 0x may be meant either way, and is refused.
fn flags(text: &str) -> Result<DeviceFlags, String> {
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let found = match digits {
        // The parser takes a sign.
        Some(digits) if !digits.starts_with(['+', '-']) => {
            u32::from_str_radix(digits, 16).ok().map(DeviceFlags)
        }
        Some(_) => None,
        None => DeviceFlags::of_names(text.split(',')),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = DeviceFlags::all_names().collect();
        format!(
            "expected 0x and up to 8 hex digits (0x00000091), or names with commas between them, of {}",
            names.join(", ")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_hex_or_names_and_never_a_guess() {
        for (text, found) in [
            ("0x91", Some(0x91)),
            ("0X00000091", Some(0x91)),
            ("CONSISTENT,WAS_UP_TO_DATE,AL_CLEAN", Some(0x91)),
            ("MDF_CONSISTENT, mdf_primary_ind", None),
            ("MDF_CONSISTENT, primary_ind", Some(3)),
            ("91", None),
            ("145", None),
            ("0", None),
            ("", None),
            ("0x", None),
            ("0x1FFFFFFFF", None),
            ("0x-1", None),
            ("0x+1", None),
            ("CONSISTENT,", None),
            ("CLEAN", None),
        ] {
            assert_eq!(flags(text).ok().map(|flags| flags.0), found, "{text:?}");
        }
    }
}
