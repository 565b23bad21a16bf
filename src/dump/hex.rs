//! Hex digits to numbers, eight at a time, and back, a line at a time.

/// A byte repeated in each byte of a word.
const fn each(byte: u8) -> u64 {
    u64::from_ne_bytes([byte; 8])
}

/// How far `A` lies behind the byte after `9`.
const LETTERS_AHEAD: u8 = b'A' - b'9' - 1;

/// The highest bit of each byte.
const HIGH: u64 = each(0x80);

/// The highest bit of each byte that is at least `least`; every byte must be below 128.
#[inline]
const fn at_least(bytes: u64, least: u8) -> u64 {
    bytes.wrapping_add(each(0x80_u8.wrapping_sub(least))) & HIGH
}

/// What eight digits mean, and [`HIGH`] where all of them are digits.
#[inline]
fn eight(digits: [u8; 8]) -> (u32, u64) {
    let bytes = u64::from_be_bytes(digits);
    let below_128 = bytes & !HIGH;
    let lower = below_128 | each(0x20);
    let digit = at_least(below_128, b'0') & !at_least(below_128, b'9'.wrapping_add(1));
    let letter = at_least(lower, b'a') & !at_least(lower, b'f'.wrapping_add(1));
    let valid = (digit | letter) & !bytes & HIGH;

    // A letter's low nibble is 1 for a: 9 short of what it means.
    let nibbles = (bytes & each(0x0F)).wrapping_add((letter >> 7).wrapping_mul(9));
    let bytes = (nibbles | nibbles >> 4) & 0x00FF_00FF_00FF_00FF;
    let pairs = (bytes | bytes >> 8) & 0x0000_FFFF_0000_FFFF;
    let value = (pairs | pairs >> 16) & 0xFFFF_FFFF;
    let [_, _, _, _, low @ ..] = value.to_be_bytes();
    (u32::from_be_bytes(low), valid)
}

/// What sixteen digits mean: their high and low half, and [`HIGH`] where all of them are digits.
#[inline]
fn sixteen(digits: &[u8; 16]) -> Option<([u32; 2], u64)> {
    let (high, low) = digits.split_first_chunk()?;
    let (high, high_valid) = eight(*high);
    let (low, low_valid) = eight(*low.first_chunk()?);
    Some(([high, low], high_valid & low_valid))
}

/// The number of eight hex digits.
#[inline]
pub(super) fn hex32(digits: [u8; 8]) -> Option<u32> {
    let (value, valid) = eight(digits);
    (valid == HIGH).then_some(value)
}

/// The high and the low half of sixteen hex digits.
#[inline]
pub(super) fn hex64(digits: &[u8; 16]) -> Option<[u32; 2]> {
    let (halves, valid) = sixteen(digits)?;
    (valid == HIGH).then_some(halves)
}

/// Bytes of one value in a full line: ` 0x0123456789ABCDEF;`.
const VALUE_LEN: usize = 20;
/// Bytes of a full line of a bitmap's body, from the newline before it.
pub(super) const LINE_LEN: usize = 84;
/// Words in it.
const LINE_WORDS: usize = 8;

/// The words of a full line as drbdmeta prints it, lowest sectors first; `None` where it is anything else.
#[inline]
pub(super) fn full_line(line: &[u8; LINE_LEN]) -> Option<[u32; LINE_WORDS]> {
    let (head, values) = line.split_first_chunk::<4>()?;
    if head != b"\n   " {
        return None;
    }
    let (values, _) = values.as_chunks::<VALUE_LEN>();
    let [a, b, c, d] = values else {
        return None;
    };
    let (a, b, c, d) = (value(a)?, value(b)?, value(c)?, value(d)?);
    let valid = a.1 & b.1 & c.1 & d.1;
    let words = [
        a.0[1], a.0[0], b.0[1], b.0[0], c.0[1], c.0[0], d.0[1], d.0[0],
    ];
    (valid == HIGH).then_some(words)
}

/// One value of a full line, still to be judged.
#[inline]
fn value(text: &[u8; VALUE_LEN]) -> Option<([u32; 2], u64)> {
    match text {
        [b' ', b'0', b'x', digits @ .., b';'] => sixteen(digits),
        _ => None,
    }
}

/// A full line whose digits are still to be filled in.
const BLANK_LINE: &[u8; LINE_LEN] =
    b"\n    0x................; 0x................; 0x................; 0x................;";

/// A full line of a bitmap's body, as drbdmeta prints it.
#[inline]
pub(super) fn print_full_line(words: &[u32; LINE_WORDS]) -> [u8; LINE_LEN] {
    let mut line = *BLANK_LINE;
    let digits: [u8; 8 * LINE_WORDS] =
        print_digits(&values::<LINE_WORDS, { 4 * LINE_WORDS }>(words));
    if let Some((_, values)) = line.split_first_chunk_mut::<4>() {
        let (values, _) = values.as_chunks_mut::<VALUE_LEN>();
        for (text, new) in values.iter_mut().zip(digits.as_chunks().0) {
            let [_, _, _, digits @ .., _] = text;
            *digits = *new;
        }
    }
    line
}

/// The sixteen digits of two words, the later one's first.
pub(super) fn print_sixteen(words: [u32; 2]) -> [u8; 16] {
    print_digits(&values::<2, 8>(&words))
}

/// Pairs of words as 64-bit values, in the order of their digits.
#[inline]
fn values<const WORDS: usize, const BYTES: usize>(words: &[u32; WORDS]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    let pairs = words.as_chunks::<2>().0;
    for (value, [low, high]) in bytes.as_chunks_mut().0.iter_mut().zip(pairs) {
        *value = (u64::from(*high) << 32 | u64::from(*low)).to_be_bytes();
    }
    bytes
}

/// The digits of bytes: a loop without a branch or a table, of which the compiler makes vector code.
#[inline]
fn print_digits<const BYTES: usize, const DIGITS: usize>(bytes: &[u8; BYTES]) -> [u8; DIGITS] {
    let mut digits = [0; DIGITS];
    for (pair, byte) in digits.as_chunks_mut().0.iter_mut().zip(bytes) {
        *pair = [digit(byte >> 4), digit(byte & 15)];
    }
    digits
}

/// The upper-case digit of a number below 16.
const fn digit(nibble: u8) -> u8 {
    let letters = if nibble < 10 { 0 } else { LETTERS_AHEAD };
    nibble.wrapping_add(b'0').wrapping_add(letters)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_hex_digits_are_hex_digits() {
        for place in 0..16 {
            for byte in 0..=u8::MAX {
                let mut digits = *b"0123456789aBcDeF";
                digits[place] = byte;
                let expected = std::str::from_utf8(&digits)
                    .ok()
                    .filter(|_| byte.is_ascii_hexdigit())
                    .map(|text| u64::from_str_radix(text, 16).unwrap());
                let found =
                    hex64(&digits).map(|[high, low]| u64::from(high) << 32 | u64::from(low));
                assert_eq!(found, expected, "byte {byte} at {place}");
            }
        }
    }

    /// A full line, in the case that drbdmeta prints or the other.
    fn printed(values: [u64; 4], upper: bool) -> [u8; LINE_LEN] {
        let line = values.iter().fold("\n   ".to_owned(), |line, value| {
            let digits = format!("{value:016x}");
            let digits = if upper { digits.to_uppercase() } else { digits };
            format!("{line} 0x{digits};")
        });
        line.into_bytes().try_into().unwrap()
    }

    proptest! {
        #[test]
        fn a_full_line_is_read_as_it_was_printed(values: [u64; 4], upper: bool) {
            let words = full_line(&printed(values, upper)).unwrap();
            let read: Vec<u64> =
                words.chunks(2).map(|pair| u64::from(pair[1]) << 32 | u64::from(pair[0])).collect();
            prop_assert_eq!(read, values);
        }

        #[test]
        fn a_full_line_is_printed_as_format_would(values: [u64; 4]) {
            let halves = |value: u64| [value & 0xFFFF_FFFF, value >> 32];
            let words: Vec<u32> = values.into_iter().flat_map(halves).map(|half| half.try_into().unwrap()).collect();
            let line = print_full_line(words.first_chunk().unwrap());
            prop_assert_eq!(line, printed(values, true));
        }

        #[test]
        fn a_line_with_one_wrong_byte_is_no_full_line(
            values: [u64; 4],
            place in 0..LINE_LEN,
            byte: u8,
        ) {
            let good = printed(values, true);
            prop_assume!(byte != good[place]);
            let mut line = good;
            line[place] = byte;
            // Digits stand at 7..23, 27..43 and so on.
            let in_digits = (place + 13) % 20 < 16 && place >= 7;
            prop_assert_eq!(full_line(&line).is_some(), in_digits && byte.is_ascii_hexdigit());
        }
    }
}
