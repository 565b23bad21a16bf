//! The arguments, typed and without side effects.

mod adopt;
mod check;
mod pages;
mod probe;
mod show;

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Parser, Subcommand, ValueEnum};

use super::size::Size;

use crate::error::UtilsVersion;
use crate::format::superblock::DeviceFlags;
use crate::survey::locate::{IndexChoice, ScanMode};
pub(super) use adopt::{AdoptArgs, PlanArgs, Strategy};
pub(super) use check::CheckArgs;
pub(super) use pages::{CompletionsArgs, ManArgs};
pub(super) use probe::ProbeArgs;
pub(super) use show::{Rate, ShowArgs};

/// Find, export and move DRBD metadata in disks and disk images
#[derive(Debug, Parser)]
#[command(name = "mdtool", version, max_term_width = 100, arg_required_else_help = true, after_help = EXIT_STATUS)]
pub struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
}

/// How every command's exit status is to be read.
const EXIT_STATUS: &str = "\
Exit status: 0 done, or yes; 1 ran, and the answer is no, or there are findings; 2 could not run
(bad usage, I/O error, damaged beyond reading, refused). `probe` has more: see its help.
A closed pipe is no error.

Sizes and positions: 4096, 0x1000, 4KiB, 9TB, 8s (sectors of 512 bytes).";

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Find every level of a stack, outermost first
    Locate(LocateArgs),
    /// Tell in one line and one exit status whether metadata is there, for scripts
    #[command(after_help = probe::STATUSES)]
    Probe(ProbeArgs),
    /// Show all that the metadata says, decoded, and how much is out of sync
    Show(ShowArgs),
    /// Print a resource's metadata as drbdmeta's dump-md does, for restore-md
    Export(ExportArgs),
    /// Judge every resource: what DRBD would refuse, what is damaged, and what to do
    Check(CheckArgs),
    /// Show a resource's activity log, and which extents it marks
    Al(AlArgs),
    /// Mark what the activity log names out of sync, as must be before DRBD attaches
    ApplyAl(ApplyAlArgs),
    /// Tell each way to adopt a resource, whether it works here, and its commands
    Plan(PlanArgs),
    /// Put a resource's metadata where DRBD looks on this disk
    Adopt(AdoptArgs),
    /// Put a dump's metadata on a disk, where DRBD looks for it
    Import(ImportArgs),
    /// Put back what a writing command changed
    Undo(UndoArgs),
    /// Build an image like GitLab's and walk through finding and exporting its inner resource
    Demo(DemoArgs),
    /// Write a man page for each command
    #[command(hide = true)]
    Man(ManArgs),
    /// Print completions for a shell
    #[command(hide = true)]
    Completions(CompletionsArgs),
}

/// What every command that takes an image takes.
#[derive(Args, Clone, Debug)]
pub(super) struct ImageArgs {
    /// Regular file or block device
    pub(super) image: PathBuf,
    /// Expect a stack; commands about one resource then mean its innermost one
    #[arg(long)]
    pub(super) stacked: bool,
    /// Where to look
    #[arg(
        long,
        value_name = "auto|internal|flex-external|indexed:N",
        default_value = "auto"
    )]
    pub(super) index: IndexChoice,
    /// The superblock is exactly at this byte
    #[arg(long, value_name = "BYTE")]
    pub(super) at: Option<Size>,
    /// Look at the image from here on only (a partition in a whole-disk image)
    #[arg(long, value_name = "SIZE")]
    pub(super) offset: Option<Size>,
    /// Look at this much of the image only
    #[arg(long, value_name = "SIZE")]
    pub(super) size: Option<Size>,
}

/// Which resource of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LevelChoice {
    Outer,
    Inner,
    Number(usize),
}

#[derive(Args, Debug)]
pub(super) struct LocateArgs {
    #[command(flatten)]
    pub(super) image: ImageArgs,
    /// Show this resource of the stack only
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(super) level: Option<LevelChoice>,
    /// How far to look beyond the places where DRBD looks
    #[arg(
        long,
        value_name = "auto|never|full",
        default_value = "auto",
        conflicts_with = "at"
    )]
    pub(super) scan: Scan,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum Scan {
    /// Search where the chain of levels breaks
    Auto,
    /// Look only where DRBD would
    Never,
    /// Search everything that holds data
    Full,
}

impl From<Scan> for ScanMode {
    fn from(scan: Scan) -> Self {
        match scan {
            Scan::Auto => Self::Auto,
            Scan::Never => Self::Never,
            Scan::Full => Self::Full,
        }
    }
}

#[derive(Args, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct ExportArgs {
    #[command(flatten)]
    pub(super) image: ImageArgs,
    /// Which resource of the stack [default: the only one, else 0; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(super) level: Option<LevelChoice>,
    /// Write the dump to this new file instead of stdout
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: Option<PathBuf>,
    /// Write what this version of drbd-utils can read
    #[arg(long, value_name = "VERSION")]
    pub(super) compat: Option<UtilsVersion>,
    /// Apply the activity log in the exported text; the image is not touched
    #[arg(long, conflicts_with = "force")]
    pub(super) apply_al: bool,
    /// With --apply-al: mark everything out of sync, where the log cannot be trusted
    #[arg(long, requires = "apply_al")]
    pub(super) mark_all: bool,
    /// Print unclean metadata in drbdmeta's unclean form, which restore-md refuses
    #[arg(long)]
    pub(super) force: bool,
    /// Print one JSON document about the dump (needs --output)
    #[arg(long, requires = "output")]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct AlArgs {
    #[command(flatten)]
    pub(super) image: ImageArgs,
    /// Which resource of the stack [default: the only one, else 0; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(super) level: Option<LevelChoice>,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct ApplyAlArgs {
    #[command(flatten)]
    pub(super) image: ImageArgs,
    /// Which resource of the stack [default: the only one, else 0; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(super) level: Option<LevelChoice>,
    /// Mark everything out of sync, where the log cannot be trusted
    #[arg(long)]
    pub(super) mark_all: bool,
    #[command(flatten)]
    pub(super) writing: WritingArgs,
}

#[derive(Args, Debug)]
pub(super) struct ImportArgs {
    /// Regular file or block device that gets the metadata: the backing device, or the meta device where external
    pub(super) target: PathBuf,
    /// Dump, as `mdtool export` and drbdmeta's dump-md print it; - is standard input
    pub(super) dump: PathBuf,
    /// Where to put it; auto is internal
    #[arg(
        long,
        value_name = "auto|internal|flex-external|indexed:N",
        default_value = "auto"
    )]
    pub(super) index: IndexChoice,
    /// Make it the metadata of this node: exchange its peer entry with that of the node it came from (v09)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=31))]
    pub(super) node_id: Option<u8>,
    /// Write these flags instead of the dump's
    #[arg(long, value_name = "0x…", value_parser = flags)]
    pub(super) flags: Option<DeviceFlags>,
    /// Where the device is larger than fits, make it as large as fits
    #[arg(long)]
    pub(super) clip: bool,
    #[command(flatten)]
    pub(super) writing: WritingArgs,
}

/// What every command that writes takes.
#[derive(Args, Debug)]
pub(super) struct WritingArgs {
    /// Write what was there before to this new file [default: a name made of the target's and the time]
    #[arg(long, value_name = "FILE")]
    pub(super) undo: Option<PathBuf>,
    /// Show what would be done, and do nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Overwrite what is there without being asked
    #[arg(long)]
    pub(super) yes: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct UndoArgs {
    /// Undo file of an earlier command
    pub(super) file: PathBuf,
    /// The disk is found under this name now
    #[arg(long, value_name = "PATH")]
    pub(super) target: Option<PathBuf>,
    /// Put it back even over what was written since
    #[arg(long)]
    pub(super) yes: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args, Debug)]
pub(super) struct DemoArgs {
    /// Build the image here and keep it [default: a temporary directory]
    pub(super) dir: Option<PathBuf>,
}

impl FromStr for LevelChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "outer" => Ok(Self::Outer),
            "inner" => Ok(Self::Inner),
            number => number
                .parse()
                .map(Self::Number)
                .map_err(|_| "expected outer, inner or a number".to_owned()),
        }
    }
}

impl FromStr for IndexChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "internal" => Ok(Self::Internal),
            "flex-external" => Ok(Self::FlexExternal),
            _ => text
                .strip_prefix("indexed:")
                .and_then(|slot| slot.parse().ok())
                .map(Self::Indexed)
                .ok_or_else(|| {
                    "expected auto, internal, flex-external or indexed:N with N from 0 to 255"
                        .to_owned()
                }),
        }
    }
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

impl FromStr for UtilsVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers: Vec<u16> = text
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| version_grammar())?;
        let (major, minor, patch) = match *numbers.as_slice() {
            [major, minor] => (major, minor, 0),
            [major, minor, patch] => (major, minor, patch),
            _ => return Err(version_grammar()),
        };
        if (8..=9).contains(&major) {
            Ok(Self {
                major,
                minor,
                patch,
            })
        } else {
            Err(version_grammar())
        }
    }
}

fn version_grammar() -> String {
    "expected a version of drbd-utils, 8.0 or newer: 9.22, 8.9.6".to_owned()
}
