//! The arguments, typed and without side effects.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::builder::{PossibleValue, TypedValueParser, ValueParser, ValueParserFactory};
use clap::{Args, Parser, ValueEnum};

use crate::cli::commands::Command;

use crate::cli::size::Size;

use crate::error::UtilsVersion;
use crate::survey::locate::{IndexChoice, ScanMode};

/// Find, export and move DRBD metadata in disks and disk images
#[derive(Debug, Parser)]
#[command(name = "mdtool", version = BUILD, propagate_version = true, max_term_width = 100, arg_required_else_help = true, after_help = EXIT_STATUS)]
pub struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print results and errors only: no notes, warnings, hints or progress
    #[arg(short, long, global = true)]
    pub(crate) quiet: bool,
    /// Print internals, too: phases of a change, fields that only DRBD reads; on stderr which build ran what, and for how long
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// Print sizes as exact numbers of bytes only, without units of 1024
    #[arg(long, global = true)]
    pub(crate) bytes: bool,
}

/// Which build this is: version, commit, target, features.
pub(crate) const BUILD: &str = concat!(
    env!("CARGO_PKG_VERSION"),
    "\ncommit: ",
    env!("MDTOOL_COMMIT"),
    "\ntarget: ",
    env!("MDTOOL_TARGET"),
    "\nfeatures: ",
    env!("MDTOOL_FEATURES")
);

/// How every command's exit status is to be read.
pub(crate) const EXIT_STATUS: &str = "\
Exit status: 0 done, or yes; 1 ran, and the answer is no, or there are findings; 2 could not run
(bad usage, I/O error, damaged beyond reading, refused). `probe` has more: see its help.
A closed pipe is no error.

Sizes and positions: 4096, 0x1000, 4KiB, 9TB, 8s (sectors of 512 bytes).";

/// What every command that takes an image takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct ImageArgs {
    /// Regular file or block device
    pub(crate) image: PathBuf,
    /// Expect a stack; commands about one resource then mean its innermost one
    #[arg(long)]
    pub(crate) stacked: bool,
    /// Where to look
    #[arg(
        long,
        value_name = "auto|internal|flex-external|indexed:N",
        default_value = "auto"
    )]
    pub(crate) index: IndexChoice,
    /// The superblock is exactly at this byte
    #[arg(long, value_name = "BYTE")]
    pub(crate) at: Option<Size>,
    /// Look at the image from here on only (a partition in a whole-disk image)
    #[arg(long, value_name = "SIZE")]
    pub(crate) offset: Option<Size>,
    /// Look at this much of the image only
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: Option<Size>,
}

impl ImageArgs {
    /// All of a file or device, looked at in one way.
    pub(crate) fn whole(image: &Path, index: IndexChoice) -> Self {
        Self {
            image: image.to_owned(),
            stacked: false,
            index,
            at: None,
            offset: None,
            size: None,
        }
    }
}

/// Which resource of a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LevelChoice {
    Outer,
    Inner,
    Number(usize),
}

impl fmt::Display for LevelChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outer => f.write_str("outer"),
            Self::Inner => f.write_str("inner"),
            Self::Number(number) => number.fmt(f),
        }
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Scan {
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

/// What every command that writes takes.
#[derive(Args, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches of a command line, each on its own"
)]
pub(crate) struct WritingArgs {
    /// Write what was there before to this new file [default: a name made of the target's and the time]
    #[arg(long, value_name = "FILE")]
    pub(crate) undo: Option<PathBuf>,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// Overwrite what is there without being asked
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Write although an earlier change was cut off, or although DRBD refuses the metadata as it refused it before
    #[arg(long)]
    pub(crate) force: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Parses by [`FromStr`], and knows words for a shell to complete.
#[derive(Clone, Debug)]
pub(crate) struct Completed<T> {
    words: &'static [&'static str],
    parsed: std::marker::PhantomData<T>,
}

impl<T> Completed<T> {
    const fn to(words: &'static [&'static str]) -> Self {
        let parsed = std::marker::PhantomData;
        Self { words, parsed }
    }
}

impl<T> TypedValueParser for Completed<T>
where
    T: FromStr<Err = String> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<T, clap::Error> {
        let parse: fn(&str) -> Result<T, String> = str::parse;
        parse.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(
            self.words.iter().map(|word| PossibleValue::new(*word)),
        ))
    }
}

impl ValueParserFactory for LevelChoice {
    type Parser = ValueParser;

    fn value_parser() -> Self::Parser {
        ValueParser::new(Completed::<Self>::to(&["outer", "inner", "0", "1"]))
    }
}

impl ValueParserFactory for IndexChoice {
    type Parser = ValueParser;

    fn value_parser() -> Self::Parser {
        let words = &["auto", "internal", "flex-external", "indexed:0"];
        ValueParser::new(Completed::<Self>::to(words))
    }
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
