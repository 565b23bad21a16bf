//! Sizes as people type them.

use std::str::FromStr;

use crate::units::{Bytes, SECTOR_SIZE};

/// A size or position from the command line, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) Bytes);

/// What each unit multiplies by.
const UNITS: [(&str, u64); 13] = [
    ("", 1),
    ("B", 1),
    ("s", SECTOR_SIZE.get()),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
];

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse(text).map(Self)
    }
}

fn parse(text: &str) -> Result<Bytes, String> {
    let grammar =
        || "expected a number with a unit or none: 4096, 0x1000, 4KiB, 9TB, 8s".to_owned();
    let too_large = || "expected less than 16 EiB".to_owned();
    if let Some(digits) = text.strip_prefix("0x") {
        if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(grammar());
        }
        return u64::from_str_radix(digits, 16)
            .map(Bytes::new)
            .map_err(|_| too_large());
    }
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    if digits.is_empty() {
        return Err(grammar());
    }
    let number: u64 = digits.parse().map_err(|_| too_large())?;
    let same = |name: &str| {
        if unit == "s" || name == "s" {
            unit == name
        } else {
            name.eq_ignore_ascii_case(unit)
        }
    };
    let (_, factor) = UNITS
        .iter()
        .find(|(name, _)| same(name))
        .ok_or_else(|| match unit {
            "K" | "M" | "G" | "T" | "P" | "k" | "m" | "g" | "t" | "p" => {
                format!(
                    "{unit} may mean 1000s or 1024s, expected e.g. {0}iB or {0}B",
                    unit.to_ascii_uppercase()
                )
            }
            _ => grammar(),
        })?;
    number
        .checked_mul(*factor)
        .map(Bytes::new)
        .ok_or_else(too_large)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_documented() {
        let read = |text| parse(text).map(Bytes::get);
        assert_eq!(read("4096"), Ok(4096));
        assert_eq!(read("0x1000"), Ok(4096));
        assert_eq!(read("4KiB"), Ok(4096));
        assert_eq!(read("4kib"), Ok(4096));
        assert_eq!(read("9TB"), Ok(9_000_000_000_000));
        assert_eq!(read("8s"), Ok(4096));
        assert_eq!(read("0"), Ok(0));
        assert_eq!(read("18446744073709551615"), Ok(u64::MAX));
    }

    #[test]
    fn sizes_that_could_mean_two_things_are_refused() {
        for text in [
            "", "KiB", "4 KiB", "-1", "4K", "4M", "1.5GiB", "0x", "0xg", "1_000", "8S", "4KiB5",
            "é",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(parse("4M").unwrap_err().contains("MiB"));
        for text in [
            "18446744073709551616",
            "17179869184GiB",
            "0x10000000000000000",
            "36028797018963968s",
        ] {
            assert!(parse(text).unwrap_err().contains("16 EiB"), "{text:?}");
        }
    }
}
