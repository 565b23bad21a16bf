//! Ranges of a device as people and tools write them.

use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use anyhow::Context;

use crate::cli::size::Size;
use crate::image::open_source;
use crate::survey::range_file::RangeFile;
use crate::units::{Bytes, DevPos};

/// A range from the command line: `START..END`, END exclusive, or `START+LENGTH`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RangeArg(pub(crate) Range<DevPos>);

impl FromStr for RangeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((start, end)) = text.split_once("..") {
            let (Size(start), Size(end)) = (start.parse()?, end.parse()?);
            if end <= start {
                return Err("expected an end behind the start: START..END".to_owned());
            }
            return Ok(Self(DevPos::at(start)..DevPos::at(end)));
        }
        let grammar = || "expected START..END or START+LENGTH: 4096..8192, 1GiB+4KiB".to_owned();
        let (start, len) = text.split_once('+').ok_or_else(grammar)?;
        let (Size(start), Size(len)) = (start.parse()?, len.parse()?);
        range(start, len).map(Self)
    }
}

/// `len` bytes from `start` on.
fn range(start: Bytes, len: Bytes) -> Result<Range<DevPos>, String> {
    let end = DevPos::at(start).checked_add(len);
    match end {
        Some(end) if len > Bytes::ZERO => Ok(DevPos::at(start)..end),
        Some(_) => Err("expected a length of at least 1 byte".to_owned()),
        None => Err("expected an end before 16 EiB".to_owned()),
    }
}

/// Shows every range of a file to `visit`, whichever form of [`RangeFile`] it has; `-` is standard input. Where it has a range a line, that
/// is `START LENGTH`, or as on the command line.
pub(crate) fn each_of_file(
    path: &Path,
    visit: &mut dyn FnMut(Range<DevPos>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let name = || path.display().to_string();
    let text = open_source(path).with_context(name)?;
    let mut file = RangeFile::new(text, of_line).with_context(name)?;
    while let Some(range) = file.next_range().with_context(name)? {
        visit(range)?;
    }
    Ok(())
}

/// The same, of a file that has one at least: a command that failed before a pipe must not read as an answer.
pub(crate) fn some_of_file(
    path: &Path,
    visit: &mut dyn FnMut(Range<DevPos>) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let mut any = false;
    each_of_file(path, &mut |range| {
        any = true;
        visit(range)
    })?;
    anyhow::ensure!(
        any,
        "{}: there is no range in it, expected at least one",
        path.display()
    );
    Ok(())
}

fn of_line(line: &str) -> Result<Range<DevPos>, String> {
    let mut words = line.split_ascii_whitespace();
    let (start, len) = match (words.next(), words.next(), words.next()) {
        (Some(range), None, None) if range.contains("..") || range.contains('+') => {
            return range.parse().map(|RangeArg(range)| range);
        }
        (Some(start), Some(len), None) => (start, len),
        _ => return Err("expected START LENGTH".to_owned()),
    };
    let (Size(start), Size(len)) = (start.parse()?, len.parse()?);
    range(start, len)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(u64, u64), String> {
        text.parse::<RangeArg>()
            .map(|RangeArg(range)| (range.start.get(), range.end.get()))
    }

    #[test]
    fn ranges_have_an_end_or_a_length() {
        assert_eq!(parsed("0..4096"), Ok((0, 4096)));
        assert_eq!(parsed("4KiB..2MiB"), Ok((4096, 2 << 20)));
        assert_eq!(parsed("1MiB+8s"), Ok((1 << 20, (1 << 20) + 4096)));
        for bad in [
            "",
            "5",
            "5..5",
            "6..5",
            "5+0",
            "..5",
            "5..",
            "18446744073709551615+1",
            "1-2",
        ] {
            assert!(parsed(bad).is_err(), "{bad:?}");
        }
        assert_eq!(
            of_line("4096 512"),
            Ok(DevPos::new(4096)..DevPos::new(4608))
        );
        assert_eq!(
            of_line("4096..8192"),
            Ok(DevPos::new(4096)..DevPos::new(8192))
        );
        assert!(of_line("4096").is_err());
        assert!(of_line("4096 512 1").is_err());
    }
}
