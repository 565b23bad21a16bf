//! Arguments of `probe`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::cli::args::{ImageArgs, LevelChoice, Scan};
use crate::cli::size::Size;
use crate::format::superblock::{Format, Uuid};
use crate::units::NodeId;
use crate::verdict::probe::{Expect, Which};

/// Arguments of `probe`.
#[derive(Args, Debug)]
pub(crate) struct ProbeArgs {
    #[command(flatten)]
    image: ImageArgs,
    /// Further ones, each with a line of its own
    #[arg(value_name = "IMAGE")]
    more: Vec<PathBuf>,
    /// Which resource of the stack [default: 0, the outermost; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    level: Option<LevelChoice>,
    /// How far to look where nothing is in its place; never cannot answer 1
    #[arg(
        long,
        value_name = "auto|never|full",
        default_value = "auto",
        conflicts_with = "at"
    )]
    pub(crate) scan: Scan,
    /// Identifier that the metadata should have
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    expect_device_uuid: Option<Uuid>,
    /// Generation that the data should have; bit 0, Primary, does not count
    #[arg(long, value_name = "UUID", value_parser = uuid)]
    expect_current_uuid: Option<Uuid>,
    /// Node that the metadata should be of (v09)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=31))]
    expect_node_id: Option<u8>,
    /// Size that the DRBD device should have
    #[arg(long, value_name = "SIZE")]
    expect_size: Option<Size>,
    /// Format that the metadata should have
    #[arg(long, value_name = "v07|v08|v09")]
    expect_format: Option<FormatChoice>,
    /// Print nothing: the exit status is the answer
    #[arg(short, long, conflicts_with_all = ["json", "net_size"])]
    pub(crate) quiet: bool,
    /// Print one JSON document
    #[arg(long, conflicts_with = "net_size")]
    pub(crate) json: bool,
    /// Print the bytes of the DRBD device, where the data ends, and nothing else (one image)
    #[arg(long, conflicts_with = "more")]
    pub(crate) net_size: bool,
}

/// DRBD's formats, as they are called.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum FormatChoice {
    V07,
    V08,
    V09,
}

impl ProbeArgs {
    /// Every image, with the options that hold for all of them.
    pub(crate) fn images(&self) -> impl Iterator<Item = ImageArgs> {
        let further = self.more.iter().map(|image| ImageArgs {
            image: image.clone(),
            ..self.image.clone()
        });
        std::iter::once(self.image.clone()).chain(further)
    }

    /// The resource asked about.
    pub(crate) fn which(&self) -> Which {
        match self.level {
            Some(LevelChoice::Outer | LevelChoice::Number(0)) => Which::Outermost,
            Some(LevelChoice::Number(number)) => Which::Number(number),
            Some(LevelChoice::Inner) if !self.image.stacked => Which::Last,
            Some(LevelChoice::Inner) => Which::Innermost,
            None if self.image.stacked => Which::Innermost,
            None => Which::Outermost,
        }
    }

    /// What its metadata should say.
    pub(crate) fn expect(&self) -> Expect {
        Expect {
            device_uuid: self.expect_device_uuid,
            current_uuid: self.expect_current_uuid,
            node_id: self.expect_node_id.map(NodeId::new),
            size: self.expect_size.map(|size| size.0),
            format: self.expect_format.map(|format| match format {
                FormatChoice::V07 => Format::V07,
                FormatChoice::V08 => Format::V08,
                FormatChoice::V09 => Format::V09,
            }),
        }
    }
}

/// Hex digits, with `0x` or without, as DRBD's tools print them.
fn uuid(text: &str) -> Result<Uuid, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    // A sign is no digit, whatever the standard library takes.
    if digits.bytes().all(|digit| digit.is_ascii_hexdigit())
        && let Ok(number) = u64::from_str_radix(digits, 16)
    {
        return Ok(Uuid(number));
    }
    Err("expected 1 to 16 hex digits: 0x0123456789ABCDEF".to_owned())
}
