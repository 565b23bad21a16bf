use super::super::examples::{V07, V08, complaint, syntax, v09, with, words};
use crate::error::Found;

#[test]
fn every_number_has_its_range() {
    let u32 = "a decimal number from 0 to 4294967295";
    let any_32 = "a decimal number from -2147483648 to 4294967295";
    let power = "a power of two from 4096 to 1048576";
    let v09 = v09();
    for (text, field, bad, expected) in [
        (
            V08,
            "la-size-sect 268200",
            "-1",
            "a decimal number from 0 to 18446744073709551615",
        ),
        (
            V08,
            "la-size-sect 268200",
            "20000000000000000000",
            "a decimal number from 0 to 18446744073709551615",
        ),
        (V08, "bm-byte-per-bit 4096", "2048", power),
        (V08, "bm-byte-per-bit 4096", "5000", power),
        (V08, "bm-byte-per-bit 4096", "2097152", power),
        (V08, "bm-byte-per-bit 4096", "4294971392", power),
        (V08, "la-peer-max-bio-size -4096", "4294967296", any_32),
        (V08, "la-peer-max-bio-size -4096", "-2147483649", any_32),
        (V08, "al-stripes 2", "-1", u32),
        (V08, "al-stripe-size-4k 16", "4294967296", u32),
        (V07, "-1", "-2147483649", any_32),
        (&v09, "max-peers 3", "0", "a decimal number from 1 to 31"),
        (&v09, "max-peers 3", "32", "a decimal number from 1 to 31"),
        (&v09, "node-id 7", "-2", "a decimal number from -1 to 31"),
        (&v09, "node-id 7", "32", "a decimal number from -1 to 31"),
        (
            &v09,
            "bitmap-index 4",
            "2147483648",
            "a decimal number from -2147483648 to 2147483647",
        ),
        (&v09, "bitmap[1", "2", "1"),
    ] {
        let keep = field.rfind([' ', '[']).map_or(0, |at| at + 1);
        let text = with(text, field, &format!("{}{bad}", &field[..keep]));
        let complaint = complaint(&text);
        let (_, said) = complaint.split_once(' ').unwrap();
        assert_eq!(said, format!("\"{bad}\", {expected}"));
    }
}

#[test]
fn a_number_of_the_wrong_kind_is_no_number() {
    let hex32 = "0x and 8 hex digits";
    let hex64 = "0x and 16 hex digits";
    for (from, to, expected) in [
        (
            "268200",
            "0x00000001",
            "8:14 \"0x00000001\", a decimal number from 0 to 18446744073709551615",
        ),
        ("0x00000093", "147", &format!("5:11 \"147\", {hex32}")),
        (
            "0x00000093",
            "0x0000000000000093",
            &format!("5:11 \"0x0000000000000093\", {hex32}"),
        ),
        (
            "0x1BF00582A40145C1",
            "0x00000093",
            &format!("4:5 \"0x00000093\", {hex64}"),
        ),
        (
            "0x00000000000000FE",
            "254",
            &format!("10:13 \"254\", {hex64}"),
        ),
        (
            "0x00000000000000FE",
            "0x00000000000000G0",
            &format!("10:13 \"0x00000000000000G0\", {hex64}"),
        ),
    ] {
        assert_eq!(complaint(&with(V08, from, to)), expected);
    }
}

#[test]
fn a_complaint_shows_the_line() {
    let error = syntax(&with(V08, "    flags", "\tfl\u{e4}gs"));
    assert_eq!(
        error.to_string(),
        "line 5, column 2: found \"fl\", expected \"flags\""
    );
    assert_eq!(
        (&*error.line_text, error.mark),
        (" fl\u{e4}gs 0x00000093;", 1)
    );
}

#[test]
fn a_token_left_out_is_missed_where_it_was() {
    for (text, count) in [(V07, 20), (V08, 40), (&*v09(), 600)] {
        let mut tried = 0;
        for (at, token) in tokens_of(text) {
            let mut damaged = text.to_owned();
            damaged.replace_range(at..at + token.len(), &" ".repeat(token.len()));
            assert!(
                words(damaged.as_bytes()).is_err(),
                "without {token} at {at}"
            );
            tried += 1;
        }
        assert!(tried > count, "{tried}");
    }
}

/// The tokens of a text without strings that have blanks, comments left out.
fn tokens_of(text: &str) -> Vec<(usize, &str)> {
    let mut tokens = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let code = line.split('#').next().unwrap();
        let mut start = None;
        for (index, char) in code.char_indices() {
            let wordy = char.is_ascii_alphanumeric() || "-_\"".contains(char);
            if wordy {
                start.get_or_insert(index);
                continue;
            }
            if let Some(start) = start.take() {
                tokens.push((at + start, &code[start..index]));
            }
            if !char.is_ascii_whitespace() {
                tokens.push((at + index, &code[index..=index]));
            }
        }
        at += line.len();
    }
    tokens
}

#[test]
fn the_end_of_the_text_is_nowhere_but_at_its_end() {
    for text in [V07, V08] {
        for (at, _) in tokens_of(text) {
            let error = syntax(&text[..at]);
            assert_eq!(error.found, Found::End, "{}", &text[..at]);
        }
    }
}

#[test]
fn an_unknown_version_is_told() {
    let known = "the string \"v07\", \"v08\" or \"v09\"";
    assert_eq!(
        complaint("version \"v06\";"),
        format!("1:9 the string \"v06\", {known}")
    );
    assert_eq!(complaint("version v08;"), format!("1:9 \"v08\", {known}"));
    assert_eq!(
        complaint("version \"v08;\n"),
        format!("1:9 a quote without 1 to 20 characters and another quote, {known}")
    );
    assert_eq!(complaint(""), "1:1 the end of the text, \"version\"");
    assert_eq!(complaint("\0"), "1:1 byte 0x00, \"version\"");
    assert_eq!(complaint("\n\n  'version"), "3:3 \"'\", \"version\"");
}
