//! Arguments of `show`.

use std::str::FromStr;

use clap::Args;

use crate::cli::args::{ImageArgs, LevelChoice};
use crate::cli::size::Size;
use crate::units::Bytes;

/// Arguments of `show`.
#[derive(Args, Debug)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    pub(crate) image: ImageArgs,
    /// Which resource of the stack [default: all; with --stacked inner]
    #[arg(long, value_name = "outer|inner|N", conflicts_with = "at")]
    pub(crate) level: Option<LevelChoice>,
    /// Reckon the time of a resync with this many bytes each second
    #[arg(long, value_name = "SIZE", default_value = "100MiB")]
    pub(crate) rate: Rate,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// Bytes each second, at least one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate(pub(crate) Bytes);

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let Size(rate) = text.strip_suffix("/s").unwrap_or(text).parse()?;
        if rate == Bytes::ZERO {
            return Err("expected at least 1 byte each second: 100MiB, 12500kB/s".to_owned());
        }
        Ok(Self(rate))
    }
}

impl Rate {
    /// Whole seconds that so many bytes take, a started one counted.
    pub(crate) fn seconds(self, bytes: Bytes) -> u64 {
        let whole = bytes.whole_units(self.0);
        let rest = bytes.get().checked_rem(self.0.get()).unwrap_or(0);
        whole.saturating_add(u64::from(rest != 0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_is_a_size_each_second() {
        let mib = Rate(Bytes::new(1 << 20));
        assert_eq!("1MiB".parse(), Ok(mib));
        assert_eq!("1MiB/s".parse(), Ok(mib));
        assert!("0".parse::<Rate>().is_err());
        assert!("1MiB/h".parse::<Rate>().is_err());
        assert_eq!(
            [0, 1, 1 << 20, (1 << 20) + 1].map(|bytes| mib.seconds(Bytes::new(bytes))),
            [0, 1, 1, 2]
        );
    }
}
