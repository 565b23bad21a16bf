//! The fast way through a bitmap's body: only what drbdmeta prints, and only what is in memory already.
//!
//! Whatever is not just so, an error above all, is left to the tokens of [`super::lex`], which read the same from where this stops.

use super::hex::{LINE_LEN, full_line, hex64};

/// Values of a full line.
const LINE_VALUES: u64 = 4;
/// The least text looked at: the longest item, so that none is cut at the end of what is in memory.
const ITEM_LEN: usize = 64;

/// How far it went.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Scan {
    /// Bytes.
    pub(super) length: usize,
    /// Newlines among them.
    pub(super) newlines: u64,
    /// Values, those of `repeat` included.
    pub(super) values: u64,
    /// The last item, if it was a repeated value: how often, and its high and low half.
    pub(super) repeat: Option<(u64, [u32; 2])>,
}

/// Gathers the words of a body up to the first value that is repeated.
///
/// At most `room` values are gathered, and not more than `most` with the repeated ones.
pub(super) fn scan(text: &[u8], room: u64, most: u64, words: &mut Vec<u32>) -> Scan {
    let mut rest = text;
    let mut scan = Scan::default();
    while let Some(byte) = rest.first() {
        let left = most.min(room).saturating_sub(scan.values);
        match *byte {
            b'\n' if left >= LINE_VALUES => {
                scan.newlines = scan.newlines.saturating_add(1);
                let split = rest.split_first_chunk::<LINE_LEN>();
                let full = split.and_then(|(line, behind)| Some((full_line(line)?, behind)));
                rest = match full {
                    Some((line, behind)) => {
                        words.extend_from_slice(&line);
                        scan.values = scan.values.saturating_add(LINE_VALUES);
                        behind
                    }
                    None => skip(rest, 1),
                };
            }
            b'\n' => {
                scan.newlines = scan.newlines.saturating_add(1);
                rest = skip(rest, 1);
            }
            b' ' | b'\t' | b'\r' => rest = skip(rest, 1),
            b'#' => match rest.iter().position(|byte| *byte == b'\n') {
                Some(length) => rest = skip(rest, length),
                None => break,
            },
            b'0'..=b'9' if rest.len() >= ITEM_LEN => {
                if let Some(([high, low], behind)) = value(rest).filter(|_| left > 0) {
                    words.extend_from_slice(&[low, high]);
                    scan.values = scan.values.saturating_add(1);
                    rest = behind;
                } else {
                    if let Some((count, value, behind)) =
                        repeat(rest, most.saturating_sub(scan.values))
                    {
                        scan.values = scan.values.saturating_add(count);
                        scan.repeat = Some((count, value));
                        rest = behind;
                    }
                    break;
                }
            }
            _ => break,
        }
    }
    scan.length = text.len().saturating_sub(rest.len());
    scan
}

/// `0x0123456789ABCDEF;`.
fn value(text: &[u8]) -> Option<([u32; 2], &[u8])> {
    let (value, behind) = text.split_first_chunk::<19>()?;
    match value {
        [b'0', b'x', digits @ .., b';'] => Some((hex64(digits)?, behind)),
        _ => None,
    }
}

/// `COUNT times 0x0123456789ABCDEF;`, with a count from 1 to `most`.
fn repeat(text: &[u8], most: u64) -> Option<(u64, [u32; 2], &[u8])> {
    let length = text.iter().position(|byte| !byte.is_ascii_digit())?;
    let (digits, behind) = text.split_at_checked(length).filter(|_| length < 20)?;
    let count = digits.iter().try_fold(0_u64, |count, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        count.checked_mul(10)?.checked_add(u64::from(digit))
    })?;
    let (value, behind) = value(behind.strip_prefix(b" times ")?)?;
    (1..=most)
        .contains(&count)
        .then_some((count, value, behind))
}

/// What follows the first `length` bytes.
fn skip(text: &[u8], length: usize) -> &[u8] {
    text.get(length..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a scan gave, the text filled up with blanks and something that stops it.
    fn scanned(text: &str, most: u64) -> (Scan, Vec<u32>) {
        let mut words = Vec::new();
        let scan = scan(
            format!("{text}{}}}", " ".repeat(64)).as_bytes(),
            50,
            most,
            &mut words,
        );
        (scan, words)
    }

    #[test]
    fn what_drbdmeta_prints_is_read() {
        let body = "\n   # at 0kB\n    0x0000000200000001; 0x0000000400000003;\n    \
            0x0000000000000005; 0x0000000000000006; 0x0000000000000007; 0x0000000000000008;\n    \
            66 times 0xFFFFFFFFFFFFFFFF;\n    0x0000000000000009;";
        let (scan, words) = scanned(body, 100);
        assert_eq!(words, [1, 2, 3, 4, 5, 0, 6, 0, 7, 0, 8, 0]);
        let expected = Scan {
            length: body.rfind('\n').unwrap(),
            newlines: 4,
            values: 72,
            repeat: Some((66, [u32::MAX; 2])),
        };
        assert_eq!(scan, expected);
    }

    #[test]
    fn what_is_not_just_so_is_left_alone() {
        for item in [
            "0x0000000200000001 ;",
            "0x000000020000000G;",
            "0x00000002;",
            "5  times 0x0000000200000001;",
            "5 times  0x0000000200000001;",
            "0 times 0x0000000200000001;",
            "101 times 0x0000000200000001;",
            "00000000000000000001 times 0x0000000200000001;",
            "-1 times 0x0000000200000001;",
            "}",
            "\"",
            "# no newline",
        ] {
            let (scan, words) = scanned(&format!("\n\r\t {item}"), 100);
            let expected = Scan {
                length: 4,
                newlines: 1,
                ..Scan::default()
            };
            assert_eq!((scan, words), (expected, vec![]), "{item}");
        }
    }

    #[test]
    fn no_more_is_read_than_may_be() {
        let line =
            "\n    0x0000000000000005; 0x0000000000000006; 0x0000000000000007; 0x0000000000000008;";
        for most in 0..10 {
            let (scan, words) = scanned(&line.repeat(2), most);
            assert_eq!(scan.values, most.min(8));
            assert_eq!(words.len(), usize::try_from(most.min(8) * 2).unwrap());
        }
    }
}
