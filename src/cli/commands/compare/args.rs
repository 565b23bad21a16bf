//! Arguments of `compare`.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueEnum};

use crate::cli::args::LevelChoice;
use crate::cli::commands::show::args::Rate;
use crate::cli::size::Size;
use crate::units::Bytes;
use crate::verdict::check::Kernel;
use crate::verdict::handshake::{NetOptions, Protocol};

/// Arguments of `compare`.
#[derive(Args, Debug)]
pub(crate) struct CompareArgs {
    /// Images, block devices, PATH@LEVEL, or dumps as text; - is standard input. The first is a, the second b, and so on
    #[arg(required = true, num_args = 2.., value_name = "SOURCE")]
    pub(crate) sources: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) pair: PairArgs,
    /// Which resource of each stack [default: the only one, else 0; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N")]
    pub(crate) level: Option<LevelChoice>,
    /// Expect stacks, and mean their innermost resources
    #[arg(long)]
    pub(crate) stacked: bool,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// How replicas are connected.
#[derive(Args, Clone, Debug)]
pub(crate) struct PairArgs {
    /// The replication protocol
    #[arg(long, value_name = "A|B|C", default_value = "C", value_parser = protocol)]
    pub(crate) protocol: Protocol,
    /// This one was promoted before connecting; may be given again
    #[arg(long, value_name = "a|b")]
    pub(crate) primary: Vec<Letter>,
    /// An option of the connection, by DRBD's name, of one side or of all
    #[arg(long, value_name = "[a:|b:]OPTION=VALUE")]
    pub(crate) net: Vec<NetSetting>,
    /// The size that is configured for the device
    #[arg(long, value_name = "SIZE")]
    pub(crate) size: Option<Size>,
    /// Whether a quorum policy is configured [default: on where the flags of a side say that it lost quorum]
    #[arg(long, value_name = "on|off")]
    pub(crate) quorum: Option<OnOff>,
    /// Reckon the time of a resync with this many bytes each second
    #[arg(long, value_name = "SIZE", default_value = "100MiB")]
    pub(crate) rate: Rate,
    /// The kernel on both sides [default: the newest that the format belongs to]
    #[arg(long, value_name = "8.4|9.0|9.1|9.2|9.3", value_parser = kernel)]
    pub(crate) kernel: Option<Kernel>,
}

impl Default for PairArgs {
    /// What is meant where nothing is said.
    fn default() -> Self {
        Self {
            protocol: Protocol::C,
            primary: Vec::new(),
            net: Vec::new(),
            size: None,
            quorum: None,
            rate: Rate(Bytes::new(100 << 20)),
            kernel: None,
        }
    }
}

/// Yes or no.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnOff {
    /// A quorum policy is configured
    On,
    /// None is
    Off,
}

/// A replica by its letter: its place in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Letter(pub(crate) usize);

impl FromStr for Letter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut letters = ('a'..='z').zip(0..);
        let found = letters.find(|(letter, _)| text == letter.to_string());
        let found = found.map(|(_, place)| Self(place));
        found.ok_or_else(|| "expected a letter: a for the first source, b for the second".to_owned())
    }
}

/// `[a:]OPTION=VALUE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NetSetting {
    /// Whose; nothing for everybody's.
    pub(crate) side: Option<Letter>,
    name: String,
    value: String,
}

impl FromStr for NetSetting {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (side, setting) = match text.split_once(':') {
            Some((letter, rest)) => (Some(letter.parse()?), rest),
            None => (None, text),
        };
        let (name, value) = setting.split_once('=').unwrap_or((setting, ""));
        let setting = Self {
            side,
            name: name.trim_start_matches("--").to_owned(),
            value: value.to_owned(),
        };
        setting.apply(&mut NetOptions::default())?;
        Ok(setting)
    }
}

impl NetSetting {
    /// Sets it.
    pub(crate) fn apply(&self, net: &mut NetOptions) -> Result<(), String> {
        net.set(&self.name, &self.value)
            .map_err(|bad| format!("expected {}", bad.expected))
    }
}

fn protocol(text: &str) -> Result<Protocol, String> {
    text.parse::<Protocol>()
        .map_err(|bad| format!("expected {}", bad.expected))
}

fn kernel(text: &str) -> Result<Kernel, String> {
    match text {
        "8.4" => Ok(Kernel::V8_4),
        // They decide alike.
        "9.0" | "9.1" => Ok(Kernel::V9_0),
        "9.2" => Ok(Kernel::V9_2),
        "9.3" => Ok(Kernel::V9_3),
        _ => Err("expected 8.4, 9.0, 9.1, 9.2 or 9.3".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_may_be_one_side_s_or_everybody_s() {
        let one: NetSetting = "b:discard-my-data=yes".parse().unwrap();
        assert_eq!(one.side, Some(Letter(1)));
        let all: NetSetting = "after-sb-0pri=discard-zero-changes".parse().unwrap();
        assert_eq!(all.side, None);
        for wrong in ["discard=yes", "c-:always-asbp=yes", "always-asbp=maybe", "rr-conflict"] {
            assert!(wrong.parse::<NetSetting>().is_err(), "{wrong}");
        }
    }
}
