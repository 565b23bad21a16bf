//! Ranges of a copy as a text: `START LENGTH` in bytes, one a line, in order; `mdtool sum --check` and `mdtool bitmap show --ranges` print
//! such.

use std::io::BufRead;
use std::ops::Range;

use super::TruckRefusal;
use crate::error::{IoError, IoOp, Result};
use crate::units::{Bytes, DevPos};

/// The most ranges that are held; what follows one another counts as one.
const MOST: usize = 1 << 20;
/// The longest line that two numbers make, and some room.
const LONGEST: u64 = 256;

/// The ranges in a text, all of them within `size`.
///
/// # Errors
///
/// [`TruckRefusal::Ranges`] with the line, or what reading says.
pub fn parse(mut text: impl BufRead, size: Bytes) -> Result<Vec<Range<DevPos>>> {
    let mut ranges: Vec<Range<DevPos>> = Vec::new();
    let mut line = Vec::new();
    let mut number = 0_u64;
    loop {
        line.clear();
        let mut limited = std::io::Read::take(&mut text, LONGEST);
        let read = limited.read_until(b'\n', &mut line);
        if read.map_err(|error| IoError::whole(IoOp::Read, error))? == 0 {
            return Ok(ranges);
        }
        number = number.saturating_add(1);
        let wrong = |why| TruckRefusal::Ranges { line: number, why };
        let text = std::str::from_utf8(&line).map_err(|_| wrong("expected START LENGTH"))?;
        let words: Vec<&str> = text.split_whitespace().collect();
        if words.first().is_none_or(|word| word.starts_with('#')) {
            continue;
        }
        let range = range(&words).ok_or_else(|| wrong("expected START LENGTH in bytes"))?;
        if range.end.from_start() > size {
            return Err(wrong("the range leaves the copy").into());
        }
        let many = ranges.len();
        match ranges.last_mut() {
            Some(last) if range.start < last.end => {
                return Err(wrong("begins before the range above it ends").into());
            }
            Some(last) if range.start == last.end => last.end = range.end,
            _ if range.is_empty() => {}
            _ if many == MOST => {
                return Err(wrong("more than 1048576 ranges apart from each other").into());
            }
            _ => ranges.push(range),
        }
    }
}

fn range(words: &[&str]) -> Option<Range<DevPos>> {
    let [start, length] = words else {
        return None;
    };
    let number = |word: &str| {
        let digits = word.bytes().all(|byte| byte.is_ascii_digit());
        word.parse::<u64>().ok().filter(|_| digits)
    };
    let start = DevPos::new(number(start)?);
    Some(start..start.checked_add(Bytes::new(number(length)?))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_in_order_and_within_the_copy() {
        let read = |text: &str| parse(text.as_bytes(), Bytes::new(100));
        let dev = |range: Range<u64>| DevPos::new(range.start)..DevPos::new(range.end);
        assert_eq!(read("").unwrap(), []);
        assert_eq!(
            read("# bad\n0 5\n5 5\n\n 90\t10").unwrap(),
            [dev(0..10), dev(90..100)]
        );
        assert_eq!(read("7 0\n").unwrap(), []);
        for (text, line) in [
            ("0 5\n4 1\n", 2),
            ("0 101\n", 1),
            ("1 18446744073709551615\n", 1),
            ("0\n", 1),
            ("0 5 7\n", 1),
            ("0 +5\n", 1),
            ("\n\n0 5k\n", 3),
            ("0 -5\n", 1),
        ] {
            let error = read(text).unwrap_err();
            let Some(TruckRefusal::Ranges { line: found, .. }) = error.refusal() else {
                panic!("{text:?}: {error}");
            };
            assert_eq!(*found, line, "{text:?}");
        }
        read(&"1".repeat(1000)).unwrap_err();
    }
}
